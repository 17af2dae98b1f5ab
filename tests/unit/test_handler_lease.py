"""Leader election: one replica writes, whatever the clocks say and whatever fails."""

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from interruption_handler import lease, loop
from interruption_handler.actions import Action, Cordon, Evict
from interruption_handler.kube import ApiError, LeaseLostError
from interruption_handler.lease import DURATION, RENEW_DEADLINE
from tests.unit.cluster_objects import config, node, pod
from tests.unit.test_handler_actions import Server, run_until


class Clock:
    """A monotonic clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock of both replicas; each has its own zero, but all seconds are as long."""
    return Clock()


def replica(server: Server, identity: str, clock: Callable[[], float]) -> lease.Lease:
    """A replica that competes for the Lease."""
    return lease.Lease(server, config(), identity, threading.Event(), clock)  # type: ignore[arg-type]  # a stand-in for the API server


def test_of_two_replicas_one_acts_and_the_other_takes_over_when_it_lets_go(clock: Clock) -> None:
    server = Server()
    first, second = replica(server, "first", clock), replica(server, "second", clock)
    first._attempt()
    second._attempt()
    assert first.held and not second.held
    first.release()
    assert not first.held
    second._attempt()
    assert second.held
    assert server.lease is not None and server.lease["spec"]["leaseTransitions"] == 2


@pytest.mark.parametrize("renewed", ["2020-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"])
def test_a_holder_whose_clock_is_wrong_keeps_the_lease_while_it_renews_and_loses_it_when_silent(
    renewed: str, clock: Clock
) -> None:
    server = Server()
    first, second = replica(server, "first", clock), replica(server, "second", clock)
    first._spec = lambda identity, changes: {  # type: ignore[method-assign]
        "holderIdentity": identity, "leaseDurationSeconds": DURATION,
        "leaseTransitions": changes, "renewTime": renewed, "n": next(count),
    }  # fmt: skip
    count = itertools.count()
    for _ in range(20):
        first._attempt()
        second._attempt()
        assert first.held and not second.held
        clock.now += 4
    clock.now += DURATION - 4.1
    second._attempt()
    assert not second.held, "seen unchanged for less than its duration"
    clock.now += 0.2
    second._attempt()
    assert second.held and not first.held


def test_the_holder_stops_before_anybody_else_may_begin_however_late_it_is_seen(
    clock: Clock,
) -> None:
    server = Server()
    first, second = replica(server, "first", clock), replica(server, "second", clock)
    first._attempt()
    second._attempt()
    leaders = set()
    for _ in range(200):
        clock.now += 0.1
        second._attempt()
        leaders.add((first.held, second.held))
        if second.held:
            break
    assert leaders == {(True, False), (False, False), (False, True)}
    assert clock.now - 1000 >= DURATION > RENEW_DEADLINE


def test_a_holder_that_reads_another_name_stops_at_once(clock: Clock) -> None:
    server = Server()
    first = replica(server, "first", clock)
    first._attempt()
    assert server.lease is not None
    server.lease["spec"]["holderIdentity"] = "second"
    first._attempt()
    assert not first.held
    with pytest.raises(LeaseLostError):
        first.permit()


def test_a_write_must_be_answered_before_another_replica_may_lead(clock: Clock) -> None:
    first = replica(Server(), "first", clock)
    first._attempt()
    clock.now += 9
    assert first.permit() == DURATION - 9
    clock.now += 2
    with pytest.raises(LeaseLostError):
        first.permit()


def test_a_note_outlives_the_replica_that_wrote_it_and_one_that_lost_the_lease_writes_none(
    clock: Clock,
) -> None:
    server = Server()
    first, second = replica(server, "first", clock), replica(server, "second", clock)
    first._attempt()
    first.save_note("elastic-inference/mix", "{}")
    second._attempt()
    clock.now += DURATION
    second._attempt()
    assert second.held and second.notes == {"elastic-inference/mix": "{}"}
    with pytest.raises(LeaseLostError):
        first.save_note("elastic-inference/mix", "late")
    first._renewed = clock.now  # it believes that it leads: the server knows better
    with pytest.raises(ApiError) as refused:
        first.save_note("elastic-inference/mix", "late")
    assert refused.value.status == 409
    assert server.lease is not None
    assert server.lease["metadata"]["annotations"] == {"elastic-inference/mix": "{}"}


@pytest.mark.parametrize("error", [ApiError(500, "", ""), ApiError(409, "", ""), KeyError("spec")])
def test_no_failure_ends_the_thread_that_renews(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW", 0.01)
    server, failed = Server(), itertools.count()
    usual = server.call

    def call(*arguments: Any, **more: Any) -> dict[str, Any]:
        if next(failed) < 5:
            raise error
        return usual(*arguments, **more)

    server.call = call  # type: ignore[method-assign]
    changed = threading.Event()
    first = lease.Lease(server, config(), "first", changed)  # type: ignore[arg-type]  # a stand-in for the API server
    first.start()
    assert changed.wait(1500) and first.held
    first.release()


def test_after_a_release_the_thread_takes_the_lease_no_more(clock: Clock) -> None:
    server = Server()
    first = replica(server, "first", clock)
    first._attempt()
    first.release()
    first._attempt()
    assert not first.held and server.lease is not None
    assert server.lease["spec"]["holderIdentity"] == ""


@pytest.fixture
def leading(clock: Clock) -> Iterator[tuple[loop.Loop, Server]]:
    """A loop that holds the Lease, its informers without threads, and its server."""
    server = Server()
    led = loop.Loop(server, config(), "first", clock)  # type: ignore[arg-type]  # a stand-in for the API server
    led._lease._attempt()
    server.calls.clear()
    yield led, server


def writes(server: Server) -> list[str]:
    """Paths of the changes that reached the server."""
    return [path for method, path, _ in server.calls if method != "GET"]


def test_of_a_thousand_writes_none_goes_out_after_the_lease_is_lost(
    leading: tuple[loop.Loop, Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    led, server = leading
    monkeypatch.setattr(loop, "WORKERS", 1)
    monkeypatch.setattr(loop, "decide", lambda *_: [Cordon(node(f"n{n}"), "") for n in range(1000)])
    usual = server.call

    def call(*arguments: Any, **more: Any) -> dict[str, Any]:
        answer = usual(*arguments, **more)
        if len(server.calls) == 72:
            led._lease._renewed = None
        return answer

    server.call = call  # type: ignore[method-assign]
    with loop.ThreadPoolExecutor(1) as pool:
        for _ in range(3):
            led._round(pool)
    assert len(writes(server)) == 72


def test_a_large_drain_counts_as_progress_and_a_notice_meanwhile_is_acted_on_within_five_seconds(
    leading: tuple[loop.Loop, Server], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 pods are evicted; a write takes half a second, eight at a time, on the test's clock. A
    notice comes every three seconds.
    """
    led, _ = leading
    monkeypatch.setattr(loop, "WORKERS", 1)
    notices = {f"n{n}": 1000.0 + 3 * n for n in range(10)}
    pods = {f"p{n}": Evict(pod(f"p{n}", "old"), "") for n in range(500)}
    cordoned: dict[str, float] = {}
    healthy = []

    def decided(*_: Any) -> list[Action]:
        given = [
            Cordon(node(name), "notice")
            for name, since in notices.items()
            if since <= clock.now and name not in cordoned
        ]
        return [*pods.values(), *given]

    def perform(action: Action) -> None:
        clock.now += 0.5 / 8
        led._lease._renewed = clock.now
        healthy.append(led.healthy())
        if isinstance(action, Cordon):
            cordoned[action.node.name] = clock.now
        elif isinstance(action, Evict):
            del pods[action.pod.name]

    monkeypatch.setattr(loop, "decide", decided)
    monkeypatch.setattr(led._executor, "perform", perform)
    with loop.ThreadPoolExecutor(1) as pool:
        for _ in range(100):
            led._round(pool)
    assert not pods and all(healthy)
    assert all(cordoned[name] - since < 5 for name, since in notices.items()), cordoned
    assert clock.now - 1000 == 510 * 0.5 / 8, "nothing is done twice"


def test_a_loop_whose_writes_never_end_or_whose_threads_are_dead_is_not_healthy(
    leading: tuple[loop.Loop, Server], clock: Clock
) -> None:
    led, _ = leading
    assert led.healthy()
    clock.now += loop.STALLED + 1
    assert not led.healthy()
    led._progress = clock.now
    assert led.healthy()
    led._lease.reported = clock.now - loop.SILENT - 1
    assert not led.healthy()
    led._lease.reported = clock.now
    for informer in led._informers:
        informer.reported -= loop.SILENT + 1
        assert not led.healthy()
        informer.reported += loop.SILENT + 1
    assert led.healthy()


def test_an_informer_that_has_heard_nothing_for_two_minutes_is_not_ready_but_alive(
    leading: tuple[loop.Loop, Server],
) -> None:
    led, _ = leading
    assert not led.ready()
    for informer in led._informers:
        informer.synced.set()
    assert led.ready()
    led._nodes.heard -= loop.SILENT + 1
    assert not led.ready() and led.healthy()


def test_a_round_that_fails_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    server, second = Server(), threading.Event()
    led = loop.Loop(server, config(), "first")  # type: ignore[arg-type]  # a stand-in for the API server
    rounds = itertools.count()

    def broken(_: Any) -> None:
        if next(rounds):
            second.set()
        raise RuntimeError("bug")

    monkeypatch.setattr(led, "_round", broken)
    run_until(second, led, monkeypatch)
