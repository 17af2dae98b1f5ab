"""The models of the official SDK packages (`sdk_models.json`), which are generated from the API's
own metadata, and how a call or an answer is held against one.

`sdk_models` says how a model is written.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lab.alicloud.protocol import Request, Response

FILE = Path(__file__).with_name("sdk_models.json")


_COMMON = {"Action", "Version", "Format", "RegionId", "PageNumber", "PageSize"}
"""Parameters of every RPC call, or that the clients of every service send; older versions page by
the last two.
"""


Model = dict[str, Any]
"""A model, or an object in it: field names with the models of their values."""
UNJUDGED = {
    "cs:DescribeClusterEndpoints": "in no official package; the Terraform provider's own client reads it",
    "sls:GetLogs": "the form of API version 0.6.0 (a bare list), which the log service's own packages before 2020-12-30 send",
}
"""Actions that no package has."""


_PROVIDER = "the published Terraform provider leaves it out, and the cloud takes the call"


LEFT_OUT: dict[str, dict[str, str]] = {
    "cs:CreateClusterNodePool": {"scaling_group.instance_charge_type": _PROVIDER},
    "sls:CreateProject": {"description": _PROVIDER},
    "sls:UpdateProject": {"description": _PROVIDER},
}
"""Parameters and fields called required that are not asked for here, and why."""


_NAMED = "OIDCProviderName"


ALSO_REQUIRED: dict[str, tuple[str, ...]] = {
    "ims:AddClientIdToOIDCProvider": (_NAMED, "ClientId"),
    "ims:AddFingerprintToOIDCProvider": (_NAMED, "Fingerprint"),
    "ims:CreateOIDCProvider": (_NAMED, "IssuerUrl"),
    "ims:DeleteOIDCProvider": (_NAMED,),
    "ims:GetOIDCProvider": (_NAMED,),
    "ims:RemoveClientIdFromOIDCProvider": (_NAMED, "ClientId"),
    "ims:RemoveFingerprintFromOIDCProvider": (_NAMED, "Fingerprint"),
    "ims:UpdateOIDCProvider": (_NAMED,),
    "ram:AttachPolicyToRole": ("PolicyType", "PolicyName", "RoleName"),
    "ram:AttachPolicyToUser": ("PolicyType", "PolicyName", "UserName"),
    "ram:CreatePolicy": ("PolicyName", "PolicyDocument"),
    "ram:CreatePolicyVersion": ("PolicyName", "PolicyDocument"),
    "ram:CreateRole": ("RoleName", "AssumeRolePolicyDocument"),
    "ram:CreateUser": ("UserName",),
    "ram:DeleteAccessKey": ("UserAccessKeyId",),
    "ram:DeletePolicy": ("PolicyName",),
    "ram:DeletePolicyVersion": ("PolicyName", "VersionId"),
    "ram:DeleteRole": ("RoleName",),
    "ram:DeleteUser": ("UserName",),
    "ram:DetachPolicyFromRole": ("PolicyType", "PolicyName", "RoleName"),
    "ram:DetachPolicyFromUser": ("PolicyType", "PolicyName", "UserName"),
    "ram:GetPolicy": ("PolicyType", "PolicyName"),
    "ram:GetPolicyVersion": ("PolicyType", "PolicyName", "VersionId"),
    "ram:GetRole": ("RoleName",),
    "ram:GetUser": ("UserName",),
    "ram:ListEntitiesForPolicy": ("PolicyType", "PolicyName"),
    "ram:ListPoliciesForRole": ("RoleName",),
    "ram:ListPoliciesForUser": ("UserName",),
    "ram:ListTagResources": ("ResourceType",),
    "ram:ListPolicyVersions": ("PolicyType", "PolicyName"),
    "ram:SetDefaultPolicyVersion": ("PolicyName", "VersionId"),
    "ram:TagResources": ("ResourceType", "Tag"),
    "ram:UntagResources": ("ResourceType", "ResourceNames"),
    "ram:UpdateAccessKey": ("UserAccessKeyId", "Status"),
    "ram:UpdatePolicyDescription": ("PolicyName", "NewDescription"),
    "ram:UpdateRole": ("RoleName",),
    "ram:UpdateUser": ("UserName",),
    "sts:AssumeRoleWithOIDC": ("OIDCProviderArn", "RoleArn", "OIDCToken", "RoleSessionName"),
}
"""The packages of RAM and IMS call nothing required (the metadata of Alibaba Cloud's CLI only what
is about RAM's tags). These are so by the services' API reference, and without them there is nothing
that the call could be about.
"""


_TYPES = {"s": (str,), "i": (int,), "f": (int, float), "b": (bool,)}


_OSS_ASKED = {
    "list-type", "x-oss-copy-source",  # what the package's own code sends, outside its models
    "prefix", "delimiter", "max-keys",  # conditions of policies
    "host", "user-agent", "date", "x-oss-date", "authorization", "content-type", "content-md5", "x-oss-security-token",
}  # fmt: skip


_OSS_ANSWERED = {
    "x-oss-request-id", "server", "date", "content-type", "content-length", "connection", "x-oss-server-time", "accept-ranges", "location",
}  # fmt: skip
"""Headers of every answer of OSS."""


@cache
def models() -> Model:
    """Request and answer model of each action: `service:Action`."""
    found = json.loads(FILE.read_text())
    for key, names in ALSO_REQUIRED.items():
        request = found[key]["request"]
        found[key]["request"] = {
            name + "!" if name in names else name: kind for name, kind in request.items()
        }
    return found


def decoded(answer: Any, model: Any = "any") -> Any:
    """What an answer says; a finished one, when it says it in JSON and the API has no text
    there.
    """
    if not isinstance(answer, Response):
        return answer
    if model == "s":
        return answer.body.decode() if isinstance(answer.body, bytes) else None
    if not isinstance(answer.body, bytes) or answer.body[:1] not in (b"{", b"["):
        return None
    return json.loads(answer.body)


def required(model: Model) -> list[str]:
    """The names that an object's model calls required."""
    return [name[:-1] for name in model if name.endswith("!")]


def without_numbers(path: str) -> str:
    """A path without the numbers of lists: `taints.effect` of `taints.1.effect`."""
    return ".".join(part for part in path.split(".") if not part.isdecimal())


def missing_in_rest(request: Request, model: Model) -> Iterator[str]:
    """What a REST call lacks of its model, in query and body."""
    body = request.json if request.body[:1] in (b"{", b"[") else {}
    whole = model.get("body", model.get("body!"))
    if whole is not None:
        if request.body[:1] in (b"{", b"["):  # what PutLogs sends is no JSON
            yield from _missing_in(body, whole, "")
        model = {name: kind for name, kind in model.items() if name not in ("body", "body!")}
        body = {}
    given = dict.keys(request.query) | (dict.keys(body) if isinstance(body, dict) else set())
    for name in required(model):
        if name not in given:
            yield name
    for name, value in dict.items(body) if isinstance(body, dict) else ():
        yield from _missing_in(value, model.get(name, model.get(f"{name}!")), name)


def _missing_in(value: Any, model: Any, where: str) -> Iterator[str]:
    """Required fields that an object lacks, and the objects in it."""
    if isinstance(value, dict) and isinstance(model, dict):
        if "*" in model:
            for name, one in dict.items(value):
                yield from _missing_in(one, model["*"], f"{where}.{name}".lstrip("."))
            return
        for name in required(model):
            if dict.get(value, name) is None:
                yield f"{where}.{name}".lstrip(".")
        for name, one in dict.items(value):
            yield from _missing_in(
                one, model.get(name, model.get(f"{name}!")), f"{where}.{name}".lstrip(".")
            )
    elif isinstance(value, list) and isinstance(model, list):
        for number, one in enumerate(value, 1):
            yield from _missing_in(one, model[0], f"{where}.{number}".lstrip("."))


def missing_in_rpc(params: dict[str, str], model: Model, above: str) -> Iterator[str]:
    """What an RPC call lacks of its model. Objects and lists come as parameters in a row,
    `ZoneMappings.1.ZoneId`; a list may also be sent as JSON in one parameter.
    """
    for marked, kind in model.items():
        name = above + marked.removesuffix("!")
        deeper = {
            key[len(name) + 1 :].partition(".")[0] for key in params if key.startswith(f"{name}.")
        }
        if marked.endswith("!") and not dict.get(params, name) and not deeper:
            yield name
        elif isinstance(kind, dict) and "*" not in kind and deeper:
            yield from missing_in_rpc(params, kind, f"{name}.")
        elif isinstance(kind, list) and isinstance(kind[0], dict):
            for number in sorted(part for part in deeper if part.isdecimal()):
                yield from missing_in_rpc(params, kind[0], f"{name}.{number}.")


def known(name: str, model: Model) -> bool:
    """Whether an RPC parameter (`Tag.1.Key`) or a field of a query or body is in the request
    model.
    """
    first, _, rest = name.partition(".")
    if first in _COMMON and not rest:
        return True
    kind: Any = model.get(first, model.get(first + "!"))
    parts = rest.split(".") if rest else []
    if kind is None and (whole := model.get("body", model.get("body!"))) is not None:
        kind, parts = whole, name.split(".")
    elif (
        kind is None and first.isdecimal() and len(model) == 1
    ):  # a bare list, to which the package's model gives a name
        kind, parts = next(iter(model.values())), name.split(".")
    for part in parts:
        if isinstance(kind, list) and part.isdecimal():
            kind = kind[0]
        elif isinstance(kind, dict):
            kind = kind.get("*", kind.get(part, kind.get(part + "!")))
        else:
            return kind == "any"
    return kind is not None


def known_to_oss(name: str, model: Model) -> bool:
    """Whether OSS knows a parameter of the query, or a header (small letters), of this call."""
    return (
        name in model or f"{name}!" in model or name in _OSS_ASKED or name.startswith("x-oss-meta-")
    )


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


def oss_differences(answer: Any, model: Model) -> Iterator[str]:
    """How an answer of OSS differs: headers and elements that the API does not have, and numbers
    and truth values written otherwise.
    """
    if not isinstance(answer, Response):
        return
    for name in answer.headers:
        small = "x-oss-meta-*" if name.lower().startswith("x-oss-meta-") else name.lower()
        if small not in model["headers"] and small not in _OSS_ANSWERED:
            yield f"answers the header {name}, which the API does not have"
    if (
        not isinstance(answer.body, bytes)
        or not answer.body
        or "xml" not in answer.headers.get("Content-Type", "")
    ):
        return
    root = ElementTree.fromstring(answer.body)
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    if model["answer"] is None:
        yield f"answers <{root.tag}>, where the API has no body"
    elif "" not in model["answer"] and root.tag not in model["answer"]:
        yield f"answers <{root.tag}> instead of <{next(iter(model['answer']))}>"
    else:
        yield from element_differences(
            root, model["answer"].get(root.tag, model["answer"].get("")), f"answers {root.tag}"
        )


def element_differences(node: ElementTree.Element, model: Any, where: str) -> Iterator[str]:
    """How an element differs from its model."""
    if isinstance(model, dict):
        for name, times in Counter(child.tag for child in node).items():
            kind = model.get(name)
            if kind is None:
                yield f"{where}.{name}, which the API does not have"
            elif isinstance(kind, list) or times == 1:
                for child in node.findall(name):
                    yield from element_differences(
                        child, kind[0] if isinstance(kind, list) else kind, f"{where}.{name}"
                    )
            else:
                yield f"{where}.{name} {times} times, which is once in the API"
    elif len(node):
        yield f"{where} with elements inside, which is a value in the API"
    elif model == "i" and not (node.text or "").lstrip("-").isdecimal():
        yield f"{where} as {node.text!r}, which is a whole number in the API"
    elif model == "b" and (node.text or "").lower() not in ("true", "false"):
        yield f"{where} as {node.text!r}, which is true or false in the API"
