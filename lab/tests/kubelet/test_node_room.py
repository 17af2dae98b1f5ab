"""What ACK leaves of a node for pods, against the figures that it publishes."""

from __future__ import annotations

import pytest

from components.compute import node_room
from lab.alicloud.catalog import TYPES


@pytest.mark.parametrize(
    ("cpus", "millicores"),
    [
        (1, 60),
        (2, 70),
        (3, 75),
        (4, 80),
        (5, 83),
        (8, 90),
        (16, 110),
        (32, 150),
        (48, 190),
        (64, 230),
        (128, 390),
    ],
)
def test_cpu_is_reserved_by_ack_s_steps(cpus: int, millicores: int) -> None:
    """6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % of the rest."""
    assert node_room.reserved_millicores(cpus) == millicores


@pytest.mark.parametrize(
    ("capacity", "pods", "mib"),
    [(7740, 64, 959), (14796, 110, 1465), (3000, 110, 750), (30000, 256, 3071), (1024, 64, 256)],
)
def test_memory_is_reserved_by_pods_up_to_a_quarter(capacity: int, pods: int, mib: int) -> None:
    assert node_room.reserved_mib(capacity, pods) == mib


def test_the_kernel_s_share_is_that_of_the_node_in_ack_s_page() -> None:
    shown = 7_925_980 / 1024
    assert abs(node_room.capacity_mib(8 * 1024) - shown) < 1


def test_the_lab_sells_the_types_in_the_sizes_that_the_settings_reckon_with() -> None:
    gpu = {name: (kind.cpu, kind.memory_mib) for name, kind in TYPES.items() if kind.gpu_count}
    assert gpu == {name: (cpus, int(gib * 1024)) for name, (cpus, gib) in node_room.SIZES.items()}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", 2),
        ("500m", 0.5),
        ("8Gi", 8 * 2**30),
        ("8G", 8e9),
        ("1.5", 1.5),
        ("128974848", 128974848),
        ("129M", 129e6),
    ],
)
def test_quantities_are_read_as_kubernetes_does(text: str, number: float) -> None:
    assert node_room.quantity(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "8 Gi", "Gi", "-1", "1mi", "1ki"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        node_room.quantity(text)
