"""Load profiles: requests per second over time, as a curve of points or a recorded trace."""

from __future__ import annotations

import csv
import difflib
import json
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "profiles"
MOST_QPS = 500.0
LONGEST = 24 * 3600.0
KEYS = ("description", "points", "interpolation")


class ProfileError(ValueError):
    """A profile that cannot be run; the text has one line for each problem."""


@dataclass(frozen=True)
class Profile:
    """A load curve. Its seconds are modelled seconds, which a lab with clock factor k runs through
    k times faster; rates are per wall second.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    steps: bool = False
    """Whether a rate holds until the next point; otherwise it changes evenly towards it."""
    description: str = ""

    @property
    def seconds(self) -> float:
        """Length of the profile, in modelled seconds."""
        return self.points[-1][0]

    @property
    def peak(self) -> float:
        """The highest rate, requests per second."""
        return max(rate for _, rate in self.points)

    def rate(self, second: float) -> float:
        """Requests per second at a moment; 0 after the end."""
        if second >= self.seconds:
            return 0.0
        index = max(0, bisect_right(self.points, (second, float("inf"))) - 1)
        (begin, low), (end, high) = (
            self.points[index],
            self.points[min(index + 1, len(self.points) - 1)],
        )
        if self.steps or end == begin:
            return low
        return low + (high - low) * (second - begin) / (end - begin)


def steady(qps: float, seconds: float) -> Profile:
    """A profile with a constant rate."""
    return Profile("steady", ((0.0, qps), (seconds, qps)), True, f"{qps:g} requests per second")


def shipped() -> list[Profile]:
    """The profiles of the folder `profiles`."""
    return [load(path.stem) for path in sorted(FOLDER.glob("*.yaml"))]


def load(name: str) -> Profile:
    """A profile of the folder `profiles`, or a file: YAML with points, or a trace (CSV or JSON rows
    of seconds and qps).
    """
    shipped_path, given_path = FOLDER / f"{name}.yaml", Path(name)
    path = shipped_path if shipped_path.is_file() else given_path
    if not path.is_file():
        names = sorted(found.stem for found in FOLDER.glob("*.yaml"))
        near = difflib.get_close_matches(name, names, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ProfileError(
            f"profile {name}: there is none of that name and no such file; there are {', '.join(names)}{hint}"
        )
    try:
        profile = _trace(path) if path.suffix in (".csv", ".json") else _curve(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"profile {path}: can't be read: {error}") from None
    problems = check(profile)
    if problems:
        raise ProfileError("\n".join(f"profile {path}: {problem}" for problem in problems))
    return profile


def check(profile: Profile) -> list[str]:
    """Every problem of a profile; [] when it can be run."""
    times, rates = zip(*profile.points, strict=True)
    problems = []
    if times[0] != 0 or list(times) != sorted(set(times)):
        problems.append(
            f"seconds {list(times)[:6]}: expected 0 first and then each later than the one before"
        )
    if min(rates) < 0:
        problems.append(f"a rate of {min(rates):g}: expected requests per second, 0 or more")
    if profile.peak > MOST_QPS:
        problems.append(
            f"a rate of {profile.peak:g}: expected at most {MOST_QPS:g}; more is not a test of a model but of the network"
        )
    if len(times) < 2 or profile.seconds > LONGEST:
        problems.append(
            f"{profile.seconds:g} seconds: expected at least two points and at most {LONGEST:g} seconds"
        )
    return problems


def _curve(path: Path) -> Profile:
    try:
        data = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ProfileError(f"profile {path}: not YAML: {error}") from None
    if not isinstance(data, dict) or not isinstance(data.get("points"), list):
        raise ProfileError(f"profile {path}: expected points: [[seconds, requests per second], …]")
    unknown = [key for key in data if key not in KEYS]
    if unknown or data.get("interpolation", "linear") not in ("linear", "steps"):
        raise ProfileError(
            f"profile {path}: {unknown or data['interpolation']}: expected {', '.join(KEYS)}; interpolation linear or steps"
        )
    return Profile(
        path.stem,
        _points(path, data["points"]),
        data.get("interpolation") == "steps",
        data.get("description", ""),
    )


def _trace(path: Path) -> Profile:
    """A recorded trace; its last row lasts as long as the one before."""
    if path.suffix == ".json":
        try:
            rows: list[Any] = [
                (row["seconds"], row["qps"]) if isinstance(row, dict) else row
                for row in json.loads(path.read_text())
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise ProfileError(
                f'profile {path}: expected a list of {{"seconds": …, "qps": …}}, found {error}'
            ) from None
    else:
        rows = [
            row
            for row in csv.reader(path.open())
            if row and row[0].strip().replace(".", "", 1).isdigit()
        ]
    points = _points(path, rows)
    if len(points) > 1:
        points = (*points, (2 * points[-1][0] - points[-2][0], points[-1][1]))
    return Profile(path.stem, points, True, f"trace {path.name}")


def _points(path: Path, rows: list[Any]) -> tuple[tuple[float, float], ...]:
    try:
        points = tuple((float(second), float(rate)) for second, rate in rows)
    except (TypeError, ValueError):
        raise ProfileError(
            f"profile {path}: expected pairs of seconds and requests per second, found {rows[:2]}"
        ) from None
    if not points:
        raise ProfileError(f"profile {path}: it has no points")
    return points
