"""Messages to the engine, which shows them beside the resource they belong to."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from .redact import redact

MIB = 1 << 20


class Log(Protocol):
    """Where messages go; severities are info, warning, error and debug."""

    def send(self, severity: str, message: str, urn: str = "", ephemeral: bool = False) -> None:
        """Show `message`; an ephemeral one replaces the resource's status line."""


class EngineLog:
    """Sends to the engine's gRPC service. A message that cannot be delivered is dropped: it must
    not stop the work.
    """

    def __init__(self, address: str) -> None:
        import grpc  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call
        from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call

        self._pb = engine_pb2
        self._calls: set[object] = set()
        self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def send(self, severity: str, message: str, urn: str = "", ephemeral: bool = False) -> None:
        """See `Log`; secrets are removed here, whatever the caller passed."""
        level = self._pb.LogSeverity.Value(severity.upper())
        request = self._pb.LogRequest(
            severity=level, message=redact(message), urn=urn, ephemeral=ephemeral
        )
        call = self._stub.Log.future(request, timeout=5)
        self._calls.add(call)  # a call that nobody holds is cancelled
        call.add_done_callback(self._calls.discard)


class Reporter:
    """Progress of one resource: what is being done, how many files, how many MiB, how fast.
    Thread-safe.
    """

    INTERVAL = 2.0

    def __init__(self, log: Log, urn: str, clock=time.monotonic) -> None:
        self._log, self._urn, self._clock = log, urn, clock
        self._lock = threading.Lock()
        self._verb, self._files, self._bytes = "", 0, 0
        self._done_files, self._done_bytes, self._moved_bytes = 0, 0, 0
        self._began = self._told = clock()

    def begin(self, verb: str, files: int, size: int) -> None:
        """Start a phase such as "uploading" of so many files and bytes (0: not known); silent until
        it takes longer than the interval.
        """
        with self._lock:
            self._verb, self._files, self._bytes = verb, files, size
            self._done_files = self._done_bytes = self._moved_bytes = 0
            self._began = self._told = self._clock()

    def advance(self, size: int, moved: bool = True) -> None:
        """Count bytes; negative takes back what has to be sent again. `moved` is False for bytes
        that were there already.
        """
        with self._lock:
            self._done_bytes += size
            self._moved_bytes += size if moved else 0
            self._tell()

    def file_done(self) -> None:
        """Counts a finished file and shows the progress."""
        with self._lock:
            self._done_files += 1
            self._tell()

    def mark(self) -> int:
        """Bytes counted so far, for `reset`."""
        with self._lock:
            return self._done_bytes

    def reset(self, mark: int) -> None:
        """Forget the bytes counted since `mark`: they will be counted again."""
        with self._lock:
            self._done_bytes = mark

    def status(self, message: str) -> None:
        """Show a status line at once."""
        self._log.send("info", message, self._urn, ephemeral=True)

    def warning(self, message: str) -> None:
        """Show a warning that stays."""
        self._log.send("warning", message, self._urn)

    def note(self, message: str) -> None:
        """Show a message that stays and asks nobody to act."""
        self._log.send("info", message, self._urn)

    def _tell(self) -> None:
        now = self._clock()
        if now - self._told < self.INTERVAL:
            return
        self._told = now
        speed = max(0, self._moved_bytes) / MIB / max(now - self._began, 1e-6)
        if not self._bytes:
            self.status(f"{self._verb}: {self._done_bytes / MIB:.1f} MiB, {speed:.1f} MiB/s")
            return
        self.status(
            f"{self._verb}: {min(self._done_files + 1, self._files)} of {self._files} files, "
            f"{max(0, self._done_bytes) / MIB:.1f} of {self._bytes / MIB:.1f} MiB, {speed:.1f} MiB/s"
        )
