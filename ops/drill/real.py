"""The drill on a real stack: preemptible nodes are cordoned and drained, and opened again
afterwards. Nothing is bought or released.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

from ops.engine.cli import environment
from ops.load.session import SessionError

KEY = "node.alibabacloud.com/spot-strategy"
SELECTOR = f"{KEY},{KEY}!=NoSpot,alibabacloud.com/nodepool-id={{}}"
"""Nodes that say they are preemptible; one without the label says nothing, and `!=` alone would
take it.
"""


def open_spot_nodes(pool: str) -> list[str]:
    """Names of the pool's preemptible nodes that take pods. Raises SessionError when kubectl can't
    say.
    """
    answer = _kubectl("get", "nodes", "-l", SELECTOR.format(pool), "-o", "json")
    return [
        node["metadata"]["name"]
        for node in json.loads(answer)["items"]
        if not node["spec"].get("unschedulable")
    ]


def confirm(pool: str, nodes: Sequence[str], said: str | None) -> None:
    """Say what would happen and have the pool's id typed, unless it was `said`. Raises
    SessionError: nothing was changed then.
    """
    if not nodes:
        raise SessionError(
            f"pool {pool} has no preemptible node that takes pods: there is nothing to lose"
        )
    print(
        f"this would cordon and drain {len(nodes)} preemptible nodes of pool {pool}, and open them again afterwards:"
    )
    print("\n".join(f"  {name}" for name in nodes))
    try:
        typed = said or input("type the pool's id to go on: ")
    except EOFError:
        raise SessionError(
            f"nobody is there to type the pool's id: say --yes {pool}; nothing was changed"
        ) from None
    if typed != pool:
        raise SessionError(f"typed {typed!r}: expected {pool}; nothing was changed")


def drain(nodes: Sequence[str], seconds: float) -> str:
    """Close all of them first, so that no pod moves from one to the other, then drain; "", or what
    was left when the time was up.
    """
    _kubectl("cordon", *nodes)
    done = _run(
        "drain",
        *nodes,
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        f"--timeout={max(1, int(seconds))}s",
    )
    return "" if done.returncode == 0 else (done.stderr or done.stdout).strip().splitlines()[-1]


def reopen(nodes: Sequence[str]) -> None:
    """Let pods come to them again; nodes that the scaler has removed meanwhile are no matter."""
    for name in nodes:
        _run("uncordon", name)


def _kubectl(*arguments: str) -> str:
    done = _run(*arguments)
    if done.returncode != 0:
        raise SessionError(
            f"kubectl {' '.join(arguments[:2])} failed: {done.stderr.strip()}; check the kubeconfig (KUBECONFIG)"
        )
    return done.stdout


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["kubectl", *arguments], capture_output=True, text=True, env=environment(), check=False
    )
