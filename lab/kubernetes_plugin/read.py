"""Read: the live object, for refresh and import."""

from __future__ import annotations

from typing import Any

from lab.kubernetes_plugin import awaits, normalize, objects
from lab.kubernetes_plugin import state as states
from lab.kubernetes_plugin.awaits.base import AwaitError, Context
from lab.kubernetes_plugin.cluster import ApiError, NoSuchKind
from lab.kubernetes_plugin.engine import INFO, WARNING
from lab.kubernetes_plugin.session import Failure, InitFailed, Session, kind_of_urn
from lab.kubernetes_plugin.wire import mark_secrets, plain

GONE = ("", {}, {})
OUTPUT_ONLY = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")


def read(session: Session, urn: str, resource_id: str, state: dict[str, Any], given: dict[str, Any]) -> tuple[str, dict, dict]:
    """(id, state, inputs) of the live object; the id is "" if it is gone. Raises Failure or InitFailed."""
    if not session.reachable:
        return _unreachable(session, urn, resource_id, state, given)
    namespace, name = objects.split_id(resource_id)
    if not name:
        raise Failure(f"failed to read resource because of a failure to parse resource name from request ID: {resource_id}")
    old_inputs, importing = _known_inputs(urn, state, given, namespace, name)
    try:
        live, not_ready = _look(session, urn, old_inputs, name, importing)
    except NoSuchKind:
        return GONE
    except ApiError as error:
        if error.code == 404:
            return GONE
        raise Failure(str(error)) from error
    inputs = _imported(live, old_inputs) if importing else objects.prune(live, old_inputs)
    version, manager = states.initial_version(state, old_inputs), states.field_manager(state, old_inputs)
    new_state = states.checkpoint(inputs, live, given, version, manager)
    mark_secrets(inputs, given)
    if not_ready is not None:
        raise InitFailed(resource_id, str(not_ready), not_ready.causes, new_state, inputs)
    return resource_id, new_state, inputs


def _known_inputs(
    urn: str, state: dict[str, Any], given: dict[str, Any], namespace: str, name: str
) -> tuple[objects.Object, bool]:
    inputs, live = normalize.normalized(plain(given)), states.parse(state)[1]
    if objects.api_version(inputs) and objects.kind(inputs):
        return inputs, False
    importing = not objects.kind(live)
    api_version, kind = kind_of_urn(urn) if importing else (objects.api_version(live), objects.kind(live))
    inputs.update(apiVersion=api_version, kind=kind)
    objects.set_metadata(inputs, "name", objects.name(inputs) or name)
    objects.set_metadata(inputs, "namespace", objects.namespace(inputs) or namespace)
    return inputs, importing


def _look(session: Session, urn: str, wanted: objects.Object, name: str, importing: bool) -> tuple[objects.Object, AwaitError | None]:
    live = session.cluster.get(wanted, name)
    key = awaits.kind_key(live)
    if importing or key not in awaits.READ_KINDS or objects.is_true(wanted, objects.SKIP_AWAIT):
        return live, None
    awaiter = awaits.AWAITERS[key](Context(session.cluster, session.log(urn), session.cancellation, live))
    try:
        awaiter.judge_now()
    except AwaitError as error:
        return error.object, error
    session.log(urn).clear()
    return session.cluster.get(wanted, name), None


def _imported(live: objects.Object, known: objects.Object) -> objects.Object:
    inputs = {key: value for key, value in objects.prune(live, live).items() if key != "status"}
    metadata = inputs["metadata"]
    for key in OUTPUT_ONLY:
        metadata.pop(key, None)
    for key in (objects.REVISION, objects.LAST_APPLIED):
        metadata.get("annotations", {}).pop(key, None)
    return {**known, **inputs}


def _unreachable(session: Session, urn: str, resource_id: str, state: dict, given: dict) -> tuple[str, dict, dict]:
    log = session.log(urn)
    log.lasting(WARNING, f"configured Kubernetes cluster is unreachable: {session.unreachable}")
    if session.settings.delete_unreachable:
        log.lasting(
            INFO,
            "configured Kubernetes cluster is unreachable and the `deleteUnreachable` option is enabled. "
            "Deleting the unreachable resource from Pulumi state",
        )
        return GONE
    if session.settings.skip_update_unreachable:
        log.lasting(
            INFO,
            "configured Kubernetes cluster is unreachable and the `skipUnreachable` option is enabled. "
            "Returned data could not reflect the actual cluster configuration.",
        )
        return resource_id, state, given
    raise Failure(
        "failed to read resource state due to unreachable cluster. If the cluster was deleted, you can remove this resource from "
        'Pulumi state by rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"'
    )
