"""Starting the plugins early never changes what a program does."""

from __future__ import annotations

import gc
import threading
from concurrent import futures
from importlib import metadata

import grpc
import pytest
from pulumi.runtime import settings
from pulumi.runtime.proto import resource_pb2, resource_pb2_grpc

from components import plugins


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """An engine that refuses every request and remembers it."""

    def __init__(self) -> None:
        self.asked: list[resource_pb2.ResourceInvokeRequest] = []
        self.enough = threading.Event()

    def Invoke(self, request, context):
        self.asked.append(request)
        if len(self.asked) == len(plugins.PLUGINS):
            self.enough.set()
        context.abort(grpc.StatusCode.UNKNOWN, "no such function")


def test_every_plugin_is_asked_for_in_the_version_that_the_sdk_asks_for_and_a_refusal_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monitor, server = Monitor(), grpc.server(futures.ThreadPoolExecutor(4))
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        monkeypatch.setattr(
            settings, "get_monitor", lambda: resource_pb2_grpc.ResourceMonitorStub(channel)
        )
        try:
            plugins.start_early()
            assert not gc.isenabled()
        finally:
            gc.enable()
        assert monitor.enough.wait(1500)
    server.stop(None)
    assert {(one.tok.split(":")[0], one.version) for one in monitor.asked} == {
        ("alicloud", metadata.version("pulumi-alicloud")),
        ("ossmodel", ""),
    }


def test_without_an_engine_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "get_monitor", object)
    before = threading.active_count()
    plugins.start_early()
    assert threading.active_count() == before and gc.isenabled()
