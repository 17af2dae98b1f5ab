"""The HPA on ingress QPS (tutorial step 5)."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input
from pulumi_kubernetes.autoscaling import v2

from components import names
from components.component import Component

METRICS = {"nginx": "sls_ingress_qps", "alb": "sls_alb_ingress_qps"}
LOGSTORES = {"nginx": "nginx-ingress", "alb": "alb_ingress"}


@dataclass(frozen=True)
class AutoscalerArgs:
    """Inputs of Autoscaler. Defaults are the tutorial's."""

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
    scale_up_period_seconds: Input[int] = 60
    """That period."""
    scale_down_seconds: Input[int] = 300
    """Quiet time before pods are taken away."""


class Autoscaler(Component):
    """Scales the Deployment with the requests per second of its ingress route.

    AverageValue: the metric is the route's total, the target holds per pod. A scale-out happens above target x pods, with a 10 % dead band.
    """

    hpa_name: pulumi.Output[str]

    def __init__(self, name: str, args: AutoscalerArgs, opts: pulumi.ResourceOptions | None = None):
        super().__init__("inference:serving:Autoscaler", name, opts)
        hpa = kubernetes.autoscaling.v2.HorizontalPodAutoscaler(
            self.child_name("hpa"),
            metadata={"name": args.name, "namespace": args.namespace},
            spec={
                "scale_target_ref": {"api_version": "apps/v1", "kind": "Deployment", "name": args.deployment_name},
                "min_replicas": args.min_replicas,
                "max_replicas": args.max_replicas,
                "metrics": [{"type": "External", "external": _metric(args)}],
                "behavior": _behavior(args),
            },
            # Two HPAs on one Deployment fight; the fixed name (the tutorial's) would clash as well.
            opts=self.child(delete_before_replace=True),
        )
        self.hpa_name = hpa.metadata.name
        self.finish({"hpa_name": self.hpa_name})


def _metric(args: AutoscalerArgs) -> v2.ExternalMetricSourceArgsDict:
    labels: dict[str, Input[str]] = {
        "sls.project": args.log_project,
        "sls.logstore": args.log_store or LOGSTORES[args.kind],
        "sls.ingress.route": pulumi.Output.from_input(args.route).apply(_must_be_label_value),
    }
    target = pulumi.Output.from_input(args.target_qps).apply(str)
    return {
        "metric": {"name": METRICS[args.kind], "selector": {"match_labels": labels}},
        "target": {"type": "AverageValue", "average_value": target},
    }


def _behavior(args: AutoscalerArgs) -> v2.HorizontalPodAutoscalerBehaviorArgsDict:
    """Nodes come in minutes: asking for more pods than nodes can arrive only makes Pending ones."""
    up: v2.HPAScalingPolicyArgsDict = {"type": "Pods", "value": args.scale_up_pods, "period_seconds": args.scale_up_period_seconds}
    down: v2.HPAScalingPolicyArgsDict = {"type": "Percent", "value": 100, "period_seconds": 60}
    return {
        "scale_up": {"stabilization_window_seconds": 0, "select_policy": "Max", "policies": [up]},
        "scale_down": {"stabilization_window_seconds": args.scale_down_seconds, "select_policy": "Max", "policies": [down]},
    }


def _must_be_label_value(route: str) -> str:
    if not names.is_label_value(route):
        raise pulumi.RunError(
            f"route '{route}' ({len(route)} characters) can't be a label value (63 at most): the HPA would never scale.\n"
            "  remedy: shorten namespace, server.name or server.version"
        )
    return route
