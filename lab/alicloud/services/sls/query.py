"""The log service's query language as far as the metrics adapter and reports need it.

`search | SELECT aggregates FROM log WHERE time GROUP BY field ORDER BY field LIMIT n`; one field to
group by, and to order by the same.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lab.alicloud.protocol import ApiError

_TERM = re.compile(
    r"""\s*(?:(?P<and>and\b)|(?P<key>[\w.:-]+?)\s*:\s*(?P<value>"[^"]*"|'[^']*'|[^\s]+)|(?P<word>"[^"]*"|[^\s]+))""",
    re.I,
)
_SELECT = re.compile(
    r"^\s*select\s+(?P<columns>.+?)(?:\s+from\s+log)?(?:\s+where\s+(?P<where>.+?))?"
    r"(?:\s+group\s+by\s+(?P<group>\w+))?(?:\s+order\s+by\s+(?P<order>\w+))?(?:\s+limit\s+(?P<limit>\d+))?\s*$",
    re.I | re.S,
)
_TIME = re.compile(r"^\s*__time__\s*(?P<op>>=|<=|>|<|=)\s*(?P<value>\d+)\s*$", re.I)
_COLUMN = re.compile(
    r"^\s*(?P<function>\w+)\s*\(\s*(?P<argument>[\w.*]+)\s*(?:,\s*(?P<share>[\d.]+)\s*)?\)\s*(?:(?P<op>[*/])\s*(?P<number>[\d.]+))?\s*(?:as\s+(?P<name>\w+))?\s*$",
    re.I,
)
_PLAIN = re.compile(r"^\s*(?P<argument>\w+)(?:\s+as\s+(?P<name>\w+))?\s*$", re.I)
_COUNT_IF = re.compile(
    r"^\s*count_if\s*\(\s*(?P<argument>\w+)\s*(?P<compare>>=|<=|>|<|=)\s*(?P<bound>[\d.]+)\s*\)\s*as\s+(?P<name>\w+)\s*$",
    re.I,
)
_COMPARE = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_FUNCTIONS = ("count", "sum", "avg", "min", "max", "approx_percentile")

Row = tuple[int, dict[str, str]]


@dataclass(frozen=True)
class Query:
    """A parsed query. `columns` is None for a plain search."""

    terms: list[tuple[str, str]]
    columns: list[dict[str, Any]] | None
    times: list[tuple[str, int]]
    group: dict[str, Any] | None = None
    """The column by whose values rows are put together."""
    limit: int = 100


def parse(text: str) -> Query:
    """Read a query; what the lab can't do is refused by name."""
    search, pipe, statement = text.partition("|")
    terms = _terms(search)
    if not pipe:
        return Query(terms, None, [])
    found = _SELECT.match(statement)
    if not found:
        raise _unsupported(statement)
    times = []
    for condition in (
        re.split(r"\s+and\s+", found["where"] or "", flags=re.I) if found["where"] else []
    ):
        bound = _TIME.match(condition)
        if not bound:
            raise _unsupported(condition)
        times.append((bound["op"], int(bound["value"])))
    columns = [_column(c) for c in re.split(r",(?![^(]*\))", found["columns"])]
    plain = [column for column in columns if column["function"] == ""]
    group = (
        next((c for c in plain if found["group"] in (c["name"], c["argument"])), None)
        if found["group"]
        else None
    )
    ordered = found["order"] is None or (
        group is not None and found["order"] in (group["name"], group["argument"])
    )
    if (
        len(plain) != (group is not None)
        or bool(found["group"]) != (group is not None)
        or not ordered
    ):
        raise _unsupported(statement)
    return Query(terms, columns, times, group, int(found["limit"] or 100))


def _unsupported(text: str) -> ApiError:
    return ApiError(
        400, "ParameterInvalid", f"the lab's log service can not evaluate: {text.strip()}"
    )


def _terms(search: str) -> list[tuple[str, str]]:
    terms, place, text = [], 0, search.strip()
    while place < len(text):
        found = _TERM.match(text, place)
        if not found:
            raise _unsupported(text)
        place = found.end()
        if found["and"]:
            continue
        if found["word"]:
            if found["word"].lower() in ("or", "not"):
                raise _unsupported(text)
            terms.append(("", found["word"].strip("\"'")))
        else:
            terms.append((found["key"], found["value"].strip("\"'")))
    return [t for t in terms if t != ("", "*")]


def _column(text: str) -> dict[str, Any]:
    """An aggregate, or a plain field, whose function is empty."""
    if plain := _PLAIN.match(text):
        return {
            **plain.groupdict(),
            "function": "",
            "name": plain["name"] or plain["argument"],
            "op": None,
        }
    if counted := _COUNT_IF.match(text):
        return {**counted.groupdict(), "function": "count_if", "op": None}
    found = _COLUMN.match(text)
    if not found or found["function"].lower() not in _FUNCTIONS:
        raise _unsupported(text)
    return {
        **found.groupdict(),
        "function": found["function"].lower(),
        "name": found["name"] or "_col0",
    }


def matching(query: Query, rows: list[Row]) -> list[Row]:
    """Rows that satisfy the search terms and the time conditions."""
    return [
        row
        for row in rows
        if all(_COMPARE[op](row[0], value) for op, value in query.times)
        and all(_has(row[1], key, value) for key, value in query.terms)
    ]


def _has(fields: dict[str, str], key: str, value: str) -> bool:
    if not key:
        return any(value.lower() in text.lower() for text in fields.values())
    actual = fields.get(key)
    if actual is None:
        return False
    if "*" in value or "?" in value:
        expression = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in value)
        return bool(re.fullmatch(expression, actual, re.I | re.S))
    return actual.lower() == value.lower()


def aggregates(query: Query, rows: list[Row]) -> list[dict[str, str]]:
    """The row of a global aggregate (`null` over nothing), or one row for each value of the field
    to group by, in its order.
    """
    if query.group is None:
        return [_aggregate(query, rows)]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(_field(row, query.group["argument"]) or "null", []).append(row)
    ordered = sorted(
        groups, key=lambda value: (_number(value) is None, _number(value) or 0.0, value)
    )
    return [_aggregate(query, groups[value]) for value in ordered[: query.limit]]


def _aggregate(query: Query, rows: list[Row]) -> dict[str, str]:
    return {column["name"]: _text(_value(column, rows)) for column in query.columns or []}


def _field(row: Row, name: str) -> str | None:
    return str(row[0]) if name == "__time__" else row[1].get(name)


def _value(column: dict[str, Any], rows: list[Row]) -> float | int | str | None:
    function, argument = column["function"], column["argument"]
    if function == "":
        return _field(rows[0], argument)
    if function == "count":
        value: float | int | None = (
            len(rows) if argument in ("*", "1") else sum(argument in fields for _, fields in rows)
        )
    else:
        numbers = [n for n in (_number(_field(row, argument)) for row in rows) if n is not None]
        if function == "count_if":
            return sum(
                _COMPARE[column["compare"]](number, float(column["bound"])) for number in numbers
            )
        value = _reduce(function, numbers, column["share"])
    if value is None or not column["op"]:
        return value
    number = float(column["number"]) if "." in column["number"] else int(column["number"])
    if column["op"] == "*":
        return value * number
    if isinstance(value, int) and isinstance(number, int):
        return value // number  # both integers: integer division, as the service does it
    return value / number


def _reduce(function: str, numbers: list[float], share: str | None) -> float | int | None:
    if not numbers:
        return None
    if function == "approx_percentile":
        ordered = sorted(numbers)
        return ordered[min(len(ordered) - 1, int(float(share or 0.5) * len(ordered)))]
    if function == "avg":
        return sum(numbers) / len(numbers)
    value = {"sum": sum, "min": min, "max": max}[function](numbers)
    return int(value) if float(value).is_integer() else value


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def _text(value: float | int | str | None) -> str:
    """A value as the service writes it: doubles as Java does, with an exponent from ten million on
    and below a thousandth.
    """
    if not isinstance(value, float):
        return "null" if value is None else str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    return f"{'-' if sign else ''}{text[0]}.{text[1:] or '0'}E{int(exponent) + len(text) - 1}"
