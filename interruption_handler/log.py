"""The handler's log: one JSON object per line on standard output."""

from __future__ import annotations

import json
import sys
import threading
from datetime import UTC, datetime
from typing import Any

_lock = threading.Lock()


def log_event(event: str, level: str = "info", **detail: Any) -> None:
    """Write one line with the time, the level (info, warning, error), the event and `detail`."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"time": now, "level": level, "event": event, **detail}, default=str)
    with _lock:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
