"""`lab down`: stop everything in order, make sure that nothing is left, remove the data unless it
is to be kept.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from lab import state
from lab.environment import SCENARIO_FROM
from lab.errors import LabError
from lab.state import ask

STOP_LIMIT = 25.0  # seconds for an orderly stop
KEPT = ("log", "scenario.yaml")  # logs for reading later, and what the user wrote


def down(home: Path, say: Callable[[str], None], *, keep: bool = False) -> None:
    """Stop the lab and remove its data (`keep`: leave the data). Raises `LabError` when something
    stays.
    """
    was_running = state.is_running(home)
    if was_running:
        _stop(home, say)
    lock = state.take_lock(home) if home.exists() else None
    if home.exists() and lock is None:
        raise LabError(
            f"another command works on {home} right now; run `python -m lab down` again when it has ended"
        )
    try:
        if not keep:
            _remove(home)
        for name in ("state.json", "supervisor.sock", "resolv.conf", "nsswitch.conf"):
            (home / "run" / name).unlink(missing_ok=True)
    finally:
        if lock is not None:
            os.close(lock)
    what = "stopped" if was_running else "was not running"
    rest = "data kept" if keep else "data removed; logs stay" if home.exists() else "nothing stays"
    say(f"the lab {what}; {rest} ({home})")


def _stop(home: Path, say: Callable[[str], None]) -> None:
    known = state.read_state(home)
    end = time.monotonic() + STOP_LIMIT
    with contextlib.suppress(OSError):
        said = set()
        for report in ask(home, "stop", timeout=10):
            for part in report["components"]:
                if part["state"] == "stopped" and not part["job"] and part["name"] not in said:
                    said.add(part["name"])
                    say(f"  {part['name']} stopped")
            if time.monotonic() > end:
                break
    if not state.wait_stopped(home, 3):
        say("  ending what did not stop in time")
        state.kill(home)
    if not state.wait_stopped(home, 10):
        raise LabError(f"the lab in {home} does not end; its outer process is {known.get('outer')}")
    left = _left_inside(known.get("namespace", ""))
    if left:
        raise LabError(f"processes of the lab are still there: {left}")


def _left_inside(namespace: str) -> list[int]:
    """Processes of the lab's PID namespace that outlived it; the kernel needs a moment to bury
    them.
    """
    end = time.monotonic() + 5
    while left := sorted(state.processes_inside(namespace).values()) if namespace else []:
        if time.monotonic() > end:
            return left
        time.sleep(0.05)
    return []


def _remove(home: Path) -> None:
    """Remove all but logs and the user's own scenario; one that LAB_SCENARIO brought was for this
    lab only.
    """
    if (home / SCENARIO_FROM).exists():
        (home / "scenario.yaml").unlink(missing_ok=True)
    for entry in home.iterdir() if home.is_dir() else ():
        if entry.name in KEPT:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
