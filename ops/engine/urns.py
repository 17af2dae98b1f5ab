"""The grammar of URNs, by which the engine names resources (pulumi/sdk/go/common/resource/urn).

`urn:pulumi:STACK::PROJECT::PARENT_TYPE$TYPE::NAME`

A name may hold `::`, the parts before it may not. A resource refers to its provider by
`URN::ID`. Nothing here raises: a part that a text lacks is "", since URNs also come from files that
a pull request can write.
"""

from __future__ import annotations

_NAME = 3
"""Parts before the name, which are separated by `::`."""


def name_of(urn: str) -> str:
    """The resource's name in the program."""
    return urn.split("::", _NAME)[-1]


def type_of(urn: str) -> str:
    """The resource's own type token, without its parents': alicloud:oss/bucket:Bucket."""
    parts = urn.split("::", _NAME)
    return parts[2].rpartition("$")[2] if len(parts) > 2 else ""


def object_kind(type_token: str) -> str:
    """The Kubernetes kind in a type token, in whatever API version: Ingress of
    kubernetes:networking.k8s.io/v1:Ingress; "" of any other package's.
    """
    package, _, name = type_token.partition(":")
    return name.rpartition(":")[2] if package == "kubernetes" else ""


def provider_urn(reference: str | None) -> str:
    """The URN in a reference to a provider, "" for no reference."""
    return (reference or "").rpartition("::")[0]


def provider_reference(urn: str, identity: str) -> str:
    """How a resource refers to the provider with this URN and id."""
    return f"{urn}::{identity}"
