"""Why the last update failed, as far as the cluster knows: warnings about the pods, the volumes and the nodes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TextIO

from ops.pulumi import ROOT, Stack, environment

NEWEST = 12


def after_failure(stack: Stack) -> None:
    """Prints, after an `up` that failed, what the cluster says."""
    if stack.in_lab:
        explain(sys.stderr)


def explain(out: TextIO) -> None:
    """Prints the newest distinct warning events of the cluster; says nothing when there are none or the cluster can't be asked."""
    warnings = newest_warnings()
    if not warnings:
        return
    print("\nWhat the cluster reports:", file=out)
    for event in warnings:
        regarding = event.get("involvedObject", {})
        print(
            f"  {regarding.get('kind', '?')}/{regarding.get('name', '?')}: {event.get('reason')}: {event.get('message', '').strip()}",
            file=out,
        )


def newest_warnings() -> list[dict]:
    """Warning events, newest first, one for each object and reason."""
    command = [
        sys.executable,
        "-m",
        "lab",
        "exec",
        "--",
        "kubectl",
        "get",
        "events",
        "-A",
        "--field-selector",
        "type=Warning",
        "-o",
        "json",
    ]
    answer = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=30)
    if answer.returncode != 0:
        return []
    items = sorted(
        json.loads(answer.stdout)["items"], key=lambda item: item.get("lastTimestamp") or item.get("eventTime") or "", reverse=True
    )
    distinct = {(item["involvedObject"].get("name"), item.get("reason")): item for item in reversed(items)}
    return list(reversed(distinct.values()))[:NEWEST]
