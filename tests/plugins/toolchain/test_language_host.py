"""The Python language host over gRPC, as the engine uses it."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2

from tests.plugins.toolchain.engine import Session, info

FOREVER = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)\n"


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session() as running:
        yield running


def _wait(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _pid(directory: Path) -> int:
    file = directory / "pid"
    _wait(lambda: file.exists() and file.read_text(), "the program did not start")
    return int(file.read_text())


def _gone(pid: int) -> Callable[[], bool]:
    def check() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    return check


def test_version_is_the_sdks(session: Session) -> None:
    assert session.stub.GetPluginInfo(empty_pb2.Empty()).version == "3.255.0"


def test_about_names_the_interpreter(session: Session, tmp_path: Path) -> None:
    about = session.stub.About(language_pb2.AboutRequest(info=info(tmp_path)))
    assert about.executable == sys.executable
    assert about.version == ".".join(map(str, sys.version_info[:3]))


def test_a_program_registers_its_resources_and_outputs(session: Session, tmp_path: Path) -> None:
    program = (
        "import pulumi\n"
        "class C(pulumi.ComponentResource):\n"
        "    def __init__(self):\n"
        "        super().__init__('a:b:C', 'c')\n"
        "C()\n"
        "pulumi.export('answer', pulumi.Config().require_int('n'))\n"
        "print('said', __name__)\n"
    )
    response = session.run(tmp_path, program, config={"p:n": "42"})
    assert (response.error, response.bail) == ("", False)
    assert {"pulumi:pulumi:Stack", "a:b:C"} <= set(session.monitor.types)
    assert session.monitor.outputs["answer"] == 42
    _wait(lambda: "said __main__\n" in session.printed, "the program's output did not arrive")


def test_config_and_its_secret_keys_reach_the_program(session: Session, tmp_path: Path) -> None:
    program = (
        "import json, os, pulumi\n"
        "from pulumi.runtime.config import is_config_secret\n"
        "json.dump([is_config_secret('p:k'), is_config_secret('p:l'), pulumi.Config().get('k')], open('seen', 'w'))\n"
    )
    session.run(tmp_path, program, config={"p:k": "v", "p:l": "w"}, secret=["p:k"])
    assert json.loads((tmp_path / "seen").read_text()) == [True, False, "v"]


def test_the_program_sees_its_directory_arguments_and_modules(session: Session, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("VALUE = 7\n")
    program = "import os, sys, beside, json\njson.dump([sys.argv, os.getcwd(), beside.VALUE], open('seen', 'w'))\n"
    assert session.run(tmp_path, program).error == ""
    assert json.loads((tmp_path / "seen").read_text()) == [["."], str(tmp_path), 7]


def test_an_exception_is_told_to_the_engine_once_and_bails(session: Session, tmp_path: Path) -> None:
    session.engine.errors.clear()
    response = session.run(tmp_path, "def f():\n    raise ValueError('too big')\nf()\n")
    assert response.bail and response.error == ""
    (message,) = session.engine.errors
    assert message.startswith("Program failed with an unhandled exception:")
    assert "ValueError: too big" in message and "__main__.py" in message
    assert "execute.py" not in message and "asyncio" not in message


def test_a_syntax_error_is_told_to_the_engine(session: Session, tmp_path: Path) -> None:
    session.engine.errors.clear()
    assert session.run(tmp_path, "x = (\n").bail
    assert "SyntaxError" in session.engine.errors[0]


def test_a_run_error_is_told_without_traceback(session: Session, tmp_path: Path) -> None:
    session.engine.errors.clear()
    response = session.run(tmp_path, "import pulumi\nraise pulumi.RunError('settings are wrong')\n")
    assert session.engine.errors == ["settings are wrong"]
    assert response.error == "program exited with non-zero exit code: 1"


@pytest.mark.parametrize(("statement", "expected"), [("sys.exit(3)", "code: 3"), ("sys.exit('no')", "code: 1"), ("sys.exit()", "")])
def test_exit_statuses_are_passed_on(session: Session, tmp_path: Path, statement: str, expected: str) -> None:
    response = session.run(tmp_path, f"import sys\n{statement}\n")
    assert response.error.endswith(expected) and bool(response.error) is bool(expected)


def test_cancel_ends_a_running_program_quietly(session: Session, tmp_path: Path) -> None:
    session.engine.errors.clear()
    running = session.start(tmp_path, FOREVER)
    _pid(tmp_path)
    session.stub.Cancel(empty_pb2.Empty())
    assert running.result().bail
    assert session.engine.errors == []


def test_a_cancelled_run_ends_its_program(session: Session, tmp_path: Path) -> None:
    running = session.start(tmp_path, FOREVER)
    pid = _pid(tmp_path)
    running.cancel()
    _wait(_gone(pid), "the program still runs")


def test_a_program_that_ignores_the_interrupt_is_killed(session: Session, tmp_path: Path) -> None:
    running = session.start(tmp_path, "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + FOREVER)
    _pid(tmp_path)
    session.stub.Cancel(empty_pb2.Empty())
    assert "ended by signal 9" in running.result().error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_host_ends_quietly_and_at_once_when_told(tmp_path: Path, number: signal.Signals) -> None:
    with Session() as session:
        session.start(tmp_path, FOREVER)
        pid = _pid(tmp_path)
        session.process.send_signal(number)
        assert session.process.wait(timeout=4) == 0
        assert session.process.stderr is not None and session.process.stderr.read() == ""
        _wait(_gone(pid), "the program still runs")


def test_a_killed_host_takes_its_program_along(tmp_path: Path) -> None:
    with Session() as session:
        session.start(tmp_path, FOREVER)
        pid = _pid(tmp_path)
        session.process.kill()
        _wait(_gone(pid), "the program still runs")


def test_a_host_ends_when_its_engine_is_gone(tmp_path: Path) -> None:
    """The engine is a shell here that starts the host and is killed."""
    import subprocess

    from tests.plugins.toolchain.engine import HOST

    shell = subprocess.Popen(["sh", "-c", f"{HOST} 127.0.0.1:1 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
    assert shell.stdout is not None
    host = int(shell.stdout.readline())
    shell.stdout.readline()  # its port: it is up
    shell.kill()
    shell.wait()
    _wait(_gone(host), "the host still runs", seconds=10)


def _environment(directory: Path, **packages: dict) -> Path:
    """A virtual environment's skeleton with these Pulumi packages."""
    site = directory / "venv" / "lib" / "python3.12" / "site-packages"
    for module, marker in packages.items():
        (site / module).mkdir(parents=True)
        (site / module / "pulumi-plugin.json").write_text(json.dumps(marker))
        (site / f"{module}-9.8.7.dist-info").mkdir()
    python = directory / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.symlink_to(sys.executable)
    return directory


def test_required_packages_are_those_of_the_program_s_environment(session: Session, tmp_path: Path) -> None:
    root = _environment(
        tmp_path,
        pulumi_alicloud={"resource": True, "name": "alicloud", "version": "3.105.0"},
        pulumi_my_thing={"resource": True, "server": "https://example.org"},
        pulumi_policy={"resource": False, "name": "policy", "version": "1.0.0"},
    )
    request = language_pb2.GetRequiredPackagesRequest(info=info(root, virtualenv="venv"))
    found = {(item.name, item.kind, item.version, item.server) for item in session.stub.GetRequiredPackages(request).packages}
    assert found == {("alicloud", "resource", "v3.105.0", ""), ("my-thing", "resource", "v9.8.7", "https://example.org")}
    older = session.stub.GetRequiredPlugins(language_pb2.GetRequiredPluginsRequest(info=info(root, virtualenv="venv")))
    assert {(item.name, item.kind, item.version, item.server) for item in older.plugins} == found


def test_required_packages_of_our_own_interpreter(session: Session, tmp_path: Path) -> None:
    request = language_pb2.GetRequiredPackagesRequest(info=info(tmp_path))
    found = {item.name: item.version for item in session.stub.GetRequiredPackages(request).packages}
    assert found["alicloud"] == "v3.105.0" and found["kubernetes"] == "v4.32.0"


def test_program_dependencies_are_listed(session: Session, tmp_path: Path) -> None:
    request = language_pb2.GetProgramDependenciesRequest(info=info(tmp_path))
    found = {item.name: item.version for item in session.stub.GetProgramDependencies(request).dependencies}
    assert found["pulumi"] == "3.255.0"


def test_a_virtual_environment_that_is_missing_falls_back(session: Session, tmp_path: Path) -> None:
    about = session.stub.About(language_pb2.AboutRequest(info=info(tmp_path, virtualenv="nowhere")))
    assert about.executable == sys.executable


def test_dependencies_are_installed_into_the_environment(session: Session, tmp_path: Path) -> None:
    _environment(tmp_path, pulumi_x={"resource": True})
    (tmp_path / "requirements.txt").write_text("")
    request = language_pb2.InstallDependenciesRequest(info=info(tmp_path, virtualenv="venv"))
    assert isinstance(b"".join(item.stdout for item in session.stub.InstallDependencies(request, timeout=120)), bytes)
    (tmp_path / "requirements.txt").write_text("-e ./no-such-directory\n")
    with pytest.raises(grpc.RpcError) as caught:
        list(session.stub.InstallDependencies(request, timeout=120))
    assert "pip install -r requirements.txt` ended with status 1" in str(caught.value)


def test_a_plugin_runs_with_its_output_status_and_environment(session: Session, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(
        "import os, sys\nprint(sys.argv[1:], os.environ['X'], os.getcwd())\nprint('oops', file=sys.stderr)\nsys.exit(5)\n"
    )
    request = language_pb2.RunPluginRequest(pwd=str(tmp_path), args=["a b"], env=["X=1=2"], info=info(tmp_path), kind="resource", name="x")
    replies = list(session.stub.RunPlugin(request, timeout=60))
    assert b"".join(item.stdout for item in replies).decode() == f"['a b'] 1=2 {tmp_path}\n"
    assert b"".join(item.stderr for item in replies) == b"oops\n"
    assert replies[-1].exitcode == 5


def test_a_plugin_ends_with_its_call(session: Session, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(FOREVER)
    call = session.stub.RunPlugin(language_pb2.RunPluginRequest(pwd=str(tmp_path), info=info(tmp_path)), timeout=60)
    pid = _pid(tmp_path)
    call.cancel()
    _wait(_gone(pid), "the plugin still runs")


def test_cancel_leaves_a_plugin_alone(session: Session, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(FOREVER)
    call = session.stub.RunPlugin(language_pb2.RunPluginRequest(pwd=str(tmp_path), info=info(tmp_path)), timeout=60)
    gone = _gone(_pid(tmp_path))
    session.stub.Cancel(empty_pb2.Empty())
    time.sleep(1)  # what must not happen can't be awaited
    assert not gone()
    call.cancel()


def test_without_the_pulumi_package_the_message_names_the_python(tmp_path: Path) -> None:
    import subprocess

    from tests.plugins.toolchain.engine import HOST

    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -E -S "$@"\n')
    bare.chmod(0o755)
    environment = {**os.environ, "PULUMI_PYTHON_CMD": str(bare)}
    done = subprocess.run([HOST, "127.0.0.1:1"], capture_output=True, text=True, timeout=30, env=environment, check=False)
    assert done.returncode == 1
    assert "PULUMI_PYTHON_CMD" in done.stderr and "Traceback" not in done.stderr
