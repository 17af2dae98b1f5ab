"""Guards where load may be sent: to a stack of one's own; to a public address only when it is
confirmed twice.
"""

from __future__ import annotations

import argparse
import ipaddress
import socket
from urllib.parse import urlsplit

from ops.endpoint import resolves
from ops.engine.cli import Stack
from ops.load.session import SessionError


def options(parser: argparse.ArgumentParser) -> None:
    """Adds the two options that confirm a public target."""
    parser.add_argument("--public", action="store_true", help="the target may be on the Internet")
    parser.add_argument("--yes-i-own", metavar="HOST", help="and this is its name")


def base(stack: Stack, chosen: argparse.Namespace) -> str | None:
    """Base URL of a real stack, None in the lab. Raises SessionError when its name does not resolve
    or a public address is not confirmed: load on somebody else's machine is an attack.
    """
    if stack.in_lab:
        return None
    url = urlsplit(stack.outputs()["predictUrl"])
    host = url.hostname or ""
    if not resolves(host):
        raise SessionError(
            f"there is no DNS record for {host}: expected one that leads to the stack's ingress.\n"
            f"otherwise: no request arrives\nmake one (stack output ingressAddress), then run the same command again"
        )
    if public(host) and not (chosen.public and chosen.yes_i_own == host):
        raise SessionError(
            f"{host} is a public address: expected a stack of your own.\n"
            "otherwise: load on a machine of somebody else's is an attack, and on your own it costs money\n"
            f"if it is yours, say so twice: --public --yes-i-own {host}"
        )
    return f"{url.scheme}://{url.netloc}"


def public(host: str) -> bool:
    """Whether a host name resolves to an address that is neither loopback nor private. A name that
    does not resolve counts as public.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        addresses = {item[4][0] for item in socket.getaddrinfo(host, None)}
    except OSError:
        return True
    return any(ipaddress.ip_address(str(address)).is_global for address in addresses)
