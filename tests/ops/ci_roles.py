"""The permissions of CI's roles, from the calls that the graph makes: `python -m
tests.ops.ci_roles` writes docs/ram-policy-read.json.

docs/faults.md lists every call of a clean up, refresh and destroy as the cloud double recorded it,
and marks those that change nothing; the double knows which RAM action each of them needs, on what.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from lab.alicloud.registry import OssRoute, Route, routes
from lab.alicloud.services import load_services

ROOT = Path(__file__).resolve().parents[2]
CALLS = ROOT / "docs" / "faults.md"
DEPLOY, READ = ROOT / "docs" / "ram-policy.json", ROOT / "docs" / "ram-policy-read.json"
ROW = re.compile(r"^\| `(\w+):(\w+)`(?: ×\d+)? \|(.+)\|$", re.MULTILINE)
LOST = 4
"""Column of the fault `lost`, which is = where the call changes nothing."""
OWN, CLUSTER = "elastic-inference-", "CLUSTER_ID"
"""How the names of a stack begin; what a user replaces by the id of the cluster."""
SINGLE = re.compile(r"\{\w+\}")


def calls() -> dict[tuple[str, str], bool]:
    """Every call of the graph's cloud half, and whether it only reads."""
    return {
        (service, call): cells.split("|")[LOST].strip() == "="
        for service, call, cells in ROW.findall(CALLS.read_text())
    }


def known_routes() -> dict[tuple[str, str], Route]:
    """Every call that the double answers."""
    load_services()
    return {(route.service, route.call): route for route in routes()}


def resources(route: Route) -> list[str]:
    """What a policy names for this call on resources of one stack."""
    if isinstance(route, OssRoute):
        own = f"acs:oss:*:*:{OWN}*"
        return ["*"] if route.scope == "service" else [own, f"{own}/*"]
    if not SINGLE.search(route.resource):
        return ["*"]
    name = CLUSTER if route.service == "cs" else f"{OWN}*"
    return [f"acs:{route.service}:*:*:{SINGLE.sub(name, route.resource, count=1).split('{')[0]}"]


def actions(route: Route) -> list[str]:
    """The RAM actions of a call; those of OIDC providers are documented under two names."""
    name = route.permission
    return [name, name.replace("ims:", "ram:")] if route.service == "ims" else [name]


def read_policy() -> dict[str, Any]:
    """What a role needs that compares a stack with the cloud and changes nothing."""
    known = known_routes()
    groups: dict[tuple[str, ...], set[str]] = {}
    for call, only_reads in calls().items():
        if only_reads:
            groups.setdefault(tuple(resources(known[call])), set()).update(actions(known[call]))
    statements = [
        {"Effect": "Allow", "Action": sorted(group), "Resource": list(of)}
        for of, group in sorted(groups.items())
    ]
    return {"Version": "1", "Statement": statements}


def text() -> str:
    """The file's content."""
    return json.dumps(read_policy(), indent=2) + "\n"


if __name__ == "__main__":
    READ.write_text(text())
