"""Looks over region and cluster, service by service, for whatever the stack left behind. A part
that cannot be read is reported as not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from ops.cloud.client import Cloud
from ops.cloud.cluster_reader import ClusterError, ClusterReader
from ops.cloud.errors import CloudError
from ops.engine.checkpoint import Resource
from ops.engine.stack_location import StackLocation
from ops.teardown import scan_cluster, scan_compute, scan_identity, scan_network, scan_store
from ops.teardown.leftovers import Kept, Leftover, Remains, Unseen


def scan_all(
    cloud: Cloud,
    location: StackLocation,
    reader: ClusterReader | None,
    known: Sequence[Resource] = (),
    kept: Kept | None = None,
) -> Remains:
    """Scans everything, several services at a time. `known`: resources that the state named;
    `reader`: None when the cluster is gone.
    """
    kept = kept or Kept()
    shared = bool(kept.of("Namespace"))
    parts: dict[str, Callable[[], Iterator[Leftover]]] = {
        "clusters": lambda: scan_compute.clusters(cloud, location),
        "node pools": lambda: scan_compute.node_pools(cloud, location),
        "scaling groups": lambda: scan_compute.scaling_groups(cloud, location),
        "instances": lambda: scan_compute.instances(cloud, location),
        "disks": lambda: scan_compute.disks(cloud, location),
        "load balancers": lambda: scan_network.load_balancers(cloud, location, reader),
        "public addresses": lambda: scan_network.addresses(cloud, location),
        "security groups": lambda: scan_network.security_groups(cloud, location),
        "networks": lambda: scan_network.networks(cloud, location),
        "RAM roles": lambda: scan_identity.roles(cloud, location),
        "RAM policies": lambda: scan_identity.policies(cloud, location),
        "OIDC providers": lambda: scan_identity.providers(cloud, location),
        "buckets": lambda: scan_store.buckets(cloud, location, kept.of("bucket")),
        "log projects": lambda: scan_store.log_projects(cloud, location),
    }
    if reader is not None:
        parts |= {
            "namespaces": lambda: scan_cluster.namespaces(reader, location),
            "volumes": lambda: scan_cluster.volumes(reader, location, shared),
            "nodes": lambda: scan_cluster.nodes(reader, location),
            "grants": lambda: scan_cluster.grants(reader, location, shared),
            "objects": lambda: scan_cluster.objects(reader, known),
        }
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda part: _looked(*part), parts.items()))
    leftovers_by_id = {
        (leftover.kind, leftover.id): leftover
        for leftovers_of_part, _ in answers
        for leftover in leftovers_of_part
        if leftover not in kept
    }
    return Remains(tuple(leftovers_by_id.values()), tuple(gap for _, gap in answers if gap))


def _looked(
    what: str, look_for: Callable[[], Iterator[Leftover]]
) -> tuple[list[Leftover], Unseen | None]:
    try:
        return list(look_for()), None
    except (CloudError, ClusterError) as error:
        return [], Unseen(what, str(error))
