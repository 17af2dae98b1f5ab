"""The plugin process: serves the provider over gRPC, turns errors into plain messages, and ends
with the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Awaitable
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf import any_pb2
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from . import NAME, VERSION
from .engine import EngineLog
from .errors import ModelError, PartialFailureError
from .provider import ModelProvider
from .redact import install, redact
from .values import value_map

T = TypeVar("T")
PARENT_CHECK = 0.5
"""Seconds between two looks at whether the engine is still there."""


class Servicer(ProviderServicer):
    """The SDK's servicer with this provider's error texts: one message, no traceback, no
    secrets.
    """

    async def CheckConfig(self, request, context):  # noqa: N802 (names of the protocol)
        """Checks the provider's settings; a failure is one message with the status code of the
        protocol.
        """
        return await self._guarded(super().CheckConfig(request, context), context)

    async def Configure(self, request, context):  # noqa: N802
        """Takes the provider's settings; a failure is one message with the status code of the
        protocol.
        """
        return await self._guarded(super().Configure(request, context), context)

    async def Check(self, request, context):  # noqa: N802
        """Checks the inputs of a model; a failure is one message with the status code of the
        protocol.
        """
        return await self._guarded(super().Check(request, context), context)

    async def Diff(self, request, context):  # noqa: N802
        """Compares inputs with the state; a failure is one message with the status code of the
        protocol.
        """
        return await self._guarded(super().Diff(request, context), context)

    async def Create(self, request, context):  # noqa: N802
        """Uploads a model; a failure is one message with the status code of the protocol."""
        return await self._guarded(super().Create(request, context), context)

    async def Update(self, request, context):  # noqa: N802
        """Uploads what changed of a model; a failure is one message with the status code of the
        protocol.
        """
        return await self._guarded(super().Update(request, context), context)

    async def Read(self, request, context):  # noqa: N802
        """Reads what the bucket holds of a model; a failure is one message with the status code of
        the protocol.
        """
        return await self._guarded(super().Read(request, context), context)

    async def Delete(self, request, context):  # noqa: N802
        """Deletes a model from its bucket; a failure is one message with the status code of the
        protocol.
        """
        return await self._guarded(super().Delete(request, context), context)

    async def Invoke(self, request, context) -> Any:  # noqa: N802
        """Refuses every call: the provider has no functions."""
        await context.abort(
            grpc.StatusCode.UNIMPLEMENTED, f"{NAME} has no functions; {request.tok} does not exist"
        )

    async def _guarded(self, call: Awaitable[T], context: Any) -> T:
        try:
            return await call
        except PartialFailureError as failure:
            message = redact(str(failure.cause))
            await context.abort_with_status(_partial_status(failure, message))
        except ModelError as problem:
            await context.abort(grpc.StatusCode.UNKNOWN, redact(str(problem)))
        except Exception as error:
            # The SDK (3.272) raises a plain Exception with the call stack in its text in place of
            # what the provider raised.
            if type(error) is Exception and isinstance(
                error.__context__, PartialFailureError | ModelError
            ):
                return await self._guarded(_raises(error.__context__), context)
            print(redact(traceback.format_exc()), file=sys.stderr)
            text = f"unexpected {type(error).__name__}: {error}. This is a fault of the {NAME} provider; its log has the details."
            await context.abort(grpc.StatusCode.INTERNAL, redact(text))
        raise AssertionError("abort always raises")


async def _raises(error: Exception) -> Any:
    raise error


class _Status(grpc.Status):
    def __init__(self, details: str, metadata: tuple[tuple[str, bytes], ...]) -> None:
        self.code = grpc.StatusCode.UNKNOWN
        self.details = details
        self.trailing_metadata = metadata


def _partial_status(failure: PartialFailureError, message: str) -> grpc.Status:
    """Tells the engine to keep the resource: a later run updates it, and a destroy removes what is
    there.
    """
    from pulumi.provider.experimental.property_value import PropertyValue  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call

    detail = provider_pb2.ErrorResourceInitFailed(
        id=failure.resource_id,
        properties=PropertyValue.marshal_map(value_map(failure.outputs)),
        reasons=[message],
    )
    packed = any_pb2.Any()
    packed.Pack(detail)
    status = status_pb2.Status(
        code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=[packed]
    )
    return _Status(message, (("grpc-status-details-bin", status.SerializeToString()),))


def serve(arguments: list[str]) -> int:
    """Serve until the engine ends or asks to stop. The first argument that is no flag is the
    engine's address.
    """
    addresses = [argument for argument in arguments if not argument.startswith("-")]
    if len(addresses) != 1:
        print(
            f"pulumi-resource-{NAME} {VERSION} is started by the Pulumi CLI with the engine's address",
            file=sys.stderr,
        )
        return 1
    install()
    if os.environ.get("SSL_CERT_FILE"):
        os.environ.setdefault("REQUESTS_CA_BUNDLE", os.environ["SSL_CERT_FILE"])
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(arguments, addresses[0]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that hang in a request must not keep the process


async def _serve(arguments: list[str], address: str) -> None:
    # before anybody can know that we run: an engine that is killed right after the port is said has
    # gone then
    engine = os.getppid()
    provider = ModelProvider(EngineLog(address))
    server = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
    servicer = Servicer(arguments, VERSION, provider, engine_address=address)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    # An interrupt reaches the whole process group; the engine decides what it means and sends
    # Cancel. An interrupt after that is how the engine ends its plugins: one that stays makes the
    # engine wait five seconds and call all the others crashed.
    loop.add_signal_handler(signal.SIGINT, lambda: stopping.set() if provider.cancelled else None)
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    print(port, flush=True)
    watching = asyncio.ensure_future(_until_orphaned(engine))
    waiting = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({watching, waiting}, return_when=asyncio.FIRST_COMPLETED)
    await provider.cancel()
    await server.stop(grace=1)


async def _until_orphaned(parent: int) -> None:
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_CHECK)
