"""Who owns which field, as server-side apply records it in `metadata.managedFields`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from lab.kubernetes_plugin import objects
from lab.kubernetes_plugin.replacement import PathStep

OWN_MANAGERS = ("pulumi-kubernetes", "pulumi-kubernetes.exe", "pulumi-resource-kubernetes")
ADOPTED = (("kubectl", "Apply"), ("kubectl", "Update"), ("before-first-apply", "Update"), *((name, "Update") for name in OWN_MANAGERS))

Entry = dict[str, Any]


def created_by_post(entries: list[Entry]) -> bool:
    """Whether some fields still stand under the name a plain create uses."""
    return any(entry.get("operation") == "Update" and entry.get("manager") in OWN_MANAGERS for entry in entries)


def adopted(entries: list[Entry], manager: str) -> list[Entry] | None:
    """The entries after moving what kubectl or a plain create wrote to `manager`, so that applying it is no conflict.

    None if there is nothing to move.
    """
    moved = [entry for entry in entries if _is_adopted(entry)]
    if not moved:
        return None
    kept = [copy.deepcopy(entry) for entry in entries if not _is_adopted(entry)]
    own = next((e for e in kept if e.get("manager") == manager and e.get("operation") == "Apply" and not e.get("subresource")), None)
    if own is None:
        own = {**copy.deepcopy(moved[0]), "manager": manager, "operation": "Apply"}
        kept.append(own)
    for entry in moved:
        own["fieldsV1"] = _union(own.get("fieldsV1") or {}, entry.get("fieldsV1") or {})
    return kept


def _is_adopted(entry: Entry) -> bool:
    who, how = entry.get("manager", ""), entry.get("operation")
    return not entry.get("subresource") and any(who.startswith(name) and how == operation for name, operation in ADOPTED)


def _union(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    return {key: _union(a.get(key) or {}, b.get(key) or {}) for key in {**a, **b}}


def keep_live_value(wanted: objects.Object, live: objects.Object, path: Sequence[PathStep], manager: str) -> None:
    """Make applying `wanted` leave an ignored path alone, in place.

    A field that others own and we don't is left out; else the live value is sent, because leaving it out would reset it.
    """
    entries = objects.pluck(live, "metadata", "managedFields") or []
    holder: Any = _reach(wanted, path[:-1])
    if _owned(entries, path, lambda who: who != manager) and not _owned(entries, path, lambda who: who == manager):
        if isinstance(holder, dict):
            holder.pop(path[-1], None)
        return
    source = _reach(live, path[:-1])
    try:
        value = copy.deepcopy(source[path[-1]])
    except (KeyError, IndexError, TypeError):
        return
    last = path[-1]
    in_list = isinstance(holder, list) and isinstance(last, int) and last < len(holder)
    if isinstance(holder, dict) or in_list:
        holder[last] = value  # pyright: ignore[reportArgumentType, reportCallIssue]


def _reach(obj: Any, path: Sequence[PathStep]) -> Any:
    for step in path:
        try:
            obj = obj[step]
        except (KeyError, IndexError, TypeError):
            return None
    return obj


def _owned(entries: list[Entry], path: Sequence[PathStep], whose: Any) -> bool:
    keys = [f"f:{step}" for step in path]
    return any(whose(entry.get("manager")) and _reach(entry.get("fieldsV1"), keys) is not None for entry in entries)
