"""One run of the engine as every command here starts it: what an earlier one left is settled first,
what went wrong is explained after.
"""

from __future__ import annotations

import sys
import time

from ops.engine import duplicate_node_pools, orphaned_creates, remediation
from ops.engine.cli import CommandFailed, Stack
from ops.engine.pending_operations import settle_killed_update


def run_operation(stack: Stack, operation: str, *arguments: str, settle: bool = True) -> None:
    """`pulumi OPERATION` on the stack. Raises CommandFailed, after it has said which resource
    failed and what to do.

    A stack that the backend does not know yet has nothing to `settle`.
    """
    if settle:
        settle_killed_update(stack)
    started = time.time()
    looks = duplicate_node_pools.Looks(stack, started)
    code, report = stack.reported(
        operation, "--stack", stack.name, *arguments, made=looks.made if operation == "up" else None
    )
    known_better = orphaned_creates.take_over(stack, report, started) if code else {}
    for line in remediation.explanation(report, known_better) if code else []:
        print(line, file=sys.stderr)
    if operation == "up":
        looks.settle(report)
    if code:
        raise CommandFailed(["pulumi", operation], code)
