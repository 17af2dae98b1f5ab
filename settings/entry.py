"""Group `entry`: the Internet-facing endpoint (tutorial steps 6 and 7)."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Literal

from pydantic import SecretStr

from settings.core.field import REQUIRED, Group, Text, setting
from settings.core.problem import Problem, remove_command, set_command
from settings.core.rule import rule
from settings.core.types import DNS_LABEL, Cidr, LabelKey, LabelValue


class EntrySettings(Group):
    """The Internet-facing endpoint: Ingress, TLS and users."""

    kind: Literal["nginx", "alb"] = setting(
        "nginx",
        "Ingress controller. It also decides the ingress class, the HPA's metric and the logstore.",
        expected="nginx or alb",
        consequence="no controller serves the ingress",
        example="nginx",
    )
    host: Text | None = setting(
        None,
        "Host name of the endpoint. Unset: the load balancer's address.",
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$",
        expected="a lower-case DNS name",
        consequence="Kubernetes refuses the ingress",
        example="bert.example.com",
    )
    public_port: int | None = setting(
        None,
        "Port that clients use, where a port forwarding leads to the endpoint. Unset: 80 or 443. The environment variable LAB_PUBLIC_PORT overrides it.",
        ge=1,
        le=65535,
        expected="1 to 65535",
        consequence="the endpoint shown doesn't answer",
        example="8080",
    )
    tls: Literal["none", "existing", "provided"] = setting(
        REQUIRED,
        "none: plain HTTP. existing: TLS with the Secret tlsSecret. provided: TLS with tlsCertificate and tlsPrivateKey of this stack. Must be set explicitly.",
        expected="none, existing or provided; it must be set explicitly",
        consequence="inputs and predictions cross the Internet in plain text without anybody having decided it",
        example="existing",
    )
    tls_secret: Text | None = setting(
        None,
        "Name of an existing Secret of type kubernetes.io/tls, with tls existing.",
        pattern=DNS_LABEL,
        expected="the name of a Secret, only with tls existing",
        consequence="the ingress controller serves its self-signed default certificate",
        example="bert-tls",
    )
    auth: Literal["none", "basic"] = setting(
        REQUIRED,
        "none: everyone may request predictions. basic: user and password of the secret setting htpasswd. Must be set explicitly.",
        expected="none or basic; it must be set explicitly",
        consequence="everyone on the Internet can use the GPUs without anybody having decided it",
        example="basic",
    )
    controller_namespace: Text = setting(
        "kube-system",
        "Namespace of the ingress controller, which the network policy admits.",
        pattern=DNS_LABEL,
        expected="the name of a namespace",
        consequence="the network policy keeps the ingress out",
        example="kube-system",
    )
    controller_labels: dict[LabelKey, LabelValue] = setting(
        {"app": "ingress-nginx"},
        "Labels of the ingress controller's pods in controllerNamespace: the network policy admits these pods and no others. Those of "
        "ACK's add-on; another controller's show with kubectl get pods --show-labels. A controller on the nodes' own network "
        "(hostNetwork) has no labels that a network policy sees.",
        min_length=1,
        expected="label: value of the controller's pods, such as app: ingress-nginx",
        consequence="the network policy keeps the ingress out, and every request is answered with 504",
        example="ingress-nginx",
    )
    source_cidrs: list[Cidr] = setting(
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
        "Addresses that the load balancer calls from, with kind alb. The network policy admits them.",
        min_length=1,
        expected="addresses such as 10.0.0.0/8",
        consequence="the network policy keeps the load balancer out",
        example="10.0.0.0/8",
    )
    client_qps: int | None = setting(
        None,
        "Requests per second that one client address may send, on each pod of the ingress controller; five times as many at once. What is more is refused and counts as no load. With kind nginx. Unset: no limit.",
        ge=1,
        le=100000,
        expected="1 to 100000, only with kind nginx",
        consequence="one client takes all GPUs of the others",
        example="50",
    )
    client_connections: int | None = setting(
        None,
        "Connections that one client address may hold at a time, on each pod of the ingress controller. With kind nginx. Unset: no limit.",
        ge=1,
        le=100000,
        expected="1 to 100000, only with kind nginx",
        consequence="one client holds all connections of the others",
        example="100",
    )
    total_qps: int | None = setting(
        None,
        "Requests per second that the load balancer lets through to the endpoint, from all clients together. With kind alb. Unset: no limit.",
        ge=1,
        le=100000,
        expected="1 to 100000, only with kind alb",
        consequence="requests of strangers order nodes up to autoscaler.maxReplicas",
        example="200",
    )
    body_mib: int = setting(
        8,
        "Maximum size of a request body, in MiB.",
        ge=1,
        le=512,
        expected="1 to 512",
        consequence="large batches are answered with 413",
        example="8",
    )
    timeout_seconds: int = setting(
        60,
        "Read timeout towards the pod and time limit of a REST call in the server, in seconds.",
        ge=1,
        le=600,
        expected="1 to 600 seconds",
        consequence="slow predictions are answered with 504",
        example="60",
    )


@rule("entry.tls", "entry.host", "entry.tlsSecret")
def _tls_is_complete(entry: EntrySettings) -> Iterator[Problem]:
    if entry.tls != "none" and entry.host is None:
        yield Problem(
            "entry.host",
            None,
            f"a host name with entry.tls {entry.tls}",
            "no certificate can match",
            set_command("entry.host", "bert.example.com"),
        )
    if entry.tls == "existing" and entry.tls_secret is None:
        yield Problem(
            "entry.tlsSecret",
            None,
            "the name of a Secret with entry.tls existing",
            "the ingress controller serves its self-signed default certificate",
            set_command("entry.tlsSecret", "<name>"),
        )
    if entry.tls != "existing" and entry.tls_secret is not None:
        yield Problem(
            "entry.tlsSecret",
            entry.tls_secret,
            f"nothing with entry.tls {entry.tls}",
            "the certificate is not used",
            set_command("entry.tls", "existing"),
        )


@rule("entry.tls", "tlsCertificate", "tlsPrivateKey")
def _certificate_is_complete(
    entry: EntrySettings, tls_certificate: SecretStr | None, tls_private_key: SecretStr | None
) -> Iterator[Problem]:
    for key, value, mark in (
        ("tlsCertificate", tls_certificate, "CERTIFICATE"),
        ("tlsPrivateKey", tls_private_key, "PRIVATE KEY"),
    ):
        if entry.tls == "provided" and value is None:
            yield Problem(
                key,
                None,
                "a PEM text with entry.tls provided",
                "Kubernetes refuses the Secret",
                f"pulumi config set --secret {key} < file.pem",
            )
        elif entry.tls != "provided" and value is not None:
            yield Problem(
                key,
                "<secret>",
                f"nothing with entry.tls {entry.tls}",
                "the certificate is not used",
                set_command("entry.tls", "provided"),
            )
        elif value is not None and mark not in value.get_secret_value():
            yield Problem(
                key,
                "<secret>",
                f"PEM text with a {mark} block",
                "Kubernetes refuses the Secret",
                f"pulumi config set --secret {key} < file.pem",
            )


@rule("entry.auth", "entry.kind", "htpasswd", "stack")
def _auth_is_complete(
    entry: EntrySettings, htpasswd: SecretStr | None, stack: str
) -> Iterator[Problem]:
    create = f"make user NAME=ann STACK={stack}"
    if entry.auth == "basic" and entry.kind == "alb":
        yield Problem(
            "entry.auth",
            "basic",
            "none with entry.kind alb",
            "ALB knows no basic auth: the endpoint would be open to everyone",
            set_command("entry.kind", "nginx"),
        )
    if entry.auth == "basic" and htpasswd is None:
        yield Problem(
            "htpasswd",
            None,
            "users and password hashes with entry.auth basic",
            "nobody can log in",
            create,
        )
    if entry.auth != "basic" and htpasswd is not None:
        yield Problem(
            "htpasswd",
            "<secret>",
            "nothing with entry.auth none",
            "the endpoint is open to everyone although it has users",
            set_command("entry.auth", "basic"),
        )


LEAST_COST, MOST_COST = 10, 12
"""Cost of a bcrypt hash: the logarithm to base 2 of its rounds. The controller computes the hash
anew for each request: 0.08 s of a processor at 10, 0.3 s at 12 (docs/environments.md, "Users").
"""
USER_NAME = r"[^:\s]+"
_BCRYPT = re.compile(r"\$2(?P<variant>[abxy])\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{53}")
_WEAK = (
    (r"\$apr1\$|\$1\$", "an MD5 hash"),
    (r"\{SHA\}|\{SSHA\}|\{MD5\}", "an unsalted or fast hash"),
    (r"\$5\$|\$6\$", "a SHA-crypt hash, which not every controller takes"),
    (r"[./A-Za-z0-9]{13}$", "a DES hash, or a password in plain text"),
)
"""What `htpasswd`, `openssl passwd` and others also write, and what it is."""


@rule("htpasswd", "stack")
def _hashes_are_strong(htpasswd: SecretStr | None, stack: str) -> Iterator[Problem]:
    """A hash is what a reader of a backup, a Secret or the controller's memory has: with any other
    one than bcrypt a graphics card tries billions of passwords a second.
    """
    lines = htpasswd.get_secret_value().split("\n") if htpasswd else []
    names = [line.partition(":")[0] for line in lines if line]
    for number, line in enumerate(lines, 1):
        error = hash_error(line) if line else ""
        if names.count(line.partition(":")[0]) > 1:
            error = "names a user twice: one controller takes the first password, another the last"
        if error:
            yield Problem(
                "htpasswd",
                "<secret>",
                f"lines of user:hash, each a bcrypt hash of cost {LEAST_COST} to {MOST_COST}; line {number} {error}",
                "whoever gets hold of a weak hash finds the password and orders GPUs with it; with a line that is no hash nobody can log in",
                f"make user NAME=<its name> STACK={stack}",
            )
            return


def hash_error(line: str) -> str:
    """What is wrong with a line of the setting htpasswd, as the end of a sentence that begins with
    the line; "" when nothing is. Never holds what the line holds.
    """
    user, colon, secret = line.partition(":")
    if not colon or not re.fullmatch(USER_NAME, user):
        return "is not of the form user:hash"
    found = _BCRYPT.fullmatch(secret)
    if not found:
        kind = next((text for form, text in _WEAK if re.match(form, secret)), "no hash")
        return f"has {kind}"
    if found["variant"] == "x":
        return "has a hash of the bcrypt with a known fault ($2x$)"
    if found["variant"] == "b":
        return "has a $2b$ hash, which the C library of ingress-nginx does not know: write $2y$, which is the same hash"
    if not LEAST_COST <= int(found["cost"]) <= MOST_COST:
        slow = int(found["cost"]) > MOST_COST
        return f"has a hash of cost {int(found['cost'])}" + (
            ": each request would take seconds of the controller's processor" if slow else ""
        )
    return ""


ONLY_WITH = {
    "controllerNamespace": "nginx",
    "controllerLabels": "nginx",
    "bodyMib": "nginx",
    "clientQps": "nginx",
    "clientConnections": "nginx",
    "totalQps": "alb",
    "sourceCidrs": "alb",
}
"""Settings that have an effect with one kind of entry only."""


@rule(*(f"entry.{key}" for key in ONLY_WITH), "entry.kind")
def _settings_have_an_effect(entry: EntrySettings) -> Iterator[Problem]:
    for name, field in EntrySettings.model_fields.items():
        kind = ONLY_WITH.get(field.alias or name)
        given = name in entry.model_fields_set and getattr(entry, name) is not None
        if kind and kind != entry.kind and given:
            yield Problem(
                f"entry.{field.alias}",
                getattr(entry, name),
                f"nothing with entry.kind {entry.kind}: the setting belongs to kind {kind}",
                "it has no effect, and what it was meant to limit is not limited",
                remove_command(f"entry.{field.alias}"),
            )


@rule("entry.sourceCidrs", "entry.kind")
def _source_addresses_exist(entry: EntrySettings) -> Iterator[Problem]:
    """The API server refuses a NetworkPolicy with a block that it can't read, and a block that is
    not meant admits others.
    """
    for index, cidr in enumerate(entry.source_cidrs if entry.kind == "alb" else ()):
        field = f"entry.sourceCidrs[{index}]"
        try:
            open_to_all = IPv4Network(cidr).prefixlen == 0
        except ValueError as error:
            yield Problem(
                field,
                cidr,
                f"the first address of a block and its length, such as 10.0.0.0/8 ({error})",
                "Kubernetes refuses the network policy, or it keeps the load balancer out",
                set_command(field, "10.0.0.0/8"),
            )
            continue
        if open_to_all:
            yield Problem(
                field,
                cidr,
                "the addresses of the load balancer: its vSwitches' blocks, such as 10.0.0.0/8",
                "every pod of the cluster and whoever reaches it may use the GPUs past the entry",
                set_command(field, "10.0.0.0/8"),
            )


@rule("entry.publicPort", "entry.host")
def _port_needs_host(entry: EntrySettings) -> Iterator[Problem]:
    if entry.public_port is not None and entry.host is None:
        yield Problem(
            "entry.publicPort",
            entry.public_port,
            "nothing without entry.host",
            "the endpoint shown doesn't answer",
            remove_command("entry.publicPort"),
        )
