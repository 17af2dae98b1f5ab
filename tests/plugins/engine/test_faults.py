"""A sample of the fault matrix (docs/faults.md): the answers to four creations are lost in one run.
All of it is `make prove ITEM=C3`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults import matrix

SAMPLE = ("CreateClusterNodePool", "CreateRole", "CreatePolicy", "PutBucket")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """What became of each of the sample's calls."""
    with matrix.workers(pathlib.Path(tmp_path_factory.mktemp("faults")), 1, "up") as (worker,):
        wanted = [case for case in worker.cases() if case.call in SAMPLE and case.fault == "lost"]
        yield {result["call"]: result for result in worker.run(wanted)}


@pytest.mark.parametrize("call", SAMPLE)
def test_what_was_made_without_an_answer_is_neither_made_twice_nor_lost(
    results: dict[str, dict[str, Any]], call: str
) -> None:
    result = results[call]
    assert not result.get("broken"), result
    assert result["hits"] == 1 and result["converged"], result
    assert result["message"] == ""


def test_the_run_says_what_it_did_about_each(results: dict[str, dict[str, Any]]) -> None:
    told = "".join(results["PutBucket"]["told"])
    assert "was ordered twice, because an answer was lost" in told
    assert told.count("its answer was lost, but it was created and is in the state now") >= 2
