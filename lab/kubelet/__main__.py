"""`python -m lab.kubelet --home LAB_HOME`: runs the node agent until it is ended."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import uvloop

from lab.kube import Kube
from lab.kubelet.agent import CONTROL, Agent

CLUSTER_ID = "c210fbedb96674b9eaf15f2dc47d169a8"


def _kubeconfig(home: Path) -> Path:
    """$KUBECONFIG (the supervisor's choice), the agent's own, or the administrator's."""
    given = os.environ.get("KUBECONFIG")
    own = Path(given) if given else home / "kubeconfig-agent"
    return own if own.exists() else home / "kubeconfig"


async def _main(options: argparse.Namespace) -> None:
    agent = Agent(
        options.home,
        Kube(_kubeconfig(options.home), user_agent="kubelet/v1.36.3 (lab)"),
        options.cluster_id,
        options.control,
    )
    work = asyncio.ensure_future(agent.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    print("node agent: ready", flush=True)
    try:
        await work
    except asyncio.CancelledError:
        for node in agent.nodes.values():
            for pod in node.pods.values():
                pod.kill()


def main() -> int:
    """0 after SIGTERM, 1 if it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m lab.kubelet", description=__doc__)
    parser.add_argument(
        "--home",
        type=Path,
        default=os.environ.get("LAB_HOME"),
        help="the lab's directory (default: $LAB_HOME)",
    )
    parser.add_argument("--control", default=CONTROL, help="the region's control API")
    parser.add_argument("--cluster-id", default=CLUSTER_ID)
    options = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout
    )
    if options.home is None:
        parser.error("--home is missing and LAB_HOME is not set: which lab's nodes should run?")
    options.home = Path(options.home)
    if not _kubeconfig(options.home).exists():
        print(
            f"node agent: {_kubeconfig(options.home)} does not exist: start the lab first (python -m lab up)",
            file=sys.stderr,
        )
        return 1
    try:
        uvloop.run(_main(options))
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
