"""A small asynchronous Kubernetes client: requests with clear errors, and a list-and-watch that
survives anything.
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
Object = dict[str, Any]


class ApiError(Exception):
    """The API server's refusal: HTTP `status`, machine `reason`, `message`."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message = status, reason, message


def _inline(entry: Object, key: str, folder: Path) -> str | None:
    """The path of a credential given as file or as base64 data."""
    if entry.get(key):
        return str(folder / entry[key])
    if entry.get(f"{key}-data"):
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(base64.b64decode(entry[f"{key}-data"]))
        return file.name
    return None


class Api:
    """One connection pool to the API server named in a kubeconfig."""

    def __init__(self, kubeconfig: Path, connections: int = 100) -> None:
        """Reads the current context; FileNotFoundError or KeyError if there is none."""
        config = yaml.safe_load(kubeconfig.read_text())
        wanted = config.get("current-context") or config["contexts"][0]["name"]
        context = next(item["context"] for item in config["contexts"] if item["name"] == wanted)
        cluster = next(
            item["cluster"] for item in config["clusters"] if item["name"] == context["cluster"]
        )
        user = next(item["user"] for item in config["users"] if item["name"] == context["user"])
        self.server: str = cluster["server"].rstrip("/")
        self.headers = {"User-Agent": "kubelet/v1.36.3 (lab)"}
        self.tls: ssl.SSLContext | bool = False
        if self.server.startswith("https"):
            self.tls = ssl.create_default_context(
                cafile=_inline(cluster, "certificate-authority", kubeconfig.parent)
            )
            certificate = _inline(user, "client-certificate", kubeconfig.parent)
            if certificate:
                self.tls.load_cert_chain(
                    certificate, _inline(user, "client-key", kubeconfig.parent)
                )
        if user.get("token"):
            self.headers["Authorization"] = f"Bearer {user['token']}"
        self.connections = connections
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The pool, made at first use inside the running loop."""
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(
                limit=self.connections, ssl=self.tls, keepalive_timeout=60
            )
            self._session = aiohttp.ClientSession(
                connector=connector, headers=self.headers, json_serialize=json.dumps
            )
        return self._session

    async def close(self) -> None:
        """Closes the pool."""
        if self._session is not None:
            await self._session.close()

    async def request(
        self, method: str, path: str, body: Any = None, kind: str = JSON, **params: str
    ) -> Object:
        """One call; ApiError for a refusal, ApiError 503 when the server cannot be reached within
        30 s.
        """
        data = None if body is None else json.dumps(body)
        timeout = aiohttp.ClientTimeout(total=30)
        try:
            async with self.session.request(
                method,
                self.server + path,
                data=data,
                params=params,
                headers={"Content-Type": kind},
                timeout=timeout,
            ) as response:
                text = await response.text()
                if response.status >= 400:
                    raise _refusal(response.status, text)
                return json.loads(text) if text else {}
        except (aiohttp.ClientError, TimeoutError) as reason:
            raise ApiError(
                503, "Unreachable", f"{method} {path}: {type(reason).__name__} {reason}"
            ) from None

    async def get(self, path: str, **params: str) -> Object:
        """GET."""
        return await self.request("GET", path, **params)

    async def find(self, path: str) -> Object | None:
        """GET, None if there is no such object."""
        try:
            return await self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def post(self, path: str, body: Object) -> Object:
        """POST."""
        return await self.request("POST", path, body)

    async def patch(self, path: str, body: Object, kind: str = STRATEGIC) -> Object:
        """PATCH, strategic merge unless told otherwise."""
        return await self.request("PATCH", path, body, kind)

    async def delete(self, path: str, body: Object | None = None) -> None:
        """DELETE; no error if the object is gone already."""
        try:
            await self.request("DELETE", path, body)
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    async def watch(self, path: str, **params: str) -> AsyncIterator[tuple[str, Object]]:
        """Yields (ADDED | MODIFIED | DELETED | SYNCED, object) for ever; objects lost while away
        come as DELETED.
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
            except (ApiError, aiohttp.ClientError, TimeoutError, ValueError):
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


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Lines of any length (objects may be larger than a stream reader's limit)."""
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line


def _refusal(status: int, text: str) -> ApiError:
    try:
        body = json.loads(text)
        return ApiError(status, body.get("reason") or "", body.get("message") or text[:300])
    except (ValueError, AttributeError):
        return ApiError(status, "", text[:300])


def pod_path(pod: Object, tail: str = "") -> str:
    """The API path of a pod."""
    meta = pod["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}{tail}"
