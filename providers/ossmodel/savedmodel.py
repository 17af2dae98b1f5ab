"""Is a directory a SavedModel version that TensorFlow Serving can load? Every fault found is
reported, not only the first.

Here are the rules on paths and files; what is in them, `tensorflow.check` compares with the
TensorFlow that will load it.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from .errors import describe, listed
from .tensorflow import check as content
from .tensorflow.portable import remedies

MAX_VERSION = 2**63 - 1
MAX_KEY_BYTES = 1023
_GRAPHS = ("saved_model.pb", "saved_model.pbtxt", "saved_model.cpb")
_VERSION = re.compile(r"(?P<version>\d+\.\d+(\.\d+)?)(?P<gpu>-gpu)?")
_JUNK_FILES = re.compile(r"\.DS_Store|\._.*|Thumbs\.db")
_JUNK_FOLDERS = (".ipynb_checkpoints",)
_GPUS = 8
"""GPUs that a pod has at most."""


@dataclass
class Examined:
    """What a directory holds and what is wrong with it."""

    files: list[str]
    """Relative paths of all regular files."""
    faults: list[str] = field(default_factory=list)
    """Why it isn't uploaded."""
    warnings: list[str] = field(default_factory=list)
    """What is allowed and worth knowing."""
    notes: list[str] = field(default_factory=list)
    """What was done about the directory without anyone having to act."""
    signatures: dict[str, str] = field(default_factory=dict)
    """Inputs and outputs by signature name."""


def is_version(text: str) -> bool:
    """Whether `text` names a TensorFlow version as the image's tag does: 1.15.0, 2.15.1-gpu."""
    return bool(_VERSION.fullmatch(text))


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
        return describe(
            "source",
            value,
            expected,
            consequence,
            "rename it to a smaller number, such as a Unix time",
        )
    return None


def directory_fault(directory: Path, value: str) -> str | None:
    """What is wrong with the path itself: missing, not a directory, not readable. None if it can be
    listed.
    """
    consequence = "there is nothing to upload"
    try:
        mode = os.stat(directory).st_mode
    except FileNotFoundError:
        return describe(
            "source",
            value,
            f"an existing directory ({directory} does not exist)",
            consequence,
            _where(directory),
        )
    except NotADirectoryError:
        return describe(
            "source",
            value,
            f"a directory ({directory} lies below a file)",
            consequence,
            _where(directory),
        )
    except PermissionError as error:
        return _unreadable(value, str(directory), error)
    if not stat.S_ISDIR(mode):
        expected = "a SavedModel directory, not a file"
        return describe(
            "source",
            value,
            expected,
            consequence,
            f"give the directory that holds the file: {directory.parent}",
        )
    return None


def examine(directory: Path, value: str, tensorflow: str | None) -> Examined:
    """Look at a directory that exists; `value` is how the user wrote it, `tensorflow` the version
    that will load it, if it is known.
    """
    files, faults, junk = _walk(directory, value)
    result = Examined(files, faults)
    if junk:
        result.notes.append(
            f"{value}: not part of the model and not uploaded: {listed(junk)}, which a file manager or notebook left there"
        )
    if faults:
        return result
    graph = next((name for name in _GRAPHS if name in files), None)
    if graph is None:
        result.faults.append(_no_graph(directory, value))
        return result
    found = _VERSION.fullmatch(tensorflow or "")
    version = found["version"] if found else None
    report = content.check(directory, version, gpus=_GPUS if found and found["gpu"] else 0)
    for finding in content.condensed(report.refusals):
        remedy = finding.remedy or remedies(directory, version or "")
        result.faults.append(
            describe(
                "source", f"{value}: {finding.where}", finding.expected, finding.consequence, remedy
            )
        )
    for finding in content.condensed(report.failing):
        remedy = finding.remedy or remedies(directory, version or "")
        result.warnings.append(
            describe(
                "source", f"{value}: {finding.where}", finding.expected, finding.consequence, remedy
            )
        )
    result.warnings += [f"{value}: {note}" for note in report.notes]
    for name in files:
        if name.startswith("assets/") and not (directory / name).stat().st_size:
            result.warnings.append(
                f"{value}: {name} has 0 bytes, which is what an interrupted export leaves"
            )
    result.signatures = report.signatures
    return result


def is_junk(relative: str) -> bool:
    """Whether a path is what file managers and notebooks leave in any directory that they show:
    `.DS_Store`, `._*`, `Thumbs.db`, `.ipynb_checkpoints`. No model reads it, and it comes and goes
    without anyone's doing, so it neither counts nor is sent.
    """
    *folders, name = relative.split("/")
    return bool(_JUNK_FILES.fullmatch(name)) or any(part in _JUNK_FOLDERS for part in folders)


def list_files(directory: Path, value: str) -> tuple[list[str], list[str]]:
    """(relative paths of the regular files that make up the model, faults of their names and kinds)
    of a directory that exists. What `is_junk` names is in neither.
    """
    files, found, _ = _walk(directory, value)
    return files, found


def _walk(root: Path, value: str) -> tuple[list[str], list[str], list[str]]:
    files: list[str] = []
    found: list[str] = []
    junk: list[str] = []

    def failed(error: OSError) -> None:
        found.append(_unreadable(value, os.path.relpath(str(error.filename), root), error))

    for folder, folders, names in os.walk(root, onerror=failed):
        for name in sorted(folders):
            if os.path.islink(os.path.join(folder, name)):
                found.append(
                    _link(
                        value,
                        os.path.relpath(os.path.join(folder, name), root),
                        "a link to a directory",
                    )
                )
        for name in sorted(names):
            path = Path(folder, name)
            relative = path.relative_to(root).as_posix()
            if is_junk(relative):
                junk.append(relative)
                continue
            fault = _file_fault(root, path, relative, value)
            if fault:
                found.append(fault)
            else:
                files.append(relative)
    return sorted(files), found, sorted(junk)


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
        return describe(
            "source",
            f"{value}: {relative}",
            "regular files only, not a device, pipe or socket",
            consequence,
            "remove it",
        )
    try:
        with open(path, "rb") as stream:
            stream.read(1)
    except OSError as error:
        return _unreadable(value, relative, error)
    return None


def _no_graph(root: Path, value: str) -> str:
    inner = sorted(
        path.parent.name for path in root.glob("*/saved_model.pb*") if path.parent.name.isdecimal()
    )
    remedy = (
        f"give the version directory: {root / inner[-1]}"
        if inner
        else "export with tf.saved_model.save(module, directory)"
    )
    return describe(
        "source",
        value,
        "a SavedModel with saved_model.pb (or .pbtxt)",
        "TensorFlow Serving could not load it",
        remedy,
    )


def _clean_name(relative: str) -> bool:
    try:
        relative.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return not any(ord(char) < 32 or ord(char) == 127 or char == "\\" for char in relative)


def _unreadable(value: str, relative: str, error: OSError) -> str:
    expected = f"files that this user may read ({error.strerror or error})"
    return describe(
        "source",
        f"{value}: {relative}",
        expected,
        "the model would be uploaded incomplete",
        f"run: chmod -R u+rX {value}",
    )


def _link(value: str, relative: str, what: str) -> str:
    expected = f"a directory whose content lies inside it; this is {what}"
    return describe(
        "source",
        f"{value}: {relative}",
        expected,
        "what it means depends on this machine",
        "replace the link by a copy",
    )


def _where(directory: Path) -> str:
    parent = directory.parent
    if parent.is_dir():
        versions = sorted(
            entry.name for entry in parent.iterdir() if entry.is_dir() and entry.name.isdecimal()
        )
        if versions:
            return f"there is {', '.join(str(parent / name) for name in versions[-3:])}"
    return "relative paths count from the project directory; export the model there or correct the path"
