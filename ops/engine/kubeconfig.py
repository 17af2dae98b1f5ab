"""A valid kubeconfig in a state that holds a temporary one (`cluster.credentialMinutes`).

A refresh takes the Kubernetes provider as the state has it, and that kubeconfig ran out since the
last `up`: each object in the cluster would fail to be read. An `up` asks for a new one only when it
runs the program, which comes later.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ops.cloud.cluster_reader import ClusterError
from ops.engine.checkpoint import KUBERNETES_PROVIDER, renew
from ops.engine.cli import CommandFailed, Stack, inside_lab
from ops.engine.stack_cluster import open_cluster
from ops.engine.stack_location import PROJECT, config_of

PATIENCE = 600.0
"""Seconds until a lab that does not answer is given up."""


def is_temporary(stack: Stack) -> bool:
    """Whether the program asks ACK for a kubeconfig that runs out."""
    config = config_of(stack.name)
    return f"{PROJECT}:kubeconfig" not in config and bool(
        (config.get(f"{PROJECT}:cluster") or {}).get("credentialMinutes")
    )


def renew_in(stack: Stack, state: dict[str, Any]) -> bool:
    """Puts a new temporary kubeconfig into this state; the caller writes it. Returns whether it is
    another state now. A cluster that gives none is warned about: the run that follows fails at the
    objects in it, and says so.
    """
    resources = state["deployment"].get("resources") or []
    if not is_temporary(stack) or not any(row["type"] == KUBERNETES_PROVIDER for row in resources):
        return False
    try:
        text = (
            stack.ask("ops.engine.kubeconfig", stack.name, timeout=PATIENCE)
            if stack.in_lab and not inside_lab()
            else open_cluster(stack)[2].kubeconfig
        )
    except (ClusterError, CommandFailed) as error:
        print(
            f"warning: the kubeconfig in the state has run out, and there is no new one: {error}",
            file=sys.stderr,
        )
        return False
    return renew(state, text)


def main() -> int:
    """Prints, as JSON, a temporary kubeconfig of the cluster of the stack that is named; read by
    the process that started this one and shown nowhere.
    """
    try:
        print(json.dumps(open_cluster(Stack(sys.argv[1]))[2].kubeconfig))
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
