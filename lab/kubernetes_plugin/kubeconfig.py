"""Kubeconfig text or path to settings, and the rule that only the lab's own API server may be addressed."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LAB_NETWORKS = (ipaddress.ip_network("10.0.0.0/16"), ipaddress.ip_network("127.0.0.0/8"))


class KubeconfigError(ValueError):
    """The kubeconfig cannot be read or does not say which cluster to use."""


class OutsideLab(Exception):
    """The stand-in was asked to work outside the lab."""


@dataclass(frozen=True)
class Target:
    """One cluster to talk to: the whole kubeconfig, the context chosen in it, its server and its namespace."""

    document: dict[str, Any]
    context: str
    server: str
    namespace: str


def load(path_or_contents: str) -> dict[str, Any]:
    """The kubeconfig in a file, or in the text itself (YAML or JSON). Raises KubeconfigError."""
    import yaml  # here, because most of the plugin's calls do without

    if not path_or_contents:
        return {}
    try:
        path = Path(path_or_contents).expanduser()
        contents = path.read_text() if path.is_file() else path_or_contents
    except (OSError, ValueError):  # too long or not a path at all: it is the contents
        contents = path_or_contents
    try:
        document = yaml.safe_load(contents)
    except yaml.YAMLError as error:
        raise KubeconfigError(f"not YAML: {error}") from error
    if not isinstance(document, dict):
        raise KubeconfigError("neither an existing file nor the contents of a kubeconfig")
    return document


def ambient() -> dict[str, Any]:
    """The kubeconfig that the environment names, as kubectl would find it."""
    candidates = [p for p in os.environ.get("KUBECONFIG", "").split(os.pathsep) if p] or [str(Path.home() / ".kube" / "config")]
    for candidate in candidates:
        if Path(candidate).is_file():
            return load(candidate)
    raise KubeconfigError("no kubeconfig in the provider's inputs, in $KUBECONFIG or in ~/.kube/config")


def choose(document: dict[str, Any], *, context: str = "", cluster: str = "", namespace: str = "") -> Target:
    """The cluster a kubeconfig points at, with the provider's overrides. Raises KubeconfigError."""
    context = context or document.get("current-context") or ""
    found = _named(document, "contexts", context).get("context")
    if not found:
        raise KubeconfigError(f"context {context!r} does not exist in the kubeconfig")
    cluster = cluster or found.get("cluster") or ""
    server = (_named(document, "clusters", cluster).get("cluster") or {}).get("server")
    if not server:
        raise KubeconfigError(f"cluster {cluster!r} has no server in the kubeconfig")
    if cluster != found.get("cluster"):
        document = _with_cluster(document, context, cluster)
    return Target(document, context, server, namespace or found.get("namespace") or "default")


def active_cluster(document: dict[str, Any], context: Any, cluster: Any) -> dict[str, Any] | None:
    """The settings of the cluster in use, or None: what decides whether another cluster is meant."""
    name = context if context is not None else document.get("current-context")
    found = _named(document, "contexts", name).get("context")
    if not found:
        return None
    return _named(document, "clusters", cluster if cluster is not None else found.get("cluster")).get("cluster")


def require_lab(server: str | None = None) -> None:
    """Raise OutsideLab unless this runs for a lab and, if given, `server` is an address of the lab."""
    if not os.environ.get("LAB_HOME"):
        raise OutsideLab(
            "this is the lab's stand-in for the kubernetes plugin and LAB_HOME is not set: it works for the lab only. "
            "Run pulumi through `make shell`, or install the published plugin: pulumi plugin install resource kubernetes v4.32.0"
        )
    if server is None:
        return
    host = urlsplit(server if "//" in server else f"//{server}").hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None or not any(address in network for network in LAB_NETWORKS):
        raise OutsideLab(
            f"the kubeconfig's server {server} is not in the lab (expected an address in 10.0.0.0/16 or 127.0.0.0/8): "
            "the lab's stand-in for the kubernetes plugin touches no other cluster. For a real cluster install the published "
            "plugin: pulumi plugin install resource kubernetes v4.32.0"
        )


def _named(document: dict[str, Any], section: str, name: Any) -> dict[str, Any]:
    entries = document.get(section) or []
    return next((entry for entry in entries if isinstance(entry, dict) and entry.get("name") == name), {})


def _with_cluster(document: dict[str, Any], context: str, cluster: str) -> dict[str, Any]:
    contexts = [{**c, "context": {**c["context"], "cluster": cluster}} if c.get("name") == context else c for c in document["contexts"]]
    return {**document, "contexts": contexts}
