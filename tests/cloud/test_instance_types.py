"""The pool's instance types against what ECS says of them; the double answers Alibaba's call."""

from __future__ import annotations

from typing import Any

import pytest

from lab.testing.cloud import CloudDouble
from ops import instance_types, prerequisites
from ops.cloud.client import Cloud
from ops.cloud.credentials import Credentials
from ops.cloud.errors import CloudError
from ops.engine.cli import Stack
from settings.catalog.instance_types import SIZES, Size
from settings.node_pool import NodePoolSettings

T4, NEW = "ecs.gn6i-c4g1.xlarge", "ecs.gn99x-c8g1.2xlarge"


@pytest.fixture
def cloud(lab: CloudDouble) -> Cloud:
    """The double as the commands reach it."""
    return Cloud("cn-shanghai", Credentials(lab.own["access_key"], lab.own["secret_key"]))


def pool(**settings: Any) -> NodePoolSettings:
    return NodePoolSettings.model_validate({"vswitchIds": ["vsw-1"], **settings})


def fields(pool: NodePoolSettings, cloud: Cloud) -> list[str]:
    sizes = instance_types.described(cloud, pool.instance_types)
    return [problem.field for problem in instance_types.problems(pool, sizes)]


def test_types_of_the_table_are_what_ecs_says(cloud: Cloud) -> None:
    assert fields(NodePoolSettings(), cloud) == []
    sold = instance_types.described(cloud, list(SIZES))
    assert len(sold) > 5 and {name: SIZES[name] for name in sold} == sold


def test_a_type_that_nobody_sells_and_a_size_that_is_another_one_are_problems(cloud: Cloud) -> None:
    size = {"cpus": 8, "memoryGib": 31, "gpus": 1}
    unsold = pool(instanceTypes=[T4, NEW], instanceSizes={NEW: size})
    assert fields(unsold, cloud) == ["nodePool.instanceTypes[1]"]
    wrong = pool(instanceTypes=[T4], instanceSizes={T4: {**size, "gpus": 2}})
    assert fields(wrong, cloud) == [f'nodePool.instanceSizes["{T4}"]']
    (problem,) = instance_types.problems(wrong, {T4: SIZES[T4]})
    assert "cpus: 4, memoryGib: 15, gpus: 1" in problem.remedy


def test_more_types_than_one_call_takes_are_asked_in_several(
    cloud: Cloud, lab: CloudDouble
) -> None:
    asked: list[int] = []
    rpc = cloud.rpc

    def counted(product: str, action: str, **parameters: Any) -> dict[str, Any]:
        if action == "DescribeInstanceTypes":
            asked.append(sum(key.startswith("InstanceTypes.") for key in parameters))
        return rpc(product, action, **parameters)

    cloud.rpc = counted  # type: ignore[method-assign]
    instance_types.described(cloud, list(SIZES)[:23])
    assert asked == [10, 10, 3]


def test_a_share_of_a_gpu_counts_as_one() -> None:
    row = {"CpuCoreCount": 4, "MemorySize": 23.0, "GPUAmount": 0, "GPUSpec": "NVIDIA T4/4"}
    assert instance_types._size(row) == Size(4, 23.0, 1)
    assert instance_types._size({**row, "GPUSpec": ""}) == Size(4, 23.0, 0)


def test_doctor_says_what_to_write_for_a_type_that_the_program_does_not_know(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"elastic-inference:nodePool": {"instanceTypes": [T4, NEW]}}
    monkeypatch.setattr(prerequisites, "SIZES", {})
    monkeypatch.setattr(prerequisites, "config_of", lambda name: config)
    monkeypatch.setattr(Cloud, "of_provider", lambda *_: cloud)
    known, unknown = prerequisites.unknown_types(Stack("dev"))
    assert f'"{T4}": {{cpus: 4, memoryGib: 15, gpus: 1}}' in known.remedy
    assert "no such type" in unknown.found
    assert "Use another type" in unknown.remedy


def test_without_the_permission_nothing_is_compared(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refused(product: str, action: str, **_: Any) -> Any:
        asked.append(action)
        raise CloudError("ecs DescribeInstanceTypes", "Forbidden.RAM", "no", 403)

    monkeypatch.setattr(Cloud, "of_provider", lambda *_: cloud)
    monkeypatch.setattr(cloud, "rpc", refused)
    instance_types.refuse_wrong(Stack("dev"))
    assert asked == ["DescribeInstanceTypes"]


def test_an_up_of_a_real_stack_ends_before_its_first_change(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cloud, "of_provider", lambda *_: cloud)
    monkeypatch.setattr(instance_types, "described", lambda *_: {})
    with pytest.raises(SystemExit, match=r"(?s)ECS sells in this region.*Nothing was changed"):
        instance_types.refuse_wrong(Stack("dev"))
