"""The step from outside to inside: new namespaces, a supervisor in them, and what it has to
know.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab import state
from lab.environment import ROOT
from lab.errors import LabError
from lab.state import log_tail

HANDSHAKE = 30.0  # seconds for unshare and a Python start


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP that arrive inside take effect at its end: what has just been
    started is then known to its caller.

    Without it a process that an interrupted `Popen` has already made has no owner: it runs on, and
    nothing knows its pid. The signals are noted by handlers, not masked: a mask would be inherited
    by what is started. In another thread than the main one nothing arrives.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    noted: list[int] = []
    before = {
        number: signal.getsignal(number)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    held = [number for number, handler in before.items() if handler != signal.SIG_IGN]
    for number in held:
        signal.signal(number, lambda number, _: noted.append(number))
    try:
        yield
    finally:
        for number in held:
            signal.signal(number, before[number])
    for number in noted[:1]:
        os.kill(os.getpid(), number)


def spawn(
    home: Path, inherited: list[int], user_namespace: bool
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Make the namespaces and start a supervisor in them that waits for `hand_over`; it keeps the
    `inherited` descriptors.
    """
    unshare = shutil.which("unshare", path=os.environ.get("PATH", "") + ":/usr/bin:/bin")
    if unshare is None:
        raise LabError(
            "no `unshare` on PATH: the lab lives in Linux namespaces; install util-linux, then run the same command again"
        )
    command = [unshare, "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]
    if user_namespace:
        command[1:1] = ["--user", "--map-root-user"]
    here, there = socket.socketpair()
    env = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    path = home / "log" / "supervisor.log"
    if path.exists():
        path.replace(path.with_suffix(".log.1"))
    with open(path, "ab") as log:
        process = subprocess.Popen(
            [*command, sys.executable, "-m", "lab.supervisor"], stdin=there.fileno(), stdout=log, stderr=subprocess.STDOUT, cwd=ROOT,
            env={**env, "LAB_HOME": str(home), "PYTHONPATH": str(ROOT)}, start_new_session=True, pass_fds=inherited,
        )  # fmt: skip
    there.close()
    here.settimeout(HANDSHAKE)
    return process, here


def hand_over(
    home: Path, outer: subprocess.Popen[bytes], channel: socket.socket, config: dict[str, Any]
) -> None:
    """Tell the supervisor what to start, once it lives; from then on it runs without us."""
    with channel.makefile("rb") as stream:
        try:
            if stream.readline() != b"hello\n":
                raise LabError(_why_no_namespace(home, outer))
            supervisor = _child_of(outer.pid)
            config["outer"], config["supervisor"] = (
                state.identity(outer.pid),
                state.identity(supervisor),
            )
            config["namespace"] = os.readlink(f"/proc/{outer.pid}/ns/pid_for_children")
            begun = {
                key: value
                for key, value in config.items()
                if key not in ("listening", "owner_fd", "tools")
            }
            state.write_state(
                home, {**begun, "phase": "starting", "started": time.time(), "components": []}
            )
            channel.sendall(json.dumps(config).encode() + b"\n")
            if stream.readline() != b"listening\n":
                raise LabError(
                    f"the lab's supervisor did not start\n{log_tail(home / 'log' / 'supervisor.log')}"
                )
        except TimeoutError:
            raise LabError(
                f"the lab's supervisor did not answer within {HANDSHAKE:.0f} s; see {home / 'log' / 'supervisor.log'}"
            ) from None


def _why_no_namespace(home: Path, outer: subprocess.Popen[bytes]) -> str:
    with contextlib.suppress(subprocess.TimeoutExpired):
        outer.wait(5)
    tail = log_tail(home / "log" / "supervisor.log", lines=6)
    if "unshare:" not in tail.splitlines()[-1:][0] if tail else True:
        return f"the lab's supervisor did not start\n{tail}"
    if os.geteuid() == 0:
        advice = "this root may not make namespaces (a container without CAP_SYS_ADMIN?): run the lab on the host or in a privileged container"
    else:
        advice = (
            "this user may not make user namespaces: run the lab as root, or have an administrator allow them"
            " (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces above 0)"
        )
    return f"{tail.splitlines()[-1]}: {advice}; then run the same command again"


def _child_of(pid: int) -> int:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError):
                if Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1] == str(
                    pid
                ):
                    return int(entry)
    raise LabError("the lab's supervisor died as it started")
