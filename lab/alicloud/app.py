"""What happens to a request: `CHAIN`, read from top to bottom.

A step is a function of the double and the exchange; what differs from one protocol family to the
next, it asks the exchange's family (`families`). Once an exchange has its response, only the steps
of `ALWAYS` still run. An error that a step raises becomes the response, in the family's form.

Steps that are coroutines run in the event loop; the others run in a worker thread, neighbours in
one go.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from lab.alicloud import families, response_faults
from lab.alicloud.faults import Fault
from lab.alicloud.judge import Departures
from lab.alicloud.protocol import (
    ApiError,
    FileBody,
    MissingParameterError,
    Request,
    Response,
    json_response,
)
from lab.alicloud.recorder import Recorder
from lab.alicloud.registry import Route
from lab.alicloud.services import load_services
from lab.alicloud.state import Region

log = logging.getLogger("region")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
_PIECE = 1 << 18
"""Bytes of a file that are sent at once."""


class ConnectionCutError(Exception):
    """The client went away, or its connection is to be cut."""


@dataclass
class Exchange:
    """One request on its way through the chain."""

    request: Request
    region: Region
    """All regions together until `choose_region`, then the one the request is about."""
    family: families.Family = families.UNKNOWN
    route: Route | None = None
    refusal: ApiError | None = None
    """Why there is no route."""
    fault: Fault | None = None
    result: Any = None
    """What the handler returned."""
    response: Response | None = None
    cut: bool = False
    """The connection is cut: the client gets no answer."""

    def suffers(self, *kinds: str) -> bool:
        """Whether a fault of one of these kinds strikes it."""
        return self.fault is not None and self.fault["kind"] in kinds


class App:
    """The ASGI application in front of all services: one per double."""

    def __init__(self, region: Region) -> None:
        load_services()
        self.region = region
        self.recorder = Recorder(region.store)
        self.departures = Departures()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request, from the first byte to the last."""
        if scope["type"] != "http":
            return
        try:
            request = _request(scope, await _body(receive))
            response = await self.respond(request)
            await _send(send, response, request.method == "HEAD")
        except ConnectionCutError:
            transport = scope.get("lab.transport")
            if transport is not None:
                transport.abort()

    async def respond(self, request: Request) -> Response:
        """Take a request through the chain. Raises ConnectionCutError when it gets no answer."""
        exchange = Exchange(request, self.region)
        for in_the_loop, steps in _STRETCHES:
            if in_the_loop:
                for step in steps:
                    await step(self, exchange)
            else:
                await asyncio.to_thread(self._run, exchange, steps)
        assert exchange.response is not None
        return exchange.response

    def _run(self, exchange: Exchange, steps: tuple[Step, ...]) -> None:
        for step in steps:
            if (exchange.response is None and not exchange.cut) or step in ALWAYS:
                try:
                    step(self, exchange)
                except Exception as error:
                    exchange.response = _refused(exchange, error)


def _refused(exchange: Exchange, error: Exception) -> Response:
    """An exception as the family's error."""
    request, family = exchange.request, exchange.family
    if isinstance(error, MissingParameterError):
        error = family.missing(request.service, error.name)
    if isinstance(error, ApiError):
        return family.error(request, error)
    if isinstance(error, sqlite3.OperationalError | OSError):  # a full disk, above all
        log.error("%s %s: %s", request.service, request.call, error)
        message = f"The lab's cloud double can not keep its state: {error}."
    else:
        log.error("%s %s failed", request.service, request.call, exc_info=error)
        message = "The request processing has failed due to an error in the cloud double."
    return family.error(request, ApiError(500, "InternalError", message))


# ---------------------------------------------------------------------------------------- the steps


def recognise(double: App, exchange: Exchange) -> None:
    """Whose request is it? The host says, or at an address what the request carries."""
    exchange.family = families.recognise(exchange.request)


def find_route(double: App, exchange: Exchange) -> None:
    """Which call is it? One that is not implemented is refused later, once its caller is known."""
    try:
        exchange.route = exchange.family.find_route(exchange.request)
    except ApiError as error:
        exchange.refusal = error


def take_fault(double: App, exchange: Exchange) -> None:
    """Is a fault waiting for this call? It is used up by it."""
    exchange.fault = double.region.faults.take(exchange.request)


async def delay_or_cut(double: App, exchange: Exchange) -> None:
    """Fault kinds `delay`, `timeout` and `reset`; of the last two the call is not done."""
    fault = exchange.fault
    if fault and exchange.suffers("delay", "timeout"):
        await asyncio.sleep(fault["seconds"])
    exchange.cut = exchange.suffers("timeout", "reset")


def answer_error(double: App, exchange: Exchange) -> None:
    """Fault kind `error`: the call is refused as the fault says, and not done."""
    fault = exchange.fault
    if fault is None or fault["kind"] != "error":
        return
    if fault.get("body") is not None:
        exchange.response = json_response(fault.get("body"), fault["status"])
    else:
        error = ApiError(fault["status"], fault["code"], fault["message"])
        exchange.response = exchange.family.error(exchange.request, error)


def let_time_pass(double: App, exchange: Exchange) -> None:
    """What is due has happened before the call sees the state."""
    if exchange.route is not None:
        double.region.run_due()


def choose_region(double: App, exchange: Exchange) -> None:
    """The region that host or parameters name; nothing of the others is seen from here on."""
    if exchange.route is not None:
        name = exchange.family.region_of(exchange.request, double.region.name)
        exchange.region = double.region.at(name)


def authenticate(double: App, exchange: Exchange) -> None:
    """Who calls? None for an unsigned request."""
    exchange.request.identity = exchange.family.authenticate(exchange.region, exchange.request)


def refuse_unknown_call(double: App, exchange: Exchange) -> None:
    """501, which names the call."""
    if exchange.refusal is not None:
        raise exchange.refusal


def authorize(double: App, exchange: Exchange) -> None:
    """May the caller do this? Raises the family's refusal if not."""
    assert exchange.route is not None
    exchange.family.authorize(exchange.region, exchange.request, exchange.route)


def validate(double: App, exchange: Exchange) -> None:
    """Has the call what the API's models call required? Raises the family's refusal if not."""
    exchange.family.validate(exchange.request)


def call_service(double: App, exchange: Exchange) -> None:
    """The service's handler, in a transaction; the judge notes what it reads and returns."""
    request, family, route = exchange.request, exchange.family, exchange.route
    assert route is not None
    with family.transaction(exchange.region):
        headers = request.headers
        request.asked.clear()
        request.headers = family.watched_headers(request)
        start = time.thread_time_ns()
        exchange.result = route.handler(exchange.region, request)
        handled = time.thread_time_ns() - start
        request.headers = headers
        double.departures.judge(family, request, exchange.result, handled)


def under_response_fault(*steps: Step) -> Step:
    """These steps as one, under fault kinds `stale`, `stuck` and `page`: `stale` takes all of them
    into the past.
    """

    def answer_under_fault(double: App, exchange: Exchange) -> None:
        def handle() -> Any:
            for step in steps:
                step(double, exchange)
            return exchange.result

        if exchange.fault and exchange.suffers(*response_faults.KINDS):
            exchange.result = response_faults.answer(
                exchange.region, exchange.family, exchange.request, exchange.fault, handle
            )
        else:
            handle()

    return answer_under_fault


def answer(double: App, exchange: Exchange) -> None:
    """The HTTP answer for what the handler returned."""
    exchange.response = exchange.family.answer(exchange.result)


def record(double: App, exchange: Exchange) -> None:
    """Request and answer as plain data, for `/_lab/calls`; no answer where the client gets none."""
    lost = exchange.suffers("answered-but-lost")
    double.recorder.record(exchange.request, None if lost else exchange.response)


async def lose_answer(double: App, exchange: Exchange) -> None:
    """Fault kind `answered-but-lost`: the call is done, the connection is cut."""
    if exchange.fault and exchange.suffers("answered-but-lost"):
        await asyncio.sleep(exchange.fault["seconds"])
        exchange.cut = True
    if exchange.cut:
        raise ConnectionCutError


Step = Callable[[App, Exchange], Any]
CHAIN: tuple[Step, ...] = (
    recognise,
    find_route,
    take_fault,
    delay_or_cut,
    answer_error,
    let_time_pass,
    choose_region,
    authenticate,
    refuse_unknown_call,
    under_response_fault(authorize, validate, call_service),
    answer,
    record,
    lose_answer,
)
"""Everything that happens to a request, in order."""
ALWAYS = (record, lose_answer)
_STRETCHES: list[tuple[bool, tuple[Callable[..., Any], ...]]] = [
    (in_the_loop, tuple(steps))
    for in_the_loop, steps in itertools.groupby(CHAIN, inspect.iscoroutinefunction)
]


# ------------------------------------------------------------------------------- HTTP in, HTTP out


def _request(scope: Scope, body: bytes) -> Request:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        text = value.decode("utf-8", "replace")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    raw_path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    transport = scope.get("lab.transport")
    tls = transport.get_extra_info("ssl_object") if transport is not None else None
    return Request(
        method=scope["method"],
        scheme=scope["scheme"],
        host=headers.get("host", "").rsplit(":", 1)[0].lower(),
        path=unquote(raw_path),
        raw_path=raw_path,
        raw_query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
        client=(scope.get("client") or ("127.0.0.1", 0))[0],
        tls_version=tls.version() if tls is not None else "",
    )


async def _body(receive: Receive) -> bytes:
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionCutError
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


async def _send(send: Send, response: Response, head: bool) -> None:
    body = response.body
    length = body.length if isinstance(body, FileBody) else len(body)
    headers = dict(response.headers)
    if response.status not in (204, 304):
        headers.setdefault("Content-Length", str(length))
    raw = [(name.encode("latin-1"), value.encode("utf-8")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    if isinstance(body, FileBody) and not head:
        await _send_file(send, body)
    else:
        sent = b"" if head or isinstance(body, FileBody) else body
        await send({"type": "http.response.body", "body": sent})


async def _send_file(send: Send, body: FileBody) -> None:
    with body.path.open("rb") as stream:
        stream.seek(body.start)
        left = body.length
        while left > 0:
            piece = stream.read(min(_PIECE, left))
            if not piece:
                raise ConnectionCutError
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        if body.length == 0:
            await send({"type": "http.response.body", "body": b""})
