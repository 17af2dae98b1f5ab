"""What the language host tells of a program's environment, and the plugins it runs for the
engine.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import grpc
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
from lab.toolchain.specs import SPECS


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


def test_required_packages_are_those_of_the_program_s_environment(
    session: Session, tmp_path: Path
) -> None:
    root = _environment(
        tmp_path,
        pulumi_alicloud={"resource": True, "name": "alicloud", "version": "3.105.0"},
        pulumi_my_thing={
            "resource": True,
            "name": "my-thing",
            "version": "9.8.7",
            "server": "https://example.org",
        },
        pulumi_policy={"resource": False, "name": "policy", "version": "1.0.0"},
    )
    request = language_pb2.GetRequiredPackagesRequest(info=info(root, virtualenv="venv"))
    found = {
        (item.name, item.kind, item.version, item.server)
        for item in session.stub.GetRequiredPackages(request).packages
    }
    assert found == {
        ("alicloud", "resource", "v3.105.0", ""),
        ("my-thing", "resource", "v9.8.7", "https://example.org"),
    }


def test_required_packages_of_our_own_interpreter(session: Session, tmp_path: Path) -> None:
    request = language_pb2.GetRequiredPackagesRequest(info=info(tmp_path))
    found = {item.name: item.version for item in session.stub.GetRequiredPackages(request).packages}
    for plugin in ("alicloud", "kubernetes"):
        assert found[plugin] == f"v{SPECS[f'pulumi-resource-{plugin}'].version}"


def test_a_virtual_environment_that_is_missing_falls_back(session: Session, tmp_path: Path) -> None:
    about = session.stub.About(language_pb2.AboutRequest(info=info(tmp_path, virtualenv="nowhere")))
    assert about.executable == sys.executable


def _python(directory: Path, version: str, settings: str) -> Path:
    """A virtual environment's skeleton, told apart by the version of its package `pulumi`."""
    site = directory / "lib" / "python3.12" / "site-packages"
    (site / f"pulumi-{version}.dist-info").mkdir(parents=True)
    (site / "pulumi_policy-9.9.9.dist-info").mkdir()
    (directory / "pyvenv.cfg").write_text(settings)
    python = directory / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\nexit 1\n")  # starts no program
    python.chmod(0o755)
    return python


@pytest.mark.parametrize(
    ("there", "version"),
    [
        (("command", "active", "project"), "3.0.1"),
        (("active", "project"), "3.0.2"),
        (("project",), "3.0.3"),
    ],
)
@pytest.mark.parametrize(
    "settings",
    [
        "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.12.4\n",
        "home = /usr/bin\nversion_info = 3.12.4.final.0\ninclude-system-site-packages = false\n",
    ],
)
def test_the_first_python_that_is_there_is_taken_and_its_environment_read_without_a_start(
    tmp_path: Path, there: tuple[str, ...], version: str, settings: str
) -> None:
    command = _python(tmp_path / "command", "3.0.1", settings)
    active = _python(tmp_path / "active", "3.0.2", settings)
    project = _python(tmp_path / "project" / ".venv", "3.0.3", settings)
    chosen = {
        "PULUMI_PYTHON_CMD": str(command if "command" in there else tmp_path / "nowhere"),
        "VIRTUAL_ENV": str(active.parents[1] if "active" in there else tmp_path / "nowhere"),
        "PYTHONPATH": "",
    }
    with Session(chosen, tmp_path / "project") as session:
        assert session.stub.GetPluginInfo(empty_pb2.Empty()).version == version
        about = session.stub.About(language_pb2.AboutRequest(info=info(tmp_path)))
    expected = {"3.0.1": command, "3.0.2": active, "3.0.3": project}[version]
    assert (about.executable, about.version) == (str(expected), "3.12.4")


def test_a_python_outside_an_environment_is_asked(tmp_path: Path, session: Session) -> None:
    shim = tmp_path / "python"  # as pyenv's
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    shim.chmod(0o755)
    with Session({"PULUMI_PYTHON_CMD": str(shim)}) as asked:
        for question in (
            lambda stub: stub.GetPluginInfo(empty_pb2.Empty()),
            lambda stub: stub.About(language_pb2.AboutRequest(info=info(tmp_path))),
            lambda stub: stub.GetRequiredPackages(
                language_pb2.GetRequiredPackagesRequest(info=info(tmp_path))
            ),
        ):
            assert question(asked.stub) == question(session.stub)


def test_a_python_that_does_not_run_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho nothing works >&2; exit 3\n")
    broken.chmod(0o755)
    done = subprocess.run(
        [language_host(), "127.0.0.1:1"],
        capture_output=True,
        text=True,
        timeout=1500,
        env={**os.environ, "PULUMI_PYTHON_CMD": str(broken)},
        check=False,
    )
    assert done.returncode == 1
    assert f"{broken} can't be used" in done.stderr and "nothing works" in done.stderr


def test_an_installation_of_dependencies_says_what_does_it_here(
    session: Session, tmp_path: Path
) -> None:
    with pytest.raises(grpc.RpcError, match="packages are installed by `make environment`"):
        list(
            session.stub.InstallDependencies(
                language_pb2.InstallDependenciesRequest(info=info(tmp_path)), timeout=1500
            )
        )


def test_a_plugin_runs_with_its_output_status_and_environment(
    session: Session, tmp_path: Path
) -> None:
    (tmp_path / "__main__.py").write_text(
        "import os, sys\nprint(sys.argv[1:], os.environ['X'], os.getcwd())\nprint('oops', file=sys.stderr)\nsys.exit(5)\n"
    )
    request = language_pb2.RunPluginRequest(
        pwd=str(tmp_path),
        args=["a b"],
        env=["X=1=2"],
        info=info(tmp_path),
        kind="resource",
        name="x",
    )
    replies = list(session.stub.RunPlugin(request, timeout=1500))
    assert b"".join(item.stdout for item in replies).decode() == f"['a b'] 1=2 {tmp_path}\n"
    assert b"".join(item.stderr for item in replies) == b"oops\n"
    assert replies[-1].exitcode == 5


def test_a_plugin_ends_with_its_call(session: Session, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(FOREVER)
    call = session.stub.RunPlugin(
        language_pb2.RunPluginRequest(pwd=str(tmp_path), info=info(tmp_path)), timeout=1500
    )
    pid = pid_of(tmp_path)
    call.cancel()
    wait_until(gone(pid), "the plugin still runs")


def test_cancel_leaves_a_plugin_alone(session: Session, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(FOREVER)
    call = session.stub.RunPlugin(
        language_pb2.RunPluginRequest(pwd=str(tmp_path), info=info(tmp_path)), timeout=1500
    )
    has_ended = gone(pid_of(tmp_path))
    session.stub.Cancel(empty_pb2.Empty())
    time.sleep(1)  # what must not happen can't be awaited
    assert not has_ended()
    call.cancel()
