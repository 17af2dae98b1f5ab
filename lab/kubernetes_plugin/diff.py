"""Diff: new inputs against the part of the live object that the old inputs asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.kubernetes_plugin import naming, normalize, objects, patchdiff, replacement
from lab.kubernetes_plugin import state as states
from lab.kubernetes_plugin.patchdiff import Change
from lab.kubernetes_plugin.session import Failure, Session
from lab.kubernetes_plugin.wire import plain


@dataclass(frozen=True)
class Difference:
    """The changes by property path, which of them replace the object, and whether the old one must go first."""

    changes: dict[str, Change]
    replaces: list[str]
    delete_first: bool


def diff(session: Session, state: dict[str, Any], news: dict[str, Any], ignored: list[str]) -> Difference:
    """What an update to `news` would change. Raises Failure on an ignoreChanges path that cannot be read."""
    old_inputs, live = states.parse(state)
    old_inputs, new = normalize.normalized(old_inputs), normalize.normalized(plain(news))
    old = objects.prune(live, old_inputs)
    _align(session, old, new, live)
    rules = replacement.rules_for(
        new, config_map_mutable=session.settings.config_map_mutable, secret_mutable=session.settings.secret_mutable
    )
    changes = _without(patchdiff.compare(old, new, rules), ignored)
    replaces = [path for path, change in changes.items() if change.replace or (change.kind == "delete" and path == "metadata")]
    same_place = objects.name(new) == objects.name(live) and objects.namespace(new) == objects.namespace(live)
    return Difference(changes, replaces, bool(replaces) and naming.is_named(new) and not naming.is_autonamed(new) and same_place)


def _align(session: Session, old: objects.Object, new: objects.Object, live: objects.Object) -> None:
    if session.namespaced(objects.api_version(new), objects.kind(new)):
        for obj in (old, new):
            objects.set_metadata(obj, "namespace", objects.namespace(obj) or "default")
    else:
        for obj in (old, new):
            objects.set_metadata(obj, "namespace", "")
    old.setdefault("apiVersion", objects.api_version(new))
    old.setdefault("kind", objects.kind(new))
    objects.set_metadata(old, "resourceVersion", "")
    if objects.name(new):
        objects.set_metadata(old, "name", objects.name(live))


def _without(changes: dict[str, Change], ignored: list[str]) -> dict[str, Change]:
    try:
        paths = [patchdiff.parse_path(text) for text in ignored]
    except ValueError as error:
        raise Failure(f"failed to parse ignore path: {error}") from error
    return {
        path: change
        for path, change in changes.items()
        if not any(patchdiff.contains(ignored_path, patchdiff.parse_path(path)) for ignored_path in paths)
    }
