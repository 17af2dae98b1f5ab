"""A monitor that records every registration as plain data, options included.

`pulumi.runtime.set_mocks` takes a monitor of one's own; the usual mocks see types, names and inputs
only. Assertions are made on what was recorded, after everything has been registered, never inside
`apply`, where a preview skips them silently.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, Protocol

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import mocks
from pulumi.runtime.proto import provider_pb2, resource_pb2

SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@dataclass(frozen=True)
class Registered:
    """One resource as the engine would have seen it."""

    type: str
    name: str
    urn: str
    parent: str
    provider: str
    custom: bool
    inputs: dict[str, Any] = field(repr=False)
    """Plain values; a secret is its value, an unknown is the string UNKNOWN."""
    secret_inputs: frozenset[str] = field(repr=False)
    """Top-level inputs that are secret, or hold a secret."""
    dependencies: dict[str, tuple[str, ...]] = field(repr=False)
    depends_on: tuple[str, ...] = field(repr=False)
    """URNs each input depends on."""
    protect: bool
    retain_on_delete: bool
    delete_before_replace: bool
    ignore_changes: tuple[str, ...]
    replace_on_changes: tuple[str, ...]
    timeouts: dict[str, str]
    import_id: str
    hooks: tuple[str, ...]
    """Names of the hooks before an update."""
    aliases: tuple[tuple[str, str], ...]
    """(type, name) of each alias; "" where it is the resource's own."""


@dataclass
class Recording:
    """What one run of a program registered, asked and said."""

    resources: list[Registered] = field(default_factory=list)
    component_outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    messages: list[tuple[str, str]] = field(default_factory=list)
    """(level, text)."""
    outputs: dict[str, Any] = field(default_factory=dict)
    """Stack outputs."""
    secret_outputs: set[str] = field(default_factory=set)

    def of(self, type_: str) -> list[Registered]:
        """All resources whose type ends in `type_`."""
        return [resource for resource in self.resources if resource.type.endswith(type_)]

    def one(self, type_: str) -> Registered:
        """The only resource whose type ends in `type_`."""
        found = self.of(type_)
        assert len(found) == 1, (
            f"{len(found)} resources of type {type_} among {sorted({each.type for each in self.resources})}"
        )
        return found[0]

    def named(self, name: str) -> Registered:
        """The only resource of that name."""
        (found,) = [resource for resource in self.resources if resource.name == name]
        return found

    @property
    def warnings(self) -> list[str]:
        return [text for level, text in self.messages if level == "WARNING"]


class Cloud(Protocol):
    """What stands for the providers."""

    def answer(self, function: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Result of a provider function; raises LookupError to fail it."""
        ...

    def state(self, kind: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        """State of a resource from its inputs (wire form); what is missing in a preview is
        unknown.
        """
        ...


class RecordingMonitor(mocks.MockMonitor):
    """Answers like an engine that makes everything at once, and writes it down.

    The base class turns values into Python's and back with the help of thread-bound settings; here
    they stay as they are on the wire.
    """

    def __init__(self, recording: Recording, cloud: Cloud, project: str, stack: str, preview: bool):
        self._recording, self._cloud = recording, cloud
        self._project, self._stack = project, stack
        self._preview = preview

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """URN of a resource."""
        qualified = (
            f"{parent.split('::')[2].rsplit('$', maxsplit=1)[-1]}${type_}" if parent else type_
        )
        return f"urn:pulumi:{self._stack}::{self._project}::{qualified}::{name}"

    def RegisterResource(self, request: Any) -> Any:
        """Record the registration and answer with the resource's state."""
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return resource_pb2.RegisterResourceResponse(urn=urn)
        self._recording.resources.append(registered(request, urn))
        if not request.custom:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        state = self._cloud.state(
            request.type.rsplit(":", 1)[1], request.name, json_format.MessageToDict(request.object)
        )
        identity = "" if self._preview else f"{request.name}-id"
        return resource_pb2.RegisterResourceResponse(
            urn=urn, id=identity, object=json_format.ParseDict(state, Struct())
        )

    def RegisterResourceOutputs(self, request: Any) -> Any:
        """Record a component's outputs, or the stack's."""
        values = json_format.MessageToDict(request.outputs)
        self._recording.component_outputs[request.urn] = {
            key: plain(value) for key, value in values.items()
        }
        if "::pulumi:pulumi:Stack::" in request.urn:
            self._recording.outputs = self._recording.component_outputs[request.urn]
            self._recording.secret_outputs = {
                key for key, value in values.items() if holds_secret(value)
            }
        return super().RegisterResourceOutputs(request)

    def Invoke(self, request: Any) -> Any:
        """Record the call and answer it."""
        arguments = json_format.MessageToDict(request.args)
        self._recording.calls.append((request.tok, arguments))
        try:
            answer = self._cloud.answer(request.tok.rsplit(":", 1)[1], arguments)
        except LookupError as error:
            return resource_pb2.ResourceInvokeResponse(
                failures=[provider_pb2.CheckFailure(property="", reason=str(error))]
            )
        values: dict[str, Any] = {"return": json_format.ParseDict(answer, Struct())}
        return resource_pb2.ResourceInvokeResponse(**values)


def registered(request: Any, urn: str) -> Registered:
    """A registration request as plain data."""
    inputs = json_format.MessageToDict(request.object)
    timeouts = {
        key: getattr(request.customTimeouts, key)
        for key in ("create", "update", "delete")
        if getattr(request.customTimeouts, key)
    }
    return Registered(
        type=request.type,
        name=request.name,
        urn=urn,
        parent=request.parent,
        provider=request.provider,
        custom=request.custom,
        inputs={key: plain(value) for key, value in inputs.items()},
        secret_inputs=frozenset(key for key, value in inputs.items() if holds_secret(value)),
        dependencies={
            key: tuple(value.urns) for key, value in request.propertyDependencies.items()
        },
        depends_on=tuple(request.dependencies),
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        timeouts=timeouts,
        import_id=request.importId,
        hooks=tuple(request.hooks.before_update),
        aliases=tuple((alias.spec.type, alias.spec.name) for alias in request.aliases),
    )


def plain(value: Any) -> Any:
    """`value` from the wire: secrets opened, whole floats as ints."""
    if isinstance(value, dict):
        return (
            plain(value.get("value"))
            if SECRET_SIGNATURE in value
            else {key: plain(inner) for key, inner in value.items()}
        )
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def holds_secret(value: Any) -> bool:
    """Whether `value` from the wire is or holds a secret."""
    if isinstance(value, dict):
        return SECRET_SIGNATURE in value or any(holds_secret(inner) for inner in value.values())
    return isinstance(value, list) and any(holds_secret(inner) for inner in value)


class Messages(mocks.MockEngine):
    def __init__(self, recording: Recording):
        super().__init__(logging.getLogger("pulumi-test"))
        self._recording = recording

    def Log(self, request: Any) -> None:
        self._recording.messages.append(
            (logging.getLevelName([10, 20, 30, 40][request.severity]), request.message)
        )
