"""Messages to the engine: lasting ones, and the passing status lines beside a resource."""

from __future__ import annotations

import contextlib
import threading

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

DEBUG, INFO, WARNING, ERROR = (engine_pb2.DEBUG, engine_pb2.INFO, engine_pb2.WARNING, engine_pb2.ERROR)


class Engine:
    """The engine that started this plugin; without an address messages go nowhere."""

    def __init__(self, address: str | None) -> None:
        channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)]) if address else None
        self._stub = engine_pb2_grpc.EngineStub(channel) if channel else None

    def log(self, severity: int, urn: str, message: str, *, ephemeral: bool = False) -> None:
        """Send one message; an engine that is gone is not an error here."""
        if self._stub is not None:
            with contextlib.suppress(grpc.RpcError):
                request = engine_pb2.LogRequest(severity=severity, message=message, urn=urn, ephemeral=ephemeral)  # pyright: ignore
                self._stub.Log(request, timeout=5)


class ResourceLog:
    """One operation's messages about one resource; each status line is sent once."""

    def __init__(self, engine: Engine, urn: str) -> None:
        self._engine, self.urn = engine, urn
        self._said: set[tuple[int, str]] = set()
        self._lock = threading.Lock()

    def status(self, severity: int, message: str) -> None:
        """A passing line beside the resource, sent once per operation."""
        with self._lock:
            if (severity, message) in self._said:
                return
            self._said.add((severity, message))
        self._engine.log(severity, self.urn, message, ephemeral=True)

    def clear(self) -> None:
        """Remove the status line."""
        self._engine.log(INFO, self.urn, "", ephemeral=True)

    def lasting(self, severity: int, message: str) -> None:
        """A message that stays in the run's output."""
        self._engine.log(severity, self.urn, message)
