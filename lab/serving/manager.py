"""Finds, loads and unloads versions as the server's manager does: a new version is up before the
old one goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lab.serving.config import ModelConfig, check_labels
from lab.serving.errors import StatusError, code_text, invalid, not_found
from lab.serving.log import log
from lab.serving.metrics import Metrics
from lab.serving.model import Model, container_path
from lab.serving.warmup import warm_up

_SOURCE = "tensorflow_serving/sources/storage_path/file_system_storage_path_source.cc:"
_HARNESS = "tensorflow_serving/core/loader_harness.cc:"
LOADED = ("START", "LOADING", "AVAILABLE")


@dataclass
class Version:
    """One version and its state: START, LOADING, AVAILABLE, UNLOADING or END (with the error that
    ended it).
    """

    number: int
    state: str = "START"
    error: StatusError | None = None
    model: Model | None = None


@dataclass
class Served:
    """A configured model and the versions ever seen of it."""

    config: ModelConfig
    versions: dict[int, Version] = field(default_factory=dict)
    aspired: set[int] = field(default_factory=set)

    def available(self) -> list[Version]:
        """Loaded versions, newest first."""
        return sorted(
            (v for v in self.versions.values() if v.state == "AVAILABLE"), key=lambda v: -v.number
        )


class Manager:
    """All models of the process. One asyncio loop owns it; loading runs in threads."""

    def __init__(self, models: list[ModelConfig], *, poll_seconds: float, retries: int, retry_seconds: float, allow_labels: bool,
                 metrics: Metrics, loader: Callable[[Path], Model], warmup: Callable[[Model, Path], None] = warm_up) -> None:  # fmt: skip
        """`loader` and then `warmup` are called in a thread for each version directory; a
        StatusError of either fails the load.
        """
        self.models = {model.name: Served(model) for model in models}
        self.poll_seconds, self.retries, self.retry_seconds = poll_seconds, retries, retry_seconds
        self.allow_labels, self.metrics, self.loader, self.warmup = (
            allow_labels,
            metrics,
            loader,
            warmup,
        )
        self.changed = asyncio.Condition()
        self.tasks: set[asyncio.Task[None]] = set()
        self.keep: list[object] = []

    def find(self, name: str, version: int | None = None, label: str | None = None) -> Version:
        """The version that answers a request; NOT_FOUND or INVALID_ARGUMENT in the server's
        words.
        """
        served = self.models.get(name)
        if label is not None:
            if served is None or label not in served.config.labels:
                raise invalid(f"Unrecognized servable version label: {label}")
            version = served.config.labels[label]
        ready = served.available() if served else []
        if version is not None:
            ready = [found for found in ready if found.number == version]
        if not ready:
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise not_found(f"Servable not found for request: {wanted}")
        return ready[0]

    def status(self, name: str, version: int | None = None) -> list[Version]:
        """Every version ever seen (newest first), or one."""
        known = self.models[name].versions if name in self.models else {}
        if version is not None:
            if version not in known:
                raise not_found(f"Could not find version {version} of model {name}")
            return [known[version]]
        if not known:
            raise not_found(f"Could not find any versions of model {name}")
        return [known[number] for number in sorted(known, reverse=True)]

    def aspire(self, config: ModelConfig) -> set[int]:
        """The version numbers that should be loaded, from the directory as it is now; StatusError
        if it cannot be read.
        """
        base = container_path(config.base_path)
        try:
            found = {
                int(entry.name)
                for entry in base.iterdir()
                if entry.name.isdigit() and entry.is_dir()
            }
        except OSError as reason:
            raise invalid(f"Could not find base path {config.base_path} for servable {config.name} with error "
                          f"{code_text('NOT_FOUND')}: {config.base_path} not found ({reason.strerror})") from None  # fmt: skip
        if config.specific is not None:
            for number in config.specific:
                if number not in found:
                    asked = "which was requested to be served as a 'specific' version in the servable's version policy"
                    log(
                        "W",
                        _SOURCE + "238",
                        f"Version {number} of servable {config.name}, {asked}, was not found in the file system",
                    )
            wanted = found & set(config.specific)
        else:
            wanted = found if config.every else set(sorted(found)[-config.latest :])
        if not wanted:
            log("W", _SOURCE + "314", f"No versions of servable {config.name} found under base path {config.base_path}. "
                "Did you forget to name your leaf directory as a number (eg. '/1/')?")  # fmt: skip
        return wanted

    async def poll(self) -> None:
        """Looks at every model's directory once."""
        for served in list(self.models.values()):
            try:
                served.aspired = await asyncio.to_thread(self.aspire, served.config)
            except StatusError as error:
                log(
                    "E",
                    _SOURCE + "416",
                    f"FileSystemStoragePathSource encountered a filesystem access error: {error.message}",
                )
                continue
            await self.reconcile(served)

    async def reconcile(self, served: Served) -> None:
        """Starts the loads that are missing and, once something wanted is up, unloads what is no
        longer wanted.
        """
        for number in sorted(served.aspired):
            known = served.versions.get(number)
            if known is None or (known.state == "END" and known.error is None):
                version = served.versions[number] = Version(number)
                self.spawn(self.load(served, version))
        ready = [version for version in served.available() if version.number in served.aspired]
        if ready or not served.aspired:
            for version in served.available():
                if version.number not in served.aspired:
                    await self.unload(served, version)

    def spawn(self, work) -> None:  # type: ignore[no-untyped-def]
        """Runs a coroutine beside the others and keeps hold of it."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def load(self, served: Served, version: Version) -> None:
        """Loads with the configured number of retries; the state ends at AVAILABLE or END."""
        config, number = served.config, version.number
        folder = container_path(config.base_path) / str(number)
        name = f"{{name: {config.name} version: {number}}}"
        version.state = "LOADING"
        log("I", _HARNESS + "71", f"Approving load for servable version {name}")
        log("I", _HARNESS + "79", f"Loading servable version {name}")
        error: StatusError | None = None
        for attempt in range(self.retries + 1):
            if attempt:
                await asyncio.sleep(max(0.0, self.retry_seconds))
                log(
                    "I",
                    "tensorflow_serving/util/retrier.cc:46",
                    f"Retrying of Loading servable: {name} retry: {attempt}",
                )
            log(
                "I",
                "external/org_tensorflow/tensorflow/cc/saved_model/reader.cc:83",
                f"Reading SavedModel from: {config.base_path}/{number}",
            )
            with self.metrics.load(f"{config.base_path}/{number}") as outcome:
                try:
                    version.model = await asyncio.to_thread(self.load_one, folder)
                    error = None
                except Exception as reason:
                    # Whatever it is: without a line that says how the load ended, the log would
                    # stop at "Reading SavedModel".
                    known = isinstance(reason, StatusError)
                    error = (
                        reason
                        if known
                        else StatusError("INTERNAL", f"{type(reason).__name__}: {reason}")
                    )
                    outcome.ok = False
            if error is None:
                break
            log(
                "E",
                "tensorflow_serving/util/retrier.cc:37",
                f"Loading servable: {name} failed: {error}",
            )
        version.error, version.state = error, "AVAILABLE" if error is None else "END"
        if error is None:
            log("I", _HARNESS + "95", f"Successfully loaded servable version {name}")
        async with self.changed:
            self.changed.notify_all()
        await self.reconcile(served)

    def load_one(self, folder: Path) -> Model:
        """One attempt, in a thread."""
        model = self.loader(folder)
        self.warmup(model, folder)
        return model

    async def unload(self, served: Served, version: Version) -> None:
        """Takes a version out of service; running requests keep their model until they end."""
        name = f"{{name: {served.config.name} version: {version.number}}}"
        for text, state in (
            ("Quiescing", "UNLOADING"),
            ("Done quiescing", "UNLOADING"),
            ("Unloading", "UNLOADING"),
            ("Done unloading", "END"),
        ):
            log("I", _HARNESS + "127", f"{text} servable version {name}")
            version.state = state
        version.model = None

    async def reconfigure(self, models: list[ModelConfig]) -> None:
        """Takes over a changed model config file: new models load, dropped ones unload."""
        fresh = {model.name: model for model in models}
        for name in [name for name in self.models if name not in fresh]:
            served = self.models.pop(name)
            for version in served.available():
                await self.unload(served, version)
        for name, config in fresh.items():
            self.models.setdefault(name, Served(config)).config = config
        await self.poll()

    async def start(self) -> None:
        """Polls and waits, without limit, until every model has an answerable version; StatusError
        if one never will.
        """
        await self.poll()
        if self.poll_seconds > 0:
            self.spawn(self.poll_for_ever())
        async with self.changed:
            await self.changed.wait_for(
                lambda: all(self.settled(served) for served in self.models.values())
            )
        failed = [
            (s, v)
            for s in self.models.values()
            if not s.available()
            for v in s.versions.values()
            if v.error
        ]
        if failed:
            listed = "".join(
                f"{{{{name: {s.config.name} version: {v.number}}} due to error: {v.error}}}, "
                for s, v in failed
            )
            raise StatusError(
                "UNKNOWN", f"{len(failed)} servable(s) did not become available: {{{listed}}}"
            )
        for served in self.models.values():
            available = {version.number for version in served.available()}
            check_labels(served.config.labels, served.config.name, available, self.allow_labels)

    @staticmethod
    def settled(served: Served) -> bool:
        """Whether a model is up, or can no longer come up."""
        return bool(served.available()) or (
            bool(served.versions) and all(v.state == "END" for v in served.versions.values())
        )

    async def poll_for_ever(self) -> None:
        """The file system poll."""
        while True:
            await asyncio.sleep(self.poll_seconds)
            await self.poll()
