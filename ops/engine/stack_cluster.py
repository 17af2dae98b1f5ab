"""The way from a stack to its cluster's API server: state and settings say where the cluster is,
the container service gives a temporary credential.
"""

from __future__ import annotations

from typing import Any

from ops.cloud.client import Cloud
from ops.cloud.cluster_reader import ClusterError, ClusterReader, reach
from ops.cloud.credentials import find_credentials
from ops.cloud.errors import CloudError
from ops.engine.checkpoint import parse
from ops.engine.cli import CommandFailed, Stack
from ops.engine.stack_location import (
    PROJECT,
    StackLocation,
    config_of,
    locate,
    provider_config,
)


def open_cluster(stack: Stack) -> tuple[Cloud, StackLocation, ClusterReader]:
    """The stack's cloud, where the stack lives, and its cluster. Runs where the region can be
    reached. Raises ClusterError.
    """
    config = config_of(stack.name)
    try:
        location = locate(stack.name, parse(stack.export_state()["deployment"]), config)
        cloud = Cloud(location.region, find_credentials(provider_config(config)))
        given, private = kubeconfig_of(stack, config), location.private_api
        return cloud, location, reach(cloud, location.cluster, given, private=private)
    except (CommandFailed, CloudError) as error:
        raise ClusterError(str(error)) from None


def kubeconfig_of(stack: Stack, config: dict[str, Any]) -> str | None:
    """The kubeconfig in the stack's settings, decrypted; None when they give none."""
    key = f"{PROJECT}:kubeconfig"
    if key not in config:
        return None
    return stack.capture("config", "get", key, "--stack", stack.name).stdout
