"""Who has a port, as far as /proc lets us see."""

from __future__ import annotations

import os


def owner_of(port: int) -> str:
    """A readable name for the process that listens on a TCP port of this machine."""
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
                return f"process {entry} ({_lab_of(entry) or program[:100]})"
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


def _lab_of(pid: str) -> str:
    """Another lab is named by its home, so that one knows which `lab down` frees the port."""
    with open(f"/proc/{pid}/environ", "rb") as stream:
        environ = stream.read().split(b"\0")
    with open(f"/proc/{pid}/cmdline", "rb") as stream:
        if b"lab.supervisor" not in stream.read().split(b"\0"):
            return ""
    homes = [
        item[len(b"LAB_HOME=") :].decode(errors="replace")
        for item in environ
        if item.startswith(b"LAB_HOME=")
    ]
    return f"the lab in {homes[0]}" if homes else ""
