"""Writing a file in one step: who reads it sees the old content or the new one, never a half."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write_private(path: Path, data: bytes) -> None:
    """Write `data` in one step, readable by the owner only."""
    _write(path, data, 0o600)


def write_public(path: Path, data: bytes) -> None:
    """Write `data` in one step, readable by all."""
    _write(path, data, 0o644)


def _write(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        stream.write(data)
    temporary.replace(path)
