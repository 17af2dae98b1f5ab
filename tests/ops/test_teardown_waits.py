"""What is waited for after each stage: what the deletion takes along, and nothing else."""

from __future__ import annotations

from typing import Any

from ops.cloud.errors import CloudError
from ops.engine.stack_location import StackLocation
from ops.teardown.plan import STAGES
from ops.teardown.scan_network import service_mark
from ops.teardown.waits import Watch
from tests.ops.test_teardown_guard import FakeCloud
from tests.ops.test_teardown_report import FakeReader

PLACE = StackLocation(
    "local", cluster="c1", namespace="inference", pools=frozenset({"np-1"}), groups=frozenset({"asg-1"}),
    volumes=frozenset({"pv-1"}), buckets=frozenset({"models"}),
)  # fmt: skip
TAGS = {
    "Tag": [
        {"TagKey": "project", "TagValue": "elastic-inference"},
        {"TagKey": "stack", "TagValue": "local"},
    ]
}


class Region(FakeCloud):
    """Rows by action."""

    def __init__(self, rows: dict[str, list[dict[str, Any]]], pools: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.rows, self.pools = rows, pools

    def pages(self, product: str, action: str, outer: str, inner: str, **parameters: Any) -> Any:
        """All of them."""
        if action not in self.rows:
            raise CloudError(f"{product} {action}", "InvalidScalingGroupId.NotFound", "gone", 404)
        return iter(self.rows[action])

    def cs(self, path: str, **query: Any) -> Any:
        """Node pools."""
        return {"nodepools": [{"nodepool_info": {"nodepool_id": one}} for one in self.pools]}


def pod(
    name: str, *, owned: bool = True, leaving: bool = False, phase: str = "Running"
) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": name,
        "ownerReferences": [{"kind": "ReplicaSet"}] if owned else [],
    }
    return {
        "metadata": metadata | ({"deletionTimestamp": "now"} if leaving else {}),
        "status": {"phase": phase},
    }


def test_every_stage_but_the_first_has_something_to_wait_for() -> None:
    watch = Watch(Region({}), PLACE, None)
    assert [stage for stage in STAGES if not watch.after(stage)] == ["entry"]


def test_a_service_s_load_balancer_is_waited_for_and_one_left_behind_is_not() -> None:
    services = [
        {"metadata": {"uid": "a-1"}, "spec": {"type": "LoadBalancer"}},
        {"metadata": {"uid": "b-2"}, "spec": {"type": "ClusterIP"}},
    ]
    reader = FakeReader({"/api/v1/namespaces/inference/services": {"items": services}})
    mark = {"TagKey": "kubernetes.do.not.delete", "TagValue": service_mark("a-1")}
    region = Region(
        {
            "DescribeLoadBalancers": [
                {"LoadBalancerId": "lb-1", "Tags": {"Tag": [mark]}},
                {"LoadBalancerId": "lb-2", "Tags": TAGS},
            ]
        }
    )
    watch = Watch(region, PLACE, reader)
    assert watch.balancers() == [], "its Services were not noted, or have none"
    watch.note_services()
    assert watch.balancers() == ["load balancer lb-1"]


def test_pods_of_controllers_are_waited_for_until_they_have_ended() -> None:
    pods = [
        pod("serving"),
        pod("by-hand", owned=False),
        pod("done", phase="Succeeded"),
        pod("leaving", leaving=True),
    ]
    reader = FakeReader({"/api/v1/namespaces/inference/pods": {"items": pods}})
    assert Watch(Region({}), PLACE, reader).pods() == ["pod serving ends", "pod leaving ends"]
    assert Watch(Region({}), PLACE, reader, namespace_stays=True).pods() == ["pod leaving ends"], (
        "the namespace is others' too"
    )


def test_a_volume_is_released_when_it_is_neither_there_nor_attached() -> None:
    attachment = {"spec": {"source": {"persistentVolumeName": "pv-1"}}}
    reader = FakeReader(
        {
            "/api/v1/persistentvolumes": {
                "items": [{"metadata": {"name": "pv-1"}}, {"metadata": {"name": "another"}}]
            },
            "/apis/storage.k8s.io/v1/volumeattachments": {"items": [attachment]},
        }
    )
    assert Watch(Region({}), PLACE, reader).volumes() == ["volume pv-1", "volume pv-1 is attached"]
    assert Watch(Region({}), PLACE, None).volumes() == [], "a cluster that is gone holds none"


def test_a_scaling_group_that_is_gone_is_about_nothing_and_one_that_is_there_may_be() -> None:
    going = [
        {"ScalingActivityId": "asa-1", "StatusCode": "InProgress"},
        {"ScalingActivityId": "asa-2", "StatusCode": "Successful"},
    ]
    assert Watch(Region({"DescribeScalingActivities": going}), PLACE, None).activities() == [
        "scaling activity asa-1"
    ]
    assert Watch(Region({}), PLACE, None).activities() == []


def test_instances_of_the_pool_are_waited_for_and_the_pool_itself() -> None:
    group = {"TagKey": "acs:autoscaling:scalingGroupId", "TagValue": "asg-1"}
    rows = [
        {"InstanceId": "i-1", "Status": "Stopping", "Tags": {"Tag": [*TAGS["Tag"], group]}},
        {"InstanceId": "i-2", "Status": "Running", "Tags": TAGS},
    ]
    watch = Watch(Region({"DescribeInstances": rows}, pools=("np-1", "np-2")), PLACE, None)
    assert watch.instances() == ["node pool np-1", "instance i-1 is Stopping"]
    kept = Watch(
        Region({"DescribeInstances": []}, pools=("np-1",)),
        PLACE,
        None,
        pools_stay=frozenset({"np-1"}),
    )
    assert kept.instances() == []
