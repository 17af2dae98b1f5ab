"""The stack settings the planner understands, and how they become a `Candidate`.

Defaults and bounds come from the program's declarations of the settings (`settings/`), so that what
is planned can be deployed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticUndefined

from interruption_handler.cron import Cron
from interruption_handler.pool_sizing import nodes_for_pods
from ops.plan.candidate import Candidate, Floor, seconds
from ops.plan.problems import did_you_mean
from settings.core.field import Group
from settings.core.problem import Problem
from settings.node_pool import SPOT_POOLS
from settings.root import Settings


@dataclass(frozen=True)
class Key:
    """One setting: the field of Candidate that it fills, and how its value is converted."""

    attribute: str
    convert: Callable[[Any], Any] = lambda value: value


KEYS: dict[str, Key] = {
    "nodePool.minSize": Key("min_size"),
    "nodePool.maxSize": Key("max_size"),
    "nodePool.onDemandBase": Key("on_demand_base"),
    "nodePool.onDemandPercent": Key("on_demand_percent"),
    "nodePool.spotStrategy": Key("spot", lambda value: value != "NoSpot"),
    "nodePool.compensateWithOnDemand": Key("compensate"),
    "nodePool.spotInstanceRemedy": Key("remedy"),
    "nodePool.spotInstancePools": Key("spot_pools", lambda value: value or SPOT_POOLS),
    "nodePool.instanceTypes": Key("instance_types", tuple),
    "nodeScaler.scanInterval": Key("scan_seconds", seconds),
    "nodeScaler.skipGpuWait": Key("quick"),
    "nodeScaler.scaleDownDelay": Key("unneeded_seconds", seconds),
    "autoscaler.minReplicas": Key("min_replicas"),
    "autoscaler.maxReplicas": Key("max_replicas"),
    "autoscaler.targetQps": Key("target_qps"),
    "autoscaler.scaleUpPods": Key("scale_up_pods"),
    "autoscaler.scaleUpPercent": Key("scale_up_percent"),
    "autoscaler.scaleUpPeriodSeconds": Key("scale_up_period"),
    "autoscaler.scaleUpTolerance": Key(
        "tolerance_up", lambda value: 0.1 if value is None else float(value)
    ),
    "autoscaler.scaleDownTolerance": Key(
        "tolerance_down", lambda value: 0.1 if value is None else float(value)
    ),
    "autoscaler.scaleDownSeconds": Key("stable_down"),
    "autoscaler.scaleDownPercent": Key("scale_down_percent"),
    "autoscaler.scaleDownPeriodSeconds": Key("scale_down_period"),
    "autoscaler.metricWindowSeconds": Key("query_interval", lambda value: value or 15),
    "autoscaler.metricDelaySeconds": Key(
        "query_delay", lambda value: 10 if value is None else value
    ),
    "autoscaler.floors": Key("floors", lambda rows: tuple(floor(row) for row in rows)),
    "autoscaler.outageReplicas": Key("outage_replicas", lambda value: value or 0),
    "autoscaler.outageSeconds": Key("outage_seconds"),
    "headroom.nodes": Key("headroom"),
    "interruption.enabled": Key("handler"),
    "interruption.drainSeconds": Key("drain"),
    "mix.enabled": Key("mix"),
    "mix.points": Key("mix_points"),
    "mix.afterSeconds": Key("mix_after"),
}
PRIVATE = {"name": Key("name"), "policy": Key("policy")}
"""Keys of a candidates file that are not settings of a stack."""
POLICIES = ("hpa", "static", "kpa", "skyserve")
PODS_PER_NODE = 1
"""The model has one serving pod per node."""
AUTO = "auto"
AUTOMATIC = (
    "nodePool.maxSize",
    "autoscaler.maxReplicas",
    "autoscaler.scaleUpPods",
    "headroom.nodes",
)


def floor(row: Mapping[str, Any]) -> Floor:
    """A floor from its setting. Raises ValueError or KeyError if it is not one."""
    Cron.parse(row["schedule"])
    return Floor(row["schedule"], row.get("timeZone", "Asia/Shanghai"), int(row["minReplicas"]))


def candidate(
    values: Mapping[str, Any], where: str, defaults: Candidate | None = None
) -> tuple[Candidate, list[Problem]]:
    """The candidate that `values` (by dotted key) describe, and the problems with them. `where`
    names their origin in a problem.
    """
    tried, problems, fields = defaults or default(), [], {}
    for name, value in values.items():
        key = KEYS.get(name) or PRIVATE.get(name)
        if key is None:
            guess = did_you_mean(name, KEYS)
            expected = "a setting the planner knows" + (guess or f": {', '.join(KEYS)}")
            problems.append(
                Problem(
                    f"{where}: {name}",
                    value,
                    expected,
                    "it would have no effect on the plan",
                    f"remove {name} or correct its name",
                )
            )
            continue
        wrong = _refused(name, value)
        if wrong is None:
            try:
                fields[key.attribute] = key.convert(value)
            except (ValueError, KeyError, TypeError, AttributeError):
                wrong = Problem(
                    f"{where}: {name}",
                    value,
                    _expected(name),
                    "the plan has no meaning",
                    f"correct {name}",
                )
        if wrong is not None:
            problems.append(replace(wrong, field=f"{where}: {name}"))
    kept = {**tried.settings, **{name: value for name, value in values.items() if name in KEYS}}
    tried = replace(tried, **fields, settings=kept)
    return tried, problems or _together(tried, where)


def _together(tried: Candidate, where: str) -> list[Problem]:
    problems = []
    for name, value, bound, other in (
        ("nodePool.maxSize", tried.max_size, tried.min_size + 1, "more than nodePool.minSize"),
        (
            "nodePool.maxSize",
            tried.max_size,
            tried.on_demand_base,
            "at least nodePool.onDemandBase",
        ),
        (
            "nodePool.maxSize",
            tried.max_size,
            nodes_for_pods(tried.max_replicas, PODS_PER_NODE) + tried.headroom,
            "room for autoscaler.maxReplicas pods and headroom.nodes",
        ),
        (
            "autoscaler.maxReplicas",
            tried.max_replicas,
            tried.min_replicas,
            "at least autoscaler.minReplicas",
        ),
    ):
        if value < bound:
            text = f"{other}: {bound} or more"
            problems.append(
                Problem(
                    f"{where}: {name}",
                    value,
                    text,
                    "the cluster refuses it or pods wait indefinitely",
                    f"set {name} to {bound}",
                )
            )
    return problems


def _refused(name: str, value: Any) -> Problem | None:
    """The problem that the program has with a value of one of its own settings; None if it accepts
    the value.
    """
    declared = _declared(name)
    if declared is None:
        return (
            None
            if name not in _BOUNDS or _BOUNDS[name](value)
            else Problem(name, value, _expected(name), "the plan has no meaning", f"correct {name}")
        )
    field, declaration = declared
    try:
        annotation: Any = field.annotation
        if field.metadata:
            annotation = Annotated[(annotation, *field.metadata)]
        TypeAdapter(annotation).validate_python(value, strict=True)
    except ValidationError:
        return Problem(
            name,
            value,
            declaration.get("expected", ""),
            declaration.get("consequence", ""),
            f"correct {name}, e.g. {declaration.get('example', '')}",
        )
    return None


_BOUNDS: dict[str, Callable[[Any], bool]] = {
    "name": lambda v: isinstance(v, str) and v != "",
    "policy": lambda v: v in POLICIES,
}


def _expected(name: str) -> str:
    words = {
        "name": "a name",
        "policy": f"one of {', '.join(POLICIES)}",
        "autoscaler.floors": "cron schedules such as 0 8 * * mon-fri",
    }
    return words.get(name, "a number of seconds, 0 to 3600")


@cache
def _declared(name: str) -> tuple[Any, dict[str, str]] | None:
    """The program's declaration of a setting: pydantic's field, and what `setting()` declares about
    it; None where the program does not declare one.
    """
    group: type[Any] = Settings
    steps = name.split(".")
    for depth, step in enumerate(steps):
        declared = next(
            ((key, f) for key, f in group.model_fields.items() if step in (f.alias, key)), None
        )
        if declared is None:
            return None
        if depth == len(steps) - 1:
            extra = declared[1].json_schema_extra
            return declared[1], {k: str(v) for k, v in extra.items()} if isinstance(
                extra, dict
            ) else {}
        types = (declared[1].annotation, *get_args(declared[1].annotation))
        inner = next(
            (each for each in types if isinstance(each, type) and issubclass(each, Group)), None
        )
        if inner is None:
            return None
        group = inner
    return None


@cache
def default() -> Candidate:
    """A candidate with the defaults that the program's settings declare."""
    fields = {}
    for name, key in KEYS.items():
        declared = _declared(name)
        if declared is None:
            continue
        value = declared[0].get_default(call_default_factory=True)
        if value is not PydanticUndefined:
            fields[key.attribute] = key.convert(value)
    return Candidate(name="defaults", **fields)
