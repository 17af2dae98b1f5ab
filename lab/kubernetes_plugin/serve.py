"""Start the plugin: serve on a free loopback port, print it, run until told to stop.

The engine's address is the last argument. The Kubernetes client is loaded by the first operation that talks to the cluster.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from concurrent import futures
from typing import NoReturn

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from lab.kubernetes_plugin.engine import Engine
from lab.kubernetes_plugin.provider import Provider

WORKERS = 128  # operations mostly wait; the engine has at most a few dozen under way at once
ORPHAN_SECONDS = 1.0  # how often to look whether the engine was killed: nothing else would tell, and the plugin must not outlive it
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def main() -> NoReturn:
    """Serve until SIGTERM or SIGINT, or until the process that started this is gone; exit status 0."""
    parent = os.getppid()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server = grpc.server(futures.ThreadPoolExecutor(WORKERS), options=_UNLIMITED)
    provider = Provider(Engine(arguments[-1] if arguments else None))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while not stop.wait(ORPHAN_SECONDS) and os.getppid() == parent:
        pass
    provider.end_waits()
    server.stop(grace=1).wait(timeout=2)
    sys.stdout.flush()
    os._exit(0)  # a wait that is still under way must not keep the process
