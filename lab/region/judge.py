"""Holds every call against the models of the official SDK packages (`sdk_models.json`), which are generated from the API's own metadata.

A call without a required parameter is refused, as the cloud does. Only parameters are required, not the fields inside them: the published
Terraform provider leaves some of those out, and the cloud takes it.

What the double itself does wrong is a *departure*: it reads a parameter that the API does not have, answers a field that the API does not
have, or one of another type. The caller gets the answer all the same, and the control API's `/_lab/departures` lists it. Tests fail on any.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lab.region.protocol import Request, Response

FILE = Path(__file__).with_name("sdk_models.json")
_COMMON = {"Action", "Version", "Format", "RegionId", "PageNumber", "PageSize"}
"""Parameters of every RPC call, or that the clients of every service send; older versions page by the last two."""
UNJUDGED = {
    "cs:DescribeClusterEndpoints": "in no official package; the Terraform provider's own client reads it",
    "sls:GetLogs": "the form of API version 0.6.0 (a bare list), which the log service's own packages before 2020-12-30 send",
}
"""Actions that no package has."""
LEFT_OUT = {
    "sls:CreateProject": {"description"},
    "sls:UpdateProject": {"description"},
}
"""Parameters called required that the published Terraform provider leaves out, and the cloud takes the call."""
_TYPES = {"s": (str,), "i": (int,), "f": (int, float), "b": (bool,)}


@cache
def models() -> dict[str, Any]:
    """Request and answer model of each action: `service:Action`."""
    return json.loads(FILE.read_text())


class Departures:
    """What the double did otherwise than the models say, each once, with the actions that were judged."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self.judged: set[str] = set()

    def shown(self) -> dict[str, list[str]]:
        """As the control API tells it."""
        return {"departures": sorted(self.found), "judged": sorted(self.judged)}

    def judge(self, request: Request, answer: Any) -> None:
        """Note what a handler read and what it answered, after it has."""
        key = action_of(request)
        model = models().get(key)
        if model is None:
            return
        self.judged.add(key)
        if isinstance(answer, Response):
            answer = decoded(answer)
        for name in request.asked:
            if not known(name, model["request"]):
                self.found.add(f"{key}: reads {name}, which is no parameter of the action")
        self.found.update(f"{key}: {said}" for said in differences(answer, model["answer"], "answers"))


def action_of(request: Request) -> str:
    """`service:Action`: two calls of the log service share path and permission with another one."""
    if request.service == "sls" and request.call == "GetLogStore" and old_logs(request):
        return "sls:GetLogs"
    if request.service == "sls" and request.call == "GetProject" and not request.vars.get("project"):
        return "sls:ListProject"
    return f"{request.service}:{request.call}"


def old_logs(request: Request) -> bool:
    """Whether a call for a logstore is the old form of GetLogs."""
    return any(f"&type={kind}" in f"&{request.raw_query}" for kind in ("log", "histogram"))


def decoded(response: Response) -> Any:
    """What a finished answer says, when it says it in JSON."""
    if not isinstance(response.body, bytes) or response.body[:1] not in (b"{", b"["):
        return None
    return json.loads(response.body)


def require(request: Request) -> None:
    """Refuse a call that lacks what the models call required."""
    model = models().get(action_of(request))
    if model is None:
        return
    if request.service in ("cs", "sls"):
        body = request.json if request.body[:1] == b"{" else {}
        given = {*request.query, *body}
        lacking = [n[:-1] for n in model["request"] if n.endswith("!") and n != "body!" and n[:-1] not in given]
    else:
        lacking = [n[:-1] for n in model["request"] if n.endswith("!") and not _has(request.params, n[:-1])]
    lacking = [name for name in lacking if name not in LEFT_OUT.get(action_of(request), ())]
    if lacking:
        raise request.missing(lacking[0])


def _has(params: dict[str, str], name: str) -> bool:
    return bool(dict.get(params, name)) or any(key.startswith(f"{name}.") for key in params)


def known(name: str, model: dict[str, Any]) -> bool:
    """Whether an RPC parameter (`Tag.1.Key`) or a field of a query or body is in the request model."""
    first, _, rest = name.partition(".")
    if first in _COMMON and not rest:
        return True
    kind: Any = model.get(first, model.get(first + "!"))
    for part in rest.split(".") if rest else ():
        if isinstance(kind, list) and part.isdecimal():
            kind = kind[0]
        elif isinstance(kind, dict):
            kind = kind.get("*", kind.get(part, kind.get(part + "!")))
        else:
            return kind == "any"
    return kind is not None


def differences(value: Any, model: Any, where: str) -> Iterator[str]:
    """How a value differs from its model: fields that it does not know, and other types."""
    if value is None or model == "any":
        return
    if model is None:
        if value not in ({}, ""):
            yield f"{where} a body, where the API has none"
    elif isinstance(model, list):
        if not isinstance(value, list):
            yield f"{where} {type(value).__name__} instead of a list"
        else:
            for one in value:
                yield from differences(one, model[0], where)
    elif isinstance(model, dict):
        if not isinstance(value, dict):
            yield f"{where} {type(value).__name__} instead of an object"
            return
        for name, one in value.items():
            kind = model.get("*", model.get(name, model.get(f"{name}!")))
            path = f"{where} {name}" if where == "answers" else f"{where}.{name}"
            if kind is None:
                yield f"{path}, which the API does not have"
            else:
                yield from differences(one, kind, path)
    elif not isinstance(value, _TYPES[model]) or (isinstance(value, bool) and model != "b"):
        yield f"{where} as {type(value).__name__}, which is {model} in the API"
