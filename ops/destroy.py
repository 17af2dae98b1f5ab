"""`python -m ops.destroy`: destroys stack `local`, leaves the lab running. Safe to repeat after it, or an `up` before it, was killed."""

from __future__ import annotations

import sys

from ops.pulumi import CommandFailed, Stack


def destroy(stack: Stack) -> None:
    """Settles what a killed update left pending, then destroys the stack and forgets it."""
    from ops.recover import settle_killed_update

    if stack.exists():
        settle_killed_update(stack)
        stack.run("destroy", "--stack", stack.name, "--yes", "--skip-preview")


def leftovers() -> list[str]:
    """What the stack left behind in the region double or in the cluster, one line each."""
    from ops.inventory import cloud_leftovers, cluster_leftovers

    return [*cloud_leftovers(), *cluster_leftovers()]


def main() -> int:
    """Destroys the lab's stack and says what is left."""
    try:
        destroy(Stack("local"))
    except CommandFailed as failure:
        print("The destroy did not finish. Once the cause is gone the same command goes on from here.", file=sys.stderr)
        return failure.code
    left = leftovers()
    for line in left:
        print(f"left: {line}", file=sys.stderr)
    return 1 if left else 0


if __name__ == "__main__":
    raise SystemExit(main())
