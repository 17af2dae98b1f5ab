"""Real processes that stand for containers: own session, die with the agent, and treat SIGTERM as a
container's process 1 does.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def _before_exec() -> None:
    """In the child: die with the agent; SIGTERM does nothing unless the program asks for it
    (process 1's rule).
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


class Process:
    """A running container. `wait()` gives the return code (negative: the signal that ended it)."""

    pid: int | None = None

    async def wait(self) -> int:
        """Wait until it ends; the exit status, or the negative number of the signal."""
        raise NotImplementedError

    def terminate(self) -> None:
        """SIGTERM to its first process."""

    def kill(self) -> None:
        """SIGKILL to all of it."""


class Real(Process):
    """An operating system process group."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self.child, self.pid = child, child.pid

    async def wait(self) -> int:
        """Until the first process ends; what it left behind in its session is killed then."""
        code = await self.child.wait()
        self.kill()
        return code

    def terminate(self) -> None:
        """SIGTERM to the first process only, as a container runtime does."""
        with contextlib.suppress(ProcessLookupError):
            self.child.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the whole group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.child.pid, signal.SIGKILL)


class Pause(Process):
    """A container without a process: it ends when told to, like the pause program."""

    def __init__(self) -> None:
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        """Until terminated or killed."""
        return await asyncio.shield(self._ended)

    def terminate(self) -> None:
        """SIGTERM: a pause ends with exit status 0."""
        if not self._ended.done():
            self._ended.set_result(0)

    def kill(self) -> None:
        """SIGKILL: a pause ends as a killed process does."""
        if not self._ended.done():
            self._ended.set_result(-signal.SIGKILL)


async def start(words: list[str], env: dict[str, str], folder: Path, log: Path) -> Process:
    """Runs `words` in `folder`, output appended to `log`; OSError if it cannot be executed. []
    gives a Pause.
    """
    if not words:
        return Pause()
    with log.open("ab") as output:
        child = await asyncio.create_subprocess_exec(
            *words, env=env, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, preexec_fn=_before_exec,
        )  # fmt: skip
    return Real(child)


async def run(
    words: list[str], env: dict[str, str], folder: Path, seconds: float
) -> tuple[int, str]:
    """(exit code, output cut at 4 KiB) of a command in a container; TimeoutError after `seconds`
    (the command is killed).
    """
    child = await asyncio.create_subprocess_exec(
        *words, env=env, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, start_new_session=True, preexec_fn=_before_exec,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(child.communicate(), seconds)
    except (TimeoutError, asyncio.CancelledError):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
        raise
    return child.returncode or 0, output[:4096].decode(errors="replace")
