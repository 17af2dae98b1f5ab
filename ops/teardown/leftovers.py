"""What a look for remains turns up, and the command that removes each kind of thing."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

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
KINDS = tuple(_COMMANDS)
"""Every kind of thing that is looked for."""


@dataclass(frozen=True)
class Leftover:
    """One thing that is still there."""

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
class Unseen:
    """Something that could not be looked at: nobody knows whether anything of it is left."""

    what: str
    why: str


def leftover(
    kind: str, identity: str, why: str, region: str, *, of: str = "", first: str = ""
) -> Leftover:
    """A thing with its command; `of` is what it is in (a node pool's cluster), `first` a command
    that has to come before.
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
