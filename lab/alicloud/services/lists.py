"""What the list calls of several services have in common: ids to look for, and pages."""

from __future__ import annotations

import json
import re
from typing import Any

from lab.alicloud.protocol import Request


def requested_ids(request: Request, name: str) -> list[str] | None:
    """The ids that a list call asks for, None for all of them.

    A client writes `InstanceIds` as a JSON list or with commas, or sends `InstanceId.1` and so on.
    """
    text = request.params.get(name)
    if text:
        return json.loads(text) if text.startswith("[") else text.split(",")
    listed = [
        v for k, v in request.params.items() if re.fullmatch(name.removesuffix("s") + r"s?\.\d+", k)
    ]
    return listed or None


def page(request: Request, rows: list[Any], default: int = 10) -> tuple[list[Any], dict[str, int]]:
    """One page of the rows, and the numbers that go with it."""
    number, size = (
        int(request.params.get("PageNumber") or 1),
        int(request.params.get("PageSize") or default),
    )
    return rows[(number - 1) * size : number * size], {
        "TotalCount": len(rows),
        "PageNumber": number,
        "PageSize": size,
    }
