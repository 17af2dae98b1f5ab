"""External metrics from the access log: ``external.metrics.k8s.io/v1beta1`` over the cloud's Simple
Log Service.

Stands for ack-alibaba-cloud-metrics-adapter; answers only the API server's aggregator (client
certificate of the front proxy).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lab import readiness
from lab.controlplane import sls_query
from lab.controlplane.certificates import cluster_pki
from lab.controlplane.metric_fault import MetricFault
from lab.controlplane.sls import Places, Sls
from lab.environment import clock_factor

GROUP = "external.metrics.k8s.io"
VERSION = f"{GROUP}/v1beta1"
log = logging.getLogger("adapter")


class Source:
    """Where values come from."""

    def __init__(self, home: Path) -> None:
        places = Places()
        self._clients = {
            internal: Sls(home, internal=internal, region_of=places.region_of)
            for internal in (True, False)
        }
        self._fault, self._clock = MetricFault(home), clock_factor()

    def read(self, metric: str, labels: dict[str, str]) -> int | None:
        """The metric's value now; None when the query gives no row at all. Raises ValueError,
        TimeoutError, SlsError or httpx' errors.
        """
        wanted = sls_query.scaled(sls_query.params(labels), self._clock)
        asked = sls_query.query(metric, wanted, int(time.time()))
        for _ in range(wanted.retries):
            answer = self._clients[wanted.internal].get_logs(
                wanted.project, wanted.logstore, asked.begin, asked.end, asked.text, asked.lines
            )
            # asked before completeness, as there: no rows end the question, whatever is still to
            # come
            if not answer.rows:
                return self._fault.distort(None)
            if answer.complete:
                return self._fault.distort(sls_query.value(str(answer.rows[0].get("value", ""))))
        raise TimeoutError("Query sls timeout,it might because of too many logs.")


def value_list(metric: str, found: int | None) -> dict[str, Any]:
    """An ExternalMetricValueList with one item, or none."""
    items = []
    if found is not None:
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        items = [
            {
                "metricName": metric,
                "metricLabels": None,
                "timestamp": moment,
                "value": sls_query.quantity(found),
            }
        ]
    return {
        "kind": "ExternalMetricValueList",
        "apiVersion": VERSION,
        "metadata": {},
        "items": items,
    }


def resource_list() -> dict[str, Any]:
    """The APIResourceList that discovery of this API shows: one resource for each metric."""
    resources = [
        {
            "name": name,
            "singularName": "",
            "namespaced": True,
            "kind": "ExternalMetricValueList",
            "verbs": ["get"],
        }
        for name in sls_query.METRICS
    ]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": VERSION,
        "resources": resources,
    }


def group() -> dict[str, Any]:
    """The APIGroup of external metrics, with its one version."""
    version = {"groupVersion": VERSION, "version": "v1beta1"}
    return {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": GROUP,
        "versions": [version],
        "preferredVersion": version,
    }


def failure(code: int, message: str) -> dict[str, Any]:
    """A Kubernetes Status that tells of a failure with this HTTP code and message."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "code": code,
    }


def application(source: Any) -> Any:
    """The HTTP application over a `Source`."""

    async def metric(request: Request) -> JSONResponse:
        name = request.path_params["metric"]
        if not sls_query.known(name):
            return JSONResponse(
                failure(500, f"no any matched metrics from provider: {{{name}}}"), 500
            )
        try:
            labels = sls_query.labels_of(request.query_params.get("labelSelector", ""))
        except sls_query.MalformedSelectorError as error:
            return JSONResponse(failure(400, str(error)), 400)
        try:
            return JSONResponse(
                value_list(name, await asyncio.to_thread(source.read, name, labels))
            )
        # what its source returns as an error is an internal one, an unreachable log service too
        except Exception as error:
            log.warning("%s: %s", name, error)
            return JSONResponse(failure(500, str(error)), 500)

    def fixed(document: Any) -> Any:
        return lambda _: JSONResponse(document)

    groups = {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group()]}
    return Starlette(
        routes=[
            Route("/healthz", fixed("ok")),
            Route("/apis", fixed(groups)),
            Route(f"/apis/{GROUP}", fixed(group())),
            Route(f"/apis/{VERSION}", fixed(resource_list())),
            Route(f"/apis/{VERSION}/namespaces/{{namespace}}/{{metric}}", metric),
        ]
    )


async def serve(home: Path, host: str, port: int) -> None:
    """Answer until told to stop."""
    pki = cluster_pki(home)
    server = uvicorn.Server(
        uvicorn.Config(
            application(Source(home)), host=host, port=port, log_level="warning", access_log=False, lifespan="off",
            timeout_graceful_shutdown=2, ssl_certfile=str(pki.cert("adapter")), ssl_keyfile=str(pki.key("adapter")),
            ssl_ca_certs=str(pki.cert("front-proxy-ca")), ssl_cert_reqs=ssl.CERT_REQUIRED,
        )
    )  # fmt: skip
    task = asyncio.create_task(server.serve())
    while not server.started and not task.done():
        await asyncio.sleep(0.02)
    if server.started:
        readiness.ready()
    await task


def main() -> None:
    """``python -m lab.controlplane.adapter --home LAB_HOME``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8443)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asyncio.run(serve(arguments.home, "127.0.0.1", arguments.port))


if __name__ == "__main__":
    main()
