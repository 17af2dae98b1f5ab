"""Log pipelines of the cluster: what loongcollector does with a `ClusterAliyunPipelineConfig` that
collects the ingress controller's access log.

Pure: from a document to what is wrong with it, and from a line to the fields that are stored. The
shipper (`log_shipper`) reads the documents, writes their status and stores the fields. Sources:
"AliyunPipelineConfig parameters" and CreateLogtailPipelineConfig in the log service's reference
(names, at most one input, native processors only after a parser, no `config.name`), and
loongcollector's own sources of the three plugins (regular expressions match whole values, a line
that does not parse is dropped, a line without the key of a filter is dropped).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

GROUP, VERSION, KIND = "telemetry.alibabacloud.com", "v1alpha1", "ClusterAliyunPipelineConfig"
PLURAL = "clusteraliyunpipelineconfigs"
PATH = f"/apis/{GROUP}/{VERSION}/{PLURAL}"
CONTROLLER = ("kube-system", "nginx-ingress-controller")
"""Namespace and container of ACK's ingress controller, whose standard output the lab's access log
plays.
"""
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,126}[a-z0-9]")
_SPEC = {"project", "config", "logstores", "machineGroups", "enableUpgradeOverride"}
_CONFIG = {"sample", "global", "inputs", "processors", "aggregators", "flushers"}
_FILTERS = {
    "K8sNamespaceRegex", "K8sPodRegex", "K8sContainerRegex", "IncludeK8sLabel", "ExcludeK8sLabel", "IncludeEnv", "ExcludeEnv",
    "IncludeContainerLabel", "ExcludeContainerLabel",
}  # fmt: skip
_PLAYED_FILTERS = {"K8sNamespaceRegex", "K8sContainerRegex"}
_PLUGINS: dict[str, dict[str, set[str]]] = {
    "inputs": {
        "input_container_stdio": {"IgnoringStdout", "IgnoringStderr", "ContainerFilters"},
    },
    "processors": {
        "processor_parse_regex_native": {
            "SourceKey", "Regex", "Keys", "KeepingSourceWhenParseFail", "KeepingSourceWhenParseSucceed", "RenamedSourceKey",
        },
        "processor_filter_regex_native": {"FilterKey", "FilterRegex", "DiscardingNonUTF8"},
    },
    "flushers": {"flusher_sls": {"Logstore", "TelemetryType"}},
}  # fmt: skip
"""Plugins that the lab plays, with the fields that it plays."""
_NEEDED = {
    "processor_parse_regex_native": ("SourceKey", "Regex", "Keys"),
    "processor_filter_regex_native": ("FilterKey", "FilterRegex"),
    "flusher_sls": ("Logstore",),
}


@dataclass(frozen=True)
class Pipeline:
    """A pipeline that collects."""

    name: str
    project: str
    logstores: tuple[str, ...]
    reads_controller: bool
    """Whether its input takes the ingress controller's standard output."""
    processors: tuple[Mapping[str, Any], ...]

    def run(self, line: str) -> dict[str, str] | None:
        """The fields that are stored of a line of the controller; None when it is dropped."""
        if not self.reads_controller:
            return None
        fields: dict[str, str] | None = {"content": line}
        for plugin in self.processors:
            act = _parse if plugin["Type"] == "processor_parse_regex_native" else _filter
            fields = act(plugin, fields)
            if fields is None:
                return None
        return fields


def problem(document: Mapping[str, Any]) -> str | None:
    """Why the operator does not take the document, as its status says it; None when it does.

    What the lab does not play is refused by its name too: a pipeline must not seem to work here
    and do something else there.
    """
    return next(_problems(document), None)


def _problems(document: Mapping[str, Any]) -> Iterator[str]:
    name, spec = document["metadata"]["name"], document.get("spec") or {}
    if not NAME.fullmatch(name):
        yield f"metadata.name {name!r}: 2 to 128 lower-case letters, digits, - and _"
    if more := sorted(set(spec) - _SPEC):
        yield f"spec.{more[0]}: unknown field"
    if not (spec.get("project") or {}).get("name"):
        yield "spec.project.name: required"
    config = spec.get("config") or {}
    if "name" in config:
        yield "spec.config.name: not allowed, the configuration has the name of the resource"
    if more := sorted(set(config) - _CONFIG - {"name"}):
        yield f"spec.config.{more[0]}: unknown field"
    for section in ("inputs", "flushers"):
        if not config.get(section):
            yield f"spec.config.{section}: required"
    if len(config.get("inputs") or []) > 1:
        yield "spec.config.inputs: only one input is allowed"
    if len(config.get("flushers") or []) > 5:
        yield "spec.config.flushers: at most five outputs are allowed"
    if config.get("aggregators"):
        yield "spec.config.aggregators: only for extended plugins, which the lab does not play"
    for section, known in _PLUGINS.items():
        for index, plugin in enumerate(config.get(section) or []):
            yield from _plugin_problems(f"spec.config.{section}[{index}]", plugin, known)
    kinds = [plugin.get("Type") for plugin in config.get("processors") or []]
    if kinds and kinds[0] != "processor_parse_regex_native":
        yield "spec.config.processors[0]: the first native processor must be a parser"
    if kinds.count("processor_filter_regex_native") > 1:
        yield "spec.config.processors: only one filter is allowed"


def _plugin_problems(
    place: str, plugin: Mapping[str, Any], known: Mapping[str, set[str]]
) -> Iterator[str]:
    kind = str(plugin.get("Type") or "")
    if kind not in known:
        yield f"{place}.Type {kind!r}: no such plugin, or none that the lab plays ({', '.join(known)})"
        return
    if more := sorted(set(plugin) - known[kind] - {"Type"}):
        yield f"{place}.{more[0]}: unknown field of {kind}, or one that the lab does not play"
    for field in _NEEDED.get(kind, ()):
        if not plugin.get(field):
            yield f"{place}.{field}: required by {kind}"
    filters = plugin.get("ContainerFilters") or {}
    if more := sorted(set(filters) - _FILTERS):
        yield f"{place}.ContainerFilters.{more[0]}: unknown field"
    if more := sorted(set(filters) - _PLAYED_FILTERS):
        yield f"{place}.ContainerFilters.{more[0]}: not played by the lab"
    expressions = [plugin.get("Regex"), *_list(plugin.get("FilterRegex")), *filters.values()]
    for text in expressions:
        if isinstance(text, str) and (reason := _invalid(text)):
            yield f"{place}: {text!r} is not a valid regular expression: {reason}"
    if len(_list(plugin.get("FilterKey"))) != len(_list(plugin.get("FilterRegex"))):
        yield f"{place}: FilterKey and FilterRegex do not have the same size"


def compiled(document: Mapping[str, Any]) -> Pipeline:
    """The pipeline of a document without a `problem`."""
    spec = document["spec"]
    config = spec["config"]
    source = config["inputs"][0]
    filters = source.get("ContainerFilters") or {}
    namespace, container = CONTROLLER
    return Pipeline(
        name=document["metadata"]["name"],
        project=spec["project"]["name"],
        logstores=tuple(flusher["Logstore"] for flusher in config["flushers"]),
        reads_controller=not source.get("IgnoringStdout")
        and re.search(filters.get("K8sNamespaceRegex", ""), namespace) is not None
        and re.search(filters.get("K8sContainerRegex", ""), container) is not None,
        processors=tuple(config.get("processors") or ()),
    )


def controller_line(fields: Mapping[str, str]) -> str:
    """One request as ACK's controller writes it, from the fields of its log: `log-format-upstream`
    of the ConfigMap nginx-configuration in kube-system, as ACK documents it.
    """
    safe = {name: _escaped(value) for name, value in fields.items()}
    return (
        "{client_ip} - [{x_forward_for}] - {remote_user} [{time}] \"{method} {url} {version}\" {status} {body_bytes_sent} "
        "\"{http_referer}\" \"{http_user_agent}\" {request_length} {request_time} [{proxy_upstream_name}] {upstream_addr} "
        "{upstream_response_length} {upstream_response_time} {upstream_status} {req_id} {host} [{proxy_alternative_upstream_name}]"
    ).format(**safe)  # fmt: skip


def _escaped(text: str) -> str:
    """As nginx escapes a variable in its log (log_format, escape=default): quotes, backslashes, and
    what is no printable ASCII character.
    """
    return "".join(
        char if " " <= char <= "~" and char not in '"\\' else "".join(f"\\x{byte:02X}" for byte in char.encode())
        for char in text
    )  # fmt: skip


def _parse(plugin: Mapping[str, Any], fields: dict[str, str]) -> dict[str, str] | None:
    key = plugin["SourceKey"]
    if key not in fields:
        return fields
    content = fields[key]
    rest = {name: value for name, value in fields.items() if name != key}
    found = re.fullmatch(plugin["Regex"], content, re.S)
    renamed = plugin.get("RenamedSourceKey") or "rawLog"
    if found is None or len(found.groups()) < len(plugin["Keys"]):
        return {**rest, renamed: content} if plugin.get("KeepingSourceWhenParseFail") else None
    kept = {renamed: content} if plugin.get("KeepingSourceWhenParseSucceed") else {}
    return {**rest, **kept, **dict(zip(plugin["Keys"], found.groups(default=""), strict=False))}


def _filter(plugin: Mapping[str, Any], fields: dict[str, str]) -> dict[str, str] | None:
    wanted = zip(plugin["FilterKey"], plugin["FilterRegex"], strict=True)
    passed = all(
        key in fields and re.fullmatch(regex, fields[key], re.S) is not None
        for key, regex in wanted
    )
    return fields if passed else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _invalid(text: str) -> str | None:
    try:
        re.compile(text)
    except re.error as error:
        return str(error)
    return None


def definition() -> dict[str, Any]:
    """The CustomResourceDefinition, as loongcollector's chart brings it: its schema leaves the
    configuration open, and the operator says in the status what is wrong with it.
    """
    opened = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {
                "kind": KIND,
                "plural": PLURAL,
                "singular": KIND.lower(),
                "listKind": f"{KIND}List",
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {"spec": opened, "status": opened},
                        }
                    },
                }
            ],
        },
    }
