"""Labels and taints of nodes: what Kubernetes takes, in the API server's words, and what a kubelet
refuses on top.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

LONGEST = 63
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_EDGES = "must start and end with an alphanumeric character"
_VALUE_WORDS = (
    f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and {_EDGES} (e.g. 'MyValue',  or "
    "'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_NAME_WORDS = (
    f"name part must consist of alphanumeric characters, '-', '_' or '.', and {_EDGES} (e.g. 'MyName',  or 'my.name',  or '123-abc', "
    "regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_DOMAIN_WORDS = (
    f"prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and {_EDGES} "
    "(e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_QUALIFIED = (
    "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an "
    "optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_KUBELET_PREFIXES = ("kubelet.kubernetes.io", "node.kubernetes.io")
_KUBELET_ALLOWED = {
    "beta.kubernetes.io/arch", "beta.kubernetes.io/instance-type", "beta.kubernetes.io/os", "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone", "kubernetes.io/arch", "kubernetes.io/hostname", "kubernetes.io/os",
    "node.kubernetes.io/instance-type", "topology.kubernetes.io/region", "topology.kubernetes.io/zone",
}  # fmt: skip


def key_problem(key: str) -> str:
    """What is wrong with a label's or taint's key, "" when nothing is."""
    if key.count("/") > 1:
        return _QUALIFIED
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        return "prefix part must be non-empty"
    if prefix and len(prefix) > 253:
        return "prefix part must be no more than 253 bytes"
    if prefix and not _DOMAIN.fullmatch(prefix):
        return _DOMAIN_WORDS
    if not name:
        return "name part must be non-empty"
    if len(name) > LONGEST:
        return f"name part must be no more than {LONGEST} bytes"
    return "" if _NAME.fullmatch(name) else _NAME_WORDS


def value_problem(value: str) -> str:
    """What is wrong with a label's or taint's value, "" when nothing is."""
    if len(value) > LONGEST:
        return f"must be no more than {LONGEST} bytes"
    return "" if not value or _NAME.fullmatch(value) else _VALUE_WORDS


def label_problem(key: str, value: str) -> str:
    """What the API server says of a label, "" when it takes it."""
    if wrong := key_problem(key):
        return f'Invalid value: "{key}": {wrong}'
    return f'Invalid value: "{value}": {wrong}' if (wrong := value_problem(value)) else ""


def taint_problem(taint: Mapping[str, Any]) -> str:
    """What the API server says of a taint, "" when it takes it."""
    key, value, effect = (
        str(taint.get("key") or ""),
        str(taint.get("value") or ""),
        taint.get("effect"),
    )
    if wrong := label_problem(key, value):
        return wrong
    if effect not in EFFECTS:
        return f'Unsupported value: "{effect}": supported values: {", ".join(f"{chr(34)}{one}{chr(34)}" for one in sorted(EFFECTS))}'
    return ""


def kubelet_refusal(labels: Mapping[str, str], taints: Iterable[Mapping[str, Any]]) -> str:
    """Why a kubelet with these `--node-labels` and `--register-with-taints` ends before it
    registers its node, "" when it registers it.
    """
    for key, value in labels.items():
        if wrong := label_problem(key, value):
            return f"invalid argument {key}={value} for --node-labels: {wrong}"
    unknown = sorted(
        key
        for key in labels
        if _of_kubernetes(key) and key not in _KUBELET_ALLOWED and not _of_kubelet(key)
    )
    if unknown:
        words = "failed to validate kubelet flags: unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: "
        return (
            f"{words}[{' '.join(unknown)}]; --node-labels in the 'kubernetes.io' namespace must begin with an allowed prefix "
            f"({', '.join(_KUBELET_PREFIXES)}) or be in the specifically allowed set ({', '.join(sorted(_KUBELET_ALLOWED))})"
        )
    return next(
        (
            f"invalid argument for --register-with-taints: {wrong}"
            for one in taints
            if (wrong := taint_problem(one))
        ),
        "",
    )


def _domain(key: str) -> str:
    return key.rpartition("/")[0]


def _of_kubernetes(key: str) -> bool:
    return any(
        _domain(key) == own or _domain(key).endswith(f".{own}")
        for own in ("kubernetes.io", "k8s.io")
    )


def _of_kubelet(key: str) -> bool:
    return any(_domain(key) == own or _domain(key).endswith(f".{own}") for own in _KUBELET_PREFIXES)
