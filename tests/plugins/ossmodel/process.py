"""The plugin as a real process, called over gRPC as the engine calls it."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

ROOT = Path(__file__).resolve().parents[3]
PLUGIN = ROOT / "providers" / "ossmodel" / "pulumi-resource-ossmodel"
HOOKS = Path(__file__).resolve().parent / "hooks"
URN = "urn:pulumi:test::elastic-inference::ossmodel:index:Model::model"
SECRET_SIGNATURE = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


class Engine(engine_pb2_grpc.EngineServicer):
    """The engine's log service; keeps what the plugin says."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str, bool]] = []
        self._arrived = threading.Condition()

    def Log(self, request, context):
        """Keep (severity, text, ephemeral)."""
        with self._arrived:
            self.messages.append(
                (engine_pb2.LogSeverity.Name(request.severity), request.message, request.ephemeral)
            )
            self._arrived.notify_all()
        return empty_pb2.Empty()

    def wait_for(self, text: str, timeout: float = 1500) -> str:
        """The first message that contains `text`; fails the test if none comes in time."""

        def find() -> str | None:
            return next((message for _, message, _ in self.messages if text in message), None)

        with self._arrived:
            assert self._arrived.wait_for(lambda: find() is not None, timeout), (
                f"no message with {text!r}; got {self.messages}"
            )
            return find() or ""


class Failure(Exception):
    """A call that the plugin refused: the message, and the partial state if there is one."""

    def __init__(self, error: grpc.RpcError) -> None:
        self.message: str = error.details()  # type: ignore[attr-defined]  # an RpcError is a Call as well
        self.code = error.code()  # type: ignore[attr-defined]  # an RpcError is a Call as well
        self.partial: provider_pb2.ErrorResourceInitFailed | None = None
        for key, value in error.trailing_metadata() or ():  # type: ignore[attr-defined]  # an RpcError is a Call as well
            if key == "grpc-status-details-bin":
                detail = provider_pb2.ErrorResourceInitFailed()
                if status_pb2.Status.FromString(value).details[0].Unpack(detail):
                    self.partial = detail
        super().__init__(self.message)

    @property
    def state(self) -> dict[str, Any]:
        """The partial state."""
        assert self.partial is not None, f"no partial state came with: {self.message}"
        return plain(self.partial.properties)


class Plugin:
    """One running plugin process and an engine for it."""

    def __init__(self, cwd: Path, env: dict[str, str], parent: list[str] | None = None) -> None:
        self.engine = Engine()
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        engine_pb2_grpc.add_EngineServicer_to_server(self.engine, self._server)
        address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        self.errors = open(cwd / f"plugin-{time.monotonic_ns()}.err", "w+")  # noqa: SIM115 (closed with the plugin)
        command = [*(parent or []), str(PLUGIN), address]
        self.process = subprocess.Popen(
            command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=self.errors, text=True
        )
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        assert line.isdigit(), f"the plugin printed {line!r} instead of its port: {self.stderr()}"
        self.channel = grpc.insecure_channel(f"127.0.0.1:{line}")
        self.stub = provider_pb2_grpc.ResourceProviderStub(self.channel)

    def stderr(self) -> str:
        """Everything the process wrote to stderr."""
        self.errors.flush()
        return Path(self.errors.name).read_text()

    def call(self, method: str, request: Any, timeout: float = 1500) -> Any:
        """One call; a refusal becomes `Failure`."""
        try:
            return getattr(self.stub, method)(request, timeout=timeout)
        except grpc.RpcError as error:
            raise Failure(error) from None

    def configure(self, **config: Any) -> None:
        """CheckConfig and Configure, as the engine does; fails the test on check failures."""
        checked = self.call(
            "CheckConfig", provider_pb2.CheckRequest(urn="urn:p", news=struct(config))
        )
        assert not checked.failures, checked.failures
        self.call(
            "Configure", provider_pb2.ConfigureRequest(args=checked.inputs, acceptSecrets=True)
        )

    def check(
        self, news: dict[str, Any], olds: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """(checked inputs, failures as (property, reason))."""
        answer = self.call(
            "Check", provider_pb2.CheckRequest(urn=URN, news=struct(news), olds=struct(olds or {}))
        )
        return plain(answer.inputs), [
            (failure.property, failure.reason) for failure in answer.failures
        ]

    def checked(self, news: dict[str, Any], olds: dict[str, Any] | None = None) -> dict[str, Any]:
        """Checked inputs of a model that is right."""
        result, failures = self.check(news, olds)
        assert not failures, failures
        return result

    def diff(self, state: dict[str, Any], inputs: dict[str, Any]) -> provider_pb2.DiffResponse:
        """The difference of a state and checked inputs."""
        return self.call(
            "Diff",
            provider_pb2.DiffRequest(urn=URN, id="x", olds=struct(state), news=struct(inputs)),
        )

    def create(
        self, inputs: dict[str, Any], preview: bool = False, timeout: float = 0
    ) -> tuple[str, dict[str, Any]]:
        """(id, state) of a new model."""
        request = provider_pb2.CreateRequest(
            urn=URN, properties=struct(inputs), preview=preview, timeout=timeout
        )
        answer = self.call("Create", request)
        return answer.id, plain(answer.properties)

    def update(
        self, id_: str, state: dict[str, Any], inputs: dict[str, Any], preview: bool = False
    ) -> dict[str, Any]:
        """The new state."""
        request = provider_pb2.UpdateRequest(
            urn=URN, id=id_, olds=struct(state), news=struct(inputs), preview=preview
        )
        return plain(self.call("Update", request).properties)

    def read(
        self, id_: str, state: dict[str, Any] | None = None, inputs: dict[str, Any] | None = None
    ) -> tuple[str, dict, dict]:
        """(id, state, inputs) of what is there; the id is empty when the model is gone."""
        request = provider_pb2.ReadRequest(
            urn=URN, id=id_, properties=struct(state or {}), inputs=struct(inputs or {})
        )
        answer = self.call("Read", request)
        return answer.id, plain(answer.properties), plain(answer.inputs)

    def delete(self, id_: str, state: dict[str, Any]) -> None:
        """Delete the model."""
        self.call("Delete", provider_pb2.DeleteRequest(urn=URN, id=id_, properties=struct(state)))

    def close(self) -> None:
        """End the process as the engine does."""
        self.channel.close()
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(1500)
        self._server.stop(None)
        self.errors.close()
        if self.process.stdout:
            self.process.stdout.close()


def struct(values: dict[str, Any]) -> struct_pb2.Struct:
    """A protobuf struct from plain data."""
    return json_format.ParseDict(values, struct_pb2.Struct())


def plain(values: struct_pb2.Struct) -> dict[str, Any]:
    """Plain data from a protobuf struct; whole numbers become int."""
    return _whole(json_format.MessageToDict(values))


def secret(value: str) -> dict[str, str]:
    """A secret as the engine writes it."""
    return {**SECRET_SIGNATURE, "value": value}


def environment(**extra: str) -> dict[str, str]:
    """A clean environment for the plugin: nothing of the developer's cloud settings."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if key in ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
    }
    return {**kept, "PYTHONPATH": str(HOOKS), "OSSMODEL_RETRY_WAIT": "0.02", **extra}


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
