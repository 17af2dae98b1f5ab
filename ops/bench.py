"""`make bench`: how long the commands take, as ratios measured in one run (the machine is noisy),
and which plugin takes which share.
"""

from __future__ import annotations

import argparse
import ast
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable

from ops import bench_peers, down, lab, up
from ops.bench_peers import cost, table
from ops.clean_clone import clean_clone
from ops.engine.cli import ROOT, Stack, environment

ROUNDS = 9
DAILY_ROUNDS = 5


def seconds(action: Callable[[], object]) -> float:
    """Wall seconds that an action takes."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


def quiet(*arguments: str, cwd: pathlib.Path = ROOT) -> None:
    """Runs the CLI inside the lab without showing what it prints, unless it fails."""
    command = [sys.executable, "-m", "lab", "exec", "--", *arguments]
    done = subprocess.run(
        command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"error: {' '.join(arguments)} failed\n{done.stdout}{done.stderr}")


PROBE = """
import atexit, os, sys
def note():
    if "pulumi_alicloud" in sys.modules:
        with open(os.environ["BENCH_MODULES"], "a") as file:
            file.write("".join(f"{name}\\n" for name in sys.modules))
atexit.register(note)
"""
"""As `sitecustomize`: has every Python that ran the program write down what it has loaded."""


def empty_program(directory: pathlib.Path) -> None:
    """A program that imports what ours imports and declares nothing: the floor of any preview."""
    tree = ast.parse((ROOT / "__main__.py").read_text())
    imports = [
        ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    # An attribute is what makes a module of the SDKs load; before that its import is a promise.
    loads = [f"import {module}; getattr({module}, 'any', None)" for module in loaded_modules()]
    (directory / "__main__.py").write_text("\n".join([*imports, *loads]) + "\n")
    (directory / "Pulumi.yaml").write_text(
        "name: empty\nruntime:\n  name: python\n  options: {virtualenv: .venv}\n"
    )
    (directory / ".venv").symlink_to((ROOT / ".venv").resolve())
    for package in ("components", "settings", "interruption_handler", "providers"):
        shutil.copytree(
            ROOT / package, directory / package, ignore=shutil.ignore_patterns("__pycache__")
        )


def loaded_modules() -> list[str]:
    """The SDKs' modules that a preview of ours has loaded by its end: they load by their first
    use.
    """
    with tempfile.TemporaryDirectory(prefix="loaded-modules-") as name:
        (pathlib.Path(name) / "sitecustomize.py").write_text(PROBE)
        noted = pathlib.Path(name) / "modules"
        quiet(
            "env",
            f"BENCH_MODULES={noted}",
            f"PYTHONPATH={name}",
            "pulumi",
            "preview",
            "--stack",
            "local",
        )
        names = set(noted.read_text().split())
    modules = {
        found[0]
        for one in names
        if (
            found := re.match(
                r"pulumi_alicloud\.[a-z]+(?=\.)|pulumi_kubernetes\.[a-z]+\.v\d(?=\.)", one
            )
        )
    }
    if not modules:
        raise SystemExit(
            "error: a preview has loaded no module of the SDKs; the empty program would be no floor"
        )
    return sorted(modules)


def previews() -> tuple[float, float]:
    """Median of our preview and of the empty program's, taken in turns."""
    with tempfile.TemporaryDirectory(prefix="empty-program-") as name:
        directory = pathlib.Path(name)
        empty_program(directory)
        quiet("pulumi", "stack", "init", "bench", "--cwd", name, cwd=directory)
        ours, floor = [], []
        try:
            for _ in range(1 + ROUNDS):
                ours.append(seconds(lambda: quiet("pulumi", "preview", "--stack", "local")))
                floor.append(
                    seconds(
                        lambda: quiet(
                            "pulumi", "preview", "--stack", "bench", "--cwd", name, cwd=directory
                        )
                    )
                )
        finally:
            quiet("pulumi", "stack", "rm", "bench", "--yes", "--cwd", name, cwd=directory)
    return statistics.median(ours[1:]), statistics.median(floor[1:])  # the first ones compile


DAILY = {
    "preview": (("ops.preview",), ("preview",), 1.3),
    "second up": (("ops.up",), ("up", "--yes", "--skip-preview"), 1.5),
    "drift": (("ops.drift",), ("refresh", "--preview-only"), 1.5),
}
"""Command: ours, the plain CLI's, the most that ours may take of the CLI's processor time."""


def daily() -> dict[str, float]:
    """Medians of the daily commands and of the plain CLI, in turns: processor seconds of all their
    processes, and ratios.
    """
    ours: dict[str, list[float]] = defaultdict(list)
    plain: dict[str, list[float]] = defaultdict(list)
    alone: dict[str, list[float]] = defaultdict(list)
    run = [sys.executable, "-m"]
    for _ in range(DAILY_ROUNDS):
        for name, (mine, cli, _) in DAILY.items():
            ours[name].append(cost([*run, *mine, "--stack", "local"])[1])
            plain[name].append(
                cost([*run, "lab", "exec", "--", "pulumi", *cli, "--stack", "local"])[1]
            )
        alone["check"].append(cost([*run, "ops.check", "--stack", "local"])[1])
        alone["status"].append(cost([*run, "lab", "status"])[1])
    figures = {
        f"{name.replace(' ', '_')}_cpu_s": statistics.median(values)
        for name, values in (*ours.items(), *alone.items())
    }
    for name in DAILY:
        figures[f"{name.replace(' ', '_')}_cpu_ratio"] = statistics.median(
            ours[name]
        ) / statistics.median(plain[name])
    return figures


def plugin_shares() -> dict[str, float]:
    """Seconds of a no-op `up` in which each plugin had a call open."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as log:
        quiet(
            "env",
            f"PULUMI_DEBUG_GRPC={log.name}",
            "pulumi",
            "up",
            "--stack",
            "local",
            "--yes",
            "--skip-preview",
        )
        shares: dict[str, float] = defaultdict(float)
        for line in pathlib.Path(log.name).read_text().splitlines():
            row = json.loads(line)
            meta = row.get("metadata") or {}
            if row.get("progress") == "response_completed" and meta.get("mode") == "client":
                shares[meta.get("name") or meta.get("runtime") or "engine"] += (
                    row.get("duration", 0) / 1e9
                )
    return dict(shares)


def upload_ratio() -> float:
    """Throughput of the provider's upload over that of bare `oss2.resumable_upload`."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.plugins.ossmodel.bench_upload", "--json"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"error: the upload benchmark failed\n{done.stdout}{done.stderr}")
    return float(json.loads(done.stdout.splitlines()[-1])["ratio"])


def cold_up() -> float:
    """Seconds of the README's first command on a fresh clone with no cache of any kind."""
    with (
        tempfile.TemporaryDirectory(prefix="fresh-clone-", ignore_cleanup_errors=True) as name,
        clean_clone(pathlib.Path(name)) as clone,
    ):
        return clone.timed("make", "up")[0]


def measure(full: bool, cold: bool = False) -> dict:
    """All figures; `full` also takes the lab down and up again, `cold` builds everything once
    more.
    """
    figures: dict = {"cold_up_s": cold_up()} if cold else {}
    stack = Stack("local")
    if full:
        down.end_lab(stack, force=True)
        figures["warm_up_s"] = seconds(lambda: up.deploy_in_lab(stack))
    else:
        lab.start(quiet=True)
        up.deploy_in_lab(stack)
    figures["noop_up_s"] = statistics.median(
        seconds(lambda: quiet("pulumi", "up", "--stack", "local", "--yes", "--skip-preview"))
        for _ in range(ROUNDS)
    )
    figures["preview_s"], figures["empty_preview_s"] = previews()
    figures["preview_ratio"] = figures["preview_s"] / figures["empty_preview_s"]
    figures["plugins_s"] = plugin_shares()
    figures["upload_ratio"] = upload_ratio()
    return figures


def show(figures: dict) -> None:
    """The figures, one a line; those beside the peers as a table."""
    if "peers_up_s" in figures:
        print("\n".join(table(figures)))
        return
    for name, value in figures.items():
        if isinstance(value, dict):
            print(
                name,
                ", ".join(
                    f"{key} {part:.2f}"
                    for key, part in sorted(value.items(), key=lambda item: -item[1])
                ),
            )
        else:
            print(f"{name:<18} {value:.2f}")


def main() -> int:
    """Measures what the options name and prints the figures, as lines or as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="also take the lab down and up again")
    parser.add_argument(
        "--cold",
        action="store_true",
        help="also `make up` of a fresh clone with empty caches (half an hour)",
    )
    parser.add_argument(
        "--daily", action="store_true", help="only the daily commands against the plain CLI"
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="only against OpenTofu and kubectl (built the first time)",
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON at the end")
    options = parser.parse_args()
    if options.daily or options.peers:
        stack = Stack("local")
        lab.start(quiet=True)
        up.deploy_in_lab(stack)
        figures = {
            **(daily() if options.daily else {}),
            **(bench_peers.measure(stack) if options.peers else {}),
        }
    else:
        figures = measure(options.full, options.cold)
    print(json.dumps(figures)) if options.json else show(figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
