"""Resources as the rules see them, from either source: plain inputs, with unknown values marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from policy.stacks import Stack

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How the engine writes a value that is known only after the deployment."""
HIDDEN = "[secret]"
"""How the CLI writes a secret in a preview's JSON."""


@dataclass(frozen=True)
class Resource:
    """A resource of the deployment."""

    urn: str
    inputs: Mapping[str, Any]
    protect: bool = False
    item_kind: str = ""
    """Kubernetes kind of an object that stands in a list's `items`, else ""."""

    @property
    def kind(self) -> str:
        """Type token, such as alicloud:oss/bucket:Bucket."""
        return (self.urn.split("::") + [""] * 4)[2].rpartition("$")[2]

    @property
    def object_kind(self) -> str:
        """Kubernetes kind in whatever API version it is declared, "" of anything else. What a
        `…Patch` resource changes has the kind of the object that it changes.
        """
        if self.item_kind:
            return self.item_kind
        package, _, name = self.kind.partition(":")
        return name.rpartition(":")[2].removesuffix("Patch") if package == "kubernetes" else ""

    @property
    def stack(self) -> str:
        """The stack it belongs to."""
        return (self.urn.split(":") + [""] * 3)[2]

    @property
    def name(self) -> str:
        """Logical name: the last part of the URN."""
        return self.urn.split("::", 3)[-1]

    def at(self, *path: str | int) -> Any:
        """The input at a path of keys and positions; None where there is none."""
        return dig(self.inputs, *path)


@dataclass(frozen=True)
class Deployment:
    """All resources of a stack."""

    stack: Stack
    resources: tuple[Resource, ...] = field(default=())

    def each(self) -> Iterator[Resource]:
        """Every resource, and every object in the `items` of a Kubernetes list."""
        for resource in self.resources:
            yield resource
            yield from items(resource)

    def of(self, *kinds: str) -> Iterator[Resource]:
        """Resources of these types, in order."""
        return (resource for resource in self.resources if resource.kind in kinds)

    def objects(self, *kinds: str) -> Iterator[Resource]:
        """Kubernetes objects of these kinds in any API version, those of lists among them."""
        return (resource for resource in self.each() if resource.object_kind in kinds)


def items(resource: Resource) -> Iterator[Resource]:
    """The objects in the `items` of a Kubernetes list (`kubernetes:apps/v1:DeploymentList`)."""
    kind = resource.object_kind
    if kind.endswith("List"):
        for item in listed(resource.at("items")):
            if isinstance(item, Mapping):
                own = item.get("kind")
                named = own if isinstance(own, str) and own else kind.removesuffix("List")
                yield Resource(resource.urn, item, resource.protect, named)


def dig(value: Any, *path: str | int) -> Any:
    """The value at a path of keys and positions; None where there is none."""
    for part in path:
        if isinstance(part, int):
            value = (
                value[part]
                if isinstance(value, list) and -len(value) <= part < len(value)
                else None
            )
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


def is_known(value: Any) -> bool:
    """Whether a value is set and readable: neither unknown before the deployment nor a secret."""
    return value is not None and value not in (UNKNOWN, HIDDEN)


def listed(value: Any) -> list[Any]:
    """A list, a single value as a list of one, and nothing for what is missing or not known."""
    if isinstance(value, list):
        return value
    return [value] if is_known(value) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """A mapping; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Every text in a value: (its path, the key it stands under, the text). Keys are texts as
    well.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield f"{path}.{key}".lstrip("."), "", str(key)
            for inner_text in texts(inner, f"{path}.{key}".lstrip(".")):
                yield inner_text if inner_text[1] else (inner_text[0], str(key), inner_text[2])
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from texts(inner, f"{path}[{at}]")
    elif isinstance(value, str):
        yield path, "", value
