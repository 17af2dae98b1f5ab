"""The drill on a real stack: cordons and drains the preemptible nodes and uncordons them
afterwards. Buys and releases nothing.
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
    """Names of the pool's preemptible nodes that are schedulable. Raises SessionError when kubectl
    fails.
    """
    answer = _kubectl("get", "nodes", "-l", SELECTOR.format(pool), "-o", "json")
    return [
        node["metadata"]["name"]
        for node in json.loads(answer)["items"]
        if not node["spec"].get("unschedulable")
    ]


def confirm(pool: str, nodes: Sequence[str], said: str | None) -> None:
    """Prints what will happen and asks for the pool's id, unless it was given as `said`. Raises
    SessionError when it does not match: nothing has been changed then.
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
        typed = said or input("type the pool's id to continue: ")
    except EOFError:
        raise SessionError(
            f"no terminal to type the pool's id on: give --yes {pool}; nothing was changed"
        ) from None
    if typed != pool:
        raise SessionError(f"typed {typed!r}: expected {pool}; nothing was changed")


def drain(nodes: Sequence[str], seconds: float) -> str:
    """Cordons all nodes first, so that no pod moves from one to the next, then drains them. Returns
    "", or kubectl's last line when the time (seconds) ran out.
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
    """Uncordons the nodes; those that the autoscaler has removed meanwhile are skipped."""
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
