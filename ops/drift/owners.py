"""Properties that others may change after a deployment: autoscalers, and servers that only
report.
"""

from __future__ import annotations

import re

OWNERS = (
    ("pulumi:providers:kubernetes", r"kubeconfig", "each run, which asks ACK for its own"),
    ("alicloud:cs/nodePool:NodePool", r"desiredSize|nodeCount|instances", "the node scaler"),
    ("kubernetes:apps/v1:Deployment", r"spec\.replicas", "the HPA"),
    (
        "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
        r"spec\.minReplicas",
        "the interruption handler (autoscaler.floors)",
    ),
)
"""Kind, property, owner. It counts only where `up` would leave the property alone: what the program
sends is the program's.
"""

REPORTED = re.compile(
    r"(status|metadata\.(resourceVersion|generation|uid|creationTimestamp|managedFields|selfLink|finalizers)|__\w+)\b.*"
    r'|metadata\.annotations(\.|\[")(deployment\.kubernetes\.io/revision|pv\.kubernetes\.io/.*|kubectl\.kubernetes\.io/.*)"\]'
)
"""Properties that a server counts up or fills in; nobody sets them."""

OF_OTHERS = {
    "alicloud:oss/bucket:Bucket": r"(acl|policy|versioning|serverSideEncryptionRule|lastModifiedTime|lifecycle\w*)\b.*",
    "alicloud:ram/policy:Policy": r"attachmentCount",
    "alicloud:ram/role:Role": r"updateDate",
    "kubernetes:core/v1:PersistentVolume": r"spec\.claimRef\b.*",
}
"""Properties that the provider tells here and that another resource of the stack sets, where they
are compared; or a counter.
"""


def owner(kind: str, path: str) -> str:
    """Name of the autoscaler that moves this property of a resource, "" when none does."""
    return next(
        (who for type_, pattern, who in OWNERS if kind == type_ and re.fullmatch(pattern, path)), ""
    )


def reported(kind: str, path: str) -> bool:
    """Whether the property only reports a state, or is compared at another resource."""
    return (
        REPORTED.fullmatch(path) is not None
        or re.fullmatch(OF_OTHERS.get(kind, r"(?!)"), path) is not None
    )
