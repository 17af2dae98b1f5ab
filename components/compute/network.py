"""The network of a cluster that the stack creates: a VPC and one vSwitch per zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from components.component import Component
from settings.cluster import CreateSettings


@dataclass(frozen=True)
class NetworkArgs:
    """Inputs of Network."""

    settings: CreateSettings
    """Group `cluster.create`."""
    name: str
    """Name of the VPC, and first part of the vSwitches' names."""
    tags: Mapping[str, str]
    """Tags of VPC and vSwitches."""
    resource_group_id: str | None = None
    """Resource group; None: the account's default one."""


class Network(Component):
    """A VPC that belongs to the stack alone, so that a teardown finds no resources of others in
    it.
    """

    vswitch_ids: pulumi.Output[Sequence[str]]
    """Ids of the vSwitches in the order of the zones' names."""
    vswitch_of: pulumi.Output[Mapping[str, str]]
    """vSwitch id by zone."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None):
        super().__init__("inference:compute:Network", name, opts)
        settings = args.settings
        options = pulumi.ResourceOptions(parent=self, protect=settings.protect or None)
        vpc = alicloud.vpc.Network(
            self.child_name("vpc"),
            vpc_name=args.name,
            cidr_block=settings.vpc_cidr,
            tags=args.tags,
            resource_group_id=args.resource_group_id,
            opts=options,
        )
        vswitches = {
            zone: alicloud.vpc.Switch(
                self.child_name(zone),
                vswitch_name=f"{args.name}-{zone}",
                vpc_id=vpc.id,
                zone_id=zone,
                cidr_block=settings.vswitches[zone],
                tags=args.tags,
                opts=options,
            ).id
            for zone in sorted(settings.vswitches)
        }
        self.vswitch_of = pulumi.Output.all(**vswitches)
        self.vswitch_ids = self.vswitch_of.apply(
            lambda known: [known[zone] for zone in sorted(known)]
        )
        self.register_outputs({"vpc_id": vpc.id, "vswitch_ids": self.vswitch_ids})
