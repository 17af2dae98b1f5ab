"""What the GPU nodes cost an hour, before and after, at the pool's smallest and largest size."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from interruption_handler.pool_sizing import on_demand_nodes
from lab.alicloud.catalog import SPOT_FRACTION
from ops.engine.previews import Preview, State, Step
from ops.plan.prices import TABLE, Prices, load
from ops.preview_comment.markdown import code

POOL = "alicloud:cs/nodePool:NodePool"
HOURS = 730
"""A month."""
MOST_ROWS = 20


@dataclass(frozen=True)
class Range:
    """CNY per hour of one pool."""

    nodes: tuple[int, int]
    low: float
    high: float
    kind: str
    """The instance type reckoned with."""


def section(preview: Preview, default_region: str = "") -> str:
    """The cost section in Markdown: a table when a pool changes, one line when it does not, ""
    without a pool.
    """
    pools = [step for step in preview.steps if step.kind == POOL]
    region = preview.region or default_region
    table, _ = load(region=region)
    rows, notes = [], []
    for step in pools:
        before, after = (
            of_pool(step.old, table),
            of_pool(None if step.op == "delete" else step.new, table),
        )
        if before == after and isinstance(after, Range):
            notes.append(
                f"{code(step.name, 80)} stays at {after.low:.2f} to {after.high:.2f} CNY/h ({_nodes(after)} of `{after.kind}`)."
            )
        else:
            rows.append(_row(step, before, after))
    if not pools:
        return ""
    left = len(rows) + len(notes) - MOST_ROWS
    rows, notes = rows[:MOST_ROWS], notes[: max(0, MOST_ROWS - len(rows))]
    if left > 0:
        notes.append(f"{left} more pools have no room here.")
    head = "| pool | now, CNY/h | after, CNY/h | largest difference, a month |\n|---|---|---|---|\n"
    parts = [
        " ".join(["**Cost of GPU nodes.**", *notes]),
        head + "".join(rows).rstrip() if rows else "",
        _source(table, region),
    ]
    return "\n\n".join(filter(None, parts))


def _row(step: Step, before: Range | str, after: Range | str) -> str:
    most = "unknown"
    if not (isinstance(before, str) and before != "none") and not (
        isinstance(after, str) and after != "none"
    ):
        difference = (after.high if isinstance(after, Range) else 0) - (
            before.high if isinstance(before, Range) else 0
        )
        most = f"{'+' if difference >= 0 else '−'}{abs(difference) * HOURS:,.0f} CNY"
    return f"| {code(step.name, 80)} | {_cell(before)} | {_cell(after)} | {most} |\n"


def _cell(side: Range | str) -> str:
    return (
        side
        if isinstance(side, str)
        else f"{side.low:.2f} to {side.high:.2f} ({_nodes(side)}, `{side.kind}`)"
    )


def _nodes(side: Range) -> str:
    return f"{side.nodes[0]} to {side.nodes[1]} nodes"


def of_pool(state: State | None, table: Prices) -> Range | str:
    """Hourly cost of a pool; "none" without one, or why the cost is unknown."""
    if state is None:
        return "none"
    inputs = state.inputs or state.outputs
    instance_types = [name for name in inputs.get("instanceTypes") or () if isinstance(name, str)]
    priced = sorted(
        (name for name in instance_types if name in table.on_demand),
        key=lambda name: table.on_demand[name] / table.vcpus.get(name, 1),
    )
    if not priced:
        return f"no price known for {code(', '.join(instance_types) or '(no type)', 80)}"
    sizes = _sizes(inputs)
    if sizes is None:
        return "unknown sizes"
    low, high = (_hourly(inputs, nodes, table, priced[0]) for nodes in sizes)
    return Range(sizes, low, high, priced[0])


def _sizes(inputs: dict[str, Any]) -> tuple[int, int] | None:
    scaling = inputs.get("scalingConfig")
    scaling = scaling if isinstance(scaling, dict) and scaling.get("enable") is True else {}
    low, high = (
        _number(scaling.get(key, inputs.get("desiredSize"))) for key in ("minSize", "maxSize")
    )
    return None if low is None or high is None else (low, high)


def _hourly(inputs: dict[str, Any], nodes: int, table: Prices, kind: str) -> float:
    """Pay-as-you-go share as the pool asks for it, the rest at the preemptible share of the list
    price.
    """
    price = table.on_demand[kind]
    if inputs.get("spotStrategy", "NoSpot") == "NoSpot":
        return nodes * price
    base = _number(inputs.get("onDemandBaseCapacity")) or 0
    percent = _number(inputs.get("onDemandPercentageAboveBaseCapacity"))
    paid = on_demand_nodes(nodes, base, 100 if percent is None else min(100, percent))
    return paid * price + (nodes - paid) * price * table.spot_fraction.get(kind, SPOT_FRACTION)


def _number(value: Any) -> int | None:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number <= 100_000 and not isinstance(value, bool) else None


def _source(table: Prices, region: str) -> str:
    listed = json.loads(TABLE.read_text())
    missing = (
        f", which has no prices for {code(region, 40)}: those of {code(listed['elsewhere'])} are taken"
        if region not in listed["prices"]
        else ""
    )
    return (
        f"<sub>Pay-as-you-go prices of {table.date}: {table.source}{missing if region else ''}. Preemptible nodes at {SPOT_FRACTION:.0%} "
        "of them; the market sets that. Disks, load balancer, OSS and traffic come on top.</sub>"
    )
