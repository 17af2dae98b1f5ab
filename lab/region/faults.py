"""Faults on demand: the next matching calls fail, hang, are cut, or are done without an answer."""

from __future__ import annotations

import re
import threading
from typing import Any

from lab.region.protocol import Request

KINDS = ("error", "timeout", "reset", "answered-but-lost", "delay")
_KEYS = {"match", "times", "status", "code", "message", "kind", "seconds", "skip", "body"}
_MATCH = {"service", "action", "method", "path", "host", "call"}


class FaultError(ValueError):
    """A fault that can't be understood."""


class Faults:
    """A list of faults; the first that matches a request is used up by one."""

    def __init__(self, initial: list[dict[str, Any]] | None = None) -> None:
        self._lock = threading.Lock()
        self._faults: list[dict[str, Any]] = []
        for fault in initial or []:
            self.add(fault)

    def add(self, fault: dict[str, Any]) -> dict[str, Any]:
        """Add one fault; returns it with its defaults.

        `match` {service, action (or call), method, path (regex, with or without the query), host (regex)},
        `times` (default 1), `skip` (let that many pass first),
        `kind` one of `KINDS`, `status`/`code`/`message`/`body` for `error`, `seconds` for `timeout` and `delay`.
        """
        unknown = set(fault) - _KEYS | set(fault.get("match", {})) - _MATCH
        if unknown:
            raise FaultError(f"unknown keys {sorted(unknown)}: a fault has {sorted(_KEYS)}, its match {sorted(_MATCH)}")
        defaults = {
            "match": {},
            "times": 1,
            "skip": 0,
            "kind": "error",
            "status": 500,
            "code": "InternalError",
            "message": "injected fault",
            "seconds": 1.0,
        }
        full = {**defaults, **fault}
        if full["kind"] not in KINDS:
            raise FaultError(f"kind {full['kind']!r}: expected one of {', '.join(KINDS)}")
        for key in ("path", "host"):
            try:
                re.compile(full["match"].get(key, ""))
            except re.error as error:
                raise FaultError(f"match.{key}: not a regular expression: {error}") from None
        with self._lock:
            self._faults.append(full)
        return full

    def take(self, request: Request) -> dict[str, Any] | None:
        """The fault for this request, if any; counts it."""
        with self._lock:
            for fault in self._faults:
                if fault["times"] <= 0 or not _matches(fault["match"], request):
                    continue
                if fault["skip"] > 0:
                    fault["skip"] -= 1
                    continue
                fault["times"] -= 1
                return fault
        return None

    def all(self) -> list[dict[str, Any]]:
        """Faults with what is left of them."""
        with self._lock:
            return [dict(fault) for fault in self._faults]

    def clear(self) -> None:
        """No faults any more."""
        with self._lock:
            self._faults.clear()


def _matches(match: dict[str, str], request: Request) -> bool:
    call = match.get("action") or match.get("call")
    return (
        match.get("service", request.service) == request.service
        and (call is None or call == request.call)
        and match.get("method", request.method).upper() == request.method
        and any(re.search(match.get("path", ""), path) for path in (request.raw_path, f"{request.raw_path}?{request.raw_query}"))
        and bool(re.search(match.get("host", ""), request.host))
    )
