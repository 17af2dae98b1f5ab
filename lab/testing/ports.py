"""Ports of 127.0.0.1 for what tests start.

A port that was bound and closed again is nobody's until the server that is to have it listens:
another run may be given it, and any connection that begins meanwhile may have it as its own end. So
these are locked for as long as this process lives, and lie below the range from which the kernel
takes the ends of connections.
"""

from __future__ import annotations

import fcntl
import os
import pathlib
import random
import socket
import tempfile

LOWEST = 15000
_HELD: list[int] = []
"""Locked files. The kernel frees them with the process."""


def free_ports(count: int) -> list[int]:
    """So many ports that nobody listens on, and that no other run of tests on this machine is given
    while this one lives.
    """
    directory = pathlib.Path(tempfile.gettempdir()) / "test-ports"
    directory.mkdir(exist_ok=True)
    first_of_connections = int(
        pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]
    )
    ports = list(range(LOWEST, max(first_of_connections, LOWEST + 1000)))
    random.shuffle(ports)
    found: list[int] = []
    while len(found) < count:
        if (held := _lock(directory, port := ports.pop())) is not None:
            _HELD.append(held)
            found.append(port)
    return found


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]


def _lock(directory: pathlib.Path, port: int) -> int | None:
    """The descriptor of the port's lock, None when another run has it or somebody listens."""
    descriptor = os.open(directory / str(port), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
