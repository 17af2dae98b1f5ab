"""Holds what the double itself does against the models of the official SDK packages (`api_models`).

What it does wrong is a *departure*: it reads a parameter or header that the API does not have,
takes a call that lacks a required parameter, answers a field, element or header that the API does
not have, or one of another type. The caller gets the answer anyway, and the control API's
`/_lab/departures` lists it. Tests fail on any.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import Any

from lab.alicloud.api_models import models
from lab.alicloud.families.base import Family
from lab.alicloud.protocol import Request

ALWAYS, SHARE = 3, 0.03
"""How many answers of an action are judged whatever it costs, and how much of the CPU time of its
handler the judge may take after that.
"""


class Departures:
    """What the double did otherwise than the models say, each once, with the actions that were
    judged.
    """

    def __init__(self, *, everything: bool | None = None) -> None:
        """`everything` judges every answer (LAB_JUDGE=all: tests); else no more than `SHARE` of the
        handlers' time is spent on it.
        """
        self.everything = os.environ.get("LAB_JUDGE") == "all" if everything is None else everything
        self.found: dict[str, set[str]] = {"reads": set(), "takes": set(), "answers": set()}
        self.judged: Counter[str] = Counter()
        self._asked: dict[str, set[str]] = {}
        self._handled: Counter[str] = Counter()
        """CPU nanoseconds in the handlers of an action."""
        self._spent: Counter[str] = Counter()
        """CPU nanoseconds spent on judging its answers."""

    def shown(self) -> dict[str, Any]:
        """As the control API tells it: departures, how many of each kind, how often each action was
        judged, the judge's share of CPU.
        """
        handled, spent = sum(self._handled.values()), sum(self._spent.values())
        return {
            "departures": sorted(said for kind in self.found.values() for said in kind),
            "counts": {kind: len(said) for kind, said in self.found.items()},
            "judged": dict(sorted(self.judged.items())),
            "share": round(spent / handled, 4) if handled else 0.0,
        }

    def judge(self, family: Family, request: Request, result: Any, handled: int = 0) -> None:
        """Note what a handler read and what it returned; `handled` are the CPU nanoseconds that it
        took.
        """
        key = family.action(request)
        model = models().get(key)
        if model is None:
            return
        start = time.thread_time_ns()
        self._handled[key] += handled
        fresh = {*request.asked, *request.asked_headers} - self._asked.setdefault(key, set())
        if fresh:
            self._asked[key] |= fresh
            wrong = [name for name in fresh if not family.knows(name, model["request"])]
            self.found["reads"].update(
                f"{key}: reads {name}, which is no parameter of the action" for name in wrong
            )
        if (
            self.everything
            or self.judged[key] < ALWAYS
            or self._spent[key] <= SHARE * self._handled[key]
        ):
            self.judged[key] += 1
            said = family.differences(result, model)
            self.found["answers"].update(f"{key}: {one}" for one in said)
            self.found["takes"].update(
                f"{key}: takes a call without {name}" for name in family.lacking(request)
            )
        self._spent[key] += time.thread_time_ns() - start
