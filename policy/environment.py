"""`python -m policy.environment`: the Python environment in which the CLI runs the pack, made once per set of pins.

It is apart from the project's: pulumi-policy 1.21.0 asks for protobuf 5, the program is verified on protobuf 6.
"""

from __future__ import annotations

import fcntl
import hashlib
import pathlib
import subprocess
import sys

from ops.bootstrap import cache_dir

PACK = pathlib.Path(__file__).resolve().parent
REQUIREMENTS = PACK / "requirements.txt"


class NoEnvironment(Exception):
    """pip could not make it; the message is complete."""


def ensure() -> pathlib.Path:
    """The environment, made if need be, and `policy/.venv` pointing at it. Raises NoEnvironment."""
    digest = hashlib.sha256(sys.version.encode() + REQUIREMENTS.read_bytes()).hexdigest()[:12]
    environment = cache_dir() / "policy" / digest
    environment.parent.mkdir(parents=True, exist_ok=True)
    with open(environment.parent / f"{digest}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (environment / ".complete").exists():
            _install(environment)
        _point(PACK / ".venv", environment)
    return environment


def _install(environment: pathlib.Path) -> None:
    print(f"policy pack: installing its packages into {environment} (some 20 seconds)", file=sys.stderr)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--progress-bar", "off"]
    for command in ([sys.executable, "-m", "venv", "--clear", str(environment)], [*pip, "--requirement", str(REQUIREMENTS)]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise NoEnvironment(f"{' '.join(command[:4])} failed ({said[-1] if said else 'no message'}): is the package index reachable?")
    (environment / ".complete").write_text("ok\n")


def _point(link: pathlib.Path, environment: pathlib.Path) -> None:
    if link.is_symlink() and link.resolve() == environment.resolve():
        return
    if link.exists() and not link.is_symlink():
        return  # the user's own
    temporary = link.with_name(f".venv.{environment.name}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(environment)
    temporary.replace(link)


if __name__ == "__main__":
    try:
        print(ensure())
    except NoEnvironment as error:
        sys.exit(f"error: {error}")
