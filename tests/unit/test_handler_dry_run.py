"""A dry run decides and tells like the handler itself, and changes nothing."""

import time
from typing import Any

import pytest

from interruption_handler import capacity_mix, loop
from interruption_handler.config import CapacityMix, MinReplicas
from interruption_handler.kube import DryRun
from tests.unit.cluster_objects import config, detached, node, pod
from tests.unit.test_handler_actions import Server
from tests.unit.test_handler_events import act, changed, send, written

MIX = CapacityMix(base=0, percent=30, points=4, after_seconds=0.01, max_nodes=40)
SETTINGS = {"capacity_mix": MIX, "min_replicas": MinReplicas(base=3)}


def led(dry: bool, server: Server, nodes: dict[str, Any], pods: dict[str, Any]) -> loop.Loop:
    """The leader of such a cluster."""
    leading = loop.Loop(server, config(dry_run=dry, **SETTINGS), "first")  # type: ignore[arg-type]  # a stand-in for the API server
    leading._nodes._objects, leading._pods._objects = nodes, pods
    leading._deployments._objects = {"bert": {"uid": "d", "spec": {"replicas": len(pods)}}}
    assert leading._hpas is not None
    leading._hpas._objects = {
        "bert-hpa": {"uid": "h", "spec": {"minReplicas": 1, "maxReplicas": 9}}
    }
    leading._lease._attempt()
    return leading


def under_notice() -> tuple[dict[str, Any], dict[str, Any]]:
    """A notice, a node that is gone, and a minimum to set."""
    noticed_at = time.time() - 10
    nodes = {"n1": node("n1", notice_at=noticed_at), "n2": node("n2")}
    return nodes, {"a": pod("a", "n1"), "b": pod("b", "n2"), "c": pod("c", "gone", ready=False)}


def too_dear() -> tuple[dict[str, Any], dict[str, Any]]:
    """Only pay-as-you-go nodes, all calm: the mix is to be corrected."""
    nodes = {name: node(name, spot=False) for name in ("n1", "n2", "n3", "n4")}
    return nodes, {f"p-{name}": pod(f"p-{name}", name) for name in nodes}


def left_over() -> tuple[dict[str, Any], dict[str, Any]]:
    """A cordon for a reason that nobody knows, a pod of an earlier version, a withdrawn notice."""
    nodes = {
        "n1": node("n1", cordon_reason="old", unschedulable=True),
        "n2": node("n2", cordon_reason="notice", unschedulable=True),
    }
    pods = {
        "a": detached("a", "n1", role="former"),
        "b": detached("b", "n2"),
        "c": pod("c", "n2"), "d": pod("d", "n2"), "e": pod("e", "n2"),
    }  # fmt: skip
    return nodes, pods


EXPECTED = {
    "notice": (under_notice, {"WouldCordon", "WouldDetach", "WouldForceDelete", "WouldSetMinReplicas"}),
    "mix": (too_dear, {"WouldCordon", "WouldSaveNote", "WouldSetMinReplicas"}),
    "leftovers": (left_over, {"WouldUncordon", "WouldReattach", "WouldSetMinReplicas"}),
}  # fmt: skip


@pytest.mark.parametrize("case", EXPECTED)
def test_a_dry_run_tells_what_it_would_do_and_writes_nothing_else_and_the_handler_does_it(
    case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make, reasons = EXPECTED[case]
    dry, real = (Server(**{"/nodes/gone": 404}) for _ in range(2))
    for server, is_dry in ((dry, True), (real, False)):
        leading = led(is_dry, server, *make())
        for _ in range(4):
            act(leading, 1)
            time.sleep(0.02)
        send(leading._recorder)
    assert changed(dry) == [] and changed(real) != []
    assert {body["reason"] for _, _, body in written(dry)} >= reasons
    assert not [b for _, _, b in written(real) if b["reason"].startswith("Would")]
    assert dry.lease is not None and dry.lease["metadata"]["annotations"] == {}
    assert "dry run: action not done" in capsys.readouterr().out


def test_a_dry_run_says_each_thing_once_in_ten_minutes() -> None:
    server = Server(**{"/nodes/gone": 404})
    leading = led(True, server, *under_notice())
    act(leading, 10)
    send(leading._recorder)
    told = [(body["reason"], body["regarding"]["name"]) for _, _, body in written(server)]
    assert told and len(told) == len(set(told))


def test_a_dry_run_keeps_the_notes_that_its_next_decision_builds_on() -> None:
    leading = led(True, Server(), *too_dear())
    act(leading, 1)
    assert "over" in leading.snapshot().notes[capacity_mix.NOTE]
    leading._keep_note(capacity_mix.NOTE, None)
    assert capacity_mix.NOTE not in leading.snapshot().notes


def test_at_its_end_a_dry_run_undoes_nothing() -> None:
    server = Server()
    leading = led(True, server, *left_over())
    leading._removed = lambda: True  # type: ignore[method-assign]
    with loop.ThreadPoolExecutor(1) as pool:
        leading._clean_up(pool)
    assert changed(server) == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_the_client_of_a_dry_run_sends_no_write_whatever_asks_for_it(method: str) -> None:
    server = Server()
    api = DryRun(server)  # type: ignore[arg-type]  # a stand-in for the API server
    assert (
        api.call(method, "/api/v1/nodes/n1", {}) == {} and api.patch("/api/v1/nodes/n1", {}) == {}
    )
    assert server.calls == []
    api.call("GET", "/api/v1/nodes/n1")
    assert [call[0] for call in server.calls] == ["GET"]
