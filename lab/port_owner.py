"""Which process listens on a port, as far as /proc tells this user."""

from __future__ import annotations

import os

from lab.state import lab_of


def owner_of(port: int) -> str:
    """A readable name for the process that listens on a TCP port of this machine; a lab is named by
    its home, so that one knows which `down` frees the port.
    """
    inodes = _listening_inodes(port)
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            held = {
                os.readlink(f"/proc/{entry}/fd/{name}") for name in os.listdir(f"/proc/{entry}/fd")
            }
            if held & inodes:
                with open(f"/proc/{entry}/cmdline", "rb") as stream:
                    program = stream.read().replace(b"\0", b" ").decode(errors="replace").strip()
                home = lab_of(int(entry))
                return f"process {entry} ({f'the lab in {home}' if home else program[:100]})"
        except OSError:
            continue
    return "a process of another user" if inodes else "another process"


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as stream:
                rows = [line.split() for line in stream.readlines()[1:]]
        except OSError:
            continue
        found |= {
            f"socket:[{row[9]}]"
            for row in rows
            if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port
        }
    return found
