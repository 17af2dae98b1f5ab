"""The engine's side of a language host: a monitor and an engine that accept everything and remember
it.
"""

import functools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent import futures
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf import empty_pb2
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import (
    engine_pb2_grpc,
    language_pb2,
    language_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from lab.toolchain.build import build
from lab.toolchain.progress import Board
from lab.toolchain.specs import SPECS

T = TypeVar("T")

FOREVER = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
"""A program that writes its pid and does not end."""


@functools.cache
def language_host() -> Path:
    """Path of the lab's own host, whichever one the CLI of this machine may bring."""
    name = "pulumi-language-python"
    return build([SPECS[name]], Board(print))[name].path


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Registers whatever it is asked to."""

    def __init__(self) -> None:
        self.types: list[str] = []
        self.outputs: dict[str, Any] = {}

    def SupportsFeature(self, request: Any, context: Any) -> Any:
        return resource_pb2.SupportsFeatureResponse(hasSupport=True)

    def RegisterResource(self, request: Any, context: Any) -> Any:
        self.types.append(request.type)
        return resource_pb2.RegisterResourceResponse(
            urn=f"urn:pulumi:dev::p::{request.type}::{request.name}", object=request.object
        )

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:
        self.outputs.update(dict(request.outputs))
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


class Engine(engine_pb2_grpc.EngineServicer):
    """Remembers what is logged; `errors` are the messages of severity error."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.logged: list[str] = []

    def Log(self, request: Any, context: Any) -> Any:
        self.logged.append(request.message)
        if request.severity == 3:
            self.errors.append(request.message)
        return empty_pb2.Empty()


class Session:
    """A running language host with its engine."""

    def __init__(
        self, environment: Mapping[str, str] | None = None, directory: Path | None = None
    ) -> None:
        self.monitor, self.engine = Monitor(), Engine()
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(self.monitor, self._server)
        engine_pb2_grpc.add_EngineServicer_to_server(self.engine, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        settings = {**os.environ, "PULUMI_PYTHON_CMD": sys.executable, **(environment or {})}
        self.process = subprocess.Popen(
            [language_host(), self.address],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=settings,
            cwd=directory,
        )
        assert self.process.stdout is not None
        self._channel = grpc.insecure_channel(f"127.0.0.1:{int(self.process.stdout.readline())}")
        self.stub = language_pb2_grpc.LanguageRuntimeStub(self._channel)
        self.printed: list[str] = []
        self._calls: list[grpc.Future] = []  # a call that nobody holds is cancelled
        self._reader = threading.Thread(
            target=lambda: self.printed.extend(self.process.stdout or ()), daemon=True
        )
        self._reader.start()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self.process.terminate()
        self.process.wait(timeout=120)
        self._reader.join(timeout=120)
        self._server.stop(grace=0)

    def start(
        self,
        directory: Path,
        program: str,
        config: Mapping[str, str] | None = None,
        secret: list[str] | None = None,
    ) -> grpc.Future:
        """Starts Run of a program text in `directory`; the result is a future."""
        (directory / "__main__.py").write_text(program)
        request = language_pb2.RunRequest(
            project="p", stack="dev", pwd=str(directory), program=".", parallel=4, organization="organization",
            monitor_address=self.address, info=info(directory), config=config or {}, configSecretKeys=secret or [],
        )  # fmt: skip
        self._calls.append(self.stub.Run.future(request, timeout=120))
        return self._calls[-1]

    def run(self, directory: Path, program: str, **options: Any) -> Any:
        """The response of Run."""
        return self.start(directory, program, **options).result()


def info(directory: Path, **options: str) -> Any:
    """ProgramInfo of a program in `directory` with these runtime options."""
    fields = Struct()
    fields.update(options)
    text = str(directory)
    return language_pb2.ProgramInfo(
        root_directory=text, program_directory=text, entry_point=".", options=fields
    )


def wait_until(condition: Callable[[], T], what: str, seconds: float = 60) -> T:
    """What `condition` gives as soon as that is true; fails with `what` if it isn't in time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
    return found


def pid_of(directory: Path) -> int:
    """The pid that FOREVER has written in `directory`."""
    file = directory / "pid"
    wait_until(lambda: file.exists() and file.read_text(), "the program did not start")
    return int(file.read_text())


def gone(pid: int) -> Callable[[], bool]:
    """A condition: that process has ended."""

    def check() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    return check
