"""Rows in the log service of the double of the cloud, by Alibaba's own client."""

from __future__ import annotations

from alibabacloud_sls20201230 import models
from alibabacloud_sls20201230.client import Client

from lab.testing import clients
from lab.testing.cloud import CLUSTER, CloudDouble

PROJECT, STORE = f"k8s-log-{CLUSTER}", "nginx-ingress"
"""The ingress controller's."""


def client(lab: CloudDouble) -> Client:
    """The official client of the log service."""
    return Client(clients.tea_config(lab, "cn-shanghai.log.aliyuncs.com"))


def write(lab: CloudDouble, rows: list[tuple[int, dict[str, str]]], compress: str = "lz4") -> None:
    """PutLogs by the official SDK."""
    items = [
        models.LogItem(
            time=t, contents=[models.LogContent(key=k, value=v) for k, v in fields.items()]
        )
        for t, fields in rows
    ]
    group = models.LogGroup(log_items=items, topic="", source="10.0.0.80")
    headers = models.PutLogsHeaders(x_log_compresstype=compress)
    client(lab).put_logs_with_options(
        PROJECT, STORE, models.PutLogsRequest(body=group), headers, clients.runtime(lab)
    )
