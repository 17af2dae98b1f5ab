"""One watched part of the lab: started when what it needs is ready, checked, restarted with
back-off when it dies, stopped in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECK_EVERY = 0.05  # seconds between two looks at a readiness endpoint
STABLE = 30  # seconds of life after which the back-off starts anew
BACKOFF = (0.2, 10.0)  # seconds: first and longest pause before a restart
GIVE_UP = (
    3  # failures in a row before the first readiness after which the start is reported as failed
)


@dataclass(frozen=True)
class Spec:
    """What a part is. Without `command` it is a job that `ready` does once."""

    name: str
    command: list[str] = field(default_factory=list)
    ready: Callable[[], Awaitable[bool]] | None = (
        None  # None: the process says so itself on the descriptor LAB_READY_FD
    )
    after: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    timeout: float = 60.0  # seconds from start to readiness
    stop_group: int = 1  # lower groups are stopped first
    grace: float = 5.0  # seconds between SIGTERM and SIGKILL


class Part:
    """The life of one `Spec`."""

    def __init__(self, spec: Spec, log: Path, changed: Callable[[], None]) -> None:
        self.spec, self.log, self._changed = spec, log, changed
        self.state, self.error = "waiting", ""
        self.pid: int | None = None
        self.since: float | None = None
        self.restarts = 0
        self.ready = asyncio.Event()
        self.stopping = False
        self._process: subprocess.Popen[bytes] | None = None
        self._exited = asyncio.Event()
        self._notified: asyncio.Event | None = None

    def snapshot(self) -> dict[str, Any]:
        """Plain data for the state file and for `lab status`; `pid` is the inside one."""
        return {
            "name": self.spec.name, "state": self.state, "pid": self.pid, "since": self.since, "restarts": self.restarts,
            "address": self.spec.address, "error": self.error, "job": not self.spec.command,
        }  # fmt: skip

    async def live(self, needs: list[Part]) -> None:
        """Run until stopped."""
        for part in needs:
            await part.ready.wait()
        failures, pause = 0, BACKOFF[0]
        while not self.stopping:
            started = time.monotonic()
            problem = await self._once()
            if self.stopping or problem is None:
                return
            failures = 0 if self.ready.is_set() else failures + 1
            if time.monotonic() - started > STABLE:
                pause = BACKOFF[0]
            self.restarts += 1
            self._set("failed" if failures >= GIVE_UP else "restarting", problem)
            await asyncio.sleep(pause)
            pause = min(pause * 2, BACKOFF[1])

    async def stop(self) -> None:
        """SIGTERM, a grace period, SIGKILL."""
        self.stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            for number, patience in ((signal.SIGTERM, self.spec.grace), (signal.SIGKILL, 5.0)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, number)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._exited.wait(), patience)
                    break
        self._set("stopped")

    async def _once(self) -> str | None:
        """One life; returns what ended it, None for a job that is done."""
        self._set("starting")
        if self.spec.command:
            try:
                self._spawn()
            except OSError as error:
                return f"{self.spec.name}: cannot start {self.spec.command[0]}: {error.strerror}"
        became_ready = asyncio.ensure_future(self._await_ready())
        exited = asyncio.ensure_future(self._exited.wait())
        try:
            await asyncio.wait(
                {became_ready, exited} if self.spec.command else {became_ready},
                return_when=asyncio.FIRST_COMPLETED,
            )
            if became_ready.done() and not self.stopping:
                problem = became_ready.result()
                if problem is None:
                    self._set("ready")
                    self.ready.set()
                else:
                    await self._end_hung()
                    return self._with_log(problem)
            if not self.spec.command:
                return None
            await exited
            return self._with_log(
                f"{self.spec.name} ended {_describe(self._process.returncode if self._process else None)}"
            )
        finally:
            became_ready.cancel()
            exited.cancel()

    async def _await_ready(self) -> str | None:
        """None once ready, else why not."""
        end = time.monotonic() + self.spec.timeout
        problem = "it did not answer"
        while time.monotonic() < end:
            try:
                if self.spec.ready is None:
                    assert self._notified is not None
                    await asyncio.wait_for(self._notified.wait(), self.spec.timeout)
                    return None
                if await asyncio.wait_for(self.spec.ready(), self.spec.timeout):
                    return None
            except Exception as error:  # whatever the check meets is the reason shown
                problem = str(error) or type(error).__name__
                if not self.spec.command:
                    return f"{self.spec.name}: {problem}"
            await asyncio.sleep(CHECK_EVERY)
        return f"{self.spec.name} was not ready within {self.spec.timeout:.0f} s: {problem}"

    async def _end_hung(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._exited.wait()

    def _spawn(self) -> None:
        """Start the process; its output goes to its log."""
        loop = asyncio.get_running_loop()
        self._exited = asyncio.Event()
        env, inherited = dict(self.spec.env), ()
        reading = writing = -1
        notified = self._notified = asyncio.Event()
        if self.spec.ready is None:
            reading, writing = os.pipe()
            env["LAB_READY_FD"], inherited = str(writing), (writing,)
        try:
            with open(self.log, "ab") as log:
                self._process = subprocess.Popen(
                    self.spec.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env,
                    start_new_session=True, pass_fds=inherited, cwd="/",
                )  # fmt: skip
        finally:
            if writing >= 0:
                os.close(writing)
        if reading >= 0:
            loop.add_reader(reading, self._on_notify, loop, reading, notified)
        self.pid, self.since = self._process.pid, time.time()
        descriptor = os.pidfd_open(self._process.pid)
        loop.add_reader(descriptor, self._on_exit, loop, descriptor, self._process, self._exited)

    @staticmethod
    def _on_notify(
        loop: asyncio.AbstractEventLoop, descriptor: int, notified: asyncio.Event
    ) -> None:
        loop.remove_reader(descriptor)
        if os.read(descriptor, 64):
            notified.set()
        os.close(descriptor)

    def _on_exit(
        self,
        loop: asyncio.AbstractEventLoop,
        descriptor: int,
        process: subprocess.Popen[bytes],
        exited: asyncio.Event,
    ) -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        process.wait()
        self.pid = None
        exited.set()

    def _set(self, state: str, error: str = "") -> None:
        self.state, self.error = state, error
        if not self.spec.command and state == "ready":
            self.since = time.time()
        self._changed()

    def _with_log(self, problem: str) -> str:
        tail = log_tail(self.log)
        return (
            f"{problem}\n--- end of {self.log} ---\n{tail}"
            if tail
            else f"{problem}; {self.log} is empty"
        )


def log_tail(path: Path, lines: int = 12, width: int = 800) -> str:
    """The last lines of a log, for an error message."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 16384))
            text = stream.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(line[:width] for line in text.splitlines()[-lines:])


def _describe(code: int | None) -> str:
    if code is None:
        return "unexpectedly"
    return f"with exit status {code}" if code >= 0 else f"by signal {signal.Signals(-code).name}"
