"""The Python language host over gRPC, as the engine uses it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2

from lab.tests.toolchain.engine import (
    FOREVER,
    Session,
    gone,
    info,
    language_host,
    pid_of,
    wait_until,
)


def test_version_is_the_sdks(session: Session) -> None:
    assert session.stub.GetPluginInfo(empty_pb2.Empty()).version == "3.272.0"


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
    wait_until(lambda: "said __main__\n" in session.printed, "the program's output did not arrive")


def test_config_and_its_secret_keys_reach_the_program(session: Session, tmp_path: Path) -> None:
    program = (
        "import json, os, pulumi\n"
        "from pulumi.runtime.config import is_config_secret\n"
        "json.dump([is_config_secret('p:k'), is_config_secret('p:l'), pulumi.Config().get('k')], open('seen', 'w'))\n"
    )
    session.run(tmp_path, program, config={"p:k": "v", "p:l": "w"}, secret=["p:k"])
    assert json.loads((tmp_path / "seen").read_text()) == [True, False, "v"]


def test_everything_logged_arrives_in_its_order_before_the_program_has_ended(
    session: Session, tmp_path: Path
) -> None:
    session.engine.logged.clear()
    program = (
        "import pulumi\nfor n in range(200):\n    pulumi.log.debug(f'debug {n}')\n"
        "pulumi.log.warn('between')\nfor n in range(200, 300):\n    pulumi.log.debug(f'debug {n}')\n"
    )
    assert session.run(tmp_path, program).error == ""
    ours = [
        message for message in session.engine.logged if message.startswith(("debug ", "between"))
    ]
    assert ours == [
        *(f"debug {n}" for n in range(200)),
        "between",
        *(f"debug {n}" for n in range(200, 300)),
    ]


def test_the_program_sees_its_directory_arguments_and_modules(
    session: Session, tmp_path: Path
) -> None:
    (tmp_path / "beside.py").write_text("VALUE = 7\n")
    program = "import os, sys, beside, json\njson.dump([sys.argv, os.getcwd(), beside.VALUE], open('seen', 'w'))\n"
    assert session.run(tmp_path, program).error == ""
    assert json.loads((tmp_path / "seen").read_text()) == [["."], str(tmp_path), 7]


def test_an_exception_is_told_to_the_engine_once_and_bails(
    session: Session, tmp_path: Path
) -> None:
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


@pytest.mark.parametrize(
    ("statement", "expected"),
    [("sys.exit(3)", "code: 3"), ("sys.exit('no')", "code: 1"), ("sys.exit()", "")],
)
def test_exit_statuses_are_passed_on(
    session: Session, tmp_path: Path, statement: str, expected: str
) -> None:
    response = session.run(tmp_path, f"import sys\n{statement}\n")
    assert response.error.endswith(expected) and bool(response.error) is bool(expected)


def test_cancel_ends_a_running_program_quietly(session: Session, tmp_path: Path) -> None:
    session.engine.errors.clear()
    running = session.start(tmp_path, FOREVER)
    pid_of(tmp_path)
    session.stub.Cancel(empty_pb2.Empty())
    assert running.result().bail
    assert session.engine.errors == []


def test_a_cancelled_run_ends_its_program(session: Session, tmp_path: Path) -> None:
    running = session.start(tmp_path, FOREVER)
    pid = pid_of(tmp_path)
    running.cancel()
    wait_until(gone(pid), "the program still runs")


def test_a_program_that_ignores_the_interrupt_is_killed(session: Session, tmp_path: Path) -> None:
    running = session.start(
        tmp_path, "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + FOREVER
    )
    pid_of(tmp_path)
    session.stub.Cancel(empty_pb2.Empty())
    assert "ended by signal 9" in running.result().error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_host_ends_quietly_and_at_once_when_told(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Session() as session:
        session.start(tmp_path, FOREVER)
        pid = pid_of(tmp_path)
        session.process.send_signal(number)
        assert session.process.wait(timeout=120) == 0
        assert session.process.stderr is not None and session.process.stderr.read() == ""
        wait_until(gone(pid), "the program still runs")


def test_a_host_that_is_told_to_end_kills_a_program_that_ignores_the_interrupt(
    tmp_path: Path,
) -> None:
    with Session() as session:
        session.start(
            tmp_path, "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + FOREVER
        )
        has_ended = gone(pid_of(tmp_path))
        session.process.terminate()
        assert session.process.wait(timeout=120) == 0
        assert has_ended(), "the program outlives its host"


def test_a_killed_host_takes_its_program_along(tmp_path: Path) -> None:
    with Session() as session:
        session.start(tmp_path, FOREVER)
        pid = pid_of(tmp_path)
        session.process.kill()
        wait_until(gone(pid), "the program still runs")


def test_a_host_ends_when_its_engine_isgone(tmp_path: Path) -> None:
    """The engine is a shell here that starts the host and is killed."""
    shell = subprocess.Popen(
        ["sh", "-c", f"{language_host()} 127.0.0.1:1 & echo $!; wait"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert shell.stdout is not None
    host = int(shell.stdout.readline())
    shell.stdout.readline()  # its port: it is up
    shell.kill()
    shell.wait()
    wait_until(gone(host), "the host still runs", seconds=10)


def test_without_the_pulumi_package_the_message_names_the_python(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -E -S "$@"\n')
    bare.chmod(0o755)
    environment = {**os.environ, "PULUMI_PYTHON_CMD": str(bare)}
    done = subprocess.run(
        [language_host(), "127.0.0.1:1"],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=False,
    )
    assert done.returncode == 1
    assert "PULUMI_PYTHON_CMD" in done.stderr and "Traceback" not in done.stderr
