"""One builder per tool: a file lock between processes, released by the kernel when its holder ends
in any way.
"""

import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.toolchain.errors import ToolchainError
from lab.toolchain.progress import Board, Step, duration

LONGEST_BUILD_SECONDS = 3 * 3600.0
_POLL_SECONDS = 0.2


@contextmanager
def exclusive(
    path: Path,
    step: Step,
    board: Board,
    ended: threading.Event,
    timeout: float = LONGEST_BUILD_SECONDS,
) -> Iterator[None]:
    """Holds the lock file `path` meanwhile; waits for another process that holds it.

    Raises ToolchainError when the other process holds it for longer than `timeout` seconds, or once
    `ended` is set.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        _acquire(file.fileno(), path, step, board, ended, timeout)
        yield


def _acquire(
    descriptor: int, path: Path, step: Step, board: Board, ended: threading.Event, timeout: float
) -> None:
    began = time.monotonic()
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not told:
                board.line(f"{step.name}: another process is building it; waiting for that one")
                told = True
        if ended.is_set():
            raise ToolchainError(f"{step.name}: waiting for another process's build was ended.")
        if time.monotonic() - began > timeout:
            raise ToolchainError(
                f"{step.name}: another process has held {path} for {duration(time.monotonic() - began)}. "
                f"`fuser {path}` shows which one; end it and run the same command again."
            )
        step.show("waiting for the other process's build")
        time.sleep(_POLL_SECONDS)
