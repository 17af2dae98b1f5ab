"""The network of a cluster the stack makes: a VPC and one vSwitch per zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_alicloud as alicloud
from pulumi import Input

from components.component import Component


@dataclass(frozen=True)
class NetworkArgs:
    """Inputs of Network."""

    name: Input[str]
    """Name of the VPC, and start of the vSwitches' names."""
    vswitches: Mapping[str, Input[str]]
    """Zone: addresses of its vSwitch. Zones are known before the run."""
    cidr: Input[str] = "192.168.0.0/16"
    """Addresses of the VPC."""
    protect: bool = False
    """Refuse to delete or replace it."""
    tags: Input[Mapping[str, str]] = field(default_factory=dict)
    """Tags of VPC and vSwitches."""


class Network(Component):
    """A VPC of its own, so that a teardown finds nothing of others in it."""

    vswitch_ids: pulumi.Output[Sequence[str]]
    """Ids in the order of the zones' names."""
    vswitch_of: pulumi.Output[Mapping[str, str]]
    """Zone: id."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None):
        super().__init__("inference:compute:Network", name, opts)
        options = self.child(protect=args.protect or None)
        vpc = alicloud.vpc.Network(
            self.child_name("vpc"),
            vpc_name=args.name,
            cidr_block=args.cidr,
            tags=args.tags,
            opts=options,
        )
        switches = {
            zone: alicloud.vpc.Switch(
                self.child_name(zone),
                vswitch_name=pulumi.Output.concat(args.name, "-", zone),
                vpc_id=vpc.id,
                zone_id=zone,
                cidr_block=args.vswitches[zone],
                tags=args.tags,
                opts=options,
            ).id
            for zone in sorted(args.vswitches)
        }
        self.vswitch_of = pulumi.Output.all(**switches)
        self.vswitch_ids = self.vswitch_of.apply(
            lambda known: [known[zone] for zone in sorted(known)]
        )
        self.finish({"vpc_id": vpc.id, "vswitch_ids": self.vswitch_ids})
