"""`make up`: from whatever is there to an endpoint that answers predictions. Safe to repeat, and to interrupt."""

from __future__ import annotations

import argparse
import sys
import time

from ops.pulumi import CommandFailed, Stack, require_cli


def deploy_in_lab(stack: Stack) -> None:
    """Tools, lab, `pulumi up`; without a preview, since nobody is asked."""
    from ops import lab
    from ops.recover import settle_killed_update

    lab.start()
    if not stack.exists():
        stack.run("stack", "init", stack.name)
    settle_killed_update(stack)
    stack.run("up", "--stack", stack.name, "--yes", "--skip-preview")


def main() -> int:
    """Deploys the stack and asks it for one prediction."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="local")
    stack = Stack(parser.parse_args().stack)
    started = time.monotonic()
    try:
        if stack.in_lab:
            deploy_in_lab(stack)
        else:
            require_cli()
            stack.run("up", "--stack", stack.name)
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
    raise SystemExit(main())
