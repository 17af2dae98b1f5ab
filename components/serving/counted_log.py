"""The log whose lines the HPA counts: ACK's own access log, or one of the requests that reached a
model server (tutorial step 5).

ACK's access log has a line for every request of the route, refused logins and limited requests
among them, and the metrics adapter counts lines. With `autoscaler.countedRequests: served` the
stack has a logstore and a log pipeline of its own, which keeps a line only if the controller passed
the request on to a pod. Source of the kind, its fields and plugins: "Collect container logs by
Kubernetes CRD" and "AliyunPipelineConfig parameters" in the log service's documentation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_alicloud as alicloud
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.component import Component
from components.compute.prerequisites import ClusterContext
from settings import Settings

LOGSTORES = {"nginx": "nginx-ingress", "alb": "alb_ingress"}
"""ACK's logstore by ingress controller."""
CONTROLLER_CONTAINER = "nginx-ingress-controller"
DAYS = 3
"""How long lines are kept. The metric reads the last 100 seconds; the rest is for looking back."""
READY_SECONDS = 180
"""How long a run waits for the operator to take the pipeline."""
COUNTS_REFUSED = (
    "autoscaler.countedRequests is all: refused logins and limited requests count as load, and whoever reaches the endpoint can order "
    "nodes without a password. Set autoscaler.countedRequests to served."
)

_LIST = r"[^\s,]+(?:(?:,| :) [^\s,]+)*"
"""A value of each server that was tried, as nginx writes $upstream_addr and its like."""
LINE = (
    r'[^"]* "[^"]*" (\d+) \d+ "[^"]*" "[^"]*" (\d+) ([\d.]+) \[([^\]\s]*)\] '
    rf"({_LIST}) {_LIST} {_LIST} ({_LIST}) \S+.*"
)
"""ACK's `log-format-upstream`. It hangs on the quotes: nginx writes a quote inside a value as
\\x22, so that no client can forge the rest of a line by its user name, its URL or its headers.
"""
KEYS = (
    "status",
    "request_length",
    "request_time",
    "proxy_upstream_name",
    "upstream_addr",
    "upstream_status",
)
"""The groups of LINE, with the names that ACK's own log has. No address, URL or user is kept."""
_NUMBERS = {"status": "long", "request_length": "long", "request_time": "double"}
_TOKENS = ", '\";=()[]{}?@&<>/:\n\t\r"


@dataclass(frozen=True)
class ServedRequestsLogArgs:
    """Inputs of ServedRequestsLog."""

    name: str
    """Name of logstore and pipeline; no other stack of the cluster has it."""
    project: Input[str]
    """Log project of the ingress."""
    route: str
    """Ingress route whose requests count."""
    controller_namespace: str
    """Namespace of the ingress controller."""


class ServedRequestsLog(Component):
    """A logstore with its index, and the pipeline of the cluster's log collector that fills it."""

    log_store: pulumi.Output[str]
    """Name of the logstore, known once the pipeline fills it."""

    def __init__(
        self,
        name: str,
        args: ServedRequestsLogArgs,
        opts: pulumi.ResourceOptions | None = None,
    ):
        super().__init__("inference:serving:ServedRequestsLog", name, opts)
        store = alicloud.log.Store(
            self.child_name("store"),
            project_name=args.project,
            logstore_name=args.name,
            retention_period=DAYS,
            shard_count=2,
            auto_split=True,
            max_split_shard_count=16,
            opts=pulumi.ResourceOptions(parent=self),
        )
        index = alicloud.log.StoreIndex(
            self.child_name("index"),
            project=args.project,
            logstore=store.logstore_name,
            field_searches=[_field(key) for key in KEYS],
            opts=pulumi.ResourceOptions(parent=self),
        )
        pipeline = kubernetes.apiextensions.CustomResource(
            self.child_name("pipeline"),
            api_version="telemetry.alibabacloud.com/v1alpha1",
            kind="ClusterAliyunPipelineConfig",
            metadata={
                "name": args.name,
                "annotations": {
                    "pulumi.com/waitFor": "jsonpath={.status.success}=true",
                    "pulumi.com/timeoutSeconds": str(READY_SECONDS),
                },
            },
            spec={
                "project": {"name": args.project},
                "config": pipeline_config(args.route, args.controller_namespace, index.logstore),
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                # The name is the pipeline's in the log project: two would be one and the same.
                delete_before_replace=True,
            ),
        )
        self.log_store = pulumi.Output.all(
            index.logstore,
            pipeline.metadata,  # type: ignore[attr-defined]  # every object has it; the SDK declares it for kinds it knows
        ).apply(lambda known: known[0])
        self.register_outputs({"log_store": self.log_store})


def pipeline_config(
    route: str, controller_namespace: str, log_store: Input[str]
) -> Mapping[str, Any]:
    """The collector's configuration: reads the controller's standard output, keeps the lines of the
    route that name a pod, and writes them to the logstore.

    A request that the controller answered itself (401, 403, 413, 429 or 503 of a limit) has "-" in
    place of the pod's address; one of which every try failed has the addresses and counts.
    """
    return {
        "inputs": [
            {
                "Type": "input_container_stdio",
                "IgnoringStderr": True,
                "ContainerFilters": {
                    "K8sNamespaceRegex": f"^{re.escape(controller_namespace)}$",
                    "K8sContainerRegex": f"^{CONTROLLER_CONTAINER}$",
                },
            }
        ],
        "processors": [
            {
                "Type": "processor_parse_regex_native",
                "SourceKey": "content",
                "Regex": LINE,
                "Keys": list(KEYS),
            },
            {
                "Type": "processor_filter_regex_native",
                "FilterKey": ["proxy_upstream_name", "upstream_addr"],
                "FilterRegex": [f"^{re.escape(route)}$", "^[^-].*$"],
            },
        ],
        "flushers": [{"Type": "flusher_sls", "Logstore": log_store}],
    }


def counted_log(
    settings: Settings, cluster: ClusterContext, k8s_opts: pulumi.ResourceOptions
) -> Input[str]:
    """Name of the logstore that the HPA's metric counts, with what fills it where it is the
    stack's own.
    """
    autoscaler = settings.autoscaler
    if autoscaler.counted_requests == "served":
        args = ServedRequestsLogArgs(
            name=settings.ram_name("served"),
            project=cluster.log_project,
            route=settings.route,
            controller_namespace=settings.entry.controller_namespace,
        )
        return ServedRequestsLog("served", args, k8s_opts).log_store
    if settings.entry.kind == "nginx" and settings.entry.auth != "none":
        pulumi.log.warn(COUNTS_REFUSED)
    return autoscaler.log_store or LOGSTORES[settings.entry.kind]


def _field(key: str) -> alicloud.log.StoreIndexFieldSearchArgs:
    kind = _NUMBERS.get(key, "text")
    token = _TOKENS if kind == "text" else None
    return alicloud.log.StoreIndexFieldSearchArgs(
        name=key, type=kind, enable_analytics=True, token=token
    )
