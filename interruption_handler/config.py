"""The handler's settings: what the Pulumi program writes into `settings.json` beside the code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class CapacityMix:
    """The share of pay-as-you-go nodes to keep (`nodePool.onDemand*`, `mix.*`)."""

    base: int
    """Pay-as-you-go nodes that come first, whatever the share."""
    percent: int
    """Share of the nodes above `base` that are pay-as-you-go, 0 to 100."""
    points: float
    """Percentage points by which the share may be higher before nodes are replaced."""
    after_seconds: float
    """How long the share must be too high before a replacement starts, in seconds."""
    max_nodes: int
    """Maximum nodes of the pool: replacements need room beside the nodes they replace."""


@dataclass(frozen=True)
class Schedule:
    """A minimum of pods that holds from each firing of a cron schedule."""

    schedule: str
    """Five cron fields."""
    time_zone: str
    """IANA name of the time zone in which the schedule is read."""
    min_replicas: int


@dataclass(frozen=True)
class MinReplicas:
    """What decides the HPA's minReplicas (`autoscaler.minReplicas`, `floors`, `outage*`)."""

    base: int
    """Minimum while no schedule has fired."""
    schedules: tuple[Schedule, ...] = ()
    outage_replicas: int | None = None
    """Minimum while the HPA's metric is missing; None: unchanged."""
    outage_seconds: float = 0
    """How long the metric must be missing, or be 0 while the pods serve, before that; seconds."""
    target_qps: float = 0
    """Requests per second that one pod is for."""
    rest_port: int = 8501
    """Port of the pods' metrics page."""


@dataclass(frozen=True)
class Config:
    """All settings; field names are the keys of `settings.json`."""

    name: str
    """Name of the handler's Deployment and Lease."""
    own_namespace: str
    """Namespace of the handler's Deployment."""
    namespace: str
    """Namespace of the model server and of the Lease: whoever changes these pods holds this Lease,
    in whatever namespace it runs.
    """
    deployment: str
    """Name of the model server's Deployment."""
    hpa: str
    """Name of that Deployment's HPA."""
    selector: Mapping[str, str]
    """Labels of the model server's pods."""
    node_labels: Mapping[str, str]
    """Labels of the nodes to watch; nodes of this stack's earlier pools carry them too."""
    pool_labels: Mapping[str, str]
    """Labels that only the current pool's nodes carry."""
    notice_seconds: float = 300
    """Seconds from the reclaim notice to the instance's release."""
    drain_seconds: float = 30
    """Seconds before the release at which the pods still on the node are deleted."""
    min_serving_percent: float = 50
    """Share of the wanted pods that must go on serving when pods without a ready replacement are
    deleted, 0 to 100.
    """
    capacity_mix: CapacityMix | None = None
    """None: the mix of charge types is left alone."""
    min_replicas: MinReplicas | None = None
    """None: the HPA's minReplicas is left alone."""

    ecs_region: str = ""
    """Region in which ECS is asked for the operation locks of preemptible nodes; empty: the node
    condition is the only source of a notice.
    """
    dry_run: bool = False
    """Say what would be done, and write nothing but the Lease and Events."""

    @property
    def eviction_pause(self) -> float:
        """Seconds between two attempts at an eviction that the disruption budget refuses: 5, as
        `kubectl drain` waits, and less where a shorter notice leaves less time.
        """
        return min(5.0, self.notice_seconds / 60)

    @property
    def longest_retry(self) -> float:
        """Longest pause in seconds before an action that fails is tried again: 30, and never more
        than a tenth of the notice.
        """
        return min(30.0, self.notice_seconds / 10)

    @classmethod
    def read(cls, text: str) -> Config:
        """The settings in a JSON text. Raises TypeError for a key that is missing or unknown."""
        settings = json.loads(text)
        if (mix := settings.get("capacity_mix")) is not None:
            settings["capacity_mix"] = CapacityMix(**mix)
        if (minimum := settings.get("min_replicas")) is not None:
            schedules = tuple(Schedule(**entry) for entry in minimum.get("schedules") or ())
            settings["min_replicas"] = MinReplicas(**{**minimum, "schedules": schedules})
        return cls(**settings)
