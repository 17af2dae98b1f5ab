"""Looks up what an id does not follow from: the node pool that an interrupted update may have ordered."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from ops.pulumi import ROOT, CommandFailed, Stack, environment


def node_pool_id(stack: Stack, cluster: str, name: str) -> str | None:
    """`<cluster>:<node pool>` of the pool with this name, None when there is none. Asked with the stack's own credentials."""
    prefix = [sys.executable, "-m", "lab", "exec", "--"] if stack.in_lab else []
    command = [*prefix, sys.executable, "-m", "ops.lookup", cluster, name]
    answer = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120)
    if answer.returncode != 0:
        print(answer.stderr, file=sys.stderr)
        raise CommandFailed(command, answer.returncode)
    return json.loads(answer.stdout.splitlines()[-1])


def ask(cluster: str, name: str) -> str | None:
    """The same, from where the region can be reached. A name that two pools carry is an error: which one was ours can't be told."""
    from alibabacloud_cs20151215.client import Client
    from alibabacloud_cs20151215.models import DescribeClusterNodePoolsRequest
    from alibabacloud_tea_openapi.models import Config

    region = os.environ["ALICLOUD_REGION"]
    client = Client(
        Config(
            access_key_id=os.environ["ALICLOUD_ACCESS_KEY"],
            access_key_secret=os.environ["ALICLOUD_SECRET_KEY"],
            security_token=os.environ.get("ALICLOUD_SECURITY_TOKEN", ""),
            region_id=region,
            endpoint=f"cs.{region}.aliyuncs.com",
        )
    )
    pools = client.describe_cluster_node_pools(cluster, DescribeClusterNodePoolsRequest()).body.nodepools or []
    ids = [str(pool.nodepool_info.nodepool_id) for pool in pools if pool.nodepool_info.name == name]
    if len(ids) > 1:
        raise SystemExit(
            f"error: cluster {cluster} has {len(ids)} node pools named {name} ({', '.join(ids)}): which one an interrupted update ordered "
            "can't be told; delete the one that serves nothing, then run the same command again"
        )
    return f"{cluster}:{ids[0]}" if ids else None


if __name__ == "__main__":
    print(json.dumps(ask(*sys.argv[1:3])))
