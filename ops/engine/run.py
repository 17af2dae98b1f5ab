"""One run of the engine as every command starts it, in this order: what an earlier run left open is
settled (pending_operations.py), for which the account has to be the stack's (account.py), the CLI
runs and its events are read (cli.py), creations whose
answer was lost are adopted (orphaned_creates.py), failures are explained (remediation.py).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from ops.engine.account import require_account
from ops.engine.cli import CommandFailed, Stack
from ops.engine.duplicate_node_pools import DuplicateCheck
from ops.engine.kubeconfig import is_temporary, renew_in
from ops.engine.orphaned_creates import adopt_orphans
from ops.engine.pending_operations import settle_interrupted_run
from ops.engine.remediation import explanation


def run_operation(
    stack: Stack,
    operation: str,
    *arguments: str,
    prepare: Callable[[Stack], None] | None = None,
) -> None:
    """Runs `pulumi OPERATION ARGUMENTS` on the stack, which the backend knows. Raises
    CommandFailed, after it has printed which resources failed and what to do. `prepare` is called
    before the CLI, when the state is in order and its kubeconfig valid.

    Ends the process, before anything is settled or refreshed, where the credentials are not of the
    account that the stack lives in. In the lab, which has one account, that is asked where
    something could be lost by it: the question takes a second.
    """
    refreshes = "--refresh" in arguments
    if refreshes or not stack.in_lab:
        require_account(stack)
    settle_interrupted_run(stack)
    if refreshes and is_temporary(stack):
        state = stack.export_state()
        if renew_in(stack, state):
            stack.import_state(state)
    if prepare:
        prepare(stack)
    started = time.time()
    duplicates = DuplicateCheck(stack, started) if operation == "up" else None
    code, report = stack.run_with_report(
        operation,
        "--stack",
        stack.name,
        *arguments,
        on_created=duplicates.on_created if duplicates else None,
    )
    if code:
        adopted = adopt_orphans(stack, report, started)
        for line in explanation(report, adopted):
            print(line, file=sys.stderr)
    if duplicates:
        duplicates.finish(report)
    if code:
        raise CommandFailed(["pulumi", operation], code)
