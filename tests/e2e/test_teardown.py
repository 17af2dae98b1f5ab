"""Down leaves nothing: not in the region, not in the cluster, not on the machine. Runs in a lab of its own, because it ends it."""

from __future__ import annotations

import pathlib
import subprocess

import psutil
import pytest

from tests.e2e.harness import STACK, Lab


@pytest.fixture
def own_lab(tmp_path: pathlib.Path):
    """A lab that the test may end."""
    lab = Lab.create(tmp_path)
    started = lab.python("lab", "up")
    assert started.returncode == 0, started.stdout + started.stderr
    yield lab
    lab.python("lab", "down")


def processes_of(lab: Lab) -> list[str]:
    """Command lines on this machine that name this lab's directory."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        words = process.info["cmdline"] or []
        if str(lab.home) in " ".join(words) or (process.info["environ"] or {}).get("LAB_HOME") == str(lab.home):
            found.append(" ".join(words))
    return found


def test_down_leaves_no_resource_no_object_no_process_no_namespace(own_lab: Lab) -> None:
    own_lab.pulumi("stack", "init", STACK)
    own_lab.up()
    assert own_lab.region("resources")["extra"]
    own_lab.destroy()
    assert own_lab.state() == []
    answer = own_lab.region("resources")
    assert (answer["extra"], answer["missing"]) == ({}, {})
    names = [item["metadata"]["name"] for item in own_lab.kubectl("get", "namespaces,pv")["items"]]
    assert not [name for name in names if "inference" in name or "model" in name]

    ended = own_lab.python("ops.down")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert processes_of(own_lab) == []
    assert str(own_lab.home) not in pathlib.Path("/proc/self/mountinfo").read_text()
    namespaces = subprocess.run(["lsns", "--output", "COMMAND", "--noheadings"], capture_output=True, text=True).stdout
    assert str(own_lab.home) not in namespaces
    assert not (own_lab.home / "data").exists()
