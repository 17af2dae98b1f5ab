"""The node scaler's looks, one after the other: what it does with its decisions, over a cluster and
a cloud that only remember.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from lab.controlplane import node_autoscaler, node_rules
from lab.controlplane.backoff import Backoff
from lab.controlplane.node_autoscaler import Autoscaler
from lab.controlplane.node_rules import Waits
from lab.tests.core.cluster_objects import ROW, node, pod

OWNED = [{"kind": "ReplicaSet", "name": "rs", "controller": True}]


class World:
    """A cluster and a cloud; `now` is the only clock there is."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.row: dict[str, Any] = {
            **ROW,
            "id": "gpu",
            "desired": 0,
            "in_progress": [],
            "taints": ROW["taints"],
        }
        self.nodes: list[dict[str, Any]] = []
        self.pods: list[dict[str, Any]] = []
        self.instances: list[dict[str, Any]] = []
        self.config: dict[str, Any] = {
            "scaler_type": "cluster-autoscaler",
            "expander": "least-waste",
        }
        self.orders: list[int] = []
        self.released: list[str] = []
        self.evicted: list[str] = []
        self.marks: list[str] = []
        self.refuse = False

    def cloud(self, method: str, path: str, body: Any = None) -> Any:
        if path.startswith("/_lab/clusters/"):
            return {"autoscaling_config": self.config}
        if path == "/_lab/nodepools":
            return {"nodepools": [self.row]}
        if path == "/_lab/instances":
            return {"instances": self.instances}
        if path.endswith("/scale"):
            if self.refuse:
                request = httpx.Request(method, f"http://cloud{path}")
                raise httpx.HTTPStatusError(
                    "refused",
                    request=request,
                    response=httpx.Response(400, text="NoStock", request=request),
                )
            self.orders.append(body["delta"])
        elif path.endswith("/release"):
            self.released.append(path.split("/")[3])
        return {}

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def request(self, method: str, path: str, body: Any = None, kind: str = "") -> Any:
        place = path.partition("?")[0]
        if method == "GET":
            return {
                "items": {"/api/v1/pods": self.pods, "/api/v1/nodes": self.nodes}.get(place, [])
            }
        if place.endswith("/eviction"):
            self.evicted.append(place.split("/")[-2])
        elif method == "PATCH":
            self.marks.append(place.rpartition("/")[2])
            next(one for one in self.nodes if place.endswith(f"/{one['metadata']['name']}"))[
                "spec"
            ] |= body["spec"]
        return {}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    clock = SimpleNamespace(time=lambda: made.now, monotonic=lambda: made.now, sleep=time.sleep)
    monkeypatch.setattr(node_autoscaler, "time", clock)
    return made


def scaler(world: World) -> Autoscaler:
    made = Autoscaler.__new__(Autoscaler)
    made.clock, made.waits, made.config = 1.0, Waits(2, 30), {}
    made.kube, made._cloud = world, world.cloud  # type: ignore[assignment, method-assign]  # a World plays both
    made.unneeded, made.first_seen, made.draining, made.told, made.ordered = (
        {},
        {},
        {},
        set(),
        set(),
    )
    made.last_add = made.last_failure = -float("inf")
    made.backoff = Backoff()
    return made


def live(name: str, **more: Any) -> dict[str, Any]:
    made = node(name, **more)
    made["metadata"] |= {"resourceVersion": "1", "creationTimestamp": "2020-01-01T00:00:00Z"}
    return made


def system() -> dict[str, Any]:
    return live("system", pool="default", gpus=0)


def look(one: Autoscaler, world: World, later: float = 0.0) -> None:
    world.now += later
    one.run_once()


def test_a_refused_order_leaves_the_pool_alone_for_five_minutes_then_ten(world: World) -> None:
    world.nodes, world.pods, world.refuse, one = [system()], [pod("a")], True, scaler(world)
    look(one, world)
    look(one, world, 30)
    assert one.backoff.held(world.now) == {"gpu"} and world.orders == []
    world.refuse = False
    look(one, world, 200)
    assert world.orders == [], "still left alone"
    world.refuse = True
    look(one, world, 101)
    world.refuse = False
    look(one, world, 500)
    assert world.orders == [], "twice as long"
    look(one, world, 101)
    assert world.orders == [1]


def test_what_never_becomes_a_node_is_released_and_another_look_orders_again_after_the_back_off(
    world: World,
) -> None:
    created = datetime.fromtimestamp(world.now, UTC).isoformat()
    world.nodes, world.pods, one = [system()], [pod("a")], scaler(world)
    world.row["desired"] = 1
    size = {"cpu": 4, "memory_mib": 15360, "gpu_count": 1, "instance_type": "ecs.gn6i-c4g1.xlarge"}
    world.instances = [
        {"instance_id": "i-1", "nodepool_id": "gpu", "status": "Running", "created": created, "zone_id": "cn-shanghai-e", "cluster_id": "c",
         "private_ip": "10.0.0.9", "labels": ROW["labels"], "taints": ROW["taints"], **size}
    ]  # fmt: skip
    look(one, world, 899)
    assert world.released == [] and world.orders == [], "it is on its way"
    look(one, world, 2)
    assert world.released == ["i-1"]
    world.instances, world.row["desired"] = [], 0
    look(one, world, 31)
    assert world.orders == []
    look(one, world, 300)
    assert world.orders == [1]


def test_nothing_is_taken_away_in_a_look_at_which_pods_are_too_new(world: World) -> None:
    world.nodes, one = [system(), live("idle", gpus=0)], scaler(world)
    world.row["desired"] = 1
    look(one, world)
    world.pods = [pod("new")]
    look(one, world, 601)
    assert world.released == []
    world.pods = []
    look(one, world, 1)
    assert world.released == ["i-idle"]


def test_too_many_nodes_down_stop_everything(world: World) -> None:
    world.nodes = [system(), *(live(f"down{number}", ready=False) for number in range(4))]
    world.pods, one = [pod("a")], scaler(world)
    look(one, world)
    look(one, world, 2000)
    assert (world.orders, world.released, one.unneeded) == ([], [], {})


def test_a_drain_that_fails_lets_the_node_be_and_nothing_goes_for_three_minutes(
    world: World,
) -> None:
    staying = pod(
        "p",
        on="n1",
        gpus="0",
        containers=[{"name": "c", "resources": {"requests": {"cpu": "100m"}}}],
    )
    staying["metadata"] |= {"ownerReferences": OWNED, "labels": {}}
    staying["spec"]["nodeSelector"] = {}
    world.nodes, world.pods, one = [system(), live("n1")], [staying], scaler(world)
    world.row["desired"] = 1
    look(one, world)
    look(one, world, 601)
    assert world.marks == ["n1"] and world.evicted == ["p"] and node_rules.leaves(world.nodes[1])
    look(one, world, 119)
    assert world.released == [] and "n1" in one.draining
    look(one, world, 2)
    assert one.draining == {} and not node_rules.leaves(world.nodes[1]) and world.released == []
    evictions = len(world.evicted)
    world.pods = []
    look(one, world, 170)
    assert world.released == [] and len(world.evicted) == evictions
    look(one, world, 611)
    assert world.released == ["i-n1"]


def test_node_instant_scaling_knows_neither_back_off_nor_health(world: World) -> None:
    world.config = {"scaler_type": "goatscaler"}
    world.nodes = [system(), *(live(f"down{number}", ready=False) for number in range(4))]
    world.pods, world.refuse, one = [pod("a")], True, scaler(world)
    look(one, world)
    world.refuse = False
    look(one, world, 2)
    assert world.orders == [1]
