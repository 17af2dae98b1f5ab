"""TensorFlow's own libraries, taken from its published wheels: what the lab's model server loads
and runs SavedModels with.

Only the two shared libraries of a wheel are kept, in `<cache>/tensorflow/<version>-<key>/`; Python
code, headers and dependencies are not. They are used through TensorFlow's C API
(lab/serving/tensorflow.py), from any Python, whatever Python the wheel is for.

    tensorflow.choose("1.15.0-gpu")          # the release for an image's tag
    tensorflow.ensure("1.15.0").files        # downloads the wheel if need be, shows progress
    tensorflow.find("1.15.0").files          # never downloads
"""

import hashlib
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.toolchain import elf
from lab.toolchain.child import Child
from lab.toolchain.errors import ToolchainError
from lab.toolchain.lock import exclusive
from lab.toolchain.paths import bytes_below, cache_root
from lab.toolchain.progress import Board, Progress, Step, duration
from lab.toolchain.tool import Tool

PREFIX = "tensorflow-"
"""What the libraries are called as a tool: `tensorflow-1.15.0`."""
READY = ".ready"
SHIM = "libpythonsymbols.so"
_TEMPORARY = ".unpacking-"
_LAYOUT = "1"
"""Changes when what is kept of a wheel changes."""


@dataclass(frozen=True)
class Release:
    """One pinned wheel and the libraries in it, in the order in which they are loaded."""

    version: str
    package: str
    """tensorflow-cpu, or tensorflow where there is no such wheel (then it is for the CPU
    itself).
    """
    python: str
    """Python version that the wheel is for, as pip's --python-version has it. The libraries run
    with every Python.
    """
    platform: str
    wheel_bytes: int
    unpacked_bytes: int
    sha256: str
    libraries: tuple[str, ...]

    @property
    def abi(self) -> str:
        """Pip's --abi: "cp311", and "cp37m" for the Pythons that had the m."""
        return f"cp{self.python.replace('.', '')}{'m' if self.python == '3.7' else ''}"

    @property
    def shim(self) -> bool:
        """Whether the library names symbols of Python, some of which newer Pythons don't have: a
        library with all of them comes first.
        """
        return self.libraries[-1].endswith("_pywrap_tensorflow_internal.so")

    @property
    def name(self) -> str:
        """Its name as a tool: `tensorflow-<version>`."""
        return PREFIX + self.version


@dataclass(frozen=True)
class Libraries:
    """The unpacked libraries of one release; `files` in the order in which they are loaded."""

    version: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Choice:
    """The release for an image's tag. `note` says why it is another version than the tag's; "" when
    it is the same.
    """

    version: str
    note: str = ""


_RELEASES = [
    Release("1.14.0", "tensorflow", "3.7", "manylinux1_x86_64", 109_275_882, 279_654_000,
            "d982a6fef251ec1358129213385ec027f87ee72246dffe1136ca6109def209f7",
            ("tensorflow-1.14.0.data/purelib/tensorflow/libtensorflow_framework.so.1", 
             "tensorflow-1.14.0.data/purelib/tensorflow/python/_pywrap_tensorflow_internal.so")),
    Release("1.15.0", "tensorflow-cpu", "3.7", "manylinux2010_x86_64", 110_827_733, 279_638_520,
            "2996f18a570790e04689c0c0f1b401c06890861c1b13bc01a6e88e291fd206ea",
            ("tensorflow_core/libtensorflow_framework.so.1", "tensorflow_core/python/_pywrap_tensorflow_internal.so")),
    Release("2.0.4", "tensorflow", "3.7", "manylinux2010_x86_64", 86_379_874, 271_182_688,
            "607a08db860c1338a34c1d123f395a2652ae020eb3c9815840694f552af5346c",
            ("tensorflow_core/libtensorflow_framework.so.2", "tensorflow_core/python/_pywrap_tensorflow_internal.so")),
    Release("2.1.4", "tensorflow-cpu", "3.7", "manylinux2010_x86_64", 104_825_667, 292_873_984,
            "a9c567e33f03579f2a883fa1110777082069a6a0221332efbbca92c587d7424c",
            ("tensorflow_core/libtensorflow_framework.so.2", "tensorflow_core/python/_pywrap_tensorflow_internal.so")),
    Release("2.2.3", "tensorflow-cpu", "3.8", "manylinux2010_x86_64", 144_689_897, 326_789_448,
            "250745464f3b226f35dd499f78453c569977458cb8a960e2e4d651a701b5444a",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/python/_pywrap_tensorflow_internal.so")),
    Release("2.3.4", "tensorflow-cpu", "3.8", "manylinux2010_x86_64", 137_639_211, 353_026_624,
            "11b2da66ab93572944562fb9d0054a2e790bb25f282a189020b4bd15b9ca8335",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/python/_pywrap_tensorflow_internal.so")),
    Release("2.4.4", "tensorflow-cpu", "3.8", "manylinux2010_x86_64", 144_452_946, 366_836_976,
            "870686392ccfb30775c1da9388a33aca0edf4eb12432c44a8718d958812c1c41",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/python/_pywrap_tensorflow_internal.so")),
    Release("2.5.3", "tensorflow-cpu", "3.9", "manylinux2010_x86_64", 173_962_912, 445_428_752,
            "5452bfde029248c9422395ecafc1743065440d3dd67100c46e42968e53b4da67",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/python/_pywrap_tensorflow_internal.so")),
    Release("2.6.5", "tensorflow-cpu", "3.9", "manylinux2010_x86_64", 178_277_635, 461_237_552,
            "3255a72cb4a3774c4dd05f53a6eff2ad8c8c7c2652cbda6aa724a5538c730d3d",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/python/_pywrap_tensorflow_internal.so")),
    Release("2.7.4", "tensorflow-cpu", "3.9", "manylinux2010_x86_64", 186_244_822, 463_878_200,
            "747e6ba5486dba7dbf02de0a1fa031e64f7fa9f66d28cd61e4e85c057d4992df",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/python/_pywrap_tensorflow_internal.so")),
    Release("2.8.4", "tensorflow-cpu", "3.10", "manylinux2010_x86_64", 191_420_138, 468_476_176,
            "be9e933164e9359ab81452416fb202de7ae404053c530d859e50f0930fafd4ef",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/python/_pywrap_tensorflow_internal.so")),
    Release("2.9.3", "tensorflow-cpu", "3.10", "manylinux_2_17_x86_64", 207_525_166, 507_397_744,
            "9037ab0580b0dfcc054713490dd6c84a6e66ea32216488faadcc2e8f7a0abaa8",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/python/_pywrap_tensorflow_internal.so")),
    Release("2.10.1", "tensorflow-cpu", "3.10", "manylinux_2_17_x86_64", 214_476_985, 536_110_856,
            "0d30c8199b542b7144d7fffa5ee9bd9e539657b15c60a61b7a0ad44a8d1379d2",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/python/_pywrap_tensorflow_internal.so")),
    Release("2.11.0", "tensorflow-cpu", "3.10", "manylinux_2_17_x86_64", 221_454_512, 548_870_456,
            "b318429219392b2e73f72099db5b92cfd516171c1e10e4ef37b0f53166f627da",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/python/_pywrap_tensorflow_internal.so")),
    Release("2.12.1", "tensorflow-cpu", "3.11", "manylinux_2_17_x86_64", 231_826_663, 577_575_968,
            "7ffb595707a8fb376deaddc768784c7a0242b16cbc6e06393b1733b2ce19f855",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/libtensorflow_cc.so.2")),
    Release("2.13.1", "tensorflow-cpu", "3.11", "manylinux_2_17_x86_64", 186_594_601, 560_777_048,
            "87be6e61314b2c0fa062f71e26e41d6a17e162ffe4da72c820fe8f1fc94d97fe",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/libtensorflow_cc.so.2")),
    Release("2.14.1", "tensorflow-cpu", "3.11", "manylinux_2_17_x86_64", 198_258_937, 594_025_840,
            "7f9d705b4d57acc5835de9d926515a70535e3a178a89ad59f0d380503b69f705",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/libtensorflow_cc.so.2")),
    Release("2.15.1", "tensorflow-cpu", "3.11", "manylinux_2_17_x86_64", 207_208_420, 613_776_168,
            "54660c074d7241a503e81edfd9f5ef5af88f64051b72e2945f26318c790f2d26",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/libtensorflow_cc.so.2")),
    Release("2.16.2", "tensorflow-cpu", "3.11", "manylinux_2_17_x86_64", 214_055_683, 631_549_472,
            "c855cb6bf05d32dd5928086b03a5f6b4189b63c22b95e017703cbee4291023ca",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/libtensorflow_cc.so.2")),
    Release("2.17.1", "tensorflow-cpu", "3.11", "manylinux_2_17_x86_64", 221_239_512, 645_082_824,
            "4935d35d15924602605c839cb6cd5a578f89f626d8736f62065fe3a089b63b6f",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/libtensorflow_cc.so.2")),
    Release("2.18.1", "tensorflow-cpu", "3.11", "manylinux_2_17_x86_64", 230_236_181, 682_569_648,
            "810c75d7149d2da0cb2092187817b0dcabb80728ca9f9cf3a61f3f42fadd1298",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/libtensorflow_cc.so.2")),
    Release("2.19.1", "tensorflow-cpu", "3.11", "manylinux_2_17_x86_64", 251_795_484, 747_544_032,
            "0b6d72bd09c267e7573757bd309f5b1e2cdb02577339991da751f3a1411e4dae",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/libtensorflow_cc.so.2")),
    Release("2.20.0", "tensorflow-cpu", "3.11", "manylinux_2_17_x86_64", 258_876_263, 779_485_312,
            "cf756bbe2d256e942ab5d0ad2c858fb40017581494febdb4387c149b1afde780",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/libtensorflow_cc.so.2")),
    Release("2.21.0", "tensorflow-cpu", "3.11", "manylinux_2_27_x86_64", 273_829_956, 853_308_936,
            "2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c",
            ("tensorflow/libtensorflow_framework.so.2", "tensorflow/libtensorflow_cc.so.2")),
]  # fmt: skip
RELEASES: dict[str, Release] = {release.version: release for release in _RELEASES}
"""Oldest first: the last patch release of every minor version from 1.14 on, and 1.15.0, which the
default image has.
"""
TESTED = ("1.15.0", "2.15.1", "2.21.0")
"""What the project's tests run on; a run of all tests downloads these."""
_TAG = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?![\d.])")


def choose(tag: str, among: Iterable[str] = tuple(RELEASES)) -> Choice:
    """The release that stands for an image with this tag: the same version, else the nearest of
    `among`, else (a tag that names no version) the newest.

    Nearest is first the same major version, then the least distance of the minor version, then the
    newer one. Raises ValueError if `among` is empty.
    """
    versions = sorted(among, key=_number)
    if not versions:
        raise ValueError("no TensorFlow release to choose from")
    found = _TAG.match(tag)
    if not found:
        return Choice(
            versions[-1],
            f"the image's tag {tag!r} names no TensorFlow version; {versions[-1]}, the newest here, is used",
        )
    wanted = (int(found[1]), int(found[2]), int(found[3] or 0))

    def distance(version: str) -> tuple[int, int, int]:
        major, minor, patch = _number(version)
        if major != wanted[0]:  # of a neighbouring major version the end that is nearer
            return abs(major - wanted[0]), minor if major > wanted[0] else -minor, 0
        return 0, abs(minor - wanted[1]), abs(patch - wanted[2])

    nearest = min(reversed(versions), key=distance)
    if _number(nearest) == wanted:
        return Choice(nearest)
    asked = ".".join(part for part in found.groups() if part is not None)
    return Choice(
        nearest,
        f"the image has TensorFlow {asked}; TensorFlow {nearest}, the nearest here, is used",
    )


def described(version: str) -> Tool:
    """The libraries as a tool; ToolchainError if they are not there."""
    return Tool(PREFIX + version, find(version).files[-1], version, "wheel")


def there() -> list[str]:
    """The versions whose libraries are unpacked, oldest first."""
    return [version for version, release in RELEASES.items() if _load(release)]


def find(version: str) -> Libraries:
    """The libraries if they are unpacked already. Raises ToolchainError, which names the command to
    get them, if not.
    """
    release = _release(version)
    if found := _load(release):
        return found
    raise ToolchainError(
        f"{release.name}: is not there yet. Get it with `{sys.executable} -m lab.toolchain ensure {release.name}`."
    )


def ensure(version: str, say: Progress | None = None) -> Libraries:
    """The libraries, from the cache or downloaded now. Raises ToolchainError if they can't be
    had.
    """
    with Board(say) as board:
        return provide(version, board, threading.Event())


def provide(version: str, board: Board, ended: threading.Event) -> Libraries:
    """As `ensure`, beside other work; ends early once `ended` is set."""
    release = _release(version)
    if found := _load(release):
        return found
    check_machine(release.name)
    home = _home()
    step = board.begin(release.name)
    try:
        with exclusive(home / f".lock-{version}", step, board, ended):
            if found := _load(release):
                return found
            for leftover in home.glob(f"{_TEMPORARY}{version}-*"):
                shutil.rmtree(leftover, ignore_errors=True)
            _check_space(release)
            temporary = Path(tempfile.mkdtemp(prefix=f"{_TEMPORARY}{version}-", dir=home))
            try:
                _unpack(release, _download(release, temporary, step, board, ended), temporary)
                _put_in_place(release, temporary)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    finally:
        board.end(step)
    if found := _load(release):
        return found
    raise ToolchainError(
        f"{release.name}: was unpacked, but {directory_of(release)} is gone again. Run the same command again."
    )


def check_machine(
    name: str, system: str = platform.system(), machine: str = platform.machine()
) -> None:
    """Raises ToolchainError where the pinned wheels don't run."""
    if (system, machine) != ("Linux", "x86_64"):
        raise ToolchainError(
            f"{name}: the pinned wheels are for Linux on x86_64, this is {system} on {machine}. "
            "The model server of the lab can't compute here: use an x86_64 machine, or stub pods (LAB_STUB_PODS=1)."
        )


def directory_of(release: Release) -> Path:
    """Where the libraries are or will be."""
    pins = "\0".join((_LAYOUT, release.sha256, *release.libraries, str(release.shim)))
    return _home() / f"{release.version}-{hashlib.sha256(pins.encode()).hexdigest()[:12]}"


def _home() -> Path:
    return cache_root() / "tensorflow"


def _number(version: str) -> tuple[int, int, int]:
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


def _release(version: str) -> Release:
    if version not in RELEASES:
        raise ToolchainError(
            f"{PREFIX}{version}: no such release is pinned. There are: {', '.join(PREFIX + known for known in RELEASES)}."
        )
    return RELEASES[version]


def _file(member: str) -> str:
    """A library's file name in the cache."""
    return member.rsplit("/", 1)[-1]


def _load(release: Release) -> Libraries | None:
    directory = directory_of(release)
    names = [*([SHIM] if release.shim else []), *map(_file, release.libraries)]
    files = tuple(directory / name for name in names)
    return (
        Libraries(release.version, files)
        if (directory / READY).exists() and all(map(Path.exists, files))
        else None
    )


def _check_space(release: Release) -> None:
    """Raises ToolchainError if wheel and libraries don't fit."""
    needed, free = (
        (release.wheel_bytes + release.unpacked_bytes) / 2**30,
        shutil.disk_usage(_home()).free / 2**30,
    )
    if free < needed:
        raise ToolchainError(
            f"{release.name}: takes {needed:.1f} GiB while it is unpacked ({release.unpacked_bytes / 2**30:.1f} GiB after it), but only "
            f"{free:.1f} GiB are free under {_home()}. Free some space, or set EI_CACHE to a larger disk, and run the same command again."
        )


def _download(
    release: Release, temporary: Path, step: Step, board: Board, ended: threading.Event
) -> Path:
    """The wheel, checked against its pinned hash by pip. Raises ToolchainError with pip's last
    line.
    """
    megabytes = release.wheel_bytes / 1e6
    board.line(
        f"{release.name}: downloading TensorFlow's libraries, {megabytes:.0f} MB (first time only)"
    )
    pins, downloads = temporary / "pins.txt", temporary / "pip"
    downloads.mkdir()
    pins.write_text(f"{release.package}=={release.version} --hash=sha256:{release.sha256}\n")
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir",
        "--disable-pip-version-check", "--progress-bar=off", "--python-version", release.python, "--implementation", "cp",
        "--abi", release.abi, "--platform", release.platform, "--dest", str(temporary), "--requirement", str(pins),
    ]  # fmt: skip
    log = cache_root() / "log" / f"download-{release.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    # pip writes the wheel below TMPDIR before it moves it: its growth is the progress.
    with log.open("wb") as sink, Child(command, ended, variables={"TMPDIR": str(downloads)}) as pip:
        for chunk in pip.output():
            sink.write(chunk)
            done = bytes_below(downloads)
            left = step.elapsed * (release.wheel_bytes - done) / done if done else None
            step.show("downloading", round(done / 1e6), round(megabytes), "MB", left)
        code = pip.wait()
    if ended.is_set():
        raise ToolchainError(
            f"{release.name}: the download was ended. The same command starts it again."
        )
    wheels = list(temporary.glob("*.whl"))
    if code != 0 or len(wheels) != 1:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()] or [
            f"exit status {code}"
        ]
        reason = next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1])
        raise ToolchainError(
            f"{release.name}: pip could not download the wheel of {release.package} {release.version} ({reason}; all of it: {log}). "
            "Without it the lab can't run a model of this version. Is the package index reached? Then run the same command again."
        )
    board.line(f"{release.name}: {megabytes:.0f} MB downloaded in {duration(step.elapsed)}")
    return wheels[0]


def _unpack(release: Release, wheel: Path, directory: Path) -> None:
    """The libraries out of the wheel, and what else the process needs beside them; the zip's own
    checksums are compared.
    """
    with zipfile.ZipFile(wheel) as archive:
        for member in release.libraries:
            with archive.open(member) as source, (directory / _file(member)).open("wb") as target:
                shutil.copyfileobj(source, target, 2**20)
                target.flush()
                os.fsync(target.fileno())  # before the directory is called complete
    if release.shim:
        names = sorted(
            {
                name
                for member in release.libraries
                for name in elf.undefined(directory / _file(member), ("Py", "_Py"))
            }
        )
        (directory / SHIM).write_bytes(elf.library_of(names, SHIM))


def _put_in_place(release: Release, temporary: Path) -> None:
    final = directory_of(release)
    for path in temporary.glob("*.whl"):
        path.unlink()
    (temporary / "pins.txt").unlink()
    shutil.rmtree(temporary / "pip", ignore_errors=True)
    (temporary / READY).write_text(
        json.dumps({"version": release.version, "sha256": release.sha256}) + "\n"
    )
    temporary.chmod(0o755)
    if final.exists():  # damaged: it had no .ready, or a library was missing
        shutil.rmtree(final)
    temporary.rename(final)
