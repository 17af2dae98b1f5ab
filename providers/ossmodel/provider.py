"""The provider: Pulumi's calls on one side, a bucket on the other. Check, diff and previews use no
network.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pulumi.provider.experimental import provider as pulumi_provider
from pulumi.provider.experimental.provider import CheckFailure, CheckResponse, ConfigureResponse

from . import MODEL_TYPE, credentials, diff, inputs, settings
from .control import Control
from .engine import Log, Reporter
from .errors import ModelError, PartialFailureError, unknown_key
from .failures import explained
from .layout import Layout
from .redact import redact
from .schema import schema_text
from .values import UNKNOWN, is_unknown, plain_map, value_map

if TYPE_CHECKING:
    from . import (
        sync,
    )  # at run time only where the cloud is needed: it brings oss2, a third of a second

T = TypeVar("T")
READ_AS_INPUTS = ("bucket", "prefix", "source", "version", "variant", "digest", "signatures")
"""What an import takes for the inputs, as far as the bucket tells it."""
GRACE = 0.6
"""Seconds a cancelled operation gets to stop before its call is answered without it."""


class ModelProvider(pulumi_provider.Provider):
    """`ossmodel:index:Model`. The log and the way to a bucket are passed in, so that tests can
    watch both.
    """

    def __init__(
        self, log: Log, connect: Callable[[settings.Settings, Layout, int], Any] | None = None
    ) -> None:
        from .connect import connect as default  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call

        self._log = log
        self._connect = connect or default
        self._settings = settings.Settings()
        self._settled = True
        self._cancelled = threading.Event()
        self._cancel_wakes: set[asyncio.Event] = set()
        self._deployed: dict[str, dict[str, Any]] = {}

    async def get_schema(self, request):  # noqa: ARG002 - the SDK's signature
        """The provider's schema, from which SDKs are generated."""
        return pulumi_provider.GetSchemaResponse(schema_text())

    async def check_config(self, request):
        """All faults of the configuration; keys and tokens become secrets in the state."""
        plain = plain_map(request.new_inputs)
        failures = [CheckFailure(name, reason) for name, reason in settings.check(plain)]
        kept = {
            name: value.with_secret(True) if name in settings.SECRET else value
            for name, value in request.new_inputs.items()
        }
        return CheckResponse(kept, failures)

    async def configure(self, request):
        """Take the configuration; keys are looked for when the first request is to be signed."""
        plain = plain_map(request.args) or {
            name.split(":")[-1]: value for name, value in request.variables.items()
        }
        self._settings = settings.load(plain)
        self._settled = not any(is_unknown(value) for value in plain.values())
        redact.add(self._settings.get("secretKey"), self._settings.get("securityToken"))
        redact.add(str((self._settings.assume_role_with_oidc or {}).get("oidcToken") or ""))
        return ConfigureResponse(
            accept_secrets=False,
            supports_preview=True,
            accept_resources=False,
            accept_outputs=False,
        )

    async def check(self, request):
        """All faults of the model's inputs, and what the directory contains."""
        _only_model(request.type)
        news, olds = plain_map(request.new_inputs), plain_map(request.old_inputs)
        # A replacement is checked a second time, then without the old inputs (Pulumi takes defaults
        # anew): what is deployed under this URN is remembered from the first time, since the new
        # content must not go where the old one lies.
        if olds:
            self._deployed[request.urn] = olds
        else:
            olds = self._deployed.get(request.urn, {})
        reporter = Reporter(self._log, request.urn)
        reporter.begin("reading the model", 0, 0)
        result = await self._run(
            lambda: inputs.check(news, olds, lambda _, size: reporter.advance(size))
        )
        for warning in result.warnings:
            reporter.warning(warning)
        for note in result.notes:
            reporter.note(note)
        return CheckResponse(
            value_map(result.inputs),
            [CheckFailure(name, reason) for name, reason in result.failures],
        )

    async def diff(self, request):
        """Differences by content; see `diff.compare`."""
        return diff.compare(
            plain_map(request.old_state), plain_map(request.new_inputs), request.ignore_changes
        )

    async def create(self, request):
        """Upload everything that is not there yet."""
        plain = plain_map(request.properties)
        if request.preview:
            self._warn_if_keyless(request.urn)
            return pulumi_provider.CreateResponse("", value_map(_planned(plain, UNKNOWN)))
        outputs = await self._apply(request.urn, plain, None, request.timeout)
        return pulumi_provider.CreateResponse(
            inputs.layout_of(plain).resource_id, value_map(outputs)
        )

    async def update(self, request):
        """Upload what is missing or differs, delete what an unfinished upload of other files
        left.
        """
        plain, olds = plain_map(request.news), plain_map(request.olds)
        if request.preview:
            self._warn_if_keyless(request.urn)
            return pulumi_provider.UpdateResponse(
                value_map(_planned(plain, str(olds.get("owner", ""))))
            )
        return pulumi_provider.UpdateResponse(
            value_map(await self._apply(request.urn, plain, olds, request.timeout))
        )

    async def read(self, request):
        """What the bucket holds; an empty id when the model is gone."""
        from . import sync  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call

        layout = Layout.parse(request.resource_id)
        state, olds = plain_map(request.properties), plain_map(request.inputs)
        outputs = await self._cloud(
            layout,
            Control(self._cancelled),
            8,
            "reading",
            lambda remote: sync.read(remote, state, Reporter(self._log, request.urn)),
        )
        if outputs is None:
            return pulumi_provider.ReadResponse("")
        kept = olds or {name: outputs[name] for name in READ_AS_INPUTS if name in outputs}
        return pulumi_provider.ReadResponse(layout.resource_id, value_map(outputs), value_map(kept))

    async def delete(self, request):
        """Remove every object, version and unfinished upload of the model's files; a model or
        bucket that is gone is fine.
        """
        from . import sync  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call

        layout = Layout.parse(request.resource_id)
        state = plain_map(request.properties)
        reporter = Reporter(self._log, request.urn)
        control = Control(self._cancelled, request.timeout)
        await self._cloud(
            layout, control, 4, "deleting from", lambda remote: sync.delete(remote, state, reporter)
        )

    @property
    def cancelled(self) -> bool:
        """Whether the engine has sent Cancel, as it does before it ends the plugin."""
        return self._cancelled.is_set()

    async def cancel(self) -> None:
        """Stop every operation; each answers within a second and can be taken up again."""
        self._cancelled.set()
        for wake in self._cancel_wakes:
            wake.set()

    def _warn_if_keyless(self, urn: str) -> None:
        """A preview needs no keys, but tells already that an update could not do without them."""
        try:
            if self._settled:
                credentials.resolve(self._settings)
        except ModelError as problem:
            Reporter(self._log, urn).warning(f"an update would fail: {problem}")

    async def _apply(
        self, urn: str, plain: dict[str, Any], state: dict[str, Any] | None, timeout: float
    ) -> dict[str, Any]:
        from . import sync  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call

        layout = inputs.layout_of(plain)
        reporter = Reporter(self._log, urn)
        control = Control(self._cancelled, timeout)
        started: list[sync.Sync] = []

        def work(remote) -> dict[str, Any]:
            reporter.begin("reading the model", 0, 0)
            root, files = inputs.read_again(plain, lambda _, size: reporter.advance(size))
            started.append(sync.Sync(remote, plain, root, files, reporter, urn, state))
            return started[0].run()

        parallel = plain.get("parallel", inputs.DEFAULT_PARALLEL)
        try:
            return await self._cloud(layout, control, parallel, "uploading to", work)
        except Exception as error:
            if not started or not started[0].claimed:
                raise
            raise PartialFailureError(layout.resource_id, started[0].partial(), error) from error

    async def _cloud(
        self, layout: Layout, control: Control, parallel: int, doing: str, work: Callable[[Any], T]
    ) -> T:
        current = self._settings

        def connected() -> T:
            endpoint = current.get("endpoint") or "the region's endpoint"
            try:
                remote = self._connect(current, layout, parallel)(control)
                endpoint = remote.bucket.endpoint
                return work(remote)
            except Exception as error:
                raise explained(error, layout.bucket, endpoint, doing) from error

        return await self._run(connected)

    async def _run(self, work: Callable[[], T]) -> T:
        """`work()` on a thread of its own; answered soon after a cancellation even if it hangs in a
        system call.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        wake = asyncio.Event()

        def settle(set_result: Callable[..., None], value: Any) -> None:
            if not future.done():
                set_result(value)

        def body() -> None:
            try:
                result = work()
            except BaseException as error:  # handed to the caller, whatever it is
                loop.call_soon_threadsafe(settle, future.set_exception, error)
            else:
                loop.call_soon_threadsafe(settle, future.set_result, result)

        self._cancel_wakes.add(wake)
        threading.Thread(target=body, daemon=True).start()
        waker = asyncio.ensure_future(wake.wait())
        try:
            await asyncio.wait({future, waker}, return_when=asyncio.FIRST_COMPLETED)
            if not future.done():
                await asyncio.wait({future}, timeout=GRACE)
            if not future.done():
                future.cancel()
                Control(self._cancelled).check()
            return future.result()
        finally:
            waker.cancel()
            self._cancel_wakes.discard(wake)


def _planned(plain: dict[str, Any], owner: str) -> dict[str, Any]:
    """Outputs of a preview: everything that the local directory and the inputs tell."""
    known = dict(plain)
    known["owner"] = owner
    known["drift"] = []
    unknown = any(is_unknown(plain[name]) for name in ("prefix", "version", "variant"))
    known["path"] = UNKNOWN if unknown else inputs.layout_of(plain).path
    return known


def _only_model(kind: str) -> None:
    if kind and kind.rsplit("$", maxsplit=1)[-1] != MODEL_TYPE:
        raise ModelError(
            unknown_key("the ossmodel provider", kind.rsplit("$", maxsplit=1)[-1], [MODEL_TYPE])
        )
