"""Log lines in the server's own form, on standard error."""

from __future__ import annotations

import sys
from datetime import UTC, datetime


def log(level: str, source: str, text: str) -> None:
    """One line; `level` is I, W or E, `source` a file:line of the server."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    print(f"{stamp}: {level} {source}] {text}", file=sys.stderr, flush=True)
