"""What the published plugin was recorded to answer, and how to compare with it."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "data" / "k8s"
VOLATILE = ("uid", "resourceVersion", "creationTimestamp", "managedFields")


@cache
def _text(name: str) -> str:
    return (DATA / name).read_text()


def load(name: str) -> dict[str, Any]:
    """One recording, fresh."""
    return json.loads(_text(name))


def settled(state: dict[str, Any]) -> dict[str, Any]:
    """A state without what differs from run to run: identities, times, addresses, status, the random part of names."""
    kept = json.loads(re.sub(r"(monitoring|pulumi-kubernetes)-[0-9a-f]{8}", r"\1-########", json.dumps(state)))
    kept.pop("status", None)
    metadata = kept.get("metadata", {})
    for key in VOLATILE:
        metadata.pop(key, None)
    for key in ("clusterIP", "clusterIPs"):
        kept.get("spec", {}).pop(key, None)
    return kept


def unequal(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Paths at which two values differ, with both values."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        keys = sorted({*wanted, *found})
        return [line for key in keys for line in unequal(wanted.get(key, "nothing"), found.get(key, "nothing"), f"{path}.{key}")]
    return [] if wanted == found and type(wanted) is type(found) else [f"{path}: recorded {wanted!r}, found {found!r}"]


def words(messages: list[Any]) -> list[str]:
    """The messages' texts without the clearing of the line and without random pod names."""
    return [re.sub(r"-[0-9a-f]{8,10}-[0-9a-z]{5}\b", "-#", text) for _, text in messages if text]
