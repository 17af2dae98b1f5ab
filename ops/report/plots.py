"""The plots of a run, as SVG text: what the console's picture shows, and what it does not."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from ops.report import figures
from ops.report.run import Run

SPOT, ON_DEMAND, WANTED, LOAD, BAD = "#1f77b4", "#ff7f0e", "#2ca02c", "#444444", "#d62728"
WIDTH, HEIGHT = 10.0, 2.9


def plots(run: Run) -> list[tuple[str, str]]:
    """(title, SVG) of every plot, in the order in which they are read."""
    drawn = [
        ("Pods by charge type", _pods),
        ("Nodes by charge type", _nodes),
        ("On-demand share of instances", _share),
        ("Requests per second, and what the ready pods can do", _load),
        ("Latency of answers", _latency),
        ("Failed and late requests per second", _errors),
        ("Seconds from wanting more pods to having them", _climbs),
        ("Cost per hour, against all on demand", _cost),
    ]
    return [(title, _draw(run, f"{title} (clock x{run.clock:g})", draw)) for title, draw in drawn]


def picture(run: Run) -> str:
    """The picture of the tutorial's last step: pods and nodes on preemptible and pay-as-you-go
    instances over time.
    """
    return _draw(run, f"Pods and the instances under them (clock x{run.clock:g})", _overview)


def _draw(run: Run, title: str, draw: Callable[[Any, Run], None]) -> str:
    import matplotlib  # noqa: PLC0415 - 0.6 s; figures alone need no plots

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "elastic-inference"  # the same run gives the same bytes
    from matplotlib import pyplot  # noqa: PLC0415 - 0.6 s; figures alone need no plots

    figure, axes = pyplot.subplots(figsize=(WIDTH, HEIGHT), constrained_layout=True)
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_xlabel("modelled minutes", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    draw(axes, run)
    for event in run.events:
        if event["kind"] == "node notice":
            axes.axvline(event["t"] / 60, color=BAD, alpha=0.15, linewidth=1)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7, loc="upper left", ncols=4, framealpha=0.6)
    axes.set_ylim(bottom=0)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    return text.getvalue()[text.getvalue().index("<svg") :]


def _minutes(rows: list[dict[str, Any]]) -> list[float]:
    return [row["t"] / 60 for row in rows]


def _of(run: Run, group: str, name: str) -> list[float]:
    return [row[group][name] for row in run.samples]


def _pods(axes: Any, run: Run) -> None:
    layers = _of(run, "pods", "ready_on_demand"), _of(run, "pods", "ready_spot")
    axes.stackplot(
        _minutes(run.samples),
        *layers,
        labels=("ready, on demand", "ready, preemptible"),
        colors=(ON_DEMAND, SPOT),
        step="post",
    )
    axes.step(
        _minutes(run.samples),
        _of(run, "pods", "desired"),
        color=WANTED,
        linewidth=1,
        label="wanted",
        where="post",
    )


def _nodes(axes: Any, run: Run) -> None:
    layers = _of(run, "nodes", "on_demand"), _of(run, "nodes", "spot"), _of(run, "nodes", "booting")
    labels, colors = ("on demand", "preemptible", "booting"), (ON_DEMAND, SPOT, "#dddddd")
    axes.stackplot(_minutes(run.samples), *layers, labels=labels, colors=colors, step="post")


def _overview(axes: Any, run: Run) -> None:
    _nodes(axes, run)
    axes.step(
        _minutes(run.samples),
        _of(run, "pods", "ready"),
        color=WANTED,
        linewidth=1.2,
        label="ready pods",
        where="post",
    )


def _share(axes: Any, run: Run) -> None:
    rows = [row for row in run.samples if row["billed"]["spot"] + row["billed"]["on_demand"]]
    shares = [
        row["billed"]["on_demand"] / (row["billed"]["spot"] + row["billed"]["on_demand"])
        for row in rows
    ]
    if band := figures.wanted_share(run):
        axes.axhspan(*band, color=WANTED, alpha=0.2, label="wanted")
    axes.plot(_minutes(rows), shares, color=ON_DEMAND, linewidth=1, label="on-demand share")


def _load(axes: Any, run: Run) -> None:
    second = run.clock
    axes.plot(
        _minutes(run.requests),
        [row["count"] for row in run.requests],
        color=LOAD,
        linewidth=0.6,
        label="answered",
    )
    axes.plot(
        _minutes(run.samples),
        [row["capacity_qps"] for row in run.samples],
        color=WANTED,
        linewidth=1.2,
        label="ready capacity",
    )
    axes.set_ylabel(f"per wall second ({second:g} modelled)", fontsize=7)


def _latency(axes: Any, run: Run) -> None:
    for name, color in (("p99", BAD), ("p95", ON_DEMAND), ("p50", SPOT)):
        axes.plot(
            _minutes(run.requests),
            [row[name] * 1000 for row in run.requests],
            color=color,
            linewidth=0.7,
            label=name,
        )
    axes.set_ylabel("wall ms", fontsize=7)


def _errors(axes: Any, run: Run) -> None:
    axes.plot(
        _minutes(run.requests),
        [row["failed"] for row in run.requests],
        color=BAD,
        linewidth=0.8,
        label="failed",
    )
    axes.plot(
        _minutes(run.requests),
        [row["late"] for row in run.requests],
        color=ON_DEMAND,
        linewidth=0.8,
        label="late",
    )


def _climbs(axes: Any, run: Run) -> None:
    done = [climb for climb in figures.climbs(run) if climb["seconds"] is not None]
    for climb in done:
        axes.plot([climb["t"] / 60] * 2, [0, climb["seconds"]], color=LOAD, linewidth=1.5)
        axes.annotate(
            f"{climb['from']}→{climb['to']}", (climb["t"] / 60, climb["seconds"]), fontsize=7
        )
    axes.plot(
        [climb["t"] / 60 for climb in done],
        [climb["seconds"] for climb in done],
        "o",
        color=WANTED,
        markersize=4,
    )
    if run.samples:
        axes.set_xlim(run.samples[0]["t"] / 60, run.samples[-1]["t"] / 60 + 0.01)
    axes.set_ylabel("modelled seconds", fontsize=7)


def _cost(axes: Any, run: Run) -> None:
    axes.plot(
        _minutes(run.samples),
        _of(run, "billed", "cny_per_hour"),
        color=SPOT,
        linewidth=1.2,
        label="this mix",
    )
    axes.plot(
        _minutes(run.samples),
        _of(run, "billed", "cny_per_hour_on_demand"),
        color=ON_DEMAND,
        linewidth=1,
        label="all on demand",
    )
    axes.set_ylabel("CNY", fontsize=7)
