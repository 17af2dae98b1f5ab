"""Faults on demand: the next matching calls fail, hang, are cut, are done without an answer, or are
answered as a busy cloud does.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any, NotRequired, Protocol, TypedDict, cast

KINDS = {
    "error": "the call is refused with `status`, `code` and `message` (or `body`) and not done",
    "timeout": "no answer for `seconds`, then the connection is cut; the call is not done",
    "reset": "the connection is cut at once; the call is not done",
    "answered-but-lost": "the call is done, then the connection is cut (after `seconds`)",
    "delay": "the answer comes `seconds` later",
    "stale": "the call sees the region as it was `seconds` ago: what was just made is missing, what was just deleted is still there",
    "stuck": "the answer shows the state of something still at work (lab.alicloud.response_faults.AT_WORK), however far it is",
    "page": "the listing comes in pages of `size`, so that what is looked for may be on a later one",
}
"""Every kind of fault and what it does. The last three change an answer; they are used up only by a
call that they make a difference to.
"""
SECONDS = {"answered-but-lost": 0.0, "stale": 60.0}
_KEYS = {"match", "times", "status", "code", "message", "kind", "seconds", "skip", "body", "size"}
_MATCH = {"service", "action", "method", "path", "host", "call"}


class Match(TypedDict, total=False):
    """Which calls a fault strikes; `call` and `action` mean the same, path and host are regular
    expressions.
    """

    service: str
    action: str
    call: str
    method: str
    path: str
    host: str


class Fault(TypedDict):
    """A fault with its defaults. `seconds` are real seconds; `hits` counts the calls it has
    struck.
    """

    kind: str
    match: Match
    times: int
    skip: int
    status: int
    code: str
    message: str
    body: NotRequired[Any]
    seconds: float
    size: int
    hits: int


class Matchable(Protocol):
    """What a fault's `match` looks at: a request of the cloud double, or of whatever else uses
    `Faults`.
    """

    service: str
    call: str
    method: str
    host: str
    raw_path: str
    raw_query: str


class FaultError(ValueError):
    """A fault that can't be understood."""


class Faults:
    """A list of faults; the first that matches a request is used up by one. `look_back` is called
    once a fault needs the past.
    """

    def __init__(
        self,
        initial: list[dict[str, Any]] | None = None,
        look_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._lock = threading.Lock()
        self._look_back = look_back
        self._faults: list[Fault] = []
        for fault in initial or []:
            self.add(fault)

    def add(self, fault: dict[str, Any]) -> Fault:
        """Add one fault; returns it with its defaults.

        `match` {service, action (or call), method, path (regex, with or without the query), host
        (regex)}, `times` (default 1), `skip` (let that many pass first), `kind` one of `KINDS`,
        `status`/`code`/`message`/`body` for `error`, `seconds` for those that take time, `size` for
        `page`. `hits` counts the calls it has struck.
        """
        unknown = set(fault) - _KEYS | set(fault.get("match", {})) - _MATCH
        if unknown:
            raise FaultError(
                f"unknown keys {sorted(unknown)}: a fault has {sorted(_KEYS)}, its match {sorted(_MATCH)}"
            )
        defaults = {
            "match": {},
            "times": 1,
            "skip": 0,
            "kind": "error",
            "status": 500,
            "code": "InternalError",
            "message": "injected fault",
            "seconds": SECONDS.get(fault.get("kind", ""), 1.0),
            "size": 1,
        }
        full = cast(Fault, {**defaults, **fault, "hits": 0})
        if full["kind"] not in KINDS:
            raise FaultError(f"kind {full['kind']!r}: expected one of {', '.join(KINDS)}")
        for key in ("path", "host"):
            try:
                re.compile(full["match"].get(key, ""))
            except re.error as error:
                raise FaultError(f"match.{key}: not a regular expression: {error}") from None
        if full["kind"] == "stale":
            self._look_back()
        with self._lock:
            self._faults.append(full)
        return full

    def take(self, request: Matchable) -> Fault | None:
        """The fault for this request, if any; counts it."""
        with self._lock:
            for fault in self._faults:
                if fault["times"] <= 0 or not _matches(fault["match"], request):
                    continue
                if fault["skip"] > 0:
                    fault["skip"] -= 1
                    continue
                fault["times"] -= 1
                fault["hits"] += 1
                return fault
        return None

    def give_back(self, fault: Fault) -> None:
        """It made no difference to the call it was taken for: the next one may have it."""
        with self._lock:
            fault["times"] += 1
            fault["hits"] -= 1

    def all(self) -> list[Fault]:
        """Faults with what is left of them."""
        with self._lock:
            return [fault.copy() for fault in self._faults]

    def clear(self) -> None:
        """No faults any more."""
        with self._lock:
            self._faults.clear()


def _matches(match: Match, request: Matchable) -> bool:
    call = match.get("action") or match.get("call")
    return (
        match.get("service", request.service) == request.service
        and (call is None or call == request.call)
        and match.get("method", request.method).upper() == request.method
        and any(
            re.search(match.get("path", ""), path)
            for path in (request.raw_path, f"{request.raw_path}?{request.raw_query}")
        )
        and bool(re.search(match.get("host", ""), request.host))
    )
