"""What a stack left behind: each kind of leftover with the command that removes it, what stays on
purpose, and the report, as text for people and as JSON for programs.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.cloud.resources import BUCKET, MANAGED_CLUSTER, NODE_POOL, POLICY, ROLE
from ops.engine.checkpoint import NAMESPACE, Resource
from ops.engine.stack_location import Owner, StackLocation
from settings.names import CLUSTER_TAG

CONSOLES = {
    "load balancer": "https://slb.console.alibabacloud.com/slb/{region}/slbs",
    "application load balancer": "https://slb.console.alibabacloud.com/alb/{region}/albs",
    "network load balancer": "https://slb.console.alibabacloud.com/nlb/{region}/nlbs",
    "public address": "https://vpc.console.alibabacloud.com/eip/{region}/eips",
    "security group": "https://ecs.console.alibabacloud.com/securityGroup/region/{region}",
    "VPC": "https://vpc.console.alibabacloud.com/vpc/{region}/vpcs",
    "vSwitch": "https://vpc.console.alibabacloud.com/vpc/{region}/switches",
    "NAT gateway": "https://vpc.console.alibabacloud.com/nat/{region}/nats",
    "instance": "https://ecs.console.alibabacloud.com/server/region/{region}",
    "disk": "https://ecs.console.alibabacloud.com/disk/region/{region}",
    "scaling group": "https://essnew.console.alibabacloud.com/{region}/group/list",
    "node pool": "https://cs.console.alibabacloud.com/#/k8s/cluster/list",
    "cluster": "https://cs.console.alibabacloud.com/#/k8s/cluster/list",
    "RAM role": "https://ram.console.alibabacloud.com/roles",
    "RAM policy": "https://ram.console.alibabacloud.com/policies",
    "OIDC provider": "https://ram.console.alibabacloud.com/providers",
    "log project": "https://sls.console.alibabacloud.com/lognext/profile",
    "bucket": "https://oss.console.alibabacloud.com/bucket",
    "object versions": "https://oss.console.alibabacloud.com/bucket",
    "unfinished uploads": "https://oss.console.alibabacloud.com/bucket",
}
"""Kinds that are in the cloud: where the console shows them."""
_COMMANDS = {
    "load balancer": (
        "aliyun slb SetLoadBalancerDeleteProtection --RegionId {region} --LoadBalancerId {id} --DeleteProtection off && "
        "aliyun slb DeleteLoadBalancer --RegionId {region} --LoadBalancerId {id}"
    ),
    "application load balancer": "aliyun alb DeleteLoadBalancer --region {region} --LoadBalancerId {id}",
    "network load balancer": "aliyun nlb DeleteLoadBalancer --region {region} --LoadBalancerId {id}",
    "public address": "aliyun vpc ReleaseEipAddress --RegionId {region} --AllocationId {id}",
    "security group": "aliyun ecs DeleteSecurityGroup --RegionId {region} --SecurityGroupId {id}",
    "VPC": "aliyun vpc DeleteVpc --RegionId {region} --VpcId {id}",
    "vSwitch": "aliyun vpc DeleteVSwitch --RegionId {region} --VSwitchId {id}",
    "NAT gateway": "aliyun vpc DeleteNatGateway --RegionId {region} --NatGatewayId {id} --Force true",
    "instance": "aliyun ecs DeleteInstance --RegionId {region} --InstanceId {id} --Force true",
    "disk": "aliyun ecs DeleteDisk --RegionId {region} --DiskId {id}",
    "scaling group": "aliyun ess DeleteScalingGroup --RegionId {region} --ScalingGroupId {id} --ForceDelete true",
    "node pool": "aliyun cs DELETE /clusters/{of}/nodepools/{id} --force true --region {region}",
    "cluster": "aliyun cs DELETE /clusters/{id} --region {region}",
    "RAM role": "aliyun ram DeleteRole --RoleName {id}",
    "RAM policy": "aliyun ram DeletePolicy --PolicyName {id}",
    "OIDC provider": "aliyun ims DeleteOIDCProvider --OIDCProviderName {id}",
    "log project": "aliyun sls DeleteProject --region {region} --project {id}",
    "bucket": "aliyun oss rb oss://{id} --region {region}",
    "object versions": "aliyun oss rm oss://{id} --recursive --force --all-versions --region {region}",
    "unfinished uploads": "aliyun oss rm oss://{id} --recursive --force --multipart --region {region}",
    "Namespace": "kubectl delete namespace {id}",
    "PersistentVolume": "kubectl delete persistentvolume {id}",
    "Node": "kubectl delete node {id}",
    "pods": "kubectl get pods --namespace {id}",
    "object": "kubectl delete {of} {id}",
}
SCAN_NAMES = {
    BUCKET: "bucket",
    NODE_POOL: "node pool",
    ROLE: "RAM role",
    POLICY: "RAM policy",
    NAMESPACE: "Namespace",
    MANAGED_CLUSTER: "cluster",
    "alicloud:vpc/network:Network": "VPC",
    "alicloud:vpc/switch:Switch": "vSwitch",
    "kubernetes:core/v1:PersistentVolume": "PersistentVolume",
}
"""Type token: what a look for remains calls it."""
KINDS = tuple(_COMMANDS)
"""Every kind of thing that is looked for."""


@dataclass(frozen=True)
class Leftover:
    """One resource that still exists."""

    kind: str
    """One of KINDS."""
    id: str
    why: str
    """By what it is known to be the stack's."""
    remove: str
    """Command that removes it."""
    where: str = ""
    """Its page in the console, "" inside the cluster."""


@dataclass(frozen=True)
class Doubtful:
    """A resource that may be the stack's or that of a stack of the same name with another cluster:
    nobody gets a command that deletes it.
    """

    kind: str
    id: str
    why: str
    """What speaks for this stack."""


@dataclass(frozen=True)
class Unseen:
    """A part that could not be read: something may be left there."""

    what: str
    why: str


def leftover(
    kind: str, identity: str, why: str, region: str, *, of: str = "", first: str = ""
) -> Leftover:
    """A leftover with the command that removes it. `of`: what it belongs to (a node pool's
    cluster); `first`: a command that has to run before.
    """
    words = {"id": shlex.quote(identity), "region": region, "of": of}
    remove = _COMMANDS[kind].format(**words)
    return Leftover(
        kind,
        identity,
        why,
        f"{first} && {remove}" if first else remove,
        CONSOLES.get(kind, "").format(region=region),
    )


def claimed(
    location: StackLocation,
    tags: Mapping[str, str],
    kind: str,
    identity: str,
    why: str,
    region: str,
) -> Iterator[Leftover | Doubtful]:
    """A resource of the cloud with these tags as what it is: a leftover, a doubtful one, or
    nothing where the tags say that it is somebody else's.
    """
    owner = location.owner(tags)
    if owner is Owner.OURS:
        yield leftover(kind, identity, why, region)
    elif owner is Owner.UNCLEAR:
        yield Doubtful(kind, identity, why)


@dataclass(frozen=True)
class Kept:
    """What stays on purpose and is therefore no leftover: (kind, id)."""

    kept_ids: frozenset[tuple[str, str]] = frozenset()

    def __contains__(self, resource: Leftover | Doubtful) -> bool:
        return (resource.kind, resource.id) in self.kept_ids

    def of(self, kind: str) -> frozenset[str]:
        """Ids of what stays, of one kind."""
        return frozenset(identity for other, identity in self.kept_ids if other == kind)


@dataclass(frozen=True)
class Remains:
    """Result of a scan: what still exists, and what could not be read."""

    leftovers: tuple[Leftover, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    doubtful: tuple[Doubtful, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether everything was read, and nothing is left or may be."""
        return not self.leftovers and not self.unseen and not self.doubtful


@dataclass(frozen=True)
class Report:
    """The result of one teardown."""

    stack: str
    where: str
    """Account, region and cluster, for the first line."""
    remains: Remains
    in_state: tuple[Resource, ...] = ()
    """What the state still names although it should have gone."""
    kept: tuple[Resource, ...] = ()
    """What stays on purpose."""

    @property
    def clean(self) -> bool:
        """Whether everything was read and nothing is left, in the cloud or in the state."""
        return self.remains.empty and not self.in_state

    def text(self) -> str:
        """The report as text for the terminal."""
        lines = [f"\nLooked at {self.where}."]
        if self.kept:
            lines += [
                "Stays on purpose:",
                *(
                    f"  {kind_of(resource)} {resource.id}"
                    for resource in self.kept
                    if resource.kind in SCAN_NAMES
                ),
            ]
        if self.in_state:
            lines += [
                f"Still in the state ({len(self.in_state)}):",
                *(f"  {kind_of(resource)} {resource.id}" for resource in self.in_state),
            ]
            lines += ["    make destroy deletes it"]
        if self.remains.leftovers:
            lines += [
                f"Left ({len(self.remains.leftovers)}):",
                *(row for resource in self.remains.leftovers for row in _rows(resource)),
            ]
        if self.remains.doubtful:
            lines += [
                f"Perhaps this stack's ({len(self.remains.doubtful)}); nothing tells whether it is this one's or another cluster's:",
                *(f"  {one.kind} {one.id}: {one.why}" for one in self.remains.doubtful),
                f"    a stack of that name with another cluster marks what it has at its next `make up` (tag {CLUSTER_TAG}); "
                "what is left here then is this one's",
            ]
        if self.remains.unseen:
            lines += [f"Not looked at ({len(self.remains.unseen)}); something may be left there:"]
            lines += [row for gap in self.remains.unseen for row in _gap(gap)]
        if self.clean:
            lines += [
                f"{self.stack}: nothing is left"
                + (" but what stays on purpose" if self.kept else "")
            ]
        else:
            lines += [
                f"{self.stack}: {len(self.remains.leftovers) + len(self.in_state)} left, "
                + (f"{len(self.remains.doubtful)} perhaps, " if self.remains.doubtful else "")
                + f"{len(self.remains.unseen)} not looked at"
            ]
        return "\n".join(lines)

    def document(self) -> dict[str, Any]:
        """The report as a JSON document."""
        return {
            "stack": self.stack,
            "clean": self.clean,
            "left": [dataclasses.asdict(resource) for resource in self.remains.leftovers],
            "doubtful": [dataclasses.asdict(resource) for resource in self.remains.doubtful],
            "unseen": [dataclasses.asdict(resource) for resource in self.remains.unseen],
            "inState": [{"urn": resource.urn, "id": resource.id} for resource in self.in_state],
            "kept": [{"urn": resource.urn, "id": resource.id} for resource in self.kept],
        }

    def write(self, path: str) -> None:
        """Writes the JSON document to `path`, unless that is ""."""
        if path:
            pathlib.Path(path).write_text(json.dumps(self.document(), indent=1) + "\n")


def _rows(left: Leftover) -> Sequence[str]:
    rows = [f"  {left.kind} {left.id}: {left.why}", f"    {left.remove}"]
    return [*rows, f"    {left.where}"] if left.where else rows


def _gap(gap: Unseen) -> Sequence[str]:
    return [f"  {gap.what}", f"    {gap.why}"]


def kind_of(resource: Resource) -> str:
    """Short name of the resource's type: the part after the last colon."""
    return resource.kind.rpartition(":")[2]
