"""One builder per tool: a file lock between processes, released by the kernel when its holder ends in any way."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolchain.errors import ToolchainError
from toolchain.progress import Progress, Ticker, duration

LONGEST_BUILD_SECONDS = 3600.0
_POLL_SECONDS = 0.2


@contextmanager
def exclusive(path: Path, what: str, progress: Progress, timeout: float = LONGEST_BUILD_SECONDS) -> Iterator[None]:
    """Holds the lock file `path` meanwhile; waits for another process that holds it.

    Raises ToolchainError when the other process holds it for longer than `timeout` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        _acquire(file.fileno(), path, what, progress, timeout)
        yield


def _acquire(descriptor: int, path: Path, what: str, progress: Progress, timeout: float) -> None:
    ticker: Ticker | None = None
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if ticker is None:
                ticker = Ticker(progress, what)
                progress(f"{what}: another process is building it; waiting for that one")
        if ticker.elapsed > timeout:
            raise ToolchainError(
                f"{what}: another process has held {path} for {duration(ticker.elapsed)}. "
                f"`fuser {path}` shows which one; end it and run the same command again."
            )
        ticker.tick("waiting for the other process's build")
        time.sleep(_POLL_SECONDS)
