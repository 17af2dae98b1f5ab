"""What a teardown will do, before it does it: what goes and when, what is lost, what is protected,
what stays and what that costs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ops.preview_comment.losses import LOST
from ops.teardown.checkpoint import Checkpoint, Resource
from ops.teardown.cost import Costs
from ops.teardown.guard import Refused
from ops.teardown.stack_location import (
    BUCKET,
    MADE_CLUSTER,
    NAMESPACE,
    POLICY,
    POOL,
    ROLE,
    StackLocation,
)
from ops.teardown.stages import Stage, kept_for_model, stages

FOUND_AS = {
    BUCKET: "bucket",
    POOL: "node pool",
    ROLE: "RAM role",
    POLICY: "RAM policy",
    NAMESPACE: "Namespace",
    MADE_CLUSTER: "cluster",
    "alicloud:vpc/network:Network": "VPC",
    "alicloud:vpc/switch:Switch": "vSwitch",
    "kubernetes:core/v1:PersistentVolume": "PersistentVolume",
}
"""Type token: what a look for remains calls it."""


@dataclass(frozen=True)
class Plan:
    """One teardown."""

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
    """Protected, and to go all the same."""
    staying: tuple[Resource, ...] = ()
    """What of `kept` exists outside of the state."""

    @property
    def going(self) -> list[Resource]:
        """What is deleted."""
        left = {one.urn for one in (*self.adopted, *self.retained)}
        return [one for stage in self.stages for one in stage.real if one.urn not in left]

    @property
    def stays(self) -> list[Resource]:
        """What is still there afterwards, on purpose."""
        return [*self.staying, *self.adopted, *self.retained]

    @property
    def things(self) -> frozenset[tuple[str, str]]:
        """(kind, id) of what stays, as a look for remains would call it, with what comes along with
        it.
        """
        return found_as(self.stays)

    @property
    def of_others(self) -> frozenset[tuple[str, str]]:
        """The same of what the state forgets: from then on it is nobody's here, whatever happens in
        it.
        """
        return found_as([*self.adopted, *self.retained])


def found_as(resources: Iterable[Resource]) -> frozenset[tuple[str, str]]:
    """(kind, id) as a look for remains would call them; a node pool brings its scaling group."""
    resources = list(resources)
    named = {
        (FOUND_AS[one.kind], one.id.rpartition(":")[2]) for one in resources if one.kind in FOUND_AS
    }
    return frozenset(
        named
        | {("scaling group", one.get("scalingGroupId")) for one in resources if one.kind == POOL}
    )


def make(
    checkpoint: Checkpoint,
    *,
    keep_model: bool = False,
    keep_protected: bool = False,
    unprotect: bool = False,
) -> Plan:
    """The plan. Raises Refused when protected things would have to go and nothing says whether they
    may.
    """
    adopted = tuple(one for one in checkpoint.real if one.protect and one.retained)
    retained = tuple(one for one in checkpoint.real if one.retained and not one.protect)
    kept = kept_for_model(checkpoint) if keep_model else frozenset()
    protected = [
        one for one in checkpoint.real if one.protect and not one.retained and one.urn not in kept
    ]
    if protected and keep_protected:
        kept |= checkpoint.with_needs(one.urn for one in protected)
    elif protected and not unprotect:
        raise Refused(_protected(protected))
    by = " ".join(["--keep-model"] * keep_model + ["--keep-protected"] * keep_protected)
    return Plan(
        tuple(stages(checkpoint, kept)),
        kept,
        by,
        tuple(one for one in adopted if one.urn not in kept),
        tuple(one for one in retained if one.urn not in kept),
        tuple(protected) if unprotect and not keep_protected else (),
        tuple(one for one in checkpoint.real if one.urn in kept),
    )


def _protected(protected: Iterable[Resource]) -> str:
    named = "\n".join(f"  {kind_of(one)} {one.id}" for one in protected)
    return (
        f"protected, and nothing says whether it may go:\n{named}\nNothing was touched.\n"
        "  remedy: --keep-protected (or --keep-model) leaves it and takes down the rest;\n"
        "  --unprotect takes it down as well; what ACK protects itself (cluster.create.protect) is set to false first, then `make up`"
    )


def show(plan: Plan, location: StackLocation, region: str, account: str, costs: Costs) -> str:
    """The plan as text."""
    made = "made by the stack" if location.cluster_made else "given to the stack, stays"
    lines = [
        f"Stack {location.stack}: account {account}, region {region}, cluster {location.cluster or 'none'} ({made})",
        "",
    ]
    lines += (
        ["Goes, in this order:"]
        if plan.going
        else ["The state names nothing that could go; a look for remains follows."]
    )
    lines += [
        f"  {number} {stage.name:<10} {_counted(stage, plan)}"
        for number, stage in enumerate(plan.stages, 1)
        if stage.real
    ]
    lines += _block(
        "Lost for good:",
        [_lost(one, costs) for one in plan.going if one.kind in LOST and _worth_saying(one)],
    )
    lines += _block("No longer paid for:", filter(None, (costs.saved(one) for one in plan.going)))
    lines += _block(
        "Protection is given up:", [f"{kind_of(one)} {one.id}" for one in plan.unprotect]
    )
    lines += _block(f"Stays, in the state as well ({plan.kept_by}):", _staying(plan.staying, costs))
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
    stays = {one.urn for one in (*plan.adopted, *plan.retained)}
    kinds = Counter(kind_of(one) for one in stage.real if one.urn not in stays)
    return (
        ", ".join(f"{number} {kind}" if number > 1 else kind for kind, number in kinds.items())
        or "nothing but what the state forgets"
    )


def _worth_saying(one: Resource) -> bool:
    return one.kind in (
        BUCKET,
        MADE_CLUSTER,
        NAMESPACE,
        POOL,
        "alicloud:log/project:Project",
        "alicloud:log/store:Store",
    )


def _lost(one: Resource, costs: Costs) -> str:
    sentence = LOST[one.kind](dict(one.inputs)).replace("*", "").replace("`", "")
    held = costs.held(one)
    return f"{sentence} ({held})" if held else sentence


def _staying(resources: Iterable[Resource], costs: Costs) -> list[str]:
    resources = list(resources)
    named = [one for one in resources if one.kind in FOUND_AS]
    more = len(resources) - len(named)
    rows = [f"{kind_of(one)} {one.id}: {costs.to_keep(one)}" for one in named]
    return [*rows, f"and {more} parts and settings of them"] if more else rows


def kind_of(one: Resource) -> str:
    """The short name of its type."""
    return one.kind.rpartition(":")[2]
