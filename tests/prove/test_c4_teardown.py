"""Destroy leaves nothing after each single fault, after a kill in each stage, without a cluster
that answers; what is to stay stays.

`make prove ITEM=C4` runs it, in C4_LABS labs side by side. C4_KINDS, C4_CALLS and C4_STAGES narrow
it down.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psutil
import pytest

from lab.testing.figures import figure
from ops.teardown.plan import STAGES
from tests.e2e.harness import STACK, Lab
from tests.e2e.test_teardown import nothing_is_left

KINDS = {
    "error": {
        "kind": "error",
        "status": 503,
        "code": "ServiceUnavailable",
        "message": "injected fault",
    },
    "throttled": {
        "kind": "error",
        "status": 400,
        "code": "Throttling.User",
        "message": "Request was denied due to user flow control.",
    },
    "reset": {"kind": "reset"},
    "lost": {"kind": "answered-but-lost"},
}
WANTED = os.environ.get("C4_KINDS", "error,lost").split(",")
C = TypeVar("C")
R = TypeVar("R")


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Lab]]:
    """Labs of their own; instances boot and stop ten times as fast as in life."""
    made: list[Lab] = []
    try:
        for number in range(int(os.environ.get("C4_LABS", "3"))):
            one = Lab.create(pathlib.Path(tmp_path_factory.mktemp(f"c4-{number}")))
            one.extra["LAB_CLOCK"] = "10"
            made.append(one)
            started = one.python("lab", "up")
            assert started.returncode == 0, started.stdout + started.stderr
            one.pulumi("stack", "init", STACK)
        yield made
    finally:
        for one in made:
            one.python("lab", "down")


@pytest.fixture
def lab(labs: list[Lab]) -> Lab:
    """One of them."""
    return labs[0]


def side_by_side(labs: Sequence[Lab], cases: Sequence[C], case: Callable[[Lab, C], R]) -> list[R]:
    """Each case in a lab that is free; what the cases return, in their order. The first failure
    ends it.
    """
    free: queue.SimpleQueue[Lab] = queue.SimpleQueue()
    for one in labs:
        free.put(one)

    def run(wanted: C) -> R:
        mine = free.get()
        try:
            return case(mine, wanted)
        finally:
            free.put(mine)

    with ThreadPoolExecutor(len(labs)) as pool:
        futures = [pool.submit(run, one) for one in cases]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def calls_of_a_teardown(lab: Lab) -> list[tuple[str, str]]:
    """(service, call) of everything a teardown asks the region for, once each."""
    lab.up()
    since = lab.control("calls?since=-1")["last"]
    done, _ = lab.teardown()
    assert done.returncode == 0, done.stdout + done.stderr
    own = [
        (call["service"], call["call"])
        for call in lab.control(f"calls?since={since}")["calls"]
        if not foreign(call)
    ]
    return list(dict.fromkeys(own))


def foreign(call: dict) -> bool:
    """Whether another part of the lab asked: the adapter and the log shipper read and write logs
    all the time.
    """
    return call["call"] in ("PutLogs", "GetLogs", "GetLogsV2", "GetLogStore", "AssumeRoleWithOIDC")


@pytest.mark.timeout(4 * 3600)
def test_after_each_single_fault_nothing_is_left(labs: list[Lab]) -> None:
    calls = calls_of_a_teardown(labs[0])
    narrowed = os.environ.get("C4_CALLS", "")
    calls = [one for one in calls if not narrowed or one[1] in narrowed.split(",")]
    assert calls
    cases = [(service, call, kind) for service, call in calls for kind in WANTED]
    needed = dict(zip(cases, side_by_side(labs, cases, teardowns_under), strict=True))
    again = (
        ", ".join(
            f"{service}:{call} {kind}"
            for (service, call, kind), times in needed.items()
            if times > 1
        )
        or "none"
    )
    figure(
        f"{len(cases)} cases ({len(calls)} calls x {', '.join(WANTED)}): all with 0 left; more than one run needed: {again}"
    )


def teardowns_under(lab: Lab, case: tuple[str, str, str]) -> int:
    """How many runs of `make destroy` it takes until nothing is left when one call of a service
    fails; no more than two.
    """
    service, call, kind = case
    lab.up()
    lab.control(
        "faults", "POST", {"match": {"service": service, "call": call}, "times": 1, **KINDS[kind]}
    )
    done, report = lab.teardown()
    (fault,) = lab.control("faults")["faults"]
    lab.control("faults", "DELETE")
    assert fault["times"] == 0, f"{service} {call}: the fault was not met"
    needed = 1
    if done.returncode != 0:
        print(f"{case}: once more after\n{done.stdout}{done.stderr}")
        needed = 2
        done, report = lab.teardown()
    assert done.returncode == 0 and report["clean"], f"{case}\n{done.stdout}{done.stderr}"
    nothing_is_left(lab)
    print(f"{case}: {needed}", flush=True)
    return needed


def killed_in(lab: Lab, stage: str, everything: bool) -> bool:
    """Starts a teardown and kills it (-9) soon after the stage begins; with `everything`, the CLI
    it runs too. False: it had ended.
    """
    command = [sys.executable, "-m", "ops.teardown", "--stack", STACK]
    process = subprocess.Popen(
        command,
        cwd=lab.program,
        env=lab.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    later = 0
    for line in process.stdout:
        if (begun := re.match(r"^\d/\d (.+)$", line)) and stage in (going := begun[1].split(", ")):
            later = going.index(stage)
            break
    time.sleep(1.5 + 3 * later)  # the stages of one run of the engine begin one after the other
    children = (
        [
            process.pid,
            *(child.pid for child in psutil.Process(process.pid).children(recursive=True)),
        ]
        if process.poll() is None
        else []
    )
    names = {pid: psutil.Process(pid).name() for pid in children if psutil.pid_exists(pid)}
    for pid, name in names.items():
        if everything or not name.startswith("pulumi"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.stdout.close()
    process.wait(timeout=60)
    return bool(names)


@pytest.mark.timeout(3600)
def test_killed_in_each_stage_the_same_command_leaves_nothing(labs: list[Lab]) -> None:
    stages = os.environ.get("C4_STAGES", ",".join(STAGES)).split(",")
    cases = [(stage, everything) for everything in (True, False) for stage in stages]
    killed = sum(side_by_side(labs, cases, goes_on_after_a_kill))
    figure(
        f"{killed} kills, in each of {len(stages)} stages, of teardown and CLI or of the teardown alone: 0 left"
    )
    assert killed >= 2 * len(stages) - 2, "a stage may end before it is killed, most don't"


def goes_on_after_a_kill(lab: Lab, case: tuple[str, bool]) -> bool:
    """Whether a teardown could be killed in the stage; the same command then leaves nothing."""
    stage, everything = case
    lab.up()
    killed = killed_in(lab, stage, everything)
    done, report = lab.teardown()
    assert done.returncode == 0 and report["clean"], (
        f"killed in {stage}\n{done.stdout}{done.stderr}"
    )
    nothing_is_left(lab)
    return killed


def test_what_is_to_stay_stays_and_the_next_up_finds_it(lab: Lab) -> None:
    lab.up()
    objects = lab.control("resources")["resources"]["object_version"]
    done, report = lab.teardown("--keep-model")
    assert done.returncode == 0 and report["clean"], done.stdout + done.stderr
    assert (
        set(lab.control("resources")["extra"]) == {"bucket", "object_version"}
        and len(report["kept"]) == 7
    )
    since = lab.control("calls?since=-1")["last"]
    lab.up()
    calls = {call["call"] for call in lab.control(f"calls?since={since}")["calls"]}
    assert not calls & {"PutBucket", "PutObject", "InitiateMultipartUpload"}, (
        "bucket and model were found"
    )
    assert lab.control("resources")["resources"]["object_version"] == objects

    lab.config(
        "cluster.credentialMinutes", "60"
    )  # a kubeconfig that runs out is renewed by the teardown
    lab.config("modelStore.forceDestroy", "false")
    lab.config("modelStore.protect", "true")
    lab.up()
    before = [resource["urn"] for resource in lab.state()]
    refused, _ = lab.teardown()
    assert (
        refused.returncode == 2
        and "protected" in refused.stderr
        and [resource["urn"] for resource in lab.state()] == before
    )
    nameless, _ = lab.teardown("--unprotect")
    assert nameless.returncode == 2 and "CONFIRM=local" in nameless.stderr
    done, report = lab.teardown("--unprotect", "--confirm", STACK)
    lab.config("modelStore.protect", "false")
    lab.config("modelStore.forceDestroy", "true")
    assert done.returncode == 0 and report["clean"], done.stdout + done.stderr
    nothing_is_left(lab)
    figure(
        "model kept: 0 objects uploaded again by the next up; protected: refused without a word and a name, 0 left with both"
    )


def api_server(lab: Lab) -> int:
    """Process id of the lab's API server."""
    found = [
        one.pid
        for one in psutil.process_iter(["name", "cmdline"])
        if one.info["name"] == "kube-apiserver"
    ]
    (pid,) = [one for one in found if str(lab.home) in " ".join(psutil.Process(one).cmdline())]
    return pid


def test_a_cluster_that_hangs_is_said_to_and_gone_on_without_only_by_the_flag(lab: Lab) -> None:
    lab.up()
    hanging = api_server(lab)
    os.kill(hanging, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        refused, _ = lab.teardown(timeout=120)
        told = time.monotonic() - begun
        assert (
            refused.returncode == 2
            and "does not answer" in refused.stderr
            and "--cluster-gone" in refused.stderr
        )
        begun = time.monotonic()
        ended, report = lab.teardown("--cluster-gone", timeout=900)
        took = time.monotonic() - begun
        assert ended.returncode == 1, ended.stdout + ended.stderr
        assert [gap["what"] for gap in report["unseen"]] == [
            f"the inside of cluster {lab.control('resources')['resources']['cluster'][0]}"
        ]
        assert {one["kind"] for one in report["left"]} == {
            "Namespace",
            "PersistentVolume",
            "object",
        }, report["left"]
        assert lab.control("resources")["extra"] == {} and not report["inState"]
    finally:
        os.kill(hanging, signal.SIGCONT)
    lab.run(
        "kubectl",
        "wait",
        "--for=jsonpath={.status.phase}=Active",
        "namespace/inference",
        "--timeout=60s",
    )
    found, report = lab.teardown("--scan")
    assert found.returncode == 1 and {one["kind"] for one in report["left"]} >= {
        "Namespace",
        "PersistentVolume",
        "object",
    }
    for one in report["left"]:
        lab.run("bash", "-c", one["remove"])
    clean, report = lab.teardown()
    assert clean.returncode == 0 and report["clean"], clean.stdout + clean.stderr
    nothing_is_left(lab)
    figure(
        f"hanging cluster: told after {told:.0f} s, gone on by the flag in {took:.0f} s, objects found once it answered again"
    )
