"""The state a stack would have: every resource the program registers, in the form of `pulumi stack
export`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from ops.engine.checkpoint import Checkpoint, parse
from tests.unit.monitor import Recording, Registered
from tests.unit.program import ACCOUNT, CLUSTER, USERS, run

ADOPTED = {
    "nodePoolId": "np4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f",
    "bucket": "team-models",
    "roleName": "model-reader",
    "namespace": True,
}
CREATE = {
    "vswitches": {"cn-shanghai-e": "192.168.0.0/19", "cn-shanghai-g": "192.168.32.0/19"},
    "protect": False,
}
DEFAULT_PROVIDER = "urn:pulumi:{0}::elastic-inference::pulumi:providers:alicloud::default_3_105_0"


def deployment(
    stack: str = "local", changes: Mapping[str, Any] | None = None, secret: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What `pulumi stack export` would say after an `up`."""
    return deployment_of(run(stack, changes, secret=secret), stack)


def deployment_of(recording: Recording, stack: str) -> dict[str, Any]:
    """What `pulumi stack export` would say after an `up` that registered this."""
    provider = {
        "urn": DEFAULT_PROVIDER.format(stack),
        "type": "pulumi:providers:alicloud",
        "id": "p",
        "inputs": {"region": "cn-shanghai"},
    }
    root = {
        "urn": f"urn:pulumi:{stack}::elastic-inference::pulumi:pulumi:Stack::elastic-inference-{stack}",
        "type": "pulumi:pulumi:Stack",
    }
    return {
        "resources": [
            {**root, "outputs": recording.outputs},
            provider,
            *(row(one, root["urn"], stack) for one in recording.resources),
        ]
    }


def row(one: Registered, root: str, stack: str) -> dict[str, Any]:
    """One resource as the state keeps it."""
    cloud = one.type.startswith(("alicloud:", "ossmodel:"))
    return {
        "urn": one.urn,
        "type": one.type,
        "id": identity(one) if one.custom else "",
        "inputs": one.inputs,
        "outputs": {"arn": f"acs:ram::{ACCOUNT}:role/x"} if one.type.endswith(":Role") else {},
        "parent": one.parent or root,
        "provider": one.provider or (f"{DEFAULT_PROVIDER.format(stack)}::p" if cloud else ""),
        "propertyDependencies": {key: list(urns) for key, urns in one.dependencies.items()},
        "protect": one.protect,
        "retainOnDelete": one.retain_on_delete,
    }


def identity(one: Registered) -> str:
    """The id the provider would give."""
    metadata = one.inputs.get("metadata") or {}
    if one.type.startswith("kubernetes:"):
        return "/".join(
            part
            for part in (metadata.get("namespace"), metadata.get("name") or f"{one.name}-0a1b2c3d")
            if part
        )
    if one.type.endswith(":NodePool"):
        return f"{one.inputs['clusterId']}:np-{one.name}"
    return str(
        next(
            (one.inputs[key] for key in ("bucket", "roleName", "policyName") if key in one.inputs),
            one.name,
        )
    )


@functools.cache
def local() -> Checkpoint:
    """Stack `local` after an `up`."""
    return parse(deployment())


def prod() -> Checkpoint:
    """Stack `prod`, whose bucket is protected."""
    return parse(deployment("prod", {"htpasswd": USERS}, ("htpasswd",)))


def adopting() -> Checkpoint:
    """Stack `local` that has taken over what can be."""
    return parse(deployment(changes={"adopt": ADOPTED, "modelStore": {"forceDestroy": False}}))


def with_own_cluster() -> Checkpoint:
    """Stack `local` that has made its cluster."""
    changes = {"cluster": {"id": None, "create": CREATE}, "nodePool": {"vswitchIds": None}}
    return parse(deployment(changes=changes))


__all__ = [
    "ACCOUNT",
    "CLUSTER",
    "adopting",
    "deployment",
    "deployment_of",
    "local",
    "prod",
    "with_own_cluster",
]
