"""One look over region and cluster for whatever of the stack is still there. A part that can't be
looked at is said to be unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ops.teardown import scan_compute, scan_identity, scan_inside, scan_network, scan_store
from ops.teardown.checkpoint import Resource
from ops.teardown.cloud import Cloud, CloudError
from ops.teardown.found import Found, Unseen
from ops.teardown.inside import Inside, NoCluster
from ops.teardown.place import Place


@dataclass(frozen=True)
class Kept:
    """What stays on purpose and is therefore no remainder: (kind, id)."""

    things: frozenset[tuple[str, str]] = frozenset()

    def __contains__(self, thing: Found) -> bool:
        return (thing.kind, thing.id) in self.things

    def of(self, kind: str) -> frozenset[str]:
        """Ids of one kind."""
        return frozenset(identity for one, identity in self.things if one == kind)


@dataclass(frozen=True)
class Remains:
    """What a look turned up."""

    found: tuple[Found, ...] = ()
    unseen: tuple[Unseen, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether everything was looked at and nothing is left."""
        return not self.found and not self.unseen


def look(
    cloud: Cloud,
    place: Place,
    inside: Inside | None,
    known: Sequence[Resource] = (),
    kept: Kept | None = None,
) -> Remains:
    """Looks at everything, several things at a time. `known`: what the state named; `inside`: None
    when the cluster is gone.
    """
    kept = kept or Kept()
    shared = bool(kept.of("Namespace"))
    parts: dict[str, Callable[[], Iterator[Found]]] = {
        "clusters": lambda: scan_compute.clusters(cloud, place),
        "node pools": lambda: scan_compute.node_pools(cloud, place),
        "scaling groups": lambda: scan_compute.scaling_groups(cloud, place),
        "instances": lambda: scan_compute.instances(cloud, place),
        "disks": lambda: scan_compute.disks(cloud, place),
        "load balancers": lambda: scan_network.load_balancers(cloud, place, inside),
        "public addresses": lambda: scan_network.addresses(cloud, place),
        "security groups": lambda: scan_network.security_groups(cloud, place),
        "networks": lambda: scan_network.networks(cloud, place),
        "RAM roles": lambda: scan_identity.roles(cloud, place),
        "RAM policies": lambda: scan_identity.policies(cloud, place),
        "OIDC providers": lambda: scan_identity.providers(cloud, place),
        "buckets": lambda: scan_store.buckets(cloud, place, kept.of("bucket")),
        "log projects": lambda: scan_store.log_projects(cloud, place),
    }
    if inside is not None:
        parts |= {
            "namespaces": lambda: scan_inside.namespaces(inside, place),
            "volumes": lambda: scan_inside.volumes(inside, place, shared),
            "nodes": lambda: scan_inside.nodes(inside, place),
            "grants": lambda: scan_inside.grants(inside, place, shared),
            "objects": lambda: scan_inside.objects(inside, known),
        }
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda part: _looked(*part), parts.items()))
    found = {
        (thing.kind, thing.id): thing
        for things, _ in answers
        for thing in things
        if thing not in kept
    }
    return Remains(tuple(found.values()), tuple(gap for _, gap in answers if gap))


def _looked(
    what: str, look_for: Callable[[], Iterator[Found]]
) -> tuple[list[Found], Unseen | None]:
    try:
        return list(look_for()), None
    except (CloudError, NoCluster) as error:
        return [], Unseen(what, str(error))
