"""The part of the control API that plays the market: prices, stock, reclaims, the orders' history,
the clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lab.alicloud import instances, market, preemption
from lab.alicloud.state import Region

Do = Callable[..., Awaitable[Any]]


class MarketControl:
    """Routes over one region; `do` runs a function in its turn, with `write` in a transaction."""

    def __init__(self, region: Region, do: Do) -> None:
        self.region, self.do = region, do
        self.routes = [
            Route("/_lab/reclaim", self.reclaim, methods=["POST"]),
            Route("/_lab/market", self.market, methods=["GET", "POST"]),
            Route("/_lab/prices", self.prices),
            Route("/_lab/activities", self.activities),
            Route("/_lab/clock", self.clock),
        ]

    async def reclaim(self, request: Request) -> JSONResponse:
        """Reclaim preemptible instances {pool?, zone?, instance_type?, count?, notice?,
        ignore_protection?}; all of them by default.
        """
        body = await request.json()
        chosen = await self.do(lambda: preemption.reclaim_many(self.region, body), write=True)
        return JSONResponse({"instances": [instances.shown(i) for i in chosen]})

    async def market(self, request: Request) -> JSONResponse:
        """Stock and spot prices in force; a POST with {stock?, spot_fraction?} puts others in
        force.
        """
        if request.method == "POST":
            body = await request.json()
            return JSONResponse(await self.do(lambda: market.change(self.region, body), write=True))
        return JSONResponse(await self.do(lambda: market.shown(self.region)))

    async def prices(self, request: Request) -> JSONResponse:
        """The price table with its date and source."""
        return JSONResponse(await self.do(lambda: market.table(self.region)))

    async def activities(self, request: Request) -> JSONResponse:
        """Scaling activities, oldest first; with `since` (an ISO stamp) those that began then or
        later.
        """
        since = request.query_params.get("since", "")
        found = await self.do(lambda: self.region.store.all("activity"))
        return JSONResponse({"activities": [a for a in found if a["StartTime"] >= since]})

    async def clock(self, request: Request) -> JSONResponse:
        """How many times faster than life modelled delays pass."""
        return JSONResponse({"factor": self.region.clock.factor})
