"""Between the kubernetes plugin and the lab's API server: names its calls, strikes them on order,
and sends creations as newer plugins do.

The plugin finds it in the kubeconfig that the region hands out. Whatever it does not strike goes to
the API server and back as it is, bytes and stream, under the administrator's certificate.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import pathlib
import ssl
import threading
from dataclasses import dataclass, field
from typing import Any

import yaml
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from lab.alicloud.faults import Fault, Faults
from lab.controlplane.certificates import cluster_pki
from lab.environment import API_IP, API_URL
from tests.faults.cases import CLUSTER

PORT = 6444
PLUGIN = "pulumi-kubernetes"
"""In the plugin's User-Agent and in its field managers."""
_HOP = {"host", "connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass
class Call:
    """One request, as `lab.alicloud.faults` matches it and as a case names it."""

    method: str
    raw_path: str
    raw_query: str
    call: str
    key: tuple[str, str, str] = ("", "", "")
    """Kind, namespace and name of the object that is written."""
    service: str = CLUSTER
    host: str = API_IP
    status: int | None = None
    """What the API server answered, None if it was not asked."""
    document: dict[str, Any] = field(default_factory=dict, repr=False)


class ApiServer:
    """One such place; it answers from a thread of its own until the process ends."""

    def __init__(self, home: pathlib.Path) -> None:
        self.faults = Faults()
        self.known: set[tuple[str, str, str]] = set()
        """Objects that the stack's state has, by (kind, namespace, name): an apply of any other one
        is a creation.
        """
        self.refuses_existing = False
        """Whether creations are sent as plugins from 4.29.0 on do: POST, which an object of the
        name refuses.
        """
        self.calls: list[Call] = []
        self.taken_over: list[tuple[str, str, str]] = []
        """Objects that a creation found there and changed, as plugins before 4.29.0 do."""
        self._home = home
        self._started = threading.Event()

    def start(self) -> None:
        """Listens, and has the kubeconfig lead here."""
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        if not self._started.wait(120):
            raise RuntimeError("the API server's stand-between does not listen")
        path = self._home / "kubeconfig"
        document = yaml.safe_load(path.read_text())
        document["clusters"][0]["cluster"]["server"] = f"https://{API_IP}:{PORT}"
        path.write_text(json.dumps(document, indent=1))

    async def _serve(self) -> None:
        places = cluster_pki(self._home)
        front = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        front.load_cert_chain(places.cert("apiserver"), places.key("apiserver"))
        back = ssl.create_default_context(cafile=str(places.ca))
        back.load_cert_chain(places.cert("admin"), places.key("admin"))
        connector = TCPConnector(ssl=back, limit=0)
        async with ClientSession(
            API_URL, connector=connector, timeout=ClientTimeout(), auto_decompress=False
        ) as self._back:
            app = web.Application(client_max_size=64 * 2**20)
            app.router.add_route("*", "/{path:.*}", self._handle)
            # A handler ends with its client: a plugin that was killed leaves nothing held.
            runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, API_IP, PORT, ssl_context=front).start()
            self._started.set()
            await asyncio.Event().wait()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if PLUGIN not in request.headers.get("User-Agent", ""):
            return await self._forward(
                request, Call(request.method, request.path, request.query_string, ""), body
            )
        call = named(request, body, self.known)
        self.calls.append(call)
        fault = self.faults.take(call)
        if fault is None:
            return await self._forward(request, call, body)
        if fault["kind"] == "error":
            return refusal(fault)
        if fault["kind"] == "answered-but-lost":
            await self._forward(request, call, body, answer=False)
        if fault["kind"] != "reset":
            await asyncio.sleep(fault["seconds"])
        return cut(request)

    async def _forward(
        self, request: web.Request, call: Call, body: bytes, answer: bool = True
    ) -> web.StreamResponse:
        """What the API server says, handed on as it comes; nothing is handed on without
        `answer`.
        """
        method, target = request.method, request.raw_path
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() not in _HOP and name != "Authorization"
        }
        if call.call.startswith("Create") and method == "PATCH" and self.refuses_existing:
            method, target = "POST", f"{request.path.rpartition('/')[0]}?fieldManager={PLUGIN}"
            body, headers["Content-Type"] = json.dumps(call.document).encode(), "application/json"
        own = ("Accept-Encoding", "Content-Type", "User-Agent")  # the client's, or none
        async with self._back.request(
            method,
            target,
            headers=headers,
            data=body or None,
            allow_redirects=False,
            skip_auto_headers=own,
        ) as found:
            call.status = found.status
            if call.key[0] and found.status in (200, 201) and method in ("PATCH", "POST"):
                if call.call.startswith("Create") and found.status == 200:
                    self.taken_over.append(call.key)
                self.known.add(call.key)
            shown = {
                name: value for name, value in found.headers.items() if name.lower() not in _HOP
            }
            reply = web.StreamResponse(status=found.status, headers=shown)
            if answer:
                await reply.prepare(request)
            with contextlib.suppress(ConnectionResetError):
                async for part in found.content.iter_any():
                    if answer:
                        await reply.write(part)
                if answer:
                    await reply.write_eof()
            return reply


def refusal(fault: Fault) -> web.Response:
    """The error as the API server words it."""
    status = {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": fault["message"], "reason": fault["code"],
        "code": fault["status"],
    }  # fmt: skip
    headers = {"Retry-After": "1"} if fault["status"] in (429, 503) else {}
    return web.json_response(status, status=fault["status"], headers=headers)


def cut(request: web.Request) -> web.StreamResponse:
    """No answer: the connection ends."""
    if request.transport is not None:
        request.transport.abort()
    raise asyncio.CancelledError


def named(request: web.Request, body: bytes, known: set[tuple[str, str, str]]) -> Call:
    """The call by what it does to which kind of object: Create:configmaps, Update:deployments,
    Delete:namespaces, List:events …
    """
    method, path, query = request.method, request.path, request.query_string
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:] if parts[0] == "apis" else []
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    else:
        namespace = ""
    if not rest:
        return Call(method, path, query, "GetDiscovery")
    resource, name = "/".join([rest[0], *rest[2:]]), rest[1] if len(rest) > 1 else ""
    if method == "GET":
        verb = "Watch" if "watch=" in query else "Get" if name else "List"
        return Call(method, path, query, f"{verb}:{resource}")
    if method == "DELETE":
        return Call(method, path, query, f"Delete:{resource}")
    applied = method == "POST" or "apply-patch" in request.headers.get("Content-Type", "")
    document = yaml.safe_load(body) if applied else {}
    metadata = document.get("metadata") or {}
    key = (document.get("kind", resource), namespace, metadata.get("name") or name)
    changes = "Create" if applied and key not in known else "Update"
    verb = "Preview" if "dryRun=" in query else changes
    return Call(method, path, query, f"{verb}:{resource}", key, document=document)
