"""RRSA: the RAM role with which the interruption handler asks ECS for operation locks
(`interruption.noticeSource: ecs`; not in the tutorial). No access key enters the cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud
from pulumi import Input

from components.component import Component
from components.rrsa import trust_policy

TOKEN_DIRECTORY = "/var/run/secrets/ack.alibabacloud.com/rrsa-tokens"
"""Where ACK's pod identity webhook mounts the token, and where the SDKs are told to look."""


@dataclass(frozen=True)
class NoticeAccessArgs:
    """Inputs of NoticeAccess."""

    role_name: str
    """Name of the role; RAM does not auto-name roles."""
    policy_name: str
    """Name of the policy."""
    oidc_issuer: Input[str]
    """Issuer of the cluster's service account tokens."""
    oidc_provider_arn: Input[str]
    """RAM's OIDC provider for that issuer."""
    region: str
    """Region of the nodes."""
    tags: Mapping[str, str]
    """Tags of role and policy."""


class NoticeAccess(Component):
    """A role that only the handler's service account can take, and that can describe the region's
    instances and nothing else.
    """

    role_arn: pulumi.Output[str]
    """ARN of the role, known once the policy is attached."""

    def __init__(
        self,
        name: str,
        args: NoticeAccessArgs,
        subject: Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ):
        """`subject` is the service account, as its tokens name it."""
        super().__init__("inference:serving:NoticeAccess", name, opts)
        trust = pulumi.Output.all(args.oidc_provider_arn, args.oidc_issuer, subject).apply(
            lambda known: trust_policy(*known)
        )
        role = alicloud.ram.Role(
            self.child_name("role"),
            role_name=args.role_name,
            assume_role_policy_document=pulumi.Output.json_dumps(trust),
            description="Lets the interruption handler of one ACK cluster see which instances are reclaimed",
            max_session_duration=3600,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        policy = alicloud.ram.Policy(
            self.child_name("policy"),
            policy_name=args.policy_name,
            policy_document=pulumi.Output.json_dumps(describe_policy(args.region)),
            description="Describes the instances of one region",
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
        self.role_arn = pulumi.Output.all(role.arn, attachment.id).apply(lambda known: known[0])
        self.register_outputs({"role_arn": self.role_arn})


def describe_policy(region: str) -> dict[str, object]:
    """Policy of the role: one call that reads. A condition on tags would refuse the whole request
    as soon as one of the instances that it names carries other tags.
    """
    return {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["ecs:DescribeInstances"],
                "Resource": [f"acs:ecs:{region}:*:*"],
            }
        ],
    }
