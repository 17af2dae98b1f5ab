"""The stack's state: what it says is there, as plain resources, and the two edits that a destroy
needs in it. Secrets stay encrypted and are never looked at.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

STACK = "pulumi:pulumi:Stack"
PROVIDER = "pulumi:providers:"
POOL, BUCKET = "alicloud:cs/nodePool:NodePool", "alicloud:oss/bucket:Bucket"
ROLE, POLICY = "alicloud:ram/role:Role", "alicloud:ram/policy:Policy"
MADE_CLUSTER = "alicloud:cs/managedKubernetes:ManagedKubernetes"
NAMESPACE, VOLUME = "kubernetes:core/v1:Namespace", "kubernetes:core/v1:PersistentVolume"
KUBERNETES_PROVIDER, ALICLOUD_PROVIDER = "pulumi:providers:kubernetes", "pulumi:providers:alicloud"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
"""How a checkpoint marks a secret; an import encrypts its `plaintext`."""


@dataclass(frozen=True)
class Resource:
    """One resource of the state."""

    urn: str
    kind: str
    """Type token: alicloud:oss/bucket:Bucket."""
    id: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    protect: bool = False
    retained: bool = False
    """Whether a destroy forgets it and leaves it in the cloud."""
    needs: frozenset[str] = frozenset()
    """URNs of what has to outlive it: parent, provider, dependencies."""

    @property
    def name(self) -> str:
        """Logical name: the last part of the URN."""
        return self.urn.split("::", 3)[-1]

    @property
    def real(self) -> bool:
        """Whether the resource exists outside of the state."""
        return bool(self.id) and not self.kind.startswith("pulumi:")

    def get(self, key: str) -> str:
        """A text property, from the outputs or else from the inputs; "" when there is none."""
        for values in (self.outputs, self.inputs):
            if isinstance(values.get(key), str) and values[key]:
                return values[key]
        return ""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Metadata of a Kubernetes object; empty for other resources."""
        found = self.inputs.get("metadata") or self.outputs.get("metadata")
        return found if isinstance(found, Mapping) else {}


@dataclass(frozen=True)
class Checkpoint:
    """A stack's resources, in the order in which they were registered."""

    resources: tuple[Resource, ...] = ()

    def of(self, kind: str) -> list[Resource]:
        """Resources of a type; a `kind` that ends in `:` or `/` selects by prefix."""
        return [
            one
            for one in self.resources
            if one.kind == kind or (kind[-1:] in ":/" and one.kind.startswith(kind))
        ]

    @property
    def real(self) -> list[Resource]:
        """Resources that exist outside of the state."""
        return [one for one in self.resources if one.real]

    @property
    def outputs(self) -> Mapping[str, Any]:
        """Outputs of the stack; empty when the state has none."""
        return next((one.outputs for one in self.of(STACK)), {})

    def with_needs(self, urns: Iterable[str]) -> frozenset[str]:
        """URNs of these resources and of everything that has to outlive them."""
        known = {one.urn: one for one in self.resources}
        found: set[str] = set()
        waiting = [urn for urn in urns if urn in known]
        while waiting:
            urn = waiting.pop()
            if urn not in found:
                found.add(urn)
                waiting += [need for need in known[urn].needs if need in known]
        return frozenset(found)


def parse(deployment: Mapping[str, Any]) -> Checkpoint:
    """The resources in the `deployment` of `pulumi stack export`."""
    rows = deployment.get("resources") or []
    return Checkpoint(tuple(resource(row) for row in rows))


def resource(row: Mapping[str, Any]) -> Resource:
    """One row of the state as a Resource."""
    needs = {row.get("parent"), row.get("deletedWith"), *(row.get("dependencies") or ())}
    needs |= {
        urn for urns in (row.get("propertyDependencies") or {}).values() for urn in urns or ()
    }
    needs.add((row.get("provider") or "").rpartition("::")[0])
    return Resource(
        urn=row["urn"],
        kind=row["type"],
        id=row.get("id") or "",
        inputs=row.get("inputs") or {},
        outputs=row.get("outputs") or {},
        protect=bool(row.get("protect")),
        retained=bool(row.get("retainOnDelete")),
        needs=frozenset(filter(None, needs)) - {row["urn"]},
    )


def unprotect(state: dict[str, Any], urns: Collection[str]) -> bool:
    """Clears the protection of these URNs in the state: the engine neither deletes nor forgets a
    protected resource. Returns whether anything changed.
    """
    rows = [
        row
        for row in state["deployment"].get("resources") or []
        if row["urn"] in urns and row.get("protect")
    ]
    for row in rows:
        row["protect"] = False
    return bool(rows)


def renew(state: dict[str, Any], kubeconfig: str) -> bool:
    """Puts a valid kubeconfig in place of the one that the last `up` left: a temporary one has
    expired by now, and a destroy does not run the program that would ask for a new one. Returns
    whether anything changed.
    """
    rows = [
        row
        for row in state["deployment"].get("resources") or []
        if row["type"] == KUBERNETES_PROVIDER
    ]
    sides = [
        row[side]
        for row in rows
        for side in ("inputs", "outputs")
        if "kubeconfig" in (row.get(side) or {})
    ]
    for side in sides:
        side["kubeconfig"] = {**SECRET, "plaintext": json.dumps(kubeconfig)}
    return bool(sides)
