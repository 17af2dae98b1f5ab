"""What is being done, how far it is and how long it still takes: in place on a terminal, a line a
minute in a log.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

Progress = Callable[[str], None]
"""Receives one finished line of text, without line end."""

LOG_SECONDS = 60.0
"""Between two lines of a log that say how far everything is."""


def to_stderr(line: str) -> None:
    """The usual receiver of progress lines."""
    print(line, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """A duration for people: `duration(83)` is "1 min 23 s"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def about(seconds: float) -> str:
    """An estimate for people, not more exact than it is: `about(83)` is "about 1 min"."""
    return f"about {max(1, round(seconds / 60))} min" if seconds >= 50 else "less than a minute"


class Step:
    """One long step on the board: what it does now, how much of how much is done, how long it still
    takes.
    """

    def __init__(self, board: Board, name: str) -> None:
        self.name = name
        self.started = time.monotonic()
        self.text, self.done, self.total, self.unit = "", 0, 0, ""
        self.left: float | None = None
        self._board = board

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.started

    def show(
        self, text: str, done: int = 0, total: int = 0, unit: str = "", left: float | None = None
    ) -> None:
        """Where it is: `text`, `done` of `total` units (0: the total is not known), and the seconds
        left if they can be told.
        """
        self.text, self.done, self.total, self.unit, self.left = text, done, total, unit, left
        self._board.changed(self)

    def line(self) -> str:
        """The step as one line of a log."""
        counted = f", {self.count()}" if self.unit else ""
        left = f", {about(self.left)} left" if self.left is not None else ""
        return f"{self.name}: {self.text}{counted} after {duration(self.elapsed)}{left}"

    def count(self) -> str:
        """How far it is, such as "812 of 1,592 packages"."""
        return (
            f"{self.done:,} of {self.total:,} {self.unit}"
            if self.total
            else f"{self.done:,} {self.unit}"
        )


class Board:
    """Shows steps that run side by side. Use it as a context manager; every method may be called
    from any thread.

    Without `say` it writes to stderr: one line a step, changed in place, if that is a terminal.
    """

    def __init__(self, say: Progress | None = None) -> None:
        self._say = say or to_stderr
        self._screen = _Screen() if say is None and sys.stderr.isatty() else None
        self._steps: list[Step] = []
        self._lock = threading.RLock()
        self._spoke = time.monotonic()

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._screen:
            self._screen.close()

    def line(self, text: str) -> None:
        """Something that stays to be read."""
        with self._lock:
            if self._screen:
                self._screen.line(text)
            else:
                self._say(text)

    def begin(self, name: str) -> Step:
        """A step that is shown from now on until `end`."""
        with self._lock:
            step = Step(self, name)
            self._steps.append(step)
            return step

    def end(self, step: Step) -> None:
        """Takes it off the board."""
        with self._lock:
            self._steps.remove(step)
            if self._screen:
                self._screen.remove(step)

    def changed(self, step: Step) -> None:
        """Shows it now on a terminal; in a log all steps are told once a minute."""
        with self._lock:
            if step not in self._steps:
                return
            if self._screen:
                self._screen.show(step)
            elif time.monotonic() - self._spoke >= LOG_SECONDS:
                self._spoke = time.monotonic()
                self._say("; ".join(one.line() for one in self._steps if one.text))


class _Screen:
    """The board on a terminal."""

    def __init__(self) -> None:
        # 60 ms of every command, and only a build on a terminal shows it
        from rich.console import Console  # noqa: PLC0415 - see above
        from rich.progress import (  # noqa: PLC0415 - see above
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
        )
        self._bars = Progress(
            *columns, console=Console(stderr=True, highlight=False, markup=False), transient=True
        )
        self._of: dict[int, Any] = {}

    def show(self, step: Step) -> None:
        if id(step) not in self._of:
            self._of[id(step)] = self._bars.add_task(step.name, total=None, said="")
            self._bars.start()
        said = ", ".join(
            filter(
                None,
                (
                    step.text,
                    step.count() if step.unit else "",
                    "" if step.left is None else f"{about(step.left)} left",
                ),
            )
        )
        self._bars.update(
            self._of[id(step)], total=step.total or None, completed=step.done, said=said
        )

    def remove(self, step: Step) -> None:
        if id(step) in self._of:
            self._bars.remove_task(self._of.pop(id(step)))

    def line(self, text: str) -> None:
        self._bars.console.print(text, soft_wrap=True)

    def close(self) -> None:
        self._bars.stop()
