"""Makes the bucket hold one directory's files, and tells what it holds. What others put beside them
is never written over and never deleted.
"""

from __future__ import annotations

import dataclasses
import hashlib
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from oss2 import exceptions

from . import digest
from .checkpoints import forget_all
from .digest import FileEntry
from .engine import Reporter
from .errors import ModelError, listed
from .inputs import DEFAULT_PARALLEL, DEFAULT_PART_SIZE_MIB, entries_of
from .layout import Layout
from .manifest import Manifest, NotAManifestError
from .remote import Listed, Remote
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
MOST_NOTES = 20
"""Notes of drift in the state; the rest is counted. The state stays small whatever happens to
10,000 files.
"""


class Sync:
    """One create or update: claim the place, upload what differs, delete what is no longer in the
    source, and write the manifest last.

    `state` is that of an update, None for a create; `urn` names the resource.
    """

    def __init__(
        self,
        remote: Remote,
        inputs: dict[str, Any],
        root: Path,
        files: dict[str, FileEntry],
        reporter: Reporter,
        urn: str,
        state: dict[str, Any] | None = None,
    ) -> None:
        self._remote, self._inputs, self._files, self._reporter = remote, inputs, files, reporter
        self._state = state
        self._resource = hashlib.sha256(urn.encode()).hexdigest()
        self._uploader = Uploader(remote, root, reporter)
        self._kept: dict[str, FileEntry] = {}
        self.claimed = state is not None
        """Whether the manifest says that this resource's files lie here, or are about to."""
        self.owner = str((state or {}).get("owner") or "") or uuid.uuid4().hex

    def run(self) -> dict[str, Any]:
        """Do it; returns the resource's outputs. Raises `ModelError` when the place is not this
        resource's.
        """
        there = self._remote.listing()
        manifest = self._manifest()
        if self._state is None:
            self._refuse_what_is_not_ours(there, manifest)
        elif manifest and manifest.owner != str(self._state.get("owner") or ""):
            raise ModelError(
                f"{self._remote.layout.resource_id} was taken over by another resource (its manifest names another owner), so nothing "
                "was changed. Have one of the two use another prefix or bucket."
            )
        earlier = {
            **entries_of((self._state or {}).get("files")),
            **(manifest.files if manifest else {}),
        }
        if not self._is_finished(manifest):
            self._write({**earlier, **self._files}, complete=False)
        self.claimed = True
        self._kept = self._right_already(there, earlier)
        missing = {path: entry for path, entry in self._files.items() if path not in self._kept}
        if missing:
            part_size = self._inputs.get("partSizeMib", DEFAULT_PART_SIZE_MIB)
            self._uploader.upload(
                missing, part_size, self._inputs.get("parallel", DEFAULT_PARALLEL)
            )
        surplus = earlier.keys() - self._files.keys()
        if surplus:
            self._remote.delete(surplus)
        self._write(self._as_listed(), complete=True)
        return outputs(self._inputs, self._files, self.owner)

    def partial(self) -> dict[str, Any]:
        """Outputs of a run that stopped: the resource exists, and the next run goes on with it."""
        done = self._kept.keys() | self._uploader.done.keys()
        note = f"unfinished: {len(done)} of {len(self._files)} files are there"
        return outputs(self._inputs, self._files, self.owner, [note])

    def _manifest(self) -> Manifest | None:
        if self._state is None:
            return self._remote.manifest()
        return _manifest_of(self._remote)  # of ours, something damaged it: it is written anew

    def _is_finished(self, manifest: Manifest | None) -> bool:
        """Whether the manifest already says what it will say in the end; only its files differ."""
        return (
            manifest is not None
            and manifest.complete
            and manifest.owner == self.owner
            and manifest.digest == digest.of_entries(self._files)
        )

    def _write(self, files: dict[str, FileEntry], *, complete: bool) -> None:
        source = self._inputs["source"]
        self._remote.put_manifest(Manifest(source, self.owner, files, self._resource, complete))

    def _right_already(
        self, there: Mapping[str, Listed], earlier: Mapping[str, FileEntry]
    ) -> dict[str, FileEntry]:
        """Files that need not be sent. What is there as an earlier run left it needs no request."""
        candidates = [
            path
            for path, entry in self._files.items()
            if path in there and there[path].size == entry.size
        ]
        as_left = {
            path
            for path in candidates
            if path in earlier
            and there[path].is_stored(earlier[path])
            and earlier[path].same_content(self._files[path])
        }
        found = self._remote.entries(path for path in candidates if path not in as_left)
        same = {path for path, entry in found.items() if entry.same_content(self._files[path])}
        return {path: self._files[path] for path in sorted(as_left | same)}

    def _as_listed(self) -> dict[str, FileEntry]:
        """The files with what the bucket calls their content, so that later a list tells whether
        they are still what was uploaded. Raises `ModelError` if one is not there.
        """
        there = self._remote.listing()
        wrong = [
            path
            for path, entry in self._files.items()
            if path not in there or there[path].size != entry.size
        ]
        if wrong:
            raise ModelError(
                f"{self._remote.layout.resource_id}: {listed(wrong)} changed or went right after the upload; something else writes there. "
                "Stop it, and run the same command again."
            )
        return {
            path: dataclasses.replace(entry, etag=there[path].etag)
            for path, entry in self._files.items()
        }

    def _refuse_what_is_not_ours(
        self, there: Mapping[str, Listed], manifest: Manifest | None
    ) -> None:
        """A create goes on where an earlier create of the same resource stopped, and nowhere
        else.
        """
        layout = self._remote.layout
        if manifest is None:
            if there:
                raise ModelError(
                    f"{layout.resource_id} holds {len(there)} objects that this resource did not put there ({listed(sorted(there))}); "
                    f"expected an empty place. They would be written over, and deleted with the model. {_way_out(layout)}"
                )
            return
        if manifest.resource != self._resource:
            raise ModelError(
                f"{layout.resource_id} holds a model that another resource uploaded, in this stack or in another; expected an empty place. "
                f"What one of them deletes, the other one's pods would miss. {_way_out(layout)}"
            )
        if (
            manifest.complete
            and manifest.digest != digest.of_entries(self._files)
            and manifest.files.keys() & there.keys()
        ):
            raise ModelError(
                f"{layout.resource_id} holds other content, which this resource uploaded before its record was lost. Pods may have it "
                f"mounted, so it is not written over. Give the directory the next version number, or: {_way_out(layout)}"
            )
        strange = sorted((there.keys() & self._files.keys()) - manifest.files.keys())
        if strange:
            raise ModelError(
                f"{layout.resource_id} holds {listed(strange)}, which this resource did not put there and would write over. "
                f"{_way_out(layout)}"
            )


def outputs(
    inputs: dict[str, Any], files: dict[str, FileEntry], owner: str, drift: list[str] | None = None
) -> dict[str, Any]:
    """The resource's properties for files that are in the bucket."""
    layout = Layout(
        inputs["bucket"], inputs["prefix"], inputs["version"], inputs.get("variant") or ""
    )
    return {
        **{name: inputs[name] for name in _KEPT if name in inputs},
        "variant": layout.variant,
        "path": layout.path,
        "digest": digest.of_entries(files),
        "crcDigest": digest.of_checksums(files),
        "bytes": sum(entry.size for entry in files.values()),
        "fileCount": len(files),
        "owner": owner,
        "drift": _bounded(drift or []),
    }


def read(remote: Remote, state: dict[str, Any], reporter: Reporter) -> dict[str, Any] | None:
    """What the bucket holds now, as outputs; None when the model is gone. `state` is empty for an
    import.

    Lists tell whether a file is what was uploaded; only one that was written again since is asked
    for its CRC-64.
    """
    try:
        there = remote.listing()
    except exceptions.NoSuchBucket:
        return None
    manifest = _manifest_of(remote)
    recorded = (manifest.files if manifest else {}) or entries_of(state.get("files"))
    unfinished = manifest is not None and not manifest.complete
    if not (recorded.keys() & there.keys() if recorded else there) and not (state and unfinished):
        return None
    drift = _manifest_drift(state, manifest)
    if recorded:
        drift = _drift(remote, recorded, there) + drift
        _tell_foreign(remote, there.keys() - recorded.keys(), reporter)
    else:
        recorded = remote.entries(there)
        if state and state.get("crcDigest") != digest.of_checksums(recorded):
            drift.append("changed: the files; which, only the manifest could tell")
    layout = remote.layout
    inputs = {
        "bucket": layout.bucket,
        "prefix": layout.prefix,
        "version": layout.version,
        "variant": layout.variant,
        "source": state.get("source") or (manifest.source if manifest else ""),
        **{
            name: state[name]
            for name in ("tensorflow", "partSizeMib", "parallel", "signatures")
            if name in state
        },
    }
    owner = state.get("owner") or (manifest.owner if manifest else "")
    found = outputs(inputs, recorded, owner, drift)
    if state:  # what the resource is does not change with what happened to it
        found |= {
            name: state[name]
            for name in ("digest", "crcDigest", "bytes", "fileCount")
            if name in state
        }
    return found


def delete(remote: Remote, state: dict[str, Any], reporter: Reporter) -> None:
    """Remove the model's files and its manifest, unless another resource has taken it over since.
    What others put beside them stays, and is named.
    """
    try:
        there = remote.listing()
    except exceptions.NoSuchBucket:
        return
    manifest = _manifest_of(remote)
    where = remote.layout.resource_id
    if manifest and manifest.owner != str(state.get("owner") or ""):
        reporter.warning(
            f"{where} was taken over by another resource (its manifest names another owner), "
            "so its objects stay; only this resource's record is removed"
        )
        return
    names = set(entries_of(state.get("files"))) | {
        path
        for known in remote.manifests()
        if known.owner == state.get("owner")
        for path in known.files
    }
    if not names:
        found = remote.entries(there)
        if state.get("crcDigest") == digest.of_checksums(found):
            names = set(found)
    count = remote.delete(names)
    if manifest:
        count += remote.delete_manifest()
    forget_all(remote.layout.bucket, [remote.layout.key(path) for path in names])
    reporter.status(f"deleted {count} objects")
    _tell_foreign(remote, there.keys() - names, reporter)


def _manifest_of(remote: Remote) -> Manifest | None:
    try:
        return remote.manifest()
    except NotAManifestError:
        return None


def _tell_foreign(remote: Remote, paths: Iterable[str], reporter: Reporter) -> None:
    rows = sorted(paths)
    if rows:
        reporter.warning(
            f"{remote.layout.resource_id}: {len(rows)} objects are not part of this model and are left alone: {listed(rows)}"
        )


def _way_out(layout: Layout) -> str:
    return f"Choose another prefix (model.path), move them away, or take them over: pulumi import ossmodel:index:Model NAME {layout.resource_id}"


def _bounded(notes: list[str]) -> list[str]:
    more = len(notes) - MOST_NOTES
    return notes[:MOST_NOTES] + ([f"and {more} more"] if more > 0 else [])


def _drift(
    remote: Remote, recorded: Mapping[str, FileEntry], there: Mapping[str, Listed]
) -> list[str]:
    doubtful = [
        path
        for path, entry in recorded.items()
        if path in there and there[path].size == entry.size and not there[path].is_stored(entry)
    ]
    asked = remote.entries(doubtful)
    notes = []
    for path, entry in sorted(recorded.items()):
        if path not in there:
            notes.append(f"missing: {path}")
        elif there[path].is_stored(entry):
            continue
        elif path not in asked or not asked[path].same_content(entry):
            notes.append(f"changed: {path}")
    return notes


def _manifest_drift(state: dict[str, Any], manifest: Manifest | None) -> list[str]:
    if not state:
        return []
    if manifest is None:
        return ["missing: the manifest"]
    if not manifest.complete:
        return ["unfinished: the upload"]
    if manifest.digest != state.get("digest") or manifest.owner != state.get("owner"):
        return ["changed: the manifest"]
    return []
