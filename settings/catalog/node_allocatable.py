"""What of an instance is left for pods on a node of ACK: size, kernel's share, reservation,
eviction threshold.

Allocatable = capacity - reserved for system and kubelet (half each) - eviction threshold: ACK's
published policy for Kubernetes 1.28 and newer
(https://www.alibabacloud.com/help/en/ack/ack-managed-and-ack-dedicated/user-guide/resource-reservation-policy,
seen 2026-11-30):

- CPU: 6 % of the first core, 1 % of the second, 0.5 % of the third and the fourth, 0.25 % of each
  further one.
- Memory: the lesser of 11 MiB per pod that the node may hold + 255 MiB, and a quarter of the
  memory.
- Eviction threshold: memory.available<300Mi, ACK's default
  (user-guide/customize-the-kubelet-parameters-of-a-node-pool, same place).

What add-ons run on every node (CSI, network, logs) takes its requests from what is left.
"""

import re

MAX_PODS = 110
"""Pods a node may hold. ACK sets it by network plug-in and type; more pods mean a larger
reservation, so the kubelet's own limit errs on the safe side.
"""
EVICTION_MIB = 300
_PAGES, _BOOT_MIB = 64, 324
"""What the kernel keeps: 1/64 of the memory for its page table (64 bytes for each 4 KiB), and the
rest of what the one node in ACK's page lacks of its 8 GiB (7,925,980 KiB are shown): memory for
crash dumps, firmware, the kernel itself.
"""

_SUFFIX = {
    "": 1, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip


def quantity(text: str) -> float:
    """A Kubernetes quantity ("500m", "8Gi") as a number of cores or bytes. Raises ValueError."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([mkKMGT]i?|)", text)
    if found is None or found[2] not in _SUFFIX:
        raise ValueError(f"{text!r} is no quantity such as 500m or 8Gi")
    return float(found[1]) * _SUFFIX[found[2]]


def capacity_mib(memory_mib: int) -> int:
    """What the kernel shows of a machine with so much memory (MiB)."""
    return memory_mib - memory_mib // _PAGES - _BOOT_MIB


def reserved_millicores(cpus: int) -> int:
    """CPU that system and kubelet keep."""
    shares = [60, 10, 5, 5][:cpus] + [2.5] * max(0, cpus - 4)
    return -int(-sum(shares) // 1)


def reserved_mib(capacity: int, pods: int = MAX_PODS) -> int:
    """Memory (MiB) that system and kubelet keep of a node's capacity (MiB)."""
    return min(11 * pods + 255, capacity // 4)


def allocatable(cpus: int, memory_mib: int) -> tuple[int, int]:
    """(millicores, MiB) that pods get on a machine of this size."""
    capacity = capacity_mib(memory_mib)
    return cpus * 1000 - reserved_millicores(cpus), capacity - reserved_mib(capacity) - EVICTION_MIB
