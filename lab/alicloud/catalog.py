"""Instance types the lab sells: size, GPU and price. Prices are list prices of 2024-10 in CNY per
hour, used only to rank.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ADDONS = (
    "csi-plugin",
    "csi-provisioner",
    "nginx-ingress-controller",
    "loongcollector",
    "ack-alibaba-cloud-metrics-adapter",
    "ack-node-problem-detector",
)
"""What a cluster of the lab has when nothing else is said."""
SPOT_FRACTION = (
    0.3  # spot price as a share of the pay-as-you-go price, unless the scenario says otherwise
)


@dataclass(frozen=True)
class InstanceType:
    """One row of the price list. `memory_mib` is what the machine has, before the system's
    reserve.
    """

    name: str
    cpu: int
    memory_mib: int
    gpu_count: int
    gpu_model: str
    gpu_memory_mib: int
    price: float

    @property
    def family(self) -> str:
        """The instance family: `ecs.gn6i` of `ecs.gn6i-c4g1.xlarge`."""
        return self.name.rsplit(".", 1)[0].split("-")[0]


def _row(
    name: str, cpu: int, gib: float, price: float, gpus: int = 0, model: str = "", gpu_mib: int = 0
) -> InstanceType:
    return InstanceType(name, cpu, int(gib * 1024), gpus, model, gpu_mib, price)


TYPES: dict[str, InstanceType] = {
    row.name: row
    for row in (
        _row("ecs.gn6i-c4g1.xlarge", 4, 15, 11.63, 1, "Tesla-T4", 15109),
        _row("ecs.gn6i-c8g1.2xlarge", 8, 31, 14.00, 1, "Tesla-T4", 15109),
        _row("ecs.gn6i-c16g1.4xlarge", 16, 62, 16.41, 1, "Tesla-T4", 15109),
        _row(
            "ecs.gn6i-c24g1.12xlarge", 48, 186, 32.82, 2, "Tesla-T4", 15109
        ),  # no list price found: twice c16g1.4xlarge
        _row("ecs.gn6v-c8g1.2xlarge", 8, 32, 26.46, 1, "Tesla-V100-SXM2-16GB", 16160),
        _row("ecs.gn7i-c8g1.2xlarge", 8, 30, 9.5326, 1, "NVIDIA-A10", 23028),
        _row("ecs.gn7i-c16g1.4xlarge", 16, 60, 10.0934, 1, "NVIDIA-A10", 23028),
        _row("ecs.gn7i-c32g1.8xlarge", 32, 188, 13.3083, 1, "NVIDIA-A10", 23028),
        _row("ecs.g6.large", 2, 8, 0.50),
        _row("ecs.g6.xlarge", 4, 16, 1.00),
        _row("ecs.g7.large", 2, 8, 0.58),
        _row("ecs.g7.xlarge", 4, 16, 1.16),
        _row("ecs.g7.2xlarge", 8, 32, 2.32),
        _row("ecs.c7.xlarge", 4, 8, 0.92),
    )
}


@cache
def sold(region: str) -> tuple[str, ...]:
    """The types that a region's zones sell: those without a GPU, and of the others what its price
    list has; all where there is none.
    """
    listed = json.loads(Path(__file__).with_name("prices.json").read_text())["prices"].get(region)
    return tuple(
        name
        for name, kind in TYPES.items()
        if listed is None or not kind.gpu_count or name in listed
    )
