"""Settings of the entry (tutorial steps 6 and 7)."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from settings.core.field import REQUIRED, Group, setting
from settings.serving import DNS_LABEL

Cidr = Annotated[str, StringConstraints(pattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$")]


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
        "Port clients use, where something maps it to the entry; unset: 80 or 443. LAB_PUBLIC_PORT in the environment takes its place.",
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
        8,
        "Largest request, MiB.",
        ge=1,
        le=512,
        expected="1 to 512",
        otherwise="large batches are answered with 413",
        example="8",
    )
    timeout_seconds: int = setting(
        60,
        "Longest answer, in seconds: of the route and of the server.",
        ge=1,
        le=600,
        expected="1 to 600 seconds",
        otherwise="slow predictions are answered with 504",
        example="60",
    )
