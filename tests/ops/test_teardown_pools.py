"""Which node pools of a cluster count as the stack's, where several stacks share the cluster."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ops.cloud.client import Cloud
from ops.engine import stack_location
from ops.engine.checkpoint import Checkpoint
from ops.teardown import scan_compute
from settings.node_pool import NodePoolSettings


def pool(name: str, **tags: str) -> dict[str, Any]:
    return {
        "nodepool_info": {"nodepool_id": f"np-{name}", "name": name},
        "scaling_group": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
    }


def found(monkeypatch: pytest.MonkeyPatch, *pools: dict[str, Any]) -> set[str]:
    """What stack dev takes for its own of these pools."""
    monkeypatch.setattr(scan_compute, "pools_of", lambda *_: list(pools))
    location = stack_location.locate("dev", Checkpoint(), {})
    cloud = cast(Cloud, SimpleNamespace(region="cn-shanghai"))
    return {left.id.removeprefix("np-") for left in scan_compute.node_pools(cloud, location)}


def test_a_pool_named_as_the_program_names_it_is_the_stacks_and_one_of_a_longer_name_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from components.compute.node_pool import pool_name  # noqa: PLC0415 - 1 s of the SDK

    ours, theirs = (pool_name(NodePoolSettings(), stack) for stack in ("dev", "dev-2"))
    assert found(monkeypatch, pool(ours), pool(theirs)) == {ours}


def test_tags_decide_over_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "inference-dev-0a1b2c"
    theirs = pool(name, project="elastic-inference", stack="prod")
    ours = pool("renamed", project="elastic-inference", stack="dev")
    assert found(monkeypatch, theirs, ours) == {"renamed"}
    assert found(monkeypatch, pool(name, project="another")) == set()
