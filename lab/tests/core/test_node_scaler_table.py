"""The node scaler against a table of the cluster-autoscaler's decisions: data/node_scaler.yaml."""

from __future__ import annotations

import pathlib
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from lab.controlplane import node_rules, nodepool_rows, scale_down
from lab.controlplane.backoff import PROVISION_TIME, Backoff
from lab.controlplane.node_rules import Choice, Pool, Waits
from lab.controlplane.scale_down import Limits
from lab.tests.core.cluster_objects import ROW, node, pod

TABLE: dict[str, list[dict[str, Any]]] = yaml.safe_load(
    (pathlib.Path(__file__).parent / "data" / "node_scaler.yaml").read_text()
)


def rows(kind: str) -> Any:
    return pytest.mark.parametrize("row", TABLE[kind], ids=[row["name"] for row in TABLE[kind]])


def made_node(name: str, said: dict[str, Any]) -> dict[str, Any]:
    found = node(said.get("name", name), said.get("pool", "gpu"), ready=said.get("ready", True))
    found["metadata"]["annotations"] = said.get("annotations", {})
    found["metadata"]["labels"] |= said.get("labels", {})
    size = {"cpu": said.get("cpu", "3900m"), "memory": said.get("memory", "13Gi"), "pods": "110"}
    size |= {"nvidia.com/gpu": str(said.get("gpu", 1))} if said.get("gpu", 1) else {}
    found["status"] |= {"allocatable": size, "capacity": size}
    return found


def made_nodes(said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    whole = [one for one in said for _ in range(one.get("count", 1))]
    return [made_node(f"n{number}", one) for number, one in enumerate(whole)]


def made_pods(said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        made_pod(f"p{number}-{copy}", one)
        for number, one in enumerate(said)
        for copy in range(one.get("count", 1))
    ]


def made_pod(name: str, said: dict[str, Any]) -> dict[str, Any]:
    wanted = {key: said[key] for key in ("cpu", "memory") if key in said}
    wanted |= {"nvidia.com/gpu": str(said.get("gpu", 1))} if said.get("gpu", 1) else {}
    spec = {key: said[key] for key in ("priority", "volumes", "nodeSelector") if key in said}
    found = pod(
        said.get("name", name),
        on=said.get("node", ""),
        containers=[{"name": "c", "resources": {"requests": wanted}}],
        **spec,
    )
    owner = said.get("owner", "ReplicaSet")
    found["metadata"] |= {
        "namespace": said.get("namespace", "default"),
        "labels": said.get("labels", {}),
        "annotations": said.get("annotations", {}),
        "ownerReferences": [
            {"kind": owner, "name": "o", "controller": said.get("controller", True)}
        ]
        if owner
        else [],
    }
    if "nominated" in said:
        found["status"]["nominatedNodeName"] = said["nominated"]
    return found


def made_pool(said: dict[str, Any]) -> Pool:
    name = said.get("id", "gpu")
    template = made_node("template", {**said, "pool": name})
    return Pool(
        name, said.get("low", 0), said.get("high", 3), said.get("alive", 0), template, f"asg-{name}"
    )


@rows("grow")
def test_growth(row: dict[str, Any]) -> None:
    pods, config = made_pods(row["pods"]), row.get("config", {})
    ages = {
        one["metadata"]["uid"]: float(said["age"])
        for one, said in zip(pods, row["pods"], strict=False)
        if "age" in said
    }
    choice = Choice(
        config.get("expander", "least-waste"),
        config.get("priorities", {}),
        row.get("held", ()),
        not row.get("instant"),
    )
    made = node_rules.grow(
        [made_pool(one) for one in row["pools"]],
        made_nodes(row.get("nodes", [])),
        made_nodes(row.get("booting", [])),
        pods,
        ages or None,
        Waits(2, 30),
        choice,
    )
    if "one_of" in row:
        assert list(made.order.values()) == [1] and set(made.order) < set(row["one_of"])
    else:
        assert made.order == row["order"]
    assert made.waiting is row.get("waiting", False)
    if "hopeless" in row:
        assert len(made.hopeless) == row["hopeless"]


@rows("shrink")
def test_shrinking(row: dict[str, Any]) -> None:
    everywhere, limits = made_nodes(row["nodes"]), Limits(**row.get("limits", {}))
    budgets = [
        {
            "metadata": {"namespace": one.get("namespace", "default")},
            "spec": {"selector": one["selector"]},
            "status": {"disruptionsAllowed": one["allowed"]},
        }
        for one in row.get("budgets", [])
    ]
    own = [one for one in everywhere if node_rules.pool_of(one) == "gpu"]
    held = scale_down.by_node(made_pods(row.get("pods", [])))
    found = scale_down.unneeded(own, held, budgets, limits, everywhere)
    names = [one["metadata"]["name"] for one in own]
    assert sorted(found) == (sorted(names) if row["unneeded"] == "all" else row["unneeded"])
    pool_of, since = dict.fromkeys(names, "gpu"), dict.fromkeys(found, 0.0)
    for moment, going in {**row.get("at", {}), **({601: []} if "drain" in row else {})}.items():
        leaving = scale_down.choose(
            own, {"gpu": row.get("spare", 99)}, pool_of, found, since, float(moment), limits
        )
        empty = [one["metadata"]["name"] for one in leaving.empty]
        assert (len(empty) if isinstance(going, int) else empty) == going
        assert [one["metadata"]["name"] for one, _ in leaving.drain] == row.get("drain", [])


@rows("drain")
def test_drains(row: dict[str, Any]) -> None:
    left = []
    for said in row["left"]:
        one = pod("p", on="n")
        one["spec"]["terminationGracePeriodSeconds"] = said.get("grace", 30)
        one["metadata"] |= (
            {"deletionTimestamp": "2026-11-30T10:00:00Z"} if said.get("deleting") else {}
        )
        left.append(one)
    assert (
        scale_down.drain_failed(left, row["evicting"], row.get("ending", 0), Limits().longest_grace)
        is row["failed"]
    )


@rows("backoff")
def test_backoff(row: dict[str, Any]) -> None:
    backoff = Backoff()
    for moment in row["failures"]:
        backoff.failed("gpu", moment)
    if row.get("worked"):
        backoff.worked("gpu")
    assert {moment: "gpu" in backoff.held(moment) for moment in row["held"]} == row["held"]


@rows("health")
def test_health(row: dict[str, Any]) -> None:
    down = [made_node(f"d{number}", {"ready": False}) for number in range(row["unready"])]
    young = {one["metadata"]["name"] for one in down[: row.get("young", 0)]}
    assert (
        node_rules.healthy([*made_nodes([{"count": row["ready"]}]), *down], young) is row["goes_on"]
    )


def test_an_instance_that_never_becomes_a_node_is_given_up_after_a_quarter_of_an_hour() -> None:
    """FAQ, How does scale-up work (`--max-node-provision-time`): what is still not registered is
    taken away, down to the minimum.
    """
    instance = {
        "instance_id": "i-1",
        "nodepool_id": "np1",
        "status": "Running",
        "created": datetime.fromtimestamp(1000, UTC).isoformat(),
    }
    there = node("n2")
    others = [
        {**instance, "instance_id": "i-n2"},
        {**instance, "instance_id": "i-3", "lock_reason": "Recycling"},
    ]
    for age, low, late in ((900, 0, []), (901, 0, ["i-1"]), (901, 3, [])):
        assert (
            nodepool_rows.overdue(
                {**ROW, "min": low}, [instance, *others], [there], 1000 + age, 1, PROVISION_TIME
            )
            == late
        )
    for status, late in (("Pending", ["i-1"]), ("Running", [])):
        said = [{**instance, "status": status}]
        assert nodepool_rows.overdue(ROW, said, [], 1000 + 91, 10, PROVISION_TIME) == late, (
            "modelled seconds, until it runs"
        )


def test_the_table_is_long_enough_and_every_row_says_where_it_comes_from() -> None:
    whole = [row for kind in TABLE.values() for row in kind]
    assert len(whole) >= 25 and all(row["source"] for row in whole)
    assert len({row["name"] for row in whole}) == len(whole)
