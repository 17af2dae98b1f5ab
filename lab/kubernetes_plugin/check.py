"""Check: inputs in normal form, with a name and a namespace."""

from __future__ import annotations

from typing import Any

from lab.kubernetes_plugin import naming, normalize, objects
from lab.kubernetes_plugin.engine import WARNING
from lab.kubernetes_plugin.session import Failure, Session, kind_of_urn, urn_name
from lab.kubernetes_plugin.wire import mark_secrets, plain


def check(session: Session, urn: str, olds: dict[str, Any], news: dict[str, Any], seed: bytes, autonaming: Any | None) -> dict[str, Any]:
    """The inputs to keep for `news`. Raises Failure when there is no way to name the object."""
    api_version, kind = kind_of_urn(urn)
    if session.settings.skip_update_unreachable and session.unreachable:
        session.log(urn).lasting(WARNING, "Cluster is unreachable but skipUpdateUnreachable flag is set to true, skipping...")
        return olds
    inputs = normalize.normalized(plain(news))
    _warn_of_reserved_annotations(session, urn, inputs)
    old_inputs = plain(olds)
    if old_inputs:
        naming.adopt(inputs, old_inputs)
    else:
        try:
            naming.assign(inputs, urn_name(urn), seed, autonaming)
        except ValueError as error:
            raise Failure(str(error)) from error
    if naming.asks_generate_name(inputs):
        raise Failure("the `.metadata.generateName` field is not supported in Server-Side Apply mode")
    if session.settings.namespace and not objects.namespace(inputs) and session.namespaced(api_version, kind):
        objects.set_metadata(inputs, "namespace", session.settings.namespace)
    mark_secrets(inputs, news)
    return inputs


def _warn_of_reserved_annotations(session: Session, urn: str, inputs: objects.Object) -> None:
    annotations = objects.pluck(inputs, "metadata", "annotations")
    for key in annotations if isinstance(annotations, dict) else ():
        if key.startswith(objects.AUTONAMED):
            session.log(urn).lasting(WARNING, f'ignoring user-specified value for internal annotation "{key}"')
