"""`up`: from whatever is there to a running lab."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import state
from lab.alicloud.scenario import load
from lab.controlplane import tools as toolbox
from lab.environment import (
    SCENARIO_FROM,
    clock_factor,
    needs_user_namespace,
    owner,
    ports,
    refuse_old_names,
    scenario_file,
)
from lab.errors import LabError
from lab.inside import prepare
from lab.port_owner import owner_of
from lab.spawn import hand_over, spawn, uninterrupted
from lab.state import ask, log_tail

START_LIMIT = 240.0  # seconds for the whole start on a busy machine; a warm one takes about six
SILENCE = 45.0  # seconds without a single part begun, after which a supervisor is taken for stuck
HEAL_LIMIT = 20.0  # seconds a running lab with an unready part gets before it is started anew

Say = Callable[[str], None]


def scenario_in_force(home: Path) -> str:
    """Which scenario counts in the lab of `home`, and until when, for people; "" for the lab's
    own.
    """
    if not (home / "scenario.yaml").exists():
        return ""
    source = home / SCENARIO_FROM
    if not source.exists():
        return f"scenario: {home / 'scenario.yaml'}, until you remove that file"
    return f"scenario: {source.read_text()} (LAB_SCENARIO), until `down`"


def check() -> None:
    """Raises LabError for a variable that a start would refuse: before anything is built, and not
    after a quarter of an hour.
    """
    refuse_old_names()
    ports()
    clock_factor()
    if (descriptor := owner()) is not None:
        os.close(descriptor)
    if (scenario := scenario_file()) is not None:
        try:
            load(scenario)
        except ValueError as error:
            raise LabError(f"LAB_SCENARIO={os.environ['LAB_SCENARIO']}: {error}") from None


def up(home: Path, say: Say) -> None:
    """Start the lab, or say that it runs; raises `LabError` with the reason when it can't. Safe to
    repeat and to interrupt.
    """
    refuse_old_names()
    lock = state.take_lock(home)
    if lock is None:
        if _join_running(home, say):
            return
        say("what runs does not get ready: starting it again on the same data")
        state.tell_where(home)
        lock = _take_over(home)
    try:
        _start_and_follow(home, lock, say)
    except KeyboardInterrupt:  # what has begun would run without anybody who waits for it
        state.kill(home)
        state.wait_stopped(home, 10)
        say("the start was interrupted: what had begun is ended; the data is kept")
        raise


def _start_and_follow(home: Path, lock: int, say: Say) -> None:
    """Start what holds the lock from then on and wait until it is ready; one that begins nothing is
    started a second time.
    """
    _start(home, lock, say)
    if _follow_start(home, say):
        return
    say(
        f"the supervisor has begun nothing within {SILENCE:.0f} s (where it stood is in its log): starting it again"
    )
    _start(home, _take_over(home), say)
    if not _follow_start(home, say):
        raise LabError(
            f"the lab did not start: its supervisor begins nothing\n{log_tail(home / 'log' / 'supervisor.log', lines=40)}"
        )


def _take_over(home: Path) -> int:
    """End what runs; the lock for what comes next."""
    state.kill(home)
    if not state.wait_stopped(home, 10):
        raise LabError(f"an earlier lab in {home} cannot be ended; see `python -m lab status`")
    lock = state.take_lock(home)
    if lock is None:
        raise LabError(f"another `lab up` works on {home} right now; wait for it")
    return lock


def _join_running(home: Path, say: Say) -> bool:
    """Whether the lab that holds the lock is ready, or gets so while we wait."""
    age = time.time() - state.read_state(home).get("started", time.time())
    watch = Watch(home, say)
    watch.run(START_LIMIT if age < START_LIMIT else HEAL_LIMIT)
    if watch.phase == "ready":
        _tell_joined(home, watch, say)
        return True
    if watch.phase == "stopping":
        raise LabError(f"the lab in {home} was just being stopped; run the same command again")
    if not watch.last and not state.supervisor_pids(home) and state.is_running(home):
        raise LabError(
            f"another `lab up` is preparing the lab in {home}; wait for it, then run the same command again"
        )
    return False


def joined(home: Path, say: Say) -> bool:
    """Whether a lab runs and is ready this moment; the same is said and done then as by `up`.
    Starts nothing, waits for nothing.
    """
    if not state.is_running(home):
        return False
    watch = Watch(home, say)
    with contextlib.suppress(OSError, ValueError):
        for report in ask(home, "state", timeout=15):
            watch.take(report)
    if watch.phase != "ready":
        return False
    _tell_joined(home, watch, say)
    return True


def _tell_joined(home: Path, watch: Watch, say: Say) -> None:
    toolbox.lay_plugins(
        home / "pulumi" / "home", say
    )  # what has been built or found since it was started
    for line in toolbox.older_parts(watch.last["components"]):
        say(line)
    if told := scenario_in_force(home):
        say(told)
    since = (
        f"runs already, since {_clock_time(watch.last['started'])}"
        if watch.was_ready
        else "is ready"
    )
    say(f"the lab {since} ({home}){_other_ports(watch.last)}")


def _other_ports(report: dict[str, Any]) -> str:
    """A running lab keeps its ports, whatever the environment says now."""
    asked = ports()
    if report["ports"] == {"ingress": asked.ingress, "api": asked.api, "region": asked.region}:
        return ""
    return "; it keeps the ports it was started with: " + ", ".join(
        f"{name} {port}" for name, port in report["ports"].items()
    )


def _start(home: Path, lock: int, say: Say) -> None:
    """Open the host's sockets, make the namespaces, start the supervisor in them; the lock is the
    supervisor's from then on.
    """
    with contextlib.ExitStack() as closing:
        closing.callback(os.close, lock)
        _start_locked(home, lock, closing, say)


def _start_locked(home: Path, lock: int, closing: contextlib.ExitStack, say: Say) -> None:
    wanted, factor, scenario = ports(), clock_factor(), scenario_file()
    if (ends_with := owner()) is not None:
        closing.callback(os.close, ends_with)
    prepare(home)
    if scenario is not None:
        shutil.copyfile(scenario, home / "scenario.yaml")
        (home / SCENARIO_FROM).write_text(os.environ["LAB_SCENARIO"])
    if told := scenario_in_force(home):
        say(told)
    for stale in ("state.json", "supervisor.sock"):
        (home / "run" / stale).unlink(missing_ok=True)
    tools = toolbox.ensure(toolbox.CONTROL_PLANE, say)
    toolbox.lay_plugins(home / "pulumi" / "home", say)
    listening: dict[str, socket.socket] = {}
    for name, (variable, port) in zip(TARGETS, wanted.named().items(), strict=True):
        listening[name] = closing.enter_context(_listen(variable, port))
    config: dict[str, Any] = {
        "home": str(home), "clock": factor, "tools": tools, "user_namespace": needs_user_namespace(),
        "ports": {"ingress": wanted.ingress, "api": wanted.api, "region": wanted.region},
        "listening": {name: sock.fileno() for name, sock in listening.items()}, "owner_fd": ends_with,
        "owner": state.identity(int(os.environ["LAB_OWNER_PID"])) if ends_with is not None else None,
    }  # fmt: skip
    say(
        "making the sealed namespace"
        + (" (as an ordinary user)" if config["user_namespace"] else "")
    )
    passed = [lock, *config["listening"].values(), *([] if ends_with is None else [ends_with])]
    with uninterrupted():
        outer, channel = spawn(home, passed, config["user_namespace"])
        closing.enter_context(channel)
        closing.push(functools.partial(_end_unless_begun, outer))
    hand_over(home, outer, channel, config)


def _end_unless_begun(
    outer: subprocess.Popen[bytes], kind: type[BaseException] | None, *_: object
) -> None:
    """At the end of a start: a lab that has not been told what to do is ended, with all that is in
    its namespaces.
    """
    if kind is not None:
        outer.kill()
        outer.wait()


TARGETS = ("ingress", "api", "region")


def _listen(variable: str, port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen(1024)
    except OSError as error:
        reason = (
            f"is taken by {owner_of(port)}"
            if error.errno == 98
            else f"cannot be opened: {error.strerror}"
        )
        raise LabError(
            f"port {port} on 127.0.0.1 {reason}; set {variable} to a free port (or end that process) and run again"
        ) from None
    return listening


def _follow_start(home: Path, say: Say) -> bool:
    """Until the lab is ready. False when its supervisor has begun nothing; raises `LabError` for
    any other end.
    """
    began = time.monotonic()
    watch = Watch(home, say)
    watch.run(START_LIMIT)
    if watch.phase == "ready":
        say(f"the lab is ready after {time.monotonic() - began:.1f} s ({home})")
        return True
    if watch.stuck and state.is_running(home):
        state.tell_where(home)
        return False
    if watch.phase == "stopping":
        raise LabError("the lab was stopped while it started; run the same command again")
    parts = watch.last.get("components", [])
    waiting = [part["name"] for part in parts if part["state"] != "ready"]
    ended = not state.is_running(home)
    state.kill(home)
    state.wait_stopped(home, 10)
    reason = "\n".join(part["error"] for part in parts if part["error"])
    if not reason and waiting and not ended:
        reason = f"still waiting for {', '.join(waiting)}"
    reason = reason or f"its supervisor ended\n{log_tail(home / 'log' / 'supervisor.log')}"
    raise LabError(
        f"the lab did not start: {reason}\nIts data is kept; once the cause is gone the same command continues from here."
    )


class Watch:
    """Follows a lab's supervisor and says what is new."""

    def __init__(self, home: Path, say: Say) -> None:
        self._home, self._say = home, say
        self._shown: set[tuple[str, str, int]] = set()
        self._spoke = self._began = time.monotonic()
        self.last: dict[str, Any] = {}
        self.was_ready = False

    @property
    def phase(self) -> str:
        """The last phase reported, "" before any report."""
        return self.last.get("phase", "")

    def run(self, limit: float) -> None:
        """Until the lab is ready, has failed, ends, or `limit` seconds have passed. A busy
        supervisor that hangs up is asked again.
        """
        self._began = time.monotonic()
        end = self._began + limit
        while time.monotonic() < end and state.is_running(self._home):
            with contextlib.suppress(OSError, ValueError):
                for report in ask(self._home, "follow", timeout=15):
                    self.take(report)
                    if time.monotonic() > end or self.stuck:
                        return
                if self.phase in ("ready", "failed"):
                    return
            if self.stuck:
                return
            time.sleep(0.1)

    @property
    def stuck(self) -> bool:
        """Whether no part has been begun for so long that none will be."""
        return not self.last.get("components") and time.monotonic() - self._began > SILENCE

    def take(self, report: dict[str, Any]) -> None:
        """One report of the supervisor."""
        self.was_ready = self.was_ready or (not self.last and report["phase"] == "ready")
        self.last = report
        for part in [] if self.was_ready else report["components"]:
            line = (part["name"], part["state"], part["restarts"])
            if part["state"] in ("ready", "restarting", "failed") and line not in self._shown:
                self._shown.add(line)
                self._say(_progress(part, report["started"]))
        waiting = [part["name"] for part in report["components"] if part["state"] != "ready"]
        if waiting and time.monotonic() - self._spoke > 3:
            self._spoke = time.monotonic()
            self._say("waiting for " + ", ".join(waiting))


def _progress(part: dict[str, Any], started: float) -> str:
    after = f"{time.time() - started:5.1f} s"
    if part["state"] == "ready":
        return f"{after}  {part['name']:<24} ready  {part.get('version', '')}  {part['address']}".rstrip()
    return f"{after}  {part['name']:<24} {part['state']}: {part['error'].splitlines()[0] if part['error'] else ''}"


def _clock_time(moment: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(moment))
