"""Has the engine start its plugins while the program still loads, and turns Python's garbage
collector off.

The engine starts a plugin when the first request needs it, one after the other, and is idle while
Python imports the SDKs. An `Invoke` of a function that no plugin has (the engine's ResourceMonitor
service, proto/pulumi/resource.proto), sent before the imports, starts it meanwhile. The imports
make 150,000 objects that all stay, and the collector looks through them again and again.

Measured on 2026-11-30, an offline preview of the recorded stack, four runs each in turn on two busy
cores: 7.8 s with both, 8.5 s with the collector off alone, 10.6 s with neither (medians; the
fastest runs: 4.7, 5.8 and 7.6 s).
"""

import contextlib
import gc
import threading
from importlib import metadata
from typing import Any

import grpc
from pulumi.runtime import settings
from pulumi.runtime.proto import resource_pb2

PLUGINS = {"alicloud": "pulumi-alicloud", "ossmodel": None}
"""Plugin: the package whose version the SDK asks the engine for; None where it asks for none."""


def start_early() -> None:
    """Returns at once. An error here is ignored: the first real request meets it again and reports
    it.
    """
    if not has_engine():
        return
    ask = settings.get_monitor().Invoke  # pyright: ignore[reportOptionalMemberAccess] - has_engine
    # for good: a program makes little garbage while it waits for the engine, and ends with the run
    gc.disable()
    for plugin, package in PLUGINS.items():
        # No plugin has this function: it answers so at once, without a call to the cloud.
        request = resource_pb2.ResourceInvokeRequest(
            tok=f"{plugin}:index:startEarly", version=metadata.version(package) if package else ""
        )
        threading.Thread(target=_send, args=(ask, request), daemon=True).start()


def has_engine() -> bool:
    """Whether an engine runs this program: unit tests have a monitor of their own."""
    return isinstance(getattr(settings.get_monitor(), "Invoke", None), grpc.UnaryUnaryMultiCallable)


def _send(ask: Any, request: resource_pb2.ResourceInvokeRequest) -> None:
    with contextlib.suppress(
        grpc.RpcError, ValueError
    ):  # ValueError: the program has ended and closed the channel
        ask(request)
