"""Where a lab lives, which host ports it takes, and the environment of commands that run inside
it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLUSTER_ID = "c210fbedb96674b9eaf15f2dc47d169a8"
REGION = "cn-shanghai"
RRSA_ISSUER = f"https://oidc-ack-{REGION}.oss-{REGION}.aliyuncs.com/{CLUSTER_ID}"
LOG_PROJECT = f"k8s-log-{CLUSTER_ID}"
LOG_STORE = "nginx-ingress"
PASSPHRASE = "local-lab"
"""Of stack `local`, whose salt is committed in Pulumi.local.yaml. It guards nothing: every secret
of the lab is made on this machine.
"""

REGION_IP = "10.0.0.2"
METADATA_IP = "100.100.100.200"
API_IP = "10.0.0.10"
INGRESS_IP = "10.0.0.80"
API_URL = f"https://{API_IP}:6443"
CONTROL_URL = f"http://{REGION_IP}:9090"

_FOREIGN = (
    "ALICLOUD_",
    "ALIBABA_CLOUD_",
    "ALIBABACLOUD_",
    "OSS_",
    "AWS_",
    "PULUMI_ACCESS_TOKEN",
    "PULUMI_BACKEND_URL",
    "KUBECONFIG",
    "KUBERNETES_",
    # the CLI takes it before the lab's own file, and can then read no secret of the lab's stacks
    "PULUMI_CONFIG_PASSPHRASE",
)
_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy"}


SCENARIO_FROM = "scenario.from"
"""File in a lab's home with what LAB_SCENARIO said when it was taken over; without it
`scenario.yaml` is the user's own.
"""


class LabError(Exception):
    """Something a person has to know; the message is complete and is shown without a traceback."""


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
    from lab.state import is_running, read_state

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
    """The scenario that LAB_SCENARIO names, one of lab/scenarios or a file of the user's; None
    leaves the lab's own as it is.
    """
    name = environ.get("LAB_SCENARIO")
    if not name:
        return None
    own = ROOT / "lab" / "scenarios"
    for candidate in (own / f"{name}.yaml", Path(name).expanduser()):
        if candidate.is_file():
            return candidate
    known = ", ".join(sorted(path.stem for path in own.glob("*.yaml")))
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


def check(environ: Mapping[str, str] = os.environ) -> None:
    """Raises LabError for a variable that a start would refuse: before anything is built, and not
    after a quarter of an hour.
    """
    ports(environ)
    clock_factor(environ)
    if (descriptor := owner(environ)) is not None:
        os.close(descriptor)
    if (scenario := scenario_file(environ)) is not None:
        from lab.alicloud.scenario import load

        try:
            load(scenario)
        except ValueError as error:
            raise LabError(f"LAB_SCENARIO={environ['LAB_SCENARIO']}: {error}") from None


NO_LOGS = """The CLI keeps no automatic log: this file stands where its directory would be.
Writing it, compressed and encrypted, takes a third of the engine's time in every command.
`pulumi --logtostderr -v=9` shows what would be in it; PULUMI_DEBUG_GRPC=FILE keeps every request.
"""


def without_logs(pulumi_home: Path) -> None:
    """Keep a CLI with this PULUMI_HOME from writing its automatic log."""
    logs = pulumi_home / "logs"
    if not logs.exists():
        logs.write_text(NO_LOGS)


def prepare(home: Path) -> None:
    """Make what commands inside rely on: directories, the passphrase of the lab's own stacks, the
    empty certificate directory.
    """
    for part in ("run", "log", "pki/empty", "data", "pulumi/home", "pulumi/state"):
        (home / part).mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    without_logs(home / "pulumi" / "home")
    passphrase = home / "pulumi" / "passphrase"
    if not passphrase.exists():
        from lab.pki import write_private

        write_private(passphrase, PASSPHRASE.encode())


def inside(home: Path | str | None = None) -> dict[str, str]:
    """The complete environment of a command inside the lab of `home` (default: LAB_HOME)."""
    home = Path(home) if home is not None else lab_home()
    keys = _credentials(home)
    ca = str(home / "pki" / "ca.pem")
    kept = {
        name: os.environ[name]
        for name in ("HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LC_ALL", "TMPDIR", "TZ")
        if name in os.environ
    }
    kept.update(
        {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("LAB_", "XDG_", "EI_"))
        }
    )
    return {
        "LANG": "C.UTF-8",
        **kept,
        "PATH": search_path(),
        "PYTHONPATH": str(ROOT),
        "LAB_HOME": str(home),
        "EI_PUBLIC_PORT": str(
            ingress_port({**os.environ, "LAB_HOME": str(home)})
        ),  # what a stack's endpoint shows for entry.publicPort
        "PULUMI_HOME": str(home / "pulumi" / "home"),
        # Files beside the state (metadata=skip leaves them out) are not written in one step: one
        # cut short by a kill hides the state.
        "PULUMI_BACKEND_URL": f"file://{home / 'pulumi' / 'state'}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(home / "pulumi" / "passphrase"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_PARALLEL_DIFF": "true",  # a tenth off every preview
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        # those laid in PULUMI_HOME, which may be from PATH, in the pinned version
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        "PULUMI_PYTHON_CMD": sys.executable,
        "ALICLOUD_ACCESS_KEY": keys["access_key"],
        "ALICLOUD_SECRET_KEY": keys["secret_key"],
        "ALICLOUD_REGION": keys["region"],
        "ALICLOUD_ACCOUNT_ID": keys["account_id"],
        "ALIBABA_CLOUD_ACCOUNT_TYPE": "Domestic",
        "SSL_CERT_FILE": ca,
        "SSL_CERT_DIR": str(home / "pki" / "empty"),
        "REQUESTS_CA_BUNDLE": ca,
        "AWS_CA_BUNDLE": ca,  # a state in OSS, through its S3-compatible hosts
        "KUBECONFIG": str(home / "kubeconfig"),
    }


def for_command(home: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What `lab exec` gives a command: the caller's environment without proxies and other clouds,
    and `inside` on top.
    """
    kept = {name: value for name, value in environ.items() if not is_foreign(name)}
    # Program and plugins start anew with every command: compiled code halves that. It is kept where
    # Python keeps it by itself, beside the source: a place in the lab's own directory is empty in
    # every new lab, and compiling what the program imports takes twice its run.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    kept.pop("PYTHONPYCACHEPREFIX", None)
    return {**kept, **inside(home)}


def is_foreign(name: str) -> bool:
    """Whether a variable of the caller's speaks of another cloud, another state or a proxy, none of
    which counts inside.
    """
    return name.lower() in _PROXIES or name.startswith(_FOREIGN)


def search_path() -> str:
    """PATH inside: the tools in use, this Python's programs, then the system's own."""
    from lab.controlplane.tools import directories

    system = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":")
    wanted = [*directories(), str(Path(sys.executable).parent), *system, "/usr/sbin", "/sbin"]
    return ":".join(dict.fromkeys(part for part in wanted if part))


def _credentials(home: Path) -> dict[str, str]:
    try:
        return json.loads((home / "credentials.json").read_text())
    except (OSError, ValueError):
        from lab.alicloud.auth.credentials import ensure_credentials

        return ensure_credentials(home)


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    with contextlib.suppress(ValueError):
        if 0 < int(text) < 65536:
            return int(text)
    raise LabError(
        f"{name}={text}: expected a port number from 1 to 65535 (default {default}); unset it or correct it"
    )
