"""The model's inputs: read, checked all at once, and completed by what the directory itself
says.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import digest, savedmodel
from .digest import FileEntry, Progress
from .errors import ModelError, describe, unknown_key
from .layout import Layout, variant_of
from .values import UNKNOWN, is_unknown

PROPERTIES = ("bucket", "prefix", "source", "tensorflow", "partSizeMib", "parallel")
DERIVED = ("version", "digest", "crcDigest", "variant", "bytes", "fileCount", "signatures")
"""Computed by check and kept with the inputs, so that a preview can show them. What each file holds
is not among them: a model of 10,000 files would put megabytes into every version of the state.
"""
EARLIER = ("files",)
"""What states of version 0.1.0 have among the inputs besides."""
DEFAULT_PART_SIZE_MIB = 10
DEFAULT_PARALLEL = 4


@dataclass
class Checked:
    """Result of a check: inputs to keep, failures as (property, message), and what the user is told
    beside them.
    """

    inputs: dict[str, Any]
    failures: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fail(self, name: str, message: str | None) -> None:
        """Record a failure of property `name`, if there is one."""
        if message:
            self.failures.append((name, message))


def check(news: dict[str, Any], olds: dict[str, Any], progress: Progress | None = None) -> Checked:
    """Check everything the user wrote; no network is used. `olds` are the checked inputs of the
    last run.
    """
    result = Checked({name: news[name] for name in PROPERTIES if name in news})
    for name in sorted(set(news) - set(PROPERTIES)):
        if name not in DERIVED + EARLIER or name not in olds:
            result.fail(name, unknown_key("ossmodel:index:Model", name, PROPERTIES))
    result.fail("bucket", _bucket_fault(news.get("bucket")))
    result.fail("prefix", _prefix_fault(news.get("prefix")))
    result.fail(
        "partSizeMib",
        _number_fault(
            "partSizeMib",
            news.get("partSizeMib"),
            1,
            5120,
            "uploads are cut into parts of this size",
        ),
    )
    result.fail(
        "parallel",
        _number_fault(
            "parallel", news.get("parallel"), 1, 32, "it is the number of uploads at one time"
        ),
    )
    result.fail("tensorflow", _tensorflow_fault(news.get("tensorflow")))
    _check_source(result, news, olds, progress)
    return result


def layout_of(inputs: dict[str, Any]) -> Layout:
    """The layout of checked inputs."""
    return Layout(
        inputs["bucket"], inputs["prefix"], inputs["version"], inputs.get("variant") or ""
    )


def entries_of(plain: Any) -> dict[str, FileEntry]:
    """The `files` of inputs or state as entries; nothing if they are not known."""
    if not isinstance(plain, dict):
        return {}
    return {
        path: FileEntry.from_plain(entry)
        for path, entry in plain.items()
        if isinstance(entry, dict)
    }


def read_again(
    inputs: dict[str, Any], progress: Progress | None = None
) -> tuple[Path, dict[str, FileEntry]]:
    """Directory and content at the moment of the upload; raises `ModelError` if it is no longer
    what was checked.
    """
    root = Path(os.path.abspath(inputs["source"]))
    fault = savedmodel.directory_fault(root, inputs["source"])
    paths, found = ([], [fault]) if fault else savedmodel.list_files(root, inputs["source"])
    if found:
        raise ModelError("\n".join(found))
    files = digest.of_files(root, paths, progress)
    if digest.of_entries(files) != inputs["digest"]:
        raise digest.changed(inputs["source"])
    return root, files


def _check_source(
    result: Checked, news: dict[str, Any], olds: dict[str, Any], progress: Progress | None
) -> None:
    source, prefix, tensorflow = news.get("source"), news.get("prefix"), news.get("tensorflow")
    if is_unknown(source):
        result.inputs.update(dict.fromkeys(DERIVED, UNKNOWN))
        return
    if not isinstance(source, str) or not source:
        expected = (
            "the path of a SavedModel version directory, such as 'models/chnsenticorp/1623831335'"
        )
        result.fail(
            "source",
            describe(
                "source",
                source,
                expected,
                "there is nothing to upload",
                "set source to that directory",
            ),
        )
        return
    root = Path(os.path.abspath(source))
    fault = savedmodel.directory_fault(root, source)
    if fault:
        result.fail("source", fault)
        result.fail("source", savedmodel.version_fault(root, source))
        return
    result.fail("source", savedmodel.version_fault(root, source))
    try:
        examined = savedmodel.examine(
            root, source, tensorflow if isinstance(tensorflow, str) else None
        )
    except OSError as error:
        raise digest.changed(source) from error  # it was there a moment ago
    result.warnings += examined.warnings
    result.notes += examined.notes
    for message in examined.faults:
        result.fail("source", message)
    for path in examined.files:
        result.fail("prefix", _key_fault(prefix, root.name, path))
    if not result.failures:
        files = digest.of_files(root, examined.files, progress)
        result.inputs["version"] = root.name
        result.inputs["digest"] = digest.of_entries(files)
        result.inputs["crcDigest"] = digest.of_checksums(files)
        result.inputs["bytes"] = sum(entry.size for entry in files.values())
        result.inputs["fileCount"] = len(files)
        result.inputs["signatures"] = examined.signatures
        result.inputs["variant"] = _variant(result.inputs, olds)


def _variant(inputs: dict[str, Any], olds: dict[str, Any]) -> str:
    """Where other content of a version number that is already deployed goes: beside it.

    Written over the old objects, pods that start meanwhile would mount files of both. So it is
    another place, made before the old one goes; the first content of a version has no variant.
    """
    place = ("bucket", "prefix", "version")
    if not olds.get("digest") or any(inputs.get(name) != olds.get(name) for name in place):
        return ""
    if same_content(inputs, olds):
        return olds.get("variant") or ""
    return variant_of(inputs["digest"])


def same_content(inputs: dict[str, Any], olds: dict[str, Any]) -> bool:
    """Whether checked inputs hold the content of earlier ones: by its digest, by what the bucket
    tells of an imported model, or by the files that version 0.1.0 listed, which counted what
    `savedmodel.is_junk` leaves out.
    """
    files = entries_of(olds.get("files"))
    without_junk = {path: entry for path, entry in files.items() if not savedmodel.is_junk(path)}
    return (
        olds.get("digest") in (inputs["digest"], inputs["crcDigest"])
        or (bool(files) and digest.of_entries(without_junk) == inputs["digest"])
        or (bool(files) and digest.of_checksums(without_junk) == inputs["crcDigest"])
    )


def _tensorflow_fault(value: Any) -> str | None:
    if (
        value is None
        or is_unknown(value)
        or (isinstance(value, str) and savedmodel.is_version(value))
    ):
        return None
    expected = "a version as in the tags of tensorflow/serving, such as 1.15.0 or 2.15.1-gpu"
    return describe(
        "tensorflow",
        value,
        expected,
        "the model could not be compared with its server",
        "leave it out or correct it",
    )


def _bucket_fault(bucket: Any) -> str | None:
    if is_unknown(bucket) or (
        isinstance(bucket, str) and re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", bucket)
    ):
        return None
    expected = "3 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends"
    return describe(
        "bucket",
        bucket,
        expected,
        "no such bucket can exist",
        "give the name of the bucket, without oss:// or a path",
    )


def _prefix_fault(prefix: Any) -> str | None:
    if is_unknown(prefix):
        return None
    consequence = "the model would not lie where the volume and TensorFlow Serving look for it"
    remedy = "write it like 'models/tensorflow'"
    if not isinstance(prefix, str) or not prefix:
        return describe("prefix", prefix, "a path inside the bucket", consequence, remedy)
    if prefix.startswith("/") or prefix.endswith("/"):
        return describe(
            "prefix", prefix, "no slash at its ends", consequence, f"write {prefix.strip('/')!r}"
        )
    if any(segment in ("", ".", "..") for segment in prefix.split("/")):
        return describe(
            "prefix", prefix, "segments that are not empty, '.' or '..'", consequence, remedy
        )
    if "\\" in prefix or any(ord(char) < 32 or ord(char) == 127 for char in prefix):
        return describe(
            "prefix", prefix, "no backslashes or control characters", consequence, remedy
        )
    if len(prefix.encode()) > savedmodel.MAX_KEY_BYTES:
        return describe(
            "prefix",
            prefix,
            f"at most {savedmodel.MAX_KEY_BYTES} bytes",
            "OSS refuses longer keys",
            remedy,
        )
    return None


def _key_fault(prefix: Any, version: str, path: str) -> str | None:
    if not isinstance(prefix, str) or is_unknown(prefix):
        return None
    length = len(f"{prefix}/{variant_of('0' * 64)}/{version}/{path}".encode())
    if length <= savedmodel.MAX_KEY_BYTES or len(prefix.encode()) > savedmodel.MAX_KEY_BYTES:
        return None
    expected = f"a prefix with which every key has at most {savedmodel.MAX_KEY_BYTES} bytes ({path} would have {length})"
    return describe(
        "prefix",
        prefix,
        expected,
        "OSS refuses longer keys",
        "shorten the prefix or the file's path",
    )


def _number_fault(name: str, value: Any, low: int, high: int, what: str) -> str | None:
    if (
        value is None
        or is_unknown(value)
        or (isinstance(value, int) and not isinstance(value, bool) and low <= value <= high)
    ):
        return None
    default = DEFAULT_PART_SIZE_MIB if name == "partSizeMib" else DEFAULT_PARALLEL
    remedy = f"leave it out (default {default}) or correct it"
    return describe(
        name,
        value,
        f"a whole number from {low} to {high}",
        f"{what}, and this one cannot be used",
        remedy,
    )
