"""Locks of the file backend that nobody holds any more.

The CLI writes {pid, ...} into its lock file and removes it at the end; one that was killed can't.
Inside the lab's backend the process id tells whether the holder still lives, so the lock of a dead
one may go; a living one is left alone and the CLI's own message says who it is.
"""

from __future__ import annotations

import json
import pathlib

import psutil


def release_dead(home: pathlib.Path | None = None) -> list[int]:
    """Removes the locks of processes that are gone; returns their pids as they were written."""
    if home is None:
        from ops.lab import home as lab_home

        home = lab_home()
    released = []
    for lock in (home / "pulumi" / "state" / ".pulumi" / "locks").glob("**/*.json"):
        pid = json.loads(lock.read_text() or "{}").get("pid", -1)
        if not holds(pid):
            lock.unlink(missing_ok=True)
            released.append(pid)
    return released


def holds(pid: int) -> bool:
    """Whether a Pulumi CLI with this pid, as numbered inside the lab, is alive anywhere on this
    machine.
    """
    return any(
        process.info["name"] == "pulumi" and pid in inner_pids(process.pid)
        for process in psutil.process_iter(["name"])
    )


def inner_pids(pid: int) -> set[int]:
    """The process's number in every namespace it is in (a lab has its own numbering)."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return {int(number) for number in line.split()[1:]}
    except OSError:
        pass
    return set()
