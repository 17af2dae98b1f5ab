"""Create: POST the object and wait until it is of use."""

from __future__ import annotations

import copy
from typing import Any

from lab.kubernetes_plugin import awaits, objects
from lab.kubernetes_plugin import state as states
from lab.kubernetes_plugin.awaits.base import AwaitError, Context
from lab.kubernetes_plugin.cluster import ApiError, NoSuchKind, Unreachable
from lab.kubernetes_plugin.engine import INFO, WARNING, ResourceLog
from lab.kubernetes_plugin.session import Failure, InitFailed, Session, urn_type
from lab.kubernetes_plugin.wire import contains_unknown, plain

RETRIES = 5
EXISTS_HINT = (
    "\n\nThe resource already exists in the cluster. To manage it, import it (`pulumi import`) or set upsertExistingObjects on the "
    "provider; if another Pulumi resource owns it, rename that one with an alias or replace it with deleteBeforeReplace."
)


def create(session: Session, urn: str, news: dict[str, Any], timeout: float, preview: bool) -> tuple[str, dict[str, Any]]:
    """(id, state) of the new object; in a preview the id is "". Raises Failure, or InitFailed if it exists but is not ready."""
    inputs = plain(news)
    if preview and (contains_unknown(inputs) or not session.reachable or not session.cluster.has_kind(inputs)):
        return "", news
    log, version = session.log(urn), objects.api_version(inputs)
    manager = states.field_manager(news, inputs)
    try:
        live = _post(session, log, inputs, manager, preview)
    except ApiError as error:
        if preview and _cannot_be_previewed(error):
            return "", news
        hint = EXISTS_HINT if error.reason == "AlreadyExists" else ""
        raise Failure(f'resource "{urn}" was not successfully created by the Kubernetes API server: {error}{hint}') from error
    except NoSuchKind as error:
        raise Failure(_unknown_kind("creation", urn, error, urn_type(urn))) from error
    except Unreachable as error:
        raise Failure(f'resource "{urn}" was not successfully created by the Kubernetes API server: {error}') from error
    log.clear()
    if preview:
        live.pop("status", None)
        return "", states.checkpoint(inputs, live, news, version, manager)
    try:
        live = wait(session, log, inputs, live, None, timeout)
    except AwaitError as error:
        reason = (
            f'resource "{urn}" was successfully created, but the Kubernetes API server reported that it failed to fully initialize '
            f"or become live: {error}"
        )
        state = states.checkpoint(inputs, error.object, news, version, manager)
        raise InitFailed(objects.qualified_name(error.object), reason, error.causes, state) from error
    return objects.qualified_name(live), states.checkpoint(inputs, live, news, version, manager)


def _cannot_be_previewed(error: ApiError) -> bool:
    known = ("does not support dry run", "field is immutable")
    return error.code in (403, 409) or error.namespace_missing or any(words in error.message for words in known)


def wait(
    session: Session, log: ResourceLog, inputs: objects.Object, live: objects.Object, previous: objects.Object | None, timeout: float
) -> objects.Object:
    """Wait until a written object is ready; the object as last seen. Raises AwaitError."""
    awaiter = awaits.AWAITERS.get(awaits.kind_key(live))
    if objects.annotation(inputs, objects.WAIT_FOR):
        log.lasting(WARNING, f"the lab's stand-in for the kubernetes plugin does not know {objects.WAIT_FOR}: it has no effect")
    if objects.is_true(inputs, objects.SKIP_AWAIT):
        log.status(INFO, "Skipping await logic")
    elif awaiter is not None:
        context = Context(session.cluster, log, session.cancellation, live, previous)
        live = awaiter(context).run(awaits.limit(inputs, timeout))
    log.clear()
    return live


def _post(session: Session, log: ResourceLog, inputs: objects.Object, manager: str, preview: bool) -> objects.Object:
    pause = 1.0
    for attempt in range(RETRIES + 1):
        try:
            if session.settings.upsert:
                force = preview or session.settings.patch_force or objects.is_true(inputs, objects.PATCH_FORCE)
                return session.cluster.apply(inputs, manager, force=force, dry_run=preview)
            return session.cluster.create(copy.deepcopy(inputs), dry_run=preview)
        except (ApiError, NoSuchKind) as error:
            missing = isinstance(error, NoSuchKind) or error.code == 404
            if not missing or attempt == RETRIES or (preview and isinstance(error, ApiError) and error.namespace_missing):
                raise
            log.status(INFO, f"Retry #{attempt}; creation failed: {error}")
            if session.cancellation.sleep(pause):
                raise
            pause *= 2
    raise AssertionError("unreachable: the last attempt raises")


def _unknown_kind(what: str, urn: str, error: Exception, kind: str) -> str:
    return (
        f'{what} of resource "{urn}" with kind {kind} failed because the Kubernetes API server reported that the apiVersion for this '
        f"resource does not exist. Verify that any required CRDs have been created: {error}"
    )
