"""The alicloud plugin as a process, spoken to over gRPC as the engine does."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from lab.testing.session import inherited

PROJECT = "urn:pulumi:dev::wire"
CREDENTIALS = {
    "ALICLOUD_ACCESS_KEY": "LTAI0000000000000000",
    "ALICLOUD_SECRET_KEY": "made-up-for-this-test",
    "ALICLOUD_REGION": "cn-shanghai",
    "ALICLOUD_ACCOUNT_ID": "1234567890123456",
    "ALIBABA_CLOUD_ACCOUNT_TYPE": "Domestic",
}


class Plugin:
    """A running plugin; properties go in and out as plain data."""

    def __init__(self, executable: Path, environment: Mapping[str, str]) -> None:
        clean = {
            key: value
            for key, value in inherited().items()
            if not key.startswith(("ALICLOUD_", "ALIBABA_"))
        }
        self._process = subprocess.Popen(
            [executable, "127.0.0.1:1"],
            env={**clean, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        port = int(self._process.stdout.readline())
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{port}", options=[("grpc.max_receive_message_length", 64 << 20)]
        )
        self.stub = provider_pb2_grpc.ResourceProviderStub(self._channel)

    def __enter__(self) -> "Plugin":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._process.terminate()
        self._process.wait(timeout=1500)

    def configure(self) -> Any:
        """Configures from the environment alone; returns the reply."""
        request = provider_pb2.ConfigureRequest(
            args=struct({"version": "3.105.0"}), acceptSecrets=True, acceptResources=True
        )
        return self.stub.Configure(request, timeout=1500)

    def check(
        self, token: str, news: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """Inputs after Check, and its failures as (property, reason)."""
        request = provider_pb2.CheckRequest(
            urn=urn(token), olds=struct({}), news=struct(news), randomSeed=b"1" * 32
        )
        reply = self.stub.Check(request, timeout=1500)
        return plain(reply.inputs), [
            (failure.property, failure.reason) for failure in reply.failures
        ]

    def create(self, token: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Id and state of a new resource."""
        request = provider_pb2.CreateRequest(
            urn=urn(token), properties=struct(inputs), timeout=1500
        )
        reply = self.stub.Create(request, timeout=1500)
        return reply.id, plain(reply.properties)

    def diff(
        self, token: str, identifier: str, olds: Mapping[str, Any], news: Mapping[str, Any]
    ) -> Any:
        """The reply of Diff."""
        request = provider_pb2.DiffRequest(
            id=identifier, urn=urn(token), olds=struct(olds), news=struct(news)
        )
        return self.stub.Diff(request, timeout=1500)

    def update(
        self,
        token: str,
        identifier: str,
        olds: Mapping[str, Any],
        news: Mapping[str, Any],
        ignore: Sequence[str] = (),
    ) -> dict[str, Any]:
        """The state after an update."""
        request = provider_pb2.UpdateRequest(
            id=identifier,
            urn=urn(token),
            olds=struct(olds),
            news=struct(news),
            ignoreChanges=ignore,
            timeout=1500,
        )
        return plain(self.stub.Update(request, timeout=1500).properties)

    def read(
        self, token: str, identifier: str, state: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        """Id ("" if it is gone) and state as the cloud has it."""
        request = provider_pb2.ReadRequest(id=identifier, urn=urn(token), properties=struct(state))
        reply = self.stub.Read(request, timeout=1500)
        return reply.id, plain(reply.properties)

    def delete(self, token: str, identifier: str, state: Mapping[str, Any]) -> None:
        """Deletes a resource."""
        request = provider_pb2.DeleteRequest(
            id=identifier, urn=urn(token), properties=struct(state), timeout=1500
        )
        self.stub.Delete(request, timeout=1500)

    def info(self) -> str:
        """The plugin's version."""
        return self.stub.GetPluginInfo(empty_pb2.Empty(), timeout=1500).version


def urn(token: str) -> str:
    """A URN for one resource of this type."""
    return f"{PROJECT}::{token}::r"


def struct(data: Mapping[str, Any]) -> Struct:
    """Plain data as a protobuf struct."""
    result = Struct()
    result.update(dict(data))
    return result


def plain(data: Struct) -> dict[str, Any]:
    """A protobuf struct as plain data; whole numbers as int."""
    return _integers(MessageToDict(data))


def _integers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _integers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_integers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
