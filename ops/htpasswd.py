"""`make user NAME=ann STACK=…`: gives a user of the endpoint a password, in the stack's secret
setting `htpasswd`, or removes one.

The password is read from the terminal, where it doesn't show, or from standard input, one line per
user. Neither it nor its hash is ever an argument of a command. Other users of the setting stay.

Exit status: 0 done, 1 nothing was changed, 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import getpass
import re
import subprocess
import sys
from collections.abc import Sequence

import bcrypt

from ops.engine.cli import ROOT, CommandFailed, Stack, environment, require_stack_file
from settings.core.problem import PROJECT
from settings.entry import LEAST_COST, USER_NAME, hash_error

LONGEST = 72
"""Bytes of a password that bcrypt looks at; what comes after them would not count."""
KEY = f"{PROJECT}:htpasswd"


class Refused(Exception):  # noqa: N818 - what the user is told, not a fault of this program
    """A name or a password that can't be used; the message is complete."""


def line_of(name: str, password: str) -> str:
    """The line of a user, `name:hash`. Raises Refused for a password that can't be used.

    $2y$ is written and not $2b$, which is the same hash: the C library in ingress-nginx's image
    (musl) does not know the latter.
    """
    secret = password.encode()
    if not secret:
        raise Refused(f"the password of {name} is empty: everybody would guess it")
    if len(secret) > LONGEST or not password.isprintable():
        raise Refused(
            f"the password of {name} has {len(secret)} bytes, or characters that can't be typed: expected at most "
            f"{LONGEST} bytes that can; bcrypt would ignore what comes after them"
        )
    hashed = bcrypt.hashpw(secret, bcrypt.gensalt(LEAST_COST)).decode()
    return f"{name}:$2y${hashed.removeprefix('$2b$')}"


def merged(text: str, lines: dict[str, str | None]) -> str:
    """The setting's text with these users' lines in place of their old ones; None removes one."""
    kept = [
        line for line in text.splitlines() if line.strip() and line.partition(":")[0] not in lines
    ]
    return "\n".join([*kept, *(line for line in lines.values() if line)])


def password_of(name: str) -> str:
    """Asks for a password: twice on a terminal, else one line of standard input. Raises Refused
    when the two differ.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass(f"Password of {name}: ")
    if getpass.getpass(f"Password of {name} again: ") != first:
        raise Refused(f"the two passwords of {name} differ")
    return first


def current(stack: Stack) -> str:
    """The setting as the stack has it, "" while it is not set. Raises CommandFailed, after it has
    printed why, when it can't be read.
    """
    answer = stack.capture("config", "get", KEY, "--stack", stack.name, "--non-interactive")
    if answer.returncode == 0:
        return answer.stdout
    if "not found" in answer.stderr:
        return ""
    print(answer.stderr.strip(), file=sys.stderr)
    raise CommandFailed(["pulumi", "config", "get", KEY], answer.returncode)


def store(stack: Stack, text: str) -> None:
    """Sets or, when no user is left, removes the setting. Raises CommandFailed, after the CLI has
    said why.
    """
    words = ("set", "--secret", KEY) if text else ("rm", KEY)
    command = stack.command("config", *words, "--stack", stack.name, "--non-interactive")
    done = subprocess.run(command, cwd=ROOT, env=environment(), input=text, text=True, check=False)
    if done.returncode != 0:
        raise CommandFailed(["pulumi", "config", *words], done.returncode)


def main(arguments: Sequence[str] | None = None) -> int:
    """See the module's own words."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.htpasswd",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="+", metavar="NAME", help="users")
    parser.add_argument("--stack", default="local")
    parser.add_argument("--remove", action="store_true", help="remove these users")
    options = parser.parse_args(arguments)
    for name in options.names:
        if not re.fullmatch(USER_NAME, name):
            parser.error(
                f"NAME {name!r}: expected a name without blanks and colons; in the setting a colon ends it"
            )
    require_stack_file(options.stack)
    stack = Stack(options.stack)
    try:
        before = current(stack)
        lines = {
            name: None if options.remove else line_of(name, password_of(name))
            for name in options.names
        }
        text = merged(before, lines)
        store(stack, text)
    except Refused as refused:
        print(f"error: {refused}. Nothing was changed.", file=sys.stderr)
        return 1
    except CommandFailed:
        return 1
    _report(stack.name, text, options.names, removed=options.remove)
    return 0


def _report(stack: str, text: str, names: Sequence[str], *, removed: bool) -> None:
    lines = text.splitlines()
    print(
        f"{stack}: {', '.join(names)} {'removed' if removed else 'set'}; the setting htpasswd has "
        f"{len(lines)} user{'s' if len(lines) != 1 else ''}. It takes effect with: make up STACK={stack}"
    )
    for line in lines:
        if error := hash_error(line):
            name = line.partition(":")[0]
            print(f"{name} still {error}: make user NAME={name} STACK={stack}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
