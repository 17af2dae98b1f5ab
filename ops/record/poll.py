"""Asks a slow source repeatedly in a thread of its own and keeps the last answer."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Poll(Generic[T]):
    """Asks every `every` wall seconds until `stop`. A failure is reported once per text; the last
    answer stays.
    """

    def __init__(self, what: str, ask: Callable[[], T], every: float) -> None:
        self._what, self._ask, self._every = what, ask, every
        self.answer: T | None = None
        self._told = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"poll {what}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stops asking; waits up to 10 s for a question that is under way."""
        self._over.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._over.is_set():
            self.once()
            self._over.wait(self._every)

    def once(self) -> None:
        """Asks once, in the caller's thread."""
        try:
            self.answer = self._ask()
        except (
            Exception
        ) as error:  # the SDKs raise what they like; a report works without this source
            text = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            if text != self._told:
                self._told = text
                print(f"warning: {self._what} can't be read: {text}", file=sys.stderr, flush=True)
