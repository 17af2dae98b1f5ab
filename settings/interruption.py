"""Group `interruption`: the handler that replaces pods on nodes that are about to end."""

from collections.abc import Iterator
from typing import Literal

from settings.autoscaler import AutoscalerSettings
from settings.core.field import Group, Text, setting
from settings.core.problem import Problem, remove_command, set_command
from settings.core.rule import rule
from settings.core.types import DNS_LABEL, IMAGE
from settings.server import ServerSettings


class InterruptionSettings(Group):
    """The interruption handler: replaces the serving pods of nodes that are reclaimed."""

    enabled: bool = setting(
        True,
        "Run the handler. Without it the pay-as-you-go share is not restored (`mix`) and no minimum follows a schedule (`autoscaler.floors`).",
        expected="true or false",
        consequence="most of the capacity is missing for minutes when the preemptible nodes are reclaimed",
        example="true",
    )
    notice_seconds: int = setting(
        300,
        "Seconds between the reclaim notice (node condition InstanceExpired) and the release of the instance.",
        ge=1,
        le=3600,
        expected="1 to 3600 seconds, more than drainSeconds",
        consequence="the last pods are deleted too early, or end with their instance",
        example="300",
    )
    drain_seconds: int = setting(
        30,
        "Seconds before the release of the instance at which the remaining pods are deleted, replaced or not, as far as minServingPercent allows.",
        ge=1,
        le=600,
        expected="1 to 600 seconds, more than server.preStopSeconds",
        consequence="requests in flight end with the instance",
        example="30",
    )
    min_serving_percent: int = setting(
        50,
        "Share of the wanted pods that keep serving when a notice ends and their replacements are not ready: so many are not deleted before the release.",
        ge=0,
        le=100,
        expected="0 to 100",
        consequence="a wrong notice on all nodes deletes every pod (0), or requests in flight end with the instance (100)",
        example="50",
    )
    notice_source: Literal["node", "ecs"] = setting(
        "node",
        "Where reclaim notices are seen. node: the node condition InstanceExpired, which ack-node-problem-detector sets. ecs: there and in ECS' operation locks, which the handler asks for every 15 seconds with a RAM role of its own (RRSA, `ecs:DescribeInstances`); for clusters in which the detector is missing or late.",
        expected="node or ecs",
        consequence="without the detector nothing announces a reclaim (node)",
        example="ecs",
    )
    dry_run: bool = setting(
        False,
        "Say in the log and in Kubernetes Events what the handler would do, and do nothing: it writes its Lease and the Events.",
        expected="true or false",
        consequence="pods end with their instances: nobody moves them (true)",
        example="false",
    )
    metrics_namespace: Text | None = setting(
        None,
        "Namespace whose pods may read the handler's /metrics (ACK's managed Prometheus runs in arms-prom). Its pods carry the annotations prometheus.io/scrape, port and path then. Unset: nobody reads them.",
        pattern=DNS_LABEL,
        expected="the name of a namespace",
        consequence="the network policy keeps Prometheus away: no figures, no alerts",
        example="arms-prom",
    )
    replicas: int = setting(
        2,
        "Number of handler pods. One of them acts, the others stand by (leader election by a Lease).",
        ge=1,
        le=5,
        expected="1 to 5",
        consequence="no handler acts while the handler's own node is replaced",
        example="2",
    )
    image: Text = setting(
        "python:3.12-slim",
        "Image with Python 3.11 or newer and time zone data. The handler's code is mounted from a ConfigMap.",
        pattern=IMAGE,
        expected="an image with a fixed tag (not latest) or digest",
        consequence="the handler's pods don't start",
        example="python:3.12-slim",
    )
    image_pull_secret: Text | None = setting(
        None,
        "Name of the image pull Secret in the handler's namespace, `<namespace>-interruption`.",
        pattern=DNS_LABEL,
        expected="the name of a Secret",
        consequence="the image can't be pulled",
        example="registry",
    )


@rule("interruption.drainSeconds", "interruption.noticeSeconds")
def _drain_fits_the_notice(interruption: InterruptionSettings) -> Iterator[Problem]:
    drain, notice = interruption.drain_seconds, interruption.notice_seconds
    if drain >= notice:
        yield Problem(
            "interruption.drainSeconds",
            drain,
            f"less than interruption.noticeSeconds, which is {notice}",
            "pods are deleted the moment the notice arrives, replaced or not",
            set_command("interruption.drainSeconds", str(max(1, notice // 10))),
        )


@rule("interruption.drainSeconds", "interruption.enabled", "server.preStopSeconds")
def _drain_outlasts_the_sleep(
    interruption: InterruptionSettings, server: ServerSettings
) -> Iterator[Problem]:
    drain, sleep = interruption.drain_seconds, server.pre_stop_seconds
    if interruption.enabled and drain <= sleep:
        yield Problem(
            "interruption.drainSeconds",
            drain,
            f"more than server.preStopSeconds, which is {sleep}",
            "the instance is released while the ingress still sends requests to its pod",
            set_command("interruption.drainSeconds", str(sleep + 10)),
        )


@rule("autoscaler.floors", "autoscaler.outageReplicas", "interruption.enabled")
def _floors_need_the_handler(
    autoscaler: AutoscalerSettings, interruption: InterruptionSettings
) -> Iterator[Problem]:
    if autoscaler.minimum_moves and not interruption.enabled:
        field = "autoscaler.floors" if autoscaler.floors else "autoscaler.outageReplicas"
        yield Problem(
            field,
            [floor.model_dump() for floor in autoscaler.floors] or autoscaler.outage_replicas,
            "nothing with interruption.enabled false: the handler sets the HPA's minimum",
            "the minimum never moves",
            f"{set_command('interruption.enabled', 'true')}  (or: {remove_command(field)})",
        )
