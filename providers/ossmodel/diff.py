"""What an update would change: by content and never by time stamps."""

from __future__ import annotations

from typing import Any

from pulumi.provider.experimental.provider import DiffResponse, PropertyDiff, PropertyDiffKind

from .values import is_unknown

REPLACING: tuple[str, ...] = ("bucket", "prefix", "version", "variant")


def compare(state: dict[str, Any], inputs: dict[str, Any], ignored: list[str]) -> DiffResponse:
    """Differences between the recorded state and checked inputs.

    Another bucket, prefix or version is another place, and so is other content under the same
    version (its `variant`): a replacement, made before the old one is deleted. Drift in the bucket,
    or an upload that did not finish, is an update. Another path with the same content is no
    difference.
    """
    details: dict[str, PropertyDiff] = {}
    replaces = [
        name
        for name in REPLACING
        if name not in ignored and (state.get(name) or "") != (inputs.get(name) or "")
    ]
    for name in replaces:
        kind = (
            PropertyDiffKind.UPDATE_REPLACE
            if state.get(name) and inputs.get(name)
            else PropertyDiffKind.DELETE_REPLACE
            if state.get(name)
            else PropertyDiffKind.ADD_REPLACE
        )
        details[name] = PropertyDiff(kind, False)
    if is_unknown(inputs.get("digest")):
        details["digest"] = PropertyDiff(PropertyDiffKind.UPDATE, False)
    elif replaces:
        for name in ("digest", "bytes", "fileCount", "signatures"):
            if name in state and state[name] != inputs.get(name):
                details[name] = PropertyDiff(PropertyDiffKind.UPDATE, False)
    if state.get("drift"):
        details["drift"] = PropertyDiff(PropertyDiffKind.DELETE, False)
    stables = [] if replaces else list(REPLACING)
    return DiffResponse(
        changes=bool(details),
        replaces=replaces,
        stables=stables,
        diffs=sorted(details),
        detailed_diff=details,
    )
