"""`make report`: the last run (or RUN, or the live stack) as lines, as one HTML page that works
offline, and as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import time
from pathlib import Path

from ops.engine.cli import CommandFailed, Stack
from ops.load.session import Session, SessionError, runs
from ops.report import figures
from ops.report.page import assumptions, lines, page
from ops.report.plots import picture
from ops.report.run import Run, RunError, read


def main() -> int:
    """Prints the figures and writes report.html and report.json into the run directory. Returns 1
    when the run cannot be read.
    """
    parser = argparse.ArgumentParser(prog="python -m ops.report", description=__doc__)
    parser.add_argument("run", nargs="?", type=Path, help="run directory (default: the newest)")
    parser.add_argument(
        "--live",
        type=float,
        metavar="SECONDS",
        help="watch the live stack so long (wall), without load of ours",
    )
    parser.add_argument("--stack", default="local", help="the stack to watch with --live")
    parser.add_argument(
        "--prices",
        type=Path,
        help="price table for --live on a real stack (default: the shipped one)",
    )
    parser.add_argument(
        "--since",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="only what came from there on (modelled seconds)",
    )
    parser.add_argument(
        "--until", type=float, default=math.inf, metavar="SECONDS", help="only what came before"
    )
    parser.add_argument(
        "--picture", type=Path, help="also write the picture of pods and instances here (SVG)"
    )
    options = parser.parse_args()
    try:
        place = (
            watch(options.stack, options.live, options.prices)
            if options.live
            else options.run or newest()
        )
        run = between_moments(read(place), options.since, options.until)
    except (RunError, SessionError, CommandFailed) as error:
        print("\n".join(f"error: {line}" for line in str(error).splitlines()), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was written", file=sys.stderr)
        return 130
    width = max(len(name) for name, _ in lines(run))
    for name, value in lines(run):
        print(f"{name:<{width}}  {value}")
    print(assumptions(run))
    (place / "report.html").write_text(page(run))
    (place / "report.json").write_text(
        json.dumps({"meta": run.meta, **figures.summary(run)}, indent=1, ensure_ascii=False)
    )
    if options.picture:
        options.picture.write_text(picture(run))
    print(f"page: {place / 'report.html'}")
    return 0


def between_moments(run: Run, since: float, until: float) -> Run:
    """What was recorded between two moments (modelled seconds). Raises RunError when nothing
    was.
    """
    if not (found := run.between(since, until)).samples:
        ends = run.samples[-1]["t"]
        raise RunError(
            f"--since {since:g}, --until {until:g}: nothing was recorded there; the run ends at {ends:.0f} s"
        )
    return found


def watch(stack: str, seconds: float, prices: Path | None = None) -> Path:
    """Record a live stack for so many seconds: its cluster, its instances, the answers in its
    ingress log; the run directory.

    Ctrl-C ends it sooner.
    """
    run = runs() / f"{time.strftime('%Y%m%d-%H%M%S')}-live-{stack}"
    with (
        Session(Stack(stack), run, f"{stack} live", watch=True, prices=prices),
        contextlib.suppress(KeyboardInterrupt),
    ):
        print(f"watching stack {stack} for {seconds:g} s (Ctrl-C ends it)", flush=True)
        time.sleep(seconds)
    return run


def newest() -> Path:
    """Directory of the run that began last. Raises RunError when there is none."""
    recorded = sorted(runs().glob("*/meta.json"), key=lambda path: path.stat().st_mtime)
    if not recorded:
        raise RunError(
            f"{runs()}: there is no recorded run yet; make one with `make load` or `make drill`"
        )
    return recorded[-1].parent


if __name__ == "__main__":
    raise SystemExit(main())
