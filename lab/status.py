"""`lab status` and `lab logs`: what runs, where, since when, with how much memory; what it
wrote.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from lab import state
from lab.controlplane.tools import older_parts, used
from lab.errors import LabError
from lab.state import ask

READY, NOT_READY, NOT_RUNNING = 0, 1, 3
COLUMNS = (
    "component",
    "state",
    "pid",
    "since",
    "restarts",
    "PSS MiB",
    "RSS MiB",
    "address",
    "version",
    "origin",
)


def in_use(home: Path) -> dict[str, tuple[str, str]]:
    """(version, origin) of every tool that runs in the lab or that a command in it runs."""
    try:
        parts = next(ask(home, "state"))["components"]
    except (OSError, StopIteration):
        parts = []
    running = {
        part["name"]: (part["version"], part["origin"]) for part in parts if "origin" in part
    }
    return running | {
        name: (tool["version"], tool["origin"])
        for name, tool in used(home / "pulumi" / "home").items()
    }


def collect(home: Path) -> dict[str, Any]:
    """Everything `status` shows, as plain data; pids are those seen from outside the lab."""
    if not state.is_running(home):
        return {"home": str(home), "phase": "not running", "components": []}
    try:
        report = next(ask(home, "state"))
    except (OSError, StopIteration):
        report = {"phase": "starting", "components": [], **state.read_state(home)}
    outside = state.processes_inside(report.get("namespace", ""))
    memory = _memory_by_part(outside, [part["pid"] for part in report["components"] if part["pid"]])
    components = []
    for part in report["components"]:
        shown: dict[str, Any] = {
            **part,
            "inside_pid": part["pid"],
            "pid": outside.get(part["pid"] or -1),
        }
        shown["pss_mib"], shown["rss_mib"], shown["processes"] = memory.get(
            part["pid"], (None, None, 0)
        )
        components.append(shown)
    own = memory.get(1, (0.0, 0.0, 0))
    supervisor = (report.get("supervisor") or {}).get("pid")
    return {
        **report,
        "home": str(home),
        "components": components,
        "supervisor_pid": supervisor,
        "supervisor_pss_mib": own[0],
        "tools": used(home / "pulumi" / "home"),
        "ingress": _ingress_warnings(home),
    }


def _ingress_warnings(home: Path) -> list[list[str]]:
    """[namespace/name, text] of what differs from a cluster, or would be refused there, at an
    Ingress.
    """
    try:
        return json.loads(state.ingress_notes(home).read_text())
    except (OSError, ValueError):
        return []


def show(home: Path, *, as_json: bool = False) -> int:
    """Print the status; returns the exit status that tells it."""
    report = collect(home)
    code = (
        READY
        if report["phase"] == "ready"
        else NOT_RUNNING
        if report["phase"] == "not running"
        else NOT_READY
    )
    if as_json:
        print(json.dumps(report, indent=1))
        return code
    if code == NOT_RUNNING:
        print(f"the lab does not run ({home}); start it with `python -m lab up`")
        return code
    print(
        f"lab {report['phase']}, since {_moment(report.get('started'))}, clock x{report.get('clock', 1):g} ({home})"
    )
    for name, port in (report.get("ports") or {}).items():
        print(f"  127.0.0.1:{port} -> {name}")
    _table([COLUMNS, *(_row(part) for part in report["components"])])
    total = (
        sum(part["pss_mib"] or 0 for part in report["components"]) + report["supervisor_pss_mib"]
    )
    print(
        f"supervisor: pid {report['supervisor_pid']}, {report['supervisor_pss_mib']:.0f} MiB; memory of all (PSS): {total:.0f} MiB"
    )
    for part in report["components"]:
        if part["error"]:
            print(f"\n{part['name']}: {part['error']}")
    if report["tools"]:
        print("\ntools and plugins")
        _table(
            [
                (name, tool["version"], tool["origin"], tool["path"])
                for name, tool in report["tools"].items()
            ]
        )
        for name, tool in report["tools"].items():
            if "next" in tool:
                print(f"  {name}: the next start takes {tool['next']}")
    for name, text in report["ingress"]:
        print(f"  ingress {name}: {text}")
    for line in older_parts(report["components"]):
        print(f"  {line}")
    return code


def collect_all() -> list[dict[str, Any]]:
    """One entry for each lab that runs on this machine, as plain data: home, phase, ports, since
    when (unix seconds), and the process with which it ends (None: with no process).
    """
    found = []
    for home in state.running_labs():
        known = state.read_state(home)
        owner = known.get("owner")
        found.append(
            {
                "home": str(home),
                "phase": known.get("phase", "starting"),
                "ports": known.get("ports", {}),
                "started": known.get("started"),
                "supervisor_pid": (known.get("supervisor") or {}).get("pid"),
                "owner": {**owner, "command": _command_of(owner["pid"])} if owner else None,
            }
        )
    return found


def show_all(*, as_json: bool = False) -> int:
    """Print every lab of this machine; exit status 0, or 3 when none runs."""
    labs = collect_all()
    if as_json:
        print(json.dumps(labs, indent=1))
    elif not labs:
        print("no lab runs on this machine")
    else:
        rows = [("home", "phase", "ports", "since", "supervisor", "ends with")]
        for one in labs:
            ports = ", ".join(f"{name} {port}" for name, port in one["ports"].items())
            owner = one["owner"]
            ends = f"process {owner['pid']} ({owner['command'][:60]})" if owner else ""
            pid = str(one["supervisor_pid"] or "")
            rows.append((one["home"], one["phase"], ports, _moment(one["started"]), pid, ends))
        _table(rows)
    return READY if labs else NOT_RUNNING


def _command_of(pid: int) -> str:
    """The command line of a process; "" when it has ended or is another user's."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return b" ".join(words).decode(errors="replace").strip()


def show_log(home: Path, name: str | None, lines: int, follow: bool) -> int:
    """Print the end of one part's log."""
    there = sorted(path.stem for path in (home / "log").glob("*.log"))
    if name is None:
        print("\n".join(there) or f"no logs in {home / 'log'} yet")
        return 0
    path = home / "log" / f"{name}.log"
    if name not in there:
        raise LabError(f"logs: no part {name!r}; there are: {', '.join(there) or 'none yet'}")
    with open(path, errors="replace") as stream:
        sys.stdout.writelines(deque(stream, maxlen=max(lines, 0)))
        while follow:
            sys.stdout.flush()
            chunk = stream.read()
            if chunk:
                sys.stdout.write(chunk)
            else:
                time.sleep(0.2)
    return 0


def _row(part: dict[str, Any]) -> tuple[str, ...]:
    def mib(value: float | None) -> str:
        return "" if value is None else f"{value:.0f}"

    return (
        part["name"], part["state"], str(part["pid"] or ""), _moment(part["since"]), str(part["restarts"]), mib(part["pss_mib"]),
        mib(part["rss_mib"]), part["address"], part.get("version", ""), part.get("origin", ""),
    )  # fmt: skip


def _memory_by_part(
    outside: dict[int, int], parts: list[int]
) -> dict[int, tuple[float, float, int]]:
    """(PSS MiB, RSS MiB, processes) by inside pid; a process counts for the nearest part among its
    ancestors, else for PID 1.
    """
    inside = {outer: inner for inner, outer in outside.items()}
    totals: dict[int, tuple[float, float, int]] = {}
    for outer in inside:
        owner, step = outer, 0
        while inside.get(owner, 1) not in parts and owner in inside and step < 50:
            owner, step = _parent(owner), step + 1
        key = inside.get(owner, 1)
        pss, rss = _memory(outer)
        old = totals.get(key, (0.0, 0.0, 0))
        totals[key] = (old[0] + pss, old[1] + rss, old[2] + 1)
    return totals


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return 0


def _memory(pid: int) -> tuple[float, float]:
    found = {"Pss:": 0.0, "Rss:": 0.0}
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            key, value = line.split()[:2]
            if key in found:
                found[key] = int(value) / 1024
    return found["Pss:"], found["Rss:"]


def _table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print(
            "  "
            + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def _moment(seconds: float | None) -> str:
    return "" if not seconds else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
