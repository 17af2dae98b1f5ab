"""Ctrl-C during `make up`: once it ends cleanly, twice at once; what was under way then is shown
and taken up by the next run.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.e2e.harness import STACK, Lab

GENERATIONS = itertools.count(2)
ORDERED = "NodePool"
ASKED = "press ^C again"
"""What the CLI answers to the first Ctrl-C."""


@pytest.fixture
def changing(deployed: Lab) -> Lab:
    """A stack whose next up orders another pool, moves the pods over and gives the old pool
    back.
    """
    deployed.config("nodePool.generation", str(next(GENERATIONS)))
    return deployed


def interrupted(lab: Lab, times: int) -> tuple[int, str]:
    """Status and words of an up that was interrupted so often while the pool was ordered."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ops.up"], cwd=lab.program, env=lab.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = [_until(process, lambda line: ORDERED in line and "creating" in line)]
    os.killpg(process.pid, signal.SIGINT)
    if times > 1:
        said.append(_until(process, lambda line: ASKED in line))
        os.killpg(process.pid, signal.SIGINT)
    said.append(process.stdout.read())
    return process.wait(timeout=1500), "".join(said)


def _until(process: subprocess.Popen[str], wanted: Callable[[str], bool]) -> str:
    """What was printed up to and including the first line that is wanted."""
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if wanted(line):
            return "".join(lines)
    raise AssertionError(f"ended before that with {process.wait(timeout=1500)}\n{''.join(lines)}")


def pending(lab: Lab) -> list[str]:
    """Names of what the state says was under way."""
    deployment = json.loads(lab.pulumi("stack", "export", "--stack", STACK).stdout)["deployment"]
    return [
        one["resource"]["urn"].split("::")[-1] for one in deployment.get("pending_operations") or []
    ]


def goes_on(lab: Lab) -> str:
    """The same command again ends with the stack as it was asked for: one pool, nothing doubled,
    nothing left to do.
    """
    again = lab.python("ops.up")
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(lab.control("resources")["extra"]["node_pool"]) == 1
    lab.up("--expect-no-changes")
    return again.stdout + again.stderr


def locks(lab: Lab) -> list[str]:
    """Lock files of the state."""
    return [
        str(path)
        for path in (lab.home / "pulumi" / "state" / ".pulumi" / "locks").glob("**/*.json")
    ]


def test_once_ends_cleanly_and_the_same_command_goes_on(changing: Lab) -> None:
    code, said = interrupted(changing, 1)
    assert code != 0 and "Traceback (most recent call last)" not in said.split(ASKED)[0], said
    assert "the same command continues from here" in said
    assert locks(changing) == [] and pending(changing) == [], said
    goes_on(changing)


def test_twice_ends_at_once_and_the_next_run_takes_up_what_was_under_way(changing: Lab) -> None:
    code, said = interrupted(changing, 2)
    assert code != 0, said
    # At once: without the pool's answer, which a run that ends cleanly waits for (above: nothing is
    # pending then).
    assert "pool-pool" in pending(changing), said  # and whatever else had not been answered yet
    # By hand, as the CLI's own messages advise: the engine would order the pool a second time.
    changing.pulumi("cancel", "--yes", STACK, check=False)
    by_hand = changing.pulumi("up", "--stack", STACK, "--yes", "--skip-preview", check=False)
    told = by_hand.stdout + by_hand.stderr
    assert by_hand.returncode != 0 and "make up STACK=local" in told, told
    assert "pool-pool" in pending(changing), told
    said = goes_on(changing)
    assert "the last update was killed while it created" in said
    assert re.search(
        r"pool-pool \(alicloud:cs/nodePool:NodePool\): (adopted as|created again)", said
    ), said  # ordered by then, or not yet
    assert pending(changing) == []
