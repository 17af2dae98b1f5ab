"""Makes the project's Python environment, once per set of pins, and points `.venv` at it.

Runs on a bare Python (standard library only): it is the first thing `make` does on a fresh machine. The environment lives outside the
checkout, keyed by the requirement files and the interpreter, so that a clean clone or another branch with the same pins costs nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")
OLDEST = (3, 10)


def cache_dir() -> pathlib.Path:
    """Where built and installed things are kept between checkouts (`EI_CACHE`)."""
    if explicit := os.environ.get("EI_CACHE"):
        return pathlib.Path(explicit)
    base = os.environ.get("XDG_CACHE_HOME") or str(pathlib.Path.home() / ".cache")
    return pathlib.Path(base) / "elastic-inference"


def environment_key() -> str:
    """Changes when a pin or the interpreter changes, and never otherwise."""
    digest = hashlib.sha256(sys.version.encode())
    for name in REQUIREMENTS:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()[:12]


def point_venv_at(environment: pathlib.Path) -> None:
    """Makes `.venv` a link to the environment; a real `.venv` directory of the user's is left alone."""
    link = ROOT / ".venv"
    if link.is_symlink() and link.resolve() == environment.resolve():
        return
    if link.exists() and not link.is_symlink():
        fail(f"{link} is a directory that this project did not make; move it away (mv .venv .venv.mine) and run the same command again")
    temporary = ROOT / f".venv.{os.getpid()}"
    temporary.symlink_to(environment)
    temporary.replace(link)


def install(environment: pathlib.Path) -> None:
    """Creates the environment and installs the pins; the marker is written last, so an interrupted run is simply repeated."""
    started = time.monotonic()
    print(f"python environment: installing the pinned packages into {environment} (about a minute)", file=sys.stderr)
    run([sys.executable, "-m", "venv", "--clear", str(environment)], "creating the virtual environment")
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--progress-bar", "off"]
    run([*pip, "--requirement", str(ROOT / "requirements-dev.txt")], "installing the packages")
    (environment / ".complete").write_text("ok\n")
    print(f"python environment: ready after {time.monotonic() - started:.0f} s", file=sys.stderr)


def run(command: list[str], doing: str) -> None:
    """Runs one step; its own output is what explains a failure, ours says what to do."""
    if subprocess.run(command).returncode != 0:
        fail(
            f"{doing} failed (see above). Is the package index reachable, and is there 3 GiB free in {cache_dir()}? "
            "Then run the same command again."
        )


def fail(message: str) -> None:
    """Ends with one message."""
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(1)


def main() -> None:
    """Makes sure the environment is there; takes no time when it is."""
    if sys.version_info < OLDEST:
        fail(
            f"Python {sys.version.split()[0]} is too old: the lab needs {OLDEST[0]}.{OLDEST[1]} or newer; "
            "run make with PYTHON=/path/to/a/newer/python3"
        )
    environment = cache_dir() / "venv" / environment_key()
    if not (environment / ".complete").exists():
        environment.parent.mkdir(parents=True, exist_ok=True)
        with open(environment.parent / f"{environment.name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (environment / ".complete").exists():
                install(environment)
    point_venv_at(environment)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
