"""Pulumi's language host for Python: runs the program, and plugins that are Python directories (the
policy pack), for the engine.

What it leaves to the published host: installing dependencies and `pulumi new`, which `make
environment` and git do here. The program is `execute.py`'s, in a process of its own, which ends
with this one however this one ends.
"""

import contextlib
import importlib
import importlib.metadata
import importlib.util
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import types
from concurrent import futures
from pathlib import Path

_EXECUTOR = Path(__file__).resolve().parent / "execute.py"
_ALREADY_REPORTED = 32
"""Exit status of the executor after it has told the engine what went wrong."""
_GRACE_SECONDS = 5.0
_LIMITS = [(f"grpc.max_{way}_message_length", 400 << 20) for way in ("receive", "send")]


def _stubs():
    """The SDK's gRPC stubs without the SDK around them, whose import takes longer than all that
    this process does.
    """
    found = importlib.util.find_spec("pulumi")
    if found is None or found.origin is None:
        sys.exit(
            f"pulumi-language-python: {sys.executable} has no package `pulumi`; set PULUMI_PYTHON_CMD to a Python that has it"
        )
    for name in ("pulumi", "pulumi.runtime", "pulumi.runtime.proto"):
        sys.modules[name] = module = types.ModuleType(name)
        module.__path__ = [str(Path(found.origin).parent.parent.joinpath(*name.split(".")))]
    return [
        importlib.import_module(f"pulumi.runtime.proto.{name}")
        for name in ("language_pb2", "language_pb2_grpc", "plugin_pb2")
    ]


language, services, plugin = _stubs()

import grpc  # noqa: E402  (where the SDK is missing, _stubs says so)
from google.protobuf import empty_pb2  # noqa: E402


class PythonHost(services.LanguageRuntimeServicer):
    """Answers the engine's questions about a Python program, and runs it."""

    def __init__(self, engine):
        self._engine = engine
        self._programs, self._plugins = set(), set()

    def GetPluginInfo(self, request, context):
        """The version of the `pulumi` package."""
        return plugin.PluginInfo(version=importlib.metadata.version("pulumi"))

    def About(self, request, context):
        """Which Python runs the program. Another than ours is told by its path alone, to save its
        start.
        """
        python = _python(request.info)
        same = os.path.samefile(python, sys.executable)
        return language.AboutResponse(
            executable=python, version=".".join(map(str, sys.version_info[:3])) if same else ""
        )

    def GetRequiredPackages(self, request, context):
        """The resource plugins of the SDKs that are installed for the program."""
        markers = [
            file
            for site in _site_directories(_python(request.info))
            for file in sorted(Path(site).glob("*/pulumi-plugin.json"))
        ]
        told = [json.loads(file.read_text()) for file in markers]
        packages = [
            plugin.PackageDependency(
                name=one["name"],
                kind="resource",
                version=f"v{one['version'].removeprefix('v')}",
                server=one.get("server", ""),
            )
            for one in told
            if one.get("resource") and "name" in one and "version" in one
        ]
        return language.GetRequiredPackagesResponse(packages=packages)

    def InstallDependencies(self, request, context):
        """Refused: the environment is installed before the CLI runs."""
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            "packages are installed by `make environment`, not by `pulumi install`",
        )

    def Run(self, request, context):
        """Runs the program to its end. `bail` means: it failed and the user has been told why."""
        python, info = _python(request.info), request.info
        flags = {
            "monitor": request.monitor_address, "engine": self._engine, "project": request.project, "stack": request.stack,
            "root_directory": info.root_directory, "organization": request.organization, "parallel": str(request.parallel),
            "dry_run": str(request.dryRun).lower(),
        }  # fmt: skip
        command = [
            python,
            "-u",
            _EXECUTOR,
            *(word for name, value in flags.items() for word in (f"--{name}", value)),
        ]
        config = {
            "PULUMI_CONFIG": dict(request.config),
            "PULUMI_CONFIG_SECRET_KEYS": list(request.configSecretKeys),
        }
        environment = _environment(python) | {
            name: json.dumps(value) for name, value in config.items()
        }
        # The writing end of its standard input is this process's alone: a program whose input ends
        # has lost its host.
        with _child(
            self._programs,
            context,
            [*command, info.entry_point or "."],
            request.pwd,
            environment,
            stdin=subprocess.PIPE,
        ) as program:
            status = program.wait()
        if status in (0, _ALREADY_REPORTED):
            return language.RunResponse(bail=status != 0)
        why = (
            f"was ended by signal {-status}"
            if status < 0
            else f"exited with non-zero exit code: {status}"
        )
        return language.RunResponse(error=f"program {why}")

    def RunPlugin(self, request, context):
        """Runs a plugin that is a Python directory, such as the policy pack, streaming its output
        to the engine.
        """
        python, pipes = (
            _python(request.info),
            {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE},
        )
        target = os.path.join(
            request.info.program_directory or request.program, request.info.entry_point or "."
        )
        environment = _environment(python) | dict(
            item.split("=", 1) for item in request.env if "=" in item
        )
        with _child(
            self._plugins,
            context,
            [python, "-u", target, *request.args],
            request.pwd,
            environment,
            **pipes,
        ) as running:
            with selectors.DefaultSelector() as selector:
                for name in ("stdout", "stderr"):
                    selector.register(getattr(running, name), selectors.EVENT_READ, name)
                while selector.get_map():
                    for key, _ in selector.select():
                        if data := os.read(key.fd, 65536):
                            yield language.RunPluginResponse(**{key.data: data})
                        else:
                            selector.unregister(key.fileobj)
            yield language.RunPluginResponse(exitcode=running.wait())

    def Cancel(self, request, context):
        """Ends running programs. Plugins continue: the engine lets their operations finish before
        it closes them.
        """
        for child in list(self._programs):
            _stop(child)
        return empty_pb2.Empty()

    def stop_all(self):
        """Asks every child to end."""
        for child in [*self._programs, *self._plugins]:
            _stop(child)


def _python(info):
    """The Python for a program: the one of its `virtualenv` option if that is there, else our
    own.
    """
    option = (
        info.options.fields["virtualenv"].string_value
        if "virtualenv" in info.options.fields
        else ""
    )
    python = os.path.join(info.root_directory, option, "bin", "python")
    return python if option and os.access(python, os.X_OK) else sys.executable


def _site_directories(python):
    """Where that Python has its packages."""
    if python == sys.executable:
        return [entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    return [
        str(path)
        for path in Path(python).absolute().parent.parent.glob("lib/python3*/site-packages")
    ]


def _environment(python):
    """Ours, with the program's virtual environment active if it has one."""
    directory = Path(python).absolute().parent.parent
    if not (directory / "pyvenv.cfg").exists():
        return {**os.environ}
    return {
        **os.environ,
        "VIRTUAL_ENV": str(directory),
        "PATH": f"{directory / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
    }


@contextlib.contextmanager
def _child(running, context, command, directory, environment, **pipes):
    """A child in a process group of its own, so that no signal meant for the host or the engine
    reaches it; it ends with its call.
    """
    with subprocess.Popen(
        command, cwd=directory or None, env=environment, process_group=0, **pipes
    ) as child:
        context.add_callback(lambda: _stop(child))
        running.add(child)
        try:
            yield child
        finally:
            running.discard(child)
            _stop(child)


def _stop(child):
    """Asks a process to end, as Ctrl-C would, and kills its group if it doesn't in time."""
    if child.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGINT)
    timer = threading.Timer(
        _GRACE_SECONDS, lambda: child.poll() is None and os.killpg(child.pid, signal.SIGKILL)
    )
    timer.daemon = True
    timer.start()


def main():
    """Serves until the engine that started this process is gone or tells it to end."""
    parent, ended = os.getppid(), threading.Event()
    host = PythonHost(sys.argv[-1])
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=_LIMITS)
    services.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # The engine keeps its children out of the terminal's process group, so SIGINT is never the
    # user's Ctrl-C: it is how the engine ends a host it no longer needs.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    print(port, flush=True)
    while not ended.wait(1.0) and os.getppid() == parent:
        pass
    host.stop_all()
    server.stop(grace=0.2).wait()


if __name__ == "__main__":
    main()
