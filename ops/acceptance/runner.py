"""Runs the checks of a promise with pytest, once for each seed; promises that share a lab run in
one session.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from xml.etree import ElementTree

from ops.engine.cli import ROOT, environment


@dataclasses.dataclass(frozen=True)
class Item:
    """One promise: what it says, which checks show it, and what the checks need to know."""

    title: str
    checks: tuple[str, ...]
    bound: str = "every check passes"
    settings: tuple[tuple[str, str], ...] = ()
    seeds: int = 1
    """How often the checks run, each time with another seed (ELASTIC_SEED); PROVE_SEEDS says
    otherwise: a number, or a range as 3-5.
    """
    together: str = ""
    """Items of the same name and settings, asked for at once, run in one session: their checks
    share what takes long to get to.
    """
    parts: tuple[str, ...] = ()
    """Items that say the rest of the promise, with settings of their own: they run when this one is
    asked for.
    """
    after: Callable[[list[tuple[str, bool]]], list[str]] | None = None
    """Is given the cases of all seeds, keeps what is to be kept of them, and returns the lines to
    print before the closing one.
    """


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one session came to: each case with its module and whether it passed, and the
    figures.
    """

    cases: list[tuple[str, bool]]
    figures: list[dict]

    def of(self, item: Item) -> Outcome:
        """The part that is the item's."""
        modules = tuple(f"{check.removesuffix('.py').replace('/', '.')}." for check in item.checks)
        places = tuple(f"{check}{end}" for check in item.checks for end in ("::", "/"))
        return Outcome(
            [(name, passed) for name, passed in self.cases if f"{name}.".startswith(modules)],
            [found for found in self.figures if found.get("check", "").startswith(places)],
        )


def sessions(wanted: Sequence[str], items: Mapping[str, Item]) -> list[list[str]]:
    """The items as sessions: those that run together come where the first of them is asked for."""
    groups: dict[object, list[str]] = {}
    for number in dict.fromkeys(wanted):
        item = items[number]
        groups.setdefault((item.together, item.settings) if item.together else number, []).append(
            number
        )
    return list(groups.values())


def prove(numbers: Sequence[str], items: Mapping[str, Item], root: pathlib.Path = ROOT) -> bool:
    """Runs the checks of items that run together and prints a closing line for each: whether all of
    them hold.
    """
    chosen = {number: items[number] for number in numbers}
    for number, item in chosen.items():
        print(f"\n{number}: {item.title}", flush=True)
    seeds_by_item = {number: seeds_of(item) for number, item in chosen.items()}
    outcomes = []
    for seed in sorted({seed for seeds in seeds_by_item.values() for seed in seeds}):
        checks = dict.fromkeys(
            check
            for number, item in chosen.items()
            if seed in seeds_by_item[number]
            for check in item.checks
        )
        settings = {"ELASTIC_SEED": str(seed), **dict(chosen[numbers[0]].settings)}
        outcomes.append(session(list(checks), settings, root))
        append_figures(seed, outcomes[-1].figures)
    return all(
        [  # noqa: C419 - every item prints its closing line, also after one that does not hold
            print_closing_line(
                number, item, [outcome.of(item) for outcome in outcomes], len(seeds_by_item[number])
            )
            for number, item in chosen.items()
        ]
    )


def seeds_of(item: Item) -> range:
    """The seeds that the item's checks run with; ValueError, naming it, if PROVE_SEEDS is neither a
    number nor a range.
    """
    given = os.environ.get("PROVE_SEEDS", str(item.seeds))
    if not (match := re.fullmatch(r"(?:(\d+)-)?(\d+)", given)) or not (
        seeds := range(int(match[1] or 1), int(match[2]) + 1)
    ):
        raise ValueError(
            f"PROVE_SEEDS={given}: expected how many seeds (5), or the first and the last (3-5); nothing was run"
        )
    return seeds


def session(
    checks: Sequence[str], settings: Mapping[str, str], root: pathlib.Path = ROOT
) -> Outcome:
    """Runs checks once, showing what pytest prints. Without pytest's report there are no cases."""
    with tempfile.TemporaryDirectory(prefix="prove-") as place:
        report, figures = pathlib.Path(place) / "report.xml", pathlib.Path(place) / "figures.jsonl"
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-rN",
                "--no-header",
                f"--junitxml={report}",
                *checks,
            ],
            cwd=root,
            env={**environment(), **settings, "PROVE_FIGURES": str(figures)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                print(f"  {line}", end="", flush=True)
        finally:  # Ctrl-C has reached pytest too, which takes its labs down
            process.wait()
        figure_lines = figures.read_text().splitlines() if figures.exists() else []
        return Outcome(_cases(report), [json.loads(line) for line in figure_lines])


def print_closing_line(number: str, item: Item, outcomes: Sequence[Outcome], seeds: int) -> bool:
    """Prints the closing line: number, figures, bound, holds or not. A seed without a case is no
    proof.
    """
    if item.after is not None:
        for line in item.after([case for outcome in outcomes for case in outcome.cases]):
            print(f"  {line}")
    cases = [passed for outcome in outcomes for _, passed in outcome.cases]
    holds = all(cases) and all(outcome.cases for outcome in outcomes[:seeds])
    ran = f"{sum(cases)} of {len(cases)} checks passed" if cases else "no check ran"
    seen = sum(bool(outcome.cases) for outcome in outcomes)
    shown = "; ".join([*summarize(found for outcome in outcomes for found in outcome.figures), ran])
    times = f" ({seen} seeds)" if seen > 1 else ""
    print(
        f"{number}{times}  {shown}  bound: {item.bound}  {'holds' if holds else 'DOES NOT HOLD'}",
        flush=True,
    )
    return holds


def summarize(entries: Iterable[dict]) -> list[str]:
    """Each figure once: texts as they are, numbers as median and worst of everything measured under
    that name.
    """
    entries = list(entries)
    lines = dict.fromkeys(entry["text"] for entry in entries if "text" in entry)
    for name in dict.fromkeys(entry["name"] for entry in entries if "name" in entry):
        found = [entry for entry in entries if entry.get("name") == name]
        values = [entry["value"] for entry in found]
        worst = (min if found[0]["worst"] == "min" else max)(values)
        shown = (
            f"{values[0]:.4g}"
            if len(values) == 1
            else f"median {statistics.median(values):.4g}, worst {worst:.4g} of {len(values)}"
        )
        lines[f"{name}: {shown}"] = None
    return list(lines)


def append_figures(seed: int, figures: Iterable[dict]) -> None:
    """Appends the figures to figures.jsonl in PROVE_KEEP, if that names a directory; the elastic
    checks keep their recorded runs there.
    """
    if place := os.environ.get("PROVE_KEEP"):
        file = pathlib.Path(place) / "figures.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as out:
            out.writelines(json.dumps({"seed": seed, **found}) + "\n" for found in figures)


def _cases(report: pathlib.Path) -> list[tuple[str, bool]]:
    if not report.exists():
        return []
    cases = ElementTree.parse(report).getroot().iter("testcase")
    return [
        (
            case.get("classname", ""),
            not any(case.find(kind) is not None for kind in ("failure", "error", "skipped")),
        )
        for case in cases
    ]
