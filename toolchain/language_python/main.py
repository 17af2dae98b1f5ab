"""The language host's process: serves LanguageRuntime on a free port, tells the port, ends when the engine does."""

import os
import signal
import sys
import threading
from concurrent import futures

import protocol
from host import PythonHost

import grpc  # isort: skip (protocol says what is missing where there is no Pulumi SDK)

_MESSAGE_LIMIT = 400 * 1024 * 1024
_WATCH_SECONDS = 1.0


def main() -> None:
    """Serves until the engine that started this process is gone or tells it to end."""
    parent = os.getppid()
    engine = sys.argv[-1] if len(sys.argv) > 1 else ""
    limits = [("grpc.max_receive_message_length", _MESSAGE_LIMIT), ("grpc.max_send_message_length", _MESSAGE_LIMIT)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=limits)
    host = PythonHost(engine, _sdk_version())
    protocol.services.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    ended = threading.Event()
    # The engine keeps its children out of the terminal's process group, so SIGINT is never the user's Ctrl-C: it is how
    # the engine ends a host it no longer needs.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    print(port, flush=True)
    while not ended.wait(_WATCH_SECONDS):
        if os.getppid() != parent:
            break
    host.stop_all()
    server.stop(grace=0.2).wait()


def _sdk_version() -> str:
    from importlib import metadata

    return metadata.version("pulumi")


if __name__ == "__main__":
    main()
