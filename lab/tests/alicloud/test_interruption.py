"""How a preemptible instance ends: a protected first hour, a notice that instance metadata, ECS and
the node show, the release.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.alicloud import preemption
from lab.alicloud.auth.credentials import ensure_credentials
from lab.alicloud.clock import Clock
from lab.alicloud.documents import Instance, find_instance
from lab.alicloud.instances import create_instance, living, save
from lab.alicloud.market import change
from lab.alicloud.metadata import TOKEN_HEADER, TTL_HEADER, Metadata
from lab.alicloud.seed import SYSTEM_POOL, seed
from lab.alicloud.services.ecs.instances import instance_row
from lab.alicloud.state import Region
from lab.kubelet.nodes import conditions
from lab.pki import ensure_service_account_keys

TYPE = "ecs.gn6i-c4g1.xlarge"


class Hours(Clock):
    """A clock that is set by hand; its stamps are epoch seconds like others."""

    def __init__(self) -> None:
        super().__init__(1)
        self.at = time.time()

    def now(self) -> float:
        return self.at


@pytest.fixture
def region(tmp_path: Path) -> Iterator[Region]:
    """A region in which nothing happens unless the clock is moved and `run_due` called."""
    ensure_credentials(tmp_path)
    ensure_service_account_keys(tmp_path)
    made = Region(tmp_path, Hours())
    seed(made)
    yield made
    made.store.close()


def spot(region: Region) -> Instance:
    """A running preemptible instance, just bought."""
    pool, vswitch = (
        region.store.get("nodepool", SYSTEM_POOL),
        region.store.get("vswitch", "vsw-labg"),
    )
    assert pool is not None and vswitch is not None
    instance = create_instance(region, pool, TYPE, vswitch, "SpotAsPriceGo")
    instance["status"] = "Running"
    save(region, instance)
    return instance


def ids(region: Region) -> set[str]:
    return {instance["instance_id"] for instance in living(region)}


def read(region: Region, name: str) -> Instance:
    found = find_instance(region, name)
    assert found is not None
    return found


def test_in_its_first_hour_neither_price_nor_stock_ends_an_instance(region: Region) -> None:
    name = spot(region)["instance_id"]
    change(region, {"stock": [{"market": "spot", "count": 0}]})
    clock: Any = region.clock
    for minutes, notice in ((59, False), (61, True)):
        clock.at = read(region, name)["created"] + 60 * minutes
        preemption.look(region, {})
        assert bool(read(region, name)["lock_reason"]) is notice


def test_a_notice_lasts_three_hundred_seconds_and_then_the_instance_is_released(
    region: Region,
) -> None:
    name = spot(region)["instance_id"]
    clock: Any = region.clock
    told = clock.at
    preemption.reclaim(region, name)
    assert read(region, name)["expires_at"] == pytest.approx(told + 300)
    for after, there in ((299, True), (301, False)):
        clock.at = told + after
        region.run_due()
        assert (name in ids(region)) is there


async def ask(
    region: Region,
    path: str,
    address: str,
    method: str = "GET",
    app: Metadata | None = None,
    **headers: str,
) -> httpx.Response:
    transport = httpx.ASGITransport(app or Metadata(region), client=(address, 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://100.100.100.200") as client:
        return await client.request(method, f"/latest/{path}", headers=headers)


async def test_metadata_ecs_and_the_node_tell_the_same_notice(region: Region) -> None:
    instance, place = spot(region), "meta-data/instance/spot/termination-time"
    quiet = await ask(region, place, instance["private_ip"])
    assert quiet.status_code == 404 and instance_row(instance)["OperationLocks"] == {
        "LockReason": []
    }
    preemption.reclaim(region, instance["instance_id"])
    told = await ask(region, place, instance["private_ip"])
    expires = read(region, instance["instance_id"])["expires_at"]
    assert (told.status_code, told.text) == (
        200,
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires)),
    )
    now = read(region, instance["instance_id"])
    assert instance_row(now)["OperationLocks"] == {"LockReason": [{"LockReason": "Recycling"}]}
    assert {row["type"]: row["status"] for row in conditions(dict(now))}[
        "InstanceExpired"
    ] == "True"


async def test_an_instance_reads_about_itself_and_nobody_else_reads_anything(
    region: Region,
) -> None:
    instance = spot(region)
    assert (await ask(region, "meta-data/instance-id", instance["private_ip"])).text == instance[
        "instance_id"
    ]
    assert (await ask(region, "meta-data/instance-id", "10.244.9.9")).status_code == 404


async def test_a_token_is_given_for_a_time_and_one_that_is_none_is_refused(region: Region) -> None:
    instance, app = spot(region), Metadata(region)
    address = instance["private_ip"]
    assert (
        await ask(region, "api/token", address, "PUT", app, **{TTL_HEADER: "0"})
    ).status_code == 400
    token = (await ask(region, "api/token", address, "PUT", app, **{TTL_HEADER: "60"})).text
    good = await ask(region, "meta-data/region-id", address, app=app, **{TOKEN_HEADER: token})
    assert (good.status_code, good.text) == (200, "cn-shanghai")
    assert (
        await ask(region, "meta-data/region-id", address, app=app, **{TOKEN_HEADER: "other"})
    ).status_code == 401
