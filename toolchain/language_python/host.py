"""The LanguageRuntime service for Python programs and Python plugins."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import install
import interpreter
import process
import protocol

_EXECUTOR = Path(__file__).resolve().parent / "execute.py"
_ALREADY_REPORTED = 32
"""Exit status of the executor after it has told the engine what went wrong."""


class PythonHost(protocol.services.LanguageRuntimeServicer):
    """Answers the engine's questions about a Python program, and runs it."""

    def __init__(self, engine: str, version: str) -> None:
        self._engine = engine
        self._version = version
        self._programs: set[subprocess.Popen[bytes]] = set()
        self._others: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Takes the engine's address from a caller that sends it this way."""
        self._engine = request.engine_address or self._engine
        return protocol.language.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The host's version."""
        return protocol.plugin.PluginInfo(version=self._version)

    def About(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Which Python runs the program. Another Python than ours is described by its path alone, to save its start."""
        python = interpreter.executable(request.info)
        version = ".".join(map(str, sys.version_info[:3])) if Path(python).samefile(sys.executable) else ""
        return protocol.language.AboutResponse(executable=python, version=version)

    def GetRequiredPackages(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The resource plugins of every SDK that is installed for the program."""
        dependency = protocol.plugin.PackageDependency
        packages = interpreter.resource_packages(interpreter.executable(request.info))
        found = [dependency(name=item.name, kind="resource", version=item.version, server=item.server) for item in packages]
        return protocol.language.GetRequiredPackagesResponse(packages=found)

    def GetRequiredPlugins(self, request: Any, context: grpc.ServicerContext) -> Any:
        """As GetRequiredPackages, for engines that ask the older way."""
        dependency = protocol.plugin.PluginDependency
        packages = interpreter.resource_packages(interpreter.executable(request.info))
        found = [dependency(name=item.name, kind="resource", version=item.version, server=item.server) for item in packages]
        return protocol.language.GetRequiredPluginsResponse(plugins=found)

    def GetProgramDependencies(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Every distribution that is installed for the program."""
        info = protocol.language.DependencyInfo
        found = interpreter.distributions(interpreter.executable(request.info))
        return protocol.language.GetProgramDependenciesResponse(dependencies=[info(name=name, version=version) for name, version in found])

    def RuntimeOptionsPrompts(self, request: Any, context: grpc.ServicerContext) -> Any:
        """No questions: every runtime option has a default."""
        return protocol.language.RuntimeOptionsResponse()

    def InstallDependencies(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """Makes the virtual environment if it is missing and installs `requirements.txt`; streams pip's output."""
        for command, directory in install.commands(request.info, request.directory):
            done = process.start(command, directory, os.environ, captured=True)
            with _Tracked(self._others, self._lock, done, context):
                for stream, data in process.output(done):
                    yield protocol.language.InstallDependenciesResponse(**{stream: data})
                if done.wait() != 0:
                    context.abort(grpc.StatusCode.UNKNOWN, f"`{' '.join(command)}` ended with status {done.returncode}")

    def Run(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Runs the program to its end. `bail` means: it failed and the user has been told why."""
        python = interpreter.executable(request.info)
        environment = _environment(python)
        environment["PULUMI_CONFIG"] = json.dumps(dict(request.config))
        environment["PULUMI_CONFIG_SECRET_KEYS"] = json.dumps(list(request.configSecretKeys))
        command = [python, "-u", str(_EXECUTOR), *_run_arguments(request, self._engine)]
        program = process.start(command, request.pwd or request.info.program_directory, environment)
        with _Tracked(self._programs, self._lock, program, context):
            status = program.wait()
        return _run_response(status)

    def RunPlugin(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """Runs a plugin that is a Python directory or file (PulumiPlugin.yaml), streaming its output to the engine."""
        python = interpreter.executable(request.info)
        entry = request.info.entry_point or "."
        target = os.path.normpath(os.path.join(request.info.program_directory or request.program, entry))
        environment = _environment(python)
        environment.update(item.split("=", 1) for item in request.env if "=" in item)
        command = [python, "-u", target, *request.args]
        response = protocol.language.RunPluginResponse
        plugin = process.start(command, request.pwd, environment, captured=True)
        with _Tracked(self._others, self._lock, plugin, context):
            for stream, data in process.output(plugin):
                yield response(**{stream: data})
            yield response(exitcode=plugin.wait())

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Ends running programs. Plugins go on: the engine lets their operations finish before it closes them."""
        from google.protobuf import empty_pb2

        self._stop(self._programs)
        return empty_pb2.Empty()

    def stop_all(self) -> None:
        """Asks every running child to end."""
        self._stop(self._programs)
        self._stop(self._others)

    def _stop(self, children: set[subprocess.Popen[bytes]]) -> None:
        with self._lock:
            running = list(children)
        for child in running:
            process.stop(child)


class _Tracked:
    """Keeps a child among the running ones meanwhile; ends it if its call is cancelled or left."""

    def __init__(self, running: set, lock: threading.Lock, child: subprocess.Popen[bytes], context: grpc.ServicerContext) -> None:
        self._running, self._lock, self._child = running, lock, child
        context.add_callback(self._call_ended)

    def __enter__(self) -> None:
        with self._lock:
            self._running.add(self._child)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running.discard(self._child)
        self._call_ended()

    def _call_ended(self) -> None:
        if self._child.poll() is None:
            process.stop(self._child)


def _environment(python: str) -> dict[str, str]:
    """The child's environment: ours, with the program's virtual environment active if it has one."""
    environment = dict(os.environ)
    environment["PYTHONUNBUFFERED"] = "1"
    directory = Path(python).absolute().parent.parent
    if (directory / "pyvenv.cfg").exists():
        environment["VIRTUAL_ENV"] = str(directory)
        environment["PATH"] = f"{directory / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
        environment.pop("PYTHONHOME", None)
    return environment


def _run_arguments(request: Any, engine: str) -> list[str]:
    named = {
        "monitor": request.monitor_address,
        "engine": engine,
        "project": request.project,
        "root_directory": request.info.root_directory,
        "stack": request.stack,
        "pwd": request.pwd,
        "dry_run": "true" if request.dryRun else "false",
        "parallel": str(request.parallel),
        "organization": request.organization,
    }
    flags = [text for key, value in named.items() for text in (f"--{key}", value)]
    return [*flags, request.info.entry_point or request.program or ".", *request.args]


def _run_response(status: int) -> Any:
    response = protocol.language.RunResponse
    if status == 0:
        return response()
    if status == _ALREADY_REPORTED:
        return response(bail=True)
    if status < 0:
        return response(error=f"program was ended by signal {-status}")
    return response(error=f"program exited with non-zero exit code: {status}")
