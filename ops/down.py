"""`make down`: destroys the stack, stops the lab and checks that nothing is left. For a real stack it is `pulumi destroy`, which asks."""

from __future__ import annotations

import argparse
import sys

from ops.pulumi import Stack, require_cli


def leftovers() -> list[str]:
    """What the stack left behind in the region double or in the cluster, one line each."""
    from ops.inventory import cloud_leftovers, cluster_leftovers

    return [*cloud_leftovers(), *cluster_leftovers()]


def destroy(stack: Stack) -> list[str]:
    """Destroys the stack in the lab; returns what is left all the same."""
    from ops.locks import release_dead
    from ops.recover import resolve_pending

    release_dead()
    if stack.exists():
        resolve_pending(stack)
        stack.run("destroy", "--stack", stack.name, "--yes", "--skip-preview")
        stack.run("stack", "rm", stack.name, "--yes", "--preserve-config")
    return leftovers()


def end_lab(stack: Stack, force: bool) -> int:
    """Destroys, counts, stops. Something left keeps the lab running, so that one can look; `--force` stops it all the same."""
    from lab.state import is_running
    from ops import lab

    left: list[str] = []
    if is_running(lab.home()):
        left = destroy(stack)
    for line in left:
        print(f"left: {line}", file=sys.stderr)
    if left and not force:
        print(
            f"error: {len(left)} things are left after destroy; the lab still runs (make shell to look, make down FORCE=1 to stop it)",
            file=sys.stderr,
        )
        return 1
    lab.lab("down")
    print("down: no resource in the region, no object in the cluster, no process, no namespace")
    return 0


def main() -> int:
    """Takes the stack down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="local")
    parser.add_argument("--force", action="store_true", help="stop the lab even if something is left in it")
    options = parser.parse_args()
    stack = Stack(options.stack)
    if stack.in_lab:
        return end_lab(stack, options.force)
    require_cli()
    return stack.code("destroy", "--stack", stack.name)


if __name__ == "__main__":
    raise SystemExit(main())
