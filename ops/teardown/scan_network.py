"""Scans load balancers, public addresses, security groups and networks of the stack or of its
cluster.
"""

from __future__ import annotations

from collections.abc import Iterator

from ops.cloud.client import ACK_TAG, Cloud, carries, tag_filter, tags_of
from ops.cloud.cluster_reader import ClusterReader
from ops.engine.stack_location import StackLocation
from ops.teardown.leftovers import Doubtful, Leftover, claimed, leftover

SERVICE_TAG = "kubernetes.do.not.delete"
"""On a load balancer of a Service: `a` and the Service's uid without dashes, 32 characters."""
FAMILIES = {"alb": "application load balancer", "nlb": "network load balancer"}


def by_tags(location: StackLocation) -> list[tuple[dict[str, str], str]]:
    """Tags to look for, each with the reason that the report gives. Tags of the whole cluster count
    only if the stack made the cluster.
    """
    own = [(location.tags, f"tags project={location.tags['project']}, stack={location.stack}")]
    if location.cluster and location.cluster_made:
        own.append(
            (
                {ACK_TAG: location.cluster},
                f"tag {ACK_TAG}={location.cluster}, a cluster of this stack",
            )
        )
    return own


def load_balancers(
    cloud: Cloud, location: StackLocation, reader: ClusterReader | None
) -> Iterator[Leftover | Doubtful]:
    """Load balancers with the stack's tags, those of its own cluster, and in a shared cluster those
    whose Service is gone.
    """
    marks = dict.fromkeys((frozenset(tags.items()), why) for tags, why in by_tags(location))
    if location.cluster:
        marks[frozenset({(ACK_TAG, location.cluster)}), f"tag {ACK_TAG}={location.cluster}"] = None
    services = _services(reader)
    seen: set[str] = set()
    for pairs, why in marks:
        tags = dict(pairs)
        shared = set(tags) == {ACK_TAG} and not location.cluster_made
        for kind, identity, held in _balancers(cloud, tags):
            reason = _unused(held, services) if shared else why
            if identity not in seen and reason:
                seen.add(identity)
                if shared:  # nobody's any longer
                    yield leftover(kind, identity, reason, cloud.region)
                else:
                    yield from claimed(location, held, kind, identity, reason, cloud.region)


def _balancers(cloud: Cloud, tags: dict[str, str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    narrowed = tag_filter(tags)
    for row in cloud.pages(
        "slb", "DescribeLoadBalancers", "LoadBalancers", "LoadBalancer", **narrowed
    ):
        if carries(row, tags):
            yield "load balancer", row["LoadBalancerId"], tags_of(row)
    for product, kind in FAMILIES.items():
        for row in cloud.tokens(product, "ListLoadBalancers", "LoadBalancers", **narrowed):
            if carries(row, tags):
                yield kind, row["LoadBalancerId"], tags_of(row)


def _services(reader: ClusterReader | None) -> set[str] | None:
    """Marks that load balancers of living Services carry; None when nobody could look."""
    if reader is None:
        return None
    return {service_mark(item["metadata"]["uid"]) for item in reader.items("/api/v1/services")}


def service_mark(uid: str) -> str:
    """Value by which the cloud controller manager tags the load balancer of a Service."""
    return f"a{uid.replace('-', '')}"[:32]


def _unused(held: dict[str, str], services: set[str] | None) -> str:
    """Why a load balancer of a shared cluster is an orphan, "" when it is not one, or when that is
    not known.
    """
    mark = held.get(SERVICE_TAG)
    if not mark or services is None or mark in services:
        return ""
    return f"tag {ACK_TAG}={held[ACK_TAG]}, and no Service of that cluster owns it"


def addresses(cloud: Cloud, location: StackLocation) -> Iterator[Leftover | Doubtful]:
    """Elastic IP addresses with the stack's tags."""
    for tags, why in by_tags(location):
        for row in cloud.pages(
            "vpc", "DescribeEipAddresses", "EipAddresses", "EipAddress", **tag_filter(tags)
        ):
            if carries(row, tags):
                what = f"{row.get('IpAddress', '')}, {why}"
                yield from claimed(
                    location,
                    tags_of(row),
                    "public address",
                    row["AllocationId"],
                    what,
                    cloud.region,
                )


def security_groups(cloud: Cloud, location: StackLocation) -> Iterator[Leftover | Doubtful]:
    """Security groups; ACK names its own after the cluster."""
    for tags, why in by_tags(location):
        for row in cloud.pages(
            "ecs", "DescribeSecurityGroups", "SecurityGroups", "SecurityGroup", **tag_filter(tags)
        ):
            if carries(row, tags):
                identity = row["SecurityGroupId"]
                yield from claimed(
                    location, tags_of(row), "security group", identity, why, cloud.region
                )
    if location.cluster_made and location.cluster:
        name = f"alicloud-cs-auto-created-security-group-{location.cluster}"
        for row in cloud.pages(
            "ecs",
            "DescribeSecurityGroups",
            "SecurityGroups",
            "SecurityGroup",
            SecurityGroupName=name,
        ):
            if row.get("SecurityGroupName") == name:
                yield leftover(
                    "security group",
                    row["SecurityGroupId"],
                    f"named after cluster {location.cluster}",
                    cloud.region,
                )


def networks(cloud: Cloud, location: StackLocation) -> Iterator[Leftover | Doubtful]:
    """NAT gateways, vSwitches and VPCs, in the order in which they can go."""
    for kind, action, outer, inner, key in (
        ("NAT gateway", "DescribeNatGateways", "NatGateways", "NatGateway", "NatGatewayId"),
        ("vSwitch", "DescribeVSwitches", "VSwitches", "VSwitch", "VSwitchId"),
        ("VPC", "DescribeVpcs", "Vpcs", "Vpc", "VpcId"),
    ):
        for tags, why in by_tags(location):
            for row in cloud.pages("vpc", action, outer, inner, **tag_filter(tags)):
                if carries(row, tags):
                    yield from claimed(location, tags_of(row), kind, row[key], why, cloud.region)
