"""RRSA: the RAM role and policy the model volume reads with (before tutorial step 3; no access key
ever enters the cluster).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_alicloud as alicloud
from pulumi import Input

from components.adoption import adoption
from components.component import Component

CSI_SERVICE_ACCOUNT = "system:serviceaccount:ack-csi-fuse:csi-fuse-ossfs"
AUDIENCE = "sts.aliyuncs.com"
IGNORE_WHEN_ADOPTED = ["tags", "description"]
"""Of an adopted role: its own, and what RAM doesn't tell."""


@dataclass(frozen=True)
class ModelAccessArgs:
    """Inputs of ModelAccess."""

    role_name: Input[str]
    """Name of the role; RAM gives none by itself."""
    policy_name: Input[str]
    """Name of the policy."""
    oidc_issuer: Input[str]
    """Issuer of the cluster's service account tokens."""
    oidc_provider_arn: Input[str]
    """RAM's OIDC provider for that issuer."""
    bucket: Input[str]
    """Bucket that may be read."""
    prefix: Input[str] = "models"
    """What may be read of it: keys below this."""
    tags: Input[Mapping[str, str]] = field(default_factory=dict)
    """Tags of role and policy."""
    adopt: str | None = None
    """Name of an existing role to take over; the policy is the stack's own all the same. Known
    before the run.
    """
    change_adopted: bool = False
    """Whether the trust policy of such a role may be changed. Known before the run."""


class ModelAccess(Component):
    """A role only the cluster's OSS driver can take, with a policy that reads one prefix of one
    bucket and nothing more.
    """

    role_name: pulumi.Output[str]
    """Name of the role, known once the policy is attached."""

    def __init__(
        self, name: str, args: ModelAccessArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:storage:ModelAccess", name, opts)
        trust = pulumi.Output.all(args.oidc_provider_arn, args.oidc_issuer).apply(
            lambda known: trust_policy(*known)
        )
        read = pulumi.Output.all(args.bucket, args.prefix).apply(lambda known: read_policy(*known))
        # No `force`: with it the provider detaches what it finds listed, and takes "not attached"
        # for "the role is gone". RAM's lists lag.
        role = alicloud.ram.Role(
            self.child_name("role"),
            role_name=args.role_name,
            assume_role_policy_document=pulumi.Output.json_dumps(trust),
            description="Lets the OSS volumes of one ACK cluster read a model",
            max_session_duration=3600,
            tags=args.tags,
            opts=self.child(
                **adoption(args.adopt, "the cluster's OIDC provider", args.change_adopted),
                ignore_changes=IGNORE_WHEN_ADOPTED if args.adopt else None,
            ),
        )
        policy = alicloud.ram.Policy(
            self.child_name("policy"),
            policy_name=args.policy_name,
            policy_document=pulumi.Output.json_dumps(read),
            description="Reads one model prefix of one bucket",
            rotate_strategy="DeleteOldestNonDefaultVersionWhenLimitExceeded",
            tags=args.tags,
            opts=self.child(),
        )
        attachment = alicloud.ram.RolePolicyAttachment(
            self.child_name("attachment"),
            role_name=role.role_name,
            policy_name=policy.policy_name,
            policy_type="Custom",
            opts=self.child(),
        )
        self.role_name = attachment.role_name
        self.finish({"role_name": self.role_name})


def trust_policy(provider_arn: str, issuer: str) -> dict[str, object]:
    """Who may take the role: the service account of the driver's own pods. The volume is mounted by
    them, not by the serving pod.
    """
    return {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Federated": [provider_arn]},
                "Condition": {
                    "StringEquals": {
                        "oidc:aud": AUDIENCE,
                        "oidc:iss": issuer,
                        "oidc:sub": CSI_SERVICE_ACCOUNT,
                    }
                },
            }
        ],
    }


def read_policy(bucket: str, prefix: str) -> dict[str, object]:
    """What the role may do: list and get below `prefix`."""
    return {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["oss:GetObject"],
                "Resource": [f"acs:oss:*:*:{bucket}/{prefix}/*"],
            },
            {
                "Effect": "Allow",
                "Action": ["oss:ListObjects"],
                "Resource": [f"acs:oss:*:*:{bucket}"],
                "Condition": {"StringLike": {"oss:Prefix": [prefix, f"{prefix}/*"]}},
            },
        ],
    }
