"""`make up`: from whatever is there to an endpoint that answers predictions. Safe to repeat, and to interrupt."""

from __future__ import annotations

import argparse
import sys
import time

from ops import update
from ops.pulumi import CommandFailed, Stack, require_cli


def deploy_in_lab(stack: Stack, refresh: bool = False) -> None:
    """Tools, lab, `pulumi up`; without a preview, since nobody is asked."""
    from ops import lab

    lab.start()
    if not stack.exists():
        stack.run("stack", "init", stack.name)
    update.run(stack, "up", "--yes", "--skip-preview", *looked_at(refresh))


def deploy_for_real(stack: Stack, refresh: bool) -> None:
    """`pulumi up`, which shows the changes and asks; before it, what an interrupted one left open is settled."""
    require_cli()
    update.run(stack, "up", *looked_at(refresh), settle=stack.exists())


def looked_at(refresh: bool) -> list[str]:
    """Options of the CLI: whether it first looks how things really are, and so puts back what was changed by hand."""
    return ["--refresh"] if refresh else []


def main() -> int:
    """Deploys the stack and asks it for one prediction."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="local")
    parser.add_argument("--refresh", action="store_true", help="look first how things really are: puts back what was changed by hand")
    options = parser.parse_args()
    stack = Stack(options.stack)
    started = time.monotonic()
    try:
        (deploy_in_lab if stack.in_lab else deploy_for_real)(stack, options.refresh)
    except CommandFailed as failure:
        if stack.in_lab:
            from ops.diagnose import explain

            explain(sys.stderr)
        print(
            "The update did not finish. What was done is kept; once the cause is gone the same command goes on from here.", file=sys.stderr
        )
        return failure.code
    print(f"\n{stack.name} is up after {time.monotonic() - started:.0f} s\n")
    from ops.smoke import ask

    return ask(stack)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        print("\ninterrupted; what was done is kept, the same command goes on from here", file=sys.stderr)
        raise SystemExit(130) from None
