"""The whole region put aside under a name and brought back, so that many runs can start from the
same state.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from lab.alicloud.protocol import ApiError
from lab.alicloud.state import Region

TABLES = ("doc", "timer", "object", "part", "log")
Do = Callable[..., Awaitable[Any]]


class Snapshots:
    """Routes of the control API: POST puts the region aside under a name, PUT brings it back."""

    def __init__(self, region: Region, do: Do) -> None:
        self._region, self._do = region, do
        self._kept: dict[str, dict[str, list[tuple[Any, ...]]]] = {}
        self.routes = [
            Route("/_lab/snapshots/{name}", self.take, methods=["POST"]),
            Route("/_lab/snapshots/{name}", self.restore, methods=["PUT"]),
        ]

    async def take(self, request: HttpRequest) -> JSONResponse:
        """Keep everything there is now; it lasts as long as this process."""
        name = request.path_params["name"]

        def keep() -> None:
            self._kept[name] = {
                table: [tuple(row) for row in self._region.store.sql(f"SELECT * FROM {table}")]
                for table in TABLES
            }
            _link(self._region.blobs, self._directory(name))

        await self._do(keep, write=True)
        return JSONResponse({table: len(rows) for table, rows in self._kept[name].items()})

    async def restore(self, request: HttpRequest) -> JSONResponse:
        """Everything is as it was then; recorded calls, counters and faults stay."""
        name = request.path_params["name"]
        if name not in self._kept:
            raise ApiError(
                404,
                "NotFound",
                f"there is no snapshot {name!r}; there are {', '.join(sorted(self._kept)) or 'none'}",
            )
        await self._do(lambda: self._bring_back(name), write=True)
        return JSONResponse({})

    def _bring_back(self, name: str) -> None:
        store = self._region.store
        store.journal.forget()
        _link(self._directory(name), self._region.blobs)
        for table, rows in self._kept[name].items():
            store.sql(f"DELETE FROM {table}")
            if rows:
                store.many(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)

    def _directory(self, name: str) -> Path:
        return self._region.blobs.with_name("snapshots") / name


def _link(source: Path, target: Path) -> None:
    """Makes the directory hold the same files, without copying a byte of them."""
    shutil.rmtree(target, ignore_errors=True)
    if source.exists():
        shutil.copytree(source, target, copy_function=os.link)
