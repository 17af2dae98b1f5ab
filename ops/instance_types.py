"""What ECS itself says of the pool's instance types, where the credentials may ask: a type that the
region does not sell, or another size than the program plans with (its table or
`nodePool.instanceSizes`), is told before the first change.

Needs the permission ecs:DescribeInstanceTypes; without it nothing is compared.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any

from ops.cloud.client import Cloud
from ops.cloud.errors import CloudError
from ops.engine.cli import ROOT, Stack
from ops.engine.stack_location import PROJECT, config_of, provider_config
from settings.catalog.instance_types import Size
from settings.core.problem import Problem, SettingsError, remove_command
from settings.core.stack_file import read
from settings.node_pool import NodePoolSettings

BATCH = 10
"""Types that one call may ask about (ECS API, DescribeInstanceTypes, InstanceTypes.N)."""
ALIKE = 0.05
"""Share by which two figures for the memory may differ: some pages round it."""


def described(cloud: Cloud, types: Collection[str]) -> dict[str, Size]:
    """The sizes of those of these types that the account can order in the region. Raises
    CloudError.
    """
    names, found = list(types), {}
    for start in range(0, len(names), BATCH):
        asked = {f"InstanceTypes.{n}": one for n, one in enumerate(names[start : start + BATCH], 1)}
        body = cloud.rpc("ecs", "DescribeInstanceTypes", RegionId=cloud.region, **asked)
        for row in (body.get("InstanceTypes") or {}).get("InstanceType") or []:
            if row["InstanceTypeId"] in types:
                found[row["InstanceTypeId"]] = _size(row)
    return found


def _size(row: Mapping[str, Any]) -> Size:
    """A share of a GPU counts as one, which is what its node offers."""
    gpus = int(row.get("GPUAmount") or 0)
    return Size(
        int(row["CpuCoreCount"]),
        float(row["MemorySize"]),
        max(1, gpus) if row.get("GPUSpec") else gpus,
    )


def problems(pool: NodePoolSettings, sizes: Mapping[str, Size]) -> list[Problem]:
    """What contradicts `sizes`, the answer of `described` for the pool's types."""
    found = []
    for index, name in enumerate(pool.instance_types):
        planned, actual = pool.size_of(name), sizes.get(name)
        if actual is None:
            found.append(
                Problem(
                    f"nodePool.instanceTypes[{index}]",
                    name,
                    "an instance type that ECS sells in this region",
                    "ACK refuses the pool in the middle of the run, or never gets a node of the type",
                    remove_command(f"nodePool.instanceTypes[{index}]")
                    + ", or another type or region",
                )
            )
        elif planned and not _agree(planned, actual):
            found.append(
                Problem(
                    f'nodePool.instanceSizes["{name}"]',
                    _shown(planned),
                    f"what ECS says of the type: {_shown(actual)}",
                    "pods are planned on nodes that can't hold them, or need more nodes than are ordered",
                    written(name, actual),
                )
            )
    return found


def written(name: str, size: Size) -> str:
    """The setting that says this size."""
    return (
        f"in the stack file, write below instanceSizes of '{PROJECT}:nodePool:' the line "
        f'"{name}": {{cpus: {size.cpus}, memoryGib: {size.memory_gib:g}, gpus: {size.gpus}}}'
    )


def _agree(planned: Size, actual: Size) -> bool:
    close = abs(planned.memory_gib - actual.memory_gib) <= ALIKE * actual.memory_gib
    return close and (planned.cpus, planned.gpus) == (actual.cpus, actual.gpus)


def _shown(size: Size) -> str:
    return f"{size.cpus} vCPUs, {size.memory_gib:g} GiB, {size.gpus} GPUs"


def refuse_wrong(stack: Stack) -> None:
    """Ends the process, with one message, when ECS contradicts the pool's instance types. Nothing
    is said where the credentials may not ask, nor of settings that need more than the stack's file
    to be read.
    """
    try:
        settings = read(ROOT, stack.name).settings(os.environ)
        cloud = Cloud.of_provider(provider_config(config_of(stack.name)))
        sizes = described(cloud, settings.node_pool.instance_types)
    except (SettingsError, CloudError):
        return
    if found := problems(settings.node_pool, sizes):
        raise SystemExit(f"error: {SettingsError(found, stack.name)}\nNothing was changed.")


__all__ = ["described", "problems", "refuse_wrong", "written"]
