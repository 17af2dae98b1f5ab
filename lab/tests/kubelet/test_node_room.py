"""What ACK leaves of a node for pods, against the figures that it publishes. The tables also hold
the copy of this rule in `components` (tests/unit/test_copies_in_the_lab.py).
"""

from __future__ import annotations

import pytest

from lab.kubelet import node_room

CPU = [
    (1, 60), (2, 70), (3, 75), (4, 80), (5, 83), (8, 90), (16, 110), (32, 150), (48, 190), (64, 230), (128, 390),
]  # fmt: skip
"""(cores, millicores reserved): 6 % of the first core, 1 % of the second, 0.5 % of the next two,
0.25 % of the rest.
"""
MEMORY = [
    (7740, 64, 959),
    (14796, 110, 1465),
    (3000, 110, 750),
    (30000, 256, 3071),
    (1024, 64, 256),
]
"""(capacity in MiB, pods, MiB reserved): by pods, up to a quarter of the memory."""
SHOWN_MIB = 7_925_980 / 1024
"""Memory of the 8 GiB node in ACK's page."""


@pytest.mark.parametrize(("cpus", "millicores"), CPU)
def test_cpu_is_reserved_by_ack_s_steps(cpus: int, millicores: int) -> None:
    assert node_room.reserved_millicores(cpus) == millicores


@pytest.mark.parametrize(("capacity", "pods", "mib"), MEMORY)
def test_memory_is_reserved_by_pods_up_to_a_quarter(capacity: int, pods: int, mib: int) -> None:
    assert node_room.reserved_mib(capacity, pods) == mib


def test_the_kernel_s_share_is_that_of_the_node_in_ack_s_page() -> None:
    assert abs(node_room.capacity_mib(8 * 1024) - SHOWN_MIB) < 1
