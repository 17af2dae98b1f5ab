"""Where a lab lives, its addresses, and the variables (LAB_*) that say how it is started."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.state import is_running, read_state

ROOT = Path(__file__).resolve().parent.parent
"""Where Python finds the package `lab`: the checkout, or the environment it is installed in."""
INSTALLED = ROOT.name in ("site-packages", "dist-packages")
SCENARIOS = Path(__file__).resolve().parent / "scenarios"
CLUSTER_ID = "c210fbedb96674b9eaf15f2dc47d169a8"
REGION = "cn-shanghai"
RRSA_ISSUER = f"https://oidc-ack-{REGION}.oss-{REGION}.aliyuncs.com/{CLUSTER_ID}"
LOG_PROJECT = f"k8s-log-{CLUSTER_ID}"
LOG_STORE = "nginx-ingress"
REGION_IP = "10.0.0.2"
METADATA_IP = "100.100.100.200"
API_IP = "10.0.0.10"
INGRESS_IP = "10.0.0.80"
API_URL = f"https://{API_IP}:6443"
CONTROL_URL = f"http://{REGION_IP}:9090"

SCENARIO_FROM = "scenario.from"
"""File in a lab's home with what LAB_SCENARIO said when it was taken over; without it
`scenario.yaml` is the user's own.
"""


@dataclass(frozen=True)
class Ports:
    """Host ports on 127.0.0.1 that lead into the lab."""

    ingress: int
    api: int
    region: int

    def named(self) -> dict[str, int]:
        """The ports by the environment variable that sets each."""
        return {
            "LAB_INGRESS_PORT": self.ingress,
            "LAB_API_PORT": self.api,
            "LAB_REGION_PORT": self.region,
        }


def lab_home(environ: Mapping[str, str] = os.environ) -> Path:
    """The directory of the lab that commands mean: LAB_HOME, else below the user's state
    directory.
    """
    if environ.get("LAB_HOME"):
        return Path(environ["LAB_HOME"]).expanduser().absolute()
    state = environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return Path(state).absolute() / "elastic-inference" / "lab"


def ports(environ: Mapping[str, str] = os.environ) -> Ports:
    """The host ports to open, from the environment."""
    chosen = Ports(
        _port(environ, "LAB_INGRESS_PORT", 18080),
        _port(environ, "LAB_API_PORT", 16443),
        _port(environ, "LAB_REGION_PORT", 18443),
    )
    if len({chosen.ingress, chosen.api, chosen.region}) < 3:
        listed = ", ".join(f"{name}={port}" for name, port in chosen.named().items())
        raise LabError(
            f"{listed}: expected three different ports; set each variable to a port of its own, then run the same command again"
        )
    return chosen


def ingress_port(environ: Mapping[str, str] = os.environ) -> int:
    """The host port that leads to the ingress: that of the lab that runs, which keeps what it was
    started with, else the one to open.
    """
    home = lab_home(environ)
    running = read_state(home).get("ports") or {}
    return (
        running["ingress"] if "ingress" in running and is_running(home) else ports(environ).ingress
    )


def clock_factor(environ: Mapping[str, str] = os.environ) -> float:
    """How many times faster than life modelled delays pass (LAB_CLOCK, 1 = real time)."""
    text = environ.get("LAB_CLOCK") or "1"
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise LabError(
            f"LAB_CLOCK={text}: expected a number above 0 (1 = real time, 10 = ten times faster); unset it or correct it"
        )
    return factor


def scenario_file(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The scenario that LAB_SCENARIO names, one of those that come with the lab or a file of the
    user's; None leaves the lab's own as it is.
    """
    name = environ.get("LAB_SCENARIO")
    if not name:
        return None
    for candidate in (SCENARIOS / f"{name}.yaml", Path(name).expanduser()):
        if candidate.is_file():
            return candidate
    known = ", ".join(sorted(path.stem for path in SCENARIOS.glob("*.yaml")))
    raise LabError(
        f"LAB_SCENARIO={name}: there is no such scenario; expected one of {known}, or the path of a scenario file"
    )


def needs_user_namespace(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the lab gets a user namespace: for ordinary users, or when LAB_USERNS=1 asks for
    one.
    """
    return os.geteuid() != 0 or environ.get("LAB_USERNS") == "1"


def owner(environ: Mapping[str, str] = os.environ) -> int | None:
    """A pidfd of the process that LAB_OWNER_PID names, with which the lab is to end, however that
    ends; None when nothing is named.

    Not a process id: the lab has ids of its own, and an id can be given to somebody else once its
    process is gone. Not inherited by what is started, unless it is passed on.
    """
    text = environ.get("LAB_OWNER_PID")
    if not text:
        return None
    try:
        return os.pidfd_open(int(text))
    except (ValueError, OverflowError, OSError):
        raise LabError(
            f"LAB_OWNER_PID={text}: expected the id of a process that runs; a lab that ends with it would end at once. Unset it, or name"
            " one, then run the same command again"
        ) from None


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    with contextlib.suppress(ValueError):
        if 0 < int(text) < 65536:
            return int(text)
    raise LabError(
        f"{name}={text}: expected a port number from 1 to 65535 (default {default}); unset it or correct it"
    )


RENAMED = {"LAB_LIGHT": "LAB_STUB_PODS", "LAB_LIGHT_QPS": "LAB_STUB_QPS"}


def refuse_old_names(environ: Mapping[str, str] = os.environ) -> None:
    """Raises LabError for a variable that has another name now and would be ignored."""
    for old, new in RENAMED.items():
        if environ.get(old):
            raise LabError(
                f"{old}={environ[old]}: is called {new} now, under the old name it does nothing; set {new} instead and unset {old}"
            )
