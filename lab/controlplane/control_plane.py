"""Command lines of etcd, the Kubernetes control plane and the ingress controller."""

from __future__ import annotations

from pathlib import Path

from lab.controlplane import ingress_watch
from lab.controlplane.certificates import ClusterPki
from lab.environment import API_IP, INGRESS_IP, RRSA_ISSUER

SERVICE_RANGE = "10.96.0.0/16"
POD_RANGE = "10.244.0.0/16"
NODE_MASK = 26  # 62 pod addresses a node, 1,024 nodes
HPA_SYNC = 15  # seconds, the controller's default
HPA_DOWNSCALE_WINDOW = 300  # seconds, the controller's default


def etcd(path: str, home: Path) -> list[str]:
    """One member, data in ``data/etcd``. Without fsync: a killed process loses nothing, only a dead
    machine could.
    """
    client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    return [
        path, "--name=lab", f"--data-dir={home / 'data' / 'etcd'}", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=lab={peer}",
        "--unsafe-no-fsync", "--log-level=warn", "--auto-compaction-mode=periodic", "--auto-compaction-retention=5m",
    ]  # fmt: skip


def apiserver(path: str, home: Path, pki: ClusterPki) -> list[str]:
    """Service account tokens carry the cluster's RRSA issuer, so that the double can check them as
    Alibaba Cloud would.
    """
    return [
        path, "--etcd-servers=http://127.0.0.1:2379", f"--advertise-address={API_IP}", f"--bind-address={API_IP}", "--secure-port=6443",
        f"--client-ca-file={pki.ca}", f"--tls-cert-file={pki.cert('apiserver')}", f"--tls-private-key-file={pki.key('apiserver')}",
        f"--service-cluster-ip-range={SERVICE_RANGE}", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
        f"--service-account-issuer={RRSA_ISSUER}", f"--api-audiences=https://kubernetes.default.svc,{RRSA_ISSUER}",
        f"--service-account-key-file={home / 'pki' / 'sa.pub'}", f"--service-account-signing-key-file={home / 'pki' / 'sa.key'}",
        "--service-account-max-token-expiration=12h",
        f"--requestheader-client-ca-file={pki.cert('front-proxy-ca')}", "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User", f"--proxy-client-cert-file={pki.cert('front-proxy-client')}",
        f"--proxy-client-key-file={pki.key('front-proxy-client')}",
        f"--kubelet-client-certificate={pki.cert('apiserver-kubelet-client')}",
        f"--kubelet-client-key={pki.key('apiserver-kubelet-client')}", "--kubelet-preferred-address-types=InternalIP",
        "--endpoint-reconciler-type=none", "--allow-privileged=true", "--profiling=false",
    ]  # fmt: skip


def controller_manager(path: str, home: Path, pki: ClusterPki, clock: float = 1.0) -> list[str]:
    """The real controllers; the HPA's periods follow the lab's clock where that is not real
    time.
    """
    config = pki.kubeconfig("controller-manager")
    command = [
        path, f"--kubeconfig={config}", f"--authentication-kubeconfig={config}", f"--authorization-kubeconfig={config}",
        "--leader-elect=false", "--use-service-account-credentials", f"--root-ca-file={pki.ca}",
        f"--service-account-private-key-file={home / 'pki' / 'sa.key'}", f"--cluster-signing-cert-file={pki.ca}",
        f"--cluster-signing-key-file={pki.directory / 'ca.key'}", "--allocate-node-cidrs", f"--cluster-cidr={POD_RANGE}",
        f"--node-cidr-mask-size={NODE_MASK}",
        f"--service-cluster-ip-range={SERVICE_RANGE}", "--bind-address=127.0.0.1", "--kube-api-qps=400", "--kube-api-burst=800",
        "--profiling=false",
    ]  # fmt: skip
    if clock != 1:
        command += [
            f"--horizontal-pod-autoscaler-sync-period={HPA_SYNC / clock:.3f}s",
            f"--horizontal-pod-autoscaler-downscale-stabilization={HPA_DOWNSCALE_WINDOW / clock:.3f}s",
        ]
    return command


def scheduler(path: str, pki: ClusterPki) -> list[str]:
    """Command line of the scheduler, without leader election."""
    config = pki.kubeconfig("scheduler")
    return [
        path, f"--kubeconfig={config}", f"--authentication-kubeconfig={config}", f"--authorization-kubeconfig={config}",
        "--leader-elect=false", "--bind-address=127.0.0.1", "--kube-api-qps=400", "--kube-api-burst=800", "--profiling=false",
    ]  # fmt: skip


def traefik(path: str, home: Path) -> list[str]:
    """The ingress controller in its ingress-nginx-compatible mode, on the cluster's load balancer
    address.

    It finds the API server and its own identity in the kubeconfig that KUBECONFIG names. Without
    request buffering it enforces no proxy-body-size; ingress-nginx's proxy-request-buffering is on,
    its proxy-connect-timeout 5 seconds. What it leaves out is in the file that `ingress_watch`
    writes; its middleware `limits` sees every request.
    """
    provider = "--providers.kubernetesingressnginx"
    return [
        path, f"{provider}=true",
        f"{provider}.httpentrypoint=web", f"{provider}.httpsentrypoint=websecure",
        f"{provider}.publishservice=kube-system/nginx-ingress-lb",
        f"{provider}.proxyrequestbuffering=true", f"{provider}.proxyconnecttimeout=5",
        f"--providers.file.filename={ingress_watch.configuration(home)}", "--providers.file.watch=true",
        "--entrypoints.web.http.middlewares=limits@file", "--entrypoints.websecure.http.middlewares=limits@file",
        f"--entrypoints.web.address={INGRESS_IP}:80", f"--entrypoints.websecure.address={INGRESS_IP}:443",
        "--entrypoints.traefik.address=127.0.0.1:8089", "--ping=true", "--accesslog=true", "--accesslog.format=json",
        "--accesslog.fields.headers.names.User-Agent=keep", "--accesslog.fields.headers.names.Referer=keep", "--log.nocolor=true",
        f"--accesslog.filepath={home / 'data' / 'traefik' / 'access.log'}", "--global.checknewversion=false",
        "--global.sendanonymoususage=false", "--log.level=INFO",
    ]  # fmt: skip
