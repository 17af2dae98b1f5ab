"""docs/faults.md and docs/faults-cluster.md from results: `python -m tests.faults.table
RESULTS`.
"""

from __future__ import annotations

import json
import pathlib
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ops.engine import remediation
from tests.faults.cases import (
    AFTER,
    FAULTS,
    FAULTS_IN_CLUSTER,
    IN_CLUSTER,
    KILLS,
    OPERATIONS,
    PLUGIN_KILLED,
)
from tests.faults.matrix import load, needed

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "faults.md"
PAGE_CLUSTER = PAGE.with_name("faults-cluster.md")
KILLED = (*KILLS, PLUGIN_KILLED)
HEAD = """# Faults during up, refresh and destroy

Written by `make prove ITEM=C3` (`tests/faults`); not edited by hand.

The cases: every call that the cloud half of the graph makes in a clean `up`, `refresh` and `destroy` of stack `local`, under every fault that
can have an effect on it. Program, CLI and alicloud plugin are real, the cloud is the lab's double; objects in the cluster are on
[a page of their own](faults-cluster.md). Each case injects one fault and then repeats the same command as `make up` does: it first settles
what a run left pending. After a refresh that was given a wrong answer, the command is an `up`; `destroy` is the engine's own (`make destroy`
runs it in stages and repeats it automatically). The repetition ends when state and cloud are as after a clean run: the same resources with the
same inputs and outputs in the state (as an `up` leaves them or a refresh reads them) and nothing pending; the same resources with the same
settings in the cloud, no duplicate, no leftover, no instance outside of a pool. A case counts only if its fault was really injected.

| fault | what the cloud double does |
|---|---|
| throttled | refuses the call: 429 `Throttling.User`, of OSS 503 `QpsLimitExceeded` |
| 5xx | refuses the call: 500 `InternalError` |
| timeout | gives no answer until the plugin's read timeout is over (1.5 s here); clients without a timeout are cut off after 3 s |
| reset | cuts the connection, the call is not done |
| lost | does the call and cuts the connection |
| stale | answers two calls with the state before this run (slow consistency); not for OSS objects, which are consistent |
| stuck | answers two polls with the state of an operation that is still running |
| page | splits a listing into pages of one row |
| kill-before | holds the call while the CLI and all its children are killed (-9); the call is never done |
| kill-after | does the call, holds the answer, and kills the CLI and its children |

A cell says which run of the command ended as it should: **1** the one with the fault, **2** the next one. – the fault has no meaning for
this call or made no difference to its answer. = the call changes nothing, so for the client this is the same as the fault to the left
(*reset*, *kill-before*). Blank: not run. If an operation makes a call several times (×n), each one is a case; the cell shows the worst of those
that were run.

Up to ten faults of one kind at different calls share a run, to save time. The cell then counts from the run with this fault to the run
after which all of them had been injected and everything was as it should be; alone it would not be more. A case whose fault was not injected
in such a run, or whose run did not converge, was run again alone. A kill has its own run.
"""


HEAD_CLUSTER = """# Faults while objects in the cluster are created, changed and deleted

Written by `make prove ITEM=C3` (`tests/faults`); not edited by hand.

The cases: every call that the kubernetes plugin (the published provider's own package) makes to the cluster's API server for the objects of
stack `local`, under every fault. Program, CLI and control plane are real, pods are stub pods; the fault is injected between the plugin and
the API server, in four operations: *create* is an `up` that creates all objects when node pool and bucket exist already; *update* is an `up`
after a change of five settings, by which objects change in place and volume and claim are replaced; *refresh objects* is a `refresh`; *delete*
is a `destroy` of all objects. Each case then repeats the same command as `make up` does, until state and cluster are as after a clean run: the
same objects with the same contents, no duplicate (auto-generated names included), no leftover, nothing pending. Also, **no create may have
changed an object that existed**, and no field may belong to a field manager of the plugin other than the state's (its next change would be a
conflict).

| fault | what the API server, or what kills, does |
|---|---|
| throttled | refuses the call: 429 `TooManyRequests`, with `Retry-After` |
| 5xx | refuses the call: 500 `InternalError` |
| conflict | refuses the call: 409 `Conflict` |
| timeout | refuses the call: 504 `Timeout` |
| reset | cuts the connection, the call is not done |
| lost | does the call and cuts the connection |
| lost-4.29 | the same, with creates sent in the form of plugins from 4.29.0 on (below) |
| plugin-killed | does the call, and kills the plugin (-9) before it has the answer; the CLI keeps running |
| kill-before | holds the call while the CLI and all its children are killed (-9); the call is never done |
| kill-after | does the call, holds the answer, and kills the CLI and its children |

A plugin up to 4.28 (the one that is built here is 4.25.0) creates by server-side apply, which takes over an object of the same name. From
4.29.0 on it creates by POST, which fails if the object exists (409 `AlreadyExists`), under the field manager `pulumi-kubernetes`. Under the
faults *lost-4.29*, *plugin-killed* and *kill-after* the creates of all runs are sent in the newer form, so what converges here converges with
both. Under the other faults a create that the API server answered with 200 (the object existed) instead of 201 (created) counts as not
converging.

A cell says which run of the command ended as it should: **1** the one with the fault, **2** the next one, and so on. – the fault has no
meaning for this call or made no difference. Blank: not run. Of reads only the first of each name gets a fault, because the others run the same
code; kills are injected at the first call of six kinds of objects, which differ in how the plugin names, creates or awaits them. If an operation
makes a call several times (×n), each one is a case; the cell shows the worst of those that were run. Up to twenty faults of one kind at
different calls share a run; objects that wait for a refused one get their fault in a later run. A kill has its own run.
"""


def page(
    results: dict[str, dict[str, Any]],
    listed: list[str],
    head: str = HEAD,
    operations: Sequence[str] = OPERATIONS,
) -> str:
    """The whole page."""
    parts = [head, summary(results, listed)]
    for operation in operations:
        parts += [f"\n## {operation}\n", *grid(operation, results, listed)]
    return "\n".join([*parts, "\n## What a failed run said\n", *sayings(results)]) + "\n"


def summary(results: dict[str, dict[str, Any]], listed: list[str]) -> str:
    """Counts: cases, cases run, hit, converging."""
    known = [result for key, result in results.items() if key in set(listed)]
    rows = [
        "| | cases | run | no difference | converging | in the run itself | in the next | later |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for title, kills in (("faults", False), ("kill -9", True)):
        mine = [one for one in known if (one["fault"] in KILLED) == kills]
        hit = [one for one in mine if one["hits"]]
        good = [one for one in hit if one["converged"]]
        runs = [sum(needed(one) == n for one in good) for n in (1, 2)]
        count = sum((key.rpartition("/")[2] in KILLED) == kills for key in listed)
        share = f"{len(good)} of {len(hit)}" + (f" ({len(good) / len(hit):.1%})" if hit else "")
        rows.append(
            f"| {title} | {count} | {len(mine)} | {len(mine) - len(hit)} | {share} | {runs[0]} | {runs[1]} | {len(good) - sum(runs)} |"
        )
    missing = len(set(listed) - results.keys())
    return "\n".join(
        [
            *rows,
            f"\n{missing} of {len(listed)} cases have not been run; their cells are blank."
            if missing
            else "",
        ]
    )


def grid(operation: str, results: dict[str, dict[str, Any]], listed: list[str]) -> list[str]:
    """Calls by faults."""
    cells: dict[str, dict[str, list[dict[str, Any] | None]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for key in listed:
        where, name, fault = key.split("/")
        if where == operation:
            cells[name.split("#")[0]][fault].append(results.get(key))
    faults = FAULTS_IN_CLUSTER if operation in IN_CLUSTER else FAULTS
    rows = [f"| call | {' | '.join(faults)} |", "|---" * (len(faults) + 1) + "|"]
    for name, by_fault in cells.items():
        times = max(len(found) for found in by_fault.values())
        same = AFTER if faults is FAULTS else ()
        shown = [
            cell(by_fault[fault]) if fault in by_fault else "=" if fault in same else "–"
            for fault in faults
        ]
        rows.append(f"| `{name}`{f' ×{times}' if times > 1 else ''} | {' | '.join(shown)} |")
    return rows


def cell(found: list[dict[str, Any] | None]) -> str:
    """The worst of what became of one call under one fault; blank when none was run."""
    run = [one for one in found if one]
    hit = [one for one in run if one["hits"]]
    if not run:
        return ""
    if not hit:
        return "–"
    return (
        "**no**"
        if not all(one["converged"] for one in hit)
        else str(max(needed(one) for one in hit))
    )


def sayings(results: dict[str, dict[str, Any]]) -> list[str]:
    """What failed runs said of each resource and step, by what they advised, with one of the
    messages.
    """
    told: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for result in results.values():
        for number, text in enumerate(result["told"]):
            if result["codes"][number]:
                for what, message, do in re.findall(
                    r"^  (.*?): (\S.*)$\n    do: (.*)$", text, re.MULTILINE
                ):
                    told[what, do].append((_same(message), result["key"]))
    rows = ["| what failed | such as | what to do | runs |", "|---|---|---|---|"]
    for (what, do), found in sorted(told.items()):
        message, key = found[0]
        rows.append(f"| {what} | {message.replace('|', '/')} (`{key}`) | {do} | {len(found)} |")
    return rows


def _same(text: str) -> str:
    """The message without what is drawn anew each time."""
    text = re.sub(
        r"\b[0-9A-F]{8}-[0-9A-F-]{27}\b|\b[0-9A-F]{24}\b", "…", remediation.short(text, 1000)
    )
    text = re.sub(r"/\S+/(?=pulumi-resource-)", "…/", text)
    text = re.sub(r"np[0-9a-f]{30}|T-[0-9a-f]{24}|(?<=-)[0-9a-f]{8}\b", "…", text)
    return remediation.short(re.sub(r"10\.0\.\d+\.\d+:\d+", "…", text), 200)


def write(path: pathlib.Path) -> None:
    """Writes the page from a file of results."""
    listed = json.loads(path.with_suffix(".cases.json").read_text())
    inside = any(key.startswith(IN_CLUSTER[0]) for key in listed)
    head, operations, target = (
        (HEAD_CLUSTER, IN_CLUSTER, PAGE_CLUSTER) if inside else (HEAD, OPERATIONS, PAGE)
    )
    target.write_text(page(load(path), listed, head, operations))


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
