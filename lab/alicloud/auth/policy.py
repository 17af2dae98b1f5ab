"""Evaluation of RAM and bucket policies: actions, resources and conditions; an explicit Deny always
wins.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

PolicyDocument = dict[str, Any]
"""A RAM or bucket policy, or one of its statements, as JSON."""
Context = dict[str, str]
"""What conditions ask about: `acs:SourceIp`, `oidc:sub`."""


def allowed(
    policies: Iterable[PolicyDocument], action: str, resource: str, context: Context
) -> bool:
    """Whether the documents together allow the action on the resource."""
    verdict = False
    for document in policies:
        for statement in _as_list(document.get("Statement", [])):
            if not matches(statement, action, resource, context):
                continue
            if statement.get("Effect") == "Deny":
                return False
            verdict = True
    return verdict


def matches(statement: PolicyDocument, action: str, resource: str, context: Context) -> bool:
    """Whether a statement is about this action and resource under these conditions."""
    return (
        _covers(statement, "Action", action, ignore_case=True)
        and _covers(statement, "Resource", resource, ignore_case=False)
        and conditions_hold(statement.get("Condition") or {}, context)
    )


def _covers(statement: PolicyDocument, key: str, value: str, *, ignore_case: bool) -> bool:
    excluded = statement.get("Not" + key)
    if excluded is not None:
        return not any(wildcard(p, value, ignore_case) for p in _as_list(excluded))
    return any(wildcard(p, value, ignore_case) for p in _as_list(statement.get(key, [])))


def wildcard(pattern: str, value: str, ignore_case: bool = False) -> bool:
    """`*` and `?` as RAM reads them."""
    return bool(_compiled(str(pattern), ignore_case).match(value))


@lru_cache(maxsize=2048)
def _compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    text = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    return re.compile(f"^{text}$", re.S | (re.I if ignore_case else 0))


def conditions_hold(conditions: dict[str, Any], context: Context) -> bool:
    """Whether every operator holds for every key; a key's values are alternatives."""
    for operator, entries in conditions.items():
        for key, wanted in entries.items():
            actual = _lookup(context, key)
            if not _holds(operator, [_text(w) for w in _as_list(wanted)], actual):
                return False
    return True


def _lookup(context: Context, key: str) -> str | None:
    for name, value in context.items():
        if name.lower() == key.lower():
            return value
    return None


def _holds(operator: str, wanted: list[str], actual: str | None) -> bool:
    name = operator.removesuffix("IfExists")
    if actual is None:
        return operator.endswith("IfExists") or "Not" in name
    test = _OPERATORS.get(name)
    if test is None:
        return False
    if "Not" in name:
        return all(test(w, actual) for w in wanted)
    return any(test(w, actual) for w in wanted)


def unknown_operators(document: PolicyDocument) -> list[str]:
    """Condition operators of a document that don't exist."""
    found = []
    for statement in _as_list(document.get("Statement", [])):
        for operator in statement.get("Condition") or {}:
            if operator.removesuffix("IfExists") not in _OPERATORS:
                found.append(operator)
    return found


def _in_network(network: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def test(wanted: str, actual: str) -> bool:
        try:
            return compare(float(actual), float(wanted))
        except ValueError:
            return False

    return test


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda w, a: w == a,
    "StringNotEquals": lambda w, a: w != a,
    "StringEqualsIgnoreCase": lambda w, a: w.lower() == a.lower(),
    "StringNotEqualsIgnoreCase": lambda w, a: w.lower() != a.lower(),
    "StringLike": wildcard,
    "StringNotLike": lambda w, a: not wildcard(w, a),
    "Bool": lambda w, a: w.lower() == a.lower(),
    "IpAddress": _in_network,
    "NotIpAddress": lambda w, a: not _in_network(w, a),
    "NumericEquals": _number(lambda a, w: a == w),
    "NumericNotEquals": _number(lambda a, w: a != w),
    "NumericLessThan": _number(lambda a, w: a < w),
    "NumericLessThanEquals": _number(lambda a, w: a <= w),
    "NumericGreaterThan": _number(lambda a, w: a > w),
    "NumericGreaterThanEquals": _number(lambda a, w: a >= w),
    "DateLessThan": lambda w, a: a < w,
    "DateGreaterThan": lambda w, a: a > w,
}


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
