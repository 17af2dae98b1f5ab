"""Adoption of existing resources: a node pool, a bucket, a role, a namespace (group `adopt`).

The engine reads the existing resource and compares it with what the stack's settings ask for. Equal
properties are only written to the state. The preview shows the others one by one, and the run
refuses to change them unless `adopt.change` is true. No run deletes or replaces an adopted
resource: the stack did not create it, and others may use it. Its name and its tags stay as they
are.

The refusal is a hook that the engine calls before each update, so it holds for later runs as well.
(Engines of before summer 2024 refuse an import that differs; newer ones import and then update.)
"""

import json
from collections.abc import Mapping
from typing import Any

import pulumi

from settings.adopt import Adoption
from settings.core.problem import set_command

PROTECT = pulumi.ResourceOptions(protect=True, retain_on_delete=True)
"""Options of a resource that is never deleted or replaced, and left in place by a destroy."""


def adoption(adopt: Adoption | None, described_by: str) -> pulumi.ResourceOptions:
    """Options that take over the resource `adopt`; empty options without one.

    described_by: the settings that describe the resource, for messages.
    """
    if adopt is None:
        return pulumi.ResourceOptions()
    imported = pulumi.ResourceOptions(import_=adopt.resource_id)
    if adopt.change:
        return pulumi.ResourceOptions.merge(imported, PROTECT)

    def refuse(step: pulumi.ResourceHookArgs) -> None:
        if not _differing(step):
            return  # it is as the settings ask for, only the state does not have it yet
        message = _message(step, described_by)
        if not pulumi.runtime.is_dry_run():
            raise pulumi.RunError(message)
        pulumi.log.warn(message)

    hook = pulumi.ResourceHook(
        f"keep {described_by} {adopt.resource_id}",
        refuse,
        pulumi.ResourceHookOptions(on_dry_run=True),
    )
    imported.hooks = pulumi.ResourceHookBinding(before_update=[hook])
    return pulumi.ResourceOptions.merge(imported, PROTECT)


def _differing(step: pulumi.ResourceHookArgs) -> list[str]:
    """Properties that are not as the settings ask for. If there are none, properties that exist and
    that the settings don't ask for: the service fills in most of those.
    """
    existing, wanted = step.old_outputs or {}, step.new_inputs or {}
    differing = [
        key
        for key in sorted(wanted)
        if not key.startswith("__") and not _contains(existing.get(key), wanted[key])
    ]
    inputs = step.old_inputs or {}
    return differing or sorted(
        key
        for key in inputs
        if not key.startswith("__") and not _asked_for(inputs[key], wanted.get(key))
    )


def _asked_for(existing: Any, wanted: Any) -> bool:
    """Whether the settings ask for every property of `existing`, with whatever value."""
    if isinstance(existing, Mapping) and isinstance(wanted, Mapping):
        return all(
            _asked_for(value, wanted.get(key))
            for key, value in existing.items()
            if not key.startswith("__")
        )
    return wanted is not None


def _message(step: pulumi.ResourceHookArgs, described_by: str) -> str:
    existing, wanted = step.old_outputs or {}, step.new_inputs or {}
    lines = [
        f"{step.name} ({step.id}) is adopted and is not as {described_by} asks for; nothing was changed."
    ]
    lines += [
        f"  {key} is {_shown(existing.get(key))}, {described_by} asks for {_shown(wanted.get(key))}"
        for key in _differing(step)
    ]
    lines.append(
        f"  remedy: write in {described_by} what exists, or change what exists by hand; then run again with --refresh"
    )
    lines.append(
        f"  or have the stack change it, as the preview shows: {set_command('adopt.change', 'true')}"
    )
    return "\n".join(lines)


def _contains(existing: Any, wanted: Any) -> bool:
    """Whether `existing` has everything that is wanted, and maybe more; a provider writes nothing,
    false and 0 alike.
    """
    if isinstance(wanted, Mapping):
        properties = existing if isinstance(existing, Mapping) else {}
        return all(
            _contains(properties.get(key), value)
            for key, value in wanted.items()
            if not key.startswith("__")
        )
    if isinstance(wanted, (list, tuple)):
        items = existing if isinstance(existing, (list, tuple)) else []
        return len(items) == len(wanted) and all(map(_contains, items, wanted))
    return existing == wanted or (not existing and not wanted)


def _shown(value: Any) -> str:
    text = (
        "not set"
        if value is None
        else json.dumps(_without_notes(value), ensure_ascii=False, default=str, sort_keys=True)
    )
    return text if len(text) <= 400 else f"{text[:397]}..."


def _without_notes(value: Any) -> Any:
    """The value without the notes that providers keep between the properties; whole numbers as
    such.
    """
    if isinstance(value, Mapping):
        return {
            key: _without_notes(inner) for key, inner in value.items() if not key.startswith("__")
        }
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return [_without_notes(inner) for inner in value] if isinstance(value, (list, tuple)) else value
