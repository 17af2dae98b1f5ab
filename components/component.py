"""What every component of this project shares."""

from collections.abc import Mapping
from typing import Any

import pulumi


class Component(pulumi.ComponentResource):
    """Base of the components: children are named after it and are its children in the tree."""

    def __init__(self, token: str, name: str, opts: pulumi.ResourceOptions | None):
        super().__init__(token, name, None, opts)
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
