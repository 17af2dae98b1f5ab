"""What an update would change, file by file, by content and never by time stamps."""

from __future__ import annotations

from typing import Any

from pulumi.provider.experimental.provider import DiffResponse, PropertyDiff, PropertyDiffKind

from .digest import FileEntry
from .inputs import entries_of
from .values import is_unknown

REPLACING: tuple[str, ...] = ("bucket", "prefix", "version")


def compare(state: dict[str, Any], inputs: dict[str, Any], ignored: list[str]) -> DiffResponse:
    """Differences between the recorded state and checked inputs.

    Another bucket, prefix or version is another place: a replacement, made before the old one is
    deleted. Other content or drift in the bucket is an update. Another path with the same content
    is no difference.
    """
    details: dict[str, PropertyDiff] = {}
    replaces = [
        name for name in REPLACING if name not in ignored and state.get(name) != inputs.get(name)
    ]
    for name in replaces:
        details[name] = PropertyDiff(PropertyDiffKind.UPDATE_REPLACE, False)
    if is_unknown(inputs.get("files")):
        details["digest"] = PropertyDiff(PropertyDiffKind.UPDATE, False)
    elif "files" not in ignored and "digest" not in ignored:
        details.update(
            _file_changes(entries_of(state.get("files")), entries_of(inputs.get("files")))
        )
        if details and state.get("digest") != inputs.get("digest"):
            details["digest"] = PropertyDiff(PropertyDiffKind.UPDATE, False)
        if details and "signatures" in state and state["signatures"] != inputs.get("signatures"):
            details["signatures"] = PropertyDiff(PropertyDiffKind.UPDATE, False)
    if state.get("drift"):
        details["drift"] = PropertyDiff(PropertyDiffKind.DELETE, False)
    top = sorted({path.split("[")[0] for path in details})
    stables = [] if replaces else list(REPLACING)
    return DiffResponse(
        changes=bool(details), replaces=replaces, stables=stables, diffs=top, detailed_diff=details
    )


def _file_changes(old: dict[str, FileEntry], new: dict[str, FileEntry]) -> dict[str, PropertyDiff]:
    changes: dict[str, PropertyDiff] = {}
    for path in sorted(old.keys() | new.keys()):
        if path not in new:
            kind = PropertyDiffKind.DELETE
        elif path not in old:
            kind = PropertyDiffKind.ADD
        elif old[path].same_content(new[path]):
            continue
        else:
            kind = PropertyDiffKind.UPDATE
        changes[f'files["{path}"]'] = PropertyDiff(kind, False)
    return changes
