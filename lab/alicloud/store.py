"""The one state behind all services: documents by kind and id, OSS objects, log lines and timers in
one SQLite file.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lab.alicloud.journal import Journal

Document = dict[str, Any]
"""One thing the double keeps (a VPC, a node pool), as its service writes it."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS doc (
  kind TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, data TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS timer (id INTEGER PRIMARY KEY, due REAL NOT NULL, name TEXT NOT NULL, payload TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS timer_due ON timer (due);
CREATE TABLE IF NOT EXISTS object (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT NOT NULL, key TEXT NOT NULL, version TEXT NOT NULL,
  marker INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, crc TEXT NOT NULL, blob TEXT NOT NULL,
  kind TEXT NOT NULL, created REAL NOT NULL, meta TEXT NOT NULL, UNIQUE (bucket, key, version));
CREATE TABLE IF NOT EXISTS part (
  upload TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, crc TEXT NOT NULL,
  blob TEXT NOT NULL, created REAL NOT NULL, PRIMARY KEY (upload, number));
CREATE TABLE IF NOT EXISTS log (
  project TEXT NOT NULL, store TEXT NOT NULL, time INTEGER NOT NULL, topic TEXT NOT NULL, source TEXT NOT NULL,
  fields TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS log_time ON log (project, store, time);
CREATE TABLE IF NOT EXISTS call (seq INTEGER PRIMARY KEY AUTOINCREMENT, data TEXT NOT NULL);
"""


class _RollbackError(Exception):
    """Ends a transaction whose changes are not to stay."""


class Store:
    """Documents and tables in one file. Every change happens in `transaction`; threads take
    turns.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        self.journal = Journal()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=30)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Write everything out; the store can't be used afterwards."""
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nests into the outer one."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    @contextlib.contextmanager
    def earlier(self, seconds: float) -> Iterator[None]:
        """The documents as they were that long ago, to look at: whatever is changed meanwhile is
        forgotten again.
        """
        with contextlib.suppress(_RollbackError), self.transaction():
            watching, self.journal.watching = self.journal.watching, False
            try:
                self.journal.undo(self._db, seconds)
                yield
                raise _RollbackError
            finally:
                self.journal.watching = watching

    def sql(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        """Run one statement; all its rows."""
        with self._lock:
            return self._db.execute(statement, values).fetchall()

    def many(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        """Run one statement for many rows."""
        with self.transaction():
            self._db.executemany(statement, rows)

    def get(self, kind: str, key: str) -> Document | None:
        """One document, or None."""
        rows = self.sql("SELECT data FROM doc WHERE kind=? AND id=?", kind, key)
        return json.loads(rows[0]["data"]) if rows else None

    def put(self, kind: str, key: str, document: Mapping[str, Any]) -> None:
        """Create or replace a document; it keeps its place in `all`."""
        with self.transaction():
            text = json.dumps(document, ensure_ascii=False)
            self.journal.note(self._db, kind, key)
            if not self.sql(
                "UPDATE doc SET data=? WHERE kind=? AND id=? RETURNING 1", text, kind, key
            ):
                self.sql("INSERT INTO doc VALUES (?,?,?,?)", kind, key, self.count("doc"), text)

    def delete(self, kind: str, key: str) -> bool:
        """Remove a document; False when there was none."""
        with self.transaction():
            if kind != "place" and self.get("place", f"{kind}:{key}"):
                self.delete("place", f"{kind}:{key}")
            self.journal.note(self._db, kind, key)
            return bool(self.sql("DELETE FROM doc WHERE kind=? AND id=? RETURNING 1", kind, key))

    def all(self, kind: str, **wanted: Any) -> list[Document]:
        """Documents of a kind in the order they were made, those whose fields equal `wanted`."""
        rows = self.sql("SELECT data FROM doc WHERE kind=? ORDER BY seq", kind)
        documents = [json.loads(row["data"]) for row in rows]
        return [
            d for d in documents if all(d.get(field) == value for field, value in wanted.items())
        ]

    def items(self, kind: str) -> list[tuple[str, Document]]:
        """Documents of a kind with their ids, in the order they were made."""
        return [
            (row["id"], json.loads(row["data"]))
            for row in self.sql("SELECT id, data FROM doc WHERE kind=? ORDER BY seq", kind)
        ]

    def ids(self, kind: str) -> list[str]:
        """Ids of a kind in the order they were made."""
        return [row["id"] for row in self.sql("SELECT id FROM doc WHERE kind=? ORDER BY seq", kind)]

    def count(self, name: str) -> int:
        """The next number of a counter, from 1."""
        with self.transaction():
            statement = "INSERT INTO counter VALUES (?,1) ON CONFLICT (name) DO UPDATE SET value=value+1 RETURNING value"
            return self.sql(statement, name)[0]["value"]

    def current(self, name: str) -> int:
        """The last number of a counter, 0 before the first."""
        rows = self.sql("SELECT value FROM counter WHERE name=?", name)
        return rows[0]["value"] if rows else 0

    def clear(self) -> None:
        """Forget everything but the counters."""
        self.journal.forget()
        with self.transaction():
            for table in ("doc", "timer", "object", "part", "log", "call"):
                self.sql(f"DELETE FROM {table}")
