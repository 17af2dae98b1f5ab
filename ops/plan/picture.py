"""The picture of the frontier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ops.plan.outcome import Row


def draw(
    path: Path,
    rows: Sequence[Row],
    frontier: Sequence[Row],
    chosen: Row | None,
    peers: Sequence[Row],
    slo: float,
    title: str,
) -> None:
    """Write cost against requests too late or failed (worst seed, logarithmic; down is better, left
    is cheaper) as SVG.
    """
    import matplotlib  # noqa: PLC0415 - half a second, and only --picture needs it

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "plan"  # the same input gives the same file
    from matplotlib import pyplot  # noqa: PLC0415 - after the backend is chosen

    figure, axes = pyplot.subplots(figsize=(9, 5.5))
    axes.scatter(
        [r.cost for r in rows],
        [_missed(r) for r in rows],
        s=22,
        color="#9aa5b1",
        label="candidates",
        zorder=2,
    )
    axes.plot(
        [r.cost for r in frontier],
        [_missed(r) for r in frontier],
        color="#1f6feb",
        marker="o",
        ms=5,
        label="frontier",
        zorder=3,
    )
    for peer in peers:
        axes.scatter(peer.cost, _missed(peer), marker="D", s=36, color="#b35900", zorder=3)
        left = peer.cost > 0.4 * max(p.cost for p in peers)
        position = {"xytext": (-7, 5) if left else (7, 5), "ha": "right" if left else "left"}
        axes.annotate(
            peer.name,
            (peer.cost, _missed(peer)),
            textcoords="offset points",
            fontsize=7,
            color="#b35900",
            **position,
        )
    axes.axhline(1 - slo, color="#cf222e", lw=1, ls="--", zorder=1)
    words = {
        "color": "#cf222e",
        "fontsize": 8,
        "ha": "right",
        "va": "bottom",
        "transform": axes.get_yaxis_transform(),
    }
    axes.text(0.995, 1 - slo, f"promise: {100 * slo:g} % in time", **words)
    if chosen is not None:
        axes.scatter(
            chosen.cost,
            _missed(chosen),
            s=150,
            facecolors="none",
            edgecolors="#1a7f37",
            lw=2,
            label="chosen",
            zorder=4,
        )
    axes.set_yscale("log")
    axes.set_xscale("log")
    axes.set_xlabel("cost of the whole load, CNY")
    axes.set_ylabel("requests late or failed, worst seed")
    axes.set_title(title, fontsize=10)
    axes.grid(True, which="major", color="#e4e8ec", zorder=0)
    axes.legend(loc="center right", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)


def _missed(row: Row) -> float:
    return max(1 - row.slo_worst, 1e-6)
