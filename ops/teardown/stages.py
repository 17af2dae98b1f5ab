"""In which order a stack goes: entry, server, volume, node pool, store, cluster.

The engine deletes along the dependency graph: pods first (a Deployment goes in the foreground, with
its last pod), then the claim, the volume, and what these stood on. It knows nothing of what follows
from a deletion outside of it: a load balancer that is still there, instances that are still
stopping. So a destroy is cut where such a thing has to be waited for before the next resource can
go: what lies in the cluster, where a Service of the stack has a load balancer of its own; and the
cluster itself, where the stack made it. Each part is one run of the engine, which keeps the order
within it. Which stage a resource belongs to follows from its type; then whatever something else
needs is moved behind it, so that a part of the program nobody thought of here goes in the right
order too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ops.teardown.checkpoint import PROVIDER, Checkpoint, Resource

STAGES = ("entry", "server", "volume", "node pool", "store", "cluster")
"""First to last."""
ENTRY, SERVER, VOLUME, POOL, STORE, CLUSTER = range(len(STAGES))
BY_TYPE = (
    ("kubernetes:networking.k8s.io/v1:Ingress", ENTRY),
    ("kubernetes:core/v1:PersistentVolume", VOLUME),  # and the claim
    ("kubernetes:core/v1:Namespace", VOLUME),
    ("kubernetes:helm.sh/", CLUSTER),
    ("kubernetes:", SERVER),
    ("alicloud:cs/nodePool:", POOL),
    ("alicloud:oss/", STORE),
    ("alicloud:ram/", STORE),
    ("ossmodel:", STORE),
)
"""Beginning of a type token: its stage. The first that fits counts; what fits none goes last."""
PARTS = ((ENTRY, SERVER, VOLUME), (POOL, STORE), (CLUSTER,))
"""Stages that one run of the engine takes at most. Within a run, claims wait for the pods that
mount them (the Deployment is deleted in the foreground), nodes, roles and buckets for the claims
and volumes; a network may only go once its instances are gone.
"""
MODEL = ("alicloud:oss/", "ossmodel:")
"""What `--keep-model` keeps."""


@dataclass(frozen=True)
class Stage:
    """What goes together."""

    name: str
    resources: tuple[Resource, ...]

    @property
    def real(self) -> list[Resource]:
        """Those that exist outside of the state."""
        return [one for one in self.resources if one.real]


def own_stage(resource: Resource) -> int:
    """The stage its type asks for. A component, a provider and the stack have none of their own:
    the first, until others need them.
    """
    if not resource.id or resource.kind.startswith("pulumi:"):
        return CLUSTER if resource.kind.startswith(PROVIDER) else ENTRY
    return next(
        (stage for beginning, stage in BY_TYPE if resource.kind.startswith(beginning)), CLUSTER
    )


def stage_of(checkpoint: Checkpoint) -> dict[str, int]:
    """URN: number of its stage. Nothing goes before what needs it."""
    found = {one.urn: own_stage(one) for one in checkpoint.resources}
    for one in reversed(checkpoint.resources):  # registered after what it needs, so one pass does
        for need in one.needs:
            if need in found:
                found[need] = max(found[need], found[one.urn])
    return found


def stages(checkpoint: Checkpoint, kept: Collection[str] = ()) -> list[Stage]:
    """What goes, first to last; stages in which nothing goes are left out."""
    numbers = stage_of(checkpoint)
    parts = [
        Stage(
            name,
            tuple(
                one
                for one in checkpoint.resources
                if numbers[one.urn] == number and one.urn not in kept
            ),
        )
        for number, name in enumerate(STAGES)
    ]
    return [part for part in parts if part.resources]


def runs(parts: Sequence[Stage], *, cluster_made: bool, unseen: bool) -> list[tuple[Stage, ...]]:
    """The stages by run of the engine. What belongs to a cluster that stays (its node scaler's
    settings) goes with what stands on it.

    unseen: whether something follows from deletions in the cluster that the engine does not wait
    for by itself.
    """
    cut = (
        PARTS
        if cluster_made
        else (PARTS[0], PARTS[1] + PARTS[2])
        if unseen
        else (PARTS[0] + PARTS[1] + PARTS[2],)
    )
    names = [{STAGES[number] for number in part} for part in cut]
    found = [tuple(stage for stage in parts if stage.name in some) for some in names]
    return [some for some in found if some]


def kept_for_model(checkpoint: Checkpoint) -> frozenset[str]:
    """URNs of the bucket, its guards and the model, and of what they need to stay in the state."""
    return checkpoint.with_needs(
        one.urn for one in checkpoint.resources if one.kind.startswith(MODEL)
    )
