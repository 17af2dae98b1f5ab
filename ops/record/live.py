"""The two sources of a live stack outside of its cluster: instances from ECS, answers from the
ingress log.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ops.cloud.client import Cloud
from ops.record.cloud import answers, instances, scaling_group
from ops.record.log import Route, rows_of_run
from ops.record.poll import Poll

EVERY = 10.0
"""Wall seconds between two questions."""
LAG = 15.0
"""Wall seconds after which what is logged has arrived."""


class Instances:
    """The pool's instances from ECS, priced by the run's table."""

    def __init__(self, cloud: Cloud, meta: dict[str, Any]) -> None:
        self._cloud, self._meta, self._group = cloud, meta, ""
        self._poll = Poll("ECS", self._ask, EVERY)

    def now(self) -> list[dict[str, Any]] | None:
        """The instances of the last answer, None while there was none."""
        return self._poll.answer

    def close(self) -> None:
        """Stops asking."""
        self._poll.stop()

    def _ask(self) -> list[dict[str, Any]]:
        self._group = self._group or scaling_group(
            self._cloud, self._meta["cluster"], self._meta["node_pool"]
        )
        rows = instances(self._cloud, self._group)
        return [{**row, **price_of(row, self._meta)} for row in rows]


class Answers:
    """Writes the route's answers from the ingress log into the run, each second once."""

    def __init__(self, cloud: Cloud, meta: dict[str, Any], place: Path) -> None:
        self._cloud, self._meta = cloud, meta
        self._route = Route(**meta["route"])
        self._file = place.open("a", buffering=1)
        self._next = int(meta["started"])
        self._poll = Poll("the ingress log", self._read, EVERY)

    def close(self) -> None:
        """Reads once more, for what has arrived meanwhile, and closes the file."""
        self._poll.stop()
        self._poll.once()
        self._file.close()

    def _read(self) -> None:
        end = int(time.time() - LAG)
        if end <= self._next:
            return
        found = answers(self._cloud, self._route, self._next, end, self._meta["deadline"])
        for row in rows_of_run(found, self._meta["started"], self._meta["clock"]):
            self._file.write(json.dumps(row) + "\n")
        self._next = end


def price_of(row: dict[str, Any], meta: dict[str, Any]) -> dict[str, float]:
    """CNY per hour of an instance, and what it would be on demand; 0 for a type that the table
    lacks.
    """
    kind = row["instance_type"]
    listed = float(meta["prices"].get(kind, 0.0))
    share = (
        float(meta.get("spot_fraction", {}).get(kind, 0.3))
        if row.get("spot_strategy", "NoSpot") != "NoSpot"
        else 1.0
    )
    return {"price_per_hour": listed * share, "list_price": listed}
