"""The Internet-facing entry: Ingress, TLS, auth (tutorial steps 6 and 7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.component import Component
from settings import names
from settings.entry import EntrySettings

NGINX = "nginx.ingress.kubernetes.io"
OPEN = "the entry is open: entry.auth is none, and everyone who can reach it can use the GPUs. Set entry.auth to basic, or keep it private."
PLAIN = "the entry speaks plain HTTP: entry.tls is none, and inputs and predictions can be read on the way."


@dataclass(frozen=True)
class IngressEndpointArgs:
    """Inputs of IngressEndpoint."""

    namespace: Input[str]
    """Namespace of the Service; an Ingress can't reach into another."""
    service_name: Input[str]
    """Service behind the entry."""
    model_name: Input[str] = "chnsenticorp"
    """Model in the predict URL."""
    kind: str = "nginx"
    """nginx or alb."""
    host: str | None = None
    """Host name; none: the load balancer's address."""
    public_port: int | None = None
    """Port clients use, where something maps it to the entry."""
    tls: str = "none"
    """none, existing or provided."""
    tls_secret: Input[str] | None = None
    """Existing Secret with the certificate."""
    tls_certificate: Input[str] | None = None
    """PEM, for provided."""
    tls_private_key: Input[str] | None = None
    """PEM, for provided; secret."""
    auth: str = "none"
    """none or basic."""
    htpasswd: Input[str] | None = None
    """Users and hashes for basic; secret."""
    body_mib: Input[int] = 8
    """Largest request."""
    timeout_seconds: Input[int] = 60
    """Longest answer."""
    ready_seconds: Input[int] = 600
    """Time the run waits for an address."""


class IngressEndpoint(Component):
    """An Ingress to the model's REST API, and to nothing else of the server."""

    endpoint: pulumi.Output[str]
    """Where the entry answers, without a path."""
    predict_url: pulumi.Output[str]
    address: pulumi.Output[str]
    """The load balancer's address or name, to which the host's DNS record leads."""

    def __init__(
        self, name: str, args: IngressEndpointArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:serving:IngressEndpoint", name, opts)
        for warning, open_ in ((OPEN, args.auth == "none"), (PLAIN, args.tls == "none")):
            if open_:
                pulumi.log.warn(warning, self)
        ingress = self._ingress(args, self._certificate(args), self._users(args))
        scheme = "http" if args.tls == "none" else "https"
        port = f":{args.public_port}" if args.public_port else ""
        address = ingress.status.apply(_address)
        self.endpoint = pulumi.Output.concat(scheme, "://", args.host or address, port)
        self.predict_url = pulumi.Output.concat(
            self.endpoint, "/v1/models/", args.model_name, ":predict"
        )
        self.address = address
        self.finish(
            {"endpoint": self.endpoint, "predict_url": self.predict_url, "address": self.address}
        )

    def _ingress(
        self, args: IngressEndpointArgs, certificate: Input[str] | None, users: Input[str] | None
    ) -> kubernetes.networking.v1.Ingress:
        backend: kubernetes.networking.v1.IngressBackendArgsDict = {
            "service": {"name": args.service_name, "port": {"number": names.REST_PORT}}
        }
        # Path elements match whole: below /v1/models/<name> the predict URL <name>:predict would
        # not.
        rule: kubernetes.networking.v1.IngressRuleArgsDict = {
            "http": {"paths": [{"path": "/v1/models", "path_type": "Prefix", "backend": backend}]}
        }
        if args.host:
            rule["host"] = args.host
        annotations = {
            "pulumi.com/timeoutSeconds": pulumi.Output.from_input(args.ready_seconds).apply(str),
            **_annotations(args, users),
        }
        spec: kubernetes.networking.v1.IngressSpecArgsDict = {
            "ingress_class_name": args.kind,
            "rules": [rule],
        }
        if certificate:
            spec["tls"] = [{"hosts": [args.host or ""], "secret_name": certificate}]
        return kubernetes.networking.v1.Ingress(
            self.child_name("ingress"),
            metadata={"namespace": args.namespace, "annotations": annotations},
            spec=spec,
            opts=self.child(),
        )

    def _certificate(self, args: IngressEndpointArgs) -> Input[str] | None:
        if args.tls != "provided":
            return args.tls_secret if args.tls == "existing" else None
        return self._secret(
            "certificate",
            "kubernetes.io/tls",
            {"tls.crt": args.tls_certificate, "tls.key": args.tls_private_key},
            args,
        )

    def _users(self, args: IngressEndpointArgs) -> Input[str] | None:
        return (
            self._secret("users", "Opaque", {"auth": args.htpasswd}, args)
            if args.auth == "basic"
            else None
        )

    def _secret(
        self, what: str, kind: str, data: dict[str, Any], args: IngressEndpointArgs
    ) -> pulumi.Output[str]:
        secret = kubernetes.core.v1.Secret(
            self.child_name(what),
            metadata={"namespace": args.namespace},
            type=kind,
            string_data={key: pulumi.Output.secret(value) for key, value in data.items()},
            opts=self.child(),
        )
        return secret.metadata.name


def _annotations(args: IngressEndpointArgs, users: Input[str] | None) -> dict[str, Input[str]]:
    if args.kind == "alb":
        return {
            "alb.ingress.kubernetes.io/listen-ports": '[{"HTTP":80}]'
            if args.tls == "none"
            else '[{"HTTPS":443}]'
        }
    timeout = pulumi.Output.from_input(args.timeout_seconds).apply(str)
    annotations: dict[str, Input[str]] = {
        f"{NGINX}/ssl-redirect": "false" if args.tls == "none" else "true",
        f"{NGINX}/proxy-body-size": pulumi.Output.from_input(args.body_mib).apply(
            lambda size: f"{size}m"
        ),
        f"{NGINX}/proxy-read-timeout": timeout,
        f"{NGINX}/proxy-connect-timeout": "5",
        # A prediction has no side effect: asking another pod is safe, and hides one that has just
        # vanished.
        f"{NGINX}/proxy-next-upstream": "error timeout non_idempotent",
        f"{NGINX}/proxy-next-upstream-tries": "3",
        # Without it each of the three tries may take the whole timeout, and the client waits three
        # times as long as was promised.
        f"{NGINX}/proxy-next-upstream-timeout": timeout,
    }
    if users is not None:
        annotations |= {
            f"{NGINX}/auth-type": "basic",
            f"{NGINX}/auth-secret": users,
            f"{NGINX}/auth-realm": "Predictions",
        }
    return annotations


def _address(status: Any) -> str:
    balancer = status.load_balancer if status else None
    first = next(iter(balancer.ingress or ()), None) if balancer else None
    return (first.hostname or first.ip or "") if first else ""


def network_peers(
    entry: EntrySettings,
) -> Sequence[kubernetes.networking.v1.NetworkPolicyPeerArgsDict]:
    """Who calls the server on behalf of clients, as peers of a NetworkPolicy: the controller's
    pods, or the load balancer's addresses.
    """
    if entry.kind == "alb":
        return [{"ip_block": {"cidr": cidr}} for cidr in entry.source_cidrs]
    return [
        {
            "namespace_selector": {
                "match_labels": {"kubernetes.io/metadata.name": entry.controller_namespace}
            }
        }
    ]
