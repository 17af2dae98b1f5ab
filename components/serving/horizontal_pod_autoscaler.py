"""The HPA on ingress QPS (tutorial step 5)."""

import re
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input
from pulumi_kubernetes.autoscaling import v2

from components.component import Component
from settings import names

METRICS = {"nginx": "sls_ingress_qps", "alb": "sls_alb_ingress_qps"}
TOLERANCE_SINCE = (1, 35)
NO_TOLERANCE = (
    "autoscaler.scaleUpTolerance and scaleDownTolerance are left out: the cluster runs Kubernetes {}, and before 1.35 the field is dropped "
    "or refused. The cluster's own 0.1 holds."
)
LOGSTORES = {"nginx": "nginx-ingress", "alb": "alb_ingress"}


@dataclass(frozen=True)
class HorizontalPodAutoscalerArgs:
    """Inputs of HorizontalPodAutoscaler. Defaults are the tutorial's."""

    namespace: Input[str]
    """Namespace of the Deployment."""
    deployment_name: Input[str]
    """Deployment to scale."""
    route: Input[str]
    """`<namespace>-<service>-<port>` of the ingress backend; see names.route."""
    log_project: Input[str]
    """Log project of the ingress, k8s-log-<cluster id>."""
    kind: str = "nginx"
    """nginx or alb: selects metric and default logstore."""
    log_store: Input[str] | None = None
    """Logstore; by default that of the kind."""
    name: Input[str] = "bert-tfserving-hpa"
    """Name of the HPA."""
    min_replicas: Input[int] = 1
    """Fewest pods."""
    max_replicas: Input[int] = 10
    """Most pods."""
    target_qps: Input[int] = 10
    """Requests per second and pod."""
    scale_up_pods: Input[int] = 4
    """Pods added at most in one period."""
    scale_up_percent: int = 100
    """The same as a share of the pods there are; the larger one counts. 0: not used."""
    scale_up_period_seconds: Input[int] = 60
    """That period."""
    scale_down_seconds: Input[int] = 300
    """Quiet time before pods are taken away."""
    scale_down_percent: Input[int] = 50
    """Pods taken away at most in one period, per cent."""
    scale_down_period_seconds: Input[int] = 300
    """That period."""
    scale_up_tolerance: float | None = None
    """Dead band above the target, as a share."""
    scale_down_tolerance: float | None = None
    """Dead band below the target."""
    metric_window_seconds: int | None = None
    """Seconds the metric averages over."""
    metric_delay_seconds: int | None = None
    """Age of the newest log line counted."""
    minimum_moves: bool = False
    """Whether the interruption handler sets minReplicas, by schedule or while the metric is
    missing.
    """
    kubernetes_version: str = ""
    """Version of the cluster; a tolerance needs 1.35."""


class HorizontalPodAutoscaler(Component):
    """Scales the Deployment with the requests per second of its ingress route.

    AverageValue: the metric is the route's total, the target holds per pod. A scale-out happens
    above target x pods, with a 10 % dead band.
    """

    hpa_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: HorizontalPodAutoscalerArgs,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("inference:serving:HorizontalPodAutoscaler", name, opts)
        if not _knows_tolerance(args) and (args.scale_up_tolerance, args.scale_down_tolerance) != (
            None,
            None,
        ):
            pulumi.log.warn(NO_TOLERANCE.format(args.kubernetes_version), self)
        hpa = kubernetes.autoscaling.v2.HorizontalPodAutoscaler(
            self.child_name("hpa"),
            metadata={"name": args.name, "namespace": args.namespace},
            spec={
                "scale_target_ref": {
                    "api_version": "apps/v1",
                    "kind": "Deployment",
                    "name": args.deployment_name,
                },
                "min_replicas": args.min_replicas,
                "max_replicas": args.max_replicas,
                "metrics": [{"type": "External", "external": _metric(args)}],
                "behavior": _behavior(args),
            },
            opts=self.child(
                # Two HPAs on one Deployment fight; the fixed name (the tutorial's) would clash as
                # well.
                delete_before_replace=True,
                # Its owner is the interruption handler where the minimum follows a schedule.
                ignore_changes=["spec.minReplicas"] if args.minimum_moves else None,
            ),
        )
        self.hpa_name = hpa.metadata.name
        self.finish({"hpa_name": self.hpa_name})


def _metric(args: HorizontalPodAutoscalerArgs) -> v2.ExternalMetricSourceArgsDict:
    labels: dict[str, Input[str]] = {
        "sls.project": args.log_project,
        "sls.logstore": args.log_store or LOGSTORES[args.kind],
        "sls.ingress.route": pulumi.Output.from_input(args.route).apply(_must_be_label_value),
    }
    for label, value in (
        ("sls.query.interval", args.metric_window_seconds),
        ("sls.query.delay", args.metric_delay_seconds),
    ):
        if value is not None:
            labels[label] = str(value)
    target = pulumi.Output.from_input(args.target_qps).apply(str)
    return {
        "metric": {"name": METRICS[args.kind], "selector": {"match_labels": labels}},
        "target": {"type": "AverageValue", "average_value": target},
    }


def _behavior(args: HorizontalPodAutoscalerArgs) -> v2.HorizontalPodAutoscalerBehaviorArgsDict:
    """Nodes come in minutes: asking for more pods than nodes can arrive only makes Pending ones.

    Up, a doubled load must be met in one step. Down, one step must not undo much: a metric that
    reads 0 by mistake is told from a fall of the load only by time.
    """
    period = args.scale_up_period_seconds
    up: list[v2.HPAScalingPolicyArgsDict] = [
        {"type": "Pods", "value": args.scale_up_pods, "period_seconds": period}
    ]
    if args.scale_up_percent:
        up.append({"type": "Percent", "value": args.scale_up_percent, "period_seconds": period})
    down: v2.HPAScalingPolicyArgsDict = {
        "type": "Percent",
        "value": args.scale_down_percent,
        "period_seconds": args.scale_down_period_seconds,
    }
    rules: dict[str, v2.HPAScalingRulesArgsDict] = {
        "scale_up": {"stabilization_window_seconds": 0, "select_policy": "Max", "policies": up},
        "scale_down": {
            "stabilization_window_seconds": args.scale_down_seconds,
            "select_policy": "Max",
            "policies": [down],
        },
    }
    for direction, tolerance in (
        ("scale_up", args.scale_up_tolerance),
        ("scale_down", args.scale_down_tolerance),
    ):
        if tolerance is not None and _knows_tolerance(args):
            rules[direction]["tolerance"] = f"{round(tolerance * 1000)}m"
    return {"scale_up": rules["scale_up"], "scale_down": rules["scale_down"]}


def _knows_tolerance(args: HorizontalPodAutoscalerArgs) -> bool:
    found = re.match(r"(\d+)\.(\d+)", args.kubernetes_version)
    return found is not None and (int(found[1]), int(found[2])) >= TOLERANCE_SINCE


def _must_be_label_value(route: str) -> str:
    if not names.is_label_value(route):
        raise pulumi.RunError(
            f"route '{route}' ({len(route)} characters) can't be a label value (63 at most): the HPA would never scale.\n"
            "  remedy: shorten namespace, server.name or server.version"
        )
    return route
