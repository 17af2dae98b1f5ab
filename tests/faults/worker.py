"""`python -m tests.faults.worker [OPERATION…]`, inside a lab: reads a list of cases a line, writes
what became of them as a line.

The first line it writes lists the calls of a clean up, refresh and destroy, or of those operations
alone: of the cloud half, or of the cluster half.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

from tests.faults.cases import IN_CLUSTER, KILLS, OPERATIONS, PLUGIN_KILLED, Case
from tests.faults.inside import ClusterWorld
from tests.faults.shape import Shape
from tests.faults.world import Run, World

MOST_RUNS = 3
"""And one more for each fault."""
NEIGHBOUR = {"cluster_id": "c0" + "0" * 31, "name": "neighbour", "vswitch_ids": ["vsw-labe"]}
"""Another cluster, whose identity provider is listed before ours."""


def clean_runs(world: World, operations: list[str]) -> dict[str, list[dict[str, Any]]]:
    """The operations without a fault, in this order: what they call, and how things are
    afterwards.
    """
    world.ask("clusters", "POST", NEIGHBOUR)
    world.stack.run("stack", "init", "local")
    world.keep("empty")
    calls: dict[str, list[dict[str, Any]]] = {}
    for operation in operations:
        before = world.ask("calls?since=-1")["last"]
        world.expected[operation] = clean_run(world, operation)
        calls[operation] = world.ask(f"calls?since={before}")["calls"]
        if operation == "up":
            world.keep("deployed")
        if operation == "refresh":
            world.expected["up after refresh"] = clean_run(world, "up")
    return calls


def clean_run(world: World, operation: str) -> Shape:
    """One operation without a fault, and how things are once it has come to rest."""
    done = world.run(operation)
    assert done.code == 0, f"{operation} without a fault: {done.output}{done.told}"
    world.settle()
    return world.shape()


def attempt(world: World, batch: list[Case]) -> list[dict[str, Any]]:
    """Runs cases of one operation: the command under their faults, then again until it has done
    what a clean run does.
    """
    first = batch[0]
    world.begin(batch)
    at_start = (
        world.kill_when_struck(first) if first.fault in (*KILLS, PLUGIN_KILLED) else unwatched
    )
    runs: list[Run] = []
    left: list[str] = []
    hits: list[int] = []
    struck: dict[int, int] = {}
    for _ in range(MOST_RUNS + len(batch)):
        runs.append(world.run(next_command(first, runs), unwatched if runs else at_start))
        hits = [fault["hits"] for fault in world.ask("faults")["faults"]]
        struck = {**{place: len(runs) for place, n in enumerate(hits) if n}, **struck}
        left = world.differences(first.operation) if runs[-1].code == 0 else ["the run failed"]
        if not left or not any(hits):
            break
    ended = {
        "runs": len(runs),
        "codes": [run.code for run in runs],
        "seconds": [run.seconds for run in runs],
        "converged": not left,
        "left": left[:6],
        "told": [run.told for run in runs],
        "message": messages(first, runs),
        "output": "" if not left else runs[-1].output[-1500:],
        "together": len(batch),
    }
    return [
        {
            "key": case.key,
            **dataclasses.asdict(case),
            "hits": hits[place],
            "struck": struck.get(place, 1),
            **ended,
        }
        for place, case in enumerate(batch)
    ]


def next_command(first: Case, runs: list[Run]) -> str:
    """The same command again; after a refresh that believed a wrong answer, an up: what a refresh
    has forgotten it does not learn again.
    """
    return (
        "up"
        if first.operation.startswith("refresh") and runs and runs[-1].code == 0
        else first.operation
    )


def unwatched(process: Any) -> None:
    """Lets a run go its way."""


def messages(first: Case, runs: list[Run]) -> str:
    """What is wrong with the message of a failed run; empty when each names what failed and what to
    do.
    """
    for number, run in enumerate(runs):
        killed = first.fault in KILLS and number == 0
        if (
            run.code
            and not killed
            and not ("What did not finish:" in run.told and "    do: " in run.told)
        ):
            return f"run {number + 1} failed without a word on what to do: {run.told}"
    return ""


def main() -> int:
    """Serves until its input ends."""
    operations = sys.argv[1:] or list(OPERATIONS)
    answers, sys.stdout = sys.stdout, sys.stderr
    if set(operations) <= set(IN_CLUSTER):
        inside = ClusterWorld()
        world: World = inside
        calls = inside.clean_runs(operations)
    else:
        world = World()
        calls = clean_runs(world, operations)
    print(json.dumps(calls), file=answers, flush=True)
    for line in sys.stdin:
        batch = [Case(**one) for one in json.loads(line)]
        try:
            results = attempt(world, batch)
        except Exception as error:
            broken = f"{type(error).__name__}: {error}"
            results = [
                {"key": case.key, **dataclasses.asdict(case), "broken": broken} for case in batch
            ]
        print(json.dumps(results), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
