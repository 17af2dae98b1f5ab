"""`make preview`: what `up` would change, without changing anything."""

from __future__ import annotations

import argparse

from ops.pulumi import Stack, require_cli


def main() -> int:
    """Previews the stack; with --diff every property."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="local")
    parser.add_argument("--diff", action="store_true", help="show every property that changes")
    options = parser.parse_args()
    stack = Stack(options.stack)
    if stack.in_lab:
        from ops.lab import start

        start()
        if not stack.exists():
            stack.run("stack", "init", stack.name)
    else:
        require_cli()
    return stack.code("preview", "--stack", stack.name, *(["--diff"] if options.diff else []))


if __name__ == "__main__":
    raise SystemExit(main())
