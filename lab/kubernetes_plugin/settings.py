"""The provider's own configuration: checked, compared, read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from lab.kubernetes_plugin import kubeconfig
from lab.kubernetes_plugin.wire import UNKNOWN, contains_unknown, plain

_PREFIX = "kubernetes:config:"
_UNSUPPORTED = {
    "renderYamlToDirectory": "rendering YAML files",
    "helmReleaseSettings": "Helm releases",
}


@dataclass(frozen=True)
class Settings:
    """What `Configure` was given; `target` is None and `unreachable` says why when there is no usable kubeconfig."""

    target: kubeconfig.Target | None
    unreachable: str = ""
    namespace: str = "default"
    patch_force: bool = False
    config_map_mutable: bool = False
    secret_mutable: bool = False
    delete_unreachable: bool = False
    skip_update_unreachable: bool = False
    upsert: bool = False
    client_timeout: int = 0
    """Seconds after which a request to the cluster is given up; 0 for the stand-in's own limit."""


def read(variables: dict[str, str]) -> Settings:
    """Settings from `Configure`'s variables and the environment. Raises OutsideLab."""
    kubeconfig.require_lab()
    values = {key.removeprefix(_PREFIX): value for key, value in variables.items()}
    try:
        document = kubeconfig.load(values["kubeconfig"]) if values.get("kubeconfig") else kubeconfig.ambient()
        target = kubeconfig.choose(
            document, context=values.get("context", ""), cluster=values.get("cluster", ""), namespace=values.get("namespace", "")
        )
        unreachable = ""
    except kubeconfig.KubeconfigError as error:
        target = None
        unreachable = f"failed to parse kubeconfig data in `kubernetes:config:kubeconfig`- {error}"
    if target is not None:
        kubeconfig.require_lab(target.server)
    return Settings(
        target,
        unreachable,
        namespace=target.namespace if target else values.get("namespace") or "default",
        patch_force=_flag(values, "enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
        config_map_mutable=_flag(values, "enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
        secret_mutable=_flag(values, "enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
        delete_unreachable=_flag(values, "deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
        skip_update_unreachable=_flag(values, "skipUpdateUnreachable", "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE"),
        upsert=_flag(values, "upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
        client_timeout=int(os.environ.get("PULUMI_K8S_CLIENT_TIMEOUT") or 0),
    )


def _flag(values: dict[str, str], name: str, variable: str) -> bool:
    return values.get(name, os.environ.get(variable, "false")) == "true"


def problems(news: dict[str, Any]) -> list[tuple[str, str]]:
    """(property, reason) of everything that keeps the stand-in from serving this configuration."""
    values = plain(news)
    found = [(key, f"the lab's stand-in has no {what}") for key, what in _UNSUPPORTED.items() if values.get(key)]
    if values.get("enableServerSideApply") in (False, "false"):
        found.append(("enableServerSideApply", "the lab's stand-in has server-side apply only: leave it out or set it to true"))
    try:
        kubeconfig.require_lab()
        given = values.get("kubeconfig")
        if isinstance(given, str) and given and not contains_unknown([values.get("context"), values.get("cluster")]):
            document = kubeconfig.load(given)
            overrides = {"context": values.get("context") or "", "cluster": values.get("cluster") or ""}
            kubeconfig.require_lab(kubeconfig.choose(document, **overrides).server)
    except kubeconfig.OutsideLab as error:
        found.append(("", str(error)))  # not under "kubeconfig": the engine prints a named property's value, keys and all
    except kubeconfig.KubeconfigError:
        pass  # an unreadable kubeconfig is an unreachable cluster, not a failed check
    return found


@dataclass(frozen=True)
class ConfigDiff:
    """Changed keys of the provider's inputs, and those that replace the provider (and so everything made with it)."""

    changed: list[str]
    replaces: list[str]


def compare(olds: dict[str, Any], news: dict[str, Any]) -> ConfigDiff:
    """Which changes mean another cluster.

    With `clusterIdentifier` set in both, only a change of that does; otherwise a change of the active cluster's settings does,
    and so does one that is not known yet.
    """
    olds, news = plain(olds), plain(news)
    changed = [key for key in sorted({*olds, *news}) if olds.get(key) != news.get(key) or news.get(key) is UNKNOWN]
    if not changed:
        return ConfigDiff([], [])
    before, after = olds.get("clusterIdentifier"), news.get("clusterIdentifier")
    if after and before == after:
        return ConfigDiff(changed, [])
    replaces = ["clusterIdentifier"] if before and after else []
    keys = ("kubeconfig", "context", "cluster")
    unknown = next((key for key in keys if news.get(key) is UNKNOWN), None)
    if unknown:
        return ConfigDiff([unknown], [*replaces, unknown])
    old_cluster, new_cluster = (_active(values) for values in (olds, news))
    if old_cluster is not None and new_cluster is not None and old_cluster != new_cluster:
        replaces += [key for key in keys if key in changed]
    return ConfigDiff(changed, replaces)


def _active(values: dict[str, Any]) -> dict[str, Any] | None:
    given = values.get("kubeconfig")
    document = given if isinstance(given, dict) else kubeconfig.load(given or "")
    return kubeconfig.active_cluster(document, values.get("context"), values.get("cluster"))
