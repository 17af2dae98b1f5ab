"""RRSA: the RAM role and the policy with which the model volume reads the bucket (before tutorial
step 3). No access key ever enters the cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud
from pulumi import Input

from components.adoption import adoption
from components.component import Component
from components.rrsa import trust_policy
from settings.adopt import Adoption

CSI_SERVICE_ACCOUNT = "system:serviceaccount:ack-csi-fuse:csi-fuse-ossfs"
"""Of the OSS driver's pods: they mount the volume, not the serving pod."""
IGNORE_WHEN_ADOPTED = ["tags", "description"]
"""An adopted role keeps its tags; RAM does not return the description."""


@dataclass(frozen=True)
class ModelAccessArgs:
    """Inputs of ModelAccess."""

    role_name: str
    """Name of the role; RAM does not auto-name roles."""
    policy_name: str
    """Name of the policy."""
    oidc_issuer: Input[str]
    """Issuer of the cluster's service account tokens."""
    oidc_provider_arn: Input[str]
    """RAM's OIDC provider for that issuer."""
    bucket: Input[str]
    """Bucket that may be read."""
    prefix: str
    """Prefix of the object keys that may be read."""
    tags: Mapping[str, str]
    """Tags of role and policy."""
    adopt: Adoption | None = None
    """Existing role to take over; its import id is the role's name. The policy belongs to the stack
    in any case.
    """


class ModelAccess(Component):
    """A role that only the cluster's OSS driver can assume, with a policy that reads one prefix of
    one bucket and nothing more.
    """

    role_name: pulumi.Output[str]
    """Name of the role, known once the policy is attached."""

    def __init__(
        self, name: str, args: ModelAccessArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:storage:ModelAccess", name, opts)
        trust = pulumi.Output.all(args.oidc_provider_arn, args.oidc_issuer).apply(
            lambda known: trust_policy(known[0], known[1], CSI_SERVICE_ACCOUNT)
        )
        read = pulumi.Output.from_input(args.bucket).apply(
            lambda bucket: read_policy(bucket, args.prefix)
        )
        # No `force`: with it the provider detaches the policies that RAM lists, and takes "not
        # attached" for "the role does not exist". RAM's lists lag.
        role = alicloud.ram.Role(
            self.child_name("role"),
            role_name=args.role_name,
            assume_role_policy_document=pulumi.Output.json_dumps(trust),
            description="Lets the OSS volumes of one ACK cluster read a model",
            max_session_duration=3600,
            tags=args.tags,
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions(
                    parent=self, ignore_changes=IGNORE_WHEN_ADOPTED if args.adopt else None
                ),
                adoption(args.adopt, "the cluster's OIDC provider"),
            ),
        )
        policy = alicloud.ram.Policy(
            self.child_name("policy"),
            policy_name=args.policy_name,
            policy_document=pulumi.Output.json_dumps(read),
            description="Reads one model prefix of one bucket",
            rotate_strategy="DeleteOldestNonDefaultVersionWhenLimitExceeded",
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        attachment = alicloud.ram.RolePolicyAttachment(
            self.child_name("attachment"),
            role_name=role.role_name,
            policy_name=policy.policy_name,
            policy_type="Custom",
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.role_name = attachment.role_name
        self.register_outputs({"role_name": self.role_name})


def read_policy(bucket: str, prefix: str) -> dict[str, object]:
    """Policy of the role: list and get objects below `prefix`."""
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
                # With the slash: without it `models` would list `models-of-others/`, too.
                "Condition": {"StringLike": {"oss:Prefix": [f"{prefix}/*"]}},
            },
        ],
    }
