"""The ingress log as the source of answers by the second: its location, the query, and the parsing
of rows. Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

FIELDS = {"sls_ingress_qps": "proxy_upstream_name", "sls_alb_ingress_qps": "slb_pool_name"}
Row = tuple[int, dict[str, Any]]
"""(unix second, counts)."""
LIMIT = 10000


@dataclass(frozen=True)
class Route:
    """Where a stack's requests are logged, and the field value that tells them from others."""

    project: str
    logstore: str
    field: str
    name: str


def route_of(hpa: Mapping[str, Any]) -> Route | None:
    """The route that an HPA's metric counts, None when it has another metric."""
    for metric in hpa["spec"].get("metrics") or []:
        found = (metric.get("external") or {}).get("metric") or {}
        labels = (found.get("selector") or {}).get("matchLabels") or {}
        if found.get("name") in FIELDS and labels.get("sls.ingress.route"):
            return Route(
                labels["sls.project"],
                labels["sls.logstore"],
                FIELDS[found["name"]],
                labels["sls.ingress.route"],
            )
    return None


def statement(route: Route, deadline: float) -> str:
    """The SLS query: one row for each second with answers."""
    shares = ", ".join(
        f"approx_percentile(request_time, {share}) as {name}"
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    )
    counts = f"count(1) as count, count_if(status >= 500) as failed, count_if(request_time > {deadline:g}) as late"
    return f"* and {route.field}: {route.name} | SELECT __time__ as t, {counts}, {shares} FROM log GROUP BY t ORDER BY t LIMIT {LIMIT}"


def rows(logged: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Rows of the query as numbers; failed requests do not also count as late."""
    parsed = []
    for row in logged:
        counts = {name: int(float(row[name])) for name in ("count", "failed", "late")}
        counts["late"] = min(counts["late"], counts["count"] - counts["failed"])
        parsed.append(
            (
                int(row["t"]),
                {
                    **counts,
                    **{name: round(_number(row[name]), 4) for name in ("p50", "p95", "p99")},
                },
            )
        )
    return parsed


def rows_of_run(found: Iterable[Row], started: float, clock: float) -> list[dict[str, Any]]:
    """The rows in the run's time: modelled seconds since its start."""
    return [{"t": round((second - started) * clock, 3), **counts} for second, counts in found]


def _number(text: Any) -> float:
    return 0.0 if text in (None, "", "null") else float(text)
