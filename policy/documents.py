"""RAM and OSS policy documents, parsed: whom a statement names, what it allows, whether a condition
narrows it.

Source of the grammar: https://www.alibabacloud.com/help/en/ram/user-guide/policy-structure-and-syntax
"""

from __future__ import annotations

import fnmatch
import ipaddress
import json
from collections.abc import Iterator, Mapping
from typing import Any

from policy.resources import is_known, listed, mapping

Statement = dict[str, Any]
"""A statement, its keys in lower case."""
WILDCARDS = "*?"
NARROWING = frozenset(
    {"acs:sourcevpc", "acs:sourcevpcid", "acs:principalarn", "acs:principalrdid", "oidc:sub"}
)
"""Condition keys that, equal to fixed values, name the callers. Others (a time, a transport, a
user agent) hold for everybody or can be chosen by the caller.
"""
ADDRESSES = frozenset({"acs:sourceip", "acs:vpcsourceip"})
WIDEST_PUBLIC, WIDEST_PRIVATE, WIDEST_IPV6 = 16, 8, 32
"""Shortest prefixes of networks that still name somebody."""


class UnreadableDocumentError(ValueError):
    """The text is not a policy document that can be judged."""


def statements(document: Any) -> list[Statement]:
    """The statements of a policy document; none of one that isn't set or isn't known yet.

    Raises UnreadableDocumentError for a text that isn't JSON, or that says a key twice: the service
    and this code could read different statements.
    """
    if not is_known(document):
        return []
    if isinstance(document, str):
        try:
            document = json.loads(document, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            raise UnreadableDocumentError(
                "the policy document is not JSON in which every key stands once"
            ) from None
    return [
        _lower(statement)
        for key, value in mapping(document).items()
        if key.lower() == "statement"
        for statement in listed(value)
        if isinstance(statement, Mapping)
    ]


def allows(statement: Statement) -> bool:
    """Whether the statement allows something."""
    return str(statement.get("effect", "")).lower() == "allow"


def principals(statement: Statement) -> list[str]:
    """Everybody that a statement names, whatever their type."""
    principal = statement.get("principal")
    groups = principal.values() if isinstance(principal, Mapping) else [principal]
    return [one for group in groups for one in listed(group) if isinstance(one, str)]


def names_everybody(statement: Statement) -> bool:
    """Whether the statement is for everybody, by a wildcard or by exception."""
    return "notprincipal" in statement or any(map(_is_open, principals(statement)))


def _is_open(principal: str) -> bool:
    """Whether a principal leaves open who it is: `*`, any account, any user or role of one. Behind
    the role's name a wildcard stands for its sessions, which is no opening.
    """
    parts = principal.split(":", 4)
    named = [*parts[:4], *"".join(parts[4:]).split("/")[:2]]
    return any(mark in part for part in named for mark in WILDCARDS)


def root_principals(statement: Statement) -> list[str]:
    """Principals that stand for a whole account: every identity in it that may assume roles."""
    return [one for one in principals(statement) if one.rpartition(":")[2].lower() == "root"]


def wide_actions(statement: Statement) -> Iterator[str]:
    """What is wrong with the actions of a statement that allows."""
    if "notaction" in statement:
        yield "a statement with NotAction allows every action but a few, those of the future too: name the ones that are needed"
    for action in listed(statement.get("action")):
        if isinstance(action, str) and any(mark in action for mark in WILDCARDS):
            yield f"a statement allows {action}, which is every action of that pattern: name the ones that are needed"


def wide_resources(statement: Statement) -> Iterator[str]:
    """What is wrong with the resources of a statement that allows."""
    if "notresource" in statement:
        yield "a statement with NotResource allows every resource but a few: name the ones that are needed"
    for resource in listed(statement.get("resource")):
        if isinstance(resource, str) and _is_wide(resource):
            yield f"a statement allows every resource like {resource}: name the bucket and the prefix, or the resource"


def _is_wide(resource: str) -> bool:
    """Whether `acs:service:region:account:type/name` leaves service or name open. The name in OSS
    is the bucket, which has no type before it.
    """
    parts = resource.split(":", 4)
    if len(parts) < 5 or any(mark in parts[1] for mark in WILDCARDS):
        return True
    segments = parts[4].split("/")
    named = segments[:1] if parts[1].lower() == "oss" else segments[:2]
    return any(mark in segment for segment in named for mark in WILDCARDS)


def binds(statement: Statement, key: str) -> bool:
    """Whether a condition holds the key to fixed values: StringEquals, or StringLike without a
    wildcard.
    """
    return any(
        name == key and _is_fixed(operator, values)
        for operator, name, values in _conditions(statement)
    )


def narrows(statement: Statement) -> bool:
    """Whether a condition names the callers of a statement that is for everybody. One condition is
    enough, all of them must hold.
    """
    return any(
        (name in NARROWING and _is_fixed(operator, values))
        or (name in ADDRESSES and operator == "ipaddress" and _are_narrow(values))
        for operator, name, values in _conditions(statement)
    )


def denies_plain_http(statement: Statement, bucket: Any) -> bool:
    """Whether the statement refuses every request to the bucket that comes without TLS."""
    conditions = list(_conditions(statement))
    secure = [("bool", "acs:securetransport", ["false"])]
    said = [
        (operator, name, [str(value).lower() for value in values])
        for operator, name, values in conditions
    ]
    everything = any(action in ("oss:*", "*") for action in listed(statement.get("action")))
    return (
        str(statement.get("effect", "")).lower() == "deny"
        and "*" in principals(statement)
        and everything
        and said == secure
        and (not is_known(bucket) or _covers(statement, str(bucket)))
    )


def _covers(statement: Statement, bucket: str) -> bool:
    patterns = [one for one in listed(statement.get("resource")) if isinstance(one, str)]
    return all(
        any(fnmatch.fnmatchcase(f"acs:oss:region:1:{path}", pattern) for pattern in patterns)
        for path in (bucket, f"{bucket}/an/object")
    )


def _conditions(statement: Statement) -> Iterator[tuple[str, str, list[Any]]]:
    """Operator, key (both in lower case) and values of every condition."""
    for operator, block in mapping(statement.get("condition")).items():
        for key, values in mapping(block).items():
            yield str(operator).lower(), str(key).lower(), listed(values)


def _is_fixed(operator: str, values: list[Any]) -> bool:
    texts = [value for value in values if isinstance(value, str) and value]
    plain = not any(mark in text for text in texts for mark in WILDCARDS)
    return (
        bool(texts)
        and len(texts) == len(values)
        and (operator == "stringequals" or (operator == "stringlike" and plain))
    )


def _are_narrow(values: list[Any]) -> bool:
    """Whether no network, after neighbours are joined, holds half the Internet."""
    try:
        networks = [ipaddress.ip_network(str(value), strict=False) for value in values]
    except ValueError:
        return False
    joined = [
        *ipaddress.collapse_addresses(
            one for one in networks if isinstance(one, ipaddress.IPv4Network)
        ),
        *ipaddress.collapse_addresses(
            one for one in networks if isinstance(one, ipaddress.IPv6Network)
        ),
    ]
    return bool(joined) and all(
        one.prefixlen
        >= (
            WIDEST_IPV6 if one.version == 6 else WIDEST_PRIVATE if one.is_private else WIDEST_PUBLIC
        )
        for one in joined
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key.lower() for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _lower(statement: Mapping[str, Any]) -> Statement:
    return {str(key).lower(): value for key, value in statement.items()}
