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
from ops.teardown.leftovers import Doubtful, Kept, Leftover, Remains, Unseen


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
    parts: dict[str, Callable[[], Iterator[Leftover | Doubtful]]] = {
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
            "objects": lambda: scan_cluster.objects(reader, known, location),
        }
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda part: _looked(*part), parts.items()))
    found_by_id: dict[tuple[str, str], Leftover | Doubtful] = {}
    for found_in_part, _ in answers:
        for found in found_in_part:
            known_as = found_by_id.get((found.kind, found.id))
            # what is certain once, by an id or another tag, is no longer in doubt
            if found not in kept and not isinstance(known_as, Leftover):
                found_by_id[found.kind, found.id] = found
    return Remains(
        tuple(found for found in found_by_id.values() if isinstance(found, Leftover)),
        tuple(gap for _, gap in answers if gap),
        tuple(found for found in found_by_id.values() if isinstance(found, Doubtful)),
    )


def _looked(
    what: str, look_for: Callable[[], Iterator[Leftover | Doubtful]]
) -> tuple[list[Leftover | Doubtful], Unseen | None]:
    try:
        return list(look_for()), None
    except (CloudError, ClusterError) as error:
        return [], Unseen(what, str(error))
