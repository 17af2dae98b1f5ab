"""Kubernetes Events of the handler: what they say, how many there are, and that no action waits for
them.
"""

import copy
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import kubernetes
import pytest

from interruption_handler import events, loop, metrics
from interruption_handler.actions import (
    Action,
    Cordon,
    Delete,
    Detach,
    Evict,
    ForceDelete,
    Reattach,
    SaveNote,
    SetDeletionCost,
    SetMinReplicas,
    Uncordon,
)
from interruption_handler.events import Event, Objects, Recorder, Ref, of_action
from interruption_handler.kube import ApiError, LeaseLostError
from tests.unit.cluster_objects import NOW, config, detached, node, pod
from tests.unit.test_handler_actions import Server

HANG = 1500
OBJECTS = Objects(
    "inference",
    Ref("apps/v1", "Deployment", "inference", "bert", "d"),
    Ref("autoscaling/v2", "HorizontalPodAutoscaler", "inference", "bert-hpa", "h"),
)
NODES = "/apis/events.k8s.io/v1/namespaces/default/events"


class Fenced(Server):
    """A server that asks the permit before each write, as the real client does."""

    permit: Callable[[], float] | None = None
    held: threading.Event | None = None
    """While it is not set, no Event is answered."""

    def bounded(self, permit: Callable[[], float] | None = None, **_: Any) -> "Fenced":
        """The same server with this permit."""
        fenced = copy.copy(self)
        fenced.permit = permit or self.permit
        return fenced

    def call(self, method: str, path: str, body: Any = None, content_type: str = "") -> dict:
        """Any request."""
        if method != "GET" and self.permit is not None:
            self.permit()
        if "/events" in path and self.held is not None:
            assert self.held.wait(HANG)
        return super().call(method, path, body, content_type)


class Clock:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def written(server: Server) -> list[tuple[str, str, Any]]:
    """The Events that reached the server."""
    return [call for call in server.calls if "/events" in call[1]]


def send(recorder: Recorder) -> None:
    """Send what waits, without the thread and its pace."""
    while not recorder._waiting.empty():
        recorder._deliver(recorder._waiting.get())


def dropped(why: str) -> float:
    """Events dropped so far for that reason."""
    return metrics.EVENTS_DROPPED.value(why=why)


ALL: list[tuple[Action, str, str]] = [
    (Cordon(node("n1", uid="u"), "notice"), "Node n1", "Cordoned"),
    (Uncordon(node("n1", uid="u"), "the notice was withdrawn"), "Node n1", "Uncordoned"),
    (Detach(pod("a", "n1"), "mix"), "Pod a", "Detached"),
    (Reattach(detached("a", "n1"), "the handler is removed"), "Pod a", "Reattached"),
    (Evict(pod("a", "n1"), "it is replaced"), "Pod a", "Evicted"),
    (Delete(pod("a", "n1"), "the instance is released soon"), "Pod a", "Deleted"),
    (ForceDelete(pod("a", "n1")), "Pod a", "Deleted"),
    (SetMinReplicas(4, "the metric is missing"), "HorizontalPodAutoscaler bert-hpa", "MinReplicasSet"),
    (SaveNote("elastic-inference/mix", "{}", "replaced"), "Deployment bert", "MixChanged"),
]  # fmt: skip


@pytest.mark.parametrize("outcome", ["done", "dry_run", "refused", "failed"])
@pytest.mark.parametrize(("action", "on", "reason"), ALL, ids=lambda value: str(value)[:12])
def test_each_action_is_an_event_on_its_object_as_the_api_has_them(
    action: Action, on: str, reason: str, outcome: str
) -> None:
    """The judge is the official client's model: what it does not know it drops, what is required
    and missing it refuses.
    """
    event = of_action(action, outcome, "busy", OBJECTS)
    assert event is not None
    server = Server()
    recorder = Recorder(server, "first")  # type: ignore[arg-type]  # a stand-in for the API server
    recorder.record(event)
    send(recorder)
    ((method, path, body),) = written(server)
    assert (method, f"{body['regarding']['kind']} {body['regarding']['name']}") == ("POST", on)
    assert body["metadata"]["namespace"] == ("default" if on.startswith("Node") else "inference")
    assert path.endswith(f"/namespaces/{body['metadata']['namespace']}/events")
    told = {"done": reason, "dry_run": f"Would{type(action).__name__}"}
    assert body["reason"] == told.get(outcome, body["reason"])
    assert body["type"] == ("Normal" if outcome in told else "Warning")
    assert ("busy" in body["note"]) is (outcome not in told)
    client = kubernetes.client.ApiClient()
    model = client.deserialize(json.dumps(body), "EventsV1Event", "application/json")
    known: dict[str, Any] = json.loads(json.dumps(client.sanitize_for_serialization(model)))
    times = {"eventTime"}
    assert {k: v for k, v in known.items() if k not in times} == {
        k: v for k, v in body.items() if k not in times
    }
    assert known["eventTime"] and len(body["note"].encode()) <= 1024


@pytest.mark.parametrize("outcome", ["gone", "conflict", "not_needed", "lease_lost"])
def test_what_tells_nothing_is_no_event(outcome: str) -> None:
    assert of_action(Evict(pod("a", "n1"), ""), outcome, "", OBJECTS) is None
    assert of_action(SetDeletionCost(pod("a", "n1"), 1), "done", "", OBJECTS) is None


def test_a_note_is_cut_to_what_the_api_takes_and_so_is_a_name() -> None:
    server = Server()
    recorder = Recorder(server, "i" * 300)  # type: ignore[arg-type]  # a stand-in for the API server
    recorder.record(Event(OBJECTS.node(node("n" * 253)), "Reason", "Action", "é" * 2000))
    send(recorder)
    body = written(server)[0][2]
    assert len(body["note"].encode()) <= 1024 and body["note"].strip("é") == ""
    assert len(body["metadata"]["name"]) <= 253 and len(body["reportingInstance"]) <= 128


def test_what_happens_again_is_a_series_and_no_new_event() -> None:
    """A budget refuses an eviction every five seconds for half an hour."""
    server, clock = Server(), Clock()
    recorder = Recorder(server, "first", clock)  # type: ignore[arg-type]  # a stand-in for the API server
    refused = of_action(Evict(pod("a", "n1"), "it is replaced"), "refused", "budget", OBJECTS)
    assert refused is not None
    for _ in range(360):
        recorder.record(refused)
        send(recorder)
        clock.now += 5
    created, *repeated = written(server)
    assert created[0] == "POST" and {method for method, _, _ in repeated} == {"PATCH"}
    assert {path for _, path, _ in repeated} == {f"{created[1]}/{created[2]['metadata']['name']}"}
    counts = [body["series"]["count"] for _, _, body in repeated]
    assert counts[:2] == [2, 62] and len(counts) == 6, "at once, then every five minutes"
    clock.now += events.SERIES_ENDS
    recorder.record(refused)
    send(recorder)
    assert written(server)[-1][0] == "POST"


def test_five_hundred_nodes_make_no_more_events_than_the_rate_and_the_queue_let_through() -> None:
    clock, before = Clock(), dropped("queue_full")
    recorder = Recorder(Server(), "first", clock)  # type: ignore[arg-type]  # a stand-in for the API server
    for n in range(500):
        for action in (Cordon(node(f"n{n}"), "notice"), Detach(pod(f"p{n}", f"n{n}"), "notice"), Evict(pod(f"p{n}", f"n{n}"), "")):  # fmt: skip
            event = of_action(action, "done", "", OBJECTS)
            assert event is not None
            recorder.record(event)
    assert recorder._waiting.qsize() == events.QUEUE
    assert dropped("queue_full") - before == 1500 - events.QUEUE
    sent = 0
    while clock.now < 1060:  # the first minute, if each request took no time
        pause = recorder._pause()
        clock.now += pause
        sent += 1
    assert sent <= events.BURST + 60 * events.RATE + 1
    many = [Event(OBJECTS.node(node(f"x{n}")), "R", "A", "") for n in range(3 * events.KNOWN)]
    for event in many:
        recorder.record(event)
    assert len(recorder._known) <= events.KNOWN, "memory is bounded, too"


def noticed(server: Server) -> loop.Loop:
    """The leader of a cluster in which three nodes have their notice, a pod on each."""
    led = loop.Loop(server, config(), "first")  # type: ignore[arg-type]  # a stand-in for the API server
    led._nodes._objects = {
        name: node(name, notice_at=NOW, uid=f"u-{name}") for name in ("n1", "n2", "n3")
    }
    led._pods._objects = {f"p-{name}": pod(f"p-{name}", name) for name in led._nodes._objects}
    led._deployments._objects = {"bert": {"uid": "d", "spec": {"replicas": 3}}}
    led._lease._attempt()
    return led


def act(led: loop.Loop, rounds: int = 3) -> None:
    """Let it decide and act so many times."""
    with loop.ThreadPoolExecutor(2) as pool:
        for _ in range(rounds):
            led._round(pool)


def changed(server: Server) -> list[str]:
    """Nodes and pods that were changed."""
    return [
        path.rpartition("/")[2]
        for method, path, _ in server.calls
        if method != "GET" and "/leases" not in path and "/events" not in path
    ]


WHAT_IS_DONE = ["n1", "n2", "n3", "p-n1", "p-n2", "p-n3"]


def test_an_api_server_that_answers_no_event_delays_no_action() -> None:
    server = Fenced()
    server.held = threading.Event()
    led = noticed(server)
    led._recorder.start()
    try:
        act(led)
        assert sorted(changed(server)) == WHAT_IS_DONE
    finally:
        server.held.set()
        led._recorder.stop(0)


@pytest.mark.parametrize(
    "error", [ApiError(403, "", "no right"), ApiError(0, "", "down"), OSError()]
)
def test_an_event_that_fails_stops_no_action_and_no_other_event(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server, before = Server(), dropped("failed")
    led = noticed(server)
    usual, failures = led._recorder._send, []

    def fail(series: Any) -> None:
        if len(failures) < 4:
            failures.append(series)
            raise error
        usual(series)

    monkeypatch.setattr(led._recorder, "_send", fail)
    act(led)
    send(led._recorder)
    assert sorted(changed(server)) == WHAT_IS_DONE
    assert dropped("failed") - before == 4 and written(server)
    assert capsys.readouterr().out.count("events not sent") == 1


def test_no_event_is_written_after_the_lease_is_lost() -> None:
    server, before = Fenced(), dropped("lease_lost")
    led = noticed(server)
    act(led)
    waiting = led._recorder._waiting.qsize()
    led._recorder._deliver(led._recorder._waiting.get())
    assert waiting >= 6 and len(written(server)) == 1
    led._lease._renewed = None
    send(led._recorder)
    assert len(written(server)) == 1 and dropped("lease_lost") - before == waiting - 1
    with pytest.raises(LeaseLostError):
        led._lease.permit()


def test_at_the_end_what_waits_is_sent_and_what_takes_too_long_is_dropped() -> None:
    quick, before = Fenced(), dropped("ended")
    recorder = Recorder(quick, "first")  # type: ignore[arg-type]  # a stand-in for the API server
    for name in ("n1", "n2"):
        recorder.record(Event(OBJECTS.node(node(name)), "R", "A", ""))
    recorder.start()
    recorder.stop(HANG)
    assert len(written(quick)) == 2 and dropped("ended") == before
    stuck = Fenced()
    stuck.held = threading.Event()
    recorder = Recorder(stuck, "first")  # type: ignore[arg-type]  # a stand-in for the API server
    for n in range(5):
        recorder.record(Event(OBJECTS.node(node(f"n{n}")), "R", "A", ""))
    recorder.start()
    recorder.stop(0.01)
    assert dropped("ended") - before >= 4
    stuck.held.set()


def test_a_busy_server_is_left_alone_as_long_as_it_asks() -> None:
    recorder = Recorder(Server(), "first")  # type: ignore[arg-type]  # a stand-in for the API server

    def busy(_: Any) -> None:
        raise ApiError(429, "", "busy", retry_after=7)

    recorder._send = busy  # type: ignore[method-assign]
    recorder.record(Event(OBJECTS.node(node("n1")), "R", "A", ""))
    assert recorder._deliver(recorder._waiting.get()) == 7


def test_an_alarm_is_an_event_on_the_deployment_and_on_what_it_names() -> None:
    server = Server()
    led = loop.Loop(server, config(), "first")  # type: ignore[arg-type]  # a stand-in for the API server
    led._nodes._objects = {
        name: node(name, uid=name, created=time.time() - 7200, detector_reports=False)
        for name in (f"n{n:02}" for n in range(30))
    }
    led._deployments._objects = {"bert": {"uid": "d", "spec": {"replicas": 0}}}
    led._lease._attempt()
    act(led)
    send(led._recorder)
    told = [body for _, _, body in written(server)]
    assert {body["reason"] for body in told} == {"NoDetector"}
    assert [body["regarding"]["kind"] for body in told] == ["Deployment"] + ["Node"] * 10
    assert "(30)" in told[0]["note"] and {body["type"] for body in told} == {"Warning"}
