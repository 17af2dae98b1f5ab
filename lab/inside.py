"""The environment of commands that run inside a lab."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from lab.alicloud.auth.credentials import ensure_credentials
from lab.controlplane.tools import directories
from lab.environment import INSTALLED, ROOT, ingress_port, lab_home
from lab.files import write_private

PASSPHRASE = "local-lab"
"""Of the Pulumi stacks in a lab: the same in every lab, so that the salt in a stack file can be
committed. It guards nothing: every secret of a lab is made on its machine.
"""
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
        # Installed, it would put the lab's packages before those of a program's own environment.
        **({} if INSTALLED else {"PYTHONPATH": str(ROOT)}),
        "LAB_HOME": str(home),
        "LAB_PUBLIC_PORT": str(
            ingress_port({**os.environ, "LAB_HOME": str(home)})
        ),  # of this machine, to the ingress
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
    # Python keeps it by default, beside the source: a place in the lab's own directory is empty in
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
    system = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":")
    wanted = [*directories(), str(Path(sys.executable).parent), *system, "/usr/sbin", "/sbin"]
    return ":".join(dict.fromkeys(part for part in wanted if part))


def _credentials(home: Path) -> dict[str, str]:
    try:
        return json.loads((home / "credentials.json").read_text())
    except (OSError, ValueError):
        return ensure_credentials(home)
