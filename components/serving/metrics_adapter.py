"""The metrics adapter by its Helm chart, on a cluster the stack makes (tutorial step 5's
prerequisite).

The chart is what ACK documents, from ACK's own catalogue unless
`cluster.create.metricsAdapterChart` names another place (a mirror, a copy on this machine). With
`cluster.create.metricsAdapter: addon` ACK installs the adapter itself.

An install that was killed half-way is taken up by the next `make up` (ops/engine/helm_releases.py).
"""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.component import Component

CHART = "https://aliacs-app-catalog.oss-cn-hangzhou.aliyuncs.com/charts-incubator/ack-alibaba-cloud-metrics-adapter-{}.tgz"


@dataclass(frozen=True)
class MetricsAdapterArgs:
    """Inputs of MetricsAdapter."""

    region: Input[str]
    """Region of the log service."""
    version: Input[str] = "1.3.7"
    """Version of the chart in ACK's catalogue."""
    chart: Input[str] | None = None
    """Address or path of the chart, in place of the catalogue's."""


class MetricsAdapter(Component):
    """Serves the ingress QPS to the HPA. Without keys: the adapter asks the log service with its
    node's identity.
    """

    release: pulumi.Output[str]
    """Name of the release."""

    def __init__(
        self, name: str, args: MetricsAdapterArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:serving:MetricsAdapter", name, opts)
        release = kubernetes.helm.v3.Release(
            self.child_name("release"),
            name="ack-alibaba-cloud-metrics-adapter",
            namespace="kube-system",
            chart=args.chart or pulumi.Output.from_input(args.version).apply(CHART.format),
            values={
                "AlibabaCloudMetricsAdapter": {
                    "replicas": 2,
                    "listenPort": 443,
                    "env": {"Region": args.region},
                }
            },
            timeout=600,
            # Two of them would fight over one API service.
            opts=self.child(delete_before_replace=True),
        )
        self.release = release.name.apply(lambda known: known or "")
        self.finish({"release": self.release})
