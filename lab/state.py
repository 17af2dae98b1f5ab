"""What is known about a running lab: the lock that says whether one runs, and the state its
supervisor writes down.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from lab.environment import LabError


def lock_path(home: Path) -> Path:
    """The file whose lock the supervisor holds for as long as it lives."""
    return home / "run" / "supervisor.lock"


def take_lock(home: Path) -> int | None:
    """Lock the lab for a new supervisor; returns the descriptor to hand over, None when a lab runs
    (or starts) already.

    The kernel frees the lock with the last process that has the descriptor: nothing stale is ever
    left behind.
    """
    path = lock_path(home)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LabError(
            f"LAB_HOME={home}: {error.strerror} ({error.filename}): the lab keeps its data there; make it writable or set LAB_HOME"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def is_running(home: Path) -> bool:
    """Whether a supervisor lives, ready or not."""
    if not lock_path(home).exists():
        return False
    descriptor = take_lock(home)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def wait_stopped(home: Path, timeout: float) -> bool:
    """Wait until no process holds the lab's lock any more; False when `timeout` seconds passed
    first.
    """
    end = time.monotonic() + timeout
    while is_running(home):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def read_state(home: Path) -> dict[str, Any]:
    """The last state written by a supervisor of this lab; empty when there is none."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return json.loads((home / "run" / "state.json").read_text())
    return {}


def write_state(home: Path, state: dict[str, Any]) -> None:
    """Replace the state in one step."""
    path = home / "run" / "state.json"
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(state, indent=1))
    temporary.replace(path)


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot: with the pid, its identity. None when
    there is no such process.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def supervisor_pids(home: Path) -> list[int]:
    """Outside pids of the lab's outer process and supervisor, as far as they still live (never a
    reused pid).
    """
    return [pid for part in ("outer", "supervisor") if (pid := _living(home, part))]


def _living(home: Path, part: str) -> int | None:
    """The pid of that part of the lab while it lives."""
    known = read_state(home).get(part) or {}
    alive = known.get("pid") and start_ticks(known["pid"]) == known.get("start_ticks")
    return known["pid"] if alive else None


def identity(pid: int) -> dict[str, int | None]:
    """A process as it is kept in the state."""
    return {"pid": pid, "start_ticks": start_ticks(pid)}


def kill(home: Path) -> None:
    """End the lab at once: with its outer process every process inside dies, whatever it
    ignores.
    """
    for pid in supervisor_pids(home):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def tell_where(home: Path) -> None:
    """Have a supervisor write down where each of its threads stands, in its log."""
    if pid := _living(home, "supervisor"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)
            time.sleep(0.5)  # it writes before it does anything else


def processes_inside(namespace: str) -> dict[int, int]:
    """All processes of a PID namespace (such as ``pid:[4026532]``): outside pid by inside pid."""
    found: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{entry}/ns/pid") == namespace:
                line = next(
                    x
                    for x in Path(f"/proc/{entry}/status").read_text().splitlines()
                    if x.startswith("NSpid:")
                )
                found[int(line.split()[-1])] = int(entry)
    return found
