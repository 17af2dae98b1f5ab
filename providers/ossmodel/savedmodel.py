"""Is a directory a SavedModel version that TensorFlow Serving can load? Every fault found is reported, not only the first."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from .errors import describe

MAX_VERSION = 2**63 - 1
MAX_KEY_BYTES = 1023
_GRAPHS = ("saved_model.pb", "saved_model.pbtxt")
_SHARD = re.compile(r"variables\.data-(\d{5})-of-(\d{5})$")


def version_fault(directory: Path, value: str) -> str | None:
    """What is wrong with the directory's name as a version, or None."""
    name = directory.name
    consequence = "TensorFlow Serving serves only directories named by an integer version and would not see the model"
    if not re.fullmatch(r"[0-9]+", name):
        return describe(
            "source",
            value,
            f"a directory whose name is an integer version, not {name!r}",
            consequence,
            f"rename it, for example: mv {directory} {directory.parent / '1'}",
        )
    if name != str(int(name)):
        return describe(
            "source",
            value,
            f"a version without leading zeros, {int(name)} instead of {name}",
            "TensorFlow Serving would report another version than the one asked for",
            f"rename it: mv {directory} {directory.parent / str(int(name))}",
        )
    if int(name) > MAX_VERSION:
        expected = f"a version of at most {MAX_VERSION} (64 bits)"
        return describe("source", value, expected, consequence, "rename it to a smaller number, such as a Unix time")
    return None


def directory_fault(directory: Path, value: str) -> str | None:
    """What is wrong with the path itself: missing, not a directory, not readable. None if it can be listed."""
    consequence = "there is nothing to upload"
    try:
        mode = os.stat(directory).st_mode
    except FileNotFoundError:
        return describe("source", value, f"an existing directory ({directory} does not exist)", consequence, _where(directory))
    except NotADirectoryError:
        return describe("source", value, f"a directory ({directory} lies below a file)", consequence, _where(directory))
    except PermissionError as error:
        return _unreadable(value, str(directory), error)
    if not stat.S_ISDIR(mode):
        expected = "a SavedModel directory, not a file"
        return describe("source", value, expected, consequence, f"give the directory that holds the file: {directory.parent}")
    return None


def faults(directory: Path, value: str) -> tuple[list[str], list[str]]:
    """(relative paths of all regular files, faults) of a directory that exists; `value` is how the user wrote it."""
    files, found = _walk(directory, value)
    if not found or files:
        found += _graph_faults(directory, value, files) + _variable_faults(value, files)
    return files, found


def _walk(root: Path, value: str) -> tuple[list[str], list[str]]:
    files: list[str] = []
    found: list[str] = []

    def failed(error: OSError) -> None:
        found.append(_unreadable(value, os.path.relpath(str(error.filename), root), error))

    for folder, folders, names in os.walk(root, onerror=failed):
        for name in sorted(folders):
            if os.path.islink(os.path.join(folder, name)):
                found.append(_link(value, os.path.relpath(os.path.join(folder, name), root), "a link to a directory"))
        for name in sorted(names):
            path = Path(folder, name)
            relative = path.relative_to(root).as_posix()
            fault = _file_fault(root, path, relative, value)
            if fault:
                found.append(fault)
            else:
                files.append(relative)
    return sorted(files), found


def _file_fault(root: Path, path: Path, relative: str, value: str) -> str | None:
    if not _clean_name(relative):
        return describe(
            "source",
            f"{value}: {relative.encode('utf-8', 'surrogateescape')!r}",
            "file names in UTF-8 without control characters or backslashes",
            "the name cannot be an object key that the mount shows again",
            "rename the file",
        )
    try:
        target = path.resolve(strict=True)
        info = os.stat(target)
    except (FileNotFoundError, RuntimeError, OSError) as error:
        if isinstance(error, PermissionError):
            return _unreadable(value, relative, error)
        return _link(value, relative, "a link that leads nowhere")
    if path.is_symlink() and not target.is_relative_to(root.resolve()):
        return _link(value, relative, "a link to a file outside it")
    if not stat.S_ISREG(info.st_mode):
        consequence = "it has no content that could be uploaded"
        return describe("source", f"{value}: {relative}", "regular files only, not a device, pipe or socket", consequence, "remove it")
    if info.st_size == 0:
        return describe(
            "source",
            f"{value}: {relative}",
            "files with content (it has 0 bytes)",
            "an empty file is what an interrupted export leaves, and loading would fail",
            "export the model again, or remove the file if nothing needs it",
        )
    try:
        with open(path, "rb") as stream:
            stream.read(1)
    except OSError as error:
        return _unreadable(value, relative, error)
    return None


def _graph_faults(root: Path, value: str, files: list[str]) -> list[str]:
    graph = next((name for name in _GRAPHS if name in files), None)
    if graph is None:
        inner = sorted(path.parent.name for path in root.glob("*/saved_model.pb*") if path.parent.name.isdecimal())
        remedy = f"give the version directory: {root / inner[-1]}" if inner else "export with tf.saved_model.save(module, directory)"
        if any((root / name).exists() for name in _GRAPHS):
            return []
        return [describe("source", value, "a SavedModel with saved_model.pb (or .pbtxt)", "TensorFlow Serving could not load it", remedy)]
    if graph.endswith(".pb") and not _whole_protobuf(root / graph):
        return [
            describe(
                "source",
                f"{value}: {graph}",
                "a whole SavedModel message",
                "the file is cut off or not a protobuf, and loading would fail",
                "copy or export the model again",
            )
        ]
    return []


def _variable_faults(value: str, files: list[str]) -> list[str]:
    names = {name.removeprefix("variables/") for name in files if name.startswith("variables/")}
    shards = [match for match in map(_SHARD.fullmatch, sorted(names)) if match]
    index = "variables.index" in names
    consequence = "TensorFlow Serving would start without the trained weights or fail to load"
    if index and not shards:
        expected = "variables/variables.data-* beside variables/variables.index"
        return [describe("source", value, expected, consequence, "copy the whole variables directory")]
    if shards and not index:
        expected = "variables/variables.index beside variables/variables.data-*"
        return [describe("source", value, expected, consequence, "copy the whole variables directory")]
    count = max((int(match[2]) for match in shards), default=0)
    missing = [f"variables.data-{i:05d}-of-{count:05d}" for i in range(count)]
    missing = [name for name in missing if name not in names]
    if missing:
        expected = f"all {count} parts of the variables; {', '.join(missing)} missing"
        return [describe("source", value, expected, consequence, "copy the whole variables directory")]
    return []


def _whole_protobuf(path: Path) -> bool:
    """Walks the top-level fields only: schema version (1) and at least one meta graph (2), nothing cut off."""
    size = path.stat().st_size
    graphs = 0
    with open(path, "rb") as stream:
        while stream.tell() < size:
            tag = _varint(stream)
            if tag not in (0x08, 0x12):
                return False
            number = _varint(stream)
            if number is None:
                return False
            if tag == 0x12:
                graphs += 1
                if stream.tell() + number > size:
                    return False
                stream.seek(number, os.SEEK_CUR)
    return graphs > 0


def _varint(stream) -> int | None:
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    return None


def _clean_name(relative: str) -> bool:
    try:
        relative.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return not any(ord(char) < 32 or ord(char) == 127 or char == "\\" for char in relative)


def _unreadable(value: str, relative: str, error: OSError) -> str:
    expected = f"files that this user may read ({error.strerror or error})"
    return describe("source", f"{value}: {relative}", expected, "the model would be uploaded incomplete", f"run: chmod -R u+rX {value}")


def _link(value: str, relative: str, what: str) -> str:
    expected = f"a directory whose content lies inside it; this is {what}"
    return describe("source", f"{value}: {relative}", expected, "what it means depends on this machine", "replace the link by a copy")


def _where(directory: Path) -> str:
    parent = directory.parent
    if parent.is_dir():
        versions = sorted(entry.name for entry in parent.iterdir() if entry.is_dir() and entry.name.isdecimal())
        if versions:
            return f"there is {', '.join(str(parent / name) for name in versions[-3:])}"
    return "relative paths count from the project directory; export the model there or correct the path"
