"""The metrics adapter by its Helm chart, on a cluster that the stack creates (a prerequisite of
tutorial step 5).

The chart is the one that ACK documents, from ACK's own catalogue unless
`cluster.create.metricsAdapterChart` names another place (a mirror, a copy on this machine). With
`cluster.create.metricsAdapter: addon` ACK installs the adapter.

An install that was killed half-way is continued by the next `make up`
(ops/engine/helm_releases.py).
"""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components.component import Component
from components.compute.addons import METRICS_ADAPTER
from settings.cluster import CreateSettings

CHART = "https://aliacs-app-catalog.oss-cn-hangzhou.aliyuncs.com/charts-incubator/ack-alibaba-cloud-metrics-adapter-{}.tgz"


@dataclass(frozen=True)
class MetricsAdapterArgs:
    """Inputs of MetricsAdapter."""

    settings: CreateSettings
    """Group `cluster.create`."""
    region: str
    """Region of the log service."""


class MetricsAdapter(Component):
    """Serves the ingress QPS to the HPA. It has no access key: the adapter calls the log service
    with the identity of its node.
    """

    release: pulumi.Output[str]
    """Name of the Helm release."""

    def __init__(
        self, name: str, args: MetricsAdapterArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:serving:MetricsAdapter", name, opts)
        settings = args.settings
        release = kubernetes.helm.v3.Release(
            self.child_name("release"),
            name=METRICS_ADAPTER,
            namespace="kube-system",
            chart=settings.metrics_adapter_chart
            or CHART.format(settings.addon_version(METRICS_ADAPTER)),
            values={
                "AlibabaCloudMetricsAdapter": {
                    "replicas": 2,
                    "listenPort": 443,
                    "env": {"Region": args.region},
                }
            },
            timeout=600,
            # Two releases would fight over one API service.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.release = release.name.apply(lambda known: known or "")
        self.register_outputs({"release": self.release})
