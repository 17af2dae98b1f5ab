"""Has the engine start its plugins while the program still loads.

The engine starts a plugin when the first request needs it, one after the other, and stands idle
while Python imports the SDKs. A request for nothing, sent first of all, starts it meanwhile; that
takes a second off every preview. Python's garbage collector is off from then on: the imports make
150,000 objects that all stay, and looking through them again and again took a fifth of the imports'
time.
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
    """Returns at once. Whatever goes wrong here is met again, and told, by the first real
    request.
    """
    monitor = settings.get_monitor()
    ask = getattr(monitor, "Invoke", None)
    if not isinstance(ask, grpc.UnaryUnaryMultiCallable):
        return  # no engine: unit tests
    # for good: a program makes little garbage while it waits for the engine, and ends with the run
    gc.disable()
    for plugin, package in PLUGINS.items():
        # No plugin has this function: it answers so at once, without a call to the cloud.
        request = resource_pb2.ResourceInvokeRequest(
            tok=f"{plugin}:index:startEarly", version=metadata.version(package) if package else ""
        )
        threading.Thread(target=_send, args=(ask, request), daemon=True).start()


def _send(ask: Any, request: resource_pb2.ResourceInvokeRequest) -> None:
    with contextlib.suppress(
        grpc.RpcError, ValueError
    ):  # ValueError: the program has ended and closed the channel
        ask(request)
