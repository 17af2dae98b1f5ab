"""The rules as a policy pack for the CLI: `pulumi preview --policy-pack policy`, `pulumi up
--policy-pack policy`.

Here the engine hands over real values, secrets among them: a rule's message never holds one.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from pulumi_policy import (  # pyright: ignore[reportMissingImports] - in policy/.venv only
    EnforcementLevel,
    Policy,
    PolicyPack,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError  # pyright: ignore[reportMissingImports]

from policy.resources import UNKNOWN, Deployment, Resource
from policy.rule import MANDATORY, Rule
from policy.rules import ALL
from policy.stacks import Stack, named
from policy.stacks import load as load_stacks
from policy.waivers import Waiver, load


def start() -> None:
    """Serves the pack to the engine that started this process."""
    waivers = load(policies=(rule.name for rule in ALL))
    stacks = load_stacks()
    asked: dict[str, Resource] = {}
    PolicyPack("elastic-inference", [_policy(rule, waivers, stacks, asked) for rule in ALL])


def _policy(
    rule: Rule,
    waivers: tuple[Waiver, ...],
    stacks: Mapping[str, Stack],
    asked: dict[str, Resource],
) -> Policy:
    """A rule as the SDK's policy. `asked`: what the program asks for, by URN. The engine shows each
    resource before it is made, and the whole stack at the end; of an update that is what the cloud
    and the cluster have made of it, such as the number of pods that an autoscaler has set.
    """
    level = EnforcementLevel.MANDATORY if rule.level == MANDATORY else EnforcementLevel.ADVISORY
    if rule.whole is not None:

        def whole(args: StackValidationArgs, report: Any) -> None:
            resources = tuple(
                asked.get(item.urn) or Resource(item.urn, unwrap(item.props), item.opts.protect)
                for item in args.resources
            )
            stack = resources[0].stack if resources else ""
            for resource, message in rule.check(Deployment(named(stack, stacks), resources)):
                if not _waived(rule, resource, waivers):
                    report(message, resource.urn)

        return StackValidationPolicy(rule.name, rule.description, whole, level)

    def each(args: ResourceValidationArgs, report: Any) -> None:
        resource = asked[args.urn] = Resource(args.urn, unwrap(args.props), args.opts.protect)
        for _, message in rule.check(Deployment(named(resource.stack, stacks), (resource,))):
            if not _waived(rule, resource, waivers):
                report(message)

    return ResourceValidationPolicy(rule.name, rule.description, each, level)


def _waived(rule: Rule, resource: Resource, waivers: tuple[Waiver, ...]) -> bool:
    today = datetime.date.today()
    return any(waiver.covers(rule.name, resource.stack, resource, today) for waiver in waivers)


def unwrap(value: Any) -> Any:
    """Ordinary dictionaries and lists of the SDK's proxies, which raise where a value isn't
    known.
    """
    if isinstance(value, Mapping):
        return {key: _unwrap_item(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_unwrap_item(value, at) for at in range(len(value))]
    return (
        int(value) if isinstance(value, float) and value.is_integer() else value
    )  # on the wire every number is a float


def _unwrap_item(value: Any, key: Any) -> Any:
    try:
        return unwrap(value[key])
    except UnknownValueError:
        return UNKNOWN
