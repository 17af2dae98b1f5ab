"""`make down`: destroys the stack, stops the lab and checks that nothing is left. For a real stack it is `pulumi destroy`, which asks."""

from __future__ import annotations

import argparse
import sys

from ops.pulumi import CommandFailed, Stack, require_cli


def end_lab(stack: Stack, force: bool) -> int:
    """Destroys, counts, stops. Something left keeps the lab running, so that one can look; `--force` stops it all the same."""
    from lab.state import is_running
    from ops import lab
    from ops.destroy import destroy, leftovers

    left: list[str] = []
    if is_running(lab.home()):
        try:
            destroy(stack)
        except CommandFailed as failure:
            if not force:
                print("The destroy did not finish. Once the cause is gone the same command goes on from here.", file=sys.stderr)
                return failure.code
        left = leftovers()
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
