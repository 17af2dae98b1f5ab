"""The lab's one client of the API server: JSON requests with clear errors, server-side apply, and a
list-and-watch that survives anything.

The parts that use it start within the lab's few seconds; the official client would cost each of
them a second and 60 MB.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import yaml

JSON = "application/json"
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
FIELD_MANAGER = "lab"
UNREACHABLE = "Unreachable"
Object = dict[str, Any]


class KubeError(Exception):
    """The API server's refusal: HTTP `status`, machine `reason` and `message`. Status 503 with
    reason `UNREACHABLE` when no answer came.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message = status, reason, message


class Kube:
    """One identity's connections to the API server that a kubeconfig names."""

    def __init__(
        self,
        kubeconfig: Path,
        *,
        connections: int = 100,
        timeout: float = 30.0,
        user_agent: str = "lab",
    ) -> None:
        """Reads the kubeconfig's current context; FileNotFoundError or KeyError if there is none.
        `timeout` is that of one request, in seconds.
        """
        config = yaml.safe_load(kubeconfig.read_text())
        wanted = config.get("current-context") or config["contexts"][0]["name"]
        context = _named(config["contexts"], wanted)["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        self.server: str = cluster["server"].rstrip("/")
        self.headers = {"User-Agent": user_agent, "Accept": JSON}
        self.tls: ssl.SSLContext | bool = False
        if self.server.startswith("https"):
            self.tls = _tls(cluster, user, kubeconfig.parent)
        if user.get("token"):
            self.headers["Authorization"] = f"Bearer {user['token']}"
        self._connections, self._timeout = connections, timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Kube:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The connection pool, made at first use inside the running loop."""
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(
                limit=self._connections, ssl=self.tls, keepalive_timeout=60
            )
            self._session = aiohttp.ClientSession(connector=connector, headers=self.headers)
        return self._session

    async def close(self) -> None:
        """Close all connections; the next request opens new ones."""
        if self._session is not None:
            await self._session.close()

    async def request(
        self, method: str, path: str, body: Any = None, content_type: str = JSON, **params: str
    ) -> Object:
        """One call; the parsed answer. Raises `KubeError` for a refusal, and when the server does
        not answer in time.
        """
        data = None if body is None else json.dumps(body)
        try:
            async with self.session.request(
                method,
                self.server + path,
                data=data,
                params=params,
                headers={"Content-Type": content_type},
                timeout=aiohttp.ClientTimeout(total=self._timeout),
            ) as response:
                text = await response.text()
                if response.status >= 400:
                    raise _refusal(response.status, text)
                return json.loads(text) if text else {}
        except (aiohttp.ClientError, TimeoutError) as reason:
            raise KubeError(
                503, UNREACHABLE, f"{method} {path}: {type(reason).__name__} {reason}"
            ) from None

    async def get(self, path: str, **params: str) -> Object:
        """An object, or a list of objects."""
        return await self.request("GET", path, **params)

    async def find(self, path: str) -> Object | None:
        """An object, or None if there is no such object."""
        try:
            return await self.get(path)
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    async def post(self, path: str, body: Object) -> Object:
        """Create an object; the object as the server keeps it."""
        return await self.request("POST", path, body)

    async def patch(self, path: str, body: Object, content_type: str = STRATEGIC) -> Object:
        """Change an object, by strategic merge unless `content_type` says otherwise."""
        return await self.request("PATCH", path, body, content_type)

    async def apply(self, path: str, document: Object) -> Object:
        """Server-side apply: created when missing, changed when different."""
        return await self.request(
            "PATCH", path, document, APPLY, fieldManager=FIELD_MANAGER, force="true"
        )

    async def delete(self, path: str, body: Object | None = None) -> None:
        """Delete an object; no error if it is gone already or is another one by now (404, 409)."""
        try:
            await self.request("DELETE", path, body)
        except KubeError as error:
            if error.status not in (404, 409):
                raise

    async def watch(self, path: str, **params: str) -> AsyncIterator[tuple[str, Object]]:
        """Yields (ADDED | MODIFIED | DELETED | SYNCED, object) without end; objects lost while the
        server was away come as DELETED.
        """
        known: dict[str, Object] = {}
        while True:
            try:
                listed = await self.get(path, **params)
                items = {item["metadata"]["uid"]: item for item in listed["items"]}
                for gone in [uid for uid in known if uid not in items]:
                    yield "DELETED", known.pop(gone)
                for uid, item in items.items():
                    event = "MODIFIED" if uid in known else "ADDED"
                    known[uid] = item
                    yield event, item
                yield "SYNCED", {}
                async for event, item in self._stream(
                    path, listed["metadata"]["resourceVersion"], params
                ):
                    uid = item["metadata"]["uid"]
                    if event == "DELETED":
                        known.pop(uid, None)
                    else:
                        known[uid] = item
                    yield event, item
            except (KubeError, aiohttp.ClientError, TimeoutError, ValueError):
                await asyncio.sleep(0.5)

    async def _stream(
        self, path: str, version: str, params: dict[str, str]
    ) -> AsyncIterator[tuple[str, Object]]:
        """Watches on from `version`, through ordinary time-outs; ends when the version is too
        old.
        """
        while True:
            query = {
                **params,
                "watch": "1",
                "resourceVersion": version,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": "300",
            }
            limits = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=330)
            async with self.session.get(
                self.server + path, params=query, timeout=limits
            ) as response:
                if response.status != 200:
                    raise _refusal(response.status, await response.text())
                async for line in _lines(response):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        return
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        yield event["type"], event["object"]


class BlockingKube:
    """`Kube` for a program without an event loop, one request at a time. Not for use from several
    threads at once.
    """

    def __init__(self, kubeconfig: Path, *, timeout: float = 15.0) -> None:
        self._kube = Kube(kubeconfig, connections=1, timeout=timeout)
        self._loop = asyncio.new_event_loop()

    def request(self, method: str, path: str, body: Any = None, content_type: str = JSON) -> Object:
        """As `Kube.request`; `path` may have a query."""
        return self._loop.run_until_complete(self._kube.request(method, path, body, content_type))

    def get(self, path: str) -> Object:
        """As `Kube.get`; `path` may have a query."""
        return self.request("GET", path)

    def apply(self, path: str, document: Object) -> Object:
        """Server-side apply, as `Kube.apply`."""
        return self._loop.run_until_complete(self._kube.apply(path, document))

    def close(self) -> None:
        """Close the connection; the client is of no use afterwards."""
        self._loop.run_until_complete(self._kube.close())
        self._loop.close()


def pod_path(pod: Object, tail: str = "") -> str:
    """The API path of a pod, or with `tail` such as "/status" of one of its subresources."""
    meta = pod["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}{tail}"


def _named(entries: list[Object], name: str) -> Object:
    for entry in entries:
        if entry["name"] == name:
            return entry
    raise KeyError(name)


def _tls(cluster: Object, user: Object, folder: Path) -> ssl.SSLContext:
    """Trusts the cluster's CA and shows the user's certificate, each given as base64 data or as a
    file.
    """
    authority = _content(cluster, "certificate-authority", folder)
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    certificate, key = (
        _content(user, name, folder) for name in ("client-certificate", "client-key")
    )
    if certificate and key:  # Python's ssl takes them from a file only
        with tempfile.NamedTemporaryFile() as both:
            both.write(certificate.rstrip() + b"\n" + key)
            both.flush()
            context.load_cert_chain(both.name)
    return context


def _content(entry: Object, name: str, folder: Path) -> bytes | None:
    if entry.get(f"{name}-data"):
        return base64.b64decode(entry[f"{name}-data"])
    return (folder / entry[name]).read_bytes() if entry.get(name) else None


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Lines of any length (objects may be larger than a stream reader's limit)."""
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line


def _refusal(status: int, text: str) -> KubeError:
    try:
        body = json.loads(text)
        return KubeError(status, body.get("reason") or "", body.get("message") or text[:300])
    except (ValueError, AttributeError):
        return KubeError(status, "", text[:300])
