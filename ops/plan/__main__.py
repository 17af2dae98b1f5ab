"""`python -m ops.plan`: simulates settings under a load and names the cheapest that keep the
promise. See docs/planner.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# numpy, pydantic and the settings take 0.6 s to import: --help and wrong options need none of them.
ROOT = Path(__file__).resolve().parents[2]


def parser() -> argparse.ArgumentParser:
    """The options of `python -m ops.plan`."""
    options = argparse.ArgumentParser(prog="python -m ops.plan", description=__doc__)
    load = options.add_argument_group("the load")
    load.add_argument(
        "--trace",
        default="S3",
        help="a built-in load (--list) or a CSV file with the columns seconds,qps (default: S3, a day curve)",
    )
    load.add_argument(
        "--peak",
        type=float,
        help="highest minute, requests/s; built-in loads: 20 pods' worth; files: as they are",
    )
    load.add_argument("--hours", type=float, help="length of a built-in load")
    load.add_argument("--list", action="store_true", help="list the built-in loads and markets")
    load.add_argument("--export", type=Path, metavar="FILE", help="write the load as CSV and stop")
    market = options.add_argument_group("market, prices, parameters")
    market.add_argument(
        "--market",
        default="calm",
        help="preemptible nodes: always, calm, moderate or harsh (default: calm)",
    )
    market.add_argument(
        "--prices", type=Path, metavar="FILE", help="price table (JSON); default: the shipped one"
    )
    market.add_argument(
        "--parameters",
        "--world",
        type=Path,
        metavar="FILE",
        help="parameters of the model that differ from its defaults (YAML): pod_qps, boot, load, notice ...",
    )
    market.add_argument(
        "--pod-qps",
        type=float,
        help="requests/s one ready pod serves at most; measure it (default: 14.3)",
    )
    tries = options.add_argument_group("candidates")
    tries.add_argument("--stack", help="start from the settings of this stack")
    tries.add_argument(
        "--candidates",
        type=Path,
        metavar="FILE",
        help="settings to try (YAML); default: a grid of 64",
    )
    tries.add_argument("--baselines", action="store_true", help="also simulate the peers' policies")
    tries.add_argument(
        "--seeds",
        type=int,
        default=5,
        help="simulations of each candidate with different random numbers (default: 5)",
    )
    tries.add_argument("--first-seed", type=int, default=0)
    tries.add_argument(
        "--step", type=float, default=5.0, help="seconds of one step: 1, 2.5 or 5 (default: 5)"
    )
    out = options.add_argument_group("output")
    out.add_argument(
        "--slo",
        type=float,
        default=99.9,
        help="percent of requests in time, in the worst seed (default: 99.9)",
    )
    out.add_argument("--picture", type=Path, metavar="FILE", help="the frontier as SVG")
    out.add_argument("--json", type=Path, metavar="FILE", help="all figures as JSON")
    out.add_argument(
        "--record",
        type=Path,
        metavar="DIR",
        help="the chosen candidate's first seed as a run directory",
    )
    out.add_argument(
        "--write", metavar="STACK", help="put the chosen settings into Pulumi.STACK.yaml"
    )
    out.add_argument("--quiet", action="store_true", help="no progress")
    options.add_argument(
        "--check", type=Path, metavar="RUN", help="simulate what a recorded run did, and compare"
    )
    options.add_argument(
        "--since",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="leave out what the run did before (its rise from nothing)",
    )
    return options


def main(arguments: list[str]) -> int:
    """Plan, or check a recorded run. Returns 0 when done, 1 if no candidate keeps the promise or
    the check fails, 2 if the input can't be used, 130 after Ctrl-C.
    """
    options = parser().parse_args(arguments)
    try:
        if options.list:
            return _list()
        from ops.plan.check import check  # noqa: PLC0415 - start-up time, see above
        from ops.plan.command import plan  # noqa: PLC0415 - start-up time, see above
        from ops.plan.problems import PlanError  # noqa: PLC0415 - start-up time, see above

        try:
            return check(options) if options.check else plan(options)
        except PlanError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    except KeyboardInterrupt:
        print("\nstopped; nothing was written", file=sys.stderr)
        return 130


def _list() -> int:
    from ops.plan import market, synthetic  # noqa: PLC0415 - start-up time, see above

    for name, entry in synthetic.TRACES.items():
        print(f"{name:<8}{entry.seconds / 3600:>4.0f} h  {entry.about}")
    print(f"\nmarkets: {', '.join(market.SCENARIOS)}; their processes:\n{market.__doc__}")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    raise SystemExit(main(sys.argv[1:]))
