"""The HPA's minReplicas: by schedule, and while its metric is missing.

A floor holds from the moment its schedule fires until the next one fires. The HPA itself takes no
pod away while it has no metric; the floor for that time is for what comes meanwhile: load that
nobody measures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .actions import Action, SetMinReplicas
from .cron import Cron
from .model import ClusterSnapshot, Config, Object, seconds


def decide(snapshot: ClusterSnapshot, config: Config, now: float) -> Iterator[Action]:
    """The one change that makes the HPA's minimum what it should be now."""
    spec = (snapshot.hpa or {}).get("spec")
    if config.floors is None or not spec:
        return
    wanted, why = by_schedule(config.floors, now)
    raised = config.floors.get("outage_replicas")
    if (
        raised
        and raised > wanted
        and outage(snapshot.hpa, now) >= float(config.floors.get("outage_seconds") or 0)
    ):
        wanted, why = int(raised), "the metric is missing"
    wanted = min(wanted, int(spec.get("maxReplicas") or wanted))
    if spec.get("minReplicas") != wanted:
        yield SetMinReplicas(wanted, why)


def by_schedule(floors: Mapping[str, Any], now: float) -> tuple[int, str]:
    """The minimum of the schedule that fired last, and why; the base when none has."""
    fired: list[tuple[float, int, str]] = []
    for one in floors.get("schedules") or ():
        moment = Cron.parse(one["schedule"]).last(now, one["time_zone"])
        if moment is not None:
            fired.append(
                (moment, int(one["min_replicas"]), f"schedule {one['schedule']} {one['time_zone']}")
            )
    if not fired:
        return int(floors["base"]), "no schedule has fired"
    _, replicas, why = max(fired)
    return replicas, why


def outage(hpa: Object, now: float) -> float:
    """Seconds the HPA has been without its metric; -1 when it has it."""
    for one in hpa.get("conditions") or []:
        if (
            one.get("type") == "ScalingActive"
            and one.get("status") == "False"
            and str(one.get("reason")).startswith("FailedGet")
        ):
            return now - seconds(one.get("lastTransitionTime"))
    return -1
