"""Where a model version lies in its bucket."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import ModelError, describe

ID_FORM = "oss://<bucket>/<prefix>/<version>"
_VARIANT = re.compile(r"sha256-[0-9a-f]{12}")


@dataclass(frozen=True)
class Layout:
    """Bucket, prefix and version, and every key that follows from them."""

    bucket: str
    prefix: str
    version: str
    variant: str = ""
    """Directory between prefix and version, of a model that replaces another content of the same
    version number; see `variant_of`.
    """

    @property
    def base(self) -> str:
        """Directory in which the version lies: `<prefix>`, or `<prefix>/<variant>`."""
        return f"{self.prefix}/{self.variant}" if self.variant else self.prefix

    @property
    def path(self) -> str:
        """`<prefix>/<version>` or `<prefix>/<variant>/<version>`, without slashes at the ends."""
        return f"{self.base}/{self.version}"

    @property
    def directory(self) -> str:
        """What every key of this version starts with."""
        return self.path + "/"

    @property
    def manifest_key(self) -> str:
        """Key of the manifest: beside the versions, under a name that TensorFlow Serving cannot
        take for one.
        """
        return f"{self.base}/.ossmodel/{self.version}.json"

    @property
    def resource_id(self) -> str:
        """The id Pulumi knows this version by."""
        return f"oss://{self.bucket}/{self.path}"

    def key(self, relative: str) -> str:
        """Object key of the file at `relative`."""
        return self.directory + relative

    @staticmethod
    def parse(resource_id: str) -> Layout:
        """The layout an id names; the `oss://` may be left out. Raises `ModelError` for anything
        else.
        """
        parts = resource_id.removeprefix("oss://").strip("/").split("/")
        if len(parts) < 3 or not all(parts) or not parts[-1].isdecimal():
            raise ModelError(
                describe(
                    "the id",
                    resource_id,
                    f"{ID_FORM} with a numeric version",
                    "the model to import or read cannot be told from it",
                    "import with, for example, oss://my-bucket/models/tensorflow/1623831335",
                )
            )
        variant = parts[-2] if len(parts) > 3 and _VARIANT.fullmatch(parts[-2]) else ""
        prefix = parts[1 : -2 if variant else -1]
        return Layout(parts[0], "/".join(prefix), parts[-1], variant)


def variant_of(digest: str) -> str:
    """The variant of a content. TensorFlow Serving takes no directory of this name for a
    version.
    """
    return f"sha256-{digest[:12]}"
