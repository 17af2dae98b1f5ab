"""The HorizontalPodAutoscaler on ingress QPS (tutorial step 5)."""

import re
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input
from pulumi_kubernetes.autoscaling import v2

from components.component import Component
from settings import names
from settings.autoscaler import AutoscalerSettings

METRICS = {"nginx": "sls_ingress_qps", "alb": "sls_alb_ingress_qps"}
"""External metric by ingress controller."""
TOLERANCE_SINCE = (1, 35)
NO_TOLERANCE = (
    "autoscaler.scaleUpTolerance and scaleDownTolerance are left out: the cluster runs Kubernetes {}, and before 1.35 the field is dropped "
    "or refused. The cluster's own 0.1 holds."
)


@dataclass(frozen=True)
class HorizontalPodAutoscalerArgs:
    """Inputs of HorizontalPodAutoscaler."""

    settings: AutoscalerSettings
    """Group `autoscaler`."""
    name: str
    """Name of the HPA."""
    namespace: Input[str]
    """Namespace of the Deployment."""
    deployment_name: Input[str]
    """Deployment to scale."""
    route: str
    """Ingress route of the Service; see names.route."""
    ingress_kind: str
    """nginx or alb: selects the metric."""
    log_project: Input[str]
    """Log project of the ingress, k8s-log-<cluster id>."""
    log_store: Input[str]
    """Logstore whose lines count; see counted_log."""
    kubernetes_version: str
    """Version of the cluster; a tolerance needs 1.35."""


class HorizontalPodAutoscaler(Component):
    """Scales the Deployment with the requests per second of its ingress route.

    The target is an AverageValue: the metric is the total of the route, the target holds per pod.
    Pods are added above target x pods, with a dead band of 10 %.
    """

    hpa_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        args: HorizontalPodAutoscalerArgs,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("inference:serving:HorizontalPodAutoscaler", name, opts)
        settings = args.settings
        hpa = kubernetes.autoscaling.v2.HorizontalPodAutoscaler(
            self.child_name("hpa"),
            metadata={"name": args.name, "namespace": args.namespace},
            spec={
                "scale_target_ref": {
                    "api_version": "apps/v1",
                    "kind": "Deployment",
                    "name": args.deployment_name,
                },
                "min_replicas": settings.min_replicas,
                "max_replicas": settings.max_replicas,
                "metrics": [{"type": "External", "external": _metric(args)}],
                "behavior": self._behavior(args),
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                # Two HPAs on one Deployment fight, and the fixed name (the tutorial's) would clash.
                delete_before_replace=True,
                # The interruption handler sets the minimum where it follows a schedule.
                ignore_changes=["spec.minReplicas"] if settings.minimum_moves else None,
            ),
        )
        self.hpa_name = hpa.metadata.name
        self.register_outputs({"hpa_name": self.hpa_name})

    def _behavior(
        self, args: HorizontalPodAutoscalerArgs
    ) -> v2.HorizontalPodAutoscalerBehaviorArgsDict:
        """Scale-up: a doubled load must be met in one step, but nodes take minutes, and more pods
        than nodes can be added only wait as Pending. Scale-down: one step must not remove much, as
        only time tells a metric that reads 0 by mistake from a fall of the load.
        """
        settings = args.settings
        up_period = settings.scale_up_period_seconds
        up_policies: list[v2.HPAScalingPolicyArgsDict] = [
            {"type": "Pods", "value": settings.scale_up_pods, "period_seconds": up_period}
        ]
        if settings.scale_up_percent:
            up_policies.append(
                {"type": "Percent", "value": settings.scale_up_percent, "period_seconds": up_period}
            )
        scale_up: v2.HPAScalingRulesArgsDict = {
            "stabilization_window_seconds": 0,
            "select_policy": "Max",
            "policies": up_policies,
        }
        scale_down: v2.HPAScalingRulesArgsDict = {
            "stabilization_window_seconds": settings.scale_down_seconds,
            "select_policy": "Max",
            "policies": [
                {
                    "type": "Percent",
                    "value": settings.scale_down_percent,
                    "period_seconds": settings.scale_down_period_seconds,
                }
            ],
        }
        for rules, tolerance in (
            (scale_up, settings.scale_up_tolerance),
            (scale_down, settings.scale_down_tolerance),
        ):
            if tolerance is not None and _knows_tolerance(args.kubernetes_version):
                rules["tolerance"] = f"{round(tolerance * 1000)}m"
        tolerances = (settings.scale_up_tolerance, settings.scale_down_tolerance)
        if tolerances != (None, None) and not _knows_tolerance(args.kubernetes_version):
            pulumi.log.warn(NO_TOLERANCE.format(args.kubernetes_version), self)
        return {"scale_up": scale_up, "scale_down": scale_down}


def _metric(args: HorizontalPodAutoscalerArgs) -> v2.ExternalMetricSourceArgsDict:
    settings = args.settings
    labels: dict[str, Input[str]] = {
        "sls.project": args.log_project,
        "sls.logstore": args.log_store,
        "sls.ingress.route": _must_be_label_value(args.route),
    }
    if settings.metric_window_seconds is not None:
        labels["sls.query.interval"] = str(settings.metric_window_seconds)
    if settings.metric_delay_seconds is not None:
        labels["sls.query.delay"] = str(settings.metric_delay_seconds)
    return {
        "metric": {"name": METRICS[args.ingress_kind], "selector": {"match_labels": labels}},
        "target": {"type": "AverageValue", "average_value": str(settings.target_qps)},
    }


def _knows_tolerance(kubernetes_version: str) -> bool:
    version = re.match(r"(\d+)\.(\d+)", kubernetes_version)
    return version is not None and (int(version[1]), int(version[2])) >= TOLERANCE_SINCE


def _must_be_label_value(route: str) -> str:
    if not names.is_label_value(route):
        raise pulumi.RunError(
            f"route '{route}' ({len(route)} characters) can't be a label value (63 at most): the HPA would never scale.\n"
            "  remedy: shorten namespace, server.name or server.version"
        )
    return route
