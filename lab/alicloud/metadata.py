"""Instance metadata, 100.100.100.200: what an instance may ask about itself. Who asks is known by
the address it asks from.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from lab.alicloud.clock import iso
from lab.alicloud.instances import living
from lab.alicloud.regions import region_of
from lab.alicloud.state import Region

TTL_HEADER, TOKEN_HEADER = "x-aliyun-ecs-metadata-token-ttl-seconds", "x-aliyun-ecs-metadata-token"
LONGEST = 21600
FIELDS = {
    "instance-id": "instance_id", "zone-id": "zone_id", "private-ipv4": "private_ip", "vswitch-id": "vswitch_id",
    "instance/instance-type": "instance_type",
}  # fmt: skip


class Metadata:
    """ASGI app over one region. Asked without a token it answers, as ECS does by default; a token
    that is none is refused.
    """

    def __init__(self, region: Region) -> None:
        self.region, self._tokens = region, dict[str, float]()
        self.app = Starlette(
            routes=[
                Route("/latest/api/token", self.token, methods=["PUT"]),
                Route("/latest/meta-data/{name:path}", self.data, methods=["GET"]),
            ]
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One HTTP request, by the ASGI protocol."""
        await self.app(scope, receive, send)

    async def token(self, request: Request) -> PlainTextResponse:
        """A token for so many seconds, as the header says."""
        seconds = request.headers.get(TTL_HEADER, "")
        if not seconds.isdigit() or not 1 <= int(seconds) <= LONGEST:
            return PlainTextResponse(f"{TTL_HEADER}: expected 1 to {LONGEST}", 400)
        made, now = secrets.token_urlsafe(32), time.monotonic()
        self._tokens = {token: end for token, end in self._tokens.items() if end > now} | {
            made: now + int(seconds)
        }
        return PlainTextResponse(made)

    async def data(self, request: Request) -> PlainTextResponse:
        """One value; 404 for what there is not, as `termination-time` of an instance that nobody
        reclaims.
        """
        given = request.headers.get(TOKEN_HEADER)
        if given is not None and self._tokens.get(given, 0.0) <= time.monotonic():
            return PlainTextResponse("the token is not valid", 401)
        asker = request.client.host if request.client else ""
        found = await run_in_threadpool(self._value, request.path_params["name"], asker)
        return (
            PlainTextResponse("404 - Not Found", 404) if found is None else PlainTextResponse(found)
        )

    def _value(self, name: str, asker: str) -> str | None:
        instance = next((i for i in living(self.region) if i["private_ip"] == asker), None)
        if instance is None:
            return None
        if name == "instance/spot/termination-time":
            expires_at = instance["expires_at"]
            return (
                iso(expires_at) if expires_at and instance["lock_reason"] == "Recycling" else None
            )
        if name == "region-id":
            return region_of(instance["zone_id"])
        return instance[FIELDS[name]] if name in FIELDS else None
