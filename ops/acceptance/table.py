"""`python -m ops.acceptance.table figures.jsonl`: what was measured beside what others have
published, as a Markdown table.

The file is what PROVE_KEEP=DIRECTORY `make prove` leaves. A row whose figure was not measured says
so.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.acceptance.items import ITEMS

NONE = "no figure found"


@dataclass(frozen=True)
class Row:
    """A figure of ours, by its item and the beginning of the name it is measured under, and what
    others say.
    """

    item: str
    what: str
    measured: str
    published: str
    scale: float = 1.0
    unit: str = ""


ROWS = (
    Row("B1", "on-demand share at 20 nodes and more, lowest", "lowest on-demand share", "30 % asked for, rounded up to nodes", 100, " %"),
    Row("B1", "the same, highest", "highest on-demand share", "34 % tolerated", 100, " %"),
    Row("B1", "all preemptible nodes lost, 300 s notice: failed requests", "failed requests, all of",
        "nobody states it; AWS gives 120 s, others 30 s, less than a GPU node takes to boot"),
    Row("B2", "the same, 120 s notice: answered in the next hour",
        "% answered in the hour after all preemptible nodes were lost with 120 s", "98.1 % (fluid model, replace first)", 1, " %"),
    Row("B2", "the same, no notice", "% answered in the hour after all preemptible nodes were lost with 0 s",
        "96.4 % (fluid model); physics without headroom: 96.9 %", 1, " %"),
    Row("B12", "the same, 300 s notice, stock HPA and no handler", "stock HPA, no handler: % answered", "96.4 % (fluid model)", 1, " %"),
    Row("B3", "load doubled: time to full capacity", "x (boot + load time) to full capacity",
        "1.26 with stock components (boot 150 s, load 40 s)", 1, " x (boot + load)"),
    Row("B3-HEADROOM", "load doubled within the headroom, less the load time", "seconds to full capacity within the headroom",
        NONE, 1, " s"),
    Row("B4", "stock-out: missing nodes ordered on demand", "seconds until all missing nodes were ordered on demand",
        "SkyServe falls back dynamically; its autoscaler waits 300 s before it grows", 1, " s"),
    Row("B4", "stock is back: on-demand share at most 34 % again", "seconds until the on-demand share was at most", NONE, 1, " s"),
    Row("B5", "metric away for ten minutes: pods taken away", "pods taken away in an outage", "KEDA: a fixed number of fallback replicas"),
    Row("B6", "failed requests from twenty pods to one", "failed requests at scale-in", "nobody states it"),
    Row("B7", "steady load: changes of direction in an hour", "direction changes an hour", NONE),
    Row("B7", "half the load: at most 110 % of the need billed", "seconds after half the load until",
        "900 s by the defaults: HPA 300 s, cluster-autoscaler 600 s", 1, " s"),
    Row("B8", "a lost node's pod is created anew, p95", "seconds until a lost node's pod was created anew",
        "40 to 60 s by Kubernetes' pod collector, 350 s by taints; AKS about 70 s (Azure/AKS#3528)", 1, " s"),
    Row("B9", "saving against the same autoscaler, all on demand", "saving against the same autoscaler on demand",
        "Snape 44 % at 99.96 % availability (Azure production traces, ASPLOS'23); SkyServe 43 % on average (spot and on-demand over "
        "regions and clouds, arXiv 2411.01438); SpotServe 54 % (LLMs, all preemptible, real traces, ASPLOS'24)", 100, " %"),
    Row("B9", "saving against the same instances at their on-demand prices", "saving against the same instances on demand",
        "at most 49 %: 70 % of the nodes at 0.3 of the price", 100, " %"),
    Row("B9", "day curve (simulated, five seeds): cost against a static fleet", "day curve: % of a static fleet's cost",
        "100 % by definition", 1, " %"),
    Row("B9", "the same: answered in time, worst seed", "day curve: % in time", "Snape: 99.96 % available", 1, " %"),
    Row("B12", "saving of an autoscaled fleet on demand", "saving of a fleet on demand", "0 % by definition", 100, " %"),
    Row("B12", "static fleet: CNY an hour with work for one pod", "static fleet: CNY an hour", "20 nodes at CNY 14"),
    Row("B6", "ours: the same", "CNY an hour with work for one pod", NONE),
    Row("B10", "decision to 1,000 pods created (wall)", "wall seconds from the autoscaler's decision",
        "cluster-autoscaler: up to 60 s to order, for pods without GPU in large clusters", 1, " s"),
    Row("B10", "memory of the whole lab at 500 nodes and 1,000 pods", "GiB the lab takes", NONE, 1, " GiB"),
    Row("B11", "planner: 7 days and 50 candidates, on one core", "planner: seconds of one core", NONE, 1, " s"),
    Row("B11", "planner against the lab, the same half hour: cost apart by", "planner against the lab: % of cost", NONE, 1, " %"),
    Row("B11", "the same: requests in time apart by", "planner against the lab: points in time", NONE, 1, " points"),
)  # fmt: skip


def table(entries: Sequence[dict]) -> str:
    """The table of the recorded figures."""
    lines = ["| | proof, clock | here: median, worst (runs) | published |", "|---|---|---|---|"]
    for row in ROWS:
        found = [entry for entry in entries if entry.get("name", "").startswith(row.measured)]
        clock = dict(ITEMS[row.item].settings).get("ELASTIC_CLOCK", "1")
        lines.append(
            f"| {row.what} | {row.item}, x{clock} | {_shown(row, found)} | {row.published} |"
        )
    return "\n".join(lines)


def _shown(row: Row, found: Sequence[dict]) -> str:
    if not found:
        return "not measured"
    values = [row.scale * entry["value"] for entry in found]
    worst = (min if found[0]["worst"] == "min" else max)(values)
    return f"{statistics.median(values):.4g}{row.unit}, {worst:.4g}{row.unit} ({len(values)})"


def main(arguments: list[str]) -> int:
    """Print the table of one file."""
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        print(
            "error: expected one file of recorded figures: PROVE_KEEP=kept make prove ITEM=…, then kept/figures.jsonl",
            file=sys.stderr,
        )
        return 2
    print(table([json.loads(line) for line in Path(arguments[0]).read_text().splitlines()]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
