"""Taking over what exists already: a node pool, a bucket, a role, a namespace (setting `adopt`).

The engine reads the existing resource and compares it with what the stack's settings ask for. What
is equal is taken into the state, and that is all. What differs is shown by the preview, property by
property; the run itself refuses to change it unless the settings say `adopt.change: true`. In
either case no run can delete or replace what was adopted: whoever adopts something did not make it,
and others may use it. Its name and its tags stay as they are.

The refusal is a hook of the engine before each update, so it holds for later runs as well. (An
engine of before summer 2024 refuses an import that differs by itself; newer ones import and then
update.)
"""

import json
from collections.abc import Mapping
from typing import Any

import pulumi

from settings.core.problem import set_command

PROTECT = {"protect": True, "retain_on_delete": True}
"""Options of what is never deleted or replaced, and left in place by a destroy."""


def adoption(resource_id: str | None, settings: str, change: bool = False) -> dict[str, Any]:
    """Options of a resource that is taken over by its id; none where `resource_id` is None.

    settings: what describes it, for messages. change: whether a run may change it to what
    `settings` says.
    """
    if resource_id is None:
        return {}
    if change:
        return {"import_": resource_id, **PROTECT}

    def refuse(step: pulumi.ResourceHookArgs) -> None:
        if not _differing(step):
            return  # it is as asked for already, the state only doesn't say so yet
        message = _message(step, settings)
        if not pulumi.runtime.is_dry_run():
            raise pulumi.RunError(message)
        pulumi.log.warn(message)

    options = pulumi.ResourceHookOptions(on_dry_run=True)
    hook = pulumi.ResourceHook(f"keep {settings} {resource_id}", refuse, options)
    return {
        "import_": resource_id,
        **PROTECT,
        "hooks": pulumi.ResourceHookBinding(before_update=[hook]),
    }


def _differing(step: pulumi.ResourceHookArgs) -> list[str]:
    """What is not as asked for; if all of that is, what exists and the settings don't ask for: most
    of it, the service fills in.
    """
    there, wanted = step.old_outputs or {}, step.new_inputs or {}
    differing = [
        key
        for key in sorted(wanted)
        if not key.startswith("__") and not _holds(there.get(key), wanted[key])
    ]
    known = step.old_inputs or {}
    return differing or sorted(
        key for key in known if not key.startswith("__") and not _asked(known[key], wanted.get(key))
    )


def _asked(known: Any, wanted: Any) -> bool:
    """Whether the settings ask for everything that is known here, whatever its value."""
    if isinstance(known, Mapping) and isinstance(wanted, Mapping):
        return all(
            _asked(one, wanted.get(key)) for key, one in known.items() if not key.startswith("__")
        )
    return wanted is not None


def _message(step: pulumi.ResourceHookArgs, settings: str) -> str:
    there, wanted, differing = step.old_outputs or {}, step.new_inputs or {}, _differing(step)
    lines = [
        f"{step.name} ({step.id}) is adopted and is not as {settings} asks for; nothing was changed."
    ]
    lines += [
        f"  {key} is {_shown(there.get(key))}, {settings} asks for {_shown(wanted.get(key))}"
        for key in differing
    ]
    lines.append(
        f"  remedy: write in {settings} what exists, or change what exists by hand; then run again with --refresh"
    )
    lines.append(
        f"  or have the stack change it, as the preview shows: {set_command('adopt.change', 'true')}"
    )
    return "\n".join(lines)


def _holds(there: Any, wanted: Any) -> bool:
    """Whether what is there says what is wanted, and maybe more; a provider writes nothing, false
    and 0 alike.
    """
    if isinstance(wanted, Mapping):
        found = there if isinstance(there, Mapping) else {}
        return all(
            _holds(found.get(key), one) for key, one in wanted.items() if not key.startswith("__")
        )
    if isinstance(wanted, (list, tuple)):
        found = there if isinstance(there, (list, tuple)) else []
        return len(found) == len(wanted) and all(map(_holds, found, wanted))
    return there == wanted or (not there and not wanted)


def _shown(value: Any) -> str:
    text = (
        "not set"
        if value is None
        else json.dumps(_plain(value), ensure_ascii=False, default=str, sort_keys=True)
    )
    return text if len(text) <= 400 else f"{text[:397]}..."


def _plain(value: Any) -> Any:
    """Without the notes that providers keep between the values; whole numbers as such."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items() if not key.startswith("__")}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
