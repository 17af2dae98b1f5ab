"""Update: server-side apply of the new inputs, after taking over what older tools wrote under other names."""

from __future__ import annotations

import copy
from typing import Any

from lab.kubernetes_plugin import normalize, objects, ownership, patchdiff
from lab.kubernetes_plugin import state as states
from lab.kubernetes_plugin.awaits.base import AwaitError
from lab.kubernetes_plugin.cluster import ApiError, Cluster, NoSuchKind, Unreachable
from lab.kubernetes_plugin.create import wait
from lab.kubernetes_plugin.session import Failure, InitFailed, Session
from lab.kubernetes_plugin.wire import contains_unknown, plain

ADOPTION_TRIES = 10
CONFLICT_HELP = (
    "https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/managing-resources-with-server-side-apply/"
    "#handle-field-conflicts-on-existing-resources"
)


def update(
    session: Session, urn: str, state: dict[str, Any], news: dict[str, Any], timeout: float, ignored: list[str], preview: bool
) -> dict[str, Any]:
    """The state after the update. Raises Failure, or InitFailed if the object is there but not as wanted."""
    inputs = normalize.normalized(plain(news))
    if preview and (contains_unknown(inputs) or not session.reachable or not session.cluster.has_kind(inputs)):
        return news
    old_inputs, old_live = states.parse(state)
    version = states.initial_version(state, old_inputs)
    manager, log = states.field_manager(state, inputs), session.log(urn)
    cluster = session.cluster
    try:
        before = cluster.get(old_live)
        live = _apply(session, before, inputs, manager, ignored, preview)
        if not preview:
            live = wait(session, log, inputs, live, before, timeout)
    except NoSuchKind as error:
        raise Failure(
            f'update of resource "{urn}" failed because the Kubernetes API server reported that the apiVersion for this resource does '
            f"not exist. Verify that any required CRDs have been created: {error}"
        ) from error
    except (ApiError, Unreachable, AwaitError) as error:
        if preview and isinstance(error, ApiError) and error.code == 403:
            return news
        raise _failed(cluster, urn, old_live, inputs, news, version, manager, error) from error
    return states.checkpoint(inputs, live, news, version, manager)


def _failed(
    cluster: Cluster, urn: str, old_live: objects.Object, inputs: objects.Object, news: dict[str, Any], version: str, manager: str,
    error: ApiError | Unreachable | AwaitError,
) -> Exception:  # fmt: skip
    message = _conflict(error, manager)
    try:
        current = cluster.get(old_live)
    except (ApiError, Unreachable) as get_error:
        return Failure(f'update of resource "{urn}" failed: {message}\nunable to get cluster state: {get_error}')
    name = objects.qualified_name(current)
    reason = f'the Kubernetes API server reported that "{name}" failed to fully initialize or become live: {message}'
    causes = error.causes if isinstance(error, AwaitError) else []
    return InitFailed(name, reason, causes, states.checkpoint(inputs, current, news, version, manager))


def _conflict(error: Exception, manager: str) -> str:
    if isinstance(error, ApiError) and error.code == 409:
        return (
            f"server-side apply field conflict detected, see {CONFLICT_HELP} for troubleshooting help\n"
            f'The resource managed by field manager "{manager}" had an apply conflict: {error}'
        )
    return str(error)


def _apply(
    session: Session, before: objects.Object, inputs: objects.Object, manager: str, ignored: list[str], preview: bool
) -> objects.Object:
    fields = objects.pluck(before, "metadata", "managedFields") or []
    force = session.settings.patch_force or objects.is_true(inputs, objects.PATCH_FORCE) or not fields
    if preview:
        force = force or ownership.created_by_post(fields)
    elif fields:
        before = _adopt(session.cluster, before, manager)
    wanted = copy.deepcopy(inputs)
    for text in ignored:
        ownership.keep_live_value(wanted, before, patchdiff.parse_path(text), manager)
    return session.cluster.apply(wanted, manager, force=force, dry_run=preview, name=objects.name(before))


def _adopt(cluster: Cluster, live: objects.Object, manager: str) -> objects.Object:
    """Take over what kubectl or a plain create wrote; tried again when somebody (mostly a controller's status) came in between."""
    for attempt in range(ADOPTION_TRIES):
        fields = ownership.adopted(objects.pluck(live, "metadata", "managedFields") or [], manager)
        if fields is None:
            return live
        version = objects.text(live, "metadata", "resourceVersion")
        try:
            return cluster.json_patch(
                live,
                [
                    {"op": "replace", "path": "/metadata/managedFields", "value": fields},
                    {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
                ],
            )
        except ApiError as error:
            if error.code != 409 or attempt == ADOPTION_TRIES - 1:
                raise
            live = cluster.get(live)
    raise AssertionError("unreachable: the last try raises")
