"""Tags in lists: which rows a call asks for, and how each service family writes them."""

from __future__ import annotations

import re

from lab.alicloud.protocol import Answer, Request
from lab.alicloud.state import Region


def wanted_tags(request: Request) -> dict[str, str | None]:
    """The tags that a list call filters by (Tag.N.Key and Tag.N.Value); None where any value will
    do.
    """
    keys = [name for name in request.params if re.fullmatch(r"Tag\.\d+\.Key", name)]
    return {request.params[name]: request.params.get(name.replace("Key", "Value")) for name in keys}


def carries(region: Region, resource: str, wanted: dict[str, str | None]) -> bool:
    """Whether a resource has all of these tags."""
    held = region.store.get("tags", resource) or {}
    return all(key in held and value in (None, "", held[key]) for key, value in wanted.items())


def long_tags(region: Region, resource: str) -> Answer:
    """Tags as ECS, SLB and ESS write them: TagKey and TagValue."""
    return {
        "Tag": [
            {"TagKey": row["Key"], "TagValue": row["Value"]} for row in tag_rows(region, resource)
        ]
    }


def tag_rows(region: Region, resource: str) -> list[dict[str, str]]:
    """A resource's tags as the lists show them."""
    return [{"Key": k, "Value": v} for k, v in (region.store.get("tags", resource) or {}).items()]


def store_tags(region: Region, resource: str, request: Request) -> None:
    """Add the tags a call brings as Tag.N.Key/Value."""
    tags = request_tags(request)
    if tags:
        region.store.put("tags", resource, {**(region.store.get("tags", resource) or {}), **tags})


def request_tags(request: Request) -> dict[str, str]:
    """The tags that a call brings as Tag.N.Key and Tag.N.Value."""
    return {key: value or "" for key, value in wanted_tags(request).items()}
