"""The network of the sealed namespace: loopback up, the lab's address ranges local, no way out;
names answered by the lab's DNS.

Talks to the kernel over netlink itself, so a machine without iproute2 will do.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import ipaddress
import os
import socket
import struct
from pathlib import Path

LOCAL_RANGES = ("10.0.0.0/16", "10.244.0.0/16", "10.96.0.0/16", "100.100.0.0/16")
OWN_ADDRESS = (
    "10.0.0.1"  # glibc takes a machine that has 127.0.0.1 only for one without IPv4 (AI_ADDRCONFIG)
)

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_RTM_NEWROUTE, _NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_CREATE, _NLM_F_REPLACE, _NLMSG_ERROR = (
    24,
    1,
    4,
    0x400,
    0x100,
    2,
)
_RTA_DST, _RTA_OIF, _RT_TABLE_LOCAL, _RTPROT_BOOT, _RT_SCOPE_HOST, _RTN_LOCAL = 1, 4, 255, 3, 254, 2
_RTM_NEWADDR, _IFA_ADDRESS, _IFA_LOCAL = 20, 1, 2
_MS_BIND = 4096


def bring_up() -> None:
    """Loopback up and every range of the lab local: any process can then bind any of their
    addresses.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))
    add_address(OWN_ADDRESS)
    for cidr in LOCAL_RANGES:
        add_local_route(cidr)


def add_local_route(cidr: str) -> None:
    """``ip route replace local CIDR dev lo``."""
    network = ipaddress.ip_network(cidr)
    header = struct.pack(
        "BBBBBBBBI",
        socket.AF_INET,
        network.prefixlen,
        0,
        0,
        _RT_TABLE_LOCAL,
        _RTPROT_BOOT,
        _RT_SCOPE_HOST,
        _RTN_LOCAL,
        0,
    )
    attributes = struct.pack("HH4s", 8, _RTA_DST, network.network_address.packed) + struct.pack(
        "HHi", 8, _RTA_OIF, socket.if_nametoindex("lo")
    )
    body = header + attributes
    _ask_kernel(_RTM_NEWROUTE, body, f"make {cidr} local")


def add_address(address: str) -> None:
    """``ip address replace ADDRESS/32 dev lo``."""
    packed = ipaddress.ip_address(address).packed
    header = struct.pack("BBBBi", socket.AF_INET, 32, 0, 0, socket.if_nametoindex("lo"))
    attributes = b"".join(
        struct.pack("HH4s", 8, kind, packed) for kind in (_IFA_ADDRESS, _IFA_LOCAL)
    )
    _ask_kernel(_RTM_NEWADDR, header + attributes, f"give lo the address {address}")


def _ask_kernel(kind: int, body: bytes, what: str) -> None:
    """Send one netlink request and wait for its acknowledgement."""
    flags = _NLM_F_REQUEST | _NLM_F_ACK | _NLM_F_CREATE | _NLM_F_REPLACE
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        link.settimeout(5)
        link.send(struct.pack("IHHII", 16 + len(body), kind, flags, 1, 0) + body)
        answer = link.recv(65536)
    got = struct.unpack_from("IHHII", answer)[1]
    code = struct.unpack_from("i", answer, 16)[0] if got == _NLMSG_ERROR else -errno.EPROTO
    if code:
        raise OSError(-code, f"cannot {what}: {os.strerror(-code)}")


def use_own_names(run: Path) -> None:
    """Bind a resolv.conf and an nsswitch.conf that ask 127.0.0.1 over the system's, for this mount
    namespace only.
    """
    resolver = run / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:2 attempts:2\n")
    _bind(resolver, Path("/etc/resolv.conf"))
    switch = Path("/etc/nsswitch.conf")
    if switch.exists():
        lines = [
            line
            for line in switch.read_text().splitlines()
            if not line.strip().startswith("hosts:")
        ]
        own = run / "nsswitch.conf"
        own.write_text("\n".join([*lines, "hosts: files dns", ""]))
        _bind(own, switch)


def _bind(source: Path, target: Path) -> None:
    resolved = target.resolve()  # often a link into /run
    if not resolved.exists():
        raise OSError(
            errno.ENOENT,
            f"{target} is missing: the lab binds its own over it; create it (empty will do)",
        )
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(os.fsencode(source), os.fsencode(resolved), None, _MS_BIND, None) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot bind {source} over {resolved}: {os.strerror(code)}")
