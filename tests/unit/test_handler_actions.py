"""How the handler reads and changes the cluster: what it sends, how it takes refusals, restarts and
a second replica.
"""

import copy
import threading
import time
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from interruption_handler import actions, backoff, loop
from interruption_handler.actions import (
    Cordon,
    Delete,
    Detach,
    Evict,
    Executor,
    ForceDelete,
    Reattach,
    SetDeletionCost,
    SetMinReplicas,
    Uncordon,
)
from interruption_handler.informer import Informer
from interruption_handler.kube import ApiError
from tests.unit.cluster_objects import config, detached, node, pod, snapshot

Call = tuple[str, str, Any]


class Server:
    """An API server that writes down what it is asked and answers as told: status by part of the
    path.
    """

    def __init__(self, **refusals: int) -> None:
        self.calls: list[Call] = []
        self.refusals = refusals
        self.lists: list[dict[str, Any]] = []
        self.watches: list[list[tuple[str, dict[str, Any]]] | ApiError] = []
        self.lease: dict[str, Any] | None = None

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = ""
    ) -> dict[str, Any]:
        """Any request."""
        self.calls.append((method, path, body))
        for part, status in self.refusals.items():
            if part in path:
                raise ApiError(status, path, "refused")
        if "/leases" in path:
            return self._on_lease(method, body)
        return {"metadata": {"annotations": {}}}

    def get(self, path: str, **_query: str) -> dict[str, Any]:
        """A read."""
        return self.lists.pop(0) if self.lists else self.call("GET", path)

    def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """A change."""
        return self.call("PATCH", path, change)

    def bounded(self, **_: Any) -> "Server":
        """The same server: timeouts and permits are tested with a real connection."""
        return self

    def watch(
        self, path: str, query: Mapping[str, str], seconds: float, silence: float
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The next prepared watch; an error where there is none."""
        self.calls.append(("WATCH", path, query["resourceVersion"]))
        events = self.watches.pop(0) if self.watches else ApiError(0, path, "down")
        if isinstance(events, ApiError):
            raise events
        yield from events

    def _on_lease(self, method: str, body: Any) -> dict[str, Any]:
        if method == "GET" and self.lease is None:
            raise ApiError(404, "lease", "not found")
        if method == "POST":
            self.lease = {
                "metadata": {"resourceVersion": "1", "annotations": {}},
                "spec": body["spec"],
            }
        elif method == "PATCH" and self.lease is not None:
            version = body.get("metadata", {}).get("resourceVersion")
            if version not in (None, self.lease["metadata"]["resourceVersion"]):
                raise ApiError(409, "lease", "conflict")
            self.lease["metadata"]["resourceVersion"] += "1"
            self.lease["metadata"]["annotations"] |= (
                body.get("metadata", {}).get("annotations") or {}
            )
            self.lease["spec"] |= body.get("spec") or {}
        assert self.lease is not None
        return copy.deepcopy(self.lease)


def run_until(reached: threading.Event, led: loop.Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs a loop, whose informers have nothing to read, until `reached` is set; then it ends."""
    for informer in led._informers:
        informer.synced.set()
        monkeypatch.setattr(informer, "start", lambda: None)
    running = threading.Thread(target=led.run, daemon=True)
    running.start()
    assert reached.wait(1500)
    led.stop()
    running.join(1500)
    assert not running.is_alive()


def executor(server: Server) -> Executor:
    """An executor on that server."""
    return Executor(server, config(), lambda key, value: None)  # type: ignore[arg-type]  # a stand-in for the API server


PODS = "/api/v1/namespaces/inference/pods"


@pytest.mark.parametrize(
    ("action", "call"),
    [
        (
            Cordon(node("n1"), "notice"),
            (
                "PATCH",
                "/api/v1/nodes/n1",
                {
                    "metadata": {"annotations": {"elastic-inference/cordoned": "notice"}},
                    "spec": {"unschedulable": True},
                },
            ),
        ),
        (
            Uncordon(node("n1"), ""),
            (
                "PATCH",
                "/api/v1/nodes/n1",
                {
                    "metadata": {"annotations": {"elastic-inference/cordoned": None}},
                    "spec": {"unschedulable": None},
                },
            ),
        ),
        (
            Detach(pod("a", "n1"), "notice"),
            (
                "PATCH",
                f"{PODS}/a",
                {
                    "metadata": {
                        "uid": "uid-a",
                        "labels": {
                            "pod-template-hash": None,
                            "elastic-inference/detached": "notice",
                        },
                        "annotations": {
                            "elastic-inference/template-hash": "abc",
                            "elastic-inference/detached-by": "bert-interruption-handler",
                        },
                    }
                },
            ),
        ),
        (
            Reattach(detached("a", "n1"), ""),
            (
                "PATCH",
                f"{PODS}/a",
                {
                    "metadata": {
                        "uid": "uid-a",
                        "labels": {"pod-template-hash": "abc", "elastic-inference/detached": None},
                        "annotations": {"elastic-inference/template-hash": None},
                    }
                },
            ),
        ),
        (
            Delete(pod("a"), "", 0),
            ("DELETE", f"{PODS}/a", {"preconditions": {"uid": "uid-a"}, "gracePeriodSeconds": 0}),
        ),
        (Delete(pod("a"), ""), ("DELETE", f"{PODS}/a", {"preconditions": {"uid": "uid-a"}})),
        (
            SetMinReplicas(4, ""),
            (
                "PATCH",
                "/apis/autoscaling/v2/namespaces/inference/horizontalpodautoscalers/bert-hpa",
                {"spec": {"minReplicas": 4}},
            ),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_action_is_one_request_that_names_the_object_it_means(
    action: actions.Action, call: Call
) -> None:
    server = Server()
    assert executor(server).perform(action) is not None
    assert server.calls == [call]


@pytest.mark.parametrize(
    "action",
    [
        Cordon(node("n1", version="7"), ""),
        Uncordon(node("n1", version="7"), ""),
        Detach(pod("a", "n1", version="7"), ""),
        Reattach(detached("a", "n1", version="7"), ""),
        SetDeletionCost(pod("a", "n1", version="7"), 1),
    ],
    ids=lambda action: type(action).__name__,
)
def test_a_patch_is_refused_if_the_object_has_changed_since_it_was_decided_on(
    action: actions.Action,
) -> None:
    server = Server()
    executor(server).perform(action)
    assert server.calls[0][2]["metadata"]["resourceVersion"] == "7"


def test_an_eviction_asks_the_disruption_budget_about_this_very_pod() -> None:
    server = Server()
    executor(server).perform(Evict(pod("a", "n1"), ""))
    (method, path, body) = server.calls[0]
    assert (method, path) == ("POST", f"{PODS}/a/eviction")
    assert body["kind"] == "Eviction" and body["deleteOptions"]["preconditions"] == {"uid": "uid-a"}


def test_a_pod_is_force_deleted_only_when_the_server_itself_does_not_know_its_node() -> None:
    knows_node = Server()
    assert executor(knows_node).perform(ForceDelete(pod("a", "n1"))) is None
    assert [method for method, _, _ in knows_node.calls] == ["GET"]
    gone = Server(**{"/nodes/": 404})
    executor(gone).perform(ForceDelete(pod("a", "n1")))
    assert gone.calls[1:] == [
        ("DELETE", f"{PODS}/a", {"preconditions": {"uid": "uid-a"}, "gracePeriodSeconds": 0})
    ]


@pytest.mark.parametrize("status", [0, 403, 500])
def test_a_node_that_can_not_be_asked_for_is_not_taken_for_gone(status: int) -> None:
    server = Server(**{"/nodes/": status})
    assert executor(server).perform(ForceDelete(pod("a", "n1"))) is None
    assert [method for method, _, _ in server.calls] == ["GET"]


@pytest.mark.parametrize("status", [404, 409, 429, 500, 0])
def test_a_refusal_is_never_an_error_of_the_handler(
    status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert executor(Server(**{"/eviction": status})).perform(Evict(pod("a", "n1"), "")) is None
    log = capsys.readouterr().out
    assert ('"level": "error"' in log) is (status in (500, 0)) and "Traceback" not in log


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> float:
    """The moment at which the executor's clock stands still."""
    monkeypatch.setattr(actions, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    return 1000.0


def test_what_was_done_is_not_done_again_at_once_and_a_refused_eviction_after_five_seconds(
    now: float,
) -> None:
    done, refused = Evict(pod("a", "n1"), ""), Evict(pod("b", "n1"), "")
    acting = executor(Server(**{"/b/": 429}))
    acting.perform(done)
    for _ in range(5):  # the fifth refusal is not waited for longer than the first
        acting.perform(refused)
    assert not acting.due(done, now + 1) and acting.due(done, now + 3)
    assert not acting.due(refused, now + 4.9) and acting.due(refused, now + 6.1)


def test_a_short_notice_has_short_pauses() -> None:
    assert (config().eviction_pause, config().longest_retry) == (5, 30)
    short = config(notice_seconds=15)
    assert (short.eviction_pause, short.longest_retry) == (0.25, 1.5)


@pytest.mark.parametrize("status", [409, 429, 500, 503, 0])
def test_each_failure_is_followed_by_a_longer_pause_up_to_half_a_minute(
    status: int, now: float
) -> None:
    server = Server(**{"/nodes/": status})
    acting, cordon = executor(server), Cordon(node("n1"), "notice")
    pauses = []
    for _ in range(10):
        acting.perform(cordon)
        pauses.append(acting._not_before["Cordon", "n1"] - now)
    assert 0.4 < pauses[0] < 0.7 and 0.9 < pauses[1] < 1.3 and 3.9 < pauses[3] < 5
    assert all(29 < pause <= 36.1 for pause in pauses[-2:])
    server.refusals = {}
    acting.perform(cordon)
    server.refusals = {"/nodes/": status}
    acting.perform(cordon)
    assert acting.due(cordon, now + 0.7), "a success ends the series"


def test_pauses_differ_between_two_that_failed_together() -> None:
    assert len({backoff.pause(3, 1, 10) for _ in range(20)}) > 10


def test_retry_after_is_honoured_for_everything_and_for_an_eviction_that_the_budget_refuses_alone(
    now: float,
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ApiError(429, "", "busy", retry_after=7)

    server = Server()
    acting, other = executor(server), Cordon(node("n2"), "notice")
    server.call = refuse  # type: ignore[method-assign,assignment]
    acting.perform(Evict(pod("a", "n1"), ""))
    assert not acting.due(Evict(pod("a", "n1"), ""), now + 6.8) and acting.due(other, now)
    acting.perform(Cordon(node("n1"), "notice"))
    assert not acting.due(other, now + 6.8) and acting.due(other, now + 7.1)


def test_what_waits_is_not_forgotten_when_much_is_remembered(
    monkeypatch: pytest.MonkeyPatch, now: float
) -> None:
    monkeypatch.setattr(actions, "MAX_REMEMBERED", 3)
    acting = executor(Server(**{"/b/": 429}))
    refused = Evict(pod("b", "n1"), "")
    acting.perform(refused)
    for n in range(10):
        acting.perform(Cordon(node(f"n{n}"), "notice"))
    assert not acting.due(refused, now + 4)


def test_an_informer_starts_again_from_a_list_when_its_version_is_too_old() -> None:
    server, changed = (
        Server(**{"/pods": 503}),
        threading.Event(),
    )  # refused once the lists are used up
    pods = [{"metadata": {"name": name, "resourceVersion": "5"}} for name in ("a", "b")]
    server.lists = [
        {"metadata": {"resourceVersion": "5"}, "items": pods},
        {"metadata": {"resourceVersion": "9"}, "items": pods[1:]},
    ]
    server.watches = [
        [
            ("DELETED", {"metadata": {"name": "b", "resourceVersion": "6"}}),
            ("BOOKMARK", {"metadata": {"resourceVersion": "7"}}),
        ],
        ApiError(410, "watch", "too old"),
    ]
    informer = Informer(server, "/pods", {}, lambda raw: raw["metadata"]["name"], changed)  # type: ignore[arg-type]  # a stand-in for the API server
    informer.start()
    deadline = time.monotonic() + 1500
    while [version for method, _, version in server.calls if method == "WATCH"][:3] != [
        "5",
        "7",
        "9",
    ] and time.monotonic() < deadline:
        changed.wait(0.01)
    assert [version for method, _, version in server.calls if method == "WATCH"][:3] == [
        "5",
        "7",
        "9",
    ]
    assert informer.objects() == {"b": "b"} and informer.synced.is_set()
    informer.stop()


def test_a_decision_that_fails_keeps_no_other_from_being_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any) -> Iterator[Any]:
        raise RuntimeError("bug")

    monkeypatch.setattr(loop, "DECISIONS", (broken, *loop.DECISIONS))
    made_actions = loop.decide(snapshot([], [pod("a", "gone")], 1), config(), 0)
    assert [type(action).__name__ for action in made_actions] == ["ForceDelete"]
