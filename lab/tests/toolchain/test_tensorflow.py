"""TensorFlow's libraries: which release stands for an image, how they come into the cache, and what
is said when they can't.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.toolchain import ToolchainError, elf, tensorflow
from lab.toolchain.progress import Board
from lab.toolchain.tensorflow import RELEASES, Release


@pytest.mark.parametrize(
    ("tag", "version", "note"),
    [
        ("1.15.0-gpu", "1.15.0", ""), ("1.15", "1.15.0", ""), ("2.15.1", "2.15.1", ""), ("2.21.0-devel-gpu", "2.21.0", ""),
        ("1.14.0", "1.15.0", "TensorFlow 1.14.0"), ("2.0.0", "2.15.1", "TensorFlow 2.0.0"), ("2.17.0-gpu", "2.15.1", "TensorFlow 2.17.0"),
        ("2.18.0", "2.21.0", "TensorFlow 2.18.0"), ("2.15.0", "2.15.1", "TensorFlow 2.15.0"), ("3.1.0", "2.21.0", "TensorFlow 3.1.0"),
        ("0.12", "1.15.0", "TensorFlow 0.12"), ("latest", "2.21.0", "names no TensorFlow version"), ("", "2.21.0", "names no"),
        ("nightly-gpu", "2.21.0", "names no"), ("20240101", "2.21.0", "names no"),
    ],
)  # fmt: skip
def test_the_nearest_release_stands_for_an_image_and_what_differs_is_said(
    tag: str, version: str, note: str
) -> None:
    choice = tensorflow.choose(tag, ("1.15.0", "2.15.1", "2.21.0"))
    assert choice.version == version
    assert (note in choice.note and version in choice.note) if note else choice.note == ""


def test_only_what_is_there_is_chosen_from() -> None:
    assert tensorflow.choose("2.15.1", ["1.15.0"]).version == "1.15.0"
    assert tensorflow.choose("latest", ["2.15.1", "1.15.0"]).version == "2.15.1"
    with pytest.raises(ValueError, match="no TensorFlow release"):
        tensorflow.choose("2.15.1", [])


def make_wheel(
    folder: Path, name: str = "tensorflow_cpu-9.9.9-cp311-cp311-manylinux2014_x86_64.whl"
) -> Path:
    """A wheel with two tiny real libraries."""
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tensorflow/a.so", elf.library_of(["of_a"], "a.so"))
        archive.writestr("tensorflow/b.so", elf.library_of(["of_b"], "b.so"))
        archive.writestr("tensorflow/big.py", "x" * 1000)
        archive.writestr(
            "tensorflow_cpu-9.9.9.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: tensorflow-cpu\nVersion: 9.9.9\n",
        )
        archive.writestr(
            "tensorflow_cpu-9.9.9.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: false\n",
        )
        archive.writestr("tensorflow_cpu-9.9.9.dist-info/RECORD", "")
    return path


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """A small release that pip finds in a directory, and an empty cache."""
    wheel = make_wheel(tmp_path)
    made = Release(
        "9.9.9", "tensorflow-cpu", "3.11", "manylinux2014_x86_64", wheel.stat().st_size, 2000,
        hashlib.sha256(wheel.read_bytes()).hexdigest(),
        ("tensorflow/a.so", "tensorflow/b.so"),
    )  # fmt: skip
    monkeypatch.setitem(RELEASES, "9.9.9", made)
    monkeypatch.setenv("EI_CACHE", str(tmp_path / "cache"))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return made


def test_only_the_libraries_are_kept_and_a_second_call_downloads_nothing(
    release: Release, tmp_path: Path
) -> None:
    lines: list[str] = []
    with pytest.raises(
        ToolchainError,
        match=r"is not there yet. Get it with .* -m lab.toolchain ensure tensorflow-9\.9\.9",
    ):
        tensorflow.find("9.9.9")
    found = tensorflow.ensure("9.9.9", lines.append)
    assert [file.name for file in found.files] == ["a.so", "b.so"]
    ctypes.c_int.in_dll(ctypes.CDLL(str(found.files[0])), "of_a")
    assert {path.name for path in found.files[0].parent.iterdir()} == {"a.so", "b.so", ".ready"}
    assert "downloading TensorFlow's libraries" in lines[0]
    (tmp_path / "tensorflow_cpu-9.9.9-cp311-cp311-manylinux2014_x86_64.whl").unlink()
    assert tensorflow.ensure("9.9.9", lines.append) == tensorflow.find("9.9.9") == found
    assert len(lines) == 2
    assert "9.9.9" in tensorflow.there()


def test_another_wheel_than_the_pinned_one_is_refused_and_nothing_is_left(
    release: Release, tmp_path: Path
) -> None:
    with zipfile.ZipFile(
        tmp_path / "tensorflow_cpu-9.9.9-cp311-cp311-manylinux2014_x86_64.whl", "a"
    ) as archive:
        archive.writestr("tensorflow/more", "")
    with pytest.raises(
        ToolchainError, match=r"pip could not download the wheel of tensorflow-cpu 9.9.9"
    ) as caught:
        tensorflow.ensure("9.9.9", lambda _: None)
    assert "Is the package index reached" in str(caught.value)
    assert [path.name for path in (tmp_path / "cache" / "tensorflow").iterdir()] == [".lock-9.9.9"]


def test_a_damaged_directory_is_made_anew(release: Release) -> None:
    found = tensorflow.ensure("9.9.9", lambda _: None)
    found.files[1].unlink()
    assert "9.9.9" not in tensorflow.there()
    assert tensorflow.ensure("9.9.9", lambda _: None).files[1].exists()


def test_two_at_once_unpack_it_once(release: Release) -> None:
    lines: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: tensorflow.ensure("9.9.9", lines.append), range(2))
    assert first == second
    assert len([line for line in lines if "downloading" in line]) == 1


def test_a_full_disk_is_said_before_anything_is_downloaded(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = tensorflow.shutil._ntuple_diskusage(2**30, 2**30, 100)  # type: ignore[attr-defined]  # the type that shutil gives
    monkeypatch.setattr(tensorflow.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(
        ToolchainError,
        match=r"tensorflow-9\.9\.9: takes .* GiB while it is unpacked .* set EI_CACHE to a larger disk",
    ):
        tensorflow.ensure("9.9.9", lambda _: None)


def test_another_machine_is_told_what_it_can_do_instead() -> None:
    with pytest.raises(
        ToolchainError, match=r"for Linux on x86_64, this is Darwin on arm64.*LAB_STUB_PODS=1"
    ):
        tensorflow.check_machine("tensorflow-1.15.0", "Darwin", "arm64")


def test_an_unknown_version_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        ToolchainError,
        match=r"tensorflow-1\.2\.3: no such release is pinned\. There are: tensorflow-1\.14\.0, ",
    ):
        tensorflow.ensure("1.2.3")


def test_progress_names_the_part_and_the_time_left() -> None:
    step = Board().begin("tensorflow-9.9.9")
    step.text, step.done, step.total, step.unit, step.left = "downloading", 50, 200, "MB", 90.0
    assert step.line() == "tensorflow-9.9.9: downloading, 50 of 200 MB after 0 s, about 2 min left"


def test_a_written_library_is_loaded_and_holds_every_name(tmp_path: Path) -> None:
    names = [f"symbol_{number}" for number in range(300)]
    (tmp_path / "many.so").write_bytes(elf.library_of(names, "many.so"))
    script = "import ctypes, sys; lib = ctypes.CDLL(sys.argv[1])\nfor n in range(300): ctypes.c_int.in_dll(lib, f'symbol_{n}')"
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "many.so")], check=True
    )  # apart: a library that breaks the loader would end the tests


def test_undefined_symbols_are_read_from_a_real_library(tmp_path: Path) -> None:

    library = importlib.import_module("numpy._core._multiarray_umath").__file__
    names = elf.undefined(Path(str(library)), ("Py",))
    assert "PyErr_SetString" in names
    (tmp_path / "text").write_bytes(
        b"not a library at all, but long enough to hold a header of sixty-four bytes"
    )
    with pytest.raises(ValueError, match="is not a 64-bit little-endian ELF file"):
        elf.undefined(tmp_path / "text", ("Py",))
