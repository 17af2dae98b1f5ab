"""The ASGI app in front of all services: read, find the service, check, answer, record."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from lab.alicloud import judge, response_faults
from lab.alicloud.auth.authenticate import authenticate
from lab.alicloud.auth.authorize import require
from lab.alicloud.protocol import (
    ApiError,
    Asked,
    FileBody,
    Request,
    Response,
    error_response,
    json_response,
    request_id,
)
from lab.alicloud.recorder import Recorder
from lab.alicloud.registry import Route
from lab.alicloud.routing import locate, region_of, resolve
from lab.alicloud.services import load_services
from lab.alicloud.state import Region

log = logging.getLogger("region")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
_PIECE = 1 << 18


class Gone(Exception):
    """The client went away, or the connection is to be cut."""


class App:
    """Serves one region."""

    def __init__(self, region: Region) -> None:
        load_services()
        self.region = region
        self.recorder = Recorder(region.store)
        self.departures = judge.Departures()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            request = _request(scope, await _body(receive))
            response = await self._answer(request)
            await _send(send, response, request.method == "HEAD")
        except Gone:
            transport = scope.get("lab.transport")
            if transport is not None:
                transport.abort()

    async def _answer(self, request: Request) -> Response:
        locate(request)
        route: Route | None = None
        try:
            route = resolve(request)
        except ApiError as error:
            refused = error
        fault = self.region.faults.take(request)
        kind = fault["kind"] if fault else ""
        if fault and kind in ("timeout", "delay"):
            await asyncio.sleep(fault["seconds"])
        distortion = fault if kind in response_faults.KINDS else None
        if kind in ("timeout", "reset"):
            await asyncio.to_thread(self.recorder.record, request, None)
            raise Gone
        if fault and kind == "error":
            response = _injected(request, fault)
        elif route is None:
            response = await asyncio.to_thread(self._refuse, request, refused)
        else:
            response = await asyncio.to_thread(self._process, request, route, distortion)
        await asyncio.to_thread(
            self.recorder.record, request, None if kind == "answered-but-lost" else response
        )
        if fault and kind == "answered-but-lost":
            await asyncio.sleep(fault["seconds"])
            raise Gone
        return response

    def _refuse(self, request: Request, error: ApiError) -> Response:
        try:
            if request.service != "unknown":
                request.identity = authenticate(self.region, request)
        except ApiError as wrong_signature:
            error = wrong_signature
        return error_response(request, error)

    def _process(
        self, request: Request, route: Route, distortion: dict[str, Any] | None
    ) -> Response:
        try:
            self.region.run_due()
            region = self.region.at(region_of(request, self.region.name))
            request.identity = authenticate(region, request)

            def handle() -> Any:
                if (
                    request.service == "oss"
                ):  # checks its own permissions: they depend on bucket policy and object
                    return self._judged(region, request, route)
                require(region, request, route)
                judge.require(request)
                with region.store.transaction():
                    return self._judged(region, request, route)

            result = (
                response_faults.answer(region, request, distortion, handle)
                if distortion
                else handle()
            )
            if request.service != "oss":
                self.region.notify()
            return result if isinstance(result, Response) else _wrapped(request, result)
        except ApiError as error:
            return error_response(request, error)
        except (sqlite3.OperationalError, OSError) as error:  # a full disk, above all
            log.error("%s %s: %s", request.service, request.call, error)
            return error_response(
                request,
                ApiError(
                    500,
                    "InternalError",
                    f"The lab's region double can not keep its state: {error}.",
                ),
            )
        except Exception:
            log.exception("%s %s failed", request.service, request.call)
            return error_response(
                request,
                ApiError(
                    500,
                    "InternalError",
                    "The request processing has failed due to an error in the region double.",
                ),
            )

    def _judged(self, region: Region, request: Request, route: Route) -> Any:
        """What the handler of one region answers, noted by the judge."""
        headers = request.headers
        request.asked.clear()
        if request.service == "oss":
            request.headers = Asked(headers, request.asked_headers)
        start = time.thread_time_ns()
        answer = route.handler(region, request)
        handled = time.thread_time_ns() - start
        request.headers = headers
        self.departures.judge(request, answer, handled)
        return answer


def _wrapped(request: Request, result: Any) -> Response:
    if request.service not in ("cs", "sls"):
        result = {"RequestId": request_id(), **(result or {})}
    return json_response(result)


def _injected(request: Request, fault: dict[str, Any]) -> Response:
    if fault.get("body") is not None:
        return json_response(fault["body"], fault["status"])
    return error_response(request, ApiError(fault["status"], fault["code"], fault["message"]))


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
            raise Gone
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
        await send(
            {
                "type": "http.response.body",
                "body": b"" if head or isinstance(body, FileBody) else body,
            }
        )


async def _send_file(send: Send, body: FileBody) -> None:
    with body.path.open("rb") as stream:
        stream.seek(body.start)
        left = body.length
        while left > 0:
            piece = stream.read(min(_PIECE, left))
            if not piece:
                raise Gone
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        if body.length == 0:
            await send({"type": "http.response.body", "body": b""})
