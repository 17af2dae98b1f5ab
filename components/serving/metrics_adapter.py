"""The metrics adapter by its Helm chart, on a cluster that the stack creates (a prerequisite of
tutorial step 5).

The chart is the one that ACK documents, from ACK's own catalogue unless
`cluster.create.metricsAdapterChart` names another place (a mirror, a copy on this machine). With
`cluster.create.metricsAdapter: addon` ACK installs the adapter.

An install that was killed half-way is continued by the next `make up`
(ops/engine/helm_releases.py).
"""

import hashlib
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes

from components.component import Component
from components.compute.addons import METRICS_ADAPTER
from settings.cluster import CreateSettings

CHART = "https://aliacs-app-catalog.oss-cn-hangzhou.aliyuncs.com/charts-incubator/ack-alibaba-cloud-metrics-adapter-{}.tgz"

LARGEST = 16 * 1024 * 1024
"""Bytes; a chart's archive has some ten thousand."""
WAIT = 60.0
"""Seconds without a byte after which a download of the chart is given up."""


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
        chart = settings.metrics_adapter_chart or CHART.format(
            settings.addon_version(METRICS_ADAPTER)
        )
        if settings.metrics_adapter_chart_sha256 and not pulumi.runtime.is_dry_run():
            require_checksum(chart, settings.metrics_adapter_chart_sha256)
        release = kubernetes.helm.v3.Release(
            self.child_name("release"),
            name=METRICS_ADAPTER,
            namespace="kube-system",
            chart=chart,
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


def require_checksum(chart: str, expected: str) -> None:
    """Compares an archive, by its address or path, with its SHA-256. Raises pulumi.RunError when it
    is another one, or can't be read. Helm downloads it once more: this finds a catalogue that has
    changed, not a server that answers each of two requests differently.
    """
    field = "elastic-inference:cluster.create.metricsAdapterChartSha256"
    try:
        if "://" in chart:
            with urllib.request.urlopen(chart, timeout=WAIT) as answer:
                content = answer.read(LARGEST + 1)
        else:
            content = Path(chart).read_bytes()
    except OSError as error:
        raise pulumi.RunError(
            f"{field} can't be compared: {chart}: {error}. Nothing of the chart was installed. Make the address reachable from "
            "here, or set cluster.create.metricsAdapterChart to a copy on this machine, and run the same command again."
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise pulumi.RunError(
            f"{field} is {expected}: expected the checksum of {chart}, which is {found}. Somebody has changed the chart, and what is in "
            "it would run in kube-system: nothing of it was installed. Look at the archive; if it is right, set the checksum to what was "
            f"found: pulumi config set --path 'elastic-inference:cluster.create.metricsAdapterChartSha256' {found}"
        )
