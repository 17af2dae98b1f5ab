"""Delete: remove the object and wait until it is gone."""

from __future__ import annotations

from typing import Any

from lab.kubernetes_plugin import awaits, objects
from lab.kubernetes_plugin import state as states
from lab.kubernetes_plugin.awaits.base import AwaitError, Context
from lab.kubernetes_plugin.awaits.deletion import DeletionAwaiter
from lab.kubernetes_plugin.cluster import ApiError, NoSuchKind, Unreachable
from lab.kubernetes_plugin.engine import INFO, WARNING
from lab.kubernetes_plugin.session import Failure, InitFailed, Session


def delete(session: Session, urn: str, resource_id: str, state: dict[str, Any], timeout: float) -> None:
    """Delete an object that may be gone already. Raises Failure, or InitFailed when it does not go away in time."""
    inputs, live = states.parse(state)
    log = session.log(urn)
    if not session.reachable:
        return _unreachable(session, urn)
    _, name = objects.split_id(resource_id)
    try:
        session.cluster.delete(live, name, _propagation(inputs))
        if objects.is_true(inputs, objects.SKIP_AWAIT) and awaits.kind_key(inputs) in awaits.SKIPPABLE_DELETE:
            log.status(INFO, "Skipping await logic")
        else:
            context = Context(session.cluster, log, session.cancellation, live)
            DeletionAwaiter(context).run(awaits.limit(inputs, timeout))
    except NoSuchKind:
        return None
    except ApiError as error:
        if error.code == 404:
            return None
        raise Failure(str(error)) from error
    except Unreachable as error:
        raise Failure(str(error)) from error
    except AwaitError as error:
        version, manager = states.initial_version(state, {}), states.field_manager(state, inputs)
        kept = states.checkpoint(live, error.object, state, version, manager)
        raise InitFailed(objects.qualified_name(error.object), str(error), error.causes, kept) from error
    log.clear()
    return None


def _propagation(inputs: objects.Object) -> str:
    asked = objects.annotation(inputs, objects.DELETION_PROPAGATION).lower()
    return {"orphan": "Orphan", "background": "Background"}.get(asked, "Foreground")


def _unreachable(session: Session, urn: str) -> None:
    log = session.log(urn)
    log.lasting(WARNING, f"configured Kubernetes cluster is unreachable: {session.unreachable}")
    if not session.settings.delete_unreachable:
        raise Failure(
            "configured Kubernetes cluster is unreachable. If the cluster was deleted, you can remove this resource from Pulumi state "
            'by rerunning the operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"'
        )
    log.lasting(
        INFO,
        "configured Kubernetes cluster is unreachable and the `deleteUnreachable` option is enabled. "
        "Deleting the unreachable resource from Pulumi state",
    )
