"""Why a stack is not ready, in the cluster's own words: `python -m ops.diagnose --stack NAME`; a
failed `make up` shows it, too.

Asks the API server of the stack's own cluster, with a temporary credential of the container
service, and the node pool's scaling group. Reads only, and ends within seconds whatever does not
answer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from ops.cloud.cluster_reader import ClusterError
from ops.cloud.errors import CloudError
from ops.engine.cli import ROOT, Stack, environment, inside_lab
from ops.engine.stack_cluster import open_cluster
from ops.pod_causes import (
    Evidence,
    containers,
    findings,
    is_loading,
    unready_pods,
    waits_for_a_node,
)

LIMIT = 120
"""Seconds for the whole look, the credential included."""
LOG_LINES = 60
LOOKS, LOOK_SECONDS = 5, 2.0
"""How often, and how far apart, a log is looked at again that ends while the model is being
loaded.
"""
NEWEST_ORDERS = 5


def after_failure(stack: Stack) -> None:
    """Prints on stderr, after an `up` that failed, what the cluster says; one line when it can't be
    asked. Never raises.
    """
    command = stack.inside(sys.executable, "-m", "ops.diagnose", "--stack", stack.name)
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        print(f"\nWhat the cluster says: it gave no answer within {LIMIT} s", file=sys.stderr)
        return
    if done.returncode != 0:  # with 0 the cluster has nothing to add
        print(f"{done.stdout}{done.stderr}", file=sys.stderr)


def explain(stack: Stack) -> list[str]:
    """What keeps the stack's pods from being ready, as lines for the terminal; [] when nothing
    does. Raises ClusterError.
    """
    causes = findings(collect(stack))
    return (
        ["", "What the cluster says:", *(line for finding in causes for line in finding.lines())]
        if causes
        else []
    )


def collect(stack: Stack) -> Evidence:
    """Evidence about the stack's pods: their objects, events and logs from the API server, and
    failed orders of nodes from ESS. Raises ClusterError.
    """
    cloud, location, reader = open_cluster(stack)
    evidence = _look(reader, location.namespace)
    if any(waits_for_a_node(pod) for pod in unready_pods(evidence)):
        evidence.orders.extend(_orders(cloud, location))
    return evidence


def _look(reader: Any, namespace: str) -> Evidence:
    """What the API server says. Raises NoCluster."""
    core, apps = f"/api/v1/namespaces/{namespace}", f"/apis/apps/v1/namespaces/{namespace}"
    evidence = Evidence(
        deployments=reader.items(f"{apps}/deployments"),
        replica_sets=reader.items(f"{apps}/replicasets"),
        pods=reader.items(f"{core}/pods"),
        events=reader.items(f"{core}/events"),
        claims=reader.items(f"{core}/persistentvolumeclaims"),
        ingresses=reader.items(f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses"),
    )
    for pod in unready_pods(evidence):
        for name, previous in containers(pod):
            text = _log(reader, f"{core}/pods/{pod['metadata']['name']}/log", name, previous)
            evidence.logs[f"{pod['metadata']['name']}/{name}"] = text
    return evidence


def _log(
    reader: Any,
    path: str,
    container: str,
    previous: bool,
    wait: Callable[[float], None] = time.sleep,
) -> str:
    """A container's last lines that say how it ended or fares: of this run, or of the run before
    where this one says nothing yet.

    A run that is still loading the model is looked at again for a while: the reason why it won't
    load comes at the end of the load. "" when the node does not give them.
    """
    query = f"{path}?container={container}&tailLines={LOG_LINES}"
    text = _text(reader, query)
    if previous and (not text or is_loading(text)):
        return _text(reader, query + "&previous=true") or text
    for _ in range(LOOKS):
        if not is_loading(text):
            break
        wait(LOOK_SECONDS)
        text = _text(reader, query) or text
    return text


def _text(reader: Any, query: str) -> str:
    try:
        return reader.text(query)
    except ClusterError:
        return ""


def _orders(cloud: Any, where: Any) -> list[dict[str, Any]]:
    """The newest orders of nodes, without those that an order that worked has followed. [] when ESS
    does not say.
    """
    orders: list[dict[str, Any]] = []
    for group in sorted(where.groups):
        try:
            body = cloud.rpc(
                "ess",
                "DescribeScalingActivities",
                RegionId=cloud.region,
                ScalingGroupId=group,
                PageSize=NEWEST_ORDERS,
            )
        except CloudError:
            continue
        rows = (body.get("ScalingActivities") or {}).get("ScalingActivity") or []
        rows.sort(key=lambda row: row.get("StartTime", ""), reverse=True)
        if rows and rows[0].get("StatusCode") != "Successful":
            orders += rows
    return orders


def main() -> int:
    """Prints what keeps the stack from being ready. Returns 0 when nothing does, 1 when something
    does or the cluster could not be asked.
    """
    parser = argparse.ArgumentParser(
        prog="python -m ops.diagnose",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--stack", default="local")
    parser.add_argument(
        "--json", action="store_true", help="what was collected, instead of what it means"
    )
    options = parser.parse_args()
    stack = Stack(options.stack)

    if stack.in_lab and not inside_lab():
        return subprocess.run(
            stack.inside(sys.executable, "-m", "ops.diagnose", *sys.argv[1:]),
            cwd=ROOT,
            env=environment(),
            check=False,
        ).returncode
    try:
        if options.json:
            print(json.dumps(vars(collect(stack)), indent=1, ensure_ascii=False))
            return 0
        lines = explain(stack)
    except ClusterError as error:
        print(f"\nWhat the cluster says could not be asked: {error}")
        return 1
    print(
        "\n".join(lines)
        if lines
        else "\nWhat the cluster says: nothing that keeps the stack from being ready"
    )
    return 1 if lines else 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
