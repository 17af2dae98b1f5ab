"""`python -m lab`: Alibaba Cloud on this machine."""

from __future__ import annotations

import signal

INTERRUPTIBLE = signal.getsignal(signal.SIGINT) is signal.default_int_handler
if INTERRUPTIBLE:
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # Ctrl-C while the rest loads ends without a traceback; main() takes it over

import argparse
import os
import sys
from pathlib import Path

from lab.environment import LabError, lab_home


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m lab",
        description="Alibaba Cloud on one Linux machine, sealed off: real Kubernetes, a double of the cloud.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("up", help="start the lab, or go on from where an earlier start stopped")
    down = commands.add_parser("down", help="stop the lab and remove its data")
    down.add_argument(
        "--keep", action="store_true", help="keep the data: the next `up` goes on from it"
    )
    status = commands.add_parser(
        "status",
        help="what runs, where, since when, how much memory (exit status 0 ready, 1 not ready, 3 not running)",
    )
    status.add_argument("--json", action="store_true", help="for programs")
    env = commands.add_parser("env", help="the environment of commands inside, for `eval`")
    env.add_argument("--json", action="store_true", help="for programs")
    execute = commands.add_parser("exec", help="run a command inside: exec -- CMD ARGS…")
    execute.add_argument("argv", nargs=argparse.REMAINDER)
    commands.add_parser(
        "shell", help="a shell inside: pulumi, kubectl and curl work against the lab"
    )
    logs = commands.add_parser("logs", help="what a part wrote; without a name: which there are")
    logs.add_argument("name", nargs="?")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it grows")
    logs.add_argument(
        "-n", "--lines", type=int, default=200, help="how many lines from the end (default 200)"
    )
    faults = commands.add_parser("faults", help="faults of the cloud double: list, add, clear")
    faults.add_argument("action", choices=("list", "add", "clear"), nargs="?", default="list")
    faults.add_argument(
        "fault",
        nargs="?",
        help='for add: JSON such as {"match": {"service": "ess"}, "times": 1, "status": 503, "kind": "error"}',
    )
    metrics = commands.add_parser(
        "metrics", help="the metrics adapter: normal, or outage, zero, negative, x100"
    )
    metrics.add_argument("mode")
    return top


def main() -> int:
    """Run one command; mistakes end in one message and exit status 1, Ctrl-C in 130."""
    arguments = parser().parse_args()
    if INTERRUPTIBLE:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _COMMANDS[arguments.command](lab_home(), arguments)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141


def _say(line: str) -> None:
    print(line, flush=True)


def _up(home: Path, arguments: argparse.Namespace) -> int:
    import signal

    from lab.up import up

    for number in (
        signal.SIGTERM,
        signal.SIGHUP,
    ):  # as Ctrl-C: nothing may be left that nobody waits for
        if signal.getsignal(number) == signal.SIG_DFL:  # under nohup it is ignored, and stays so
            signal.signal(number, signal.default_int_handler)
    up(home, _say)
    return 0


def _down(home: Path, arguments: argparse.Namespace) -> int:
    from lab.down import down

    down(home, _say, keep=arguments.keep)
    return 0


def _status(home: Path, arguments: argparse.Namespace) -> int:
    from lab.status import show

    return show(home, as_json=arguments.json)


def _env(home: Path, arguments: argparse.Namespace) -> int:
    import json
    import shlex

    from lab.environment import inside, is_foreign

    values = inside(home)
    if arguments.json:
        print(json.dumps(values, indent=1))
        return 0
    foreign = sorted({"PULUMI_CONFIG_PASSPHRASE", *filter(is_foreign, os.environ)} - set(values))
    print(
        "\n".join(
            [
                f"unset {' '.join(foreign)}",
                *(f"export {name}={shlex.quote(value)}" for name, value in values.items()),
            ]
        )
    )
    return 0


def _exec(home: Path, arguments: argparse.Namespace) -> int:
    from lab.namespace import enter

    argv = arguments.argv[1:] if arguments.argv[:1] == ["--"] else arguments.argv
    if not argv:
        raise LabError(
            "exec: no command given; for example `python -m lab exec -- kubectl get nodes`"
        )
    return enter(home, argv)


def _shell(home: Path, arguments: argparse.Namespace) -> int:
    from lab.namespace import enter, supervisor_pid

    supervisor_pid(home)
    if sys.stdin.isatty():
        print("inside the lab: pulumi, kubectl and curl work against it; `exit` leaves")
    return enter(home, [os.environ.get("SHELL") or "/bin/sh"], {"PS1": r"(lab) \w \$ "})


def _logs(home: Path, arguments: argparse.Namespace) -> int:
    from lab.status import show_log

    return show_log(home, arguments.name, arguments.lines, arguments.follow)


def _faults(home: Path, arguments: argparse.Namespace) -> int:
    from lab.namespace import enter

    return enter(
        home,
        [
            sys.executable,
            "-m",
            "lab.faults",
            arguments.action,
            *([arguments.fault] if arguments.fault else []),
        ],
    )


def _metrics(home: Path, arguments: argparse.Namespace) -> int:
    from lab.controlplane.metric_fault import put

    try:
        put(home, arguments.mode)
    except (ValueError, FileNotFoundError) as error:
        raise LabError(str(error)) from None
    return 0


_COMMANDS = {
    "up": _up, "down": _down, "status": _status, "env": _env, "exec": _exec, "shell": _shell, "logs": _logs, "faults": _faults,
    "metrics": _metrics,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
