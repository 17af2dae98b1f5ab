"""`python -m ops.smoke`: asks the endpoint, judges the answer, and says in one message what is
wrong.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lab.pki import ensure_lab_ca
from models.tokenizer import request
from ops import smoke
from ops.endpoint import Target, dns_record
from ops.engine.cli import ROOT, Stack
from ops.smoke import SmokeError
from ops.trial import Trial

GOOD = json.dumps({"predictions": [[0.12, 0.88]]})
URL = "http://bert-tfserving.localhost/v1/models/chnsenticorp:predict"
Reply = tuple[int, str]


class Endpoint:
    """A web server that gives prepared answers and keeps what it was asked."""

    def __init__(self, replies: list[Reply], context: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.asked.append((self.path, dict(self.headers), json.loads(body)))
                status, text = replies.pop(0) if len(replies) > 1 else replies[0]
                data = text.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.address = ("127.0.0.1", self.server.server_address[1])
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()


@pytest.fixture
def endpoint() -> Iterator[Callable[..., Endpoint]]:
    """Starts endpoints and ends them."""
    running: list[Endpoint] = []

    def start(*replies: Reply, context: ssl.SSLContext | None = None) -> Endpoint:
        running.append(Endpoint(list(replies), context))
        return running[-1]

    yield start
    for one in running:
        one.server.shutdown()
        one.server.server_close()


@pytest.fixture
def logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user `me` asks."""
    monkeypatch.setenv("EI_USER", "me")
    monkeypatch.setenv("EI_PASSWORD", "pw")


class FakeStack(Stack):
    """A stack with these outputs."""

    def __init__(self, outputs: dict[str, Any], name: str = "dev") -> None:
        super().__init__(name)
        self._outputs = outputs

    def outputs(self) -> dict[str, Any]:
        """The outputs given."""
        return self._outputs


def test_a_prediction_is_printed_with_its_latency_and_a_curl_line(
    endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    server = endpoint((200, GOOD))
    assert (
        smoke.ask(FakeStack({"predictUrl": URL}), "房间很干净", connect=server.address, wait=1) == 0
    )
    printed = capsys.readouterr().out
    assert "“房间很干净” is positive (0.88)" in printed and " ms by " in printed and GOOD in printed
    assert f"| curl -s --connect-to ::127.0.0.1:{server.address[1]} -d @- {URL}" in printed


def test_the_sentence_goes_out_tokenised_under_the_urls_own_host_name(
    endpoint, logged_in: None
) -> None:
    server = endpoint((200, GOOD))
    smoke.ask(FakeStack({"predictUrl": URL}), "服务太差了", connect=server.address, wait=1)
    ((path, headers, body),) = server.asked
    assert (
        path == "/v1/models/chnsenticorp:predict" and headers["Host"] == "bert-tfserving.localhost"
    )
    assert body == request(["服务太差了"]) and headers["Authorization"] == "Basic bWU6cHc="


def test_a_name_below_localhost_leads_to_this_machine() -> None:
    assert Target("http://bert-tfserving.localhost:18080/x").address == ("127.0.0.1", 18080)
    assert Target("https://models.example.com/x").address == ("models.example.com", 443)
    assert Target("http://models.example.com/x", ("10.0.0.80", 80)).address == ("10.0.0.80", 80)


def test_in_the_lab_the_relays_port_counts(endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    server = endpoint((200, GOOD))
    monkeypatch.setenv("LAB_INGRESS_PORT", str(server.address[1]))
    assert (
        smoke.ask(
            FakeStack({"predictUrl": "http://bert-tfserving.localhost:18080/p"}, "local"), wait=1
        )
        == 0
    )
    assert server.asked[0][1]["Host"] == f"bert-tfserving.localhost:{server.address[1]}"


def test_an_endpoint_that_is_not_ready_yet_is_asked_again(
    endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    server = endpoint((503, "no available server"), (404, "404 page not found"), (200, GOOD))
    assert smoke.ask(FakeStack({"predictUrl": URL}), connect=server.address, wait=5) == 0
    said = capsys.readouterr().err
    assert (
        len(server.asked) == 3
        and "waiting for" in said
        and "HTTP 503" in said
        and "HTTP 404" in said
    )


def test_an_endpoint_that_never_serves_is_given_up_in_time(
    endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    server = endpoint((503, "no"))
    assert smoke.ask(FakeStack({"predictUrl": URL}), connect=server.address, wait=0.3) == 1
    said = capsys.readouterr().err
    assert "did not serve within 0.3 s (last: HTTP 503" in said and "make status" in said


def test_nothing_that_listens_is_told_with_the_address(
    endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    assert smoke.ask(FakeStack({"predictUrl": URL}), connect=("127.0.0.1", 1), wait=0.1) == 1
    said = capsys.readouterr().err
    assert (
        "Connection refused" in said
        and "connected to 127.0.0.1:1" in said
        and "--connect HOST:PORT" in said
    )


WRONG = [
    (
        (400, '{ "error": "Missing named input" }'),
        ["HTTP 400 (Missing named input)", "expected 200"],
    ),
    ((401, "Unauthorized"), ["HTTP 401", "Set EI_USER and EI_PASSWORD"]),
    (
        (404, '{ "error": "Servable not found for request: Latest(chnsenticorp)" }'),
        ["HTTP 404", "Servable not found"],
    ),
    ((500, "<html>oops</html>"), ["HTTP 500 (<html>oops</html>)"]),
    ((200, "hello"), ["'hello'", "expected {'predictions'"]),
    ((200, '{"predictions": []}'), ["expected {'predictions'"]),
    ((200, '{"predictions": [[0.1, 0.2, 0.7]]}'), ["Another model than model.source"]),
]


@pytest.mark.parametrize(("reply", "parts"), WRONG)
def test_an_answer_that_is_no_prediction_is_explained(
    endpoint, capsys: pytest.CaptureFixture[str], reply: Reply, parts: list[str]
) -> None:
    assert smoke.ask(FakeStack({"predictUrl": URL}), connect=endpoint(reply).address, wait=0.2) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1, said
    for part in parts:
        assert part in said


@pytest.mark.parametrize(
    "outputs", [{}, {"predictUrl": None}, {"predictUrl": "bert"}, {"predictUrl": "[secret]"}]
)
def test_a_stack_that_is_not_up_is_told(
    outputs: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert smoke.ask(FakeStack(outputs, "prod")) == 1
    assert (
        "stack prod has no output predictUrl" in (said := capsys.readouterr().err)
        and "make up STACK=prod" in said
    )


def served_with(directory: Path, name: str) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate for `name` of a CA that nobody knows; its file is
    below `directory`.
    """
    certificate, key = ensure_lab_ca(directory).leaf([name])
    (directory / "leaf.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "leaf.pem")
    return context


def test_a_certificate_counts_for_the_urls_name_and_a_strangers_is_refused(
    endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = endpoint((200, GOOD), context=served_with(tmp_path, "models.example.com"))
    target = Target("https://models.example.com/p", server.address)
    with pytest.raises(SmokeError, match=r"is not trusted.*SSL_CERT_FILE"):
        smoke.predict(target, b"{}", wait=1)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "pki" / "ca.pem"))
    status, body, seconds = smoke.predict(target, b"{}", wait=1)
    assert (status, body) == (200, GOOD) and seconds > 0


def test_the_certificate_that_a_controller_shows_for_want_of_the_stacks_is_told_with_the_command_that_makes_the_secret(
    endpoint, tmp_path: Path
) -> None:
    server = endpoint(
        (200, GOOD), context=served_with(tmp_path, "Kubernetes Ingress Controller Fake Certificate")
    )
    with pytest.raises(
        smoke.NotAskedError,
        match=r"no certificate for models.example.com.*kubectl create secret tls",
    ):
        smoke.predict(Target("https://models.example.com/p", server.address), b"{}", wait=1)


@pytest.mark.parametrize("text", ["18080", "host:", "host:http", ":1", "host:70000"])
def test_a_connect_address_of_another_form_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        smoke.main(["--connect", text])
    assert caught.value.code == 2 and "expected HOST:PORT" in capsys.readouterr().err


def test_the_curl_line_is_one_that_a_shell_understands() -> None:
    line = smoke.curl(
        Target(URL, ("127.0.0.1", 18080), "me:secret"),
        "dev",
        Trial(b"{}", "predict", "“it's fine; rm -rf /”", sample=True),
    )
    assert "secret" not in line and '-u "$EI_USER"' in line
    assert subprocess.run(["sh", "-n", "-c", line], check=False).returncode == 0


@pytest.mark.parametrize(
    ("user", "password", "parts"),
    [
        ("me", "", ["EI_USER is set and EI_PASSWORD is not"]),
        ("", "pw", ["EI_PASSWORD is set and EI_USER is not"]),
        ("a:b", "pw", ["colon"]),
    ],
)
def test_half_a_login_is_told_before_anything_is_sent(
    endpoint,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    user: str,
    password: str,
    parts: list[str],
) -> None:
    monkeypatch.setenv("EI_USER", user)
    monkeypatch.setenv("EI_PASSWORD", password)
    server = endpoint((200, GOOD))
    assert smoke.ask(FakeStack({"predictUrl": URL}), connect=server.address, wait=1) == 1
    said = capsys.readouterr().err
    assert all(part in said for part in parts) and server.asked == []


def test_after_a_deployment_what_keeps_the_answer_away_is_a_hint(
    endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    server = endpoint((401, "Unauthorized"))
    smoke.after_up(
        FakeStack({"predictUrl": f"http://127.0.0.1:{server.address[1]}/v1/models/m:predict"})
    )
    said = capsys.readouterr()
    assert (
        said.out.startswith("The pods are ready. The model was not asked: ")
        and "Set EI_USER and EI_PASSWORD" in said.out
    )
    assert said.err == ""


def test_a_refused_login_says_what_to_compare(
    endpoint, logged_in: None, capsys: pytest.CaptureFixture[str]
) -> None:
    server = endpoint((401, "Unauthorized"))
    assert smoke.ask(FakeStack({"predictUrl": URL}), connect=server.address, wait=1) == 1
    said = capsys.readouterr()
    assert (
        "EI_USER and EI_PASSWORD were refused" in said.err
        and "htpasswd" in said.err
        and "pw" not in said.out + said.err.replace("htpasswd", "")
    )


def test_before_a_name_leads_anywhere_the_ingress_is_asked_by_its_address_and_the_record_is_shown(
    endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    server = endpoint((200, GOOD))
    url = f"http://bert.invalid:{server.address[1]}/v1/models/chnsenticorp:predict"
    smoke.after_up(FakeStack({"predictUrl": url, "ingressAddress": "127.0.0.1"}))
    said = capsys.readouterr().out
    assert (
        "is positive" in said and "Still to do: there is no DNS record for bert.invalid yet" in said
    )
    assert (
        "bert.invalid. A 127.0.0.1" in said
        and server.asked[0][1]["Host"] == f"bert.invalid:{server.address[1]}"
    )
    smoke.after_up(FakeStack({"predictUrl": url}))
    assert (
        "The model was not asked: there is no DNS record for bert.invalid"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("address", "record"),
    [("203.0.113.7", "b.example.com. A 203.0.113.7"), ("2001:db8::1", "b.example.com. AAAA 2001:db8::1"),
     ("alb-x.cn-shanghai.alb.aliyuncs.com", "b.example.com. CNAME alb-x.cn-shanghai.alb.aliyuncs.com.")],
)  # fmt: skip
def test_the_record_fits_the_kind_of_address(address: str, record: str) -> None:
    assert dns_record("b.example.com", address) == record


def test_the_body_can_be_had_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert smoke.main(["--body", "服务太差了"]) == 0
    assert json.loads(capsys.readouterr().out) == request(["服务太差了"])


def test_ctrl_c_ends_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(smoke, "ask", pressed)
    assert smoke.main([]) == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


def test_a_real_stack_without_a_cli_ends_in_one_line(tmp_path: Path) -> None:
    for module, *words in (
        ("ops.smoke",),
        ("ops.load",),
        ("ops.report", "--live", "1"),
        ("ops.drill",),
        ("ops.up",),
        ("ops.preview",),
    ):
        done = subprocess.run(
            [sys.executable, "-m", module, *words, "--stack", "dev"],
            env={"PATH": str(tmp_path), "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}, cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1 and done.stderr.startswith("error: no `pulumi` on PATH"), (
            module,
            done.stderr,
        )
        assert done.stderr.count("\n") == 1, done.stderr
