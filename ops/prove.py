"""`make prove ITEM=A3`: shows by number that a promise holds. One closing line each: number, figure, bound, holds or not."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys

from ops.pulumi import ROOT, environment


@dataclasses.dataclass(frozen=True)
class Item:
    """One promise: what it says, which checks show it, and what the checks need to know."""

    title: str
    checks: tuple[str, ...]
    bound: str = "every check passes"
    settings: tuple[tuple[str, str], ...] = ()


ITEMS = {
    "A1": Item(
        "fresh clone, fresh caches: up, predict, test; warm up; second up",
        ("tests/prove/test_a1_fresh_clone.py",),
        "cold <= 30 min, warm <= 60 s, second <= 10 s",
    ),
    "A2": Item("down leaves nothing", ("tests/e2e/test_teardown.py",)),
    "A3": Item("the prediction is computed from the uploaded files", ("tests/e2e/test_model.py",)),
    "A4": Item("one wrong character in the policy or the trust keeps the pod from starting", ("tests/e2e/test_identity.py",)),
    "A5": Item(
        "inputs against the tutorial's values, and its 17 defects",
        ("tests/unit/test_tutorial_values.py", "tests/unit/test_tutorial_defects.py"),
    ),
    "A6": Item("the region receives the recorded calls", ("tests/plugins/alicloud",)),
    "A7": Item(
        "no-op and refresh are clean; killed at 20 moments of up and of destroy; stand-in against the recordings",
        ("tests/e2e/test_up.py", "tests/e2e/test_killed.py", "tests/plugins/kubernetes"),
        settings=(("KILL_MOMENTS", "20"),),
    ),
    "A8": Item("official SDKs and oss2 as clients of the region", ("tests/lab/region",)),
    "A9": Item(
        "bad input: one clear message each",
        ("tests/unit/test_bad_settings.py", "tests/plugins/ossmodel", "tests/unit_ops"),
        "at least 60 bad inputs",
    ),
    "A10": Item("benchmarks", ("tests/prove/test_a10_bench.py",), "preview <= 1.5x, upload >= 0.95x"),
    "A11": Item("the README's commands run", ("tests/e2e/test_readme.py",)),
}


def prove(number: str, item: Item) -> bool:
    """Runs the checks of one item and prints its closing line."""
    print(f"\n{number}: {item.title}")
    env = {**environment(), **dict(item.settings)}
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-rN", "--no-header", *item.checks],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    closing = ""
    figures: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        print(f"  {line}", end="")
        if re.search(r"\b(passed|failed|error)", line):
            closing = line.strip("= \n")
        if line.startswith("figure: "):
            figures.append(line.removeprefix("figure: ").strip())
    holds = process.wait() == 0
    shown = "; ".join([*figures, closing or "no check ran"])
    print(f"{number}  {shown}  bound: {item.bound}  {'holds' if holds else 'DOES NOT HOLD'}")
    return holds


def main(arguments: list[str]) -> int:
    """Proves the items named, or all of them."""
    wanted = [argument.upper() for argument in arguments] or list(ITEMS)
    unknown = [number for number in wanted if number not in ITEMS]
    if unknown:
        print(f"error: ITEM={unknown[0]}: there is no such item; expected one of {', '.join(ITEMS)}", file=sys.stderr)
        return 2
    os.chdir(ROOT)
    results = [prove(number, ITEMS[number]) for number in wanted]
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
