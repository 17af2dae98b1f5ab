"""The stack's state: what it says is there, as plain resources, and the two edits that a destroy
needs in it. Secrets stay encrypted and are never looked at.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ops.engine.urns import name_of, provider_reference, provider_urn

STACK = "pulumi:pulumi:Stack"
PROVIDER = "pulumi:providers:"
NAMESPACE, VOLUME = "kubernetes:core/v1:Namespace", "kubernetes:core/v1:PersistentVolume"
KUBERNETES_PROVIDER, ALICLOUD_PROVIDER = "pulumi:providers:kubernetes", "pulumi:providers:alicloud"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
"""How a state marks a value that is a secret; an import encrypts its `plaintext` (pulumi/sdk,
resource.SigKey and resource.SecretSig).
"""


def secret(value: Any) -> dict[str, str]:
    """The value as a secret that an import of the state encrypts."""
    return {**SECRET, "plaintext": json.dumps(value)}


def is_secret(value: Any) -> bool:
    """Whether a value of a state is a secret, encrypted or not."""
    return isinstance(value, dict) and SECRET.items() <= value.items()


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
        return name_of(self.urn)

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
    needs.add(provider_urn(row.get("provider")))
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
        side["kubeconfig"] = secret(kubeconfig)
    return bool(sides)


def with_adopted(
    resources: list[dict[str, Any]], adopted: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The state's resources with the adopted ones. One that was to replace another takes its place;
    the other is deleted at the end of the next update, after everything has moved over, as the
    engine would have done.
    """
    by_urn = {resource["urn"]: resource for resource in adopted}
    replaced = [
        {**resource, "delete": True}
        for resource in resources
        if resource["urn"] in by_urn and not resource.get("delete")
    ]
    kept = [
        by_urn.pop(resource["urn"])
        if resource["urn"] in by_urn and not resource.get("delete")
        else resource
        for resource in resources
    ]
    return [*kept, *by_urn.values(), *replaced]


def with_live_references(
    resource: dict[str, Any], resources: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """The pending resource as the state can hold it. None when the state has no provider for it.

    An operation may stay pending while later commands create or destroy what it refers to. The CLI
    takes no state that refers to what is not in it, so a provider that was created anew takes the
    place of the old one, and what is gone is no longer referred to: the next update says again what
    the resource depends on.
    """
    urns = {row["urn"] for row in resources}
    providers = {
        row["urn"]: provider_reference(row["urn"], row["id"])
        for row in resources
        if row["type"].startswith(PROVIDER)
    }
    result = dict(resource)
    if reference := resource.get("provider"):
        if provider_urn(reference) not in providers:
            return None
        result["provider"] = providers[provider_urn(reference)]
    if resource.get("parent") not in urns:
        result.pop("parent", None)
    if "dependencies" in resource:
        result["dependencies"] = [urn for urn in resource["dependencies"] or [] if urn in urns]
    if "propertyDependencies" in resource:
        dependencies = (resource["propertyDependencies"] or {}).items()
        result["propertyDependencies"] = {
            name: [urn for urn in needs or [] if urn in urns] for name, needs in dependencies
        }
    return result
