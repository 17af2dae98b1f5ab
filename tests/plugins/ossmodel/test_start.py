"""Starting and ending the plugin process."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf import empty_pb2

from tests.plugins.ossmodel.process import PLUGIN, Plugin, environment


def _fake_python(directory: Path) -> Path:
    """A Python without the packages."""
    directory.mkdir(parents=True)
    path = directory / "python"
    path.write_text(f'#!/bin/sh\nexec {os.path.realpath(sys.executable)} -I -S "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    (directory / "python3").symlink_to(path)
    return path


def test_without_the_packages_one_message_says_what_to_install(tmp_path: Path) -> None:
    python = _fake_python(tmp_path / "bin")
    lone = tmp_path / "clone" / "providers" / "ossmodel" / PLUGIN.name
    lone.parent.mkdir(parents=True)
    lone.write_bytes(PLUGIN.read_bytes())
    lone.chmod(0o755)
    env = {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PULUMI_PYTHON_CMD": str(python),
    }
    done = subprocess.run(
        [str(lone), "127.0.0.1:1"],
        env=env,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 1 and done.stdout == ""
    assert (
        "packages pulumi and oss2" in done.stderr
        and str(python) in done.stderr
        and "pip' install -r" in done.stderr
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("how", ["VIRTUAL_ENV", "PULUMI_PYTHON_CMD"])
def test_a_python_that_lacks_the_packages_is_passed_over(tmp_path: Path, how: str) -> None:
    python = _fake_python(tmp_path / "venv" / "bin")
    env = environment(HOME=str(tmp_path))
    env.pop("VIRTUAL_ENV", None)
    env |= {"PULUMI_PYTHON_CMD": sys.executable, "VIRTUAL_ENV": str(tmp_path / "venv")}
    if how == "PULUMI_PYTHON_CMD":
        env |= {"PULUMI_PYTHON_CMD": str(python), "VIRTUAL_ENV": sys.prefix}
    plugin = Plugin(tmp_path, env)
    plugin.close()
    assert plugin.process.returncode == 0


def test_started_by_hand_it_says_who_starts_it() -> None:
    done = subprocess.run(
        [str(PLUGIN)],
        env=environment(VIRTUAL_ENV=sys.prefix),
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 1 and "is started by the Pulumi CLI" in done.stderr


def test_a_termination_signal_ends_it_quietly(start: Callable[..., Plugin]) -> None:
    plugin = start()
    plugin.process.send_signal(signal.SIGTERM)
    assert plugin.process.wait(1500) == 0 and plugin.stderr() == ""


def test_an_interrupt_from_the_terminal_is_left_to_the_engine(start: Callable[..., Plugin]) -> None:
    plugin = start(ALICLOUD_REGION="cn-shanghai")
    plugin.process.send_signal(signal.SIGINT)
    plugin.configure()
    assert plugin.process.poll() is None


def test_an_interrupt_after_the_engines_cancel_ends_it_at_once(
    start: Callable[..., Plugin],
) -> None:
    plugin = start(ALICLOUD_REGION="cn-shanghai")
    plugin.configure()
    plugin.stub.Cancel(empty_pb2.Empty())
    plugin.process.send_signal(signal.SIGINT)
    assert plugin.process.wait(1500) == 0


def test_it_ends_when_the_engine_was_killed(start: Callable[..., Plugin]) -> None:
    plugin = start(parent=["sh", "-c", '"$@" & echo $! > pid; wait', "sh"])
    pid = int((Path(plugin.errors.name).parent / "pid").read_text())
    plugin.process.kill()
    plugin.process.wait(1500)
    deadline = time.monotonic() + 1500
    while (
        Path(f"/proc/{pid}").exists() and "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    ):
        assert time.monotonic() < deadline, "the plugin goes on without an engine"
        time.sleep(0.05)
