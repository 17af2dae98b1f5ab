"""The base class of the components, the aliases that keep a renamed resource from being replaced,
and the labels that say whose an object in the cluster is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pulumi

ALIASES: dict[str, Sequence[pulumi.Alias]] = {
    "cluster": [pulumi.Alias(type_="inference:compute:Cluster")],
    "autoscaler": [pulumi.Alias(type_="inference:serving:Autoscaler")],
    "entry": [pulumi.Alias(type_="inference:serving:Entry")],
    "interruption": [pulumi.Alias(type_="inference:serving:Interruption")],
    "herald": [pulumi.Alias(type_="inference:serving:Herald")],
}
"""Logical name of a component or of one of its children: the aliases under which earlier versions
of the program registered it.

A change of name, type or parent of a component needs a line here, for example

    # another name, or another type; the children follow automatically
    "pool": [pulumi.Alias(name="gpu-pool")],
    "pool": [pulumi.Alias(type_="inference:nodes:GpuPool")],
    # a child that had another parent: the parent's URN
    "autoscaler-hpa": [pulumi.Alias(name="server-hpa", parent=...)],
    # a resource that had no parent
    "namespace": [pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)],

Without the line the engine deletes the resource under its old URN and creates it under the new one:
node pool, bucket and pods would be replaced. A line stays for as long as a stack may still be on
the earlier version. tests/e2e/test_refactoring.py renames and moves every component of a running
stack and expects no change.
"""


class Component(pulumi.ComponentResource):
    """Base class of the components: a child's name starts with the name of its component."""

    def __init__(self, token: str, name: str, opts: pulumi.ResourceOptions | None):
        super().__init__(token, name, None, with_aliases(opts))
        self._name = name

    def child_name(self, suffix: str) -> str:
        """Logical name of a child: `<component>-<suffix>`."""
        return f"{self._name}-{suffix}"


def with_aliases(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    """Adds the aliases of a component, or of a resource outside of all components, and of its
    children to its options.
    """
    return pulumi.ResourceOptions.merge(
        opts, pulumi.ResourceOptions(transformations=[_add_aliases])
    )


def _add_aliases(
    resource: pulumi.ResourceTransformationArgs,
) -> pulumi.ResourceTransformationResult | None:
    aliases = ALIASES.get(resource.name)
    if not aliases:
        return None
    options = pulumi.ResourceOptions.merge(
        resource.opts, pulumi.ResourceOptions(aliases=list(aliases))
    )
    return pulumi.ResourceTransformationResult(props=resource.props, opts=options)


def labelled(labels: Mapping[str, str]) -> pulumi.ResourceOptions:
    """Options that add these labels to every object in the cluster, and to the children of a
    component. What somebody else created (an adopted object, a patch of one) keeps its labels; the
    objects of a Helm release are Helm's.
    """

    def add(
        resource: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        if not _is_own_object(resource):
            return None
        metadata: Mapping[str, Any] = cast(Any, resource.props.get("metadata")) or {}
        own = metadata.get("labels") or {}
        props = {**resource.props, "metadata": {**metadata, "labels": {**own, **labels}}}
        return pulumi.ResourceTransformationResult(props=props, opts=resource.opts)

    return pulumi.ResourceOptions(transformations=[add])


def _is_own_object(resource: pulumi.ResourceTransformationArgs) -> bool:
    return (
        resource.type_.startswith("kubernetes:")
        and not resource.type_.startswith("kubernetes:helm.sh/")
        and not resource.type_.endswith("Patch")
        and not resource.opts.import_
    )
