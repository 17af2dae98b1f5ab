"""What is known about a running lab: the lock that says whether one runs, the state its supervisor
writes down, and the socket on which the supervisor answers.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab.errors import LabError

SOCKET = "supervisor.sock"


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


def connect(home: Path, timeout: float = 5.0) -> socket.socket:
    """A connection to the supervisor of this lab; OSError when none listens."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(timeout)
    directory = os.open(home / "run", os.O_PATH)
    try:
        client.connect(
            f"/proc/self/fd/{directory}/{SOCKET}"
        )  # a socket's own path may have 107 bytes only
    except OSError:
        client.close()
        raise
    finally:
        os.close(directory)
    return client


def ask(home: Path, request: str, timeout: float = 5.0) -> Iterator[dict[str, Any]]:
    """Send "state", "follow" or "stop"; yields the answers until the supervisor ends them.

    Raises OSError when no supervisor answers, TimeoutError when nothing comes for `timeout`
    seconds.
    """
    with connect(home, timeout) as client, client.makefile("rb") as stream:
        client.sendall(json.dumps({"request": request}).encode() + b"\n")
        for line in stream:
            yield json.loads(line)


def log_tail(path: Path, lines: int = 12, width: int = 800) -> str:
    """The last lines of a log, for an error message."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 16384))
            text = stream.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(line[:width] for line in text.splitlines()[-lines:])


def ingress_notes(home: Path) -> Path:
    """Warnings of the ingress controller for `status`: a list of [namespace/name, text]."""
    return home / "run" / "ingress.json"


def lab_of(pid: int) -> Path | None:
    """The home of the lab whose supervisor, or its outer process, this is; None for any other
    process and for one of another user.
    """
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    if b"lab.supervisor" not in words:
        return None
    homes = [item.partition(b"=")[2] for item in variables if item.startswith(b"LAB_HOME=")]
    return Path(os.fsdecode(homes[0])) if homes else None


def running_labs() -> list[Path]:
    """The homes of all labs of this machine that run, as far as this user may see them."""
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return sorted({home for pid in pids if (home := lab_of(pid))})
