"""Which operations on which inputs led to which recorded calls.

The sequence numbers name the calls in `data/*.jsonl`, recorded from the published plugin
3.105.0. The engine ran resources side by side there; here they run one after the other, so each
step names its own calls in their order.
"""

import json
from dataclasses import dataclass, field
from typing import Any

CLUSTER = "c0123456789abcdef0123456789abcdef"
BUCKET = "wire-models-1"


@dataclass(frozen=True)
class Step:
    """One operation of the engine: create, update, read or delete of the resource `name`."""

    do: str
    name: str
    calls: list[int]
    token: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    """A part of the expected error text; "" means that the operation succeeds."""
    ignore: list[str] = field(default_factory=list)
    """Properties in `ignoreChanges`."""
    staged: bool = False
    """Whether the recorded answers depend on something done behind the plugin's back, so that only
    a replay gives them.
    """


@dataclass(frozen=True)
class Phase:
    """Steps on one plugin process: one run of the CLI in the recording."""

    title: str
    steps: list[Step]


NODE_POOL = {
    "clusterId": CLUSTER,
    "nodePoolName": "inference-spot",
    "vswitchIds": ["vsw-aaaaaaaa", "vsw-bbbbbbbb"],
    "instanceTypes": ["ecs.gn6i-c4g1.xlarge", "ecs.gn6i-c8g1.2xlarge"],
    "instanceChargeType": "PostPaid",
    "imageType": "AliyunLinux3",
    "systemDiskCategory": "cloud_essd",
    "systemDiskPerformanceLevel": "PL0",
    "systemDiskSize": 120,
    "runtimeName": "containerd",
    "runtimeVersion": "2.1.3",
    "multiAzPolicy": "COST_OPTIMIZED",
    "spotStrategy": "SpotAsPriceGo",
    "spotInstancePools": 2,
    "spotInstanceRemedy": True,
    "compensateWithOnDemand": True,
    "onDemandBaseCapacity": "0",
    "onDemandPercentageAboveBaseCapacity": "30",
    "scalingPolicy": "release",
    "scalingConfig": {"enable": True, "minSize": 0, "maxSize": 10, "type": "gpu"},
    "management": {
        "enable": True,
        "autoRepair": True,
        "autoUpgrade": False,
        "autoVulFix": False,
        "maxUnavailable": 1,
    },
    "labels": [{"key": "inference", "value": "tensorflow"}],
    "taints": [{"key": "inference", "value": "tensorflow", "effect": "NoSchedule"}],
    "tags": {"app": "inference"},
}
_LARGER = {
    **NODE_POOL,
    "scalingConfig": {"enable": True, "minSize": 0, "maxSize": 12, "type": "gpu"},
    "labels": [{"key": "inference", "value": "tensorflow"}, {"key": "team", "value": "nlp"}],
}
_POOL = "alicloud:cs/nodePool:NodePool"


def node_pool() -> list[Phase]:
    """Create, refresh, update, replace and destroy of a node pool."""
    return [
        Phase("create", [Step("create", "pool", [3, 4, 5, 6, 7], _POOL, NODE_POOL)]),
        Phase("refresh", [Step("read", "pool", [8, 9])]),
        Phase("update in place", [Step("update", "pool", [10, 11, 12, 13, 14], inputs=_LARGER)]),
        Phase(
            "replace",
            [
                Step(
                    "create",
                    "pool2",
                    [52, 53, 54, 55, 56],
                    _POOL,
                    {**NODE_POOL, "securityGroupIds": ["sg-2"]},
                ),
                Step("delete", "pool", [57, 58, 59]),
            ],
        ),
        Phase("destroy", [Step("delete", "pool2", [60, 61, 62, 63])]),
    ]


def _policy(*actions: str) -> str:
    resources = [f"acs:oss:*:*:{BUCKET}", f"acs:oss:*:*:{BUCKET}/*"]
    return json.dumps(
        {
            "Version": "1",
            "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": resources}],
        }
    )


_ISSUER = f"https://oidc-ack-cn-shanghai.oss-cn-shanghai.aliyuncs.com/{CLUSTER}"
_TRUST = {
    "Statement": [
        {
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {
                    "oidc:aud": "sts.aliyuncs.com",
                    "oidc:iss": _ISSUER,
                    "oidc:sub": "system:serviceaccount:ack-csi-fuse:csi-fuse-ossfs",
                }
            },
            "Effect": "Allow",
            "Principal": {
                "Federated": [f"acs:ram::1234567890123456:oidc-provider/ack-rrsa-{CLUSTER}"]
            },
        }
    ],
    "Version": "1",
}
ROLE = {
    "roleName": "wire-oss-reader",
    "assumeRolePolicyDocument": json.dumps(_TRUST),
    "description": "reads models",
    "maxSessionDuration": 3600,
    "force": True,
}
POLICY = {
    "policyName": "wire-oss-read",
    "policyDocument": _policy("oss:GetObject", "oss:ListObjects"),
    "description": "d",
    "rotateStrategy": "DeleteOldestNonDefaultVersionWhenLimitExceeded",
}
_ATTACHMENT = {"policyName": "wire-oss-read", "policyType": "Custom", "roleName": "wire-oss-reader"}
_ROLE_TYPE = "alicloud:ram/role:Role"
_ATTACHMENT_TYPE = "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment"


def ram() -> list[Phase]:
    """Create, update, rename and destroy of role, policy and attachment."""
    wider = {
        **POLICY,
        "policyDocument": _policy("oss:GetObject", "oss:ListObjects", "oss:GetObjectAcl"),
    }
    described = {**ROLE, "description": "new text"}
    return [
        Phase(
            "create",
            [
                Step("create", "policy", [422, 424, 426], "alicloud:ram/policy:Policy", POLICY),
                Step("create", "role", [423, 425, 427], _ROLE_TYPE, ROLE),
                Step("create", "attachment", [428, 429], _ATTACHMENT_TYPE, _ATTACHMENT),
            ],
        ),
        Phase(
            "update",
            [
                Step("update", "policy", [435, 437, 439], inputs=wider),
                Step("update", "role", [436, 438, 440], inputs=described),
            ],
        ),
        Phase(
            "replace role",
            [
                Step(
                    "create",
                    "role2",
                    [441, 442, 443],
                    _ROLE_TYPE,
                    {**described, "roleName": "wire-oss-reader2"},
                ),
                Step(
                    "create",
                    "attachment2",
                    [444, 445],
                    _ATTACHMENT_TYPE,
                    {**_ATTACHMENT, "roleName": "wire-oss-reader2"},
                ),
                Step("delete", "attachment", [446]),
                Step("delete", "role", [447, 448]),
            ],
        ),
        Phase(
            "destroy",
            [
                Step("delete", "attachment2", [459]),
                Step("delete", "policy", [461]),
                Step("delete", "role2", [460, 462]),
            ],
        ),
    ]
