"""The Internet-facing endpoint: Ingress, TLS, users (tutorial steps 6 and 7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input
from pydantic import SecretStr

from components.component import Component
from settings import names
from settings.entry import EntrySettings

NGINX = "nginx.ingress.kubernetes.io"
READY_SECONDS = 600
"""How long a run waits for the Ingress to get an address."""
OPEN = (
    "the endpoint is open: entry.auth is none, and everyone who can reach it can use the GPUs. "
    "Set entry.auth to basic, or keep it private."
)
UNLIMITED = (
    "the endpoint is open and has no limit: requests of strangers order nodes up to autoscaler.maxReplicas. "
    "Set {}, or entry.auth to basic."
)
"""With the settings that limit it."""
PLAIN = "the endpoint speaks plain HTTP: entry.tls is none, and inputs and predictions can be read on the way."


@dataclass(frozen=True)
class IngressEndpointArgs:
    """Inputs of IngressEndpoint."""

    settings: EntrySettings
    """Group `entry`."""
    namespace: Input[str]
    """Namespace of the Service; an Ingress can't reach into another one."""
    service_name: Input[str]
    """Service behind the endpoint."""
    model_name: str
    """Model in the predict URL."""
    tls_certificate: SecretStr | None
    """Certificate chain (PEM), with entry.tls provided."""
    tls_private_key: SecretStr | None
    """Private key (PEM), with entry.tls provided."""
    htpasswd: SecretStr | None
    """Users and password hashes, with entry.auth basic."""


class IngressEndpoint(Component):
    """An Ingress to the model's REST API, and to nothing else of the server."""

    endpoint: pulumi.Output[str]
    """URL of the endpoint, without a path."""
    predict_url: pulumi.Output[str]
    address: pulumi.Output[str]
    """The load balancer's address or name, to which the host's DNS record must point."""

    def __init__(
        self, name: str, args: IngressEndpointArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:serving:IngressEndpoint", name, opts)
        settings = args.settings
        if settings.auth == "none":
            pulumi.log.warn(OPEN, self)
            if not (settings.client_qps or settings.total_qps):
                limit = "entry.clientQps" if settings.kind == "nginx" else "entry.totalQps"
                pulumi.log.warn(UNLIMITED.format(limit), self)
        if settings.tls == "none":
            pulumi.log.warn(PLAIN, self)
        ingress = self._ingress(args, self._certificate(args), self._users(args))
        scheme = "http" if settings.tls == "none" else "https"
        port = f":{settings.public_port}" if settings.public_port else ""
        self.address = ingress.status.apply(_address)
        self.endpoint = pulumi.Output.concat(scheme, "://", settings.host or self.address, port)
        self.predict_url = pulumi.Output.concat(
            self.endpoint, "/v1/models/", args.model_name, ":predict"
        )
        self.register_outputs(
            {"endpoint": self.endpoint, "predict_url": self.predict_url, "address": self.address}
        )

    def _ingress(
        self, args: IngressEndpointArgs, certificate: Input[str] | None, users: Input[str] | None
    ) -> kubernetes.networking.v1.Ingress:
        settings = args.settings
        backend: kubernetes.networking.v1.IngressBackendArgsDict = {
            "service": {"name": args.service_name, "port": {"number": names.REST_PORT}}
        }
        # Path elements match whole: below /v1/models/<name> the predict URL <name>:predict would
        # not match.
        rule: kubernetes.networking.v1.IngressRuleArgsDict = {
            "http": {"paths": [{"path": "/v1/models", "path_type": "Prefix", "backend": backend}]}
        }
        if settings.host:
            rule["host"] = settings.host
        spec: kubernetes.networking.v1.IngressSpecArgsDict = {
            "ingress_class_name": settings.kind,
            "rules": [rule],
        }
        if certificate:
            spec["tls"] = [{"hosts": [settings.host or ""], "secret_name": certificate}]
        annotations = {
            "pulumi.com/timeoutSeconds": str(READY_SECONDS),
            **(_alb_annotations(settings) if settings.kind == "alb" else {}),
            **(_nginx_annotations(settings, users) if settings.kind == "nginx" else {}),
        }
        return kubernetes.networking.v1.Ingress(
            self.child_name("ingress"),
            metadata={"namespace": args.namespace, "annotations": annotations},
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _certificate(self, args: IngressEndpointArgs) -> Input[str] | None:
        if args.settings.tls == "existing":
            return args.settings.tls_secret
        if args.settings.tls == "none":
            return None
        data = {"tls.crt": args.tls_certificate, "tls.key": args.tls_private_key}
        return self._secret("certificate", "kubernetes.io/tls", data, args)

    def _users(self, args: IngressEndpointArgs) -> Input[str] | None:
        if args.settings.auth == "none":
            return None
        return self._secret("users", "Opaque", {"auth": args.htpasswd}, args)

    def _secret(
        self,
        suffix: str,
        secret_type: str,
        data: Mapping[str, SecretStr | None],
        args: IngressEndpointArgs,
    ) -> pulumi.Output[str]:
        secret = kubernetes.core.v1.Secret(
            self.child_name(suffix),
            metadata={"namespace": args.namespace},
            type=secret_type,
            string_data={
                key: pulumi.Output.secret(value.get_secret_value())
                for key, value in data.items()
                if value
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        return secret.metadata.name


def _alb_annotations(settings: EntrySettings) -> dict[str, Input[str]]:
    ports = '[{"HTTP":80}]' if settings.tls == "none" else '[{"HTTPS":443}]'
    annotations: dict[str, Input[str]] = {"alb.ingress.kubernetes.io/listen-ports": ports}
    if settings.total_qps is not None:
        annotations["alb.ingress.kubernetes.io/traffic-limit-qps"] = str(settings.total_qps)
    return annotations


def _nginx_annotations(settings: EntrySettings, users: Input[str] | None) -> dict[str, Input[str]]:
    timeout = str(settings.timeout_seconds)
    annotations: dict[str, Input[str]] = {
        f"{NGINX}/ssl-redirect": "false" if settings.tls == "none" else "true",
        f"{NGINX}/proxy-body-size": f"{settings.body_mib}m",
        f"{NGINX}/proxy-read-timeout": timeout,
        f"{NGINX}/proxy-connect-timeout": "5",
        # A prediction has no side effect: a retry on another pod is safe, and hides a pod that has
        # just ended.
        f"{NGINX}/proxy-next-upstream": "error timeout non_idempotent",
        f"{NGINX}/proxy-next-upstream-tries": "3",
        # No further try begins after that time. Without it each of the three may take the whole
        # timeout; with it a client waits twice as long at most, when a pod fails at the very end.
        f"{NGINX}/proxy-next-upstream-timeout": timeout,
    }
    if settings.client_qps is not None:
        annotations[f"{NGINX}/limit-rps"] = str(settings.client_qps)
    if settings.client_connections is not None:
        annotations[f"{NGINX}/limit-connections"] = str(settings.client_connections)
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
