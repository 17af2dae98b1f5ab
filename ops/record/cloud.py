"""What the cloud says of a live stack, read only: the pool's instances by ECS, the answers of its
route by the ingress log.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ops.cloud.client import Cloud, runtime, tag_filter
from ops.cloud.credentials import find_credentials, setting
from ops.cloud.errors import CredentialsError, explained
from ops.engine.stack_location import config_of, provider_config
from ops.record.log import Route, Row, rows, statement

GROUP_TAG = "acs:autoscaling:scalingGroupId"


def cloud_of(meta: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Cloud | None:
    """The cloud behind the stack of a run; None where there are no credentials for it. Its calls
    are made once: who polls asks again anyway.
    """
    config = provider_config(config_of(str(meta.get("stack") or "")))
    region = setting("region", {}, environ) or str(meta.get("region") or "")
    try:
        return Cloud(region, find_credentials(config, environ), attempts=1)
    except CredentialsError:
        return None


def scaling_group(cloud: Cloud, cluster: str, pool: str) -> str:
    """The id of the scaling group behind a node pool. Raises CloudError."""
    return cloud.cs(f"/clusters/{cluster}/nodepools/{pool}")["scaling_group"]["scaling_group_id"]


def instances(cloud: Cloud, group: str) -> list[dict[str, Any]]:
    """The scaling group's instances, booting ones too, with status, type and spot strategy. Raises
    CloudError.
    """
    tags = tag_filter({GROUP_TAG: group})
    return [
        {
            "status": row["Status"],
            "instance_type": row["InstanceType"],
            "spot_strategy": row["SpotStrategy"],
        }
        for row in cloud.pages("ecs", "DescribeInstances", "Instances", "Instance", **tags)
    ]


def answers(cloud: Cloud, route: Route, begin: int, end: int, deadline: float) -> list[Row]:
    """What the route answered, second by second from `begin` to `end` (unix seconds, end excluded);
    an answer after `deadline` seconds is late. Raises CloudError.
    """
    from alibabacloud_sls20201230.client import Client  # noqa: PLC0415 - 0.4 s that only a recorded real stack needs
    from alibabacloud_sls20201230.models import GetLogsV2Headers, GetLogsV2Request  # noqa: PLC0415 - as above

    client = Client(cloud.config(f"{cloud.region}.log.aliyuncs.com"))
    request = GetLogsV2Request(from_=begin, to=end, query=statement(route, deadline))
    with explained("sls GetLogsV2"):
        answer = client.get_logs_v2with_options(
            route.project, route.logstore, request, GetLogsV2Headers(), runtime()
        )
    return rows(answer.body.data or [])
