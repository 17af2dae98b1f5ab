"""Locks in the lab's file backend whose holder is gone.

The CLI writes {pid, ...} into its lock file and removes the file at the end; a killed CLI can't.
Inside the lab's backend the process id tells whether the holder still lives, so the lock of a dead
one may go; a living one is left alone, and the CLI's own message says who holds it.
"""

from __future__ import annotations

import json
import pathlib

import psutil

from lab.environment import lab_home


def release_stale_locks(home: pathlib.Path | None = None) -> list[int]:
    """Removes the locks of processes that are gone; returns the pids in them. `home`: the lab's
    directory.
    """
    released = []
    directory = (home or lab_home()) / "pulumi" / "state" / ".pulumi" / "locks"
    for lock in directory.glob("**/*.json"):
        pid = json.loads(lock.read_text() or "{}").get("pid", -1)
        if not is_cli_alive(pid):
            lock.unlink(missing_ok=True)
            released.append(pid)
    return released


def is_cli_alive(pid: int) -> bool:
    """Whether a Pulumi CLI with this pid, as numbered inside the lab, lives on this machine."""
    return any(
        process.info["name"] == "pulumi" and pid in namespace_pids(process.pid)
        for process in psutil.process_iter(["name"])
    )


def namespace_pids(pid: int) -> set[int]:
    """The process's number in every pid namespace it is in; a lab has its own numbering."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return {int(number) for number in line.split()[1:]}
    except OSError:
        pass
    return set()
