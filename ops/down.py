"""`make down`: takes the stack down, stops the lab and checks that nothing is left. For a real
stack it is `make destroy`, which asks.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from lab.state import is_running
from ops import lab
from ops.engine.cli import ROOT, Stack, environment
from ops.inventory import cloud_leftovers, cluster_leftovers


def teardown(stack: Stack, *arguments: str) -> int:
    """Runs `make destroy` on this terminal and returns its exit status. Ctrl-C reaches it directly;
    it then ends in order.
    """
    command = [sys.executable, "-m", "ops.teardown", "--stack", stack.name, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=environment())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def end_lab(stack: Stack, force: bool) -> int:
    """Destroys the stack, looks for leftovers and stops the lab. With leftovers the lab keeps
    running, so that they can be examined, unless `force` is set. Returns the exit status.
    """
    left: list[str] = []
    if is_running(lab.home()):
        code = teardown(stack)
        left = [*cloud_leftovers(), *cluster_leftovers()]
        if code != 0 and not force:
            print(
                "error: the lab still runs (make shell to look, make down FORCE=1 to stop it)",
                file=sys.stderr,
            )
            return code
    for line in left:
        print(f"left: {line}", file=sys.stderr)
    if left and not force:
        print(
            f"error: {len(left)} things are left after destroy; the lab still runs (make shell to look, make down FORCE=1 to stop it)",
            file=sys.stderr,
        )
        return 1
    lab.lab("down")
    if not left:
        print("down: no resource in the region, no object in the cluster, no process, no namespace")
    return 0


def main() -> int:
    """Takes down the stack: the lab's with the lab, a real one as `make destroy` does. Returns the
    exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="local")
    parser.add_argument(
        "--force", action="store_true", help="stop the lab even if something is left in it"
    )
    options = parser.parse_args()
    stack = Stack(options.stack)
    return end_lab(stack, options.force) if stack.in_lab else teardown(stack)


if __name__ == "__main__":
    raise SystemExit(main())
