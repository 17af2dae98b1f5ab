"""`make bench`: how long the commands take, as ratios measured in one run (the machine is noisy), and which plugin takes which share."""

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

from ops.pulumi import ROOT, Stack, environment

ROUNDS = 5


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


def quiet(*arguments: str, cwd: pathlib.Path = ROOT) -> None:
    """Runs the CLI inside the lab without showing what it prints, unless it fails."""
    command = [sys.executable, "-m", "lab", "exec", "--", *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"error: {' '.join(arguments)} failed\n{done.stdout}{done.stderr}")


def empty_program(directory: pathlib.Path) -> None:
    """A program that imports what ours imports and declares nothing: the floor of any preview."""
    tree = ast.parse((ROOT / "__main__.py").read_text())
    imports = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    (directory / "__main__.py").write_text("\n".join([*imports, *lazy_imports()]) + "\n")
    (directory / "Pulumi.yaml").write_text("name: empty\nruntime:\n  name: python\n  options: {virtualenv: .venv}\n")
    (directory / ".venv").symlink_to((ROOT / ".venv").resolve())
    for package in ("components", "providers"):
        shutil.copytree(ROOT / package, directory / package, ignore=shutil.ignore_patterns("__pycache__"))


def lazy_imports() -> list[str]:
    """The SDKs' modules that our program imports by their first use, as imports."""
    source = "\n".join(path.read_text() for path in (ROOT / "components").glob("*.py"))
    used = sorted(set(re.findall(r"\b(alicloud\.[a-z]+|kubernetes\.[a-z]+\.v\d)\.[A-Za-z]", source)))
    return [f"import pulumi_{module}" for module in used]


def previews() -> tuple[float, float]:
    """Median of our preview and of the empty program's, taken in turns."""
    with tempfile.TemporaryDirectory(prefix="empty-program-") as name:
        directory = pathlib.Path(name)
        empty_program(directory)
        quiet("pulumi", "stack", "init", "bench", "--cwd", name, cwd=directory)
        ours, floor = [], []
        for _ in range(ROUNDS):
            ours.append(seconds(lambda: quiet("pulumi", "preview", "--stack", "local")))
            floor.append(seconds(lambda: quiet("pulumi", "preview", "--stack", "bench", "--cwd", name, cwd=directory)))
        quiet("pulumi", "stack", "rm", "bench", "--yes", "--cwd", name, cwd=directory)
    return statistics.median(ours), statistics.median(floor)


def plugin_shares() -> dict[str, float]:
    """Seconds of a no-op `up` in which each plugin had a call open."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as log:
        quiet("env", f"PULUMI_DEBUG_GRPC={log.name}", "pulumi", "up", "--stack", "local", "--yes", "--skip-preview")
        shares: dict[str, float] = defaultdict(float)
        for line in pathlib.Path(log.name).read_text().splitlines():
            row = json.loads(line)
            meta = row.get("metadata") or {}
            if row.get("progress") == "response_completed" and meta.get("mode") == "client":
                shares[meta.get("name") or meta.get("runtime") or "engine"] += row.get("duration", 0) / 1e9
    return dict(shares)


def upload_ratio() -> float:
    """Throughput of the provider's upload over that of bare `oss2.resumable_upload`."""
    done = subprocess.run([sys.executable, "-m", "ops.bench_upload", "--json"], cwd=ROOT, env=environment(), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"error: the upload benchmark failed\n{done.stdout}{done.stderr}")
    return float(json.loads(done.stdout.splitlines()[-1])["ratio"])


def cold_up() -> float:
    """Seconds of the README's first command on a fresh clone with no cache of any kind."""
    from ops.fresh import fresh_clone

    with tempfile.TemporaryDirectory(prefix="fresh-clone-", ignore_cleanup_errors=True) as name, fresh_clone(pathlib.Path(name)) as clone:
        return clone.timed("make", "up")[0]


def measure(full: bool, cold: bool = False) -> dict:
    """All figures; `full` also takes the lab down and up again, `cold` builds everything once more."""
    from ops import down, lab, up

    figures: dict = {"cold_up_s": cold_up()} if cold else {}
    stack = Stack("local")
    if full:
        down.end_lab(stack, force=True)
        figures["warm_up_s"] = seconds(lambda: up.deploy_in_lab(stack))
    else:
        lab.start(quiet=True)
        up.deploy_in_lab(stack)
    figures["noop_up_s"] = statistics.median(
        seconds(lambda: quiet("pulumi", "up", "--stack", "local", "--yes", "--skip-preview")) for _ in range(ROUNDS)
    )
    figures["preview_s"], figures["empty_preview_s"] = previews()
    figures["preview_ratio"] = figures["preview_s"] / figures["empty_preview_s"]
    figures["plugins_s"] = plugin_shares()
    figures["upload_ratio"] = upload_ratio()
    return figures


def show(figures: dict) -> None:
    """The figures, one a line."""
    for name, value in figures.items():
        if isinstance(value, dict):
            print(name, ", ".join(f"{key} {part:.2f}" for key, part in sorted(value.items(), key=lambda item: -item[1])))
        else:
            print(f"{name:<18} {value:.2f}")


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="also take the lab down and up again")
    parser.add_argument("--cold", action="store_true", help="also `make up` of a fresh clone with empty caches (half an hour)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON at the end")
    options = parser.parse_args()
    figures = measure(options.full, options.cold)
    print(json.dumps(figures)) if options.json else show(figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
