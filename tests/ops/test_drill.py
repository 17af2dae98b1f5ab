"""`make drill`: what a real stack is asked before, what is done to it, and the verdict."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ops.drill import real
from ops.drill.verdict import of_loss, of_outage
from ops.load.session import SessionError
from ops.report.run import Run

NODES = {
    "items": [
        {"metadata": {"name": name}, "spec": spec}
        for name, spec in (("a", {}), ("b", {}), ("shut", {"unschedulable": True}))
    ]
}


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl that writes down what it is asked, and knows three nodes; KUBECTL_FAILS names the
    word at which it fails.
    """
    log = tmp_path / "called"
    log.touch()
    (tmp_path / "nodes.json").write_text(json.dumps(NODES))
    command = tmp_path / "kubectl"
    command.write_text(
        f'#!/bin/sh\necho "$*" >> {log}\n[ "$1" = "$KUBECTL_FAILS" ] && {{ echo "cannot evict pod: budget" >&2; exit 1; }}\n'
        f'[ "$1" = get ] && cat {tmp_path / "nodes.json"}\nexit 0\n'
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return log


def test_only_the_pools_preemptible_nodes_that_take_pods_are_meant(called: Path) -> None:
    assert real.open_spot_nodes("np1") == ["a", "b"]
    key = "node.alibabacloud.com/spot-strategy"
    assert (
        called.read_text().split()[3] == f"{key},{key}!=NoSpot,alibabacloud.com/nodepool-id=np1"
    ), "a node without the label is not meant"


def test_a_kubectl_that_can_not_say_is_an_error_with_its_reason(
    called: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECTL_FAILS", "get")
    with pytest.raises(SessionError, match="cannot evict pod: budget; check the kubeconfig"):
        real.open_spot_nodes("np1")


@pytest.mark.parametrize("typed", ["np2", "yes", " np1"])
def test_without_the_pools_id_nothing_is_changed(
    typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: typed)
    with pytest.raises(SessionError, match="expected np1; nothing was changed"):
        real.confirm("np1", ["a", "b"], None)
    assert "cordon and drain 2 preemptible nodes of pool np1" in capsys.readouterr().out


def test_where_nobody_can_type_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    with pytest.raises(SessionError, match="give --yes np1; nothing was changed"):
        real.confirm("np1", ["a"], None)
    real.confirm("np1", ["a"], "np1")


def test_a_pool_without_preemptible_nodes_has_nothing_to_lose() -> None:
    with pytest.raises(SessionError, match="nothing to lose"):
        real.confirm("np1", [], "np1")


def test_all_nodes_are_closed_before_the_first_is_drained_and_opened_again_in_the_end(
    called: Path,
) -> None:
    assert real.drain(["a", "b"], 300) == ""
    real.reopen(["a", "b"])
    lines = called.read_text().splitlines()
    assert lines == [
        "cordon a b",
        "drain a b --ignore-daemonsets --delete-emptydir-data --timeout=300s",
        "uncordon a",
        "uncordon b",
    ]


def test_what_a_budget_keeps_is_told_and_fails_the_drill(
    called: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECTL_FAILS", "drain")
    left = real.drain(["a"], 120)
    assert left == "cannot evict pod: budget"
    verdict = of_loss(_run(), 0.0, 1, 120, 10.0, left)
    assert not verdict.passed and any(
        "not drained in time: cannot evict pod" in line for line in verdict.lines
    )


def _run(
    capacity: tuple[float, ...] = (20, 20, 20), failed: int = 0, wanted: tuple[int, ...] = (2, 2, 2)
) -> Run:
    samples: list[dict[str, Any]] = [
        {"t": 10.0 * i, "capacity_qps": c, "pods": {"desired": w}}
        for i, (c, w) in enumerate(zip(capacity, wanted, strict=True))
    ]
    requests = [
        {"t": 10.0 * i, "count": 100, "failed": failed if i == 1 else 0, "late": 0}
        for i in range(3)
    ]
    return Run({"clock": 10}, samples, requests)


def test_a_loss_with_acks_notice_that_nobody_noticed_is_passed_and_states_the_clock() -> None:
    verdict = of_loss(_run(), 0.0, 14, 300, 15.0)
    assert (
        verdict.passed
        and "clock factor 10" in verdict.lines[0]
        and "14 preemptible nodes lost with 300 s notice" in verdict.lines[1]
    )


@pytest.mark.parametrize(
    ("run", "notice"),
    [(_run(failed=1), 300), (_run(capacity=(20, 10, 20)), 300), (_run(capacity=(20, 20, 10)), 120)],
)
def test_a_failed_request_a_dip_or_capacity_that_stays_away_fails_it(
    run: Run, notice: float
) -> None:
    assert not of_loss(run, 0.0, 14, notice, 15.0).passed


def test_with_less_notice_a_small_share_may_be_lost() -> None:
    assert of_loss(_run(failed=1), 0.0, 14, 120, 15.0).passed
    lasting = _run()
    lasting.requests[-1]["failed"] = 10  # and so the hour goes on
    assert not of_loss(lasting, 0.0, 14, 0, 15.0).passed


def test_an_outage_that_takes_pods_away_or_fails_requests_is_not_passed() -> None:
    assert of_outage(_run(), 0.0).passed
    assert (
        not of_outage(_run(wanted=(3, 2, 3)), 0.0).passed
        and not of_outage(_run(failed=2), 0.0).passed
    )
