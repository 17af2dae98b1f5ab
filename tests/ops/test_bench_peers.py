"""What OpenTofu and kubectl are given in the benchmark is what the stack's state has, under
Terraform's names.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ops import bench_peers
from tests.ops import teardown_state as states


def _resource(kind: str, name: str, inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "urn": f"urn:pulumi:local::elastic-inference::{kind}::{name}",
        "type": kind,
        "custom": True,
        "inputs": inputs,
        **more,
    }


@pytest.mark.parametrize(
    ("pulumi", "terraform"),
    [
        ("onDemandBaseCapacity", "on_demand_base_capacity"),
        ("lifecycleRules", "lifecycle_rule"),
        ("labels", "labels"),
        ("bucket", "bucket"),
    ],
)
def test_a_property_has_terraforms_name(pulumi: str, terraform: str) -> None:
    assert bench_peers.snake(pulumi) == terraform


def test_keys_of_a_users_own_and_of_the_bridge_are_no_arguments() -> None:
    given = {
        "__defaults": [],
        "tags": {"costCentre": "x"},
        "labels": [{"__defaults": [], "key": "aB", "value": "c"}],
        "minSize": 1,
    }
    assert bench_peers.arguments(given) == {
        "tags": {"costCentre": "x"},
        "labels": [{"key": "aB", "value": "c"}],
        "min_size": 1,
    }


def test_cloud_resources_become_a_configuration_that_keeps_their_order(
    tmp_path: Path,
) -> None:
    bucket = _resource("alicloud:oss/bucket:Bucket", "b", {"bucket": "x"})
    pool = _resource(
        "alicloud:cs/nodePool:NodePool",
        "p",
        {"clusterId": "c"},
        dependencies=[bucket["urn"], "urn:of:a:component"],
    )
    (tmp_path / "variables").mkdir()
    for name in ("saved_model.pb", "variables/variables.index"):
        (tmp_path / name).touch()
    model = {
        "bucket": "x",
        "prefix": "models",
        "version": "1",
        "source": str(tmp_path),
    }
    upload = _resource("ossmodel:index:Model", "m", model, dependencies=[bucket["urn"]])
    made = bench_peers.configuration([bucket, pool, upload])["resource"]
    assert made["alicloud_cs_kubernetes_node_pool"]["p"] == {
        "cluster_id": "c",
        "depends_on": ["alicloud_oss_bucket.b"],
    }
    objects = made["alicloud_oss_bucket_object"].values()
    assert sorted(one["key"] for one in objects) == [
        "models/1/saved_model.pb",
        "models/1/variables/variables.index",
    ]
    assert all(one["depends_on"] == ["alicloud_oss_bucket.b"] for one in objects)


def test_objects_have_the_names_that_the_cluster_knows_and_no_word_to_the_provider() -> None:
    inputs = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "data": {"a": "b"},
        "metadata": {
            "namespace": "n",
            "annotations": {"pulumi.com/skipAwait": "true", "own": "kept"},
        },
    }
    (one,) = bench_peers.manifests(
        [
            _resource(
                "kubernetes:core/v1:ConfigMap", "c", inputs, outputs={"metadata": {"name": "c-1"}}
            )
        ]
    )
    assert one == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "data": {"a": "b"},
        "metadata": {**one["metadata"]},
    }
    assert one["metadata"] == {"namespace": "n", "name": "c-1", "annotations": {"own": "kept"}}


def test_every_cloud_resource_and_object_of_the_stack_is_on_both_sides() -> None:
    resources = [
        _resource(one.kind, one.name, dict(one.inputs), outputs={"metadata": {"name": one.name}})
        for one in states.local().resources
        if one.kind.startswith(("alicloud:", "kubernetes:"))
    ]
    made = bench_peers.configuration(resources)["resource"]
    cloud = sum(one["type"].startswith("alicloud:") for one in resources)
    assert sum(map(len, made.values())) == cloud > 5
    assert len(bench_peers.manifests(resources)) == len(resources) - cloud > 10


def test_the_cost_of_a_command_counts_the_processes_that_it_started() -> None:
    burn = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {json.dumps(burn)}])"
    wall, processor = bench_peers.cost([sys.executable, "-c", nested])
    assert processor >= 0.3 and wall >= 0.3


def test_a_command_that_fails_ends_the_benchmark_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="ended with 3\nno such thing"):
        bench_peers.cost([sys.executable, "-c", "print('no such thing'); raise SystemExit(3)"])


def test_the_table_has_a_row_for_each_step_with_both_ratios() -> None:
    figures = {
        f"{side}{step}_{kind}": 2.0
        for side in ("", "peers_")
        for step in bench_peers.STEPS
        for kind in ("s", "cpu_s")
    }
    figures |= {
        f"{step}_{kind}": 0.5 for step in bench_peers.STEPS for kind in ("ratio", "cpu_ratio")
    }
    rows = bench_peers.table(figures)
    assert len(rows) == 2 + len(bench_peers.STEPS) and all(
        row.count("0.50x") == 2 for row in rows[2:]
    )
