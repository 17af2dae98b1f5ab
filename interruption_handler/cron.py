"""Cron schedules of five fields, and when one last fired. The handler, the settings' checks and the
planner use them.
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
MAX_DAYS_BACK = 8 * 366
"""Days to look back: two 29 Februaries can be eight years apart."""


@dataclass(frozen=True)
class Cron:
    """A parsed schedule: the values at which it fires, by field."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 (Sunday) to 6."""
    any_day: bool
    """The day of month starts with a star: then only the weekday counts."""
    any_weekday: bool
    """The weekday starts with a star: then only the day of month counts."""

    @classmethod
    def parse(cls, text: str) -> Cron:
        """A schedule from `minute hour day-of-month month day-of-week`. Raises ValueError with
        the reason.
        """
        parts = text.lower().split()
        if len(parts) != 5:
            raise ValueError(
                f"five fields are needed, minute hour day-of-month month day-of-week; it has {len(parts)}"
            )
        minutes, hours, days, months, weekdays = (
            _field(part, *limits) for part, limits in zip(parts, FIELDS, strict=True)
        )
        return cls(
            minutes,
            hours,
            days,
            months,
            frozenset(day % 7 for day in weekdays),
            any_day=parts[2].startswith("*"),
            any_weekday=parts[4].startswith("*"),
        )

    def last(self, now: float, zone: str) -> float | None:
        """Seconds since 1970 of the latest firing at or before `now` in the time zone `zone`; None
        if it did not fire within the last eight years.
        """
        time_zone = ZoneInfo(zone)
        today = datetime.fromtimestamp(now, time_zone).date()
        for back in range(MAX_DAYS_BACK):
            day = today - timedelta(days=back)
            if not self._fires_on(day.day, day.month, (day.weekday() + 1) % 7):
                continue
            for hour in sorted(self.hours, reverse=True):
                for minute in sorted(self.minutes, reverse=True):
                    moment = datetime(
                        day.year, day.month, day.day, hour, minute, tzinfo=time_zone
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
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if step and (not step.isdecimal() or int(step) < 1):
            raise ValueError(f"{name}: the step in '{part}' is not a number above 0")
        if span == "*":
            first, last = low, high
        else:
            start, dash, end = span.partition("-")
            first = _number(start, name, low, high)
            last = _number(end, name, low, high) if dash else (high if step else first)
        if first > last:
            raise ValueError(f"{name}: '{part}' runs backwards")
        values.update(range(first, last + 1, int(step or 1)))
    return frozenset(values)


def _number(text: str, name: str, low: int, high: int) -> int:
    words = {
        "month": {word: number for number, word in enumerate(MONTHS, 1)},
        "day of week": {word: number for number, word in enumerate(DAYS)},
    }
    numbers = words.get(name, {})
    if text in numbers:
        return numbers[text]
    if not text.isdecimal() or not low <= int(text) <= high:
        raise ValueError(f"{name}: '{text}' is not in {low} to {high}")
    return int(text)
