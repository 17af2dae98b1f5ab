"""`python -m ops.policy_environment`: the Python environment in which the CLI runs the policy pack,
made once per set of locked packages.

It is apart from the project's: pulumi-policy 1.21.0 asks for protobuf 5, the program is verified on
protobuf 6.
"""

from __future__ import annotations

import fcntl
import pathlib
import sys

from ops import bootstrap

PACK = pathlib.Path(__file__).resolve().parent.parent / "policy"
LOCK = bootstrap.POLICY_LOCK


class PolicyEnvironmentError(Exception):
    """The environment could not be made; the message is complete."""


def ensure() -> pathlib.Path:
    """Makes the environment if it is missing and points `policy/.venv` at it; returns its path.
    Raises PolicyEnvironmentError.
    """
    environment = bootstrap.environment_of(LOCK, "policy")
    environment.parent.mkdir(parents=True, exist_ok=True)
    with open(environment.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (environment / ".complete").exists():
            _install(environment)
        _point(PACK / ".venv", environment)
    return environment


def _install(environment: pathlib.Path) -> None:
    print(
        f"policy pack: installing its packages into {environment} (some 10 seconds)",
        file=sys.stderr,
    )
    try:
        bootstrap.create(environment)
        bootstrap.install_lock(
            environment / "bin" / "python", LOCK, pathlib.Path(sys.executable).parent / "uv"
        )
    except bootstrap.InstallError as error:
        raise PolicyEnvironmentError(f"policy pack: {error}") from None
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
    except PolicyEnvironmentError as error:
        sys.exit(f"error: {error}")
