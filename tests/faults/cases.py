"""Which cases there are: the calls that a clean run makes, by the faults that can strike them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from typing import Any

from lab.alicloud.response_faults import AT_WORK, PAGE_SIZE

OPERATIONS = ("up", "refresh", "destroy")
"""Of the cloud half."""
CLUSTER = "kubernetes"
"""Service of the calls to the cluster's API server."""
IN_CLUSTER = ("create", "update", "refresh objects", "delete")
"""Operations of the cluster half: an up that makes all of it, an up after a change of settings, a
refresh, and a destroy of it.
"""
BEFORE = {"create": "without", "update": "with", "refresh objects": "with", "delete": "with"}
"""Whether the cluster half is there before an operation on it."""
AFTER_IT = {"create": "with", "update": "with", "refresh objects": "with", "delete": "without"}
"""And after it."""
HOLD = 60.0
"""Seconds for which a call is held so that the CLI can be killed meanwhile."""
TIMES_OUT = 3.0
"""Seconds without an answer; more than the read timeout that the plugin is given here
(tests/faults/world.py).
"""
LONG_AGO = 600.0
READS = ("Describe", "Get", "List", "Query", "Check", "Head", "Watch", "Preview")

FAULTS: dict[str, dict[str, Any]] = {
    "throttled": {
        "kind": "error",
        "status": 429,
        "code": "Throttling.User",
        "message": "Request was denied due to user flow control.",
    },
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
"""Name of the fault: what the cloud double is told."""
FAULTS_IN_CLUSTER: dict[str, dict[str, Any]] = {
    "throttled": {
        "kind": "error",
        "status": 429,
        "code": "TooManyRequests",
        "message": "Too many requests, please try again later.",
    },
    "5xx": {
        "kind": "error",
        "status": 500,
        "code": "InternalError",
        "message": "Internal error occurred: etcdserver: leader changed",
    },
    "conflict": {
        "kind": "error",
        "status": 409,
        "code": "Conflict",
        "message": "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version",
    },
    "timeout": {
        "kind": "error",
        "status": 504,
        "code": "Timeout",
        "message": "Timeout: request did not complete within requested timeout - context deadline exceeded",
    },
    "reset": {"kind": "reset"},
    "lost": {"kind": "answered-but-lost"},
    "lost-4.29": {"kind": "answered-but-lost"},
    "plugin-killed": {"kind": "answered-but-lost", "seconds": HOLD},
    "kill-before": {"kind": "timeout", "seconds": HOLD},
    "kill-after": {"kind": "answered-but-lost", "seconds": HOLD},
}
"""The same for the API server, told to what stands between it and the plugin
(tests/faults/apiserver.py).
"""
AS_SINCE_4_29 = ("lost-4.29", "plugin-killed", "kill-after")
"""Faults under which creations are sent as plugins from 4.29.0 on send them: refused when the
object exists (AlreadyExists).
"""
PLUGIN_KILLED = "plugin-killed"
KILLED_AT = (
    ":namespaces",
    ":clusterroles",
    ":persistentvolumes",
    ":secrets",
    ":deployments",
    ":ingresses",
)
"""Plain, of a drawn name, bound by the cluster, with hidden contents, waited for, and waited for
under a drawn name.
"""
THROTTLED_OSS = {
    "status": 503,
    "code": "QpsLimitExceeded",
    "message": "Please reduce your request rate.",
}
KILLS = ("kill-before", "kill-after")
AFTER = {"lost": "reset", "kill-after": "kill-before"}
"""Faults that come after the call is done. Where the call changes nothing the client sees the same
as under the other one.
"""


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
        if self.service == CLUSTER:
            return {
                **FAULTS_IN_CLUSTER[self.fault],
                "match": {"call": self.call},
                "skip": self.number,
            }
        match = {"service": self.service, "call": self.call}
        own = THROTTLED_OSS if self.service == "oss" and self.fault == "throttled" else {}
        return {**FAULTS[self.fault], **own, "match": match, "skip": self.number}


def of_calls(operation: str, calls: list[dict[str, Any]]) -> list[Case]:
    """The cases of an operation that made these calls, in this order, in a clean run."""
    seen: Counter[tuple[str, str]] = Counter()
    cases, changed = [], set()
    for call in calls:
        name = (call["service"], call["call"])
        inside = call["service"] == CLUSTER
        for fault in FAULTS_IN_CLUSTER if inside else FAULTS:
            if (
                can_strike_inside(fault, call["call"], seen[name])
                if inside
                else can_strike(fault, call, changed)
            ):
                cases.append(Case(seen[name], operation, *name, fault))
        seen[name] += 1
        if not call["call"].startswith(READS):
            changed.add(subject(call))
    return cases


def can_strike(fault: str, call: dict[str, Any], changed: Iterable[str]) -> bool:
    """Whether the fault means anything for the call. `changed`: what the operation has changed
    before it.
    """
    name = (call["service"], call["call"])
    if fault == "stale":
        about_object = call["service"] == "oss" and "/" in call["path"].strip("/").replace(
            "%2F", "/"
        )
        return subject(call) in changed and not about_object
    if fault in AFTER:
        return not call["call"].startswith(READS)
    if fault == "stuck":
        return name in AT_WORK
    return name in PAGE_SIZE if fault == "page" else True


def can_strike_inside(fault: str, call: str, number: int) -> bool:
    """Whether the fault means anything for a call to the API server, and is tried at this one of
    its name.

    Every call that changes something is struck by every fault that refuses it or loses its answer.
    Of reads the first of a name stands for the others: it is the same code of the plugin's. A kill
    has a run to itself: it strikes the first of those that differ in how the plugin names, makes or
    waits for them.
    """
    if call.startswith(READS):
        return number == 0 and fault in ("5xx", "timeout", "reset") and not call.startswith("Watch")
    if fault in (*KILLS, PLUGIN_KILLED):
        return number == 0 and call.endswith(KILLED_AT)
    return fault != "lost-4.29" or call.startswith("Create")


def subject(call: dict[str, Any]) -> str:
    """What a call is about, roughly: its service, and for OSS the bucket."""
    return (
        call["host"].split(".")[0]
        if call["service"] == "oss" and call["call"] != "ListBuckets"
        else call["service"]
    )


def chosen(cases: list[Case], words: str) -> list[Case]:
    """Those whose key contains one of the comma-separated words; all of them without any. First
    calls of a name come first.
    """
    wanted = [word for word in words.split(",") if word]
    return sorted(case for case in cases if not wanted or any(word in case.key for word in wanted))


def batches(cases: list[Case], size: int) -> list[list[Case]]:
    """Cases that can share a run: one operation, one kind of fault, different calls, of several
    services if possible. A kill is alone.
    """
    rows: dict[tuple[Any, ...], list[Case]] = {}
    for case in cases:
        alone = (case.key,) if case.fault in (*KILLS, PLUGIN_KILLED) else ()
        rows.setdefault((case.operation, case.fault, case.number, *alone), []).append(case)
    found = []
    for row in rows.values():
        row.sort(key=lambda case: (case.service, case.call))
        count = -(-len(row) // size)
        found += [row[first::count] for first in range(count)]
    return found
