"""The cluster's certificates and kubeconfigs: who may say to be whom, below
``LAB_HOME/pki/kubernetes``.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from lab import pki
from lab.environment import API_IP, API_URL, CLUSTER_ID
from lab.files import write_private

API_NAMES = (
    "127.0.0.1", "localhost", API_IP, "10.96.0.1",
    "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
)  # fmt: skip
ADAPTER_SERVICE = "alibaba-cloud-metrics-adapter"
ADAPTER_NAMES = (f"{ADAPTER_SERVICE}.kube-system.svc", "localhost", "127.0.0.1")

# client certificate: file name -> (common name, groups)
CLIENTS = {
    "admin": ("kubernetes-admin", ("system:masters",)),
    "controller-manager": ("system:kube-controller-manager", ()),
    "scheduler": ("system:kube-scheduler", ()),
    "ingress-controller": ("lab:ingress-controller", ()),
    "node-agent": ("lab:node-agent", ()),
    "node-autoscaler": ("lab:node-autoscaler", ()),
    "log-shipper": ("lab:log-shipper", ()),
}


@dataclass(frozen=True)
class ClusterPki:
    """Paths of the cluster's certificates."""

    directory: Path

    @property
    def ca(self) -> Path:
        """The certificate of the cluster's CA."""
        return self.directory / "ca.crt"

    def cert(self, name: str) -> Path:
        """The certificate of that name."""
        return self.directory / f"{name}.crt"

    def key(self, name: str) -> Path:
        """The key of that name."""
        return self.directory / f"{name}.key"

    def kubeconfig(self, name: str) -> Path:
        """The kubeconfig of one of `CLIENTS`, for use inside the lab."""
        return self.directory / f"{name}.kubeconfig"


def cluster_pki(home: Path) -> ClusterPki:
    """The places, without making anything."""
    return ClusterPki(home / "pki" / "kubernetes")


def cluster_ca(home: Path) -> pki.CA:
    """The CA that signs for the API server, its clients, kubelets and the adapter."""
    directory = cluster_pki(home).directory
    return pki.ensure_ca(directory / "ca.crt", directory / "ca.key", "kubernetes")


def ensure_cluster_pki(home: Path, api_port: int) -> ClusterPki:
    """Make what is missing and write the kubeconfigs; `api_port` is the host port of the API
    server's port forward.
    """
    places = cluster_pki(home)
    ca = cluster_ca(home)
    front = pki.ensure_ca(
        places.cert("front-proxy-ca"), places.key("front-proxy-ca"), "front-proxy-ca"
    )
    pki.ensure_service_account_keys(home)
    pki.ensure_leaf(ca, places.directory / "apiserver", API_NAMES, common_name="kube-apiserver")
    pki.ensure_leaf(ca, places.directory / "adapter", ADAPTER_NAMES)
    _client(
        ca, places, "apiserver-kubelet-client", "kube-apiserver-kubelet-client", ("system:masters",)
    )
    _client(front, places, "front-proxy-client", "front-proxy-client", ())
    for name, (common_name, groups) in CLIENTS.items():
        _client(ca, places, name, common_name, groups)
        _kubeconfig(places, name, API_URL, places.kubeconfig(name))
    _kubeconfig(places, "admin", API_URL, home / "kubeconfig")
    _kubeconfig(places, "admin", f"https://127.0.0.1:{api_port}", home / "kubeconfig-host")
    return places


def _client(
    ca: pki.CA, places: ClusterPki, name: str, common_name: str, groups: tuple[str, ...]
) -> None:
    pki.ensure_leaf(ca, places.directory / name, (), common_name=common_name, organizations=groups)


def _kubeconfig(places: ClusterPki, client: str, server: str, path: Path) -> None:
    """A kubeconfig with everything inline (JSON is YAML): it can be copied anywhere."""
    user = CLIENTS[client][0]
    context = f"{user}-{CLUSTER_ID}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "kubernetes",
                "cluster": {"server": server, "certificate-authority-data": _base64(places.ca)},
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _base64(places.cert(client)),
                    "client-key-data": _base64(places.key(client)),
                },
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": "kubernetes", "user": user}}],
        "current-context": context,
    }
    write_private(path, json.dumps(document, indent=1).encode())


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
