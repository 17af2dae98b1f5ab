"""What the node autoscaler reads of the cloud: pools, tags, instances on their way, and which
scaler it is.
"""

from __future__ import annotations

from typing import Any

import pytest

from lab.controlplane import node_rules, nodepool_rows, scheduling
from lab.controlplane.node_autoscaler import Autoscaler
from lab.tests.core.cluster_objects import ROW, grow, node, pod, pool


@pytest.mark.parametrize(
    ("scaler", "market"), [("cluster-autoscaler", "mix"), (None, "mix"), ("goatscaler", "any")]
)
def test_node_instant_scaling_orders_without_a_look_at_the_preemptible_stock(
    scaler: str | None, market: str
) -> None:
    asked: list[Any] = []
    blind = Autoscaler.__new__(Autoscaler)
    blind.config, blind.ordered = {"scaler_type": scaler}, set()
    blind._cloud = lambda method, path, body=None: asked.append((path, body))  # type: ignore[method-assign]  # notes what it asks
    blind._order(node_rules.Growth(order={"gpu": 2}), {"gpu": pool()})
    assert asked == [("/_lab/nodepools/gpu/scale", {"delta": 2, "market": market})]


def test_a_pool_of_the_cloud_counts_ordered_instances_and_promises_the_least_of_each_resource() -> (
    None
):
    wide = {
        "instance_type": "ecs.gn6i-c24g1.6xlarge",
        "cpu": 24,
        "memory_mib": 8192,
        "gpu_count": 2,
        "gpu_model": "Tesla-T4",
    }
    found = nodepool_rows.pool_of_row({**ROW, "instance_types": [*ROW["instance_types"], wide]})
    assert (found.id, found.low, found.high, found.alive) == ("np1", 0, 4, 3)
    capacity = found.template["status"]["capacity"]
    assert (capacity["cpu"], capacity["memory"], capacity["nvidia.com/gpu"]) == (
        "4",
        f"{7740 * 1024}Ki",
        "1",
    )
    assert scheduling.Room.on(found.template).fits(pod("a"))
    assert node_rules.pool_of(found.template) == "np1"


def test_tags_of_the_group_are_labels_and_resources_of_the_node_to_come() -> None:
    tags = {
        f"{nodepool_rows.LABEL_TAG}disk": "fast",
        f"{nodepool_rows.RESOURCE_TAG}example.com/fpga": "1",
        "owner": "ml",
    }
    made = nodepool_rows.template({**ROW, "tags": tags})
    assert (
        made["metadata"]["labels"]["disk"] == "fast" and "owner" not in made["metadata"]["labels"]
    )
    assert made["status"]["allocatable"]["example.com/fpga"] == "1"


def test_of_labels_taints_and_tags_the_scaler_knows_twelve() -> None:
    many = {"inference": "tensorflow", **{f"l{number:02}": "x" for number in range(2, 14)}}
    row = {**ROW, "id": "gpu", "labels": many, "in_progress": [], "desired": 0}
    found = nodepool_rows.pool_of_row(row)
    for label, order in (("l12", {"gpu": 1}), ("l13", {})):
        assert grow([found], [], [], [pod("a", nodeSelector={label: "x"})]) == order
    assert found.template["spec"]["taints"] == [], "the taint is the fourteenth"


@pytest.mark.parametrize(
    ("ready", "scaler", "from_zero", "answer"),
    [
        (True, "cluster-autoscaler", None, True), (False, "cluster-autoscaler", True, False),
        (False, "goatscaler", None, True), (False, "goatscaler", False, False),
    ],
)  # fmt: skip
def test_without_a_single_live_node_there_is_no_cluster_autoscaler(
    ready: bool, scaler: str, from_zero: bool | None, answer: bool
) -> None:
    assert node_rules.can_order([node(ready=ready)], scaler, from_zero) is answer


def test_what_is_booting_is_every_instance_without_a_ready_node_and_every_open_order() -> None:
    there = {
        "instance_id": "i-n1", "nodepool_id": "np1", "status": "Running", "zone_id": "cn-shanghai-e", "private_ip": "10.0.32.9",
        "cluster_id": "c",
        "instance_type": "ecs.gn6i-c4g1.xlarge", "cpu": 4, "memory_mib": 15360, "gpu_count": 1,
    }  # fmt: skip
    starting = {**there, "instance_id": "i-n2", "status": "Starting"}
    gone = {**there, "instance_id": "i-n3", "status": "Stopping"}
    foreign = {**there, "instance_id": "i-n4", "nodepool_id": "other"}
    assert (
        len(nodepool_rows.booting([ROW], [there, starting, gone, foreign], [node("n1")])) == 1 + 2
    )
