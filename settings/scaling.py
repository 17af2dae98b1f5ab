"""Settings of the autoscaler (tutorial step 5)."""

from settings.core.field import REQUIRED, Group, setting


class Floor(Group):
    """A minimum that holds from one schedule's firing to the next."""

    schedule: str = setting(
        REQUIRED,
        "Cron schedule from which the minimum holds: minute hour day-of-month month day-of-week.",
        expected="a cron schedule of five fields",
        otherwise="the minimum never holds",
        example="'0 8 * * mon-fri'",
    )
    time_zone: str = setting(
        "Asia/Shanghai",
        "Time zone of the schedule.",
        expected="a time zone such as Asia/Shanghai",
        otherwise="the minimum holds at the wrong hours",
        example="Asia/Shanghai",
    )
    min_replicas: int = setting(
        REQUIRED,
        "The minimum.",
        ge=1,
        le=1000,
        expected="1 to 1000, at most maxReplicas",
        otherwise="Kubernetes refuses the HPA",
        example="4",
    )


class Autoscaler(Group):
    """The HPA on ingress QPS."""

    min_replicas: int = setting(
        1,
        "Fewest pods.",
        ge=1,
        le=1000,
        expected="1 to 1000, at most maxReplicas",
        otherwise="Kubernetes refuses the HPA",
        example="1",
    )
    max_replicas: int = setting(
        10,
        "Most pods.",
        ge=1,
        le=1000,
        expected="1 to 1000, at least minReplicas",
        otherwise="Kubernetes refuses the HPA",
        example="10",
    )
    target_qps: int = setting(
        10,
        "Requests per second and pod. A scale-out needs more than this times the pods (10 % dead band).",
        ge=2,
        le=100000,
        expected="2 to 100000",
        otherwise="the metric counts whole requests per second: at 1 it is noise",
        example="10",
    )
    scale_up_pods: int = setting(
        4,
        "Pods added at most in one period.",
        ge=1,
        le=100,
        expected="1 to 100",
        otherwise="pods are asked for faster than nodes can come",
        example="4",
    )
    scale_up_percent: int = setting(
        100,
        "Pods added at most in one period, per cent of those there are; the larger of the two counts. 0: only scaleUpPods.",
        ge=0,
        le=1000,
        expected="0 to 1000",
        otherwise="a doubled load is met in small steps",
        example="100",
    )
    scale_up_period_seconds: int = setting(
        60,
        "That period.",
        ge=1,
        le=1800,
        expected="1 to 1800 seconds",
        otherwise="Kubernetes refuses the HPA",
        example="60",
    )
    scale_down_seconds: int = setting(
        300,
        "Quiet time before pods are taken away.",
        ge=0,
        le=3600,
        expected="0 to 3600 seconds",
        otherwise="pods come and go with each dip",
        example="300",
    )
    scale_down_percent: int = setting(
        50,
        "Pods taken away at most in one period, per cent of those there are.",
        ge=1,
        le=100,
        expected="1 to 100",
        otherwise="a metric that reads 0 by mistake takes everything away at once",
        example="50",
    )
    scale_down_period_seconds: int = setting(
        300,
        "That period.",
        ge=1,
        le=1800,
        expected="1 to 1800 seconds",
        otherwise="Kubernetes refuses the HPA",
        example="300",
    )
    scale_up_tolerance: float | None = setting(
        None,
        "Share by which the load may exceed the target before pods are added; unset: the cluster's, 0.1. Needs Kubernetes 1.35.",
        ge=0,
        le=1,
        expected="0 to 1",
        otherwise="Kubernetes refuses the HPA",
        example="0.05",
    )
    scale_down_tolerance: float | None = setting(
        None,
        "Share by which the load may fall short of the target before pods are taken away. Needs Kubernetes 1.35.",
        ge=0,
        le=1,
        expected="0 to 1",
        otherwise="Kubernetes refuses the HPA",
        example="0.1",
    )
    metric_window_seconds: int | None = setting(
        None,
        "Seconds of the access log that the metric averages over; unset: the adapter's 15.",
        ge=15,
        le=95,
        expected="15 to 95 seconds, with metricDelaySeconds at most 100",
        otherwise="the adapter takes 15",
        example="30",
    )
    metric_delay_seconds: int | None = setting(
        None,
        "How old the newest log line counted is, so that none is missing; unset: the adapter's 10.",
        ge=0,
        le=85,
        expected="0 to 85 seconds",
        otherwise="lines still on their way are taken for missing load",
        example="5",
    )
    floors: list[Floor] = setting(
        [],
        "Minimums by schedule: each holds from its firing until the next one fires. Set by the interruption handler.",
        max_length=50,
        expected="a list of schedule, timeZone, minReplicas",
        otherwise="the morning's load meets the night's pods",
        example="…",
    )
    outage_replicas: int | None = setting(
        None,
        "Minimum while the metric is missing, when load can't be seen. The HPA takes no pod away then by itself. Set by the handler.",
        ge=1,
        le=1000,
        expected="1 to 1000, at most maxReplicas",
        otherwise="load that rises while the metric is missing finds too few pods",
        example="4",
    )
    outage_seconds: int = setting(
        60,
        "How long the metric must be missing before outageReplicas holds.",
        ge=0,
        le=3600,
        expected="0 to 3600 seconds",
        otherwise="a single failed reading adds pods",
        example="60",
    )
    log_project: str | None = setting(
        None,
        "Log project of the ingress; unset: k8s-log-<cluster id>.",
        pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
        expected="the name of a log project",
        otherwise="the HPA shows <unknown> and never scales",
        example="k8s-log-c0123",
    )
    log_store: str | None = setting(
        None,
        "Logstore; unset: nginx-ingress, or alb_ingress for class alb.",
        pattern=r"^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$",
        expected="the name of a logstore",
        otherwise="the HPA shows <unknown> and never scales",
        example="nginx-ingress",
    )
