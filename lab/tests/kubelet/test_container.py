"""A container as a real process: start, exit, restarts, hooks, orderly and disorderly end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from lab.kubelet import container as module
from lab.kubelet.process import run
from lab.tests.kubelet.conftest import Around, until

SLEEP = ["sleep", "60"]
OBEDIENT = [
    sys.executable,
    "-c",
    "import signal,sys,time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\nprint('up', flush=True)\ntime.sleep(60)",
]


def alive(pid: int | None) -> bool:
    """Whether a process exists."""
    try:
        os.kill(pid or 0, 0)
    except ProcessLookupError:
        return False
    return True


async def test_output_goes_to_the_log_and_the_exit_code_to_the_status(around: Around) -> None:
    container = around.make("Never", command=["sh", "-c", "echo to-out; echo to-err >&2; exit 3"])
    await container.run()
    assert container.state.exit_code == 3
    assert container.state.state["terminated"]["reason"] == "Error"
    assert sorted(container.log_path().read_text().split()) == ["to-err", "to-out"]
    assert around.events.reasons() == ["Pulling", "Pulled", "Created", "Started"]
    assert container.state.container_id.startswith("containerd://")


async def test_variables_and_the_file_tree_reach_the_process(around: Around) -> None:
    container = around.make(
        "Never",
        command=["sh", "-c", 'echo "$A $LAB_POD_IP"; pwd'],
        env=[{"name": "A", "value": "x"}],
    )
    await container.run()
    first, second = container.log_path().read_text().splitlines()
    assert first == "x 127.0.0.1"
    assert second == str(around.folder / "containers/c/rootfs")


async def test_a_failing_container_restarts_at_once_then_backs_off(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BACKOFF_FIRST", 0.3)
    container = around.make(command=["false"])
    work = asyncio.ensure_future(container.run())
    await until(lambda: container.state.restarts >= 2)
    work.cancel()
    assert around.shown[:5] == [
        "running",
        "terminated",
        "running",
        "terminated",
        "CrashLoopBackOff",
    ]
    assert container.state.last["terminated"]["exitCode"] == 1
    assert (
        "Warning",
        "BackOff",
        "Back-off restarting failed container c in pod p_n(u1)",
    ) in around.events.seen


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [("Always", 0, True), ("OnFailure", 0, False), ("OnFailure", 1, True), ("Never", 1, False)],
)
async def test_the_restart_policy_decides(
    around: Around, policy: str, code: int, again: bool
) -> None:
    container = around.make(policy, command=["sh", "-c", f"exit {code}"])
    work = asyncio.ensure_future(container.run())
    await until(lambda: work.done() or container.state.restarts)
    assert bool(container.state.restarts) == again
    work.cancel()


async def test_a_process_that_handles_sigterm_ends_within_its_grace_period(around: Around) -> None:
    container = around.make(command=OBEDIENT, image="python:3")
    work = asyncio.ensure_future(container.run())
    await until(lambda: container.state.running and "up" in container.log_path().read_text())
    await container.stop(20)
    await work
    assert container.state.exit_code == 0  # 137 had it been killed at the end of the period
    assert "Killing" in around.events.reasons()


async def test_a_process_without_a_handler_is_deaf_like_process_one_and_is_killed_at_the_end_of_the_grace_period(
    around: Around,
) -> None:
    container = around.make(command=SLEEP)
    work = asyncio.ensure_future(container.run())
    await until(lambda: container.state.running)
    began = time.monotonic()
    await container.stop(2)
    await work
    assert container.state.exit_code == 137
    assert time.monotonic() - began >= 2


async def test_the_pre_stop_sleep_passes_before_the_signal_and_counts_against_the_grace_period(
    around: Around,
) -> None:
    container = around.make(
        command=OBEDIENT, image="python:3", lifecycle={"preStop": {"sleep": {"seconds": 1}}}
    )
    work = asyncio.ensure_future(container.run())
    await until(lambda: container.state.running and "up" in container.log_path().read_text())
    began = time.monotonic()
    stop = asyncio.ensure_future(container.stop(20))
    await asyncio.sleep(0.5)
    assert container.state.running
    await stop
    await work
    assert time.monotonic() - began >= 1
    assert container.state.exit_code == 0


async def test_a_pre_stop_command_runs_in_the_container_and_its_failure_is_an_event(
    around: Around,
) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo $NAME > told; exit 7"]}}}
    container = around.make(command=SLEEP, env=[{"name": "NAME", "value": "x"}], lifecycle=hook)
    work = asyncio.ensure_future(container.run())
    await until(lambda: container.state.running)
    await container.stop(1)
    await work
    assert (around.folder / "containers/c/rootfs/told").read_text() == "x\n"
    assert "FailedPreStopHook" in around.events.reasons()


async def test_children_of_the_process_die_with_it(around: Around) -> None:
    container = around.make("Never", command=["sh", "-c", "sleep 60 & echo $!; sleep 0.2"])
    await container.run()
    child = int(container.log_path().read_text())
    await until(lambda: not alive(child), 5)


async def test_a_kill_ends_everything_at_once(around: Around) -> None:
    container = around.make(command=["sh", "-c", "sleep 60 & echo $!; wait"])
    work = asyncio.ensure_future(container.run())
    await until(lambda: container.state.running and container.log_path().read_text().strip())
    child = int(container.log_path().read_text())
    container.kill()
    await asyncio.wait_for(work, 5)
    await until(lambda: not alive(child), 5)
    assert container.state.exit_code == 137


async def test_an_unknown_image_alternates_between_error_and_back_off(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PULL_RETRY", 0.05)
    container = around.make(image="no/such:1")
    work = asyncio.ensure_future(container.run())
    await until(lambda: len(around.shown) >= 4)
    work.cancel()
    assert around.shown[:4] == [
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImagePull",
        "ImagePullBackOff",
    ]
    assert ("Warning", "Failed", "Error: ErrImagePull") in around.events.seen
    assert any("pull access denied" in message for _, _, message in around.events.seen)


async def test_a_program_that_is_not_there_is_a_start_error(around: Around) -> None:
    container = around.make("Never", command=["/no/such/program"])
    await container.run()
    ended = container.state.state["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert "/no/such/program" in ended["message"]


async def test_a_missing_configuration_holds_the_container_back(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PULL_RETRY", 0.05)
    container = around.make(
        command=SLEEP,
        env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "gone", "key": "k"}}}],
    )
    work = asyncio.ensure_future(container.run())
    await until(lambda: around.events.reasons().count("Failed") >= 2)
    work.cancel()
    assert container.state.restarts == 0
    assert container.state.state["waiting"]["message"] == 'configmap "gone" not found'


async def test_pause_has_no_process_and_ends_when_told(around: Around) -> None:
    container = around.make(image="registry.k8s.io/pause:3.10")
    work = asyncio.ensure_future(container.run())
    await until(lambda: container.state.running)
    assert container.process is not None
    assert container.process.pid is None
    await container.stop(30)
    await work
    assert container.state.exit_code == 0


async def test_a_command_that_takes_too_long_is_killed(around: Around) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await run(["sh", "-c", "sleep 600 & sleep 600"], dict(os.environ), around.folder, 0.3)
    assert time.monotonic() - began < 300


def test_nothing_outlives_the_agent(tmp_path: object) -> None:

    program = (
        "import asyncio, os\nfrom pathlib import Path\nfrom lab.kubelet.process import start\n"
        "async def main():\n p = await start(['sleep', '60'], dict(os.environ), Path('.'), Path('/dev/null'))\n"
        " print(p.pid, flush=True)\n await p.wait()\nasyncio.run(main())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as agent:
        assert agent.stdout is not None
        child = int(agent.stdout.readline())
        assert alive(child)
        agent.send_signal(signal.SIGKILL)
        agent.wait()
    end = time.monotonic() + 5
    while alive(child):
        assert time.monotonic() < end, "the container outlived the agent"
        time.sleep(0.02)
