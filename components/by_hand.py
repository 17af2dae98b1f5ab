"""Refuses an update by hand (`pulumi up`) that only the project's command can do safely: over
creations whose answer was lost, which the engine would repeat, and with another account's
credentials.

The commands (`make up`, CI) have settled the one and compared the other before they start the
engine; they say so in `EI_COMMAND`. Without it the state is read by the CLI while the program still
loads its packages, and only in an update: a preview changes nothing and does not wait for it.
Measured on 2026-11-30 in the lab: the reading takes the CLI half a second beside the imports.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pulumi

from components.plugins import has_engine

VARIABLE = "EI_COMMAND"
ROLE = "alicloud:ram/role:Role"
RELEASE = "kubernetes:helm.sh/v3:Release"
ENGINE_OWN = "pulumi:"
"""Types that the running update itself may have begun by now: the stack and the providers."""


class EngineState:
    """The stack's state as an earlier run has left it; read in a thread, asked for once."""

    def __init__(self, read: Callable[[], dict[str, Any]] | None) -> None:
        self._read, self._deployment, self._error = read, {}, ""
        self._thread = threading.Thread(target=self._run, daemon=True) if read else None
        if self._thread:
            self._thread.start()

    def _run(self) -> None:
        assert self._read
        try:
            self._deployment = self._read().get("deployment") or {}
        except (
            Exception
        ) as error:  # told by `refuse_unsafe`, in the thread that may end the program
            self._error = str(error)

    def refuse_unsafe(self, expected: str | None, account: Callable[[], str]) -> None:
        """Raises pulumi.RunError when the state has creations in it that nobody knows the outcome
        of, or when it is of another account than the credentials.

        `expected`: the account that the settings name, which the program compares itself;
        `account`: asks for the credentials' account, called only where the settings name none.
        """
        if not self._thread:
            return
        self._thread.join()
        if self._error:
            pulumi.log.warn(
                f"whether an earlier run left something open is not known: {self._error}; `make up STACK={pulumi.get_stack()}` looks itself"
            )
            return
        if unsettled := open_operations(self._deployment):
            raise pulumi.RunError(_unsettled(pulumi.get_stack(), unsettled))
        recorded = accounts(self._deployment)
        if expected is None and recorded and (own := account()) not in recorded:
            raise pulumi.RunError(
                f"the credentials belong to account {own}, and stack {pulumi.get_stack()} was deployed in {' and '.join(sorted(recorded))}.\n"
                "  otherwise: every resource of this stack would look deleted and be ordered a second time, in the wrong account\n"
                "  remedy: use the credentials of that account (ALICLOUD_ACCESS_KEY, ALICLOUD_SECRET_KEY or a profile)"
            )


def read_early() -> EngineState:
    """Begins to read the stack's state where this is an update by hand; returns at once."""
    if os.environ.get(VARIABLE) or pulumi.runtime.is_dry_run() or not has_engine():
        return EngineState(None)
    # here and not in the thread, for which the SDK knows neither project nor stack
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    return EngineState(lambda: export(stack))


def export(stack: str) -> dict[str, Any]:
    """The state of a stack, named in full, as `pulumi stack export` prints it; secrets stay
    encrypted. Raises RuntimeError.
    """
    cli = shutil.which("pulumi")
    if not cli:
        raise RuntimeError("there is no `pulumi` on PATH")
    done = subprocess.run(
        [cli, "stack", "export", "--stack", stack, "--non-interactive"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"`pulumi stack export`: {done.stderr.strip() or done.returncode}")
    return json.loads(done.stdout)


def open_operations(deployment: dict[str, Any]) -> list[str]:
    """Names and types of what a killed run was creating, or had Helm do: the engine repeats both,
    and reads again what was being updated or deleted.
    """
    return [
        f"{resource['urn'].rpartition('::')[2]} ({resource['type']})"
        for operation in deployment.get("pending_operations") or []
        if not (resource := operation["resource"])["type"].startswith(ENGINE_OWN)
        and (operation["type"] == "creating" or resource["type"] == RELEASE)
    ]


def accounts(deployment: dict[str, Any]) -> set[str]:
    """Accounts that the state's RAM roles are of."""
    arns = [
        str((resource.get("outputs") or {}).get("arn"))
        for resource in deployment.get("resources") or []
        if resource["type"] == ROLE
    ]
    return {match[1] for arn in arns if (match := re.match(r"acs:ram::(\d+):", arn))}


def _unsettled(stack: str, names: list[str]) -> str:
    return (
        f"stack {stack}: an earlier run was killed before it heard the answer to {', '.join(names)}.\n"
        "  expected: a state in which nothing is open\n"
        "  otherwise: what exists of it would be made a second time: a node pool is ordered and paid twice, a bucket or role fails\n"
        f"  remedy: make up STACK={stack} looks what exists, takes it over and continues; python -m ops.engine.pending_operations "
        f"--stack {stack} does only that"
    )
