"""`make load PROFILE=tutorial`: sends predictions at the profile's rate, records what the stack
does and prints progress.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from ops.engine.cli import CommandFailed, Stack
from ops.load import target
from ops.load.profile import Profile, ProfileError, check, load, shipped, steady
from ops.load.session import WEB_PORT, Session, SessionError, runs
from ops.report import figures
from ops.report.run import Growing, Run, RunError, read

PROGRESS = 5.0


def main() -> int:
    """Runs a load profile. Returns 0 when it ran to its end, 1 for an error, 130 when interrupted
    before the load began.
    """
    options = _parser().parse_args()
    if options.list:
        print(
            "\n".join(
                f"{made.name:<10} {made.seconds:6g} s, up to {made.peak:3g}/s  {made.description}"
                for made in shipped()
            )
        )
        return 0
    stack = Stack(options.stack)
    try:
        profile = _profile(options)
        base = target.base(stack, options)
        run = options.run or runs() / f"{time.strftime('%Y%m%d-%H%M%S')}-{profile.name}"
        with Session(
            stack, run.absolute(), profile.name, options.seed, deadline=options.deadline
        ) as session:
            pace = f"{profile.seconds:g} s at clock x{session.clock:g}: {profile.seconds / session.clock:.0f} s"
            print(f"{profile.name}: up to {profile.peak:g} requests per second, {pace}")
            print(f"run directory: {run}", flush=True)
            if options.web:
                print(f"page: http://127.0.0.1:{WEB_PORT}", flush=True)
            process = session.load(profile, base, web=options.web)
            _follow(process, session)
        print(json.dumps(figures.summary(read(run)), indent=1))
    except (ProfileError, SessionError, RunError) as error:
        print("\n".join(f"error: {line}" for line in str(error).splitlines()), file=sys.stderr)
        return 1
    except CommandFailed as error:
        print(f"error: {error}; is the stack up? (make up STACK={stack.name})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted before the load began", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops.load", description=__doc__)
    parser.add_argument("--stack", default="local")
    parser.add_argument(
        "--profile",
        default="tutorial",
        help="a name of the folder profiles, or a file (points, or a trace)",
    )
    parser.add_argument(
        "--qps", type=float, help="the same rate all the time, instead of a profile"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=600,
        help="how long, with --qps (modelled seconds, default 600)",
    )
    parser.add_argument(
        "--deadline",
        type=float,
        default=1.0,
        help="answers that take longer are late (seconds, default 1)",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--run", type=Path, help="run directory (default: a new one)")
    parser.add_argument(
        "--web", action="store_true", help=f"Locust's web page too, on http://127.0.0.1:{WEB_PORT}"
    )
    parser.add_argument(
        "--list", action="store_true", help="the profiles there are, and nothing else"
    )
    target.options(parser)
    return parser


def _profile(options: argparse.Namespace) -> Profile:
    made = (
        steady(options.qps, options.seconds) if options.qps is not None else load(options.profile)
    )
    if problems := check(made):
        raise ProfileError("\n".join(problems))
    return made


def _follow(process: subprocess.Popen, session: Session) -> None:
    """Show progress until the load ends; Ctrl-C ends it."""
    recorded = Growing(session.run)
    try:
        while process.poll() is None:
            time.sleep(PROGRESS)
            print(_line(recorded.run()), flush=True)
    except KeyboardInterrupt:
        process.terminate()
        process.wait(timeout=30)
        return
    if process.returncode:
        log = session.run / "locust.log"
        raise SessionError(
            f"Locust ended with exit status {process.returncode}; the end of {log} says why:\n{tail(log, 3)}"
        )


def tail(log: Path, lines: int) -> str:
    """The last `lines` lines of a file."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _line(run: Run) -> str:
    if not run.samples:
        return "waiting for the first sample"
    row, last = (
        run.samples[-1],
        run.requests[-1] if run.requests else {"count": 0, "failed": 0, "p99": 0.0},
    )
    pods, nodes, billed = row["pods"], row["nodes"], row["billed"]
    return (
        f"{row['t']:7.0f} s  {last['count']:4d} req/s  {last['failed']} failed  p99 {last['p99'] * 1000:.0f} ms  "
        f"pods {pods['ready']}/{pods['desired']}  nodes {nodes['spot']} spot + {nodes['on_demand']} on demand, {nodes['booting']} booting  "
        f"CNY {billed['cny_per_hour']:.2f}/h"
    )


if __name__ == "__main__":
    raise SystemExit(main())
