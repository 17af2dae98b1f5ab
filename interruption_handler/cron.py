"""Cron schedules of five fields: when one last fired. Used by the handler, and by the program to
check the settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 31),
    ("month", 1, 12),
    ("day of week", 0, 7),
)
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
LONGEST = 8 * 366
"""Days to look back: 29 February may be eight years away."""


@dataclass(frozen=True)
class Cron:
    """A parsed schedule."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    """Day of month is a star: then only the weekday counts."""
    any_weekday: bool

    @classmethod
    def parse(cls, text: str) -> Cron:
        """From `minute hour day-of-month month day-of-week`. Raises ValueError that says what is
        wrong.
        """
        parts = text.lower().split()
        if len(parts) != 5:
            raise ValueError(
                f"five fields are needed, minute hour day-of-month month day-of-week; it has {len(parts)}"
            )
        sets = [_field(part, *limits) for part, limits in zip(parts, FIELDS, strict=True)]
        weekdays = frozenset(day % 7 for day in sets[4])
        return cls(
            sets[0],
            sets[1],
            sets[2],
            sets[3],
            weekdays,
            parts[2].startswith("*"),
            parts[4].startswith("*"),
        )

    def last(self, now: float, zone: str) -> float | None:
        """Seconds since 1970 of the latest firing at or before `now` in a time zone; None within
        the last eight years.
        """
        place = ZoneInfo(zone)
        today = datetime.fromtimestamp(now, place).date()
        for back in range(LONGEST):
            day = today - timedelta(days=back)
            if not self._fires_on(day.day, day.month, (day.weekday() + 1) % 7):
                continue
            for hour in sorted(self.hours, reverse=True):
                for minute in sorted(self.minutes, reverse=True):
                    moment = datetime(
                        day.year, day.month, day.day, hour, minute, tzinfo=place
                    ).timestamp()
                    if moment <= now:
                        return moment
        return None

    def _fires_on(self, day: int, month: int, weekday: int) -> bool:
        if month not in self.months:
            return False
        if self.any_day or self.any_weekday:
            return day in self.days and weekday in self.weekdays
        return day in self.days or weekday in self.weekdays  # cron's rule when both are given


def _field(text: str, name: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if step and (not step.isdecimal() or int(step) < 1):
            raise ValueError(f"{name}: the step in '{part}' is no number above 0")
        if span == "*":
            first, last = low, high
        else:
            start, dash, end = span.partition("-")
            first = _number(start, name, low, high)
            last = _number(end, name, low, high) if dash else (high if step else first)
        if first > last:
            raise ValueError(f"{name}: '{part}' runs backwards")
        found.update(range(first, last + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, name: str, low: int, high: int) -> int:
    words = {
        "month": {word: place for place, word in enumerate(MONTHS, 1)},
        "day of week": {word: place for place, word in enumerate(DAYS)},
    }
    known = words.get(name, {})
    if text in known:
        return known[text]
    if not text.isdecimal() or not low <= int(text) <= high:
        raise ValueError(f"{name}: '{text}' is not in {low} to {high}")
    return int(text)
