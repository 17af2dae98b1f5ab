"""What the interruption handler may do, and what it is told."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.serving.interruption_handler import InterruptionHandlerArgs


def rules(args: "InterruptionHandlerArgs", name: str) -> list[Any]:
    """One line for each right, with its reason."""
    granted: list[Any] = [
        # list, watch: where the pods are. patch: detach, rank. delete: on lost nodes, and before
        # the instance goes.
        {"api_groups": [""], "resources": ["pods"], "verbs": ["list", "watch", "patch", "delete"]},
        # Eviction asks the disruption budget.
        {"api_groups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
        # How many pods there should be.
        {
            "api_groups": ["apps"],
            "resources": ["deployments"],
            "resource_names": [args.deployment],
            "verbs": ["list", "watch"],
        },
        # Which of its pods acts. A name can't be asked of `create`.
        {"api_groups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
        {
            "api_groups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resource_names": [name],
            "verbs": ["get", "patch"],
        },
    ]
    if args.floors:
        # list, watch: the minimum and whether the metric is there. patch: the minimum.
        hpa = {"resources": ["horizontalpodautoscalers"], "resource_names": [args.hpa]}
        granted.append({"api_groups": ["autoscaling"], **hpa, "verbs": ["list", "watch", "patch"]})
    return granted


def settings(args: "InterruptionHandlerArgs", name: str) -> dict[str, Any]:
    """The handler's settings, with the field names of interruption_handler.config.Config."""
    return {
        "name": name,
        "namespace": args.namespace,
        "deployment": args.deployment,
        "hpa": args.hpa,
        "selector": args.selector,
        "node_labels": args.node_labels,
        "pool_labels": args.pool_labels,
        "notice_seconds": args.notice_seconds,
        "drain_seconds": args.drain_seconds,
        "capacity_mix": args.mix,
        "min_replicas": args.floors,
    }
