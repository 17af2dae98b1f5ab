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
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lab.environment import lab_home
from lab.namespace import INSIDE
from ops.engine import events
from ops.engine.checkpoint import STACK, is_secret

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB_STACK = "local"
OVERWRITE_FOREIGN_FIELDS = {"PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
"""Has the kubernetes plugin overwrite fields that another tool has changed and owns since:
server-side apply refuses that otherwise. (What `kubectl` changed, an update of the plugin's takes
over anyway, but its dry run is refused.) Set where a user asks for it (`make up REFRESH=1`) and
where nothing is written (`make drift`). The plugin's pkg/await/await.go: patchForce,
fixCSAFieldManagers.
"""


BY_COMMAND = {"EI_COMMAND": "1"}
"""Tells the program that a command of this project runs the CLI, which has settled what an earlier
run left open (components/by_hand.py).
"""


class CommandFailed(Exception):  # noqa: N818 - an outcome that its command has explained already
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
        """The words before a command that run it in the lab; none for a real stack, and none when
        this process is in the lab already.
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
        """Runs `pulumi ARGUMENTS` on this terminal. Raises CommandFailed when it fails."""
        code = self.code(*arguments)
        if code != 0:
            raise CommandFailed(["pulumi", *arguments], code)

    def code(self, *arguments: str) -> int:
        """Runs `pulumi ARGUMENTS` on this terminal; returns the exit status. Ctrl-C reaches the CLI
        itself, which then ends the update in order.
        """
        with own_temporary_directory() as variables:
            process = subprocess.Popen(
                self.command(*arguments),
                cwd=ROOT,
                env={**environment(), **BY_COMMAND, **events.EVENT_LOG_ENVIRONMENT, **variables},
            )
            while True:
                try:
                    return process.wait()
                except KeyboardInterrupt:
                    continue

    def run_with_report(
        self, *arguments: str, on_created: Callable[[dict[str, Any]], None] | None = None
    ) -> tuple[int, events.Report]:
        """Runs `pulumi ARGUMENTS` as `code` does; returns the exit status and what the engine
        reported. `on_created` is called with every resource as soon as it is created.
        """
        with (
            events.event_log() as (options, log),
            events.follow_log(log, on_created) if on_created else contextlib.nullcontext(),
        ):
            code = self.code(*arguments, *options)
            return code, events.read_log(log)

    def capture(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `pulumi ARGUMENTS` quietly; returns what it printed."""
        with own_temporary_directory() as variables:
            return subprocess.run(
                self.command(*arguments),
                cwd=ROOT,
                env={**environment(), **variables},
                capture_output=True,
                text=True,
                check=False,
            )

    def ask(
        self, module: str, *arguments: str, timeout: float, attempts: int = 1, pause: float = 0.0
    ) -> Any:
        """Runs `python -m MODULE ARGUMENTS` where the stack's region and cluster can be reached;
        returns its last line, which is JSON. `timeout` and `pause` in seconds.

        Raises CommandFailed, after it has printed what the last attempt said.
        """
        command = self.inside(sys.executable, "-m", module, *arguments)
        message = ""
        for attempt in range(attempts):
            if attempt:
                time.sleep(pause)
            try:
                answer = subprocess.run(
                    command,
                    cwd=ROOT,
                    env=environment(),
                    capture_output=True,
                    text=True,
                    timeout=timeout,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                message = f"error: no answer within {timeout:g} s from python -m {module}"
                continue
            if answer.returncode == 0:
                return json.loads(answer.stdout.splitlines()[-1])
            message = answer.stderr
        print(message, file=sys.stderr)
        raise CommandFailed(command, 1)

    def exists(self) -> bool:
        """Whether the backend knows this stack. Raises CommandFailed when it does not answer."""
        if self.in_lab and _checkpoint_of_lab(self.name).is_file():
            return True  # spares every command a run of the CLI
        listing = self.capture("stack", "ls", "--json")
        if listing.returncode != 0:
            print(listing.stderr.strip(), file=sys.stderr)
            raise CommandFailed(["pulumi", "stack", "ls"], listing.returncode)
        return any(
            row["name"].split("/")[-1] == self.name for row in json.loads(listing.stdout or "[]")
        )

    def export_state(self) -> dict[str, Any]:
        """The stack's state as `pulumi stack export` prints it; secrets stay encrypted. Raises
        CommandFailed.
        """
        if state := self._state_in_lab():
            return state
        answer = self.capture("stack", "export", "--stack", self.name)
        if answer.returncode != 0:
            print(answer.stderr, file=sys.stderr)
            raise CommandFailed(["pulumi", "stack", "export"], answer.returncode)
        return json.loads(answer.stdout)

    def import_state(self, state: dict[str, Any]) -> None:
        """Puts an edited state in place; the CLI checks its integrity. Raises CommandFailed."""
        with tempfile.NamedTemporaryFile("w", suffix=".json", prefix="checkpoint-") as file:
            json.dump(state, file)
            file.flush()
            self.run("stack", "import", "--stack", self.name, "--file", file.name)

    def _state_in_lab(self) -> dict[str, Any] | None:
        """What `pulumi stack export` prints, read from the lab's own file without a run of the CLI,
        which takes half a second. None where only the CLI can be asked. The backend replaces the
        file as a whole, so that it is never half written.
        """
        if not self.in_lab:
            return None
        try:
            file = json.loads(_checkpoint_of_lab(self.name).read_text())
            return {
                "version": file["version"],
                "deployment": file["checkpoint"].get("latest") or {},
            }
        except (OSError, ValueError, KeyError):
            return None

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs; a secret is shown as "[secret]". Raises CommandFailed."""
        if state := self._state_in_lab():
            resources = state["deployment"].get("resources") or []
            stacks = (row for row in resources if row["type"] == STACK)
            outputs = next(stacks, {}).get("outputs") or {}
            return {
                name: "[secret]" if is_secret(value) else value for name, value in outputs.items()
            }
        answer = self.capture("stack", "output", "--json", "--stack", self.name)
        if answer.returncode != 0:
            raise CommandFailed(["pulumi", "stack", "output"], answer.returncode)
        return json.loads(answer.stdout)


@contextlib.contextmanager
def own_temporary_directory() -> Iterator[dict[str, str]]:
    """Yields the variables by which a run of the CLI and its plugins put temporary files into a
    directory of their own, which is removed with them.

    The kubernetes plugin writes the kubeconfig, keys included, into a temporary file each time it
    is configured, and leaves it there (4.25.0, pkg/provider/provider.go: writeKubeconfigToFile).
    """
    with tempfile.TemporaryDirectory(prefix="pulumi-run-", ignore_cleanup_errors=True) as directory:
        yield {"TMPDIR": directory}


def _checkpoint_of_lab(stack: str) -> pathlib.Path:
    """Where the lab's own backend keeps the state of a stack of this project."""
    stacks = lab_home() / "pulumi" / "state" / ".pulumi" / "stacks"
    return stacks / "elastic-inference" / f"{stack}.json"


def environment() -> dict[str, str]:
    """Environment of this process, with our packages importable from anywhere."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def inside_lab() -> bool:
    """Whether this process runs inside the lab that it is about."""
    return os.environ.get(INSIDE) == str(lab_home())


def require_cli() -> None:
    """Ends the process, with one message, when there is no `pulumi` on PATH: real stacks are
    deployed by the user's own CLI.
    """
    if shutil.which("pulumi") is None:
        raise SystemExit(
            "error: no `pulumi` on PATH. A real stack is deployed by your own Pulumi CLI (3.255.0 or newer): "
            "install it, log in to your backend, then run the same command again."
        )


def require_stack_file(name: str) -> None:
    """Ends the process, with one message, when the checkout has no settings for this stack."""
    if not (ROOT / f"Pulumi.{name}.yaml").is_file():
        stacks = sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))
        raise SystemExit(
            f"error: STACK={name}: there is no Pulumi.{name}.yaml; expected one of the stacks {', '.join(stacks)}. "
            f"Nothing was built or changed. For a new one: cp Pulumi.dev.yaml Pulumi.{name}.yaml, put your cluster in, "
            f"then: pulumi stack init {name}"
        )


def require_stack(stack: Stack) -> None:
    """Ends the process, with one message, when the backend does not know the stack. Raises
    CommandFailed when it does not answer.
    """
    if not stack.exists():
        raise SystemExit(
            f"error: your Pulumi backend knows no stack {stack.name} (pulumi whoami -v says which backend it is). Nothing was changed. "
            f"If it is to be a new one: pulumi stack init {stack.name}; else log in to the backend that has it: pulumi login URL"
        )
