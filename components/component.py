"""What every component of this project shares: how children are named, and what things were called
in earlier versions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

FORMERLY: dict[str, Sequence[pulumi.Alias]] = {}
"""Logical name of a component or of one of its children now: what it was in earlier versions of the
program.

Whoever renames a component, moves it to another parent or changes its type adds a line here, for
example

    "pool": [pulumi.Alias(name="gpu-pool")],                             another name; its children follow by themselves
    "pool": [pulumi.Alias(type_="inference:nodes:GpuPool")],             another type
    "autoscaler-hpa": [pulumi.Alias(name="server-hpa", parent=...)],     a child that had another parent: the parent's URN
    "namespace": [pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)],      something that had none

Without it the engine takes the old one for deleted and the new one for missing: pool, bucket and
pods would be made anew. A line stays as long as any stack may still be on the earlier version.
tests/e2e/test_refactoring.py renames and moves every component of a running stack this way and
expects no change.
"""


class Component(pulumi.ComponentResource):
    """Base of the components: children are named after it and are its children in the tree."""

    def __init__(self, token: str, name: str, opts: pulumi.ResourceOptions | None):
        super().__init__(token, name, None, with_history(opts))
        self._name = name

    def child_name(self, what: str) -> str:
        """`<component>-<what>`."""
        return f"{self._name}-{what}"

    def child(self, **options: Any) -> pulumi.ResourceOptions:
        """Options of a child; `options` are added to its parent."""
        return pulumi.ResourceOptions(parent=self, **options)

    def finish(self, outputs: Mapping[str, Any]) -> None:
        """Register the outputs. The last call of every constructor."""
        self.register_outputs(dict(outputs))


def with_history(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    """Options of a component, or of a resource outside of all components, with what FORMERLY says
    of it and of its children.
    """
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(transformations=[_formerly]))


def _formerly(
    resource: pulumi.ResourceTransformationArgs,
) -> pulumi.ResourceTransformationResult | None:
    known = FORMERLY.get(resource.name)
    if not known:
        return None
    options = pulumi.ResourceOptions.merge(
        resource.opts, pulumi.ResourceOptions(aliases=list(known))
    )
    return pulumi.ResourceTransformationResult(props=resource.props, opts=options)
