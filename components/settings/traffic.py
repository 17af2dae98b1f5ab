"""Settings of the autoscaler and the entry (tutorial steps 5 to 7)."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from components.settings.field import REQUIRED, Group, setting
from components.settings.serving import DNS_LABEL

Cidr = Annotated[str, StringConstraints(pattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$")]


class Autoscaler(Group):
    """The HPA on ingress QPS."""

    min_replicas: int = setting(
        1, "Fewest pods.", ge=1, le=1000, expected="1 to 1000, at most maxReplicas", otherwise="Kubernetes refuses the HPA", example="1"
    )
    max_replicas: int = setting(
        10, "Most pods.", ge=1, le=1000, expected="1 to 1000, at least minReplicas", otherwise="Kubernetes refuses the HPA", example="10"
    )
    target_qps: int = setting(
        10,
        "Requests per second and pod. A scale-out needs more than this times the pods (10 % dead band).",
        ge=2,
        le=100000,
        expected="2 to 100000",
        otherwise="the metric counts whole requests per second: at 1 it is noise",
        example="10",
    )
    scale_up_pods: int = setting(
        4,
        "Pods added at most in one period.",
        ge=1,
        le=100,
        expected="1 to 100",
        otherwise="pods are asked for faster than nodes can come",
        example="4",
    )
    scale_up_period_seconds: int = setting(
        60, "That period.", ge=1, le=1800, expected="1 to 1800 seconds", otherwise="Kubernetes refuses the HPA", example="60"
    )
    scale_down_seconds: int = setting(
        300,
        "Quiet time before pods are taken away.",
        ge=0,
        le=3600,
        expected="0 to 3600 seconds",
        otherwise="pods come and go with each dip",
        example="300",
    )
    log_project: str | None = setting(
        None,
        "Log project of the ingress; unset: k8s-log-<cluster id>.",
        pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
        expected="the name of a log project",
        otherwise="the HPA shows <unknown> and never scales",
        example="k8s-log-c0123",
    )
    log_store: str | None = setting(
        None,
        "Logstore; unset: nginx-ingress, or alb_ingress for class alb.",
        pattern=r"^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$",
        expected="the name of a logstore",
        otherwise="the HPA shows <unknown> and never scales",
        example="nginx-ingress",
    )


class Entry(Group):
    """The Internet-facing entry."""

    kind: Literal["nginx", "alb"] = setting(
        "nginx",
        "Ingress controller; also selects the metric, the logstore and the class.",
        expected="nginx or alb",
        otherwise="no controller serves the ingress",
        example="nginx",
    )
    host: str | None = setting(
        None,
        "Host name; unset: the load balancer's address.",
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$",
        expected="a lower-case DNS name",
        otherwise="Kubernetes refuses the ingress",
        example="bert.example.com",
    )
    public_port: int | None = setting(
        None,
        "Port clients use, where something maps it to the entry; unset: 80 or 443.",
        ge=1,
        le=65535,
        expected="1 to 65535",
        otherwise="the endpoint shown doesn't answer",
        example="8080",
    )
    tls: Literal["none", "existing", "provided"] = setting(
        REQUIRED,
        "none: plain HTTP, said on purpose. existing: Secret tlsSecret. provided: tlsCertificate and tlsPrivateKey of this stack.",
        expected="none, existing or provided; it must be said",
        otherwise="inputs and predictions cross the Internet in the clear unnoticed",
        example="existing",
    )
    tls_secret: str | None = setting(
        None,
        "Name of an existing kubernetes.io/tls Secret.",
        pattern=DNS_LABEL,
        expected="the name of a Secret, only with tls existing",
        otherwise="the controller serves its own fake certificate",
        example="bert-tls",
    )
    auth: Literal["none", "basic"] = setting(
        REQUIRED,
        "none: everyone may predict, said on purpose. basic: user and password from the secret setting htpasswd.",
        expected="none or basic; it must be said",
        otherwise="everyone on the Internet can use the GPUs unnoticed",
        example="basic",
    )
    controller_namespace: str = setting(
        "kube-system",
        "Namespace of the ingress controller, let in by the network policy.",
        pattern=DNS_LABEL,
        expected="the name of a namespace",
        otherwise="the network policy keeps the ingress out",
        example="kube-system",
    )
    source_cidrs: list[Cidr] = setting(
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
        "For alb: addresses the load balancer calls from.",
        min_length=1,
        expected="addresses such as 10.0.0.0/8",
        otherwise="the network policy keeps the load balancer out",
        example="10.0.0.0/8",
    )
    body_mib: int = setting(
        8, "Largest request, MiB.", ge=1, le=512, expected="1 to 512", otherwise="large batches are answered with 413", example="8"
    )
    timeout_seconds: int = setting(
        60, "Longest answer.", ge=1, le=600, expected="1 to 600 seconds", otherwise="slow predictions are answered with 504", example="60"
    )
