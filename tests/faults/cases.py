"""Which cases there are: the calls that a clean run makes, by the faults that can strike them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from typing import Any

from lab.region.distortions import AT_WORK, PAGE_SIZE

OPERATIONS = ("up", "refresh", "destroy")
HOLD = 60.0
"""Seconds for which a call is held so that the CLI can be killed meanwhile."""
TIMES_OUT = 3.0
"""Seconds without an answer; more than the read timeout that the plugin is given here (tests/faults/world.py)."""
LONG_AGO = 600.0
READS = ("Describe", "Get", "List", "Query", "Check", "Head")

FAULTS: dict[str, dict[str, Any]] = {
    "throttled": {"kind": "error", "status": 429, "code": "Throttling.User", "message": "Request was denied due to user flow control."},
    "5xx": {
        "kind": "error",
        "status": 500,
        "code": "InternalError",
        "message": "The request processing has failed due to some unknown error.",
    },
    "timeout": {"kind": "timeout", "seconds": TIMES_OUT},
    "reset": {"kind": "reset"},
    "lost": {"kind": "answered-but-lost"},
    "stale": {"kind": "stale", "seconds": LONG_AGO, "times": 2},
    "stuck": {"kind": "stuck", "times": 2},
    "page": {"kind": "page"},
    "kill-before": {"kind": "timeout", "seconds": HOLD},
    "kill-after": {"kind": "answered-but-lost", "seconds": HOLD},
}
"""Name of the fault: what the region double is told."""
THROTTLED_OSS = {"status": 503, "code": "QpsLimitExceeded", "message": "Please reduce your request rate."}
KILLS = ("kill-before", "kill-after")
AFTER = {"lost": "reset", "kill-after": "kill-before"}
"""Faults that come after the call is done. Where the call changes nothing the client sees the same as under the other one."""


@dataclasses.dataclass(frozen=True, order=True)
class Case:
    """One fault at one call of one operation."""

    number: int
    """Which of the operation's calls of this name, from 0."""
    operation: str
    service: str
    call: str
    fault: str

    @property
    def key(self) -> str:
        """Its name in results and tables."""
        return f"{self.operation}/{self.service}:{self.call}#{self.number}/{self.fault}"

    def order(self) -> dict[str, Any]:
        """The fault as the double takes it."""
        match = {"service": self.service, "call": self.call}
        own = THROTTLED_OSS if self.service == "oss" and self.fault == "throttled" else {}
        return {**FAULTS[self.fault], **own, "match": match, "skip": self.number}


def of_calls(operation: str, calls: list[dict[str, Any]]) -> list[Case]:
    """The cases of an operation that made these calls, in this order, in a clean run."""
    seen: Counter[tuple[str, str]] = Counter()
    cases, changed = [], set()
    for call in calls:
        name = (call["service"], call["call"])
        for fault in FAULTS:
            if can_strike(fault, call, changed):
                cases.append(Case(seen[name], operation, *name, fault))
        seen[name] += 1
        if not call["call"].startswith(READS):
            changed.add(subject(call))
    return cases


def can_strike(fault: str, call: dict[str, Any], changed: Iterable[str]) -> bool:
    """Whether the fault means anything for the call. `changed`: what the operation has changed before it."""
    name = (call["service"], call["call"])
    if fault == "stale":
        about_object = call["service"] == "oss" and "/" in call["path"].strip("/").replace("%2F", "/")
        return subject(call) in changed and not about_object
    if fault in AFTER:
        return not call["call"].startswith(READS)
    if fault == "stuck":
        return name in AT_WORK
    return name in PAGE_SIZE if fault == "page" else True


def subject(call: dict[str, Any]) -> str:
    """What a call is about, roughly: its service, and for OSS the bucket."""
    return call["host"].split(".")[0] if call["service"] == "oss" and call["call"] != "ListBuckets" else call["service"]


def chosen(cases: list[Case], words: str) -> list[Case]:
    """Those whose key contains one of the comma-separated words; all of them without any. First calls of a name come first."""
    wanted = [word for word in words.split(",") if word]
    return sorted(case for case in cases if not wanted or any(word in case.key for word in wanted))


def batches(cases: list[Case], size: int) -> list[list[Case]]:
    """Cases that can share a run: one operation, one kind of fault, different calls, of several services if possible. A kill is alone."""
    rows: dict[tuple[Any, ...], list[Case]] = {}
    for case in cases:
        alone = (case.key,) if case.fault in KILLS else ()
        rows.setdefault((case.operation, case.fault, case.number, *alone), []).append(case)
    found = []
    for row in rows.values():
        row.sort(key=lambda case: (case.service, case.call))
        count = -(-len(row) // size)
        found += [row[first::count] for first in range(count)]
    return found
