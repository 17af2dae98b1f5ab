"""Makes the project's Python environment, once per set of locked packages, and points `.venv` at
it.

Runs on a bare Python (standard library only): it is the first thing `make` does on a fresh machine.
The environment lives outside the checkout, keyed by the lock and the interpreter, so that a clean
clone or another branch with the same lock costs nothing.

Everything is installed from requirements-dev.lock by version and hash. pip installs uv and
setuptools, uv the rest: it takes a sixth of pip's time. Where uv does not run or cannot reach the
index, pip installs the same lock.

    python3 ops/bootstrap.py                 the whole environment: program, commands, lab, tests
    python3 ops/bootstrap.py wheels DIR      builds wheels of what a deployment needs, for the next
    python3 ops/bootstrap.py deploy DIR      an environment of these wheels, without any index

The last two are CI's: packages are downloaded and built by a job that has no credentials, and the
job that has them runs none of their code before the command itself.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements-dev.lock"
DEPLOY_LOCK = ROOT / "requirements-deploy.lock"
POLICY_LOCK = ROOT / "policy" / "requirements.lock"
WHEELS = {"deploy": DEPLOY_LOCK, "policy": POLICY_LOCK}
"""Directories of wheels, and the lock that each is made of: what a deployment needs."""
OLDEST = (3, 11)
"""The oldest Python that the locked packages take (numpy's own bound)."""
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")
"""Python's words for a quiet pip; its command follows."""
INSTALLERS = ("setuptools", "uv")
"""What is installed first: uv installs the rest, and packages that are published as source only
(oss2, aliyun-python-sdk-core, crcmod) are built with the locked setuptools, not with one that an
isolated build would fetch unlocked.
"""


def cache_dir() -> pathlib.Path:
    """Where built and installed things are kept between checkouts (`EI_CACHE`)."""
    if explicit := os.environ.get("EI_CACHE"):
        return pathlib.Path(explicit)
    base = os.environ.get("XDG_CACHE_HOME") or str(pathlib.Path.home() / ".cache")
    return pathlib.Path(base) / "elastic-inference"


def environment_key(lock: pathlib.Path = LOCK) -> str:
    """Changes when a locked package or the interpreter changes, and never otherwise."""
    return hashlib.sha256(sys.version.encode() + lock.read_bytes()).hexdigest()[:12]


def point_venv_at(environment: pathlib.Path) -> None:
    """Makes `.venv` a link to the environment; a real `.venv` directory of the user's is left
    alone.
    """
    link = ROOT / ".venv"
    if link.is_symlink() and link.resolve() == environment.resolve():
        return
    if link.exists() and not link.is_symlink():
        fail(
            f"{link} is a directory that this project did not make; move it away (mv .venv .venv.mine) and run the same command again"
        )
    temporary = ROOT / f".venv.{os.getpid()}"
    temporary.symlink_to(environment)
    temporary.replace(link)


class InstallError(Exception):
    """The packages could not be installed; the message says what to do, the installer's own output
    why.
    """


def install(environment: pathlib.Path) -> None:
    """Creates the environment and installs the lock; the marker is written last, so an interrupted
    run is simply repeated.
    """
    started = time.monotonic()
    print(
        f"python environment: installing the locked packages into {environment} (about half a minute)",
        file=sys.stderr,
    )
    create(environment)
    python = environment / "bin" / "python"
    with tempfile.NamedTemporaryFile("w", suffix=".txt", prefix="installers-") as first:
        first.write(entries(LOCK.read_text(), INSTALLERS))
        first.flush()
        by_pip(python, pathlib.Path(first.name))
    install_lock(python, LOCK, environment / "bin" / "uv")
    (environment / ".complete").write_text("ok\n")
    print(f"python environment: ready after {time.monotonic() - started:.0f} s", file=sys.stderr)


def create(environment: pathlib.Path) -> None:
    """An empty environment with pip. Raises InstallError."""
    run(
        [sys.executable, "-m", "venv", "--clear", str(environment)],
        "creating the virtual environment",
    )


def entries(lock: str, names: tuple[str, ...]) -> str:
    """The named packages' part of a lock, with their hashes. Raises InstallError when one is not in
    it.
    """
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", lock)
    by_name = {name: block for block in blocks for name in names if block.startswith(f"{name}==")}
    if len(by_name) < len(names):
        missing = ", ".join(name for name in names if name not in by_name)
        raise InstallError(
            f"{LOCK.name} does not hold {missing}; run `make lock` where an environment is, or restore the file"
        )
    return "".join(by_name.values())


def install_lock(python: pathlib.Path, lock: pathlib.Path, uv: pathlib.Path) -> None:
    """Installs a lock into Python's environment with uv, or with pip where uv fails. Raises
    InstallError.
    """
    command = [
        str(uv),
        "pip",
        "install",
        "--quiet",
        "--python",
        str(python),
        "--no-build-isolation",
        "--require-hashes",
    ]
    try:
        done = subprocess.run(
            [*command, "--requirement", str(lock)],
            env=uv_settings(python) | os.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        reason = done.stderr.strip()
    except OSError as error:
        done, reason = None, str(error)
    if done is None or done.returncode != 0:
        print(
            f"{reason}\npython environment: uv could not install the packages (see above); pip tries",
            file=sys.stderr,
        )
        by_pip(python, lock)


def by_pip(python: pathlib.Path, lock: pathlib.Path) -> None:
    """Installs a lock with pip. Raises InstallError."""
    pip = [str(python), *PIP, "install", "--progress-bar", "off"]
    run(
        [*pip, "--no-build-isolation", "--require-hashes", "--requirement", str(lock)],
        "installing the packages",
    )


def uv_settings(python: pathlib.Path) -> dict[str, str]:
    """Pip's index, mirror and certificates as uv's variables: uv reads neither pip.conf nor PIP_*.
    Variables of uv's own win over these.
    """
    names = {
        "index-url": "UV_DEFAULT_INDEX",
        "extra-index-url": "UV_INDEX",
        "find-links": "UV_FIND_LINKS",
        "cert": "SSL_CERT_FILE",
    }
    names |= {"trusted-host": "UV_INSECURE_HOST", "proxy": "ALL_PROXY"}
    listed = subprocess.run(
        [str(python), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    # Lines such as global.index-url='…', install.cert='…', :env:.find-links='…'; the environment's
    # come first in them and win in pip.
    settings = re.findall(r"(?m)^(:env:|global|install)\.([\w-]+)='(.*)'$", listed)
    ordered = sorted(settings, key=lambda row: ("global", "install", ":env:").index(row[0]))
    return {
        "UV_NO_PROGRESS": "1",
        **{names[option]: value for _, option, value in ordered if option in names},
    }


def run(command: list[str], doing: str) -> None:
    """Runs one step. Raises InstallError; the step's own output is what explains a failure."""
    if subprocess.run(command, check=False).returncode != 0:
        raise InstallError(
            f"{doing} failed (see above). Is the package index reachable, and is there 3 GiB free in {cache_dir()}? "
            "Then run the same command again."
        )


def fail(message: str) -> None:
    """Prints one message on stderr and ends the process with exit status 1."""
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(1)


def ensure(environment: pathlib.Path) -> None:
    """Makes the environment if it is not complete; two processes that want it make it once. Raises
    InstallError.
    """
    if (environment / ".complete").exists():
        return
    environment.parent.mkdir(parents=True, exist_ok=True)
    with open(environment.parent / f"{environment.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (environment / ".complete").exists():
            install(environment)


def wheels(python: pathlib.Path, lock: pathlib.Path, directory: pathlib.Path) -> None:
    """Downloads a lock's packages by hash and builds those that are published as source only, with
    the setuptools of Python's environment; `wheels.txt` beside them names each with its hash.
    Raises InstallError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    run(
        [
            *(str(python), *PIP, "wheel"),
            *("--progress-bar", "off", "--no-deps", "--no-build-isolation", "--require-hashes"),
            *("--wheel-dir", str(directory), "--requirement", str(lock)),
        ],
        f"building wheels of {lock.name}",
    )
    lines = []
    for wheel in sorted(directory.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        lines.append(f"{name}=={version} --hash=sha256:{digest}\n")
    (directory / "wheels.txt").write_text("".join(lines))


def wheels_for_deployment(directory: pathlib.Path) -> None:
    """Wheels of all that a deployment needs, below the directory. Raises InstallError."""
    with tempfile.TemporaryDirectory(prefix="wheels-") as temporary:
        environment = pathlib.Path(temporary) / "environment"
        create(environment)
        python = environment / "bin" / "python"
        builder = pathlib.Path(temporary) / "setuptools.txt"
        builder.write_text(entries(LOCK.read_text(), ("setuptools",)))
        by_pip(python, builder)
        for name, lock in WHEELS.items():
            wheels(python, lock, directory / name)


def install_wheels(environment: pathlib.Path, directory: pathlib.Path) -> None:
    """An environment of the wheels in a directory: no index is asked, nothing is built, and none of
    the packages' code runs. Raises InstallError.
    """
    listed = directory / "wheels.txt"
    if not listed.exists():
        raise InstallError(
            f"{listed} is missing: expected wheels that `python3 ops/bootstrap.py wheels {directory.parent}` made on the same Python; run that first"
        )
    create(environment)
    run(
        [
            *(str(environment / "bin" / "python"), *PIP, "install"),
            *("--progress-bar", "off", "--no-deps"),
            *("--no-index", "--find-links", str(directory), "--only-binary", ":all:"),
            *("--require-hashes", "--requirement", str(listed)),
        ],
        f"installing the wheels of {directory}",
    )
    (environment / ".complete").write_text("ok\n")


def environment_of(lock: pathlib.Path, kind: str = "venv") -> pathlib.Path:
    """Where the environment of a lock is kept."""
    return cache_dir() / kind / environment_key(lock)


def deployment(directory: pathlib.Path) -> None:
    """The environments of a deployment, from wheels; `.venv` leads to the program's. Raises
    InstallError.
    """
    environment = environment_of(DEPLOY_LOCK)
    for name, made in (
        ("deploy", environment),
        ("policy", environment_of(POLICY_LOCK, "policy")),
    ):
        made.parent.mkdir(parents=True, exist_ok=True)
        install_wheels(made, directory / name)
    point_venv_at(environment)


def main() -> None:
    """Makes sure the environment is there; takes no time when it is."""
    if sys.version_info < OLDEST:
        fail(
            f"Python {sys.version.split()[0]} is too old: {OLDEST[0]}.{OLDEST[1]} or newer is needed; "
            "run make with PYTHON=/path/to/a/newer/python3"
        )
    parser = argparse.ArgumentParser(
        prog="python3 ops/bootstrap.py", description="Makes the project's Python environment."
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=("wheels", "deploy"),
        help="wheels: build those of a deployment; deploy: an environment of them",
    )
    parser.add_argument("directory", nargs="?", type=pathlib.Path, help="of the wheels")
    options = parser.parse_args()
    if options.what and not options.directory:
        parser.error(f"{options.what}: name the directory of the wheels")
    environment = environment_of(LOCK)
    try:
        if options.what == "wheels":
            wheels_for_deployment(options.directory)
        elif options.what == "deploy":
            deployment(options.directory)
        else:
            ensure(environment)
            point_venv_at(environment)
    except InstallError as error:
        fail(str(error))
    except OSError as error:
        place = error.filename or environment
        fail(
            f"{place}: {error.strerror or error}; make it readable and writable, or set EI_CACHE to a directory that is"
        )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\ninterrupted; the same command begins the environment anew", file=sys.stderr)
        sys.exit(130)
