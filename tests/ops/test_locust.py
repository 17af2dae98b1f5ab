"""The load itself: Locust against a server of the test's own, with the order that a run writes."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from lab.testing.ports import free_port
from ops.engine.cli import Stack
from ops.load import session as sessions
from ops.load.profile import Profile, steady
from ops.load.session import Session


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Answers every prediction, and remembers what it was asked with."""

    seen: ClassVar[list[dict[str, str]]] = []
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(
            {
                "path": self.path,
                "host": self.headers["Host"],
                "user": self.headers.get("Authorization", ""),
            }
        )
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class Server(http.server.ThreadingHTTPServer):
    """Room for all users who connect at once: with the usual 5, whom a busy machine turns away
    tries again after 1, 3, 7 s, too late.
    """

    request_queue_size = 128


@pytest.fixture
def endpoint() -> Iterator[str]:
    Endpoint.seen = []
    server = Server(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def run_of(place: Path, clock: float) -> Session:
    """A run on a real stack that nobody records."""
    meta = {
        "clock": clock,
        "path": "/v1/models/m:predict",
        "host": "bert.example.com",
        "started": time.time(),
    }
    return Session(Stack("dev"), place, "test", meta=meta)


def test_load_follows_its_order_as_it_is_changed_and_says_who_asks(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EI_USER", "ann")
    monkeypatch.setenv("EI_PASSWORD", "secret")
    session = run_of(tmp_path, clock=10)
    process = session.load(steady(30, 36000), endpoint, begun=session.meta["started"])
    end = time.monotonic() + 1500
    while len(Endpoint.seen) < 60 and time.monotonic() < end:
        time.sleep(0.1)
    session.change(Profile("short", ((0.0, 30.0), (1.0, 30.0))))
    assert process.wait(timeout=1500) == 0, (tmp_path / "locust.log").read_text()
    rows = [json.loads(line) for line in (tmp_path / "requests.jsonl").read_text().splitlines()]
    assert (
        len(Endpoint.seen) >= 60
        and sum(row["count"] for row in rows) == len(Endpoint.seen)
        and not any(row["failed"] for row in rows)
    )
    assert all(row["t"] % 10 == 0 for row in rows), "seconds of the wall, in the run's time"
    assert {tuple(one.values()) for one in Endpoint.seen} == {
        ("/v1/models/m:predict", "bert.example.com", "Basic YW5uOnNlY3JldA==")
    }
    assert "secret" not in (tmp_path / "load_spec.json").read_text()


def test_the_web_page_is_there_while_the_load_runs_and_goes_with_it(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "WEB_PORT", free_port())

    def asked() -> bytes:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return opener.open(f"http://127.0.0.1:{sessions.WEB_PORT}/", timeout=1500).read()

    session = run_of(tmp_path, clock=1)
    process = session.load(steady(10, 3600), endpoint, web=True)
    page, end = b"", time.monotonic() + 1500
    while b"Locust" not in page or len(Endpoint.seen) < 10:
        assert process.poll() is None and time.monotonic() < end, "no page, or no load"
        with contextlib.suppress(OSError):  # not yet there
            page = asked()
        time.sleep(0.1)
    session.change(Profile("short", ((0.0, 10.0), (1.0, 10.0))))
    assert process.wait(timeout=1500) == 0, (tmp_path / "locust.log").read_text()
    with pytest.raises(OSError):
        asked()
