"""What has to be changed in the state before the engine can take a stack down."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from ops.teardown.stack_location import KUBERNETES_PROVIDER

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
"""How a checkpoint marks a secret; an import encrypts its `plaintext`."""


def unprotect(state: dict[str, Any], urns: Collection[str]) -> bool:
    """Takes the protection off: the engine neither deletes nor forgets what is protected. Whether
    anything changed.
    """
    rows = [
        row
        for row in state["deployment"].get("resources") or []
        if row["urn"] in urns and row.get("protect")
    ]
    for row in rows:
        row["protect"] = False
    return bool(rows)


def renew(state: dict[str, Any], kubeconfig: str) -> bool:
    """Puts a kubeconfig that is valid now in place of the one the last `up` has left: a temporary
    one has run out by now, and a destroy does not run the program that would ask for another.
    Whether anything changed.
    """
    rows = [
        row
        for row in state["deployment"].get("resources") or []
        if row["type"] == KUBERNETES_PROVIDER
    ]
    sides = [
        row[side]
        for row in rows
        for side in ("inputs", "outputs")
        if "kubeconfig" in (row.get(side) or {})
    ]
    for side in sides:
        side["kubeconfig"] = {**SECRET, "plaintext": json.dumps(kubeconfig)}
    return bool(sides)
