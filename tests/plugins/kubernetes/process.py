"""The plugin as the engine runs it: its own process, an engine that records what it says, calls over gRPC."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

from lab.kubernetes_plugin.wire import dump, load

EXECUTABLE = Path(__file__).parents[3] / "lab" / "kubernetes_plugin" / "pulumi-resource-kubernetes"
PREFIX = "urn:pulumi:dev::lab::"


@dataclass
class Engine(engine_pb2_grpc.EngineServicer):
    """Records (severity, urn's name, message, ephemeral) of every message."""

    messages: list[tuple[str, str, str, bool]] = field(default_factory=list)
    said: threading.Condition = field(default_factory=threading.Condition)

    def Log(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Take one message."""
        severity = engine_pb2.LogSeverity.Name(request.severity).lower()
        with self.said:
            self.messages.append((severity, request.urn, request.message, request.ephemeral))
            self.said.notify_all()
        return empty_pb2.Empty()

    def texts(self, urn: str, severity: str | None = None) -> list[str]:
        """What was said about a resource, without the clearing of its line."""
        return [text for level, about, text, _ in self.messages if about == urn and text and severity in (None, level)]

    def wait_for(self, urn: str, part: str, seconds: float = 60) -> str:
        """The first message about a resource that contains `part`."""
        deadline = time.monotonic() + seconds
        with self.said:
            while True:
                found = [text for text in self.texts(urn) if part in text]
                if found:
                    return found[0]
                assert self.said.wait(deadline - time.monotonic()), f"nothing about {part!r} within {seconds} s: {self.texts(urn)}"


class InitFailed(Exception):
    """The plugin said: it exists, but it is not ready."""

    def __init__(self, detail: Any) -> None:
        super().__init__(detail.reasons[0])
        self.id, self.reasons = detail.id, list(detail.reasons)
        self.state, self.inputs = load(detail.properties), load(detail.inputs)


def urn(type_token: str, name: str) -> str:
    """A resource's URN in the tests' stack."""
    return f"{PREFIX}{type_token}::{name}"


@dataclass
class Plugin:
    """A running plugin; every call is bounded."""

    stub: Any
    engine: Engine
    started_in: float
    process: subprocess.Popen[str]

    def configure(self, kubeconfig: str, **settings: str) -> Any:
        """Configure with a kubeconfig's text or path."""
        variables = {f"kubernetes:config:{key}": value for key, value in {"kubeconfig": kubeconfig, **settings}.items()}
        return self.call("Configure", provider_pb2.ConfigureRequest(variables=variables, acceptSecrets=True))

    def call(self, method: str, request: Any, seconds: float = 90) -> Any:
        """One request. Raises InitFailed for a partial failure, grpc.RpcError otherwise."""
        try:
            return getattr(self.stub, method)(request, timeout=seconds)
        except grpc.RpcError as error:
            for key, value in error.trailing_metadata() or ():  # pyright: ignore[reportAttributeAccessIssue]
                if key == "grpc-status-details-bin":
                    detail = provider_pb2.ErrorResourceInitFailed()
                    assert status_pb2.Status.FromString(value).details[0].Unpack(detail)
                    raise InitFailed(detail) from error
            raise

    def check(self, urn: str, news: dict, olds: dict | None = None, seed: bytes = b"") -> dict:
        """The checked inputs."""
        answer = self.call("Check", provider_pb2.CheckRequest(urn=urn, olds=dump(olds or {}), news=dump(news), randomSeed=seed))
        assert not answer.failures, answer.failures
        return load(answer.inputs)

    def diff(self, urn: str, state: dict, news: dict, ignore: list[str] | None = None) -> Any:
        """The raw answer."""
        return self.call("Diff", provider_pb2.DiffRequest(urn=urn, id="x", olds=dump(state), news=dump(news), ignoreChanges=ignore))

    def create(self, urn: str, inputs: dict, preview: bool = False, timeout: float = 0) -> tuple[str, dict]:
        """(id, state)."""
        request = provider_pb2.CreateRequest(urn=urn, properties=dump(inputs), preview=preview, timeout=timeout)
        answer = self.call("Create", request)
        return answer.id, load(answer.properties)

    def update(self, urn: str, state: dict, news: dict, preview: bool = False, ignore: list[str] | None = None, timeout: float = 0) -> dict:
        """The new state."""
        request = provider_pb2.UpdateRequest(
            urn=urn, id="x", olds=dump(state), news=dump(news), preview=preview, ignoreChanges=ignore, timeout=timeout
        )
        return load(self.call("Update", request).properties)

    def read(self, urn: str, resource_id: str, state: dict | None = None, inputs: dict | None = None) -> tuple[str, dict, dict]:
        """(id, state, inputs); the id is "" when it is gone."""
        request = provider_pb2.ReadRequest(urn=urn, id=resource_id, properties=dump(state or {}), inputs=dump(inputs or {}))
        answer = self.call("Read", request)
        return answer.id, load(answer.properties), load(answer.inputs)

    def delete(self, urn: str, resource_id: str, state: dict, timeout: float = 0) -> None:
        """Delete and wait."""
        self.call("Delete", provider_pb2.DeleteRequest(urn=urn, id=resource_id, properties=dump(state), timeout=timeout))

    def cancel(self) -> None:
        """The user gave up."""
        self.call("Cancel", empty_pb2.Empty(), 5)


@contextlib.contextmanager
def running(lab_home: str | None = "/tmp", **extra: str) -> Iterator[Plugin]:
    """Start the plugin beside a recording engine; `lab_home` None leaves LAB_HOME unset."""
    engine, server = Engine(), grpc.server(futures.ThreadPoolExecutor(32))
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PULUMI_PYTHON_CMD": sys.executable, **extra}
    if lab_home is not None:
        environment["LAB_HOME"] = lab_home
    begun = time.monotonic()
    process = subprocess.Popen([str(EXECUTABLE), f"127.0.0.1:{port}"], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        started_in = time.monotonic() - begun
        with grpc.insecure_channel(f"127.0.0.1:{line}") as channel:
            yield Plugin(provider_pb2_grpc.ResourceProviderStub(channel), engine, started_in, process)
    finally:
        process.terminate()
        process.wait(timeout=10)
        server.stop(None)
