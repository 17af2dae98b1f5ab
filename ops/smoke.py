"""`make smoke`: sends one request to the stack's model, prints the answer and how long it took.

An endpoint that asks who is there is answered with EI_USER and EI_PASSWORD.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shlex
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ops import trial
from ops.endpoint import (
    PASSWORD,
    USER,
    CredentialsError,
    EndpointError,
    Target,
    certificate_name,
    dns_record,
    of_stack,
    post,
    resolves,
)
from ops.engine.cli import CommandFailed, Stack
from ops.trial import LABELS, Trial, TrialError

WAIT = 60.0
"""Seconds an endpoint that does not serve yet is asked again."""
SHOWN = 2000
"""Characters of an answer that are printed."""
_NOT_YET = (404, 502, 503, 504)
RELOAD = 10.0
"""Seconds an ingress controller may take until it shows the certificate of a Secret that was just
made.
"""
_ANSWERS = ("predictions", "outputs", "results")
_NOBODY_S = ("Fake Certificate", "TRAEFIK DEFAULT CERT")
"""In the certificate that an ingress controller shows when it has none for the host."""


class SmokeError(Exception):
    """The endpoint did not answer as expected; the text is the whole message."""


class NotAskedError(SmokeError):
    """The endpoint could not be asked the way a client would; this says nothing about the model.
    The text says what is missing.
    """


@dataclass(frozen=True)
class Answer:
    """The model's answer to a request."""

    target: Target
    trial: Trial
    body: str
    seconds: float

    @property
    def verdict(self) -> str:
        """The answer's meaning as one sentence. Raises SmokeError when it is not a prediction."""
        return judge(self.trial, 200, self.body, self.target)


def ask(
    stack: Stack, sentence: str = "", connect: tuple[str, int] | None = None, wait: float = WAIT
) -> int:
    """Asks the stack's endpoint once and prints the answer. Returns 0, or 1 with one message when
    there was no prediction.
    """
    try:
        answer, hints = get_answer(stack, sentence, connect, wait)
    except SmokeError as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    show(stack, answer)
    for hint in hints:
        print(f"note: {hint}", file=sys.stderr)
    return 0


def after_up(stack: Stack) -> None:
    """Asks as `ask` does, after a deployment whose pods are ready. Whatever prevents an answer is
    printed as a hint.
    """
    try:
        answer, hints = get_answer(stack)
    except NotAskedError as reason:
        print(f"The pods are ready. The model was not asked: {reason}")
        return
    except SmokeError as reason:
        print(
            f"The pods are ready, but the model was asked and did not answer as expected: {reason}"
        )
        return
    show(stack, answer)
    for hint in hints:
        print(f"\nStill to do: {hint}")


def get_answer(
    stack: Stack, sentence: str = "", connect: tuple[str, int] | None = None, wait: float = WAIT
) -> tuple[Answer, list[str]]:
    """The model's answer, and hints for the user. Raises SmokeError, NotAskedError."""
    try:
        outputs = _outputs(stack)
        target = of_stack(stack, outputs)
        request = trial.of_stack(stack.name, sentence)
    except TrialError as reason:
        raise NotAskedError(str(reason)) from None
    except (EndpointError, CredentialsError) as reason:
        raise SmokeError(str(reason)) from None
    target, hints = _reachable(replace(target, connect=connect), outputs.get("ingressAddress"))
    target = replace(target, url=request.url(target.url))
    status, body, seconds = predict(target, request.body, wait)
    judge(request, status, body, target)
    return Answer(target, request, body, seconds), hints


def show(stack: Stack, answer: Answer) -> None:
    """Prints a curl command that sends the same request, the answer, and its meaning."""
    text = answer.body.strip()
    print(f"  {curl(answer.target, stack.name, answer.trial)}")
    print(f"  {text if len(text) <= SHOWN else text[:SHOWN] + ' …'}")
    print(f"\n{answer.verdict}, answered in {answer.seconds * 1000:.0f} ms by {answer.target.url}")


def predict(
    target: Target, body: bytes, wait: float, report: Callable[[str], None] | None = None
) -> tuple[int, str, float]:
    """(status, body, seconds) of the first answer that is not a gateway's "not yet"; asks again for
    at most `wait` seconds.
    """
    report = report or (lambda text: print(text, file=sys.stderr))
    began = time.monotonic()
    last_reason = ""
    while True:
        sent = time.monotonic()
        try:
            status, text = post(target, body)
            reason = f"HTTP {status}"
            if status not in _NOT_YET or "Servable not found" in text:
                return status, text, time.monotonic() - sent
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            if isinstance(error, ssl.SSLCertVerificationError):
                shown = certificate_name(target)
                if not _nobody_s(shown) or time.monotonic() - began >= min(wait, RELOAD):
                    raise NotAskedError(_untrusted(target, error, shown)) from None
                reason = "the ingress controller shows its own certificate"
        if time.monotonic() - began >= wait:
            raise SmokeError(_silent(target, reason, wait))
        if reason != last_reason:
            report(f"waiting for {target.url} ({reason})")
            last_reason = reason
        time.sleep(min(1.0, wait / 10))


def judge(request: Trial, status: int, body: str, target: Target) -> str:
    """The answer's meaning as one sentence. Raises SmokeError when it is not a prediction,
    NotAskedError when the client was not let in.
    """
    try:
        answer: Any = json.loads(body)
    except ValueError:
        answer = None
    if status in (401, 403) and not target.user:
        raise NotAskedError(
            f"{target.url} lets nobody in without a name and a password (HTTP {status}). "
            f"Set {USER} and {PASSWORD} in the environment, then: make smoke (with the same STACK)"
        )
    if status != 200:
        raise SmokeError(_refused(request, status, _reason(answer, body), target))
    if not request.sample:
        if not isinstance(answer, dict) or not any(key in answer for key in _ANSWERS):
            raise SmokeError(
                f"{target.url} answered {body.strip()[:200]!r}; expected JSON with {', '.join(_ANSWERS)}. "
                "Who answers is not the model's server."
            )
        return request.what
    rows = answer.get("predictions") if isinstance(answer, dict) else None
    row = rows[0] if isinstance(rows, list) and rows else None
    if (
        not isinstance(row, list)
        or len(row) != len(LABELS)
        or not all(isinstance(p, (int, float)) for p in row)
    ):
        raise SmokeError(
            f"{target.url} answered {body.strip()[:200]!r}; expected {{'predictions': [[negative, positive]]}}. "
            "Another model than model.source is served. Run make up, which uploads it and waits for its pods."
        )
    best = max(range(len(row)), key=lambda index: row[index])
    return f"{request.what} is {LABELS[best]} ({float(row[best]):.2f})"


def curl(target: Target, stack: str, request: Trial) -> str:
    """A command line that sends the same request."""
    user = f' -u "${USER}"' if target.user else ""
    to = f" --connect-to ::{target.connect[0]}:{target.connect[1]}" if target.connect else ""
    sentence = f" {shlex.quote(request.what.strip('“”'))}" if request.sample else ""
    body = f".venv/bin/python -m ops.smoke --stack {shlex.quote(stack)} --body{sentence}"
    return f"{body} | curl -s{user}{to} -d @- {target.url}"


def address(text: str) -> tuple[str, int]:
    """Parses HOST:PORT, such as `127.0.0.1:18080`, into (host, port). Raises ArgumentTypeError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected HOST:PORT, for example 127.0.0.1:18080"
        )
    return host.strip("[]"), int(port)


def main(arguments: list[str] | None = None) -> int:
    """Parses the command line, then asks the endpoint or prints the request's body. Returns the
    exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m ops.smoke", description=__doc__)
    parser.add_argument(
        "--stack", default="local", help="stack whose output predictUrl is asked (default local)"
    )
    parser.add_argument(
        "--connect",
        type=address,
        metavar="HOST:PORT",
        help="connect there instead of where the URL's name leads",
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=WAIT,
        metavar="SECONDS",
        help=f"how long to ask again (default {WAIT:g})",
    )
    parser.add_argument(
        "--body", action="store_true", help="print the request's body, and ask nobody"
    )
    parser.add_argument(
        "sentence",
        nargs="?",
        default="",
        help=f"what the repository's model judges (default {trial.SENTENCE})",
    )
    options = parser.parse_args(arguments)
    try:
        if not options.body:
            return ask(Stack(options.stack), options.sentence, options.connect, options.wait)
        print(trial.of_stack(options.stack, options.sentence).body.decode())
        return 0
    except TrialError as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def _outputs(stack: Stack) -> Mapping[str, Any]:
    try:
        return stack.outputs()
    except (CommandFailed, ValueError):
        return {}


def _reachable(target: Target, ingress: Any) -> tuple[Target, list[str]]:
    """The target as it can be reached from here: while its name leads nowhere, by the ingress's own
    address. Raises NotAskedError.
    """
    if target.connect or resolves(target.host):
        return target, []
    missing = f"there is no DNS record for {target.host}"
    if not isinstance(ingress, str) or not ingress:
        raise NotAskedError(
            f"{missing}: nobody finds the endpoint. Make one that leads to the ingress's address (kubectl get ingress -A)"
        )
    record = f"{missing} yet: clients don't find the endpoint. Make this one: {dns_record(target.host, ingress)}"
    return replace(target, connect=(ingress, target.port)), [
        f"{record}   (here it was asked by the address)"
    ]


def _reason(answer: Any, body: str) -> str:
    return (
        str(answer.get("error"))
        if isinstance(answer, dict) and answer.get("error")
        else body.strip()[:200]
    )


def _refused(request: Trial, status: int, reason: str, target: Target) -> str:
    answered = f"{target.url} answered HTTP {status} ({reason}); expected 200"
    if status in (401, 403):
        return f"{answered}. {USER} and {PASSWORD} were refused: compare them with the stack's secret setting htpasswd."
    if status == 400 and not request.sample:
        return f"{answered} to {request.what}. The model does not take that: put a request that it takes into a file and name it: model.request"
    return f"{answered} with predictions. The model is not being served. See the pods' logs: kubectl logs; or: make status"


def _silent(target: Target, reason: str, wait: float) -> str:
    host, port = target.address
    return (
        f"{target.url} did not serve within {wait:g} s (last: {reason}, connected to {host}:{port}); expected a prediction. "
        "Nobody can use the model there. See what runs: make status. If the name leads elsewhere from here, give --connect HOST:PORT."
    )


def _nobody_s(shown: str) -> bool:
    return any(name in shown for name in _NOBODY_S)


def _untrusted(target: Target, error: ssl.SSLCertVerificationError, shown: str) -> str:
    if _nobody_s(shown):
        return (
            f"the ingress controller has no certificate for {target.host} and shows its own ({shown}). Make the Secret that "
            "entry.tlsSecret names, in the stack's namespace: kubectl create secret tls NAME --cert FILE --key FILE -n NAMESPACE; "
            f"it is used within {RELOAD:.0f} s"
        )
    return (
        f"the certificate of {target.url} is not trusted ({error.verify_message}); expected one of a known authority. "
        "What answers may not be the endpoint. If the certificate is your own CA's, set SSL_CERT_FILE to that CA's file."
    )


if __name__ == "__main__":
    raise SystemExit(main())
