"""A directory in which the real CLI previews a checkout offline: with its own backend, plugin home
and stack file.

Every answer that the program would ask the cloud for is written into the stack's settings
(`lookups`, `kubeconfig`), every secret is a placeholder. Program, engine and plugins are those that
deploy. The checkout is only read.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from typing import Any

import yaml

from lab.inside import without_logs
from settings.core import stack_file

PROJECT = "elastic-inference"
PASSPHRASE = "offline"
"""Of stack files in a directory that is gone after the preview. It guards placeholders."""
ACCOUNT = "1000000000000000"
VERSION = "1.36.1-aliyun.1"
INHERITED = (
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TZ",
    "EI_CACHE",
    "XDG_CACHE_HOME",
    "GOPATH",
    "GOCACHE",
)


class OfflineError(Exception):
    """An offline preview is not possible; the text is the whole message."""


class Workspace:
    """A directory for offline previews. Several checkouts can be previewed in it one after the
    other, against the same state.
    """

    def __init__(self, directory: pathlib.Path, stack: str) -> None:
        self.directory, self.stack = directory, stack
        self._home, self._state = directory / "home", directory / "state"
        for part in (self._home, self._state, directory / "trees"):
            part.mkdir(parents=True, exist_ok=True)
        without_logs(self._home)

    def lay_plugins(self) -> None:
        """Links the CLI's plugins from the tool chain's cache and builds those that are missing,
        with progress. Raises ToolchainError.
        """
        from lab.toolchain import plugins  # noqa: PLC0415 - 0.14 s; settings are read without it

        plugins.install_into(self._home)

    def lay_tree(self, source: pathlib.Path, name: str) -> pathlib.Path:
        """A program directory of links to `source`, with a stack file that is fit for an offline
        preview.
        """
        program = self.directory / "trees" / name
        program.mkdir()
        for entry in source.iterdir():
            if entry.name not in (".git", ".venv", f"Pulumi.{self.stack}.yaml"):
                (program / entry.name).symlink_to(entry)
        (program / ".venv").symlink_to(pathlib.Path(sys.prefix))
        settings, secrets = offline_settings(read_settings(source, self.stack))
        write_settings(program / f"Pulumi.{self.stack}.yaml", settings)
        self._say(program, "stack", "select", "--create", self.stack)
        words = [word for key, value in secrets.items() for word in ("--secret", f"{key}={value}")]
        self._say(program, "config", "set-all", "--stack", self.stack, *words)
        return program

    def pulumi(
        self, program: pathlib.Path, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs the CLI in `program`, with `variables` added to its environment; returns its
        captured output.
        """
        from lab import toolchain  # noqa: PLC0415 - 0.14 s; settings are read without it

        command = [str(toolchain.find("pulumi").path), *arguments, "--non-interactive"]
        return subprocess.run(
            command,
            cwd=program,
            env={**self._environment(program), **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def _say(self, program: pathlib.Path, *arguments: str) -> None:
        done = self.pulumi(program, *arguments)
        if done.returncode != 0:
            raise OfflineError(
                f"pulumi {arguments[0]} {arguments[1]} failed: {(done.stderr or done.stdout).strip()}"
            )

    def _environment(self, program: pathlib.Path) -> dict[str, str]:
        """Nothing of the caller's but where things are: no credentials, no backend, no proxy of a
        cloud that isn't asked.
        """
        from lab import toolchain  # noqa: PLC0415 - 0.14 s; settings are read without it

        kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
        paths = [
            str(toolchain.find("pulumi").path.parent),
            str(pathlib.Path(sys.executable).parent),
            os.environ.get("PATH", os.defpath),
        ]
        return {
            "LANG": "C.UTF-8",
            **kept,
            "PATH": os.pathsep.join(paths),
            "PYTHONPATH": str(program),
            "PULUMI_PYTHON_CMD": sys.executable,
            "PULUMI_HOME": str(self._home),
            "PULUMI_BACKEND_URL": f"file://{self._state}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
            "LAB_HOME": str(self.directory / "no-lab"),
            "ALICLOUD_ACCESS_KEY": "offline",
            "ALICLOUD_SECRET_KEY": "offline",
            "ALICLOUD_ACCOUNT_ID": ACCOUNT,
            "ALIBABA_CLOUD_ACCOUNT_TYPE": "Domestic",
        }


def read_settings(source: pathlib.Path, stack: str) -> dict[str, Any]:
    """The stack's file, parsed. Raises OfflineError when it is missing or cannot be read."""
    try:
        return dict(stack_file.read(source, stack).document)
    except stack_file.StackFileError as error:
        raise OfflineError(str(error)) from None


def write_settings(path: pathlib.Path, settings: dict[str, Any]) -> None:
    """Writes a stack file as YAML."""
    path.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))


def offline_settings(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """(the stack file without what only its owners can read, the secrets to set instead by full
    key).
    """
    config = dict(document.get("config") or {})
    hidden = {key for key, value in config.items() if stack_file.is_encrypted(value)}
    config = {key: stack_file.readable(value) for key, value in config.items() if key not in hidden}
    own = {key.removeprefix(f"{PROJECT}:"): value for key, value in config.items()}
    config[f"{PROJECT}:lookups"] = {**_lookups(own), **(own.get("lookups") or {})}
    wanted = {
        f"{PROJECT}:{name}" for name in ("kubeconfig", *_entry_secrets(own.get("entry") or {}))
    }
    secrets = {
        key: stack_file.PLACEHOLDERS.get(key.removeprefix(f"{PROJECT}:"), stack_file.UNREADABLE)
        for key in sorted(hidden | wanted)
    }
    return {"config": config}, secrets


def _lookups(own: dict[str, Any]) -> dict[str, str]:
    """What the cloud would answer, as far as names tell; the rest is a placeholder in the right
    form.
    """
    cluster = own.get("cluster") or {}
    identity, account = cluster.get("id") or "c" + "0" * 32, cluster.get("accountId") or ACCOUNT
    region = own.get("alicloud:region") or "cn-shanghai"
    return {
        "accountId": account,
        "clusterVersion": VERSION,
        "oidcIssuer": f"https://oidc-ack-{region}.oss-{region}.aliyuncs.com/{identity}",
        "oidcProviderArn": f"acs:ram::{account}:oidc-provider/ack-rrsa-{identity}",
    }


def _entry_secrets(entry: dict[str, Any]) -> list[str]:
    """Secrets that the entry's settings call for."""
    return ["htpasswd"] * (entry.get("auth") == "basic") + ["tlsCertificate", "tlsPrivateKey"] * (
        entry.get("tls") == "provided"
    )
