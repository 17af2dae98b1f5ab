"""One HTML page that needs nothing else: figures first, plots below."""

from __future__ import annotations

import html
from typing import Any

from ops.report import figures
from ops.report.plots import plots
from ops.report.run import Run

STYLE = """body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1000px;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}svg{width:100%;height:auto}
.note{color:#666}"""


def page(run: Run) -> str:
    """The HTML page: title, table of figures, note, plots."""
    title = html.escape(f"{run.meta.get('title', 'run')} on stack {run.meta.get('stack', '?')}")
    rows = "\n".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in lines(run)
    )
    drawn = "\n".join(svg for _, svg in plots(run))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n<table>\n{rows}\n</table>\n"
        f'<p class="note">{html.escape(assumptions(run))}</p>\n{drawn}\n</body></html>\n'
    )


def assumptions(run: Run) -> str:
    """What the figures assume: clock factor, units, capacity of a pod, price date."""
    date, source = run.meta.get("price_date", "?"), run.meta.get("price_source", "?")
    return (
        f"Clock factor {run.clock:g}: one wall second is {run.clock:g} modelled seconds; "
        "all times are modelled, rates and latencies are wall. "
        f"A pod counts with {run.meta.get('pod_qps', 0):.1f} requests per second. "
        f"Prices of {date} ({source}). Thin red lines: reclaim notices."
    )


def lines(run: Run) -> list[tuple[str, str]]:
    """(name, value) of each figure, as the terminal and the page show them."""
    found: dict[str, Any] = figures.summary(run)
    reasons = figures.failure_reasons(run)
    requests, money, peak = found["requests"], found["cost"], found["peak"]
    share = found["on_demand_share_at_20_nodes"]
    return [
        (
            "lasted",
            f"{found['modelled_seconds'] / 60:.1f} modelled minutes at clock x{run.clock:g}",
        ),
        (
            "requests",
            f"{requests['count']:.0f}, {requests['failed']:.0f} failed, {requests['late']:.0f} late, {100 * requests['in_time']:.2f} % in time",
        ),
        *([("failed with", "; ".join(reasons[:3]))] if reasons else []),
        ("worst p99", f"{found['worst_p99_seconds'] * 1000:.0f} ms"),
        ("at the peak", f"{peak['pods']} ready pods, {peak['nodes']} nodes"),
        (
            "on-demand share",
            "never 20 instances"
            if share is None
            else f"{100 * share[0]:.1f} to {100 * share[1]:.1f} % at 20 instances or more",
        ),
        ("time to capacity", climbed(found["climbs"])),
        (
            "cost",
            f"CNY {money['cny']:.2f} for {money['instance_hours']:.1f} instance hours; all on demand {money['cny_on_demand']:.2f}",
        ),
        ("saving", f"{100 * money['saving']:.1f} %"),
        ("reclaim notices", str(found["interruptions"])),
        ("changes of direction", str(found["direction_changes"])),
    ]


def climbed(climbs: list[dict[str, Any]]) -> str:
    """How long the pods that were wanted took to become ready, in one sentence."""
    seconds = sorted(climb["seconds"] for climb in climbs if climb["seconds"] is not None)
    if not seconds:
        return (
            "never more pods wanted than there were"
            if not climbs
            else "wanted pods were not ready before the end"
        )
    middle, last, missing = (
        seconds[(len(seconds) - 1) // 2],
        seconds[-1],
        len(climbs) - len(seconds),
    )
    return f"{len(climbs)} times more pods wanted; ready after {middle:.0f} s (median), {last:.0f} s (longest), {missing} not yet"
