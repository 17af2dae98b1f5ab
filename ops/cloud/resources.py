"""Looks up resources of this program in the cloud by what the program asked for: their ids by name,
when they were created, and node pools that exist twice.

`python -m ops.cloud.resources PROVIDER QUESTION ARGUMENTS` answers one question with one line of
JSON; the commands start it where the stack's region can be reached (ops/engine/cloud_resources.py,
ops/engine/duplicate_node_pools.py). PROVIDER: the stack's configuration of the alicloud provider,
as JSON.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from ops.cloud.client import Cloud
from ops.cloud.errors import CloudError

Inputs = Mapping[str, Any]
BUCKET = "alicloud:oss/bucket:Bucket"
ROLE, POLICY = "alicloud:ram/role:Role", "alicloud:ram/policy:Policy"
POLICY_ATTACHMENT = "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment"
NETWORK, VSWITCH = "alicloud:vpc/network:Network", "alicloud:vpc/switch:Switch"
MANAGED_CLUSTER = "alicloud:cs/managedKubernetes:ManagedKubernetes"
NODE_POOL = "alicloud:cs/nodePool:NodePool"


def node_pools(cloud: Cloud, cluster: str, name: str) -> list[dict[str, Any]]:
    """The cluster's node pools of this name, each as its `nodepool_info`. Raises CloudError."""
    pools = cloud.cs(f"/clusters/{cluster}/nodepools").get("nodepools") or []
    return [pool["nodepool_info"] for pool in pools if pool["nodepool_info"].get("name") == name]


def _clusters(cloud: Cloud, name: str) -> list[dict[str, Any]]:
    """The clusters of this name; the service allows one."""
    rows = cloud.cs("/api/v1/clusters", name=name).get("clusters") or []
    return [row for row in rows if row.get("name") == name]


def _network_ids(cloud: Cloud, inputs: Inputs) -> list[str]:
    rows = cloud.rpc(
        "vpc", "DescribeVpcs", RegionId=cloud.region, VpcName=inputs["vpcName"], PageSize=50
    )["Vpcs"]["Vpc"]
    wanted = (inputs["vpcName"], inputs["cidrBlock"])
    return [row["VpcId"] for row in rows if (row["VpcName"], row["CidrBlock"]) == wanted]


def _vswitch_ids(cloud: Cloud, inputs: Inputs) -> list[str]:
    rows = cloud.rpc(
        "vpc", "DescribeVSwitches", RegionId=cloud.region, VpcId=inputs["vpcId"], PageSize=50
    )["VSwitches"]["VSwitch"]
    wanted = (inputs["vpcId"], inputs["cidrBlock"])
    return [row["VSwitchId"] for row in rows if (row["VpcId"], row["CidrBlock"]) == wanted]


def _cluster_ids(cloud: Cloud, inputs: Inputs) -> list[str]:
    return [row["cluster_id"] for row in _clusters(cloud, inputs["name"])]


def _node_pool_ids(cloud: Cloud, inputs: Inputs) -> list[str]:
    pools = node_pools(cloud, inputs["clusterId"], inputs["nodePoolName"])
    return [f"{inputs['clusterId']}:{pool['nodepool_id']}" for pool in pools]


IDS_BY_NAME: dict[str, Callable[[Cloud, Inputs], list[str]]] = {
    NODE_POOL: _node_pool_ids,
    NETWORK: _network_ids,
    VSWITCH: _vswitch_ids,
    MANAGED_CLUSTER: _cluster_ids,
}
"""Types whose ids the service draws: how the ids are looked up by name and place."""


def _role_created(cloud: Cloud, inputs: Inputs) -> str:
    return cloud.rpc("ram", "GetRole", RoleName=inputs["roleName"])["Role"]["CreateDate"]


def _policy_created(cloud: Cloud, inputs: Inputs) -> str:
    answer = cloud.rpc("ram", "GetPolicy", PolicyName=inputs["policyName"], PolicyType="Custom")
    return answer["Policy"]["CreateDate"]


def _attachment_created(cloud: Cloud, inputs: Inputs) -> str | None:
    answer = cloud.rpc("ram", "ListPoliciesForRole", RoleName=inputs["roleName"])
    dates = (
        policy["AttachDate"]
        for policy in answer["Policies"]["Policy"]
        if policy["PolicyName"] == inputs["policyName"]
    )
    return next(dates, None)


def _bucket_created(cloud: Cloud, inputs: Inputs) -> str:
    return cloud.object_storage(
        "GetBucketInfo", cloud.bucket(inputs["bucket"]).get_bucket_info
    ).creation_date


def _cluster_created(cloud: Cloud, inputs: Inputs) -> str | None:
    return next((row["created"] for row in _clusters(cloud, inputs["name"])), None)


CREATION_DATES: dict[str, Callable[[Cloud, Inputs], str | None]] = {
    BUCKET: _bucket_created,
    ROLE: _role_created,
    POLICY: _policy_created,
    POLICY_ATTACHMENT: _attachment_created,
    MANAGED_CLUSTER: _cluster_created,
}
"""Types of which only one resource can have a name: how its creation date is asked for."""


def find_id(cloud: Cloud, resource_type: str, inputs: Inputs) -> str | None:
    """The id of the resource with the name in these inputs, None when there is none. Raises
    CloudError when several carry it: it is ambiguous which one is ours.
    """
    ids = IDS_BY_NAME[resource_type](cloud, inputs)
    if len(ids) > 1:
        name = inputs.get("nodePoolName") or inputs.get("vpcName") or inputs.get("name")
        raise CloudError(
            f"{resource_type} {name}",
            "ambiguous",
            f"there are {len(ids)} of this name ({', '.join(ids)}): it is ambiguous which one an interrupted update ordered; "
            "delete the one that serves nothing, then run the same command again",
        )
    return ids[0] if ids else None


def created_at(cloud: Cloud, resource_type: str, inputs: Inputs) -> float | None:
    """When the resource with the name in these inputs was created (epoch seconds), None when there
    is none. Raises CloudError.
    """
    try:
        date = CREATION_DATES[resource_type](cloud, inputs)
    except CloudError as error:
        if error.not_found:
            return None
        raise
    return epoch_seconds(date) if date else None


def delete_duplicate_node_pools(
    cloud: Cloud, cluster: str, name: str, ours: set[str], since: float
) -> list[str]:
    """Deletes the cluster's node pools of this name that were created since then (epoch seconds)
    and are not `ours` (`CLUSTER:POOL`); returns their ids. Deletes nothing when no pool is ours.
    Raises CloudError.
    """
    pools = node_pools(cloud, cluster, name)
    if not any(f"{cluster}:{pool['nodepool_id']}" in ours for pool in pools):
        return []
    duplicates = [
        pool["nodepool_id"]
        for pool in pools
        if f"{cluster}:{pool['nodepool_id']}" not in ours
        and epoch_seconds(pool["created"]) >= since
    ]
    for pool in duplicates:
        cloud.write_cs("DELETE", f"/clusters/{cluster}/nodepools/{pool}", force="true")
    return duplicates


def epoch_seconds(date: str) -> float:
    """Seconds since 1970 of a time as the services write it, such as 2026-11-22T10:00:00Z."""
    return datetime.datetime.fromisoformat(date.replace("Z", "+00:00")).timestamp()


def main() -> int:
    """Answers one question with one line of JSON. Exit status 1, with one message, when the cloud
    does not answer it.
    """
    parser = argparse.ArgumentParser(prog="python -m ops.cloud.resources")
    parser.add_argument("provider", type=json.loads)
    questions = parser.add_subparsers(dest="question", required=True)
    for question in ("find-id", "created-at"):
        asked = questions.add_parser(question)
        asked.add_argument("type")
        asked.add_argument("inputs", type=json.loads)
    duplicates = questions.add_parser("delete-duplicate-node-pools")
    duplicates.add_argument("cluster")
    duplicates.add_argument("name")
    duplicates.add_argument("ours", type=json.loads)
    duplicates.add_argument("since", type=float)
    options = parser.parse_args()
    try:
        cloud = Cloud.of_provider(options.provider)
        answer: Any
        if options.question == "find-id":
            answer = find_id(cloud, options.type, options.inputs)
        elif options.question == "created-at":
            answer = created_at(cloud, options.type, options.inputs)
        else:
            answer = delete_duplicate_node_pools(
                cloud, options.cluster, options.name, set(options.ours), options.since
            )
    except CloudError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
