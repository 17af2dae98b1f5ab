"""The life of a lab: start, start again, break, stop."""

from __future__ import annotations

import json
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import IO

import pytest

from lab import state, up
from lab.environment import LabError
from lab.testing.lab import ROOT, Lab

EXTRAS = "region,node-agent,log-shipper,node-autoscaler,traefik,metrics-adapter,metrics api,kube-controller-manager,kube-scheduler"
BARE = f"{EXTRAS},kube-apiserver,platform objects"


def outside_pid(lab: Lab, name: str) -> int:
    (part,) = [part for part in lab.status()["components"] if part["name"] == name]
    return part["pid"]


def test_up_reports_each_part_and_the_api_server_is_ready(tmp_path: pathlib.Path, lab: Lab) -> None:
    report = lab.status()
    assert report["phase"] == "ready"
    names = {part["name"] for part in report["components"]}
    assert {
        "region",
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "traefik",
        "metrics-adapter",
        "node-agent",
    } <= names
    assert lab.inside("kubectl", "get", "--raw", "/readyz").stdout == "ok"


def test_a_second_up_says_that_it_runs_for_less_than_a_second_of_computing(
    lab: Lab,
) -> None:
    def computed() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = computed()
    assert "runs already" in lab.up()
    assert computed() - before < 1.0


def test_status_shows_memory_of_every_process_and_its_exit_status_tells(lab: Lab) -> None:
    processes = [part for part in lab.status()["components"] if not part["job"]]
    assert len(processes) >= 8
    assert all(part["pss_mib"] > 5 and part["pid"] and part["since"] for part in processes)
    shown = lab.run("status")
    assert shown.returncode == 0
    assert "kube-apiserver" in shown.stdout and "1.36.3" in shown.stdout


def test_a_part_that_dies_is_started_again_and_counted(lab: Lab) -> None:
    before = outside_pid(lab, "kube-scheduler")
    os.kill(before, signal.SIGKILL)
    end = time.monotonic() + 300
    while True:
        (part,) = [part for part in lab.status()["components"] if part["name"] == "kube-scheduler"]
        if part["state"] == "ready" and part["restarts"] >= 1:
            break
        assert time.monotonic() < end, f"not started again: {part}"
        time.sleep(0.1)
    assert part["restarts"] == 1 and part["pid"] != before


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """etcd only, in a directory whose name is longer than a socket's address may be."""
    lab = Lab(tmp_path_factory.mktemp("small") / ("long-" * 20) / "lab", LAB_WITHOUT=BARE)
    yield lab
    lab.end()


@pytest.fixture
def with_objects(tmp_path: pathlib.Path) -> Iterator[Lab]:
    """etcd and API server only."""
    lab = Lab(tmp_path / "lab", LAB_WITHOUT=EXTRAS)
    yield lab
    lab.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_start_that_is_interrupted_ends_with_all_it_began_and_the_next_up_starts_anew(
    small: Lab, number: signal.Signals
) -> None:
    small.run("down")
    first = subprocess.Popen(
        small.command("up"),
        cwd=ROOT,
        env=small.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert first.stdout is not None and "sealed namespace" in "".join(
        iter_until(first.stdout, "sealed namespace")
    )
    first.send_signal(number)
    _, said = first.communicate(timeout=60)
    assert first.returncode == 130 and "interrupted" in said and "Traceback" not in said
    assert not state.is_running(small.home) and state.supervisor_pids(small.home) == []
    small.up()
    assert small.status()["phase"] == "ready"


INTERRUPTED_SPAWN = """
import os, signal, subprocess, sys, types
from lab import __main__, spawn
def popen(*arguments, **options):
    process = subprocess.Popen(*arguments, **options)
    os.kill(os.getpid(), signal.SIGINT)  # the process is made and nobody knows it yet
    return process
spawn.subprocess = types.SimpleNamespace(Popen=popen, STDOUT=subprocess.STDOUT, TimeoutExpired=subprocess.TimeoutExpired)
sys.argv = ["lab", "up"]
sys.exit(__main__.main())
"""


def test_a_start_that_is_interrupted_while_its_supervisor_is_made_leaves_none(
    small: Lab,
) -> None:
    small.run("down")
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_SPAWN],
        cwd=ROOT,
        env=small.env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (
        done.returncode == 130 and "interrupted" in done.stderr and "Traceback" not in done.stderr
    ), done.stdout + done.stderr
    assert not state.is_running(small.home) and state.supervisor_pids(small.home) == []


def test_after_kill_9_of_the_supervisor_up_goes_on_with_the_clusters_objects(
    with_objects: Lab,
) -> None:
    with_objects.up()
    assert (
        with_objects.inside(
            "kubectl",
            "create",
            "configmap",
            "kept",
            "-n",
            "kube-system",
            "--from-literal=answer=42",
        ).returncode
        == 0
    )
    namespace = with_objects.status()["namespace"]
    os.kill(state.read_state(with_objects.home)["supervisor"]["pid"], signal.SIGKILL)
    assert state.wait_stopped(with_objects.home, 10)
    assert state.processes_inside(namespace) == {}
    assert with_objects.run("status").returncode == 3
    with_objects.up()
    assert with_objects.kubectl("get", "configmap", "kept", "-n", "kube-system")["data"] == {
        "answer": "42"
    }


def test_two_ups_at_once_make_one_lab(small: Lab) -> None:
    small.run("down", "--keep")
    both = [
        subprocess.Popen(
            small.command("up"), cwd=ROOT, env=small.env, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("sealed namespace" in text for text in said) == 1


def test_a_supervisor_that_begins_nothing_is_started_once_more_and_then_shown_where_it_stands(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = Lab(tmp_path / "lab", LAB_WITHOUT=f"{BARE},etcd")
    for name, value in idle.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(up, "SILENCE", 2.0)
    said: list[str] = []
    try:
        with pytest.raises(
            LabError, match=r"its supervisor begins nothing[\s\S]*supervisor\.py., line \d+ in main"
        ):
            up.up(idle.home, said.append)
        assert [line for line in said if "starting it again" in line] != []
        assert sum("sealed namespace" in line for line in said) == 2
    finally:
        idle.end()


def test_where_namespaces_are_forbidden_the_message_says_what_to_do(tmp_path: pathlib.Path) -> None:
    fake = tmp_path / "bin" / "unshare"
    fake.parent.mkdir()
    fake.write_text(
        "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n"
    )
    fake.chmod(0o755)
    forbidden = Lab(tmp_path / "lab", PATH=f"{fake.parent}:{os.environ['PATH']}")
    failed = forbidden.run("up")
    assert failed.returncode == 1
    assert (
        "unshare failed: Operation not permitted: this " in failed.stderr
        and "then run the same command again" in failed.stderr
    )
    assert "Traceback" not in failed.stderr and not state.is_running(forbidden.home)


def test_a_taken_port_is_named_with_its_holder_and_the_variable_to_change(
    tmp_path: pathlib.Path,
) -> None:
    other = Lab(tmp_path / "lab")
    with socket.create_server(("127.0.0.1", other.ports["LAB_API_PORT"])):
        failed = other.run("up")
    assert failed.returncode == 1
    assert f"port {other.ports['LAB_API_PORT']}" in failed.stderr
    assert f"process {os.getpid()}" in failed.stderr
    assert "LAB_API_PORT" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not state.is_running(other.home)


def test_a_part_that_cannot_start_is_reported_with_the_end_of_its_log_and_nothing_stays(
    tmp_path: pathlib.Path,
) -> None:
    broken = Lab(tmp_path / "lab", LAB_WITHOUT=BARE)
    (broken.home / "data").mkdir(parents=True)
    (broken.home / "data" / "etcd").write_text("not a directory")
    failed = broken.run("up")
    assert failed.returncode == 1
    assert "etcd ended with exit status" in failed.stderr
    assert "not a directory" in failed.stderr
    assert not state.is_running(broken.home)


def test_as_an_ordinary_user_would_the_lab_runs_in_a_user_namespace_and_leaves_nothing(
    tmp_path: pathlib.Path,
) -> None:
    own = Lab(tmp_path / "lab", LAB_USERNS="1", LAB_WITHOUT=BARE)
    try:
        own.up()
        ours = os.readlink("/proc/self/ns/user")
        assert own.inside("readlink", "/proc/self/ns/user").stdout.strip() not in ("", ours)
        assert own.inside("id", "-u").stdout == "0\n"
        namespace = own.status()["namespace"]
        assert len(state.processes_inside(namespace)) >= 2
        stopped = own.run("down")
        assert stopped.returncode == 0, stopped.stderr
        assert state.processes_inside(namespace) == {}
    finally:
        own.end()


def test_down_keeps_the_data_when_asked(tmp_path: pathlib.Path) -> None:
    own = Lab(tmp_path / "lab", LAB_WITHOUT=BARE)
    try:
        own.up()
        assert own.run("down", "--keep").returncode == 0
        assert (own.home / "data" / "etcd" / "member").is_dir()
        assert not state.is_running(own.home)
    finally:
        own.end()


def test_a_scenario_of_the_environment_ends_with_down_and_one_of_the_users_own_stays_and_is_told(
    tmp_path: pathlib.Path,
) -> None:
    scenario = tmp_path / "mine.yaml"
    scenario.write_text("delays: {task: 1}\n")
    own = Lab(tmp_path / "lab", LAB_WITHOUT=BARE, LAB_SCENARIO=str(scenario))
    try:
        assert f"scenario: {scenario} (LAB_SCENARIO), until `down`" in own.up()
        del own.env["LAB_SCENARIO"]
        assert f"scenario: {scenario} (LAB_SCENARIO)" in own.up(), "it is in force, whoever asks"
        assert own.run("down").returncode == 0 and not (own.home / "scenario.yaml").exists()
        (own.home / "scenario.yaml").write_text(scenario.read_text())
        assert f"scenario: {own.home / 'scenario.yaml'}, until you remove that file" in own.up()
        assert own.run("down").returncode == 0 and (own.home / "scenario.yaml").exists()
    finally:
        own.end()


def test_down_leaves_no_process_no_mount_no_namespace_and_no_data(lab: Lab) -> None:
    report = lab.status()
    namespace, network = (
        report["namespace"],
        os.readlink(f"/proc/{report['supervisor']['pid']}/ns/net"),
    )
    assert len(state.processes_inside(namespace)) > 8
    stopped = lab.run("down")
    assert stopped.returncode == 0, stopped.stderr
    assert state.processes_inside(namespace) == {}
    assert network not in {network_of(pid) for pid in os.listdir("/proc") if pid.isdigit()}
    assert str(lab.home) not in pathlib.Path("/proc/self/mountinfo").read_text()
    assert [entry.name for entry in lab.home.iterdir()] == ["log"]
    assert json.loads(lab.run("status", "--json").stdout)["phase"] == "not running"


def test_a_lab_ends_with_the_process_it_was_started_for_however_that_ends(
    tmp_path: pathlib.Path,
) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as owner:
        own = Lab(tmp_path / "lab", LAB_WITHOUT=BARE, LAB_OWNER_PID=str(owner.pid))
        try:
            own.up()
            namespace = own.status()["namespace"]
            assert len(state.processes_inside(namespace)) >= 2
            (listed,) = [
                one
                for one in json.loads(own.run("status", "--all", "--json").stdout)
                if one["home"] == str(own.home)
            ]
            assert listed["owner"]["pid"] == owner.pid and listed["owner"]["command"] == "cat"
            assert listed["phase"] == "ready" and listed["started"] <= time.time()
            assert set(listed["ports"].values()) == set(own.ports.values())
            assert str(own.home) in own.run("status", "--all").stdout
            owner.kill()
            assert state.wait_stopped(own.home, 120)
            assert state.processes_inside(namespace) == {}
            assert (
                "LAB_OWNER_PID named has ended" in (own.home / "log" / "supervisor.log").read_text()
            )
        finally:
            own.end()


STARTS_A_LAB = """
import pathlib, time
from lab.testing.cloud import new_lab
from lab.testing.lab import Lab

def test_that_is_killed():
    here = pathlib.Path({here!r})
    lab = Lab(here / "lab", LAB_WITHOUT={without!r})
    lab.up()
    cloud = new_lab(here)
    cloud.start()
    (here / "starting").write_text(f"{{lab.status()['namespace']}} {{cloud.process.pid}}")
    (here / "starting").rename(here / "started")
    time.sleep(3600)
"""


def test_what_a_run_of_tests_started_ends_with_it_even_when_it_is_killed(
    tmp_path: pathlib.Path,
) -> None:
    test = tmp_path / "test_killed.py"
    test.write_text(STARTS_A_LAB.format(here=str(tmp_path), without=BARE))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "lab.testing.session", str(test)]
    with subprocess.Popen(
        [*command, f"--rootdir={tmp_path}", "-p", "no:cacheprovider"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL,
    ) as run:  # fmt: skip
        try:
            while not (tmp_path / "started").exists():
                assert run.poll() is None, "the run ended before its lab was up"
                time.sleep(0.1)
            namespace, cloud = (tmp_path / "started").read_text().split()
            assert state.processes_inside(namespace) and pathlib.Path(f"/proc/{cloud}").exists()
        finally:
            run.kill()
    assert state.wait_stopped(tmp_path / "lab", 120), "the lab outlives the run"
    assert state.processes_inside(namespace) == {}
    end = time.monotonic() + 120
    while pathlib.Path(f"/proc/{cloud}").exists():
        assert time.monotonic() < end, "the double of the cloud outlives the run"
        time.sleep(0.1)


@pytest.mark.parametrize(
    "text", ["me", "-1", "0", str(2**22 + 1), str(2**70)]
)  # more than the kernel's largest id
def test_an_owner_that_does_not_run_is_refused_before_anything_starts(
    tmp_path: pathlib.Path, text: str
) -> None:
    own = Lab(tmp_path / "lab", LAB_OWNER_PID=text)
    failed = own.run("up")
    assert (
        failed.returncode == 1
        and f"LAB_OWNER_PID={text}: expected the id of a process that runs" in failed.stderr
    )
    assert "Traceback" not in failed.stderr and not state.is_running(own.home)


def test_a_lab_ends_with_the_process_that_up_is_told(tmp_path: pathlib.Path) -> None:
    own = Lab(tmp_path / "lab", LAB_WITHOUT=BARE)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as owner:
        try:
            done = own.run("up", "--owner", str(owner.pid))
            assert done.returncode == 0, done.stdout + done.stderr
            owner.kill()
            assert state.wait_stopped(own.home, 120)
        finally:
            own.end()


def test_a_variable_under_its_old_name_is_refused(tmp_path: pathlib.Path) -> None:
    failed = Lab(tmp_path / "lab", LAB_LIGHT="1").run("up")
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    assert "LAB_LIGHT=1: is called LAB_STUB_PODS now" in failed.stderr


def test_down_of_a_lab_that_does_not_run_is_no_mistake(tmp_path: pathlib.Path) -> None:
    done = Lab(tmp_path / "never").run("down")
    assert done.returncode == 0 and "was not running" in done.stdout


def iter_until(stream: IO[str], text: str) -> Iterator[str]:
    for line in stream:
        yield line
        if text in line:
            return


def network_of(pid: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return ""
