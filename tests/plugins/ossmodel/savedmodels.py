"""Directories that are SavedModels, for tests."""

from __future__ import annotations

import random
from pathlib import Path

GRAPH = b"\x08\x01\x12\x10" + b"0123456789abcdef"
"""The smallest whole SavedModel message: a schema version and one meta graph."""


def make(parent: Path, version: str = "1623831335", shard: bytes = b"weights" * 100, **extra: bytes) -> Path:
    """A complete version directory below `parent`; `extra` maps file names (with __ for a slash) to content."""
    directory = parent / version
    files = {
        "saved_model.pb": GRAPH,
        "variables/variables.index": b"index" * 20,
        "variables/variables.data-00000-of-00001": shard,
    }
    files |= {name.replace("__", "/"): content for name, content in extra.items()}
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    return directory


def noise(size: int, seed: int = 1) -> bytes:
    """`size` bytes that do not compress and are the same in every run."""
    return random.Random(seed).randbytes(size)
