"""The arithmetic of ack-alibaba-cloud-metrics-adapter: from a metric's name and labels to an SLS
query, from its answer to a number.

Pure functions with the real adapter's rules and quirks; an HPA that behaves in the lab behaves the
same on ACK.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

LOOK_BACK = 100  # seconds: `from` is always this far back, whatever the interval
MIN_INTERVAL = 15  # seconds
DEFAULT_DELAY = 10  # seconds
DEFAULT_RETRIES = 5
LINES = 100

_INGRESS_FIELD = "proxy_upstream_name"
_ALB_FIELD = "slb_pool_name"
_PERCENTILES = {"p50": "0.50", "p95": "0.95", "p99": "0.99", "p9999": "0.9999"}
METRICS = (
    "sls_ingress_qps", "sls_alb_ingress_qps", "sls_ingress_inflow", "sls_ingress_latency_avg",
    *(f"sls_ingress_latency_{p}" for p in _PERCENTILES),
)  # fmt: skip


_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_LONGEST_VALUE = 63
_INTEGERS = 1 << 63
_SUFFIXES = ("", "k", "M", "G", "T", "P", "E")


class SelectorError(ValueError):
    """A metric selector that the adapter refuses."""


class MalformedSelectorError(ValueError):
    """A label selector that no Kubernetes API server reads: its values are label values."""


@dataclass(frozen=True)
class Params:
    """What the labels of a metric selector say."""

    project: str
    logstore: str
    route: str = "*"
    interval: int = MIN_INTERVAL
    delay: int = DEFAULT_DELAY
    retries: int = DEFAULT_RETRIES
    internal: bool = True


@dataclass(frozen=True)
class Query:
    """One GetLogs call; times are unix seconds."""

    begin: int
    end: int
    text: str
    lines: int = LINES


def params(labels: Mapping[str, str]) -> Params:
    """Read the labels; raises `SelectorError` with the adapter's message. As there, numbers are
    read before anything is missed.
    """
    delay = _integer(labels, "sls.query.delay", DEFAULT_DELAY)
    interval = _integer(labels, "sls.query.interval", MIN_INTERVAL)
    retries = _integer(labels, "sls.query.max_retry", DEFAULT_RETRIES)
    project, logstore = labels.get("sls.project", ""), labels.get("sls.logstore", "")
    if not project or not logstore:
        raise _refused("sls.project and sls.logstore must be provided")
    return Params(
        project=project,
        logstore=logstore,
        route=labels.get("sls.ingress.route") or "*",
        interval=max(interval, MIN_INTERVAL),
        delay=delay,
        retries=retries if retries >= 1 else DEFAULT_RETRIES,
        internal=labels.get("sls.internal.endpoint", "true") != "false",
    )


def scaled(wanted: Params, clock: float) -> Params:
    """The same window and delay in the lab's time: whole seconds, at least one, since that is what
    log queries know.
    """
    if clock == 1:
        return wanted
    return replace(
        wanted,
        interval=max(1, math.ceil(wanted.interval / clock)),
        delay=max(1, math.ceil(wanted.delay / clock)),
    )


def query(metric: str, wanted: Params, now: int) -> Query:
    """The query the adapter sends at `now` (unix seconds)."""
    end = now - wanted.delay
    field = _ALB_FIELD if metric == "sls_alb_ingress_qps" else _INGRESS_FIELD
    text = (
        f"* and {field}: {wanted.route} | SELECT {_expression(metric, wanted.interval)} as value from log"
        f" WHERE __time__ >= {end - wanted.interval}  and __time__ < {end}"
    )
    return Query(begin=now - LOOK_BACK, end=end, text=text)


def value(text: str) -> int:
    """What the adapter makes of the answer's text.

    Only digits and dots survive, the rest is read as a float and cut to a 64-bit integer: "null" is
    0, "1.0E-4" is 1, "-3" is 3, and what no 64-bit integer holds is the least of them, as Go's
    conversion has it on amd64.
    """
    digits = "".join(re.findall(r"[0-9.]", text)) or "0"
    if digits.count(".") > 1 or digits == ".":
        raise ValueError(f'strconv.ParseFloat: parsing "{digits}": invalid syntax')
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f'strconv.ParseFloat: parsing "{digits}": value out of range')
    return int(number) if number < _INTEGERS else -_INTEGERS


def quantity(number: int) -> str:
    """A number as Kubernetes writes a decimal quantity: 25000 is "25k", 1500 is "1500"."""
    thousands = 0
    while number and number % 1000 == 0 and thousands < len(_SUFFIXES) - 1:
        number, thousands = number // 1000, thousands + 1
    return f"{number}{_SUFFIXES[thousands]}"


def labels_of(selector: str) -> dict[str, str]:
    """A label selector of a URL as labels; operators are ignored, of several values the first in
    order counts.

    Raises `MalformedSelectorError` for a value that is no label value: Kubernetes refuses it before
    the adapter sees it.
    """
    found: dict[str, str] = {}
    for part in _requirements(selector):
        match = re.fullmatch(
            r"\s*([^\s=!()<>]+)\s*(?:(?:==?|!=|<|>)\s*(\S*)|(?:not)?in\s*\(([^)]*)\))\s*", part
        )
        if match:
            several = (
                sorted(v.strip() for v in match[3].split(","))
                if match[3] is not None
                else [match[2]]
            )
            for number, one in enumerate(several):
                _check(match[1], number, one)
            found[match[1]] = several[0]
    return found


def _check(key: str, number: int, text: str) -> None:
    wrong = ""
    if len(text) > _LONGEST_VALUE:
        wrong = f"must be no more than {_LONGEST_VALUE} characters"
    elif not _LABEL_VALUE.fullmatch(text):
        wrong = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'"
    if wrong:
        raise MalformedSelectorError(
            f'unable to parse requirement: values[{number}][{key}]: Invalid value: "{text}": {wrong}'
        )


def known(metric: str) -> bool:
    """Whether the adapter serves this metric."""
    return metric in METRICS


def _expression(metric: str, interval: int) -> str:
    if metric in ("sls_ingress_qps", "sls_alb_ingress_qps"):
        return f"count(1) / {interval}"  # integers on both sides: SLS divides without a fraction
    if metric == "sls_ingress_latency_avg":
        return "avg(request_time) * 1000"
    if metric == "sls_ingress_inflow":
        return f"sum(request_length) / {interval}"
    return f"approx_percentile(request_time, {_PERCENTILES[metric.rsplit('_', 1)[1]]}) * 1000"


def _requirements(selector: str) -> Iterable[str]:
    return (part for part in re.split(r",(?![^(]*\))", selector) if part.strip())


def _integer(labels: Mapping[str, str], name: str, default: int) -> int:
    text = labels.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[+-]?[0-9]+", text):  # Go's rule: no blanks, no underscores, not nothing
        raise _refused(f'strconv.Atoi: parsing "{text}": invalid syntax')
    if not -_INTEGERS <= int(text) < _INTEGERS:
        raise _refused(f'strconv.Atoi: parsing "{text}": value out of range')
    return int(text)


def _refused(reason: str) -> SelectorError:
    return SelectorError(f"failed to get sls params,because of {reason}")
