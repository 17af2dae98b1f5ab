"""The HPA's minReplicas: by schedule, and raised while the HPA's metric is missing or wrong.

A schedule's minimum holds from the moment it fires until the next schedule fires. Without a metric
the HPA removes no pods by itself; the minimum for that time covers load that rises meanwhile and
that nobody measures. A metric that reads 0 while the pods serve requests is an outage as well, and
worse: the HPA would remove pods. The minimum is then what runs, so that none is removed, until the
metric counts again or the pods, too, have nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterator

from .actions import Action, SetMinReplicas
from .config import Config, MinReplicas
from .cron import Cron
from .snapshot import ClusterSnapshot, Object, timestamp


def decide(snapshot: ClusterSnapshot, config: Config, now: float) -> Iterator[Action]:
    """A `SetMinReplicas` if the HPA's minimum differs from what it should be at `now` (seconds
    since 1970).
    """
    spec = (snapshot.hpa or {}).get("spec")
    settings = config.min_replicas
    if settings is None or not spec:
        return
    minimum, why = scheduled_minimum(settings, now)
    raised = settings.outage_replicas
    if raised and raised > minimum and metric_outage(snapshot.hpa, now) >= settings.outage_seconds:
        minimum, why = raised, "the metric is missing"
    if raised and snapshot.unseen_seconds > settings.outage_seconds:
        minimum = max(minimum, raised, snapshot.desired or 0)
        why = "the metric reads 0 while the pods serve requests"
    minimum = min(minimum, int(spec.get("maxReplicas") or minimum))
    if spec.get("minReplicas") != minimum:
        yield SetMinReplicas(minimum, why)


def scheduled_minimum(settings: MinReplicas, now: float) -> tuple[int, str]:
    """The minimum of the schedule that fired last, and the reason; the base if none has fired."""
    fired: list[tuple[float, int, str]] = []
    for entry in settings.schedules:
        fired_at = Cron.parse(entry.schedule).last(now, entry.time_zone)
        if fired_at is not None:
            why = f"schedule {entry.schedule} {entry.time_zone}"
            fired.append((fired_at, entry.min_replicas, why))
    if not fired:
        return settings.base, "no schedule has fired"
    _, replicas, why = max(fired)
    return replicas, why


def metric_outage(hpa: Object, now: float) -> float:
    """Seconds for which the HPA has been without its metric; -1 while it has it."""
    for condition in hpa.get("conditions") or []:
        if (
            condition.get("type") == "ScalingActive"
            and condition.get("status") == "False"
            and str(condition.get("reason")).startswith("FailedGet")
        ):
            return now - timestamp(condition.get("lastTransitionTime"))
    return -1
