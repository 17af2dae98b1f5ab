"""The add-ons that the inference needs, on a cluster the stack makes: storage, log collection,
ingress, node problems, metrics.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_alicloud as alicloud
from pulumi import Input

from components.component import Component
from components.compute.managed_cluster import compact

METRICS = "ack-alibaba-cloud-metrics-adapter"


@dataclass(frozen=True)
class AddonsArgs:
    """Inputs of Addons."""

    cluster_id: Input[str]
    """Cluster; taken from the component that gives it nodes."""
    worker_role: Input[str]
    """RAM role of the nodes, which the metrics adapter asks the log service with."""
    vswitch_of: Input[Mapping[str, str]]
    """Zone: vSwitch, for the load balancer of kind alb."""
    versions: Mapping[str, Input[str]]
    """Add-on: version. Names are known before the run."""
    policy_name: Input[str]
    """Name of the policy that lets the adapter read the ingress log."""
    kind: str = "nginx"
    """Ingress controller: nginx or alb."""
    metrics_addon: bool = False
    """Whether the metrics adapter comes as an add-on."""
    tags: Input[Mapping[str, str]] = field(default_factory=dict)
    """Tags of the policy."""


class Addons(Component):
    """Add-ons with pinned versions.

    A cluster comes with most of them in the version of the day; a resource here takes such a one
    over and sets the version. ACK removes them with the cluster: the provider sends nothing when
    one of these goes.
    """

    cluster_id: pulumi.Output[str]
    """The cluster's id, known once all are installed: what lives in the cluster takes it from
    here.
    """

    def __init__(self, name: str, args: AddonsArgs, opts: pulumi.ResourceOptions | None = None):
        super().__init__("inference:compute:Addons", name, opts)
        installed = [
            alicloud.cs.KubernetesAddon(
                self.child_name(addon),
                cluster_id=args.cluster_id,
                name=addon,
                version=args.versions[addon],
                config=config,
                opts=self.child(),
            ).cluster_id
            for addon, config in _wanted(args).items()
        ]
        installed.append(self._log_reader(args))
        self.cluster_id = pulumi.Output.all(args.cluster_id, *installed).apply(
            lambda known: known[0]
        )
        self.finish({"cluster_id": self.cluster_id})

    def _log_reader(self, args: AddonsArgs) -> pulumi.Output[str]:
        """The adapter has no identity of its own: it reads with that of its node, and that role may
        do no more than this.
        """
        policy = alicloud.ram.Policy(
            self.child_name("policy"),
            policy_name=args.policy_name,
            policy_document=pulumi.Output.json_dumps(
                pulumi.Output.from_input(args.cluster_id).apply(log_policy)
            ),
            description="Reads the ingress log of one cluster, for the metrics adapter",
            rotate_strategy="DeleteOldestNonDefaultVersionWhenLimitExceeded",
            force=True,
            tags=args.tags,
            opts=self.child(),
        )
        attachment = alicloud.ram.RolePolicyAttachment(
            self.child_name("attachment"),
            role_name=args.worker_role,
            policy_name=policy.policy_name,
            policy_type="Custom",
            opts=self.child(),
        )
        return attachment.role_name


def _wanted(args: AddonsArgs) -> dict[str, Any]:
    """Add-on: its configuration, or None for its defaults."""
    ingress: dict[str, Any] = {
        "nginx-ingress-controller": compact({"IngressSlbNetworkType": "internet"})
    }
    if args.kind == "alb":
        ingress = {"alb-ingress-controller": pulumi.Output.from_input(args.vswitch_of).apply(_alb)}
    return {
        "csi-plugin": None,
        "csi-provisioner": None,
        # The ingress log is the HPA's metric: the collector makes it, not the ingress controller.
        "loongcollector": compact({"IngressDashboardEnabled": "true", "sls_project_name": ""}),
        **ingress,
        "ack-node-problem-detector": compact({"sls_project_name": ""}),
        **({METRICS: None} if args.metrics_addon else {}),
    }


def _alb(vswitch_of: Mapping[str, str]) -> str:
    zones = [{"VSwitchId": vswitch_of[zone], "ZoneId": zone} for zone in sorted(vswitch_of)[:2]]
    return compact(
        {
            "albIngress": {
                "AddressType": "Internet",
                "CreateDefaultALBConfig": True,
                "ZoneMappings": zones,
            }
        }
    )


def log_policy(cluster_id: str) -> dict[str, object]:
    """What the adapter may do: read the logstores of the cluster's own project."""
    resource = f"acs:log:*:*:project/k8s-log-{cluster_id}/logstore/*"
    actions = ["log:GetLogStoreLogs", "log:GetLogStoreHistogram", "log:GetLogStore"]
    return {
        "Version": "1",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": [resource]}],
    }
