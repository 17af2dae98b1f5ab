"""A stack's endpoint as a client sees it: its URL, the address to connect to, the user, and one
request with its answer.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import ipaddress
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import SplitResult, urlsplit

from lab.environment import ingress_port
from ops.engine.cli import Stack

TIMEOUT = 20.0
"""Seconds one request may take."""
USER, PASSWORD = "EI_USER", "EI_PASSWORD"
"""Environment variables that answer an endpoint with `entry.auth: basic`. In no argument and in no
output: both can be read by others.
"""


class EndpointError(Exception):
    """The stack has no endpoint; the text is the whole message."""


class CredentialsError(Exception):
    """EI_USER and EI_PASSWORD do not make a name and a password; the text is the whole message."""


@dataclass(frozen=True)
class Target:
    """Where to send a request: the URL, and the address to connect to when the name does not lead
    there (as curl's --connect-to).
    """

    url: str
    connect: tuple[str, int] | None = None
    user: str = ""
    """`name:password`, "" for nobody."""

    @property
    def parts(self) -> SplitResult:
        """The URL, split into scheme, host, port, path and query."""
        return urlsplit(self.url)

    @property
    def host(self) -> str:
        """Host name of the URL, without the port."""
        return self.parts.hostname or ""

    @property
    def port(self) -> int:
        """Port of the URL, or the default one of its scheme."""
        return self.parts.port or (443 if self.parts.scheme == "https" else 80)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to. Names below .localhost are this machine, whatever the
        resolver answers.
        """
        return self.connect or ("127.0.0.1" if is_this_machine(self.host) else self.host, self.port)


def of_stack(
    stack: Stack, outputs: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> Target:
    """The predict URL among a stack's outputs, asked by the user of the environment. Raises
    EndpointError, CredentialsError.
    """
    url = outputs.get("predictUrl")
    if (
        not isinstance(url, str)
        or not urlsplit(url).hostname
        or urlsplit(url).scheme not in ("http", "https")
    ):
        raise EndpointError(
            f"stack {stack.name} has no output predictUrl (found {url!r}); expected the URL of the served model. There is nothing to ask. "
            f"Run: make up{'' if stack.in_lab else f' STACK={stack.name}'}"
        )
    target = Target(url, user=credentials(environ))
    return through_relay(target) if stack.in_lab else target


def credentials(environ: Mapping[str, str] = os.environ) -> str:
    """`name:password` of EI_USER and EI_PASSWORD, "" when neither is set. Raises
    CredentialsError.
    """
    name, password = environ.get(USER, ""), environ.get(PASSWORD, "")
    if bool(name) != bool(password):
        missing, given = (PASSWORD, USER) if name else (USER, PASSWORD)
        raise CredentialsError(
            f"{given} is set and {missing} is not: expected both or neither. Nobody can log in. Set {missing}, or unset {given}"
        )
    if ":" in name:
        raise CredentialsError(
            f"{USER} has a colon in it: expected a name without one. The password would be cut. Correct {USER}"
        )
    return f"{name}:{password}" if name else ""


def authorization(user: str) -> dict[str, str]:
    """Header of basic authentication for `name:password`; no header for ""."""
    return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if user else {}


def through_relay(target: Target) -> Target:
    """The target with the port on which the lab's port forward listens now: a lab that was started
    again may have another than the stack's output names.
    """
    port = ingress_port()
    if target.parts.port in (None, port):
        return target
    return replace(target, url=target.parts._replace(netloc=f"{target.host}:{port}").geturl())


def is_this_machine(host: str) -> bool:
    """Whether the host name is localhost or below .localhost."""
    return host == "localhost" or host.endswith(".localhost")


def is_address(host: str) -> bool:
    """Whether a host is an IP address, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def resolves(host: str) -> bool:
    """Whether the resolver finds an address for the host."""
    if is_address(host) or is_this_machine(host):
        return True
    try:
        return bool(socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return False


def dns_record(host: str, address: str) -> str:
    """The DNS record that makes a name lead to an ingress, as it stands in a zone file."""
    kind = "CNAME" if not is_address(address) else "AAAA" if ":" in address else "A"
    return f"{host}. {kind} {address}{'.' if kind == 'CNAME' else ''}"


def post(target: Target, body: bytes) -> tuple[int, str]:
    """(status, text) of one request. Raises OSError and HTTPException as the connection does."""
    host, port = target.address
    parts = target.parts
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = _NamedHTTPS(host, port, target.host)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    headers = {
        "Host": parts.netloc.rpartition("@")[2],
        "Content-Type": "application/json",
        **authorization(target.user),
    }
    try:
        connection.request(
            "POST", parts.path + (f"?{parts.query}" if parts.query else ""), body, headers
        )
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def certificate_name(target: Target) -> str:
    """Name in the certificate that the target presents, "" when there is none to read. Sends no
    request.
    """
    from cryptography import x509  # noqa: PLC0415 - 0.05 s that only a refused certificate needs
    from cryptography.x509.oid import NameOID  # noqa: PLC0415 - 0.05 s that only a refused certificate needs

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(OSError, ValueError):
        with (
            socket.create_connection(target.address, TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=target.host) as secured,
        ):
            shown = secured.getpeercert(binary_form=True)
        names = x509.load_der_x509_certificate(shown or b"").subject.get_attributes_for_oid(
            NameOID.COMMON_NAME
        )
        return str(names[0].value) if names else ""
    return ""


class _NamedHTTPS(http.client.HTTPSConnection):
    """Connects to one address and checks the certificate for another name."""

    def __init__(self, host: str, port: int, name: str) -> None:
        super().__init__(host, port, timeout=TIMEOUT)
        self._name = name
        self._trust = ssl.create_default_context()

    def connect(self) -> None:
        """TCP to the address, TLS for the name."""
        http.client.HTTPConnection.connect(self)
        self.sock = self._trust.wrap_socket(self.sock, server_hostname=self._name)
