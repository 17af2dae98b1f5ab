"""The resource class of our own provider (providers/ossmodel): one SavedModel version directory in
OSS.
"""

import pulumi
from pulumi import Input

OUTPUTS = ("version", "path", "digest", "bytes", "file_count", "signatures")


class Model(pulumi.CustomResource):
    """One version directory of a SavedModel, uploaded as a whole.

    Unlike a set of bucket objects it sees changed content below an unchanged path, uploads in
    parts, treats objects that were deleted by hand as drift to repair (not as an error), and can be
    imported.
    """

    bucket: pulumi.Output[str]
    prefix: pulumi.Output[str]
    """Keys start with this, no slash at either end."""
    source: pulumi.Output[str]
    signatures: pulumi.Output[dict[str, str]]
    """Inputs and outputs by signature."""
    version: pulumi.Output[str]
    """Name of the source directory."""
    path: pulumi.Output[str]
    """`<prefix>/<version>`; of content that replaces another of the same version number, with a
    directory of its own between the two.
    """
    digest: pulumi.Output[str]
    """SHA-256 over the files' relative paths, contents and sizes."""
    bytes: pulumi.Output[int]
    file_count: pulumi.Output[int]

    def __init__(
        self,
        name: str,
        *,
        bucket: Input[str],
        prefix: Input[str],
        source: Input[str],
        tensorflow: Input[str] | None = None,
        part_size_mib: Input[int] | None = None,
        parallel: Input[int] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ):
        inputs = {"bucket": bucket, "prefix": prefix, "source": source, "tensorflow": tensorflow}
        inputs |= {"partSizeMib": part_size_mib, "parallel": parallel}
        super().__init__("ossmodel:index:Model", name, {**dict.fromkeys(OUTPUTS), **inputs}, opts)

    @property
    def base_path(self) -> pulumi.Output[str]:
        """Directory of the version as an absolute path: keys mirror the paths in the container."""
        return self.path.apply(lambda path: "/" + path.rpartition("/")[0])

    def translate_output_property(self, prop: str) -> str:
        """Engine's name to Python's."""
        return {"fileCount": "file_count"}.get(prop, prop)
