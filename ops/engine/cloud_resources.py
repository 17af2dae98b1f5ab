"""Looks up what an interrupted or unanswered call left: the node pool it ordered, and whether and
when a thing with a known name was made.

Asked with the stack's own credentials, from where the region can be reached.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from ops.engine.cli import ROOT, CommandFailed, Stack, environment

Inputs = dict[str, Any]
NODE_POOL = "alicloud:cs/nodePool:NodePool"
RAM, VPC = "2015-05-01", "2016-04-28"
CLOCKS_DIFFER = 300
"""Seconds by which this machine's clock and the cloud's may differ, for whoever asks when something
was made.
"""


def id_by_name(stack: Stack, kind: str, inputs: Inputs) -> str | None:
    """The id of the thing that these inputs name, None when there is none."""
    return asked(stack, "found", kind, json.dumps(inputs))


def made_at(stack: Stack, kind: str, inputs: Inputs) -> float | None:
    """When the thing that these inputs name was made (epoch seconds), None when it does not exist
    or this kind can't be asked for.
    """
    return asked(stack, "made", kind, json.dumps(inputs)) if kind in MADE else None


def asked(stack: Stack, *question: str) -> Any:
    """The answer to one question. Raises CommandFailed, after what went wrong has been printed."""
    command = stack.inside(sys.executable, "-m", "ops.engine.cloud_resources", *question)
    answer = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120
    )
    if answer.returncode != 0:
        print(answer.stderr, file=sys.stderr)
        raise CommandFailed(command, answer.returncode)
    return json.loads(answer.stdout.splitlines()[-1])


def pools(cluster: str, name: str) -> list[Any]:
    """What the cluster's node pools of this name say of themselves."""
    from alibabacloud_cs20151215.models import DescribeClusterNodePoolsRequest

    listed = (
        container_service()
        .describe_cluster_node_pools(cluster, DescribeClusterNodePoolsRequest())
        .body.nodepools
        or []
    )
    return [found.nodepool_info for found in listed if found.nodepool_info.name == name]


def container_service() -> Any:
    """A client of the container service."""
    from alibabacloud_cs20151215.client import Client

    return Client(_config(f"cs.{os.environ['ALICLOUD_REGION']}.aliyuncs.com"))


def _config(endpoint: str) -> Any:
    from alibabacloud_tea_openapi.models import Config

    return Config(
        access_key_id=os.environ["ALICLOUD_ACCESS_KEY"],
        access_key_secret=os.environ["ALICLOUD_SECRET_KEY"],
        security_token=os.environ.get("ALICLOUD_SECURITY_TOKEN", ""),
        region_id=os.environ["ALICLOUD_REGION"],
        endpoint=endpoint,
    )


def call(product: str, version: str, action: str, **parameters: str) -> dict[str, Any]:
    """One RPC call; the answer's body."""
    from alibabacloud_tea_openapi.client import Client
    from alibabacloud_tea_openapi.models import OpenApiRequest, Params
    from darabonba.runtime import RuntimeOptions

    form = {
        "protocol": "HTTPS",
        "pathname": "/",
        "method": "POST",
        "auth_type": "AK",
        "style": "RPC",
    }
    params = Params(
        action=action, version=version, req_body_type="formData", body_type="json", **form
    )
    region = os.environ["ALICLOUD_REGION"]
    endpoint = "ram.aliyuncs.com" if product == "ram" else f"{product}.{region}.aliyuncs.com"
    query = parameters if product == "ram" else {"RegionId": region, **parameters}
    return Client(_config(endpoint)).call_api(
        params, OpenApiRequest(query=query), RuntimeOptions()
    )["body"]


def _role(inputs: Inputs) -> str:
    return call("ram", RAM, "GetRole", RoleName=inputs["roleName"])["Role"]["CreateDate"]


def _policy(inputs: Inputs) -> str:
    return call("ram", RAM, "GetPolicy", PolicyName=inputs["policyName"], PolicyType="Custom")[
        "Policy"
    ]["CreateDate"]


def _attachment(inputs: Inputs) -> str | None:
    listed = call("ram", RAM, "ListPoliciesForRole", RoleName=inputs["roleName"])["Policies"][
        "Policy"
    ]
    return next(
        (found["AttachDate"] for found in listed if found["PolicyName"] == inputs["policyName"]),
        None,
    )


def _bucket(inputs: Inputs) -> str:
    import oss2

    region, token = os.environ["ALICLOUD_REGION"], os.environ.get("ALICLOUD_SECURITY_TOKEN")
    keys = (os.environ["ALICLOUD_ACCESS_KEY"], os.environ["ALICLOUD_SECRET_KEY"])
    auth = oss2.StsAuth(*keys, token, auth_version="v4") if token else oss2.AuthV4(*keys)
    bucket = oss2.Bucket(
        auth, f"https://oss-{region}.aliyuncs.com", inputs["bucket"], region=region
    )
    return bucket.get_bucket_info().creation_date


def _managed_cluster(inputs: Inputs) -> str | None:
    return next((found.created for found in clusters(inputs["name"])), None)


MADE: dict[str, Callable[[Inputs], str | None]] = {
    "alicloud:oss/bucket:Bucket": _bucket,
    "alicloud:ram/role:Role": _role,
    "alicloud:ram/policy:Policy": _policy,
    "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment": _attachment,
    "alicloud:cs/managedKubernetes:ManagedKubernetes": _managed_cluster,
}
"""Kinds of which there is only one with a name: how it is asked when that one was made."""


def _network(inputs: Inputs) -> list[str]:
    listed = call("vpc", VPC, "DescribeVpcs", VpcName=inputs["vpcName"], PageSize="50")["Vpcs"][
        "Vpc"
    ]
    return [
        found["VpcId"]
        for found in listed
        if (found["VpcName"], found["CidrBlock"]) == (inputs["vpcName"], inputs["cidrBlock"])
    ]


def _vswitch(inputs: Inputs) -> list[str]:
    listed = call("vpc", VPC, "DescribeVSwitches", VpcId=inputs["vpcId"], PageSize="50")[
        "VSwitches"
    ]["VSwitch"]
    return [
        found["VSwitchId"]
        for found in listed
        if (found["VpcId"], found["CidrBlock"]) == (inputs["vpcId"], inputs["cidrBlock"])
    ]


def clusters(name: str) -> list[Any]:
    """What the clusters of this name say of themselves; the service allows one."""
    from alibabacloud_cs20151215.models import DescribeClustersV1Request

    listed = (
        container_service().describe_clusters_v1(DescribeClustersV1Request(name=name)).body.clusters
        or []
    )
    return [found for found in listed if found.name == name]


def _cluster(inputs: Inputs) -> list[str]:
    return [found.cluster_id for found in clusters(inputs["name"])]


def _node_pool(inputs: Inputs) -> list[str]:
    return [
        f"{inputs['clusterId']}:{found.nodepool_id}"
        for found in pools(inputs["clusterId"], inputs["nodePoolName"])
    ]


FOUND: dict[str, Callable[[Inputs], list[str]]] = {
    NODE_POOL: _node_pool,
    "alicloud:vpc/network:Network": _network,
    "alicloud:vpc/switch:Switch": _vswitch,
    "alicloud:cs/managedKubernetes:ManagedKubernetes": _cluster,
}
"""Kinds whose id is drawn by the service: how their ids are found by name and place."""


def found(kind: str, inputs: str) -> str | None:
    """See `id_by_name`. A name that two carry is an error: which one was ours can't be told."""
    wanted = json.loads(inputs)
    ids = FOUND[kind](wanted)
    if len(ids) > 1:
        name = wanted.get("nodePoolName") or wanted.get("vpcName") or wanted.get("name")
        raise SystemExit(
            f"error: there are {len(ids)} things of kind {kind} named {name} ({', '.join(ids)}): which one an interrupted update ordered "
            "can't be told; delete the one that serves nothing, then run the same command again"
        )
    return ids[0] if ids else None


def made(kind: str, inputs: str) -> float | None:
    """See `made_at`."""
    try:
        found = MADE[kind](json.loads(inputs))
    except Exception as error:
        if "NotExist" in str(error) or "NoSuch" in str(error):
            return None
        raise SystemExit(f"error: can't look up {kind}: {error}") from None
    return epoch(found) if found else None


def epoch(text: str) -> float:
    """Seconds since 1970 of a time as the services write it, such as 2026-11-22T10:00:00Z."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


if __name__ == "__main__":
    print(json.dumps({"found": found, "made": made}[sys.argv[1]](*sys.argv[2:])))
