"""The REST API as a bare ASGI application: routes, bodies and errors of the server."""

from __future__ import annotations

import asyncio
import json
import re
import time
import zlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

from google.protobuf import json_format

from lab.serving import predict, protos
from lab.serving.errors import HTTP, StatusError, invalid
from lab.serving.examples import (
    classification_body,
    classify,
    read_examples,
    regress,
    regression_body,
)
from lab.serving.jsonread import parse
from lab.serving.jsonwrite import debug, error_body
from lab.serving.manager import Manager, Version
from lab.serving.tensorflow import DEFAULT

_VERSION = r"(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
_POST = re.compile(
    r"/v1/models/([^/:]+)" + _VERSION + r":(classify|regress|predict)", re.IGNORECASE
)
_GET = re.compile(r"/v1/models(?:/([^/:]+))?" + _VERSION + r"(?:/(metadata))?", re.IGNORECASE)
_JSON = [(b"content-type", b"application/json")]
_NOT_FOUND = b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>\n"
_CORS = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def version_status(versions: list[Version]) -> Any:
    """GetModelStatusResponse for these versions."""
    response = protos.new("GetModelStatusResponse")
    for version in versions:
        entry = response.model_version_status.add(
            version=version.number, state=protos.ENUMS["State"][version.state]
        )
        if version.error:
            entry.status.error_code = protos.ENUMS["ErrorCode"][version.error.code]
            entry.status.error_message = version.error.message
        else:
            entry.status.error_code = 0
        entry.status.SetInParent()
    return response


def _pretty(message: Any, **options: Any) -> str:
    return json_format.MessageToJson(
        message,
        indent=1,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        **options,
    )


def metadata_body(name: str, version: Version) -> bytes:
    """The answer to /metadata."""
    assert version.model
    signatures = protos.new("SignatureDefMap")
    for key, signature in version.model.signatures.items():
        signatures.signature_def[key].CopyFrom(signature)
    spec = json.dumps(
        {"name": name, "signature_name": "", "version": str(version.number)}, indent=1
    )
    return f'{{\n"model_spec":{spec},\n"metadata": {{"signature_def": {_pretty(signatures, sort_keys=True)}}}\n}}\n'.encode()


class Rest:
    """The ASGI application. `monitoring` is the path of the metrics page, or None; `timeout_ms`
    ends a call's time in the model.
    """

    def __init__(
        self,
        manager: Manager,
        threads: int = 16,
        monitoring: str | None = None,
        cors: bool = False,
        timeout_ms: int = 30_000,
    ) -> None:
        self.manager, self.monitoring, self.cors, self.timeout_ms = (
            manager,
            monitoring,
            cors,
            timeout_ms,
        )
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="predict")

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Send
    ) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        path = (
            (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0].decode("latin-1")
        )
        body = _uncompressed(await _body(receive), scope["headers"])
        if path == self.monitoring:
            await _reply(
                send, 200, self.manager.metrics.page().encode(), [(b"content-type", b"text/plain")]
            )
        elif not path.lower().startswith("/v1/"):
            await _reply(send, 404, _NOT_FOUND, [(b"content-type", b"text/html")])
        elif scope["method"] == "OPTIONS":
            await self.preflight(scope, send)
        else:
            await self.answer(scope["method"], path, body, send)

    async def preflight(self, scope: dict[str, Any], send: Send) -> None:
        """Answer a browser's CORS preflight request."""
        origin = dict(scope["headers"]).get(b"origin", b"")
        status = 200 if re.search(rb"https?://", origin) else 400
        await _reply(send, status, b"", _CORS if self.cors else [])

    async def answer(self, method: str, path: str, body: bytes, send: Send) -> None:
        """Routes, computes, counts, replies."""
        began, found, api, code = time.perf_counter(), None, "", "OK"
        try:
            found = (
                (_POST if method == "POST" else _GET).fullmatch(path)
                if method in ("POST", "GET")
                else None
            )
            if not found:
                raise invalid(f"Malformed request: {method} {path}")
            name, number, label = (
                unquote(found[1] or ""),
                found[2],
                unquote(found[3]) if found[3] else None,
            )
            if number is not None and int(number) >= 2**63:
                raise invalid(f"Failed to convert version: {number} to numeric.")
            version = int(number) if number is not None else None
            if method == "POST":
                api = found[4]
                result = await self.post(path, name, version, label, api, body)
            else:
                result = self.get(name, version, label, metadata=found[4] == "metadata")
        except StatusError as error:
            code, result = error.code, error_body(error.message)
        except Exception as reason:  # the server must answer whatever happens
            code, result = "INTERNAL", error_body(f"{type(reason).__name__}: {reason}")
        model = unquote(found[1] or "") if found else ""
        self.manager.metrics.request(model, api, "REST", code, time.perf_counter() - began)
        await _reply(send, HTTP[code], result, _JSON + (_CORS if self.cors else []))

    def get(self, name: str, version: int | None, label: str | None, metadata: bool) -> bytes:
        """Status (the label is ignored, as in the server) or metadata."""
        if not name:
            raise invalid("Missing model name in request.")
        if metadata:
            return metadata_body(name, self.manager.find(name, version, label))
        return (_pretty(version_status(self.manager.status(name, version))) + "\n").encode()

    async def post(
        self, path: str, name: str, version: int | None, label: str | None, api: str, body: bytes
    ) -> bytes:
        """Predict, classify or regress; the path is matched in any case, but only lower-case
        methods are known.
        """
        if api not in ("predict", "classify", "regress"):
            raise invalid(f"Malformed request: POST {path}")
        call = self.predict if api == "predict" else self.examples
        return await asyncio.get_running_loop().run_in_executor(
            self.pool, call, name, version, label, body, api
        )

    def examples(
        self, name: str, version: int | None, label: str | None, body: bytes, api: str
    ) -> bytes:
        """One classify or regress call, in a worker thread."""
        wanted, message = read_examples(body)
        model = self.manager.find(name, version, label).model
        assert model
        began = time.perf_counter()
        result = (classify if api == "classify" else regress)(
            model, wanted, message, self.timeout_ms
        )
        self.manager.metrics.runtime(name, time.perf_counter() - began, api.capitalize())
        return (classification_body if api == "classify" else regression_body)(result)

    def predict(
        self, name: str, version: int | None, label: str | None, body: bytes, api: str
    ) -> bytes:
        """One predict call, in a worker thread."""
        parsed = parse(body)
        if not isinstance(parsed, dict):
            raise invalid(f"JSON Value: {debug(parsed)} Is not object")
        wanted = predict.signature_name(parsed)
        found = self.manager.find(name, version, label)
        model = found.model
        assert model
        signature = model.signature(wanted)
        if signature is None:
            raise invalid(
                f'Serving signature name: "{wanted or DEFAULT}" not found in signature def'
            )
        tensors, rows = predict.read_body(parsed, signature.inputs, wanted)
        began = time.perf_counter()
        outputs = model.predict(wanted, tensors, timeout_ms=self.timeout_ms)
        self.manager.metrics.runtime(name, time.perf_counter() - began, api.capitalize())
        return predict.write_body(outputs, rows)


MOST_UNCOMPRESSED = 100 * 2**20
"""Bytes that a compressed body may grow to (ZLib::kMaxUncompressedBytes of the server's
library).
"""


def _uncompressed(body: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    """The body behind `Content-Encoding: gzip`; b"" (as the server has it) when it isn't gzip or
    becomes too large.
    """
    if b"gzip" not in dict(headers).get(b"content-encoding", b"").lower():
        return body
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        text = reader.decompress(body, MOST_UNCOMPRESSED)
    except zlib.error:
        return b""
    return text if reader.eof else b""


async def _body(receive: Callable[[], Awaitable[dict[str, Any]]]) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _reply(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers + length})
    await send({"type": "http.response.body", "body": body})
