"""Ids of resources, in the form that Alibaba Cloud gives them."""

from __future__ import annotations

import uuid


def new_id(prefix: str, length: int = 20) -> str:
    """An id such as `vpc-65487f33dd3b402f97c7`."""
    return f"{prefix}{uuid.uuid4().hex[:length]}"
