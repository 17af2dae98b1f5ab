"""The lab's own API beside Alibaba's: instances and node pools for the lab's parts, calls and
faults for its tests.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from lab.alicloud import elastic, instances, preemption, resources
from lab.alicloud.catalog import ADDONS, TYPES
from lab.alicloud.control_market import MarketControl
from lab.alicloud.documents import all_instances
from lab.alicloud.faults import FaultError
from lab.alicloud.judge import Departures
from lab.alicloud.protocol import ApiError
from lab.alicloud.recorder import Recorder
from lab.alicloud.seed import SWITCHES, VPC, make_lab_cluster, seed
from lab.alicloud.services.cs.addons import detecting
from lab.alicloud.services.cs.cluster_document import cluster_of
from lab.alicloud.services.cs.cluster_document import shown as cluster_shown
from lab.alicloud.services.cs.managed_resources import scaling_of
from lab.alicloud.services.cs.nodepools import shown as pool_shown
from lab.alicloud.services.vpc.vswitches import make_vswitch
from lab.alicloud.snapshots import Snapshots
from lab.alicloud.state import Region
from lab.alicloud.store import Document

LONGEST_WAIT = 60.0


class Control:
    """ASGI app of the control API; one per region."""

    def __init__(self, region: Region, recorder: Recorder, departures: Departures) -> None:
        self.region, self.recorder, self.judge = region, recorder, departures
        routes = [
            Route("/_lab/instances", self.instances),
            Route("/_lab/instances/{id}/release", self.release, methods=["POST"]),
            Route("/_lab/instances/{id}/reclaim", self.reclaim, methods=["POST"]),
            Route("/_lab/nodepools", self.node_pools),
            Route("/_lab/nodepools/{id}/scale", self.scale, methods=["POST"]),
            Route("/_lab/clusters", self.make_cluster, methods=["POST"]),
            Route("/_lab/clusters/{id}", self.cluster),
            Route("/_lab/resources", self.resources),
            Route("/_lab/place/{kind}/{id}", self.place),
            Route("/_lab/calls", self.calls),
            Route("/_lab/departures", self.departures),
            Route("/_lab/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/_lab/reset", self.reset, methods=["POST"]),
            Route("/_lab/health", self.health),
            *MarketControl(region, self._do).routes,
            *Snapshots(region, self._do).routes,
        ]
        self.app = Starlette(
            routes=routes,
            exception_handlers={ApiError: _refused, FaultError: _refused, ValueError: _refused},
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One HTTP request, by the ASGI protocol."""
        await self.app(scope, receive, send)

    async def _do(self, function: Callable[[], Any], *, write: bool = False) -> Any:
        def run() -> Any:
            self.region.run_due()
            if not write:
                return function()
            with self.region.store.transaction():
                result = function()
            self.region.notify()
            return result

        return await run_in_threadpool(run)

    async def health(self, request: HttpRequest) -> JSONResponse:
        """Answers as soon as the double does, with the clock's factor."""
        return JSONResponse({"ready": True, "clock": self.region.clock.factor})

    async def departures(self, request: HttpRequest) -> JSONResponse:
        """What the double did otherwise than the official SDKs' models say, and which actions were
        judged.
        """
        return JSONResponse(self.judge.shown())

    async def instances(self, request: HttpRequest) -> JSONResponse:
        """All instances with the revision; waits (long poll) while it is not above `since`."""
        since, wait = (
            int(request.query_params.get("since", -1)),
            min(LONGEST_WAIT, float(request.query_params.get("wait", 0))),
        )
        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        listener = waker(loop, changed)
        end = loop.time() + wait
        self.region.on_change(listener)
        try:
            while True:
                changed.clear()
                rev = await self._do(lambda: self.region.store.current(instances.REVISION))
                left = end - loop.time()
                if rev > since or left <= 0:
                    break
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), left)
        finally:
            self.region.forget_listener(listener)

        def read() -> tuple[int, list[Document]]:
            known = detecting(self.region)
            rows = all_instances(self.region)
            shown = [
                instances.shown(row) | {"problem_detector": row["cluster_id"] in known}
                for row in rows
            ]
            return self.region.store.current(instances.REVISION), shown

        revision, found = await self._do(read)
        return JSONResponse({"rev": revision, "instances": found})

    async def release(self, request: HttpRequest) -> JSONResponse:
        """Release one instance, as its pool would."""
        found = await self._do(
            lambda: instances.release(self.region, request.path_params["id"]), write=True
        )
        return JSONResponse(instances.shown(found)) if found else _missing("instance", request)

    async def reclaim(self, request: HttpRequest) -> JSONResponse:
        """Tell a preemptible instance that it goes: notice now, release after the notice period."""
        found = await self._do(
            lambda: preemption.reclaim(self.region, request.path_params["id"]), write=True
        )
        return (
            JSONResponse(instances.shown(found))
            if found
            else _missing("preemptible instance", request)
        )

    async def node_pools(self, request: HttpRequest) -> JSONResponse:
        """Node pools as the node autoscaler needs them."""
        rows = await self._do(
            lambda: [_pool_row(self.region, p) for p in self.region.store.all("nodepool")]
        )
        return JSONResponse({"nodepools": rows})

    async def scale(self, request: HttpRequest) -> JSONResponse:
        """Order `delta` instances more (or fewer)."""
        body = await request.json()
        delta, market = int(body["delta"]), body.get("market", "mix")
        pool = await self._do(lambda: self.region.store.get("nodepool", request.path_params["id"]))
        if pool is None:
            return _missing("node pool", request)
        cause = "ordered by the node autoscaler"
        return JSONResponse(
            await self._do(
                lambda: elastic.scale(self.region, pool, delta, cause, market=market), write=True
            )
        )

    async def cluster(self, request: HttpRequest) -> JSONResponse:
        """One cluster, with its autoscaling configuration."""

        def read() -> Document:
            found = cluster_of(self.region, request.path_params["id"])
            return {
                **cluster_shown(self.region, found),
                "autoscaling_config": scaling_of(self.region, found),
            }

        return JSONResponse(await self._do(read))

    async def make_cluster(self, request: HttpRequest) -> JSONResponse:
        """Another running cluster {cluster_id, name, vswitch_ids, addons?}; vSwitches that don't
        exist are made.
        """
        body = await request.json()

        def make() -> Any:
            for number, name in enumerate(body["vswitch_ids"]):
                if self.region.store.get("vswitch", name) is None:
                    zone = list(SWITCHES.values())[number % len(SWITCHES)][0]
                    make_vswitch(
                        self.region, name, name, VPC, zone, f"10.0.{160 + 16 * (number % 6)}.0/20"
                    )
            return make_lab_cluster(
                self.region,
                body["cluster_id"],
                body["name"],
                body["vswitch_ids"],
                body.get("addons", ADDONS),
            )

        return JSONResponse(await self._do(make, write=True))

    async def resources(self, request: HttpRequest) -> JSONResponse:
        """All resources, and how they differ from the fresh lab."""

        def read() -> Document:
            now = resources.listing(self.region)
            fresh = (self.region.store.get("seeded", "seeded") or {"resources": {}})["resources"]
            extra, missing = resources.compare(fresh, now)
            return {"resources": now, "extra": extra, "missing": missing}

        return JSONResponse(await self._do(read))

    async def place(self, request: HttpRequest) -> JSONResponse:
        """The region that something belongs to."""
        kind, key = request.path_params["kind"], request.path_params["id"]
        return JSONResponse({"region": await self._do(lambda: self.region.place(kind, key))})

    async def calls(self, request: HttpRequest) -> JSONResponse:
        """Recorded calls after number `since`."""
        since = int(request.query_params.get("since", 0))
        if since < 0:  # only the number of the last one is wanted
            return JSONResponse({"last": await run_in_threadpool(self.recorder.last), "calls": []})
        found = await run_in_threadpool(self.recorder.since, since)
        return JSONResponse({"last": found[-1]["seq"] if found else since, "calls": found})

    async def faults(self, request: HttpRequest) -> JSONResponse:
        """List, add (one or a list) or drop faults."""
        faults = self.region.faults
        if request.method == "POST":
            body = await request.json()
            for fault in body if isinstance(body, list) else [body]:
                faults.add(fault)
        elif request.method == "DELETE":
            faults.clear()
        return JSONResponse({"faults": faults.all()})

    async def reset(self, request: HttpRequest) -> JSONResponse:
        """Back to the fresh lab: everything else is forgotten, faults too."""

        def forget() -> None:
            self.region.store.clear()
            seed(self.region)

        self.region.faults.clear()
        await self._do(forget, write=True)
        return JSONResponse({})


def waker(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> Callable[[], None]:
    """A listener that sets `event` in its loop, whatever thread calls it."""
    return lambda: _call(loop, event)


def _call(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the loop may be closing
        loop.call_soon_threadsafe(event.set)


def _pool_row(region: Region, pool: Document) -> Document:
    shown = pool_shown(region, pool)
    group, limits, info = (
        shown["scaling_group"],
        shown.get("auto_scaling") or {},
        shown["nodepool_info"],
    )
    config = shown.get("kubernetes_config") or {}
    kinds = [TYPES[name] for name in group.get("instance_types") or [] if name in TYPES]
    held = instances.living(region, info["nodepool_id"])
    types = [
        {
            "instance_type": k.name,
            "cpu": k.cpu,
            "memory_mib": k.memory_mib,
            "gpu_count": k.gpu_count,
            "gpu_model": k.gpu_model,
            "gpu_memory_mib": k.gpu_memory_mib,
        }
        for k in kinds
    ]
    return {
        "id": info["nodepool_id"],
        "name": info["name"],
        "cluster_id": pool["cluster_id"],
        "state": shown["status"]["state"],
        "auto_scaling": bool(limits.get("enable")),
        "min": limits.get("min_instances", 0),
        "max": limits.get("max_instances", 0),
        "desired": len(held),
        "labels": {entry["key"]: entry.get("value", "") for entry in config.get("labels") or []},
        "taints": config.get("taints") or [],
        "tags": {
            t.get("Key", t.get("key", "")): t.get("Value", t.get("value", ""))
            for t in group.get("tags") or []
        },
        "instance_types": types,
        "scaling_group_id": group["scaling_group_id"],
        "spot_strategy": group.get("spot_strategy") or "NoSpot",
        "in_progress": [
            a
            for a in region.store.all("activity", nodepool_id=info["nodepool_id"])
            if a["StatusCode"] == "InProgress"
        ],
    }


async def _refused(_request: HttpRequest, error: Exception) -> JSONResponse:
    status = error.status if isinstance(error, ApiError) else 400
    code = error.code if isinstance(error, ApiError) else "InvalidRequest"
    return JSONResponse({"code": code, "message": str(error)}, status)


def _missing(kind: str, request: HttpRequest) -> JSONResponse:
    return JSONResponse(
        {"code": "NotFound", "message": f"there is no {kind} {request.path_params['id']}"}, 404
    )
