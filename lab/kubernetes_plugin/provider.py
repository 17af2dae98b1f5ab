"""The gRPC service: one method per request, everything else in the modules named like them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from lab.kubernetes_plugin import VERSION, settings
from lab.kubernetes_plugin.check import check
from lab.kubernetes_plugin.cluster import ApiError, NoSuchKind, Unreachable
from lab.kubernetes_plugin.create import create
from lab.kubernetes_plugin.delete import delete
from lab.kubernetes_plugin.diff import Difference, diff
from lab.kubernetes_plugin.engine import Engine
from lab.kubernetes_plugin.kubeconfig import KubeconfigError, OutsideLab
from lab.kubernetes_plugin.read import read
from lab.kubernetes_plugin.session import Failure, InitFailed, Session
from lab.kubernetes_plugin.update import update
from lab.kubernetes_plugin.wire import dump, load

EXPECTED = (Failure, OutsideLab, KubeconfigError, ApiError, NoSuchKind, Unreachable)


def _answering(method: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the failures a user can meet into gRPC errors with one clear text."""

    @functools.wraps(method)
    def answer(self: Provider, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except InitFailed as error:
            _abort_partially(context, error)
        except EXPECTED as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        return None

    return answer


def _abort_partially(context: grpc.ServicerContext, error: InitFailed) -> None:
    detail = provider_pb2.ErrorResourceInitFailed(id=error.id, properties=dump(error.state), reasons=error.reasons)
    if error.inputs is not None:
        detail.inputs.CopyFrom(dump(error.inputs))
    packed = any_pb2.Any()
    packed.Pack(detail)
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error), details=[packed])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, str(error))


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Pulumi's ResourceProvider for the lab's API server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The configured provider; fails clearly before Configure."""
        if self._session is None:
            raise Failure("the kubernetes provider has not been configured")
        return self._session

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The version this stands in for."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        """As much of a schema as programs in Python need: the name."""
        return provider_pb2.GetSchemaResponse(schema=f'{{"name":"kubernetes","version":"{VERSION}"}}')

    @_answering
    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Accept the provider's inputs, or say why not."""
        response = provider_pb2.CheckResponse(inputs=request.news)
        for name, reason in settings.problems(load(request.news)):
            response.failures.add(property=name, reason=reason)
        return response

    @_answering
    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Whether changed inputs mean another cluster."""
        found = settings.compare(load(request.olds), load(request.news))
        changes = provider_pb2.DiffResponse.DIFF_SOME if found.changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=changes, diffs=found.changed, replaces=found.replaces)

    @_answering
    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Take the settings."""
        self._session = Session(settings.read(dict(request.variables)), self._engine)
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True)

    @_answering
    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Inputs in normal form."""
        autonaming = request.autonaming if request.HasField("autonaming") else None
        inputs = check(self.session, request.urn, load(request.olds), load(request.news), request.randomSeed, autonaming)
        return provider_pb2.CheckResponse(inputs=dump(inputs))

    @_answering
    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        """What would change."""
        return _diff_response(diff(self.session, load(request.olds), load(request.news), list(request.ignoreChanges)))

    @_answering
    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Make the object."""
        resource_id, state = create(self.session, request.urn, load(request.properties), request.timeout, request.preview)
        return provider_pb2.CreateResponse(id=resource_id, properties=dump(state))

    @_answering
    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Look at the object."""
        resource_id, state, inputs = read(self.session, request.urn, request.id, load(request.properties), load(request.inputs))
        if not resource_id:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=resource_id, properties=dump(state), inputs=dump(inputs))

    @_answering
    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Change the object."""
        state = update(
            self.session, request.urn, load(request.olds), load(request.news), request.timeout, list(request.ignoreChanges), request.preview
        )
        return provider_pb2.UpdateResponse(properties=dump(state))

    @_answering
    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Remove the object."""
        delete(self.session, request.urn, request.id, load(request.properties), request.timeout)
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        """End all waits."""
        self.end_waits()
        return empty_pb2.Empty()

    def end_waits(self) -> None:
        """Let every wait under way fail as cancelled."""
        if self._session is not None:
            self._session.cancellation.request()

    def Attach(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Talk to this engine from now on."""
        self._engine = Engine(request.address)
        return empty_pb2.Empty()

    @_answering
    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        """There are no functions here."""
        raise Failure(f'the lab\'s stand-in for the kubernetes plugin has no function "{request.tok}": the published plugin has it')


def _diff_response(found: Difference) -> Any:
    response = provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if found.changes else provider_pb2.DiffResponse.DIFF_NONE,
        replaces=found.replaces,
        deleteBeforeReplace=found.delete_first,
        hasDetailedDiff=True,
    )
    for path, change in found.changes.items():
        kind = getattr(provider_pb2.PropertyDiff, change.kind.upper() + ("_REPLACE" if change.replace else ""))
        response.detailedDiff[path].kind = kind
        response.detailedDiff[path].inputDiff = change.input_diff
    return response
