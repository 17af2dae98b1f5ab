"""The handler's connections: watches that fall silent, servers that refuse, threads that must not
die.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from interruption_handler import backoff, metrics
from interruption_handler.informer import Informer, Times
from interruption_handler.kube import Api, ApiError, LeaseLostError
from tests.unit.certificates import certificate

HANG = 600
"""Seconds after which something that does not happen counts as never."""
SHORT = Times(watch=1, silence=HANG, resync=HANG, first_pause=0.02, longest_pause=0.1)
"""Watches that the server ends soon. Nothing is taken for dead because the machine is slow."""


class Silent(ThreadingHTTPServer):
    """An API server with one list. After `cut` the connections that are open then stay open and
    bring nothing more, as behind a load balancer that has lost its backend.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.items: list[dict[str, Any]] = []
        self.epoch = 0
        self.deaf = False
        """No request is answered."""
        self.refusals: list[tuple[int, str]] = []
        """Answers to the next requests: status, Retry-After."""
        self.events: list[dict[str, Any]] = []
        """What the next watch brings at once."""
        self.seen: list[str] = []
        self.tokens: list[str | None] = []
        self.times: list[float] = []
        self.ended = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error."""

    def cut(self) -> None:
        """The connections that are open now fall silent."""
        self.epoch += 1


class Request(BaseHTTPRequestHandler):
    """Requests on one connection."""

    protocol_version = "HTTP/1.1"

    @property
    def silent(self) -> Silent:
        """The server."""
        assert isinstance(self.server, Silent)
        return self.server

    def setup(self) -> None:
        super().setup()
        self.epoch = self.silent.epoch

    def do_GET(self) -> None:
        server, url = self.silent, urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        server.seen.append(f"{self.command} {self.path}")
        server.tokens.append(self.headers["Authorization"])
        server.times.append(time.monotonic())
        if server.deaf or self.epoch != server.epoch:
            server.ended.wait(HANG)
        elif server.refusals:
            status, after = server.refusals.pop(0)
            self._answer(status, {"message": "busy"}, {"Retry-After": after} if after else {})
        elif "watch" in query:
            self._watch(int(query["timeoutSeconds"]))
        else:
            start, limit = int(query.get("continue", "0")), int(query.get("limit", "1000000"))
            meta = {"resourceVersion": "5"}
            if start + limit < len(server.items):
                meta["continue"] = str(start + limit)
            self._answer(200, {"metadata": meta, "items": server.items[start : start + limit]})

    do_PATCH = do_DELETE = do_GET

    def _watch(self, seconds: int) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        events, self.silent.events = self.silent.events, []
        for event in events:
            self.wfile.write(json.dumps(event).encode() + b"\n")
        self.wfile.flush()
        self.silent.ended.wait(seconds)
        if self.epoch != self.silent.epoch:
            self.silent.ended.wait(HANG)
        self.close_connection = True

    def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Silent]:
    """The server, its certificate authority and token in `tmp_path`."""
    server = Silent()
    server.socket = certificate(tmp_path).wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.ended.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def api(server: Silent, tmp_path: Path) -> Api:
    """The handler's client of that server."""
    return Api("127.0.0.1", server.server_address[1], tmp_path, timeout=HANG)


def named(name: str, version: str = "5") -> dict[str, Any]:
    """An object."""
    return {"metadata": {"name": name, "resourceVersion": version}}


Follow = Callable[..., Informer]


@pytest.fixture
def follow(api: Api) -> Iterator[Follow]:
    """Starts informers; they end with the test."""
    started: list[Informer] = []

    def start(times: Times = SHORT, reduce: Callable[[Any], Any] = lambda raw: raw) -> Informer:
        informer = Informer(api, "/api/v1/nodes", {}, reduce, threading.Event(), times)
        informer.start()
        started.append(informer)
        return informer

    yield start
    for informer in started:
        informer.stop()


def until(informer: Informer, names: set[str]) -> None:
    """Wait until the informer holds exactly these objects."""
    end = time.monotonic() + HANG
    while set(informer.objects()) != names:
        assert time.monotonic() < end, f"{set(informer.objects())}, not {names}"
        time.sleep(0.01)


def test_what_changes_while_the_watch_is_silent_is_seen_by_a_new_list_on_a_new_connection(
    server: Silent, follow: Follow
) -> None:
    server.items = [named("before")]
    informer = follow(replace(SHORT, watch=HANG, silence=2))
    until(informer, {"before"})
    server.cut()
    server.items = [named("after")]
    until(informer, {"after"})


def test_after_a_silent_watch_no_kept_connection_is_used_again(server: Silent, api: Api) -> None:
    api.get("/api/v1/nodes")
    server.deaf = True
    with pytest.raises(ApiError, match="TimeoutError"):
        list(api.watch("/api/v1/nodes", {"resourceVersion": "5"}, HANG, 0.2))
    assert api._local.connection is None


def test_a_notice_is_seen_within_ninety_seconds_in_the_worst_case() -> None:
    """The watch falls silent at its first byte, the first new connection hangs as well."""
    times, request = Times(), 10
    assert Api.__init__.__defaults__ == (request,)
    worst = times.silence + request + times.first_pause * (1 + backoff.JITTER) + request
    assert times.watch < times.silence and worst < 90


def test_a_watch_is_ended_by_the_server_so_that_silence_means_failure(
    server: Silent, follow: Follow
) -> None:
    informer = follow()
    end = time.monotonic() + HANG
    while sum("watch" in path for path in server.seen) < 3:
        assert time.monotonic() < end
        time.sleep(0.01)
    lists = [path for path in server.seen if "watch" not in path]
    assert len(lists) == 1, "it watches on from where the last watch ended"
    assert "allowWatchBookmarks=true" in server.seen[1]
    assert time.monotonic() - informer.heard < HANG


def test_a_bookmark_moves_the_version_on_and_objects_are_listed_again_from_time_to_time(
    server: Silent, follow: Follow
) -> None:
    server.items = [named("old")]
    server.events = [{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "77"}}}]
    informer = follow(replace(SHORT, resync=0.5))
    until(informer, {"old"})
    server.items = [named("missed")]  # no event tells of it
    until(informer, {"missed"})


def test_every_connection_is_kept_alive_by_the_kernel(api: Api) -> None:
    api.get("/api/v1/nodes")
    kept = api._local.connection.sock
    assert kept.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert kept.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15
    assert kept.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


def test_a_large_list_comes_in_pages_and_only_the_reduced_objects_are_kept(
    server: Silent, follow: Follow
) -> None:
    server.items = [named(f"n{n}") for n in range(1000)]
    informer = follow(reduce=lambda raw: raw["metadata"]["name"])
    until(informer, {f"n{n}" for n in range(1000)})
    lists = [path for path in server.seen if "watch" not in path]
    assert len(lists) == 4 and "limit=250" in lists[0] and "continue=750" in lists[3]


def test_an_object_that_can_not_be_read_hides_no_other_and_ends_no_thread(
    server: Silent, follow: Follow, capsys: pytest.CaptureFixture[str]
) -> None:
    def reduce(raw: dict[str, Any]) -> str:
        if raw["metadata"]["name"].startswith("bad"):
            raise TypeError("no status")
        return raw["metadata"]["name"]

    server.items = [named("bad"), named("a")]
    server.events = [
        {"type": "MODIFIED", "object": named("bad", "6")},
        {"type": "ADDED", "object": named("bad2", "7")},
        {"type": "ADDED", "object": named("b", "8")},
    ]
    until(follow(reduce=reduce), {"a", "b"})
    assert capsys.readouterr().out.count("object not read") == 3


@pytest.mark.parametrize(
    "event",
    [
        {"type": "ADDED", "object": {}},
        {"type": "ERROR", "object": {"code": 410}},
        {"type": "ERROR", "object": {"code": 500}},
        {"no": "type"},
        [],
    ],
    ids=str,
)
def test_no_answer_ends_the_thread_that_watches(event: Any, server: Silent, follow: Follow) -> None:
    server.items, server.events = [named("a")], [event]
    informer = follow()
    until(informer, {"a"})
    server.events = [{"type": "ADDED", "object": named("b", "9")}]
    until(informer, {"a", "b"})


def test_a_server_that_is_busy_is_asked_again_no_sooner_than_it_said(
    server: Silent, follow: Follow
) -> None:
    server.refusals, server.items = [(429, "1"), (503, ""), (500, "")], [named("a")]
    until(follow(), {"a"})
    assert server.times[1] - server.times[0] >= 1


def test_a_refusal_carries_what_the_server_asked_for(server: Silent, api: Api) -> None:
    server.refusals = [(429, "3"), (503, "Wed, 21 Oct 2026 07:28:00 GMT")]
    for wanted in (3.0, 0.0):
        with pytest.raises(ApiError) as refused:
            api.get("/api/v1/nodes")
        assert refused.value.retry_after == wanted


def test_a_write_without_a_permit_is_not_sent_not_even_again_after_a_stale_connection(
    server: Silent, api: Api
) -> None:
    permits = iter([1.0])

    def permit() -> float:
        try:
            return next(permits)
        except StopIteration:
            raise LeaseLostError("lost") from None

    fenced = api.bounded(permit=permit)
    fenced.get("/api/v1/nodes")
    fenced._local.connection.sock.shutdown(socket.SHUT_RDWR)  # the kept connection is stale now
    with pytest.raises(LeaseLostError):
        fenced.patch("/api/v1/nodes/n1", {})
    with pytest.raises(LeaseLostError):
        fenced.call("DELETE", "/api/v1/namespaces/x/pods/p")
    assert [path for path in server.seen if not path.startswith("GET")] == []


def test_a_write_is_given_up_when_another_replica_may_lead(server: Silent, api: Api) -> None:
    patient, server.deaf = api.bounded(timeout=HANG, permit=lambda: 0.5), True
    began = time.monotonic()
    with pytest.raises(ApiError):
        patient.patch("/api/v1/nodes/n1", {})
    assert time.monotonic() - began < HANG


def test_a_token_that_the_kubelet_replaced_is_sent_with_the_next_request(
    server: Silent, api: Api, tmp_path: Path
) -> None:
    api.get("/api/v1/nodes")
    (tmp_path / "token").write_text("another\n")
    api.get("/api/v1/nodes")
    assert server.tokens == ["Bearer a-token", "Bearer another"], "on the same connection"


def test_a_server_of_another_authority_is_refused_and_a_renewed_authority_is_trusted(
    server: Silent, api: Api, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    certificate(tmp_path / "other")
    ours, theirs = (path / "ca.crt" for path in (tmp_path, tmp_path / "other"))
    trusted = ours.read_bytes()

    def replaced(content: bytes, moment: int) -> None:
        ours.write_bytes(content)
        os.utime(ours, ns=(moment, moment))
        api._drop()  # a kept connection was checked when it was opened

    replaced(theirs.read_bytes(), 1)
    with pytest.raises(ApiError, match="CERTIFICATE_VERIFY_FAILED"):
        api.get("/api/v1/nodes")
    assert server.seen == [], "no token goes to a server that is not known"
    replaced(b"half a fi", 2)
    with pytest.raises(ApiError, match="CERTIFICATE_VERIFY_FAILED"):
        api.get("/api/v1/nodes")
    replaced(trusted, 3)
    assert api.get("/api/v1/nodes")["items"] == []


def test_failed_requests_are_counted_by_their_status_and_watches_by_what_ended_them(
    server: Silent, api: Api, follow: Follow
) -> None:
    def counted() -> tuple[float, ...]:
        return (
            metrics.API_ERRORS.value(method="GET", code="503"),
            metrics.WATCHES.value(resource="nodes", why="ended"),
            metrics.WATCHES.value(resource="nodes", why="expired"),
        )

    before = counted()
    server.refusals, server.items = [(503, "")], [named("a")]
    server.events = [{"type": "ERROR", "object": {"code": 410}}]
    until(follow(), {"a"})
    end = time.monotonic() + HANG
    while any(now <= then for now, then in zip(counted(), before, strict=True)):
        assert time.monotonic() < end, counted()
        time.sleep(0.01)
