"""A child process with its own children: followed while it runs, ended as one."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

_GRACE_SECONDS = 5.0
_TICK_SECONDS = 0.5


class Child:
    """Runs a command in a process group of its own; `output` gives what it writes to stderr, and to
    stdout without `stdout`.

    It is ended with all its children when the event `ended` is set, and when its `with` block is
    left by an exception: a compiler that Go has started would otherwise run for minutes.
    """

    def __init__(
        self,
        command: Sequence[str],
        ended: threading.Event,
        directory: Path | None = None,
        variables: Mapping[str, str] | None = None,
        stdout: BinaryIO | None = None,
    ) -> None:
        self._ended = ended
        self._began = time.monotonic()
        self.cpu_seconds = 0.0
        """CPU time of the process and of those children of it that have ended, so far."""
        self._process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE if stdout else subprocess.STDOUT,
            bufsize=0,
            process_group=0,
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.end()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    @property
    def pid(self) -> int:
        """Of the command itself."""
        return self._process.pid

    def output(self) -> Iterator[bytes]:
        """What it writes, as it comes; an empty text every half second while it is silent. Ends
        with its output, or with `ended`.
        """
        stream = self._process.stderr or self._process.stdout
        assert stream is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while not self._ended.is_set():
                chunk = os.read(stream.fileno(), 65536) if selector.select(_TICK_SECONDS) else None
                self._measure()
                if chunk == b"":
                    return
                yield chunk or b""
        self.end()

    def seconds_left(self, expected_cpu: float) -> float | None:
        """Wall time until it has used `expected_cpu` seconds of CPU, at the pace so far; None while
        that can't be told.
        """
        elapsed = time.monotonic() - self._began
        if elapsed < 5 or self.cpu_seconds < 0.02 * expected_cpu:
            return None
        return max(0.0, expected_cpu - self.cpu_seconds) * elapsed / self.cpu_seconds

    def wait(self) -> int:
        """Wait until it ends; its exit status."""
        with contextlib.suppress(ChildProcessError):
            os.waitid(
                os.P_PID, self.pid, os.WEXITED | os.WNOWAIT
            )  # ended and still there to be asked
        self._measure()
        return self._process.wait()

    def end(self) -> None:
        """Ends it and its children."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_SECONDS)
        self._signal(signal.SIGKILL)  # of the group: what the command has left
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _measure(self) -> None:
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # not Linux, or reaped
            return
        self.cpu_seconds = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
