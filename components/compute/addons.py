"""The add-ons of a cluster that the stack creates: storage, log collection, ingress, node problems,
metrics.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud
from pulumi import Input

from components.component import Component
from components.compute.managed_cluster import compact
from settings.cluster import CreateSettings

METRICS_ADAPTER = "ack-alibaba-cloud-metrics-adapter"


@dataclass(frozen=True)
class AddonsArgs:
    """Inputs of Addons."""

    settings: CreateSettings
    """Group `cluster.create`."""
    ingress_kind: str
    """Ingress controller: nginx or alb."""
    cluster_id: Input[str]
    """Cluster; taken from the component that gives it nodes."""
    worker_role: Input[str]
    """RAM role of the nodes, with which the metrics adapter reads the log service."""
    vswitch_of: Input[Mapping[str, str]]
    """vSwitch id by zone, for the load balancer of ingress kind alb."""
    policy_name: str
    """Name of the policy that lets the adapter read the ingress log."""
    tags: Mapping[str, str]
    """Tags of the policy."""


class Addons(Component):
    """Add-ons with pinned versions.

    ACK installs most of them with the cluster, in the version of the day; a resource here takes
    such an add-on over and sets its version. ACK removes them with the cluster: the provider sends
    nothing when one of these resources is deleted.
    """

    cluster_id: pulumi.Output[str]
    """The cluster's id, known once all add-ons are installed: resources in the cluster take it from
    here.
    """

    def __init__(self, name: str, args: AddonsArgs, opts: pulumi.ResourceOptions | None = None):
        super().__init__("inference:compute:Addons", name, opts)
        installed = [
            alicloud.cs.KubernetesAddon(
                self.child_name(addon),
                cluster_id=args.cluster_id,
                name=addon,
                version=args.settings.addon_version(addon),
                config=config,
                opts=pulumi.ResourceOptions(parent=self),
            ).cluster_id
            for addon, config in _configurations(args).items()
        ]
        installed.append(self._log_reader(args))
        self.cluster_id = pulumi.Output.all(args.cluster_id, *installed).apply(
            lambda known: known[0]
        )
        self.register_outputs({"cluster_id": self.cluster_id})

    def _log_reader(self, args: AddonsArgs) -> pulumi.Output[str]:
        """Lets the metrics adapter read the ingress log. The adapter has no identity of its own: it
        uses that of its node, and this policy grants it nothing more.
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
            opts=pulumi.ResourceOptions(parent=self),
        )
        attachment = alicloud.ram.RolePolicyAttachment(
            self.child_name("attachment"),
            role_name=args.worker_role,
            policy_name=policy.policy_name,
            policy_type="Custom",
            opts=pulumi.ResourceOptions(parent=self),
        )
        return attachment.role_name


def _configurations(args: AddonsArgs) -> dict[str, Input[str] | None]:
    """Configuration of each add-on to install; None for its defaults."""
    ingress: dict[str, Input[str] | None] = {
        "nginx-ingress-controller": compact({"IngressSlbNetworkType": "internet"})
    }
    if args.ingress_kind == "alb":
        ingress = {"alb-ingress-controller": pulumi.Output.from_input(args.vswitch_of).apply(_alb)}
    addons: dict[str, Input[str] | None] = {
        "csi-plugin": None,
        "csi-provisioner": None,
        # The HPA's metric is the ingress log, which this collector writes.
        "loongcollector": compact({"IngressDashboardEnabled": "true", "sls_project_name": ""}),
        **ingress,
        "ack-node-problem-detector": compact({"sls_project_name": ""}),
    }
    if args.settings.metrics_adapter == "addon":
        addons[METRICS_ADAPTER] = None
    return addons


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
    """Policy of the metrics adapter: it may read the logstores of the cluster's log project."""
    resource = f"acs:log:*:*:project/k8s-log-{cluster_id}/logstore/*"
    actions = ["log:GetLogStoreLogs", "log:GetLogStoreHistogram", "log:GetLogStore"]
    return {
        "Version": "1",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": [resource]}],
    }
