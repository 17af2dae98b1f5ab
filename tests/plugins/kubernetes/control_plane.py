"""A real API server with etcd and controllers on loopback, for tests without the lab's namespace."""

from __future__ import annotations

import base64
import json
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import toolchain
from lab import pki

READY_SECONDS = 90
SERVICES = "10.97.0.0/16"


class ControlPlane:
    """etcd, kube-apiserver and kube-controller-manager in one directory; no scheduler and no nodes: tests play those."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._processes: list[subprocess.Popen[bytes]] = []
        self._ca = pki.ensure_ca(home / "ca.crt", home / "ca.key", "test cluster")
        self.etcd_port, self._peer_port, self.port, self._kcm_port = free_ports(4)
        self.server = f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> ControlPlane:
        tools = toolchain.ensure(["etcd", "kube-apiserver", "kube-controller-manager"])
        for name in ("apiserver", "front-proxy-client"):
            pki.ensure_leaf(self._ca, self.home / name, ["127.0.0.1", "localhost"], common_name=name)
        for name, user in (("admin", "admin"), ("kcm", "system:kube-controller-manager")):
            pki.ensure_leaf(self._ca, self.home / name, (), common_name=user, organizations=("system:masters",))
        pki.ensure_service_account_keys(self.home)
        self.kubeconfig.write_text(json.dumps(self.document()))
        (self.home / "kcm.kubeconfig").write_text(json.dumps(self.document("kcm")))
        try:
            self._start("etcd", self._etcd(str(tools["etcd"].path)))
            self._start("apiserver", self._apiserver(str(tools["kube-apiserver"].path)))
            self._until("/readyz")
            self._start("kcm", self._controllers(str(tools["kube-controller-manager"].path)))
            self._until("/api/v1/namespaces/default/serviceaccounts/default")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=10)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.home / "kubeconfig"

    def document(self, user: str = "admin", server: str | None = None) -> dict:
        """A kubeconfig with everything inline."""
        cluster = {"server": server or self.server, "certificate-authority-data": _base64(self.home / "ca.crt")}
        keys = {"client-certificate-data": _base64(self.home / f"{user}.crt"), "client-key-data": _base64(self.home / f"{user}.key")}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": keys}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "current-context": "test",
        }

    def _etcd(self, path: str) -> list[str]:
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        return [
            path, "--name=test", f"--data-dir={self.home / 'etcd'}", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=test={peer}", "--unsafe-no-fsync",
        ]  # fmt: skip

    def _apiserver(self, path: str) -> list[str]:
        at = self.home
        return [
            path, f"--etcd-servers=http://127.0.0.1:{self.etcd_port}", "--advertise-address=127.0.0.1", "--bind-address=127.0.0.1",
            f"--secure-port={self.port}", f"--client-ca-file={at}/ca.crt", f"--tls-cert-file={at}/apiserver.crt",
            f"--tls-private-key-file={at}/apiserver.key", f"--service-cluster-ip-range={SERVICES}", "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={at}/pki/sa.pub",
            f"--service-account-signing-key-file={at}/pki/sa.key", "--endpoint-reconciler-type=none",
        ]  # fmt: skip

    def _controllers(self, path: str) -> list[str]:
        config = self.home / "kcm.kubeconfig"
        return [
            path, f"--kubeconfig={config}", f"--authentication-kubeconfig={config}", f"--authorization-kubeconfig={config}",
            "--leader-elect=false", f"--root-ca-file={self.home}/ca.crt", f"--service-account-private-key-file={self.home}/pki/sa.key",
            "--bind-address=127.0.0.1", f"--secure-port={self._kcm_port}", "--kube-api-qps=400", "--kube-api-burst=800",
        ]  # fmt: skip

    def _start(self, name: str, command: list[str]) -> None:
        log = (self.home / f"{name}.log").open("wb")
        self._processes.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=self.home))

    def _until(self, path: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        context = ssl.create_default_context(cafile=str(self.home / "ca.crt"))
        context.load_cert_chain(self.home / "admin.crt", self.home / "admin.key")
        while time.monotonic() < deadline:
            for process in self._processes:
                assert process.poll() is None, f"{process.args[0]} ended: see {self.home}"  # type: ignore[index]
            try:
                with urllib.request.urlopen(self.server + path, context=context, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise AssertionError(f"{path} of the test API server was not there after {READY_SECONDS} s: see {self.home}")


def free_ports(count: int) -> list[int]:
    """Loopback ports that were free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for held in sockets:
        held.bind(("127.0.0.1", 0))
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
