"""Scans clusters, node pools, scaling groups, instances and disks."""

from __future__ import annotations

from collections.abc import Iterator

from ops.cloud.client import ACK_TAG, Cloud, carries, tag_filter, tags_of
from ops.cloud.cluster_reader import GONE
from ops.cloud.errors import CloudError
from ops.engine.stack_location import StackLocation
from ops.teardown.leftovers import Doubtful, Leftover, claimed, leftover
from ops.teardown.scan_network import by_tags

GROUP_TAG = "acs:autoscaling:scalingGroupId"
"""On an instance that a scaling group ordered."""


def clusters(cloud: Cloud, location: StackLocation) -> Iterator[Leftover | Doubtful]:
    """Clusters that the stack made; one that it was given is not its to delete."""
    if not location.cluster_made:
        return
    for row in cloud.clusters():
        why = f"{row.get('name')} is {row.get('state')}; made by this stack"
        if row.get("cluster_id") == location.cluster:
            yield leftover("cluster", row["cluster_id"], why, cloud.region)
        else:
            tags = tags_of(row)
            yield from claimed(location, tags, "cluster", row["cluster_id"], why, cloud.region)


def node_pools(cloud: Cloud, location: StackLocation) -> Iterator[Leftover]:
    """Node pools in the stack's cluster by id, by tags, or by name where no tag contradicts."""
    for pool in pools_of(cloud, location.cluster):
        info, group = pool["nodepool_info"], pool.get("scaling_group") or {}
        row = {"Tags": group.get("tags") or []}
        marked = carries(row, location.tags) or location.is_pool_name(str(info.get("name", "")))
        if info["nodepool_id"] in location.pools or (
            marked and not location.contradicted_by(tags_of(row))
        ):
            why = f"{info.get('name')} in cluster {location.cluster} is {(pool.get('status') or {}).get('state')}"
            yield leftover("node pool", info["nodepool_id"], why, cloud.region, of=location.cluster)


def pools_of(cloud: Cloud, cluster: str) -> list[dict]:
    """All node pools of a cluster; [] for a cluster that is gone."""
    if not cluster:
        return []
    try:
        return cloud.cs(f"/clusters/{cluster}/nodepools").get("nodepools") or []
    except CloudError as error:
        if error.code in GONE or error.status == 404:
            return []
        raise


def scaling_groups(cloud: Cloud, location: StackLocation) -> Iterator[Leftover | Doubtful]:
    """Scaling groups by id or tags, and those of the stack's own cluster."""
    marks = [*by_tags(location)]
    for row in cloud.pages("ess", "DescribeScalingGroups", "ScalingGroups", "ScalingGroup"):
        identity = row["ScalingGroupId"]
        if identity in location.groups:
            why = "behind a node pool of this stack"
            yield leftover("scaling group", identity, why, cloud.region)
        elif why := next((why for tags, why in marks if carries(row, tags)), ""):
            tags = tags_of(row)
            yield from claimed(location, tags, "scaling group", identity, why, cloud.region)


def instances(cloud: Cloud, location: StackLocation) -> Iterator[Leftover | Doubtful]:
    """Instances with the stack's tags, those of its own cluster, and those whose scaling group no
    longer exists.
    """
    seen: set[str] = set()
    for tags, why in by_tags(location):
        for row in cloud.pages(
            "ecs", "DescribeInstances", "Instances", "Instance", **tag_filter(tags)
        ):
            if row["InstanceId"] not in seen and carries(row, tags):
                seen.add(row["InstanceId"])
                what = f"{row.get('InstanceType')}, {row.get('Status')}, {why}"
                yield from claimed(
                    location, tags_of(row), "instance", row["InstanceId"], what, cloud.region
                )
    tags = {ACK_TAG: location.cluster}
    held = {
        (pool.get("scaling_group") or {}).get("scaling_group_id")
        for pool in pools_of(cloud, location.cluster)
    }
    for row in (
        cloud.pages("ecs", "DescribeInstances", "Instances", "Instance", **tag_filter(tags))
        if location.cluster
        else ()
    ):
        group = tags_of(row).get(GROUP_TAG)
        if group and group not in held and row["InstanceId"] not in seen and carries(row, tags):
            why = f"ordered for cluster {location.cluster} by scaling group {group}, which is behind none of its node pools"
            yield leftover("instance", row["InstanceId"], why, cloud.region)


def disks(cloud: Cloud, location: StackLocation) -> Iterator[Leftover | Doubtful]:
    """Disks that are not deleted together with their instance."""
    for tags, why in by_tags(location):
        for row in cloud.pages("ecs", "DescribeDisks", "Disks", "Disk", **tag_filter(tags)):
            if carries(row, tags) and not row.get("DeleteWithInstance"):
                what = f"{row.get('Size')} GiB, {row.get('Status')}, {why}"
                yield from claimed(
                    location, tags_of(row), "disk", row["DiskId"], what, cloud.region
                )
