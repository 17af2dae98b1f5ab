"""`python -m lab.serving [tensorflow_model_server flags]`.

Besides the flags it reads LAB_IMAGE_TAG (tag of the image that it stands for: it decides which
TensorFlow computes, the newest without one), LAB_ROOTFS (directory that holds the container's file
tree), LAB_POD_IP (address to listen on, all by default) and LAB_DEAF_TO_SIGTERM=1 (ignore SIGTERM
and SIGINT, as the image's process 1 does).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import uvicorn
import uvloop

from lab.serving import flags as flag_table
from lab.serving.config import check_flags, monitoring_path, read_models
from lab.serving.errors import StatusError, say_codes_in_words
from lab.serving.flags import Flags
from lab.serving.log import log
from lab.serving.manager import Manager
from lab.serving.metrics import Metrics
from lab.serving.model import Loader, Model
from lab.serving.rest import Rest
from lab.serving.warmup import warm_up
from lab.toolchain import ToolchainError, tensorflow

_SERVER = "tensorflow_serving/model_servers/server.cc:"


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(1024)
    listener.setblocking(False)
    return listener


async def _serve_http(app: Rest, listener: socket.socket) -> None:
    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Signals keep their own meaning: this server never ends gracefully."""
            yield

    settings = uvicorn.Config(
        app,
        lifespan="off",
        access_log=False,
        log_level="error",
        timeout_keep_alive=600,
        ws="none",
        server_header=False,
    )
    await Server(settings).serve(sockets=[listener])


async def _watch_config(manager: Manager, options: Flags) -> None:
    while True:
        await asyncio.sleep(options["model_config_file_poll_wait_seconds"])
        try:
            models = read_models(options)
        except StatusError as error:
            log("E", _SERVER + "108", f"Failed to read ModelServerConfig file: {error.message}")
            continue
        await manager.reconfigure(models)


def loader_of(options: Flags, version: str) -> Loader:
    """What loads models, as the flags want it. The server's own default of threads is the machine's
    cores; the lab's is one.
    """
    common = options["tensorflow_session_parallelism"]
    return Loader(
        version,
        tuple(filter(None, options["saved_model_tags"].split(","))),
        options["tensorflow_intra_op_parallelism"] or common or 1,
        options["tensorflow_inter_op_parallelism"] or common or 1,
        options["enable_signature_method_name_check"],
    )


def warm_up_of(options: Flags) -> Callable[[Model, Path], None]:
    """What is done with a loaded model before it is AVAILABLE."""
    if not options["enable_model_warmup"]:
        return lambda _model, _folder: None
    return partial(warm_up, iterations=options["num_request_iterations_for_warmup"] or 1)


async def run(options: Flags, version: str) -> None:
    """Loads first, opens the ports after that, then serves indefinitely; StatusError if the start
    fails.
    """
    check_flags(options)
    models = read_models(options)
    for model in models:
        log(
            "I",
            _SERVER + "74",
            f"Building single TensorFlow model file config:  model_name: {model.name} model_base_path: {model.base_path}",
        )
    metrics_path = monitoring_path(options)
    manager = Manager(
        models,
        poll_seconds=options["file_system_poll_wait_seconds"],
        retries=options["max_num_load_retries"],
        retry_seconds=options["load_retry_interval_micros"] / 1e6,
        allow_labels=options["allow_version_labels_for_unavailable_models"],
        metrics=Metrics(),
        loader=loader_of(options, version),
        warmup=warm_up_of(options),
    )
    await manager.start()
    if options["model_config_file"] and options["model_config_file_poll_wait_seconds"] > 0:
        manager.spawn(_watch_config(manager, options))
    host = os.environ.get("LAB_POD_IP", "0.0.0.0")
    if options["port"]:
        from lab.serving.grpc_service import start_grpc  # noqa: PLC0415 - 60 ms of a pod's start, without --port for nothing

        # Kept: a gRPC server stops as soon as nothing refers to it.
        grpc_server = start_grpc(
            manager, host, options["port"], health=options["enable_grpc_healthcheck_service"], threads=options["grpc_max_threads"],
            as_content=options["enable_serialization_as_tensor_content"],
        )  # fmt: skip
        log("I", _SERVER + "430", f"Running gRPC ModelServer at 0.0.0.0:{options['port']} ...")
        manager.keep.append(grpc_server)
    if options["rest_api_port"] == options["port"]:
        log("E", _SERVER + "459", "server_options.http_port cannot be same as grpc_port. Please use a different port for HTTP/REST API. "
            "Skipped exporting HTTP/REST API.")  # fmt: skip
    elif options["rest_api_port"]:
        listener = _listen(host, options["rest_api_port"])
        log(
            "I",
            _SERVER + "452",
            f"Exporting HTTP/REST API at:localhost:{options['rest_api_port']} ...",
        )
        rest = Rest(
            manager,
            options["rest_api_num_threads"],
            metrics_path,
            options["rest_api_enable_cors_support"],
            options["rest_api_timeout_in_ms"],
        )
        await _serve_http(rest, listener)
    await asyncio.Event().wait()


def main(arguments: list[str]) -> int:
    """Exit status: 255 when a flag's value or the start is wrong, as the server's -1."""
    options = flag_table.parse(arguments)
    if not options.ok:
        print(flag_table.usage(), end="", flush=True)
        return 255
    choice = tensorflow.choose(os.environ.get("LAB_IMAGE_TAG", ""))
    say_codes_in_words(tuple(map(int, choice.version.split(".")[:2])) < (2, 7))
    if options["version"]:
        print(
            f"TensorFlow ModelServer: {choice.version}-lab (stand-in, computes with TensorFlow)\nTensorFlow Library: {choice.version}"
        )
        return 0
    if options.unknown:
        # The server continues after this message; so does this one.
        print(f"unknown argument: {options.unknown[0]}\n{flag_table.usage()}", end="", flush=True)
    if os.environ.get("LAB_DEAF_TO_SIGTERM") == "1":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    log(
        "I",
        "lab",
        choice.note or f"TensorFlow {choice.version} computes, as the image's tag has it",
    )
    try:
        tensorflow.find(choice.version)
        uvloop.run(run(options, choice.version))
    except ToolchainError as error:
        print(f"Failed to start server. {error}", flush=True)
        return 255
    except StatusError as error:
        print(f"Failed to start server. Error: {error}", flush=True)
        return 255
    except OSError as reason:
        print(f"Failed to start server. Error: UNKNOWN: {reason.strerror}", flush=True)
        return 255
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    # Loader threads may still be asleep in a retry; nothing is left to clean up.
    os._exit(code)
