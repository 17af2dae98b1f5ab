"""`make doctor STACK=dev`: what a real stack needs before the first `make up`, looked up in the
account and in the cluster. Reads only.

Prints one line per condition, with the remedy where it is not met. Reports at once, before anything
is created, what the program would refuse later, and what it cannot check, such as a missing add-on.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

from ops import instance_types
from ops.cloud.client import Cloud
from ops.cloud.cluster_reader import ClusterError, reach
from ops.cloud.credentials import find_credentials
from ops.cloud.errors import CloudError
from ops.doctor import Finding, report
from ops.endpoint import dns_record, resolves
from ops.engine.cli import CommandFailed, Stack, require_cli, require_stack_file
from ops.engine.stack_location import PROJECT, config_of, provider_config
from settings.catalog.instance_types import SIZES
from settings.core.loading import load
from settings.core.problem import SettingsError
from settings.names import POOL_LABEL

OLDEST_CLI = (3, 255, 0)
OLDEST_KUBERNETES = (1, 30)
ADDONS = {
    "csi-plugin": ("mounts the model's volume", (1, 33, 1)),
    "loongcollector": ("collects the ingress log, which the HPA counts", ()),
    "ack-node-problem-detector": ("tells that a preemptible node is about to go", ()),
    "ack-alibaba-cloud-metrics-adapter": ("gives the HPA its metric", ()),
}
"""Add-on: what is missing without it, and its oldest version that will do."""
ALSO = {"loongcollector": ("logtail-ds",)}
"""Other names of the same."""
CONTROLLERS = {"nginx": ("nginx-ingress-controller",), "alb": ("alb-ingress-controller",)}
METRICS = "/apis/external.metrics.k8s.io/v1beta1"


def examine(stack: Stack) -> Iterator[Finding]:
    """Every condition in the order in which `make up` needs it; ends early where a failed condition
    makes the rest pointless.
    """
    yield cli(stack)
    yield from backend(stack)
    settings, problems = _settings(stack)
    yield from problems
    if settings is None:
        yield from unknown_types(stack)
        return
    try:
        provider = provider_config(config_of(stack.name))
        cloud = Cloud(settings.region, find_credentials(provider))
        yield account(cloud.account, settings.cluster.account_id)
    except CloudError as error:
        yield Finding(
            "account",
            False,
            str(error),
            "Use a RAM user's key (ALICLOUD_ACCESS_KEY and ALICLOUD_SECRET_KEY), or a profile",
        )
        return
    yield from instance_sizes(settings, cloud)
    if settings.cluster.create is not None:
        within = "" if settings.cluster.create.public_api else "; reached from its VPC only"
        yield Finding("cluster", True, f"made by the stack, with all it needs{within}")
        return
    yield from _of_cluster(stack, settings, cloud)


def instance_sizes(settings: Any, cloud: Cloud) -> Iterator[Finding]:
    """Whether ECS sells the pool's instance types here, with the sizes that the program plans with.
    Nothing where the credentials may not ask.
    """
    pool = settings.node_pool
    try:
        sizes = instance_types.described(cloud, pool.instance_types)
    except CloudError:
        return
    found = instance_types.problems(pool, sizes)
    for problem in found:
        yield Finding("instance types", False, " ".join(str(problem).split()), problem.remedy)
    if not found:
        yield Finding("instance types", True, ", ".join(pool.instance_types))


def unknown_types(stack: Stack) -> Iterator[Finding]:
    """What ECS says of instance types that the program does not know, as the setting that tells it:
    the settings are refused without.
    """
    config = config_of(stack.name)
    types = (config.get(f"{PROJECT}:nodePool") or {}).get("instanceTypes")
    unknown = [
        name
        for name in (types if isinstance(types, list) else [])
        if isinstance(name, str) and name not in SIZES
    ]
    if not unknown:
        return
    try:
        sizes = instance_types.described(Cloud.of_provider(provider_config(config)), unknown)
    except CloudError:
        return
    for name in unknown:
        size = sizes.get(name)
        yield Finding(
            "instance type",
            False,
            f"{name}: ECS sells it here, and this program does not know it"
            if size
            else f"{name}: ECS sells no such type here",
            instance_types.written(name, size) if size else "Use another type, or another region",
        )


def cli(stack: Stack) -> Finding:
    """Whether the user's Pulumi CLI is new enough."""
    text = stack.capture("version").stdout.strip()
    version = version_of(text)
    oldest = ".".join(map(str, OLDEST_CLI))
    return Finding(
        "pulumi",
        version >= OLDEST_CLI,
        text or "says no version",
        f"{oldest} or newer is needed: pulumi.com/docs/install",
    )


def backend(stack: Stack) -> Iterator[Finding]:
    """Whether the CLI is logged in, the backend knows the stack, and the stack's secrets can be
    decrypted.
    """
    who = stack.capture("whoami", "--non-interactive")
    if who.returncode != 0:
        yield Finding(
            "backend",
            False,
            _last(who.stderr) or "not logged in",
            "pulumi login, or pulumi login URL (docs/environments.md)",
        )
        return
    yield Finding("backend", True, f"logged in as {who.stdout.strip()}")
    try:
        there = stack.exists()
    except CommandFailed as error:
        yield Finding("stack", False, str(error), "See above")
        return
    yield Finding(
        "stack",
        there,
        f"{stack.name} is {'known' if there else 'not known'} to the backend",
        f"pulumi stack init {stack.name}",
    )
    if there:
        read = stack.capture(
            "config", "--json", "--show-secrets", "--non-interactive", "--stack", stack.name
        )
        remedy = "Set PULUMI_CONFIG_PASSPHRASE (or PULUMI_CONFIG_PASSPHRASE_FILE) to what the stack was made with"
        yield Finding(
            "secrets",
            read.returncode == 0,
            "can be read" if read.returncode == 0 else _last(read.stderr),
            remedy,
        )


def account(actual: str, expected: str | None) -> Finding:
    """Whether the credentials belong to the account that the settings name."""
    right = expected in (None, actual)
    return Finding(
        "account",
        right,
        actual if right else f"{actual}, but cluster.accountId says {expected}",
        "Use that account's credentials",
    )


def _settings(stack: Stack) -> tuple[Any, list[Finding]]:

    config = config_of(stack.name)
    secret = [
        key for key, value in config.items() if isinstance(value, dict) and set(value) == {"secure"}
    ]
    given = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()
    }
    given |= dict.fromkeys(secret, "given")
    try:
        settings = load(given, secret, project=PROJECT, stack=stack.name, environment=os.environ)
        return settings, [Finding("settings", True, f"Pulumi.{stack.name}.yaml")]
    except SettingsError as error:
        # A secret stands here for itself only: whether it has the right form is seen by `make
        # preview`.
        real = [
            problem
            for problem in error.problems
            if problem.field not in {key.rpartition(":")[2] for key in secret}
        ]
        if not real:
            return None, [
                Finding(
                    "settings",
                    True,
                    f"Pulumi.{stack.name}.yaml, as far as it is not encrypted: see make preview",
                )
            ]
        return None, [
            Finding("settings", False, " ".join(str(problem).split()), "Then look again")
            for problem in real
        ]


def _of_cluster(stack: Stack, settings: Any, cloud: Any) -> Iterator[Finding]:
    try:
        cluster = cloud.cs(f"/clusters/{settings.cluster.id}")
    except CloudError as error:
        remedy = f"Correct cluster.id or alicloud:region ({settings.region}); the RAM user needs docs/ram-policy.json"
        yield Finding("cluster", False, str(error), remedy)
        return
    version = str(cluster.get("current_version") or "")
    yield Finding(
        "cluster",
        cluster.get("state") == "running",
        f"{settings.cluster.id} is {cluster.get('state')}",
        "Wait until it is running",
    )
    oldest = ".".join(map(str, OLDEST_KUBERNETES))
    yield Finding(
        "kubernetes",
        version_of(version)[:2] >= OLDEST_KUBERNETES,
        version,
        f"{oldest} or newer is needed: upgrade the cluster",
    )
    for look in (rrsa, vswitches, addons):
        try:
            yield from look(settings, cloud, cluster)
        except CloudError as error:
            yield Finding(
                look.__name__, False, str(error), "The RAM user needs docs/ram-policy.json"
            )
    yield from _inside(stack, settings, cloud)


def rrsa(settings: Any, cloud: Any, _cluster: Any) -> Iterator[Finding]:
    """Whether RRSA is enabled: the cluster has an OIDC provider in RAM."""
    name = f"ack-rrsa-{settings.cluster.id}"
    body = cloud.rpc("ims", "ListOIDCProviders", MaxItems=100)
    providers = {
        row.get("OIDCProviderName")
        for row in (body.get("OIDCProviders") or {}).get("OIDCProvider") or []
    }
    remedy = f"Turn it on (it can't be turned off again): ack-ram-tool rrsa enable -c {settings.cluster.id}"
    yield Finding(
        "rrsa",
        name in providers,
        "on" if name in providers else f"off: there is no OIDC provider {name}",
        remedy,
    )


def vswitches(settings: Any, cloud: Any, cluster: Any) -> Iterator[Finding]:
    """Whether the pool's vSwitches exist in the cluster's VPC."""
    for identity in settings.node_pool.vswitch_ids:
        rows = (
            cloud.rpc("vpc", "DescribeVSwitches", RegionId=cloud.region, VSwitchId=identity).get(
                "VSwitches"
            )
            or {}
        ).get("VSwitch") or []
        where = rows[0].get("VpcId") if rows else ""
        right = bool(rows) and cluster.get("vpc_id") in (None, "", where)
        said = (
            f"{identity} in {rows[0].get('ZoneId')}"
            if right
            else f"{identity} is {f'in another network ({where})' if rows else 'not there'}"
        )
        yield Finding(
            "vswitch",
            right,
            said,
            f"Correct nodePool.vswitchIds: vSwitches of {cluster.get('vpc_id') or 'the cluster'}",
        )


def addons(settings: Any, cloud: Any, _cluster: Any) -> Iterator[Finding]:
    """Whether the add-ons that the stack does not install itself are there, in a version that will
    do.
    """
    rows = cloud.cs(f"/clusters/{settings.cluster.id}/addon_instances").get("addons") or []
    installed = {row["name"]: str(row.get("version") or "") for row in rows}
    needed = {
        **ADDONS,
        CONTROLLERS[settings.entry.kind][0]: (
            f"serves ingresses of class {settings.entry.kind}",
            (),
        ),
    }
    for name, (use, oldest) in needed.items():
        present = next((other for other in (name, *ALSO.get(name, ())) if other in installed), None)
        if present is None and name == "ack-alibaba-cloud-metrics-adapter":
            continue  # mostly a Helm release: what it serves is looked for in the cluster
        good = present is not None and version_of(installed[present]) >= oldest
        older = f", {'.'.join(map(str, oldest))} or newer is needed" if present and not good else ""
        yield Finding(
            "add-on",
            good,
            f"{present} {installed[present]}{older}" if present else f"{name} is not installed",
            f"Install {name}: it {use}",
        )


def _inside(stack: Stack, settings: Any, cloud: Any) -> Iterator[Finding]:
    """What the cluster's API server knows."""
    given = None
    if settings.kubeconfig is not None:
        given = stack.capture(
            "config", "get", "elastic-inference:kubeconfig", "--stack", stack.name
        ).stdout
    try:
        reader = reach(cloud, settings.cluster.id, given, private=settings.cluster.private_api)
    except ClusterError as error:
        remedy = "Run where it is in reach (public API endpoint, or a machine of its VPC); the RAM user needs the role administrator in it"
        yield Finding("api server", False, str(error), remedy)
        return
    yield Finding("api server", True, "answers")
    looks: list[Callable[[Any, Any], Finding]] = [
        metrics,
        ingress_class,
        *([controller_pods] if settings.entry.kind == "nginx" else []),
        namespace,
        system_nodes,
        *([certificate] if settings.entry.tls == "existing" else []),
    ]
    for look in looks:
        try:
            yield look(settings, reader)
        except ClusterError as error:
            yield Finding(
                look.__name__,
                False,
                str(error),
                "The RAM user needs the role administrator in the cluster",
            )
    if settings.entry.host:
        yield record(settings, reader)


def metrics(_settings: Any, reader: Any) -> Finding:
    """Whether the external metrics API is served."""
    there = bool(reader.get(METRICS))
    said = "external metrics are served" if there else "nobody serves external metrics"
    return Finding(
        "metrics",
        there,
        said,
        "Install ack-alibaba-cloud-metrics-adapter (a Helm release in ACK's marketplace): the HPA needs it",
    )


def ingress_class(settings: Any, reader: Any) -> Finding:
    """Whether the cluster has the ingress class that entry.kind names."""
    kind = settings.entry.kind
    classes = sorted(
        item["metadata"]["name"]
        for item in reader.items("/apis/networking.k8s.io/v1/ingressclasses")
    )
    observed = f"{kind} is {'there' if kind in classes else f'not among {classes}'}"
    return Finding(
        "ingress", kind in classes, observed, f"Install {CONTROLLERS[kind][0]}, or set entry.kind"
    )


def controller_pods(settings: Any, reader: Any) -> Finding:
    """Whether the network policy admits the ingress controller's pods. A controller that no pod's
    name tells of can't be compared.
    """
    place, wanted = settings.entry.controller_namespace, settings.entry.controller_labels
    shown = ", ".join(f"{key}={value}" for key, value in wanted.items())
    pods = {
        item["metadata"]["name"]: item["metadata"].get("labels") or {}
        for item in reader.items(f"/api/v1/namespaces/{place}/pods")
        if not (item.get("spec") or {}).get("hostNetwork")
    }
    chosen = [name for name, labels in pods.items() if wanted.items() <= labels.items()]
    others = [name for name in pods if "ingress" in name and "alb-ingress" not in name]
    if chosen or not others:
        seen = f"pod {chosen[0]}" if chosen else f"no pod of an ingress controller in {place} yet"
        return Finding("controller", True, f"{seen}; the network policy admits {shown}")
    labels = ", ".join(f"{key}={value}" for key, value in pods[others[0]].items())
    return Finding(
        "controller",
        False,
        f"no pod in {place} has {shown}; {others[0]} has {labels or 'no labels'}: the network policy would keep it out",
        "Set entry.controllerLabels to labels of the controller's pods",
    )


def namespace(settings: Any, reader: Any) -> Finding:
    """Whether the namespace is free, belongs to this stack, or, where the settings adopt it,
    exists.
    """
    name, adopted = settings.namespace, settings.adopt.namespace
    existing = reader.get(f"/api/v1/namespaces/{name}")
    ours = (
        "pulumi" in json.dumps(existing.get("metadata", {}).get("managedFields") or [])
        if existing
        else False
    )
    if adopted:
        return Finding(
            "namespace",
            bool(existing),
            f"{name}, taken over" if existing else f"{name} is not there",
            "Make it, or unset adopt.namespace",
        )
    free = not existing or ours
    said = (
        f"{name}, made by the stack"
        if free
        else f"{name} is there already, and not by a stack of this project"
    )
    return Finding("namespace", free, said, "Set another `namespace`, or adopt.namespace true")


def system_nodes(settings: Any, reader: Any) -> Finding:
    """Whether there are nodes for the interruption handler's pods: neither of the stack's pool nor
    preemptible. A single one takes them all, and they are lost with it.
    """
    names = sorted(
        item["metadata"]["name"]
        for item in reader.items("/api/v1/nodes")
        if _takes_the_handler(item)
    )
    replicas = settings.interruption.replicas
    said = f"{len(names)} for the interruption handler's {replicas} pods"
    if len(names) == 1 < replicas:
        said = (
            f"all {replicas} pods of the interruption handler start on {names[0]} and are lost with it: "
            "no other node is schedulable, without a taint and not preemptible. A second one takes one of them"
        )
    return Finding(
        "system node",
        bool(names) or not settings.interruption.enabled,
        said,
        "Add a node that is schedulable, without a taint and not preemptible: the handler would wait as Pending, and reclaimed nodes "
        "would take their pods with them",
    )


def _takes_the_handler(node: Any) -> bool:
    labels, spec = node["metadata"].get("labels") or {}, node.get("spec") or {}
    return (
        POOL_LABEL not in labels
        and labels.get("node.alibabacloud.com/spot-strategy", "NoSpot") == "NoSpot"
        and not spec.get("unschedulable")
        and not any(taint["effect"] != "PreferNoSchedule" for taint in spec.get("taints") or ())
    )


def certificate(settings: Any, reader: Any) -> Finding:
    """Whether the Secret that entry.tlsSecret names exists; without its namespace it cannot exist
    yet.
    """
    place, name = settings.namespace, settings.entry.tls_secret
    command = f"kubectl create secret tls {name} --cert FILE --key FILE -n {place}"
    if not reader.get(f"/api/v1/namespaces/{place}"):
        return Finding(
            "tls",
            True,
            f"Secret {name} comes after the namespace: make up, then {command}; it is used at once",
        )
    secret = reader.get(f"/api/v1/namespaces/{place}/secrets/{name}")
    right = secret.get("type") == "kubernetes.io/tls"
    return Finding(
        "tls",
        right,
        f"Secret {name} {'is there' if right else 'is missing' if not secret else 'is of another type'}",
        f"Run: {command}",
    )


def record(settings: Any, reader: Any) -> Finding:
    """Whether the entry's host name resolves; it cannot before the ingress has an address."""
    host = settings.entry.host
    if resolves(host):
        return Finding("dns", True, host)
    rows = reader.items(f"/apis/networking.k8s.io/v1/namespaces/{settings.namespace}/ingresses")
    addresses = [
        one
        for row in rows
        for one in ((row.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    ]
    address = (addresses[0].get("hostname") or addresses[0].get("ip")) if addresses else ""
    return Finding(
        "dns",
        True,
        f"{host} leads nowhere yet. "
        + (f"Make: {dns_record(host, address)}" if address else "make up shows the record"),
    )


def version_of(text: str) -> tuple[int, ...]:
    """`v1.33.1-aliyun.1` -> (1, 33, 1); () for a text that is not a version."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", text)
    return tuple(map(int, found[1].split("."))) if found else ()


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else ""


def main() -> int:
    """Prints a line for each condition; returns 0 when all are met, else 1."""
    parser = argparse.ArgumentParser(prog="python -m ops.prerequisites", description=__doc__)
    parser.add_argument("--stack", required=True)
    stack = Stack(parser.parse_args().stack)
    require_stack_file(stack.name)
    require_cli()
    try:
        return report(examine(stack))
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
