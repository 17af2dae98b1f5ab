"""Waits, with progress, for what follows from a deletion and the engine does not see."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ops.cloud.client import ACK_TAG, Cloud, carries, tag_filter, tags_of
from ops.cloud.cluster_reader import ClusterError, ClusterReader
from ops.cloud.errors import CloudError
from ops.engine.stack_location import StackLocation
from ops.teardown import scan_store
from ops.teardown.scan_compute import GROUP_TAG, pools_of
from ops.teardown.scan_network import SERVICE_TAG, service_mark

PATIENCE = 600.0
SHORTEST, LONGEST, TELL = 0.3, 5.0, 15.0


def until_nothing(
    what: str,
    pending: Callable[[], list[str]],
    report: Callable[[str], None],
    patience: float = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Asks until `pending` names nothing; reports what it waits for whenever that changes, and
    every 15 seconds.

    Returns False when `patience` (seconds) ran out: the report names what is left then.
    """
    begun = time.monotonic()
    last_line, reported_at, pause = "", begun, SHORTEST
    while True:
        try:
            left = pending()
        except (CloudError, ClusterError) as error:
            left = [f"can't be looked at: {error}"]
        now = time.monotonic()
        if not left:
            if last_line:
                report(f"  {what}: done after {now - begun:.0f} s")
            return True
        line = f"{left[0]}{f' and {len(left) - 1} more' if len(left) > 1 else ''}"
        if line != last_line or now - reported_at >= TELL:
            report(f"  {what}: {line} ({now - begun:.0f} s)")
            last_line, reported_at = line, now
        if now - begun >= patience:
            report(f"  {what}: not waiting any longer; the report will name what is left")
            return False
        sleep(pause)
        pause = min(LONGEST, pause * 1.5)


@dataclass
class Watch:
    """What has to disappear. `marks`: tags of the load balancers of the stack's Services, noted
    before the Services were deleted.
    """

    cloud: Cloud
    location: StackLocation
    reader: ClusterReader | None
    namespace_stays: bool = False
    buckets_stay: frozenset[str] = frozenset()
    pools_stay: frozenset[str] = frozenset()
    marks: frozenset[str] = field(default_factory=frozenset)

    def note_services(self) -> None:
        """Notes the stack's Services with a load balancer of their own, before they are deleted."""
        services = (
            self.reader.items(f"/api/v1/namespaces/{self.location.namespace}/services")
            if self.reader
            else []
        )
        balanced = [item for item in services if item["spec"].get("type") == "LoadBalancer"]
        self.marks = frozenset(service_mark(item["metadata"]["uid"]) for item in balanced)

    def after(self, stage: str) -> list[tuple[str, Callable[[], list[str]]]]:
        """(what is waited for, function that lists what is pending) after a stage's resources were
        deleted.
        """
        return {
            "server": [("pods draining", self.pods), ("load balancers", self.balancers)],
            "volume": [("volumes released", self.volumes)],
            "node pool": [
                ("scaling activity", self.activities),
                ("instances released", self.instances),
            ],
            "store": [("buckets", self.buckets)],
            "cluster": [("cluster", self.clusters), ("load balancers", self.balancers)],
        }.get(stage, [])

    def balancers(self) -> list[str]:
        """Load balancers of the stack's Services; once the stack's own cluster is gone, that
        cluster's too.

        No deletion of this teardown removes others: waiting for them would be in vain, the scan
        finds them.
        """
        ids = [
            row["LoadBalancerId"]
            for mark in self.marks
            for row in self._classic({SERVICE_TAG: mark})
        ]
        if self.location.cluster_made and self.location.cluster and not self.clusters():
            ids += [
                row["LoadBalancerId"] for row in self._classic({ACK_TAG: self.location.cluster})
            ]
        return [f"load balancer {identity}" for identity in dict.fromkeys(ids)]

    def _classic(self, tags: dict[str, str]) -> Iterator[dict]:
        rows = self.cloud.pages(
            "slb", "DescribeLoadBalancers", "LoadBalancers", "LoadBalancer", **tag_filter(tags)
        )
        return (row for row in rows if carries(row, tags))

    def pods(self) -> list[str]:
        """Pods that are still terminating."""
        items = (
            self.reader.items(f"/api/v1/namespaces/{self.location.namespace}/pods")
            if self.reader
            else []
        )
        pods_left = [
            item
            for item in items
            if not self.namespace_stays or item["metadata"].get("deletionTimestamp")
        ]
        pods_left = [
            item
            for item in pods_left
            if (item.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        ]
        return [f"pod {item['metadata']['name']} ends" for item in pods_left if _owned(item)]

    def volumes(self) -> list[str]:
        """Volumes that still exist, or are still attached to a node."""
        if self.reader is None:
            return []
        names = {
            item["metadata"]["name"] for item in self.reader.items("/api/v1/persistentvolumes")
        } & self.location.volumes
        attached = self.reader.items("/apis/storage.k8s.io/v1/volumeattachments")
        attached_names = {
            attachment["spec"]["source"].get("persistentVolumeName") for attachment in attached
        } & self.location.volumes
        return [f"volume {name}" for name in sorted(names)] + [
            f"volume {name} is attached" for name in sorted(filter(None, attached_names))
        ]

    def activities(self) -> list[str]:
        """Scaling activities in progress."""
        pending = []
        for group in sorted(self.location.groups):
            try:
                rows = list(
                    self.cloud.pages(
                        "ess",
                        "DescribeScalingActivities",
                        "ScalingActivities",
                        "ScalingActivity",
                        ScalingGroupId=group,
                    )
                )
            except CloudError as error:
                if "NotFound" in error.code or error.status == 404:
                    continue
                raise
            pending += [
                f"scaling activity {row['ScalingActivityId']}"
                for row in rows
                if row.get("StatusCode") == "InProgress"
            ]
        return pending

    def instances(self) -> list[str]:
        """Node pools that are being deleted, and instances of their scaling groups."""
        pools = [
            pool["nodepool_info"]["nodepool_id"]
            for pool in pools_of(self.cloud, self.location.cluster)
        ]
        going = [
            f"node pool {identity}"
            for identity in pools
            if identity in self.location.pools - self.pools_stay
        ]
        tags = self.location.tags
        rows = self.cloud.pages(
            "ecs", "DescribeInstances", "Instances", "Instance", **tag_filter(tags)
        )
        left = [
            row
            for row in rows
            if carries(row, tags) and tags_of(row).get(GROUP_TAG) in self.location.groups
        ]
        return going + [f"instance {row['InstanceId']} is {row.get('Status')}" for row in left]

    def buckets(self) -> list[str]:
        """The stack's buckets that still exist."""
        going = self.location.buckets - self.buckets_stay
        return [f"bucket {name}" for name in scan_store.names(self.cloud) if name in going]

    def clusters(self) -> list[str]:
        """The cluster, if the stack made it and it still exists."""
        if not self.location.cluster_made or not self.location.cluster:
            return []
        rows = self.cloud.clusters()
        return [
            f"cluster {row['cluster_id']} is {row.get('state')}"
            for row in rows
            if row.get("cluster_id") == self.location.cluster
        ]


def _owned(item: dict) -> bool:
    """Whether a controller made the pod: one somebody started by hand goes with the namespace."""
    return bool(item["metadata"].get("ownerReferences"))
