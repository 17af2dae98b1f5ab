"""`ack-lab`, and `python -m lab` where the lab is not installed: Alibaba Cloud on this machine."""

from __future__ import annotations

import signal

INTERRUPTIBLE = signal.getsignal(signal.SIGINT) is signal.default_int_handler
if INTERRUPTIBLE:
    # Ctrl-C while the rest loads ends without a traceback; main() takes it over
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

import lab
from lab import faults, status
from lab.controlplane import metric_fault
from lab.down import down
from lab.environment import lab_home
from lab.errors import LabError
from lab.inside import inside, is_foreign
from lab.namespace import enter, supervisor_pid
from lab.up import up

EXAMPLES = """\
examples:
  %(prog)s up                                  start it (the first time builds or fetches the tools)
  %(prog)s exec -- kubectl get nodes           run one command inside
  %(prog)s exec -- pulumi up --stack dev       the CLI, its plugins and the cloud's keys are there
  %(prog)s shell                               a shell inside
  %(prog)s status --all                        every lab of this machine
  %(prog)s up --owner $$                       ends with this shell, however that ends
  %(prog)s faults add '{"match": {"service": "ess"}, "times": 1, "status": 503, "kind": "error"}'
  %(prog)s metrics outage                      the metrics adapter fails from now on
  %(prog)s down                                stop it and remove its data

variables: LAB_HOME (where it keeps its data), LAB_INGRESS_PORT, LAB_API_PORT, LAB_REGION_PORT (ports of
this machine that lead in), LAB_CLOCK, LAB_SCENARIO, LAB_STUB_PODS, LAB_OWNER_PID: see docs/lab.md of the lab
"""


def parser() -> argparse.ArgumentParser:
    """The command line. Each command's function is the option `run`."""
    top = argparse.ArgumentParser(
        prog="ack-lab" if Path(sys.argv[0]).name == "ack-lab" else "python -m lab",
        description="Alibaba Cloud on one Linux machine, sealed off: real Kubernetes, a double of the cloud.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"ack-lab {lab.__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    start = commands.add_parser(
        "up", help="start the lab, or continue where an earlier start stopped"
    )
    start.add_argument(
        "--owner",
        type=int,
        metavar="PID",
        help="end the lab when this process has ended, however it ends (also LAB_OWNER_PID)",
    )
    start.set_defaults(run=_up)

    stop = commands.add_parser("down", help="stop the lab and remove its data")
    stop.add_argument(
        "--keep", action="store_true", help="keep the data: the next `up` continues from it"
    )
    stop.set_defaults(run=_down)

    shown = commands.add_parser(
        "status",
        help="what runs, where, since when, how much memory (exit status 0 ready, 1 not ready, 3 not running)",
    )
    shown.add_argument("--all", action="store_true", help="every lab that runs on this machine")
    shown.add_argument("--json", action="store_true", help="for programs")
    shown.set_defaults(run=_status)

    env = commands.add_parser("env", help="the environment of commands inside, for `eval`")
    env.add_argument("--json", action="store_true", help="for programs")
    env.set_defaults(run=_env)

    execute = commands.add_parser("exec", help="run a command inside: exec -- CMD ARGS…")
    execute.add_argument("argv", nargs=argparse.REMAINDER)
    execute.set_defaults(run=_exec)

    shell = commands.add_parser(
        "shell", help="a shell inside: pulumi, kubectl and curl work against the lab"
    )
    shell.set_defaults(run=_shell)

    logs = commands.add_parser("logs", help="what a part wrote; without a name: which there are")
    logs.add_argument("name", nargs="?")
    logs.add_argument("-f", "--follow", action="store_true", help="continue as it grows")
    logs.add_argument(
        "-n", "--lines", type=int, default=200, help="how many lines from the end (default 200)"
    )
    logs.set_defaults(run=_logs)

    fault = commands.add_parser("faults", help="faults of the cloud double: list, add, clear")
    fault.add_argument("action", choices=sorted(faults.METHODS), nargs="?", default="list")
    fault.add_argument(
        "fault",
        nargs="?",
        help='for add: JSON such as {"match": {"service": "ess"}, "times": 1, "status": 503, "kind": "error"}',
    )
    fault.set_defaults(run=_faults)

    metrics = commands.add_parser(
        "metrics", help="the metrics adapter: normal, or outage, zero, negative, x100"
    )
    metrics.add_argument("mode")
    metrics.set_defaults(run=_metrics)
    return top


def main() -> int:
    """Run one command; mistakes end in one message and exit status 1, Ctrl-C in 130."""
    arguments = parser().parse_args()
    if INTERRUPTIBLE:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return arguments.run(lab_home(), arguments)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command continues from here", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141


def _say(line: str) -> None:
    print(line, flush=True)


def _up(home: Path, arguments: argparse.Namespace) -> int:
    if arguments.owner is not None:
        os.environ["LAB_OWNER_PID"] = str(arguments.owner)
    # as Ctrl-C: nothing may be left that nobody waits for
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # under nohup it is ignored, and stays so
            signal.signal(number, signal.default_int_handler)
    up(home, _say)
    return 0


def _down(home: Path, arguments: argparse.Namespace) -> int:
    down(home, _say, keep=arguments.keep)
    return 0


def _status(home: Path, arguments: argparse.Namespace) -> int:
    if arguments.all:
        return status.show_all(as_json=arguments.json)
    return status.show(home, as_json=arguments.json)


def _env(home: Path, arguments: argparse.Namespace) -> int:
    values = inside(home)
    if arguments.json:
        print(json.dumps(values, indent=1))
        return 0
    foreign = sorted({"PULUMI_CONFIG_PASSPHRASE", *filter(is_foreign, os.environ)} - set(values))
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    print("\n".join([f"unset {' '.join(foreign)}", *lines]))
    return 0


def _exec(home: Path, arguments: argparse.Namespace) -> int:
    argv = arguments.argv[1:] if arguments.argv[:1] == ["--"] else arguments.argv
    if not argv:
        raise LabError(
            "exec: no command given; for example `python -m lab exec -- kubectl get nodes`"
        )
    return enter(home, argv)


def _shell(home: Path, _: argparse.Namespace) -> int:
    supervisor_pid(home)
    if sys.stdin.isatty():
        print("inside the lab: pulumi, kubectl and curl work against it; `exit` leaves")
    return enter(home, [os.environ.get("SHELL") or "/bin/sh"], {"PS1": r"(lab) \w \$ "})


def _logs(home: Path, arguments: argparse.Namespace) -> int:
    return status.show_log(home, arguments.name, arguments.lines, arguments.follow)


def _faults(home: Path, arguments: argparse.Namespace) -> int:
    words = [arguments.action]
    if arguments.action == "add":
        try:
            words.append(faults.parsed(arguments.fault or ""))
        except ValueError as error:
            example = '{"match": {"service": "ess"}, "times": 1, "status": 503}'
            raise LabError(
                f"faults add {arguments.fault or ''}: {error}; for example '{example}'"
            ) from None
    return enter(home, [sys.executable, "-m", "lab.faults", *words])


def _metrics(home: Path, arguments: argparse.Namespace) -> int:
    try:
        metric_fault.put(home, arguments.mode)
    except (ValueError, FileNotFoundError) as error:
        raise LabError(str(error)) from None
    return 0


if __name__ == "__main__":
    sys.exit(main())
