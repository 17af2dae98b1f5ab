"""`make smoke`: sends one Chinese sentence to the stack's predict URL, prints the answer and how long it took."""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import shlex
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ops.pulumi import CommandFailed, Stack

SENTENCE = "房间很干净，服务也很好"
LABELS = ("negative", "positive")
TIMEOUT = 20.0
"""Seconds one request may take."""
WAIT = 60.0
"""Seconds an endpoint that does not serve yet is asked again."""
_NOT_YET = (404, 502, 503, 504)


class SmokeFailed(Exception):
    """The endpoint did not answer as it should; the text is the whole message."""


@dataclass(frozen=True)
class Target:
    """Where to send the request: the URL, and the address to connect to when the name does not lead there (as curl's --connect-to)."""

    url: str
    connect: tuple[str, int] | None = None
    user: str = ""

    @property
    def parts(self) -> SplitResult:
        """The URL, split."""
        return urlsplit(self.url)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to. Names below .localhost are this machine, whatever the resolver thinks."""
        if self.connect:
            return self.connect
        host = self.parts.hostname or ""
        port = self.parts.port or (443 if self.parts.scheme == "https" else 80)
        return ("127.0.0.1" if host == "localhost" or host.endswith(".localhost") else host), port


def ask(stack: Stack, sentence: str = SENTENCE, connect: tuple[str, int] | None = None, user: str = "", wait: float = WAIT) -> int:
    """Ask the stack's endpoint for one prediction and print it; 0 if the answer is a prediction, else 1 with one message."""
    try:
        target = Target(_predict_url(stack), connect, user)
        if stack.in_lab and connect is None:
            target = _through_relay(target)
        status, body, seconds = predict(target, sentence, wait)
        label, probability = judge(status, body, target.url)
    except SmokeFailed as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    print(f"  {curl(target, sentence)}")
    print(f"  {body.strip()}")
    print(f"\n“{sentence}” is {label} ({probability:.2f}), answered in {seconds * 1000:.0f} ms by {target.url}")
    return 0


def predict(target: Target, sentence: str, wait: float, say: Callable[[str], None] | None = None) -> tuple[int, str, float]:
    """(status, body, seconds) of the first answer that is not a gateway's "not yet"; asks again for at most `wait` seconds."""
    from models.tokenizer import request

    say = say or (lambda text: print(text, file=sys.stderr))
    payload = json.dumps(request([sentence])).encode()
    began = time.monotonic()
    told = ""
    while True:
        sent = time.monotonic()
        try:
            status, body = _post(target, payload)
            reason = f"HTTP {status}"
            if status not in _NOT_YET or "Servable not found" in body:
                return status, body, time.monotonic() - sent
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, ssl.SSLCertVerificationError):
                raise SmokeFailed(_untrusted(target, error)) from None
            status, body, reason = 0, "", str(error) or type(error).__name__
        if time.monotonic() - began >= wait:
            raise SmokeFailed(_silent(target, reason, wait))
        if reason != told:
            say(f"waiting for {target.url} ({reason})")
            told = reason
        time.sleep(min(1.0, wait / 10))


def judge(status: int, body: str, url: str) -> tuple[str, float]:
    """(label, probability) of a predict answer; raises `SmokeFailed` if it is none."""
    try:
        answer: Any = json.loads(body)
    except ValueError:
        answer = None
    if status != 200:
        said = answer.get("error") if isinstance(answer, dict) else body.strip()[:200]
        remedy = {401: "Give --user NAME:PASSWORD.", 403: "Give --user NAME:PASSWORD."}.get(status, "See the pods' logs, or: make status")
        raise SmokeFailed(f"{url} answered HTTP {status} ({said}); expected 200 with predictions. The model is not being served. {remedy}")
    rows = answer.get("predictions") if isinstance(answer, dict) else None
    row = rows[0] if isinstance(rows, list) and rows else None
    if not isinstance(row, list) or len(row) != len(LABELS) or not all(isinstance(p, (int, float)) for p in row):
        raise SmokeFailed(
            f"{url} answered {body.strip()[:200]!r}; expected {{'predictions': [[negative, positive]]}}. "
            "Another model than the repository's is served; ask it with its own inputs."
        )
    best = max(range(len(row)), key=lambda index: row[index])
    return LABELS[best], float(row[best])


def curl(target: Target, sentence: str) -> str:
    """A command line that sends the same request."""
    user = f" -u {shlex.quote(target.user.split(':')[0])}" if target.user else ""
    to = f" --connect-to ::{target.connect[0]}:{target.connect[1]}" if target.connect else ""
    body = f'"$(.venv/bin/python -m models.tokenizer {shlex.quote(sentence)})"'
    return f"curl -s{user}{to} -d {body} {target.url}"


def address(text: str) -> tuple[str, int]:
    """`127.0.0.1:18080` -> ("127.0.0.1", 18080)."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r}: expected HOST:PORT, for example 127.0.0.1:18080")
    return host.strip("[]"), int(port)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m ops.smoke", description=__doc__)
    parser.add_argument("--stack", default="local", help="stack whose output predictUrl is asked (default local)")
    parser.add_argument("--connect", type=address, metavar="HOST:PORT", help="connect there instead of where the URL's name leads")
    parser.add_argument("--user", default=os.environ.get("SMOKE_USER", ""), metavar="NAME:PASSWORD", help="basic auth (or SMOKE_USER)")
    parser.add_argument("--wait", type=float, default=WAIT, metavar="SECONDS", help=f"how long to ask again (default {WAIT:g})")
    parser.add_argument("sentence", nargs="?", default=SENTENCE, help=f"what to judge (default {SENTENCE})")
    given = parser.parse_args(arguments)
    return ask(Stack(given.stack), given.sentence, given.connect, given.user, given.wait)


def _predict_url(stack: Stack) -> str:
    try:
        url = stack.outputs().get("predictUrl")
    except (CommandFailed, ValueError):
        url = None
    if not isinstance(url, str) or not urlsplit(url).hostname or urlsplit(url).scheme not in ("http", "https"):
        raise SmokeFailed(
            f"stack {stack.name} has no output predictUrl (found {url!r}); expected the URL of the served model. There is nothing to ask. "
            f"Run: make up{'' if stack.in_lab else f' STACK={stack.name}'}"
        )
    return url


def _through_relay(target: Target) -> Target:
    """The lab may have been started with another ingress port than the one in the URL."""
    from lab.environment import ports

    port = ports().ingress
    parts = target.parts
    if parts.port in (None, port) or os.environ.get("LAB_INGRESS_PORT") is None:
        return target
    return Target(parts._replace(netloc=f"{parts.hostname}:{port}").geturl(), None, target.user)


def _post(target: Target, payload: bytes) -> tuple[int, str]:
    host, port = target.address
    parts = target.parts
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = _NamedHTTPS(host, port, str(parts.hostname))
    else:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    headers = {"Host": parts.netloc.rpartition("@")[2], "Content-Type": "application/json"}
    if target.user:
        headers["Authorization"] = "Basic " + base64.b64encode(target.user.encode()).decode()
    try:
        connection.request("POST", parts.path + (f"?{parts.query}" if parts.query else ""), payload, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


class _NamedHTTPS(http.client.HTTPSConnection):
    """Connects to one address and checks the certificate for another name."""

    def __init__(self, host: str, port: int, name: str) -> None:
        super().__init__(host, port, timeout=TIMEOUT)
        self._name = name
        self._trust = ssl.create_default_context()

    def connect(self) -> None:
        """TCP to the address, TLS for the name."""
        http.client.HTTPConnection.connect(self)
        self.sock = self._trust.wrap_socket(self.sock, server_hostname=self._name)


def _silent(target: Target, reason: str, wait: float) -> str:
    host, port = target.address
    return (
        f"{target.url} did not serve within {wait:g} s (last: {reason}, connected to {host}:{port}); expected a prediction. "
        "Nobody can use the model there. See what runs: make status. If the name leads elsewhere from here, give --connect HOST:PORT."
    )


def _untrusted(target: Target, error: ssl.SSLCertVerificationError) -> str:
    return (
        f"the certificate of {target.url} is not trusted ({error.verify_message}); expected one of a known authority. "
        "What answers may not be the endpoint. If the certificate is your own CA's, set SSL_CERT_FILE to that CA's file."
    )


if __name__ == "__main__":
    raise SystemExit(main())
