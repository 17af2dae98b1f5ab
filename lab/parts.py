"""The parts of the lab: what each is, what it needs first, and how it shows that it is ready."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab import readiness
from lab.controlplane import control_plane, platform
from lab.controlplane.certificates import ClusterPki
from lab.environment import API_IP, INGRESS_IP, METADATA_IP, REGION_IP
from lab.inside import inside
from lab.kube import Kube
from lab.kubelet.nodes import is_ready

PLATFORM, METRICS = "platform objects", "metrics api"


@dataclass(frozen=True)
class Spec:
    """What a part is. Without `command` it is a job that `ready` does once."""

    name: str
    command: list[str] = field(default_factory=list)
    ready: Callable[[], Awaitable[bool]] | None = (
        None  # None: the process says so itself on the descriptor LAB_READY_FD
    )
    after: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    timeout: float = 60.0  # seconds from start to readiness
    stop_group: int = 1  # lower groups are stopped first
    grace: float = 5.0  # seconds between SIGTERM and SIGKILL


@dataclass(frozen=True)
class Setting:
    """What the parts are made from."""

    home: Path
    pki: ClusterPki
    tools: dict[str, dict[str, str]]
    clock: float


def parts(setting: Setting) -> list[Spec]:
    """All parts, in an order in which each comes after what it needs."""
    return [
        *_cloud(setting),
        *_control_plane(setting),
        *_jobs(setting),
        *_addons(setting),
        *_nodes(setting),
    ]


def _cloud(s: Setting) -> list[Spec]:
    listens = ["--http", f"{REGION_IP}:80", "--metadata", f"{METADATA_IP}:80"]
    return [
        Spec(
            "region",
            [sys.executable, "-m", "lab.alicloud", "--home", str(s.home), *listens],
            lambda: readiness.http(REGION_IP, 9090, "/_lab/health"),
            env=_environment(s),
            address=f"{REGION_IP}:443, control :9090",
            stop_group=3,
        )
    ]


def _control_plane(s: Setting) -> list[Spec]:
    bare = _bare_environment(s)
    admin = _admin(s).tls
    assert isinstance(admin, ssl.SSLContext)
    loopback = readiness.unverified()
    api = ("kube-apiserver",)
    return [
        Spec(
            "etcd", control_plane.etcd(_path(s, "etcd"), s.home), lambda: readiness.http("127.0.0.1", 2379, "/health"),
            env=bare, address="127.0.0.1:2379", stop_group=3,
        ),
        Spec(
            "kube-apiserver", control_plane.apiserver(_path(s, "kube-apiserver"), s.home, s.pki),
            lambda: readiness.http(API_IP, 6443, "/readyz", admin), env=bare, address=f"{API_IP}:6443", stop_group=2, timeout=120,
        ),
        Spec(
            "kube-controller-manager", control_plane.controller_manager(_path(s, "kube-controller-manager"), s.home, s.pki, s.clock),
            lambda: readiness.http("127.0.0.1", 10257, "/healthz", loopback), api, bare, "127.0.0.1:10257",
        ),
        Spec(
            "kube-scheduler", control_plane.scheduler(_path(s, "kube-scheduler"), s.pki),
            lambda: readiness.http("127.0.0.1", 10259, "/healthz", loopback), api, bare, "127.0.0.1:10259",
        ),
    ]  # fmt: skip


def _jobs(s: Setting) -> list[Spec]:
    async def platform_objects() -> bool:
        async with _admin(s) as kube:
            await platform.apply_platform(kube)
        return True

    async def metrics_api() -> bool:
        async with _admin(s) as kube:
            await platform.register_metrics_api(kube, s.pki.ca.read_bytes())
        return True

    return [
        Spec(PLATFORM, ready=platform_objects, after=("kube-apiserver",)),
        Spec(METRICS, ready=metrics_api, after=(PLATFORM, "metrics-adapter")),
    ]


def _addons(s: Setting) -> list[Spec]:
    env = _environment(s)
    traefik = {**_bare_environment(s), "KUBECONFIG": str(s.pki.kubeconfig("ingress-controller"))}
    return [
        Spec(
            "traefik", control_plane.traefik(_path(s, "traefik"), s.home), lambda: readiness.http("127.0.0.1", 8089, "/ping"),
            (PLATFORM,), traefik, f"{INGRESS_IP}:80, :443",
        ),
        Spec("metrics-adapter", _module("lab.controlplane.adapter", s), None, (), env, "127.0.0.1:8443"),
        Spec("log-shipper", _module("lab.controlplane.log_shipper", s), None, (PLATFORM, "region"), env),
        Spec("node-autoscaler", _module("lab.controlplane.node_autoscaler", s), None, (PLATFORM, "region"), env),
    ]  # fmt: skip


def _nodes(s: Setting) -> list[Spec]:
    async def a_node_is_ready() -> bool:
        """Raises RuntimeError while no Node of the cluster is Ready."""
        async with _admin(s) as kube:
            nodes = (await kube.get("/api/v1/nodes"))["items"]
        if not any(map(is_ready, nodes)):
            raise RuntimeError(f"none of {len(nodes)} nodes is Ready")
        return True

    env = {**_environment(s), "KUBECONFIG": str(s.pki.kubeconfig("node-agent"))}
    return [
        Spec(
            "node-agent", [sys.executable, "-m", "lab.kubelet", "--home", str(s.home)], a_node_is_ready,
            (PLATFORM, "region", "kube-controller-manager"), env, grace=10,
        )
    ]  # fmt: skip


def _admin(s: Setting) -> Kube:
    return Kube(s.pki.kubeconfig("admin"), connections=1, timeout=15)


def _module(module: str, s: Setting) -> list[str]:
    return [sys.executable, "-m", module, "--home", str(s.home)]


def _path(s: Setting, name: str) -> str:
    return s.tools[name]["path"]


def _environment(s: Setting) -> dict[str, str]:
    """For the lab's own programs: the environment inside, without what only a user's commands
    need.
    """
    return {
        name: value
        for name, value in inside(s.home).items()
        if not name.startswith(("ALICLOUD_", "PULUMI_"))
    }


def _bare_environment(s: Setting) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(s.home / "run")}


def left_out(environ: Mapping[str, str] = os.environ) -> set[str]:
    """Parts that LAB_WITHOUT names (comma-separated): for tests of the others."""
    return {name for name in environ.get("LAB_WITHOUT", "").split(",") if name}
