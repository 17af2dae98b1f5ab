"""What a teardown will do, before it does it: the order, what is lost, what is protected, what
stays and what that costs.

The engine deletes along the dependency graph: pods first (a Deployment goes in the foreground, with
its last pod), then the claim, the volume, and what these depend on. It does not see what follows
from a deletion outside of it: a load balancer that still exists, instances that are still stopping.
So a destroy is cut into runs of the engine where such a thing has to be waited for: after what lies
in the cluster, when a Service of the stack has a load balancer of its own; and before the cluster
itself, when the stack made it. The engine keeps the order within a run. A resource's stage follows
from its type; then whatever another resource needs is moved behind it, so that a type that is not
listed here goes in the right order too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from ops.cloud.resources import BUCKET, MANAGED_CLUSTER, NODE_POOL
from ops.engine.checkpoint import NAMESPACE, PROVIDER, Checkpoint, Resource
from ops.engine.previews import State
from ops.engine.stack_location import StackLocation
from ops.plan.prices import load
from ops.preview_comment.cost import HOURS, Range, of_pool
from ops.preview_comment.losses import LOST
from ops.teardown.guard import RefusedError
from ops.teardown.leftovers import SCAN_NAMES, kind_of

STAGES = ("entry", "server", "volume", "node pool", "store", "cluster")
"""First to last."""
_ENTRY, _SERVER, _VOLUME, _POOL, _STORE, _CLUSTER = range(len(STAGES))
BY_TYPE = (
    ("kubernetes:networking.k8s.io/v1:Ingress", _ENTRY),
    ("kubernetes:core/v1:PersistentVolume", _VOLUME),  # and the claim
    ("kubernetes:core/v1:Namespace", _VOLUME),
    ("kubernetes:helm.sh/", _CLUSTER),
    ("kubernetes:", _SERVER),
    ("alicloud:cs/nodePool:", _POOL),
    ("alicloud:oss/", _STORE),
    ("alicloud:ram/", _STORE),
    ("ossmodel:", _STORE),
)
"""Beginning of a type token: its stage. The first that fits counts; what fits none goes last."""
PARTS = ((_ENTRY, _SERVER, _VOLUME), (_POOL, _STORE), (_CLUSTER,))
"""Stages that one run of the engine takes at most. Within a run, claims wait for the pods that
mount them (the Deployment is deleted in the foreground), nodes, roles and buckets for the claims
and volumes; a network may only go once its instances are gone.
"""
MODEL = ("alicloud:oss/", "ossmodel:")
"""What `--keep-model` keeps."""


@dataclass(frozen=True)
class Stage:
    """Resources that are deleted together."""

    name: str
    resources: tuple[Resource, ...]

    @property
    def real(self) -> list[Resource]:
        """The stage's resources that exist outside of the state."""
        return [resource for resource in self.resources if resource.real]


def own_stage(resource: Resource) -> int:
    """The stage that a resource's type asks for. A component, a provider and the stack have none:
    they take the first, until others need them.
    """
    if not resource.id or resource.kind.startswith("pulumi:"):
        return _CLUSTER if resource.kind.startswith(PROVIDER) else _ENTRY
    return next(
        (stage for beginning, stage in BY_TYPE if resource.kind.startswith(beginning)), _CLUSTER
    )


def stage_of(checkpoint: Checkpoint) -> dict[str, int]:
    """Number of the stage of each URN. No resource goes before one that needs it."""
    numbers = {resource.urn: own_stage(resource) for resource in checkpoint.resources}
    for resource in reversed(
        checkpoint.resources
    ):  # registered after what it needs, so one pass does
        for need in resource.needs:
            if need in numbers:
                numbers[need] = max(numbers[need], numbers[resource.urn])
    return numbers


def stages(checkpoint: Checkpoint, kept: Collection[str] = ()) -> list[Stage]:
    """The stages, first to last, without those in which nothing goes."""
    numbers = stage_of(checkpoint)
    parts = [
        Stage(
            name,
            tuple(
                resource
                for resource in checkpoint.resources
                if numbers[resource.urn] == number and resource.urn not in kept
            ),
        )
        for number, name in enumerate(STAGES)
    ]
    return [part for part in parts if part.resources]


def runs(parts: Sequence[Stage], *, cluster_made: bool, unseen: bool) -> list[tuple[Stage, ...]]:
    """The stages of each run of the engine. What belongs to a cluster that stays goes with what
    runs on it.

    `unseen`: whether something follows from deletions in the cluster that the engine does not wait
    for.
    """
    cut = (
        PARTS
        if cluster_made
        else (PARTS[0], PARTS[1] + PARTS[2])
        if unseen
        else (PARTS[0] + PARTS[1] + PARTS[2],)
    )
    names = [{STAGES[number] for number in part} for part in cut]
    parts_of_runs = [
        tuple(stage for stage in parts if stage.name in names_in_run) for names_in_run in names
    ]
    return [names_in_run for names_in_run in parts_of_runs if names_in_run]


def kept_for_model(checkpoint: Checkpoint) -> frozenset[str]:
    """URNs of the bucket, its guards and the model, and of what they need to stay in the state."""
    return checkpoint.with_needs(
        resource.urn for resource in checkpoint.resources if resource.kind.startswith(MODEL)
    )


PER_GIB_MONTH = {
    ("Standard", "LRS"): 0.12,
    ("Standard", "ZRS"): 0.15,
    ("IA", "LRS"): 0.08,
    ("IA", "ZRS"): 0.10,
}
"""CNY, by storage class and redundancy: Alibaba Cloud's public price list for the Chinese mainland,
2024.
"""
Contents = Callable[[str], tuple[int, int, bool]]
"""Bucket: (number of object versions, bytes, whether there are more)."""


class Costs:
    """Prices of one region, and the contents of buckets, each read once."""

    def __init__(self, region: str, contents: Contents) -> None:
        self._table, _ = load(region=region)
        self._contents, self._known = contents, {}

    def _inside(self, bucket: str) -> tuple[int, int, bool] | None:
        if bucket not in self._known:
            try:
                self._known[bucket] = self._contents(bucket)
            except Exception:  # the plan is shown without this figure
                self._known[bucket] = None
        return self._known[bucket]

    def contents_of(self, resource: Resource) -> str:
        """Contents of a bucket as text; "" for other resources, or when they could not be read."""
        contents = self._inside(resource.id) if resource.kind == BUCKET else None
        if not contents:
            return ""
        number, size, more = contents
        return f"{number:,}{' or more' if more else ''} object versions, {size / 2**20:,.1f} MiB"

    def monthly_cost(self, resource: Resource) -> str:
        """Monthly cost of keeping a resource, or why it is not known."""
        if resource.kind == BUCKET:
            return self._bucket(resource)
        if resource.kind == NODE_POOL:
            price = of_pool(State(inputs=dict(resource.inputs)), self._table)
            return (
                f"{price.low * HOURS:,.0f} to {price.high * HOURS:,.0f} CNY a month"
                if isinstance(price, Range)
                else price
            )
        if resource.kind == MANAGED_CLUSTER:
            return "the control plane of an ACK Pro cluster and its load balancers, by the hour"
        return "free of charge"

    def _bucket(self, resource: Resource) -> str:
        contents = self._inside(resource.id)
        price = PER_GIB_MONTH.get(
            (resource.get("storageClass") or "Standard", resource.get("redundancyType") or "LRS")
        )
        if not contents or price is None:
            return "storage is billed by size; how much is in it could not be looked up"
        return f"{self.contents_of(resource)}: about {contents[1] / 2**30 * price:,.2f} CNY a month for storage"

    def hourly_saving(self, pool: Resource) -> str:
        """Hourly cost that ends with a node pool; "" for other resources."""
        price = (
            of_pool(State(inputs=dict(pool.inputs)), self._table)
            if pool.kind == NODE_POOL
            else None
        )
        if not isinstance(price, Range):
            return ""
        nodes = f"{price.nodes[0]} to {price.nodes[1]} nodes"
        return f"node pool {pool.get('nodePoolName')}: {price.low:,.2f} to {price.high:,.2f} CNY an hour ({nodes})"


@dataclass(frozen=True)
class Plan:
    """The plan of one teardown."""

    stages: tuple[Stage, ...]
    kept: frozenset[str] = frozenset()
    """URNs that stay in the state and in the cloud."""
    kept_by: str = ""
    """The option that keeps them."""
    adopted: tuple[Resource, ...] = ()
    """Taken over once, left in place now: the state forgets them."""
    retained: tuple[Resource, ...] = ()
    """Left in place because the settings say so: the state forgets them."""
    unprotect: tuple[Resource, ...] = ()
    """Protected, and deleted because --unprotect was given."""
    kept_resources: tuple[Resource, ...] = ()
    """What of `kept` exists outside of the state."""

    @property
    def to_delete(self) -> list[Resource]:
        """Resources that are deleted."""
        urns = {resource.urn for resource in (*self.adopted, *self.retained)}
        return [
            resource for stage in self.stages for resource in stage.real if resource.urn not in urns
        ]

    @property
    def to_keep(self) -> list[Resource]:
        """Resources that still exist afterwards, on purpose."""
        return [*self.kept_resources, *self.adopted, *self.retained]

    @property
    def kept_ids(self) -> frozenset[tuple[str, str]]:
        """(kind, id) of what stays, in the scan's terms, with what comes along with it."""
        return scan_ids(self.to_keep)

    @property
    def forgotten_ids(self) -> frozenset[tuple[str, str]]:
        """(kind, id) of what the state forgets: afterwards it does not belong to this stack."""
        return scan_ids([*self.adopted, *self.retained])


def scan_ids(resources: Iterable[Resource]) -> frozenset[tuple[str, str]]:
    """(kind, id) in the scan's terms; a node pool brings its scaling group."""
    resources = list(resources)
    ids = {
        (SCAN_NAMES[resource.kind], resource.id.rpartition(":")[2])
        for resource in resources
        if resource.kind in SCAN_NAMES
    }
    return frozenset(
        ids
        | {
            ("scaling group", resource.get("scalingGroupId"))
            for resource in resources
            if resource.kind == NODE_POOL
        }
    )


def make(
    checkpoint: Checkpoint,
    *,
    keep_model: bool = False,
    keep_protected: bool = False,
    unprotect: bool = False,
) -> Plan:
    """The plan. Raises RefusedError when protected resources would have to go and no option decides
    about them.
    """
    adopted = tuple(
        resource for resource in checkpoint.real if resource.protect and resource.retained
    )
    retained = tuple(
        resource for resource in checkpoint.real if resource.retained and not resource.protect
    )
    kept = kept_for_model(checkpoint) if keep_model else frozenset()
    protected = [
        resource
        for resource in checkpoint.real
        if resource.protect and not resource.retained and resource.urn not in kept
    ]
    if protected and keep_protected:
        kept |= checkpoint.with_needs(resource.urn for resource in protected)
    elif protected and not unprotect:
        raise RefusedError(_protected(protected))
    options = " ".join(["--keep-model"] * keep_model + ["--keep-protected"] * keep_protected)
    return Plan(
        tuple(stages(checkpoint, kept)),
        kept,
        options,
        tuple(resource for resource in adopted if resource.urn not in kept),
        tuple(resource for resource in retained if resource.urn not in kept),
        tuple(protected) if unprotect and not keep_protected else (),
        tuple(resource for resource in checkpoint.real if resource.urn in kept),
    )


def _protected(protected: Iterable[Resource]) -> str:
    rows = "\n".join(f"  {kind_of(resource)} {resource.id}" for resource in protected)
    return (
        f"protected, and nothing says whether it may go:\n{rows}\nNothing was touched.\n"
        "  remedy: --keep-protected (or --keep-model) leaves it and takes down the rest;\n"
        "  --unprotect takes it down as well; what ACK protects itself (cluster.create.protect) is set to false first, then `make up`"
    )


def show(plan: Plan, location: StackLocation, region: str, account: str, costs: Costs) -> str:
    """The plan as text for the terminal."""
    origin = "made by the stack" if location.cluster_made else "given to the stack, stays"
    lines = [
        f"Stack {location.stack}: account {account}, region {region}, cluster {location.cluster or 'none'} ({origin})",
        "",
    ]
    lines += (
        ["Goes, in this order:"]
        if plan.to_delete
        else ["The state names nothing that could go; a look for remains follows."]
    )
    lines += [
        f"  {number} {stage.name:<10} {_counted(stage, plan)}"
        for number, stage in enumerate(plan.stages, 1)
        if stage.real
    ]
    lines += _block(
        "Lost for good:",
        [
            _lost(resource, costs)
            for resource in plan.to_delete
            if resource.kind in LOST and _worth_saying(resource)
        ],
    )
    lines += _block(
        "No longer paid for:",
        filter(None, (costs.hourly_saving(resource) for resource in plan.to_delete)),
    )
    lines += _block(
        "Protection is given up:",
        [f"{kind_of(resource)} {resource.id}" for resource in plan.unprotect],
    )
    lines += _block(
        f"Stays, in the state as well ({plan.kept_by}):", _staying(plan.kept_resources, costs)
    )
    lines += _block(
        "Adopted once, left in place, forgotten by the state:", _staying(plan.adopted, costs)
    )
    lines += _block(
        "Retained by the settings, forgotten by the state (adopt takes it over again):",
        _staying(plan.retained, costs),
    )
    return "\n".join(lines) + "\n"


def _block(title: str, rows: Iterable[str]) -> list[str]:
    rows = list(rows)
    return ["", title, *(f"  {row}" for row in rows)] if rows else []


def _counted(stage: Stage, plan: Plan) -> str:
    forgotten = {resource.urn for resource in (*plan.adopted, *plan.retained)}
    kinds = Counter(kind_of(resource) for resource in stage.real if resource.urn not in forgotten)
    return (
        ", ".join(f"{number} {kind}" if number > 1 else kind for kind, number in kinds.items())
        or "nothing but what the state forgets"
    )


def _worth_saying(resource: Resource) -> bool:
    return resource.kind in (
        BUCKET,
        MANAGED_CLUSTER,
        NAMESPACE,
        NODE_POOL,
        "alicloud:log/project:Project",
        "alicloud:log/store:Store",
    )


def _lost(resource: Resource, costs: Costs) -> str:
    sentence = LOST[resource.kind](dict(resource.inputs)).replace("*", "").replace("`", "")
    contents = costs.contents_of(resource)
    return f"{sentence} ({contents})" if contents else sentence


def _staying(resources: Iterable[Resource], costs: Costs) -> list[str]:
    resources = list(resources)
    scanned = [resource for resource in resources if resource.kind in SCAN_NAMES]
    more = len(resources) - len(scanned)
    rows = [
        f"{kind_of(resource)} {resource.id}: {costs.monthly_cost(resource)}" for resource in scanned
    ]
    return [*rows, f"and {more} parts and settings of them"] if more else rows
