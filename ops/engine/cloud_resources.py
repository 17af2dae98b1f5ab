"""Which resources of the cloud a creation without an answer may have left: by the id that follows
from the inputs, or by the name and place in them.

The questions are asked with the stack's own credentials, from where its region can be reached
(ops/cloud/resources.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ops.cloud.resources import (
    BUCKET,
    CREATION_DATES,
    IDS_BY_NAME,
    POLICY,
    POLICY_ATTACHMENT,
    ROLE,
)
from ops.engine.cli import Stack
from ops.engine.stack_location import config_of, provider_config

MODULE = "ops.cloud.resources"
TIMEOUT = 120.0
"""Seconds that one question may take."""
CLOCK_SKEW = 300
"""Seconds by which this machine's clock and the cloud's may differ, when creation dates are
compared.
"""
IDS_FROM_INPUTS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    BUCKET: lambda inputs: inputs["bucket"],
    ROLE: lambda inputs: inputs["roleName"],
    POLICY: lambda inputs: inputs["policyName"],
    POLICY_ATTACHMENT: lambda inputs: (
        f"role:{inputs['policyName']}:{inputs['policyType']}:{inputs['roleName']}"
    ),
    "alicloud:cs/kubernetesAddon:KubernetesAddon": lambda inputs: (
        f"{inputs['clusterId']}:{inputs['name']}"
    ),
}
"""Types whose id follows from the inputs."""


def has_known_identity(resource_type: str) -> bool:
    """Whether a resource of this type can be found again by its inputs."""
    return resource_type in IDS_FROM_INPUTS or resource_type in IDS_BY_NAME


def is_unique_by_name(resource_type: str) -> bool:
    """Whether only one resource of this type can have a name, so that an existing one may be
    somebody else's.
    """
    return resource_type in CREATION_DATES


def find_id(stack: Stack, resource_type: str, inputs: Mapping[str, Any]) -> str | None:
    """The id that the resource with these inputs has if it exists. None when a look by name finds
    none. Raises CommandFailed, after what went wrong has been printed.
    """
    if resource_type in IDS_BY_NAME:
        return _ask(stack, "find-id", resource_type, json.dumps(inputs))
    return IDS_FROM_INPUTS[resource_type](inputs)


def created_at(stack: Stack, resource_type: str, inputs: Mapping[str, Any]) -> float | None:
    """When the resource with these inputs was created (epoch seconds), None when it does not exist.
    Only for types that are unique by name. Raises CommandFailed, after what went wrong has been
    printed.
    """
    return _ask(stack, "created-at", resource_type, json.dumps(inputs))


def provider_argument(stack: Stack) -> str:
    """The stack's configuration of the alicloud provider, as ops.cloud.resources takes it."""
    return json.dumps(provider_config(config_of(stack.name)))


def _ask(stack: Stack, *question: str) -> Any:
    return stack.ask(MODULE, provider_argument(stack), *question, timeout=TIMEOUT)
