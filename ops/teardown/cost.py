"""What it costs to keep something, roughly, and what a teardown saves."""

from __future__ import annotations

from collections.abc import Callable

from ops.plan.prices import load
from ops.preview_comment.cost import HOURS, Range, of_pool
from ops.preview_comment.document import State
from ops.teardown.checkpoint import Resource
from ops.teardown.stack_location import BUCKET, MADE_CLUSTER, POOL

PER_GIB_MONTH = {
    ("Standard", "LRS"): 0.12,
    ("Standard", "ZRS"): 0.15,
    ("IA", "LRS"): 0.08,
    ("IA", "ZRS"): 0.10,
}
"""CNY, by storage class and redundancy: Alibaba Cloud's public price list for the Chinese mainland,
2024.
"""
Contents = Callable[[str], tuple[int, int, bool]]
"""Bucket: (number of object versions, bytes, whether there are more)."""


class Costs:
    """Prices of one region, and what is in buckets; each bucket is looked into once."""

    def __init__(self, region: str, contents: Contents) -> None:
        self._table, _ = load(region=region)
        self._contents, self._known = contents, {}

    def _inside(self, bucket: str) -> tuple[int, int, bool] | None:
        if bucket not in self._known:
            try:
                self._known[bucket] = self._contents(bucket)
            except Exception:  # a plan without this figure is a plan all the same
                self._known[bucket] = None
        return self._known[bucket]

    def held(self, one: Resource) -> str:
        """What is in it, "" where nothing can be, or nobody knows."""
        found = self._inside(one.id) if one.kind == BUCKET else None
        if not found:
            return ""
        number, size, more = found
        return f"{number:,}{' or more' if more else ''} object versions, {size / 2**20:,.1f} MiB"

    def to_keep(self, one: Resource) -> str:
        """Its price a month, or why that can't be told."""
        if one.kind == BUCKET:
            return self._bucket(one)
        if one.kind == POOL:
            price = of_pool(State(inputs=dict(one.inputs)), self._table)
            return (
                f"{price.low * HOURS:,.0f} to {price.high * HOURS:,.0f} CNY a month"
                if isinstance(price, Range)
                else price
            )
        if one.kind == MADE_CLUSTER:
            return "the control plane of an ACK Pro cluster and its load balancers, by the hour"
        return "costs nothing by itself"

    def _bucket(self, one: Resource) -> str:
        found = self._inside(one.id)
        price = PER_GIB_MONTH.get(
            (one.get("storageClass") or "Standard", one.get("redundancyType") or "LRS")
        )
        if not found or price is None:
            return "storage is billed by size; how much is in it could not be looked up"
        return f"{self.held(one)}: about {found[1] / 2**30 * price:,.2f} CNY a month for storage"

    def saved(self, one: Resource) -> str:
        """What ends with it, "" for what costs nothing worth saying."""
        price = of_pool(State(inputs=dict(one.inputs)), self._table) if one.kind == POOL else None
        if not isinstance(price, Range):
            return ""
        nodes = f"{price.nodes[0]} to {price.nodes[1]} nodes"
        return f"node pool {one.get('nodePoolName')}: {price.low:,.2f} to {price.high:,.2f} CNY an hour ({nodes})"
