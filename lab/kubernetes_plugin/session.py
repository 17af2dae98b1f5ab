"""What all operations share once the provider is configured: settings, the cluster (or why there is none), the engine."""

from __future__ import annotations

import threading

from lab.kubernetes_plugin import normalize
from lab.kubernetes_plugin.awaits.base import Cancellation
from lab.kubernetes_plugin.cluster import ApiError, Cluster, Unreachable
from lab.kubernetes_plugin.engine import Engine, ResourceLog
from lab.kubernetes_plugin.settings import Settings


class Failure(Exception):
    """An operation that cannot be done; the text is what the user sees."""


class InitFailed(Exception):
    """An object that exists but is not ready: kept in the state with the reasons."""

    def __init__(self, resource_id: str, message: str, causes: list[str], state: dict, inputs: dict | None = None) -> None:
        super().__init__(message)
        self.id, self.reasons, self.state, self.inputs = resource_id, [message, *causes], state, inputs


class Session:
    """A configured provider."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings, self.engine = settings, engine
        self.cancellation = Cancellation()
        self._unreachable = settings.unreachable
        self._cluster: Cluster | None = None
        self._lock = threading.Lock()

    @property
    def unreachable(self) -> str:
        """Why there is no cluster to work with, "" when there is one. Not reaching it is no error by itself: a preview goes on without."""
        self._connect()
        return self._unreachable

    @property
    def reachable(self) -> bool:
        """Whether there is a cluster to work with."""
        return not self.unreachable and self._cluster is not None

    @property
    def cluster(self) -> Cluster:
        """The cluster; only to be asked when `reachable`."""
        if not self.reachable or self._cluster is None:
            raise Failure(f"configured Kubernetes cluster is unreachable: {self._unreachable}")
        return self._cluster

    def _connect(self) -> None:
        """Try the cluster, once, when the first operation needs it: comparing unchanged resources doesn't."""
        with self._lock:
            if self._cluster is not None or self._unreachable or self.settings.target is None:
                return
            cluster = Cluster(self.settings.target, self.settings.client_timeout)
            try:
                cluster.version()
            except (Unreachable, ApiError) as error:
                self._unreachable = f"unable to load schema information from the API server: {error}"
                cluster.close()
            else:
                self._cluster = cluster

    def namespaced(self, api_version: str, kind: str) -> bool:
        """Whether a kind lives in namespaces; a kind nobody knows is taken for one that does."""
        known = normalize.known_kind(api_version, kind)
        if known is None and self.reachable:
            known = self.cluster.namespaced(api_version, kind)
        return known is not False

    def log(self, urn: str) -> ResourceLog:
        """A log for one operation on one resource."""
        return ResourceLog(self.engine, urn)


def urn_type(urn: str) -> str:
    """The resource's own type token: `kubernetes:apps/v1:Deployment`."""
    return urn.split("::")[2].rpartition("$")[2]


def urn_name(urn: str) -> str:
    """The logical name."""
    return urn.split("::", 3)[3]


def kind_of_urn(urn: str) -> tuple[str, str]:
    """(apiVersion, kind) a type token stands for."""
    package, _, rest = urn_type(urn).partition(":")
    group_version, _, kind = rest.rpartition(":")
    group, slash, version = group_version.partition("/")
    if package != "kubernetes" or not slash:
        raise Failure(f'unrecognized resource type: "{urn_type(urn)}" for this provider')
    if group in ("helm.sh", "kustomize", "yaml") or kind.endswith(("List", "Patch")):
        raise Failure(f'the lab\'s stand-in for the kubernetes plugin has no resource type "{urn_type(urn)}": use the plain resource types')
    return (version if group == "core" else f"{group}/{version}"), kind
