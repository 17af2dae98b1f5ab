"""What changed lately, as it was before: lets a call see the region as it was a while ago."""

from __future__ import annotations

import sqlite3
import time
from collections import deque

KEEP = 2_000


class Journal:
    """Documents as they were before each change of the last `KEEP`; empty until somebody wants to
    look back.
    """

    def __init__(self) -> None:
        self.watching = False
        self._changes: deque[tuple[float, str, str, tuple[int, str] | None]] = deque(maxlen=KEEP)

    def start(self) -> None:
        """From now on changes are kept."""
        self.watching = True

    def forget(self) -> None:
        """The past is another one: it was cleared or restored."""
        self._changes.clear()

    def note(self, database: sqlite3.Connection, kind: str, key: str) -> None:
        """A document is about to change."""
        if self.watching:
            row = database.execute(
                "SELECT seq, data FROM doc WHERE kind=? AND id=?", (kind, key)
            ).fetchone()
            self._changes.append((time.monotonic(), kind, key, (row[0], row[1]) if row else None))

    def undo(self, database: sqlite3.Connection, seconds: float) -> None:
        """Bring back what the documents were that long ago. Within a transaction that is rolled
        back afterwards.
        """
        since = time.monotonic() - seconds
        for at, kind, key, before in reversed(list(self._changes)):
            if at < since:
                return
            database.execute("DELETE FROM doc WHERE kind=? AND id=?", (kind, key))
            if before:
                database.execute("INSERT INTO doc VALUES (?,?,?,?)", (kind, key, *before))
