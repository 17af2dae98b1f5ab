"""The state kept per resource: the live object, and beside it the inputs, the first API version and the field manager."""

from __future__ import annotations

import copy
from typing import Any

from lab.kubernetes_plugin import naming, objects
from lab.kubernetes_plugin.wire import Secret, mark_secrets, plain

INPUTS = "__inputs"
INITIAL_VERSION = "__initialApiVersion"
FIELD_MANAGER = "__fieldManager"


def checkpoint(
    inputs: objects.Object, live: objects.Object, secrets_from: dict[str, Any], initial_version: str, manager: str
) -> dict[str, Any]:
    """The state of a resource; values are secret where they are in `secrets_from`, a Secret's data always."""
    result, kept = copy.deepcopy(live), copy.deepcopy(inputs)
    mark_secrets(result, secrets_from)
    mark_secrets(kept, secrets_from)
    result[INPUTS] = kept
    result[INITIAL_VERSION] = initial_version
    result[FIELD_MANAGER] = manager
    return result


def parse(state: dict[str, Any]) -> tuple[objects.Object, objects.Object]:
    """(inputs, live object) of a state, without secret wrappers."""
    live = plain(state)
    inputs = live.pop(INPUTS, None) or {}
    return inputs, live


def initial_version(state: dict[str, Any], inputs: objects.Object) -> str:
    """The API version the resource was first made with."""
    return _text(state.get(INITIAL_VERSION)) or objects.api_version(inputs)


def field_manager(state: dict[str, Any], inputs: objects.Object) -> str:
    """The name under which server-side apply owns fields: from the annotation, else the state, else a new random one."""
    given = objects.annotation(inputs, objects.PATCH_FIELD_MANAGER) or _text(state.get(FIELD_MANAGER))
    return given or naming.unique_name(b"", "pulumi-kubernetes-")


def _text(value: Any) -> str:
    if isinstance(value, Secret):
        value = value.value
    return value if isinstance(value, str) else ""
