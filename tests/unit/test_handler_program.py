"""The handler as a program: its files alone in a directory, an isolated interpreter without
packages, and an API server that it has to find, watch and change.
"""

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.unit.certificates import certificate
from tests.unit.program import ROOT, run

HANG = 1500
"""Seconds after which a handler that does nothing counts as hung."""
NODE = {
    "metadata": {"name": "n1", "resourceVersion": "1", "creationTimestamp": "2027-01-15T08:00:00Z"},
    "spec": {},
    "status": {
        "conditions": [
            {
                "type": "InstanceExpired",
                "status": "True",
                "lastTransitionTime": "2027-01-15T09:00:00Z",
            }
        ]
    },
}


class ApiServer(ThreadingHTTPServer):
    """Knows one node under notice, no pods, one Deployment, one HPA without its minimum, and the
    Lease that the handler creates. Watches bring nothing and last until the end.
    """

    daemon_threads = True

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        labels = {**settings["node_labels"], **settings["pool_labels"]}
        node = {**NODE, "metadata": {**NODE["metadata"], "labels": labels}}
        hpa = {"metadata": {"name": settings["hpa"]}, "spec": {"minReplicas": 1, "maxReplicas": 9}}
        deployment = {"metadata": {"name": settings["deployment"]}, "spec": {"replicas": 0}}
        self.lists = {
            "nodes": [node],
            "pods": [],
            "deployments": [deployment],
            "horizontalpodautoscalers": [hpa],
        }
        self.own = f"/deployments/{settings['name']}"
        self.lease: dict[str, Any] | None = None
        self.changes: queue.Queue[tuple[str, str, Any]] = queue.Queue()
        self.ended = threading.Event()

    def change(self, path: str) -> Any:
        """The body of the next change to that path."""
        while True:
            _, changed, body = self.changes.get(timeout=HANG)
            if changed == path:
                return body


class Request(BaseHTTPRequestHandler):
    """One request to the API server."""

    protocol_version = "HTTP/1.1"

    @property
    def api(self) -> ApiServer:
        assert isinstance(self.server, ApiServer)
        return self.server

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if "/leases/" in url.path:
            if self.api.lease is None:
                self.answer(404, {"message": "not found"})
            else:
                self.answer(200, self.api.lease)
        elif url.path.endswith(self.api.own):
            self.answer(200, {"metadata": {}, "spec": {"replicas": 2}})
        elif "watch" in parse_qs(url.query):
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self.api.ended.wait(HANG)
            self.close_connection = True
        else:
            items = self.api.lists[url.path.rpartition("/")[2]]
            self.answer(200, {"metadata": {"resourceVersion": "1"}, "items": items})

    def do_POST(self) -> None:
        self.change()

    def do_PATCH(self) -> None:
        self.change()

    def change(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.api.changes.put((self.command, self.path, body))
        if "/leases" in self.path:
            meta = {"resourceVersion": "1", "annotations": {}}
            lease = self.api.lease or {"metadata": meta, "spec": {}}
            self.api.lease = {**lease, "spec": {**lease["spec"], **body.get("spec", {})}}
            self.answer(200, self.api.lease)
        else:
            self.answer(200, {"metadata": {}})

    def answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def settings() -> dict[str, Any]:
    """What the program writes for the handler, with a minimum by schedule to keep."""
    floors = [{"schedule": "* * * * *", "minReplicas": 3}]
    recording = run(changes={"autoscaler": {"floors": floors}})
    return json.loads(recording.named("interruption-code").inputs["data"]["settings.json"])


@pytest.fixture
def server(settings: dict[str, Any], tmp_path: Path) -> Iterator[ApiServer]:
    """The API server, its certificate authority and token in the directory `account`."""
    (tmp_path / "account").mkdir()
    server = ApiServer(settings)
    server.socket = certificate(tmp_path / "account").wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.ended.set()
    server.shutdown()
    server.server_close()


def started(
    server: ApiServer, account: Path, *command: str, cwd: Path | None = None
) -> subprocess.Popen[str]:
    """The handler, started by this command."""
    return subprocess.Popen(
        [
            sys.executable,
            *command,
            f"--account={account}",
            "--identity=first",
            "--address=127.0.0.1",
            "--port=0",
        ],
        cwd=cwd,
        env={
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(server.server_address[1]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_mounted_files_alone_cordon_a_node_under_notice_set_the_minimum_and_let_go_of_the_lease(
    settings: dict[str, Any], server: ApiServer, tmp_path: Path
) -> None:
    code = tmp_path / "whatever it is called"
    code.mkdir()
    for path in (ROOT / "interruption_handler").glob("*.py"):
        (code / path.name).write_text(path.read_text())
    (code / "settings.json").write_text(json.dumps(settings))
    handler = started(server, tmp_path / "account", "-I", "-S", str(code / "start.py"))
    try:
        namespace = settings["namespace"]
        cordon = server.change("/api/v1/nodes/n1")
        hpas = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"
        minimum = server.change(f"{hpas}/{settings['hpa']}")
        told = server.change(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
        handler.send_signal(signal.SIGTERM)
        log, _ = handler.communicate(timeout=HANG)
    finally:
        handler.kill()
    assert handler.returncode == 0, log
    assert cordon == {
        "metadata": {
            "annotations": {"elastic-inference/cordoned": "notice"},
            "resourceVersion": "1",
        },
        "spec": {"unschedulable": True},
    }
    assert minimum == {"spec": {"minReplicas": 3}}
    assert (told["reason"], told["regarding"]["name"]) == ("MinReplicasSet", settings["hpa"])
    assert server.lease is not None and server.lease["spec"]["holderIdentity"] == "", (
        "another replica may take over at once"
    )
    events = [json.loads(line) for line in log.splitlines()]
    assert {"leading", "action done"} <= {event["event"] for event in events}
    assert not [event for event in events if event["level"] == "error"], log


def test_a_dry_run_from_a_checkout_tells_in_events_and_writes_nothing_but_its_lease(
    settings: dict[str, Any], server: ApiServer, tmp_path: Path
) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(settings))
    handler = started(
        server, tmp_path / "account", "-m", "interruption_handler", "--dry-run", f"--settings={file}",
        cwd=ROOT,
    )  # fmt: skip
    changes, reasons = [], set()
    try:
        while reasons < {"WouldCordon", "WouldSetMinReplicas"}:
            _, path, body = server.changes.get(timeout=HANG)
            changes.append(path)
            reasons |= {body["reason"]} if "reason" in body else set()
        handler.send_signal(signal.SIGTERM)
        log, _ = handler.communicate(timeout=HANG)
    finally:
        handler.kill()
    assert handler.returncode == 0, log
    changes += [server.changes.get()[1] for _ in range(server.changes.qsize())]
    others = [path for path in changes if "/leases" not in path and "/events" not in path]
    assert others == [] and '"dry run: action not done"' in log


def test_outside_of_a_cluster_the_handler_says_what_is_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "interruption_handler", "--account=.", "--identity=a", "--address=127.0.0.1", "--port=0"],
        cwd=ROOT, env={}, capture_output=True, text=True, timeout=HANG, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "KUBERNETES_SERVICE_HOST is not set" in done.stderr
    assert "Traceback" not in done.stderr
