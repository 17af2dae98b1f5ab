"""Every call of the graph under every fault, and under kill -9: all converge. Writes docs/faults.md
and docs/faults-cluster.md.

FAULT_RESULTS names a file to go on from (the cluster half's has -cluster in its name), FAULT_CASES
the cases wanted (words of their keys), FAULT_LABS how many run side by side.
"""

from __future__ import annotations

import json
import os
import pathlib

import pytest

from lab.testing.figures import figure
from tests.faults import cases, matrix, table
from tests.faults.cases import IN_CLUSTER

HALVES = {"cloud": ((), matrix.TOGETHER, 300), "cluster": (IN_CLUSTER, matrix.TOGETHER_INSIDE, 300)}
"""The operations (all that there are of the cloud half), faults in one run, and how many cases
there must be.
"""


@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("half", HALVES)
def test_every_call_under_every_fault_converges_with_nothing_twice_and_nothing_left(
    tmp_path: pathlib.Path, half: str
) -> None:
    operations, size, least = HALVES[half]
    path = pathlib.Path(os.environ.get("FAULT_RESULTS", tmp_path / "results.jsonl"))
    path = path.with_stem(f"{path.stem}-{half}") if operations else path
    words = os.environ.get("FAULT_CASES", "")
    with matrix.workers(tmp_path, int(os.environ.get("FAULT_LABS", "3")), *operations) as running:
        listed = running[0].cases()
        path.with_suffix(".cases.json").write_text(json.dumps([case.key for case in listed]))
        known = matrix.load(path)
        wanted = cases.chosen(listed, words)
        todo = [case for case in wanted if case.key not in known]
        matrix.run(todo, running, float("inf"), matrix.Results(path, len(todo)).keep, size)
    found = matrix.load(path)
    results = [found[case.key] for case in wanted if case.key in found]
    if not words:
        table.write(path)
    hit = [result for result in results if result["hits"]]
    for title, kills in (("faults", False), ("kill -9", True)):
        mine = [result for result in hit if (result["fault"] in table.KILLED) == kills]
        figure(
            f"{half} half, {title}: {sum(result['converged'] for result in mine)} of {len(mine)} cases converge"
        )
    assert len(results) == len(wanted) and (words or len(hit) >= least)
    assert [(result["key"], result["left"]) for result in hit if not result["converged"]] == []
    assert [(result["key"], result["message"]) for result in hit if result["message"]] == []
