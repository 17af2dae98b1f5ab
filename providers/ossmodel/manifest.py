"""The manifest: it says what a model version consists of and which resource puts it there. It is
written before the first file, as unfinished, and again after the last one: whatever lies in the
bucket without being named in it is somebody else's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from . import digest
from .digest import FileEntry
from .errors import ModelError
from .inputs import entries_of

SCHEMA = 1


class NotAManifestError(ModelError):
    """What lies at the manifest's key was not written by this provider."""


@dataclass(frozen=True)
class Manifest:
    """What was uploaded. `owner` is drawn once per resource: only the resource it names deletes the
    objects.
    """

    source: str
    owner: str
    files: dict[str, FileEntry]
    resource: str = ""
    """SHA-256 of the URN of the resource that wrote it: a create whose answer was lost knows itself
    again. Empty in manifests of version 0.1.0.
    """
    complete: bool = True
    """False while files are being uploaded."""

    @property
    def digest(self) -> str:
        """Digest of the files it lists."""
        return digest.of_entries(self.files)

    def encode(self, path: str) -> bytes:
        """The object's bytes; the same content always gives the same bytes."""
        body = {
            "schema": SCHEMA,
            "path": path,
            "source": self.source,
            "owner": self.owner,
            "resource": self.resource,
            "complete": self.complete,
            "digest": self.digest,
            "files": {name: entry.plain() for name, entry in sorted(self.files.items())},
        }
        return (json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

    @staticmethod
    def decode(body: bytes, where: str = "the manifest") -> Manifest:
        """The manifest in `body`, which lies at `where`. Raises `NotAManifestError` for bytes that
        this provider did not write, `ModelError` for a manifest of a newer one.
        """
        try:
            plain: Any = json.loads(body)
        except ValueError:
            plain = None
        schema = plain.get("schema") if isinstance(plain, dict) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise ModelError(
                f"{where} has schema {schema}; expected {SCHEMA}, the newest that this ossmodel knows. A newer one wrote it, and what "
                "belongs to the model cannot be told, so nothing was touched. Use the project's version that deployed it, or a newer one."
            )
        if schema == SCHEMA:
            manifest = Manifest(
                str(plain.get("source", "")),
                str(plain.get("owner", "")),
                entries_of(plain.get("files")),
                str(plain.get("resource", "")),
                plain.get("complete", True) is not False,
            )
            if manifest.digest == plain.get("digest"):
                return manifest
        raise NotAManifestError(
            f"{where} is not a manifest that this provider wrote, or it is damaged. It would be written over. Move it away, "
            "or choose another prefix."
        )
