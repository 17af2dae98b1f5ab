"""Runs the Pulumi CLI for a stack: inside the lab for stack `local`, as the user's own CLI for
every other stack.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ops.engine import events

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB_STACK = "local"
_SIGNATURE, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
"""How a state marks a value that is encrypted (pulumi/sdk, resource.SigKey and
resource.SecretSig).
"""


TAKE_BACK = {"PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
"""Has the kubernetes plugin overwrite fields that another tool has changed and owns since:
server-side apply refuses that otherwise. (What `kubectl` changed, an update of the plugin's takes
over anyway, but its dry run is refused.) Set where a user asks for it (`make up REFRESH=1`) and
where nothing is written (`make drift`). The plugin's pkg/await/await.go: patchForce,
fixCSAFieldManagers.
"""


class CommandFailed(Exception):
    """A command ended with an error that it has already explained; `code` is its exit status."""

    def __init__(self, command: Sequence[str], code: int) -> None:
        super().__init__(f"{' '.join(command)}: exit status {code}")
        self.code = code


class Stack:
    """One Pulumi stack of this project."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def in_lab(self) -> bool:
        """Whether this stack lives in the lab on this machine."""
        return self.name == LAB_STACK

    @property
    def prefix(self) -> list[str]:
        """What leads a command to where the stack's cloud is: into the lab, unless this process is
        there already.
        """
        return (
            [sys.executable, "-m", "lab", "exec", "--"] if self.in_lab and not inside_lab() else []
        )

    def command(self, *arguments: str) -> list[str]:
        """The full command line for `pulumi ARGUMENTS` on this stack."""
        return self.inside("pulumi", *arguments, "--cwd", str(ROOT))

    def inside(self, *command: str) -> list[str]:
        """The command line that runs a command where the stack's region can be reached. Ends the
        process, with one message, when a real stack's command is `pulumi` and there is none.
        """
        if command[:1] == ("pulumi",) and not self.in_lab:
            require_cli()
        return [*self.prefix, *command]

    def run(self, *arguments: str) -> None:
        """Runs it on this terminal; raises `CommandFailed` when it fails."""
        code = self.code(*arguments)
        if code != 0:
            raise CommandFailed(["pulumi", *arguments], code)

    def code(self, *arguments: str) -> int:
        """Runs it on this terminal; returns the exit status. Ctrl-C reaches the CLI itself, which
        then ends the update cleanly.
        """
        with removed_afterwards() as place:
            process = subprocess.Popen(
                self.command(*arguments), cwd=ROOT, env={**environment(), **events.KNOWN, **place}
            )
            while True:
                try:
                    return process.wait()
                except KeyboardInterrupt:
                    continue

    def reported(
        self, *arguments: str, made: Callable[[dict[str, Any]], None] | None = None
    ) -> tuple[int, events.Report]:
        """As `code`, and what the engine told about the run. `made` is told every resource that is
        made as soon as it is there.
        """
        with (
            events.recorded() as (options, log),
            events.followed(log, made) if made else contextlib.nullcontext(),
        ):
            code = self.code(*arguments, *options)
            return code, events.read(log)

    def capture(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs it quietly; returns what it printed."""
        with removed_afterwards() as place:
            return subprocess.run(
                self.command(*arguments),
                cwd=ROOT,
                env={**environment(), **place},
                capture_output=True,
                text=True,
            )

    def exists(self) -> bool:
        """Whether the backend knows this stack; raises `CommandFailed` when it doesn't say."""
        if self.in_lab and _checkpoint_of_lab(self.name).is_file():
            return True  # spares every command a run of the CLI
        listing = self.capture("stack", "ls", "--json")
        if listing.returncode != 0:
            print(listing.stderr.strip(), file=sys.stderr)
            raise CommandFailed(["pulumi", "stack", "ls"], listing.returncode)
        return any(
            item["name"].split("/")[-1] == self.name for item in json.loads(listing.stdout or "[]")
        )

    def saved_state(self) -> dict[str, Any] | None:
        """What `stack export` prints, read from the lab's own file: no run of the CLI, which takes
        half a second to say the same. None where only the CLI can be asked. The backend replaces
        the file as a whole, so that it is never half written.
        """
        if not self.in_lab:
            return None
        try:
            known = json.loads(_checkpoint_of_lab(self.name).read_text())
            return {
                "version": known["version"],
                "deployment": known["checkpoint"].get("latest") or {},
            }
        except (OSError, ValueError, KeyError):
            return None

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs; secrets stay hidden."""
        if known := self.saved_state():
            resources = known["deployment"].get("resources") or []
            found = next(
                (
                    one.get("outputs") or {}
                    for one in resources
                    if one["type"] == "pulumi:pulumi:Stack"
                ),
                {},
            )
            return {
                name: "[secret]" if _is_secret(value) else value for name, value in found.items()
            }
        answer = self.capture("stack", "output", "--json", "--stack", self.name)
        if answer.returncode != 0:
            raise CommandFailed(["pulumi", "stack", "output"], answer.returncode)
        return json.loads(answer.stdout)


@contextlib.contextmanager
def removed_afterwards() -> Iterator[dict[str, str]]:
    """Variables by which a run of the CLI and its plugins put what is temporary into a directory of
    their own, which goes with them.

    The kubernetes plugin writes the kubeconfig, keys and all, into a temporary file each time it is
    configured, and leaves it there (4.25.0, pkg/provider/provider.go: writeKubeconfigToFile).
    """
    with tempfile.TemporaryDirectory(prefix="pulumi-run-", ignore_cleanup_errors=True) as directory:
        yield {"TMPDIR": directory}


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.get(_SIGNATURE) == _SECRET


def _checkpoint_of_lab(stack: str) -> pathlib.Path:
    """Where the lab's own backend keeps the state of a stack of this project."""
    from lab.environment import lab_home

    return (
        lab_home()
        / "pulumi"
        / "state"
        / ".pulumi"
        / "stacks"
        / "elastic-inference"
        / f"{stack}.json"
    )


def environment() -> dict[str, str]:
    """This process's environment, with our packages importable from anywhere."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def inside_lab() -> bool:
    """Whether this process runs inside the lab that it is about."""
    from lab.environment import lab_home
    from lab.namespace import INSIDE

    return os.environ.get(INSIDE) == str(lab_home())


def require_cli() -> None:
    """For real stacks the user's own CLI is used; says what to do when there is none."""
    if shutil.which("pulumi") is None:
        raise SystemExit(
            "error: no `pulumi` on PATH. A real stack is deployed by your own Pulumi CLI (3.255.0 or newer): "
            "install it, log in to your backend, then run the same command again."
        )


def require_stack_file(name: str) -> None:
    """Ends the process, with one message, when the checkout has no settings for this stack."""
    if not (ROOT / f"Pulumi.{name}.yaml").is_file():
        known = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))
        raise SystemExit(
            f"error: STACK={name}: there is no Pulumi.{name}.yaml; expected one of the stacks {', '.join(known)}. "
            f"Nothing was built or changed. For a new one: cp Pulumi.dev.yaml Pulumi.{name}.yaml, put your cluster in, "
            f"then: pulumi stack init {name}"
        )


def require_stack(stack: Stack) -> None:
    """Ends the process, with one message, when the backend does not know the stack. Raises
    CommandFailed when it doesn't say.
    """
    if not stack.exists():
        raise SystemExit(
            f"error: your Pulumi backend knows no stack {stack.name} (pulumi whoami -v says which backend it is). Nothing was changed. "
            f"If it is to be a new one: pulumi stack init {stack.name}; else log in to the backend that has it: pulumi login URL"
        )
