"""What the handler cleans up that nobody continues, and what it undoes when it is removed."""

import threading
from typing import Any

import pytest

from interruption_handler import leftovers, loop
from interruption_handler.config import CapacityMix
from interruption_handler.kube import ApiError
from interruption_handler.loop import Loop
from tests.unit.cluster_objects import NOW, config, detached, node, pod, snapshot, steps
from tests.unit.test_handler_actions import Server, run_until

MIX = CapacityMix(base=0, percent=30, points=4, after_seconds=300, max_nodes=40)


def cordoned(name: str, why: str, **more: Any) -> Any:
    """A node that the handler cordoned."""
    return node(name, unschedulable=True, cordon_reason=why, **more)


def test_a_cordon_of_a_mix_that_was_switched_off_is_taken_back_and_a_living_one_is_not() -> None:
    seen = snapshot([cordoned("n1", "mix"), cordoned("n2", "other"), node("n3")], [], 1)
    off, on = config(), config(capacity_mix=MIX)
    assert steps(leftovers.decide(seen, off, NOW)) == [("Uncordon", "n1"), ("Uncordon", "n2")]
    assert steps(leftovers.decide(seen, on, NOW)) == [("Uncordon", "n2")]
    ending = snapshot([cordoned("n1", "mix", notice_at=NOW)], [], 1)
    assert steps(leftovers.decide(ending, off, NOW)) == [], "no pod may land on it"


def test_a_node_that_somebody_else_cordoned_is_not_touched() -> None:
    seen = snapshot([node("n1", unschedulable=True)], [], 1)
    assert steps(leftovers.decide(seen, config(), NOW)) == []
    assert steps(leftovers.at_end(seen, config())) == []


@pytest.mark.parametrize(
    "left",
    [
        detached("a", "n1", role="former"),
        detached("a", "n1", detach_reason="", template_hash="abc"),
    ],
    ids=["of an earlier version of the model", "attached again, adopted by nobody"],
)
def test_a_pod_that_nobody_owns_goes_once_the_wanted_ones_are_ready(left: Any) -> None:
    nodes = [node("n1"), node("n2")]
    ready = snapshot(nodes, [left, pod("b", "n2")], 1)
    assert steps(leftovers.decide(ready, config(), NOW)) == [("Evict", "a")]
    for too_early in (
        snapshot(nodes, [left, pod("b", "n2", ready=False)], 1),
        snapshot(nodes, [left, pod("b", "n2")], None),
    ):
        assert steps(leftovers.decide(too_early, config(), NOW)) == []


def test_pods_that_the_handler_never_detached_and_another_stacks_are_left_alone() -> None:
    pods = [
        pod("mine", "n1", owned=False),
        detached("theirs", "n1", role="former", detached_by="another-interruption-handler"),
        pod("b", "n1"),
    ]
    assert steps(leftovers.decide(snapshot([node("n1")], pods, 1), config(), NOW)) == []
    assert steps(leftovers.at_end(snapshot([node("n1")], pods, 1), config())) == []


def test_at_the_end_cordons_and_detachments_are_undone_but_not_on_nodes_that_end() -> None:
    nodes = [cordoned("n1", "mix"), cordoned("n2", "notice", notice_at=NOW), node("n3")]
    pods = [
        detached("a", "n1", "mix"),
        detached("b", "n2"),
        detached("c", "n3", role="former"),
        pod("d", "n3"),
    ]
    assert steps(leftovers.at_end(snapshot(nodes, pods, 2), config())) == [
        ("Uncordon", "n1"),
        ("Reattach", "a"),
        ("Reattach", "c"),
    ]


class Ending(Server):
    """Answers with the handler's own Deployment as given: an object, or a status."""

    def __init__(self, deployment: dict[str, Any] | int) -> None:
        super().__init__()
        self.deployment = deployment

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """A read."""
        if path.endswith("/deployments/bert-interruption-handler"):
            if isinstance(self.deployment, int):
                raise ApiError(self.deployment, path, "refused")
            return self.deployment
        return super().get(path, **query)


@pytest.mark.parametrize(
    ("deployment", "undone"),
    [
        (404, True),
        (
            {"metadata": {"deletionTimestamp": "2027-01-15T08:00:00Z"}, "spec": {"replicas": 2}},
            True,
        ),
        ({"metadata": {}, "spec": {"replicas": 0}}, True),
        ({"metadata": {}, "spec": {"replicas": 2}}, False),
        (403, False),
        (0, False),
    ],
    ids=["gone", "being deleted", "wants no pods", "rolls", "no right to look", "server away"],
)
def test_the_leader_undoes_what_it_did_only_when_the_handler_itself_is_removed(
    deployment: dict[str, Any] | int, undone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Ending(deployment)
    led = Loop(server, config(), "first")  # type: ignore[arg-type]  # a stand-in for the API server
    led._nodes._objects = {"n1": cordoned("n1", "mix")}
    leading = threading.Event()
    monkeypatch.setattr(loop, "decide", lambda *_: leading.set() or [])
    run_until(leading, led, monkeypatch)
    changes = [call for call in server.calls if call[1] == "/api/v1/nodes/n1"]
    assert [body["spec"] for _, _, body in changes] == ([{"unschedulable": None}] if undone else [])
    assert server.lease is not None and server.lease["spec"]["holderIdentity"] == ""


def test_a_replica_that_stands_by_undoes_nothing() -> None:
    server = Ending(404)
    led = Loop(server, config(), "second")  # type: ignore[arg-type]  # a stand-in for the API server
    led._nodes._objects = {"n1": cordoned("n1", "mix")}
    with loop.ThreadPoolExecutor(1) as pool:
        led._clean_up(pool)
    assert server.calls == []
