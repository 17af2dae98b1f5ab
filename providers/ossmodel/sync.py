"""Makes the bucket hold exactly one directory's files, and tells what it holds."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from oss2 import exceptions

from . import digest
from .checkpoints import forget_all
from .digest import FileEntry
from .engine import Reporter
from .inputs import DEFAULT_PARALLEL, DEFAULT_PART_SIZE_MIB, entries_of
from .layout import Layout
from .manifest import Manifest
from .remote import Remote
from .uploader import Uploader

_KEPT = (
    "bucket",
    "prefix",
    "source",
    "version",
    "tensorflow",
    "partSizeMib",
    "parallel",
    "signatures",
)
"""Inputs that are outputs as they are."""


class Sync:
    """One create or update: compare, upload what differs, delete what is too much, write the
    manifest last.
    """

    def __init__(
        self,
        remote: Remote,
        inputs: dict[str, Any],
        root: Path,
        files: dict[str, FileEntry],
        reporter: Reporter,
    ) -> None:
        self._remote, self._inputs, self._files, self._reporter = remote, inputs, files, reporter
        self._uploader = Uploader(remote, root, reporter)
        self._kept: dict[str, FileEntry] = {}
        self.owner = ""

    @property
    def present(self) -> dict[str, FileEntry]:
        """Files known to be in the bucket with the right content, at any moment of the run."""
        return {**self._kept, **self._uploader.done}

    def run(self, owner: str = "") -> dict[str, Any]:
        """Do it; returns the resource's outputs. `owner` is kept on update and drawn anew on
        create.
        """
        self.owner = owner or uuid.uuid4().hex
        sizes = self._remote.sizes()
        if sizes and not owner:
            self._tell_takeover()
        candidates = [path for path, entry in self._files.items() if sizes.get(path) == entry.size]
        there = self._remote.entries(candidates)
        self._kept = {
            path: self._files[path]
            for path, entry in there.items()
            if entry.same_content(self._files[path])
        }
        missing = {path: entry for path, entry in self._files.items() if path not in self._kept}
        if missing:
            part_size = self._inputs.get("partSizeMib", DEFAULT_PART_SIZE_MIB)
            self._uploader.upload(
                missing, part_size, self._inputs.get("parallel", DEFAULT_PARALLEL)
            )
        surplus = sizes.keys() - self._files.keys()
        if surplus:
            self._remote.delete(surplus)
        self._remote.put_manifest(Manifest(self._inputs["source"], self.owner, self._files))
        return outputs(self._inputs, self._files, self.owner)

    def _tell_takeover(self) -> None:
        """A complete model that another resource (or another stack) put there is no unfinished
        upload of ours.
        """
        if self._remote.manifest():
            where = self._remote.layout.resource_id
            what = "held a model that another resource uploaded; it is made equal to this source and managed here now"
            self._reporter.warning(f"{where} {what}")


def outputs(
    inputs: dict[str, Any], files: dict[str, FileEntry], owner: str, drift: list[str] | None = None
) -> dict[str, Any]:
    """The resource's properties for files that are in the bucket."""
    layout = Layout(inputs["bucket"], inputs["prefix"], inputs["version"])
    return {
        **{name: inputs[name] for name in _KEPT if name in inputs},
        "path": layout.path,
        "digest": digest.of_entries(files),
        "bytes": sum(entry.size for entry in files.values()),
        "fileCount": len(files),
        "files": {path: entry.plain() for path, entry in sorted(files.items())},
        "owner": owner,
        "drift": drift or [],
    }


def read(remote: Remote, state: dict[str, Any]) -> dict[str, Any] | None:
    """What the bucket holds now, as outputs; None when the model is gone. `state` is empty for an
    import.

    A file whose content is the recorded one keeps its SHA-256; any other is known by its CRC-64
    only, which makes the digest differ from every directory's until it is uploaded again.
    """
    try:
        sizes = remote.sizes()
    except exceptions.NoSuchBucket:
        return None
    if not sizes:
        return None
    manifest = remote.manifest()
    recorded = entries_of(state.get("files")) or (manifest.files if manifest else {})
    found = remote.entries(sizes)
    files = {
        path: recorded[path] if path in recorded and recorded[path].same_content(entry) else entry
        for path, entry in found.items()
    }
    drift = _drift(recorded, files) + _manifest_drift(state, recorded, manifest)
    inputs = {
        "bucket": remote.layout.bucket,
        "prefix": remote.layout.prefix,
        "version": remote.layout.version,
        "source": state.get("source") or (manifest.source if manifest else ""),
        **{
            name: state[name]
            for name in ("tensorflow", "partSizeMib", "parallel", "signatures")
            if name in state
        },
    }
    return outputs(inputs, files, state.get("owner") or (manifest.owner if manifest else ""), drift)


def delete(remote: Remote, owner: str, reporter: Reporter) -> None:
    """Remove the model version, unless another resource has taken it over since."""
    try:
        manifest = remote.manifest()
    except exceptions.NoSuchBucket:
        return
    if manifest and owner and manifest.owner != owner:
        reporter.warning(
            f"{remote.layout.resource_id} was taken over by another resource (its manifest names another owner), "
            "so its objects stay; only this resource's record is removed"
        )
        return
    names = [remote.layout.key(path) for path in (manifest.files if manifest else {})]
    count = remote.delete_everything()
    forget_all(remote.layout.bucket, names)
    reporter.status(f"deleted {count} objects")


def _drift(recorded: dict[str, FileEntry], found: dict[str, FileEntry]) -> list[str]:
    notes = []
    for path in sorted(recorded.keys() | found.keys()):
        if path not in found:
            notes.append(f"missing: {path}")
        elif path not in recorded:
            if recorded:
                notes.append(f"extra: {path}")
        elif not recorded[path].same_content(found[path]):
            notes.append(f"changed: {path}")
    return notes


def _manifest_drift(
    state: dict[str, Any], recorded: dict[str, FileEntry], manifest: Manifest | None
) -> list[str]:
    if not state:
        return []
    if manifest is None:
        return ["missing: the manifest"]
    if manifest.digest != digest.of_entries(recorded) or manifest.owner != state.get("owner"):
        return ["changed: the manifest"]
    return []
