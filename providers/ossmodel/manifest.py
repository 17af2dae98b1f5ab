"""The manifest: written last, it says what a complete model version consists of and which resource
put it there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from . import digest
from .digest import FileEntry
from .inputs import entries_of

SCHEMA = 1


@dataclass(frozen=True)
class Manifest:
    """What was uploaded. `owner` is drawn once per resource: only the resource it names deletes the
    objects.
    """

    source: str
    owner: str
    files: dict[str, FileEntry]

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
            "digest": self.digest,
            "files": {name: entry.plain() for name, entry in sorted(self.files.items())},
        }
        return (json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

    @staticmethod
    def decode(body: bytes) -> Manifest | None:
        """The manifest in `body`, or None if these bytes are none that this provider wrote."""
        try:
            plain: Any = json.loads(body)
        except ValueError:
            return None
        if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
            return None
        manifest = Manifest(
            str(plain.get("source", "")),
            str(plain.get("owner", "")),
            entries_of(plain.get("files")),
        )
        return manifest if manifest.digest == plain.get("digest") else None
