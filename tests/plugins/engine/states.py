"""States of released versions: `python -m tests.plugins.engine.states` records the running lab's
for the version of pyproject.toml.

Run it at every release, after `make up`, and commit the file: every later version is previewed
against it (test_upgrades.py). The secrets of a lab are worth nothing; even so they are replaced by
placeholders.
"""

from __future__ import annotations

import gzip
import json
import pathlib
import re
import subprocess
import sys
from typing import Any

from ops.engine.cli import LAB_STACK, ROOT, Stack
from ops.offline.workspace import Workspace, read_settings
from ops.preview_comment.redact import SENTINEL
from settings.core.stack_file import PLACEHOLDERS

DIRECTORY = ROOT / "tests" / "data" / "states"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
"""What the engine writes beside SENTINEL for a secret."""


def current() -> str:
    """The version of this checkout."""
    found = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert found
    return found[1]


def recorded() -> list[str]:
    """Versions of which there is a state, the oldest first."""
    names = [path.name.removesuffix(".json.gz") for path in DIRECTORY.glob("*.json.gz")]
    return sorted(names, key=lambda name: [int(part) for part in name.split(".")])


def read(version: str) -> dict[str, Any]:
    """The state of a version, as `pulumi stack import` takes it."""
    return json.loads(gzip.decompress((DIRECTORY / f"{version}.json.gz").read_bytes()))


def put(workspace: Workspace, program: pathlib.Path, state: dict[str, Any]) -> None:
    """Puts a recorded state into an offline workspace, with the secrets' provider of that."""
    salt = read_settings(program, workspace.stack)["encryptionsalt"]
    state["deployment"]["secrets_providers"] = {"type": "passphrase", "state": {"salt": salt}}
    path = workspace.directory / "recorded.json"
    path.write_text(json.dumps(state))
    done: subprocess.CompletedProcess[str] = workspace.pulumi(
        program, "stack", "import", "--stack", workspace.stack, "--file", str(path)
    )
    assert done.returncode == 0, done.stdout + done.stderr


def scrubbed(value: Any) -> Any:
    """The state without call stacks, and with placeholders for secrets. Raises ValueError for a
    secret whose form isn't known.
    """
    if isinstance(value, list):
        return [scrubbed(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if SENTINEL in value:
        if "clusters" not in str(value.get("plaintext")):
            raise ValueError(
                f"a secret that is no kubeconfig: {sorted(value)}; add a placeholder for it"
            )
        return {SENTINEL: SECRET, "plaintext": json.dumps(PLACEHOLDERS["kubeconfig"])}
    return {
        key: scrubbed(inner)
        for key, inner in value.items()
        if key not in ("stackTrace", "sourcePosition", "secrets_providers")
    }


def main() -> int:
    """Writes the file of this version."""
    version = current()
    answer = Stack(LAB_STACK).capture("stack", "export", "--stack", LAB_STACK, "--show-secrets")
    if answer.returncode != 0:
        print(
            f"{answer.stderr.strip()}\nerror: no state of stack {LAB_STACK}: make up, then run the same command again",
            file=sys.stderr,
        )
        return 1
    state = scrubbed(json.loads(answer.stdout))
    DIRECTORY.mkdir(exist_ok=True)
    path = DIRECTORY / f"{version}.json.gz"
    path.write_bytes(gzip.compress(json.dumps(state, separators=(",", ":")).encode(), mtime=0))
    print(f"{path.relative_to(ROOT)}: {len(state['deployment']['resources'])} resources")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
