"""Group `autoscaler`: the HorizontalPodAutoscaler on ingress QPS (tutorial step 5)."""

from collections.abc import Iterator
from typing import Literal
from zoneinfo import ZoneInfo

from interruption_handler.cron import Cron
from settings.core.field import REQUIRED, Group, Number, Text, setting
from settings.core.problem import Problem, remove_command, set_command
from settings.core.rule import rule
from settings.entry import EntrySettings

METRIC_WINDOW_SECONDS, METRIC_DELAY_SECONDS = 15, 10
"""Defaults of ACK's metrics adapter."""
METRIC_READ_SECONDS = 100
"""How far back the adapter reads the access log."""


class FloorSettings(Group):
    """A minimum number of pods that holds from one schedule's firing to the next."""

    schedule: Text = setting(
        REQUIRED,
        "Cron schedule at which the minimum begins to hold: minute hour day-of-month month day-of-week.",
        expected="a cron schedule of five fields",
        consequence="the minimum never holds",
        example="'0 8 * * mon-fri'",
    )
    time_zone: Text = setting(
        "Asia/Shanghai",
        "Time zone of the schedule.",
        expected="a time zone such as Asia/Shanghai",
        consequence="the minimum holds at the wrong hours",
        example="Asia/Shanghai",
    )
    min_replicas: int = setting(
        REQUIRED,
        "Minimum number of pods from then on.",
        ge=1,
        le=1000,
        expected="1 to 1000, at most maxReplicas",
        consequence="Kubernetes refuses the HPA",
        example="4",
    )


class AutoscalerSettings(Group):
    """The HPA on the requests per second of the ingress route."""

    min_replicas: int = setting(
        1,
        "Minimum number of pods.",
        ge=1,
        le=1000,
        expected="1 to 1000, at most maxReplicas",
        consequence="Kubernetes refuses the HPA",
        example="1",
    )
    max_replicas: int = setting(
        10,
        "Maximum number of pods.",
        ge=1,
        le=1000,
        expected="1 to 1000, at least minReplicas",
        consequence="Kubernetes refuses the HPA",
        example="10",
    )
    target_qps: int = setting(
        10,
        "Target requests per second and pod. Pods are added above target x pods, with a dead band of 10 %.",
        ge=2,
        le=100000,
        expected="2 to 100000",
        consequence="the metric counts whole requests per second, and a target of 1 follows its rounding",
        example="10",
    )
    scale_up_pods: int = setting(
        4,
        "Maximum pods added per scale-up period.",
        ge=1,
        le=100,
        expected="1 to 100",
        consequence="pods are requested faster than nodes can be added, and wait as Pending",
        example="4",
    )
    scale_up_percent: int = setting(
        100,
        "Maximum pods added per scale-up period, in per cent of the running pods. The larger of this and scaleUpPods applies. 0: scaleUpPods only.",
        ge=0,
        le=1000,
        expected="0 to 1000",
        consequence="a doubled load is met in several steps",
        example="100",
    )
    scale_up_period_seconds: int = setting(
        60,
        "Scale-up period, in seconds.",
        ge=1,
        le=1800,
        expected="1 to 1800 seconds",
        consequence="Kubernetes refuses the HPA",
        example="60",
    )
    scale_down_seconds: int = setting(
        300,
        "Seconds for which fewer pods must suffice before pods are removed (stabilization window).",
        ge=0,
        le=3600,
        expected="0 to 3600 seconds",
        consequence="pods are removed and added again with each short dip of the load",
        example="300",
    )
    scale_down_percent: int = setting(
        50,
        "Maximum pods removed per scale-down period, in per cent of the running pods.",
        ge=1,
        le=100,
        expected="1 to 100",
        consequence="a metric that reads 0 by mistake removes all pods but the minimum at once",
        example="50",
    )
    scale_down_period_seconds: int = setting(
        300,
        "Scale-down period, in seconds.",
        ge=1,
        le=1800,
        expected="1 to 1800 seconds",
        consequence="Kubernetes refuses the HPA",
        example="300",
    )
    scale_up_tolerance: Number | None = setting(
        None,
        "Share of the target by which the load may exceed it before pods are added, 0 to 1. Unset: the cluster's default, 0.1. Needs Kubernetes 1.35.",
        ge=0,
        le=1,
        expected="0 to 1",
        consequence="Kubernetes refuses the HPA",
        example="0.05",
    )
    scale_down_tolerance: Number | None = setting(
        None,
        "Share of the target by which the load may fall below it before pods are removed, 0 to 1. Unset: the cluster's default, 0.1. Needs Kubernetes 1.35.",
        ge=0,
        le=1,
        expected="0 to 1",
        consequence="Kubernetes refuses the HPA",
        example="0.1",
    )
    metric_window_seconds: int | None = setting(
        None,
        "Seconds of the access log that the metric averages over. Unset: the adapter's default, 15.",
        ge=15,
        le=95,
        expected="15 to 95 seconds, with metricDelaySeconds at most 100",
        consequence="the adapter ignores the value and averages over 15 seconds",
        example="30",
    )
    metric_delay_seconds: int | None = setting(
        None,
        "Age in seconds of the newest log line that the metric counts, so that late lines are not missed. Unset: the adapter's default, 10.",
        ge=0,
        le=85,
        expected="0 to 85 seconds",
        consequence="log lines that have not arrived yet are taken for missing load",
        example="5",
    )
    floors: list[FloorSettings] = setting(
        [],
        "Minimum numbers of pods by schedule. Each holds from its firing until the next one fires; the interruption handler sets it.",
        max_length=50,
        expected="a list of schedule, timeZone, minReplicas",
        consequence="the number of pods follows the load with a delay of minutes at known peaks",
        example="…",
    )
    outage_replicas: int | None = setting(
        None,
        "Minimum number of pods while the metric is missing and the load is unknown. The HPA removes no pod then; the interruption handler sets the minimum. While the metric reads 0 although the pods serve requests, the minimum is the running pods, if they are more.",
        ge=1,
        le=1000,
        expected="1 to 1000, at most maxReplicas",
        consequence="load that rises while the metric is missing finds too few pods",
        example="4",
    )
    outage_seconds: int = setting(
        60,
        "Seconds for which the metric must be missing, or read 0 while the pods serve requests, before outageReplicas holds. Keep it below scaleDownSeconds.",
        ge=0,
        le=3600,
        expected="0 to 3600 seconds",
        consequence="a single failed reading adds pods",
        example="60",
    )
    counted_requests: Literal["served", "all"] = setting(
        "all",
        "Requests that the metric counts. served: those that reached a model server, by a log pipeline and a logstore of the stack's own; needs entry.kind nginx. all: every line of ACK's access log, as in the tutorial, refused logins and limited requests included.",
        expected="served or all; served only with entry.kind nginx",
        consequence="requests that nobody was served order nodes",
        example="served",
    )
    log_project: Text | None = setting(
        None,
        "Log project of the ingress. Unset: k8s-log-<cluster id>.",
        pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
        expected="the name of a log project",
        consequence="the HPA shows <unknown> and never scales",
        example="k8s-log-c0123",
    )
    log_store: Text | None = setting(
        None,
        "Logstore of the ingress, with countedRequests all. Unset: nginx-ingress, or alb_ingress with entry.kind alb.",
        pattern=r"^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$",
        expected="the name of a logstore",
        consequence="the HPA shows <unknown> and never scales",
        example="nginx-ingress",
    )

    @property
    def minimum_moves(self) -> bool:
        """Whether the interruption handler sets the HPA's minimum: by schedule, or while the metric
        is missing.
        """
        return bool(self.floors) or self.outage_replicas is not None


@rule("autoscaler.minReplicas", "autoscaler.maxReplicas")
def _hpa_bounds(autoscaler: AutoscalerSettings) -> Iterator[Problem]:
    if autoscaler.min_replicas > autoscaler.max_replicas:
        yield Problem(
            "autoscaler.maxReplicas",
            autoscaler.max_replicas,
            f"at least autoscaler.minReplicas, which is {autoscaler.min_replicas}",
            "Kubernetes refuses the HPA in the middle of the run",
            set_command("autoscaler.maxReplicas", str(autoscaler.min_replicas)),
        )


@rule("autoscaler.floors", "autoscaler.maxReplicas")
def _floors_can_hold(autoscaler: AutoscalerSettings) -> Iterator[Problem]:
    for index, floor in enumerate(autoscaler.floors):
        field = f"autoscaler.floors[{index}]"
        if floor.min_replicas > autoscaler.max_replicas:
            yield Problem(
                f"{field}.minReplicas",
                floor.min_replicas,
                f"at most autoscaler.maxReplicas, which is {autoscaler.max_replicas}",
                "the minimum is cut to the maximum, and the load it was meant for is not served",
                set_command("autoscaler.maxReplicas", str(floor.min_replicas)),
            )
        if reason := _cron_error(floor.schedule):
            yield Problem(
                f"{field}.schedule",
                floor.schedule,
                f"a cron schedule of five fields that can fire ({reason})",
                "the minimum never holds",
                set_command(f"{field}.schedule", "'0 8 * * mon-fri'"),
            )
        if not _is_time_zone(floor.time_zone):
            yield Problem(
                f"{field}.timeZone",
                floor.time_zone,
                "a time zone such as Asia/Shanghai",
                "the minimum never holds",
                set_command(f"{field}.timeZone", "Asia/Shanghai"),
            )


def _cron_error(text: str) -> str | None:
    try:
        fires = Cron.parse(text).last(1_900_000_000, "UTC")
    except ValueError as error:
        return str(error)
    return None if fires is not None else "no such day exists"


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return False
    return True


@rule("autoscaler.outageReplicas", "autoscaler.maxReplicas")
def _outage_minimum_fits(autoscaler: AutoscalerSettings) -> Iterator[Problem]:
    minimum, maximum = autoscaler.outage_replicas, autoscaler.max_replicas
    if minimum is not None and minimum > maximum:
        yield Problem(
            "autoscaler.outageReplicas",
            minimum,
            f"at most autoscaler.maxReplicas, which is {maximum}",
            "the minimum is cut to the maximum",
            set_command("autoscaler.outageReplicas", str(maximum)),
        )


@rule("autoscaler.metricWindowSeconds", "autoscaler.metricDelaySeconds")
def _window_lies_in_what_is_read(autoscaler: AutoscalerSettings) -> Iterator[Problem]:
    window = autoscaler.metric_window_seconds or METRIC_WINDOW_SECONDS
    delay = autoscaler.metric_delay_seconds
    delay = METRIC_DELAY_SECONDS if delay is None else delay
    if window + delay > METRIC_READ_SECONDS:
        longest = METRIC_READ_SECONDS - delay
        yield Problem(
            "autoscaler.metricWindowSeconds",
            window,
            f"at most {longest}, so that window and delay ({delay}) are at most {METRIC_READ_SECONDS} together",
            f"the adapter reads the last {METRIC_READ_SECONDS} seconds only and divides by the whole window: the load looks lower than it is",
            set_command("autoscaler.metricWindowSeconds", str(longest)),
        )


@rule("autoscaler.scaleDownPercent", "autoscaler.scaleDownSeconds")
def _one_reading_moves_little(autoscaler: AutoscalerSettings) -> Iterator[Problem]:
    if autoscaler.scale_down_percent == 100 and autoscaler.scale_down_seconds == 0:
        yield Problem(
            "autoscaler.scaleDownSeconds",
            0,
            "more than 0 with scaleDownPercent 100",
            "one reading of 0 removes all pods but the minimum",
            set_command("autoscaler.scaleDownSeconds", "300"),
        )


@rule("autoscaler.logStore", "entry.kind")
def _logstore_fits_the_entry(
    autoscaler: AutoscalerSettings, entry: EntrySettings
) -> Iterator[Problem]:
    store = autoscaler.log_store
    if store and entry.kind == "alb" and not store.startswith("alb_"):
        yield Problem(
            "autoscaler.logStore",
            store,
            "a name that starts with alb_ with entry.kind alb",
            "the load balancer can't write its log there",
            set_command("autoscaler.logStore", "alb_ingress"),
        )


@rule("autoscaler.countedRequests", "autoscaler.logStore", "entry.kind")
def _served_requests_can_be_counted(
    autoscaler: AutoscalerSettings, entry: EntrySettings
) -> Iterator[Problem]:
    if autoscaler.counted_requests != "served":
        return
    if entry.kind == "alb":
        yield Problem(
            "autoscaler.countedRequests",
            "served",
            "all with entry.kind alb",
            "a load balancer writes its log itself, no pipeline of the cluster sees it, and the HPA would find no line",
            set_command("autoscaler.countedRequests", "all"),
        )
    elif autoscaler.log_store:
        yield Problem(
            "autoscaler.logStore",
            autoscaler.log_store,
            "nothing with autoscaler.countedRequests served",
            "the stack counts in a logstore of its own, and the name is not used",
            remove_command("autoscaler.logStore"),
        )
