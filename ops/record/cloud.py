"""What the cloud says of a live stack, read only: the pool's instances by ECS, the answers of its
route by the ingress log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.record.log import Route, Row, rows, statement

PAGE = 100
GROUP_TAG = "acs:autoscaling:scalingGroupId"
KEYS = (
    ("ALICLOUD_ACCESS_KEY", "ALICLOUD_SECRET_KEY"),
    ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
)
TOKENS = ("ALICLOUD_SECURITY_TOKEN", "ALIBABA_CLOUD_SECURITY_TOKEN")


@dataclass(frozen=True)
class Cloud:
    """One region with one identity. Calls raise what the SDKs raise."""

    region: str
    key: str
    secret: str
    token: str = ""
    trust: str | None = None
    """CA file, where it isn't the system's."""

    @classmethod
    def of(cls, environ: Mapping[str, str], region: str) -> Cloud | None:
        """The identity that the environment holds, as the provider reads it; None when it holds
        none.
        """
        for key, secret in KEYS:
            if environ.get(key) and environ.get(secret):
                token = next((environ[name] for name in TOKENS if environ.get(name)), "")
                return cls(
                    environ.get("ALICLOUD_REGION") or region,
                    environ[key],
                    environ[secret],
                    token,
                    environ.get("SSL_CERT_FILE"),
                )
        return None

    def group(self, cluster: str, pool: str) -> str:
        """The scaling group behind a node pool."""
        from aliyunsdkcore.request import CommonRequest

        asked = CommonRequest(
            f"cs.{self.region}.aliyuncs.com",
            "2015-12-15",
            uri_pattern=f"/clusters/{cluster}/nodepools/{pool}",
        )
        asked.set_method("GET")
        return self._ask(asked)["scaling_group"]["scaling_group_id"]

    def instances(self, group: str) -> list[dict[str, Any]]:
        """The group's instances with state, type and how they are paid, booting ones too."""
        from aliyunsdkcore.request import CommonRequest

        found: list[dict[str, Any]] = []
        while True:
            asked = CommonRequest(
                f"ecs.{self.region}.aliyuncs.com", "2014-05-26", "DescribeInstances"
            )
            asked.set_method("POST")
            wanted = {
                "RegionId": self.region,
                "Tag.1.Key": GROUP_TAG,
                "Tag.1.Value": group,
                "PageSize": PAGE,
            }
            for name, value in {**wanted, "PageNumber": len(found) // PAGE + 1}.items():
                asked.add_query_param(name, str(value))
            answer = self._ask(asked)
            page = answer["Instances"]["Instance"]
            found += page
            if len(page) < PAGE or len(found) >= answer["TotalCount"]:
                return [
                    {
                        "status": i["Status"],
                        "instance_type": i["InstanceType"],
                        "spot_strategy": i["SpotStrategy"],
                    }
                    for i in found
                ]

    def answers(self, route: Route, begin: int, end: int, deadline: float) -> list[Row]:
        """What the route answered, second by second from `begin` to `end` (unix seconds, end
        excluded).
        """
        from alibabacloud_sls20201230.client import Client
        from alibabacloud_sls20201230.models import GetLogsV2Headers, GetLogsV2Request
        from alibabacloud_tea_openapi.models import Config
        from alibabacloud_tea_util.models import RuntimeOptions

        trust: dict[str, Any] = {"ca": self.trust} if self.trust else {}
        token: dict[str, Any] = {"security_token": self.token} if self.token else {}
        config = Config(
            access_key_id=self.key, access_key_secret=self.secret, endpoint=f"{self.region}.log.aliyuncs.com", region_id=self.region,
            protocol="https", **trust, **token,
        )  # fmt: skip
        asked = GetLogsV2Request(from_=begin, to=end, query=statement(route, deadline))
        options: Any = RuntimeOptions(
            connect_timeout=5000, read_timeout=20000, **trust
        )  # the SDK's own, which its types don't know
        answer = Client(config).get_logs_v2with_options(
            route.project, route.logstore, asked, GetLogsV2Headers(), options
        )
        return rows(answer.body.data or [])

    def _ask(self, request: Any) -> Any:
        from aliyunsdkcore.auth.credentials import StsTokenCredential
        from aliyunsdkcore.client import AcsClient

        request.set_protocol_type("https")
        more: dict[str, Any] = (
            {"credential": StsTokenCredential(self.key, self.secret, self.token)}
            if self.token
            else {}
        )
        client = AcsClient(
            self.key, self.secret, self.region, timeout=15, verify=self.trust, **more
        )
        return json.loads(client.do_action_with_exception(request) or b"null")
