"""`make preview`: what `up` would change, without changing anything. `--offline` needs no cloud, no
credentials and no state.
"""

from __future__ import annotations

import argparse
import sys

from ops.check import require_good
from ops.engine.cli import CommandFailed, Stack, require_stack


def main() -> int:
    """Previews the stack; with --diff every property; offline as one line or as the CLI's JSON
    document.
    """
    parser = argparse.ArgumentParser(prog="python -m ops.preview", description=__doc__)
    parser.add_argument("--stack", default="local")
    parser.add_argument("--diff", action="store_true", help="show every property that changes")
    parser.add_argument(
        "--offline",
        action="store_true",
        help="ask no cloud and no state: lookups are answered from the settings",
    )
    parser.add_argument(
        "--base",
        default="",
        metavar="COMMIT",
        help="with --offline: compare with this commit, not with nothing",
    )
    parser.add_argument(
        "--json",
        default="",
        metavar="FILE",
        help="with --offline: the CLI's JSON document (- for standard output)",
    )
    parser.add_argument(
        "--log", default="", metavar="FILE", help="with --offline: what the CLI says beside it"
    )
    parser.add_argument(
        "--policies",
        action="store_true",
        help="with --offline: have the CLI run the policy pack (policy/)",
    )
    options = parser.parse_args()
    if options.offline:
        return offline(options)
    if options.base or options.json or options.log or options.policies:
        parser.error("--base, --json, --log and --policies go with --offline")
    return online(Stack(options.stack), options.diff)


def online(stack: Stack, diff: bool) -> int:
    """Previews against the stack's state and cloud; for stack `local`, the lab's. Settings are
    checked before anything starts. Returns the exit status.
    """
    require_good(stack.name)
    if stack.in_lab:
        from ops.lab import start  # noqa: PLC0415 - 0.2 s that a real stack does not need

        start()
        if not stack.exists():
            stack.run("stack", "init", stack.name)
    else:
        try:
            require_stack(stack)
        except CommandFailed as failure:
            return failure.code
    return stack.code("preview", "--stack", stack.name, *(["--diff"] if diff else []))


def offline(options: argparse.Namespace) -> int:
    """Previews with the real CLI and plugins in a directory of its own. Returns the CLI's exit
    status.
    """
    from lab.toolchain import ToolchainError  # noqa: PLC0415 - 0.2 s that only --offline needs
    from ops.offline import run  # noqa: PLC0415 - 0.2 s that only --offline needs
    from ops.offline.workspace import OfflineError  # noqa: PLC0415 - 0.2 s that only --offline needs
    from ops.policy_environment import PolicyEnvironmentError  # noqa: PLC0415 - 0.2 s that only --offline needs

    try:
        found = run.preview(options.stack, options.base, policies=options.policies)
    except (OfflineError, PolicyEnvironmentError, ToolchainError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    run.write(found, options.json, options.log)
    if options.json != "-":
        print(summary(options.stack, found.code, found.document, found.base))
    return found.code


def summary(stack: str, code: int, document: str, base: str) -> str:
    """The preview's counts as one line, after a line for each error and each policy violation."""
    from ops.engine.previews import Preview, PreviewFormatError, parse  # noqa: PLC0415 - 0.2 s that only --offline needs

    try:
        preview = parse(document)
    except PreviewFormatError:
        preview = Preview()
    against = f"compared with {base}" if base else "compared with nothing"
    lines = [message.text.strip() for message in preview.messages if message.severity == "error"]
    lines += [
        f"{broken.get('policyName')}: {str(broken.get('message')).strip()}"
        for broken in preview.violations
    ]
    counts = ", ".join(f"{number} {kind}" for kind, number in sorted(preview.counts.items()))
    verdict = counts if code == 0 else f"the preview failed (exit status {code})"
    return "\n".join([*lines, f"{stack}: {verdict}, {against}"])


if __name__ == "__main__":
    raise SystemExit(main())
