"""What the stack's state says is there, as plain resources. Secrets in it stay encrypted and are
never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

STACK = "pulumi:pulumi:Stack"
PROVIDER = "pulumi:providers:"


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
        """Logical name."""
        return self.urn.split("::", 3)[-1]

    @property
    def real(self) -> bool:
        """Whether something outside of the state stands for it."""
        return bool(self.id) and not self.kind.startswith("pulumi:")

    def get(self, key: str) -> str:
        """A property that is a text, as the provider answered it or as it was asked for; "" when
        there is none.
        """
        for values in (self.outputs, self.inputs):
            if isinstance(values.get(key), str) and values[key]:
                return values[key]
        return ""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Of a Kubernetes object; empty for others."""
        found = self.inputs.get("metadata") or self.outputs.get("metadata")
        return found if isinstance(found, Mapping) else {}


@dataclass(frozen=True)
class Checkpoint:
    """A stack's resources, in the order in which they were registered."""

    resources: tuple[Resource, ...] = ()

    def of(self, kind: str) -> list[Resource]:
        """Those of a type, or of all types with this beginning."""
        return [
            one
            for one in self.resources
            if one.kind == kind or (kind[-1:] in ":/" and one.kind.startswith(kind))
        ]

    @property
    def real(self) -> list[Resource]:
        """What exists outside of the state."""
        return [one for one in self.resources if one.real]

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The stack's outputs."""
        return next((one.outputs for one in self.of(STACK)), {})

    def with_needs(self, urns: Iterable[str]) -> frozenset[str]:
        """These resources and everything that has to outlive them."""
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
    """From the `deployment` of `pulumi stack export`. What is being replaced counts once, under its
    URN.
    """
    rows = deployment.get("resources") or []
    return Checkpoint(tuple(resource(row) for row in rows))


def resource(row: Mapping[str, Any]) -> Resource:
    """One row of the state."""
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
