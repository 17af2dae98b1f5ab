"""RAM: tags of roles, policies and users."""

from __future__ import annotations

import json
import re

from lab.alicloud.protocol import Answer, Request
from lab.alicloud.registry import rpc
from lab.alicloud.state import Region


def _names(parameters: dict[str, str]) -> list[str]:
    text = parameters.get("ResourceNames", "")
    if text:
        return json.loads(text)
    return [v for k, v in sorted(parameters.items()) if re.fullmatch(r"ResourceName\.\d+", k)]


def _tags(parameters: dict[str, str]) -> dict[str, str]:
    if parameters.get("Tag"):
        rows = json.loads(parameters["Tag"])
        return {
            row.get("Key", row.get("key")): row.get("Value", row.get("value", "")) for row in rows
        }
    numbers = [k.split(".")[1] for k in parameters if re.fullmatch(r"Tag\.\d+\.Key", k)]
    return {parameters[f"Tag.{n}.Key"]: parameters.get(f"Tag.{n}.Value", "") for n in numbers}


def set_tags(region: Region, kind: str, name: str, parameters: dict[str, str]) -> None:
    """Add the tags a call brings."""
    tags = _tags(parameters)
    if tags:
        held = region.store.get("ram_tags", f"{kind}:{name}") or {}
        region.store.put("ram_tags", f"{kind}:{name}", {**held, **tags})


def drop_tags(region: Region, kind: str, name: str) -> None:
    """Forget all tags of a thing that goes."""
    region.store.delete("ram_tags", f"{kind}:{name}")


@rpc("ram", "ListTagResources")
def list_tags(region: Region, request: Request) -> Answer:
    """Tags of the named things, or of all that carry the given tags, in pages."""
    kind, rows, wanted = request.need("ResourceType"), [], _tags(request.params)
    everything = [
        entry.removeprefix(f"{kind}:")
        for entry in region.store.ids("ram_tags")
        if entry.startswith(f"{kind}:")
    ]
    for name in _names(request.params) or everything:
        held = region.store.get("ram_tags", f"{kind}:{name}") or {}
        if not all(held.get(key) == value for key, value in wanted.items()):
            continue
        for key, value in held.items():
            rows.append(
                {"ResourceType": kind, "ResourceName": name, "TagKey": key, "TagValue": value}
            )
    start, size = (
        int(request.params.get("NextToken") or 0),
        int(request.params.get("PageSize") or 200),
    )
    more = {"NextToken": str(start + size)} if len(rows) > start + size else {}
    return {"TagResources": rows[start : start + size], **more}


@rpc("ram", "TagResources")
def tag(region: Region, request: Request) -> Answer:
    """Add tags to roles, policies or users."""
    for name in _names(request.params):
        set_tags(region, request.need("ResourceType"), name, request.params)
    return {}


@rpc("ram", "UntagResources")
def untag(region: Region, request: Request) -> Answer:
    """Remove tags by key."""
    text = request.params.get("TagKeys", "")
    keys = (
        json.loads(text)
        if text
        else [v for k, v in request.params.items() if k.startswith("TagKey.")]
    )
    kind = request.need("ResourceType")
    for name in _names(request.params):
        held = region.store.get("ram_tags", f"{kind}:{name}") or {}
        region.store.put(
            "ram_tags", f"{kind}:{name}", {k: v for k, v in held.items() if k not in keys}
        )
    return {}
