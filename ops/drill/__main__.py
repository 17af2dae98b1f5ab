"""`make drill`: loses all preemptible nodes under load and says what the users noticed.

In the lab the spot market takes them, with the notice that is asked for. On a real stack they are
cordoned and drained, after the pool's id has been typed, and opened again in the end: nothing is
bought or released, the scaler replaces what the pods need.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ops.drill import real
from ops.drill.verdict import Verdict, of_loss, of_outage
from ops.engine.cli import CommandFailed, Stack, environment
from ops.load import target
from ops.load.profile import steady
from ops.load.session import Session, SessionError, runs
from ops.report.run import Growing, RunError, read

RAMP = 600.0
AFTER = 900.0


def main() -> int:
    """Runs the drill. Returns 0 when it was passed, 1 when it was not or could not be run, 130 when
    it was interrupted.
    """
    options = _parser().parse_args()
    stack = Stack(options.stack)
    run = options.run or runs() / f"{time.strftime('%Y%m%d-%H%M%S')}-drill-{options.kind}"
    try:
        if options.notice < 0:
            raise SessionError(f"--notice {options.notice:g}: expected seconds, 0 or more")
        base, nodes = target.base(stack, options), _asked(stack, options)
        with Session(stack, run.absolute(), f"drill {options.kind}", options.seed) as session:
            verdict = _hold(session, options, base, nodes)
    except (SessionError, RunError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except CommandFailed as error:
        print(f"error: {error}; is the stack up? (make up STACK={stack.name})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\ninterrupted; in the lab the reclaim continues as ordered, and the stack recovers automatically",
            file=sys.stderr,
        )
        return 130
    print("\n".join(verdict.lines))
    print(f"drill {'passed' if verdict.passed else 'NOT passed'}; see: make report RUN={run}")
    return 0 if verdict.passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops.drill", description=__doc__)
    parser.add_argument("kind", nargs="?", default="loss", choices=("loss", "metric-outage"))
    parser.add_argument("--stack", default="local")
    parser.add_argument(
        "--notice",
        type=float,
        default=300.0,
        help="seconds between notice and release, in the lab (default 300)",
    )
    parser.add_argument("--qps", type=float, default=200.0, help="steady load (default 200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--run", type=Path)
    parser.add_argument(
        "--yes", metavar="POOL", help="the pool's id, instead of typing it (real stacks)"
    )
    target.options(parser)
    return parser


def _asked(stack: Stack, options: argparse.Namespace) -> list[str]:
    """On a real stack the nodes to drain, after the pool's id has been typed."""
    if stack.in_lab:
        return []
    if options.kind != "loss":
        raise SessionError(
            f"drill {options.kind} works in the lab only: nobody can make the metric of a real cluster fail from here"
        )
    pool = stack.outputs()["nodePoolId"].split(":")[-1]
    nodes = real.open_spot_nodes(pool)
    real.confirm(pool, nodes, options.yes)
    return nodes


def _hold(
    session: Session, options: argparse.Namespace, base: str | None, nodes: list[str]
) -> Verdict:
    """Load, wait until the stack carries it, take away, watch."""
    load = session.load(steady(options.qps, 4 * 3600), base)
    try:
        print(
            f"{options.qps:g} requests per second; waiting until the ready pods carry them",
            flush=True,
        )
        _until(
            session,
            lambda row: row["capacity_qps"] >= options.qps and row["nodes"]["booting"] == 0,
            3600,
        )
        _pause(session, RAMP / 2)
        begin = session.now
        if options.kind == "loss":
            lost, left = _lose(session, options.notice, nodes)
            print(f"{lost} preemptible nodes are going", flush=True)
            _pause(session, max(0.0, begin + options.notice + AFTER - session.now))
            return of_loss(read(session.run), begin, lost, options.notice, options.qps, left)
        _metrics("outage")
        try:
            _pause(session, 600)
        finally:
            _metrics("normal")
        return of_outage(read(session.run), begin)
    finally:
        real.reopen(nodes)
        load.terminate()
        load.wait(timeout=40)


def _lose(session: Session, notice: float, nodes: list[str]) -> tuple[int, str]:
    """Take all preemptible nodes; how many, and what a drain left on them."""
    if session.meta["lab"]:
        return len(
            session.control("reclaim", {"pool": session.meta["node_pool"], "notice": notice})[
                "instances"
            ]
        ), ""
    return len(nodes), real.drain(nodes, notice)


def _metrics(mode: str) -> None:
    subprocess.run([sys.executable, "-m", "lab", "metrics", mode], check=True, env=environment())


def _until(session: Session, what: Any, seconds: float) -> None:
    end, told, recorded = session.now + seconds, 0.0, Growing(session.run)
    while session.now < end:
        rows = recorded.run().samples
        if rows and what(rows[-1]):
            return
        if rows and session.now - told > 60:
            told = session.now
            row = rows[-1]
            print(
                f"{row['t']:7.0f} s  pods {row['pods']['ready']}/{row['pods']['desired']}  booting {row['nodes']['booting']}",
                flush=True,
            )
        time.sleep(0.3)
    raise SessionError(
        f"the stack does not carry the load within {seconds:g} s: raise autoscaler.maxReplicas and nodePool.maxSize, or give --qps"
    )


def _pause(session: Session, seconds: float) -> None:
    time.sleep(seconds / session.clock)


if __name__ == "__main__":
    raise SystemExit(main())
