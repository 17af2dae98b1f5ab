"""Init of the sealed namespace: makes the network, opens the port forwards, starts and watches
every part of the lab.

``python -m lab up`` starts it as PID 1 of a PID namespace; on standard input comes one line of JSON
with what it needs to know. When that process dies first, nothing has been started yet and nothing
stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from lab import dns, network, parts, port_forward
from lab.alicloud.auth.credentials import ensure_credentials
from lab.controlplane import ingress_watch
from lab.controlplane.certificates import ensure_cluster_pki
from lab.environment import API_IP, INGRESS_IP, REGION_IP
from lab.inside import prepare
from lab.parts import Spec
from lab.pki import ensure_lab_ca
from lab.readiness import READY_FD
from lab.state import SOCKET, log_tail, write_state

TARGETS = {"ingress": (INGRESS_IP, 80), "api": (API_IP, 6443), "region": (REGION_IP, 443)}
LOG_LIMIT = 20 << 20  # bytes; a longer log of an earlier run is moved aside at the start
CHECK_EVERY = 0.05  # seconds between two looks at a readiness endpoint
STABLE = 30  # seconds of life after which the back-off starts anew
BACKOFF = (0.2, 10.0)  # seconds: first and longest pause before a restart
GIVE_UP = (
    3  # failures in a row before the first readiness after which the start is reported as failed
)


class Part:
    """The life of one `Spec`."""

    def __init__(self, spec: Spec, log: Path, changed: Callable[[], None]) -> None:
        self.spec, self.log, self._changed = spec, log, changed
        self.state, self.error = "waiting", ""
        self.pid: int | None = None
        self.since: float | None = None
        self.restarts = 0
        self.ready = asyncio.Event()
        self.stopping = False
        self._process: subprocess.Popen[bytes] | None = None
        self._exited = asyncio.Event()
        self._notified: asyncio.Event | None = None

    def snapshot(self) -> dict[str, Any]:
        """Plain data for the state file and for `lab status`; `pid` is the inside one."""
        return {
            "name": self.spec.name, "state": self.state, "pid": self.pid, "since": self.since, "restarts": self.restarts,
            "address": self.spec.address, "error": self.error, "job": not self.spec.command,
        }  # fmt: skip

    async def live(self, needs: list[Part]) -> None:
        """Start the part once all of `needs` are ready, and again whenever it dies, until it is
        stopped.
        """
        for part in needs:
            await part.ready.wait()
        failures, pause = 0, BACKOFF[0]
        while not self.stopping:
            started = time.monotonic()
            problem = await self._once()
            if self.stopping or problem is None:
                return
            failures = 0 if self.ready.is_set() else failures + 1
            if time.monotonic() - started > STABLE:
                pause = BACKOFF[0]
            self.restarts += 1
            self._set("failed" if failures >= GIVE_UP else "restarting", problem)
            await asyncio.sleep(pause)
            pause = min(pause * 2, BACKOFF[1])

    async def stop(self) -> None:
        """SIGTERM, a grace period, SIGKILL."""
        self.stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            for number, patience in ((signal.SIGTERM, self.spec.grace), (signal.SIGKILL, 5.0)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, number)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._exited.wait(), patience)
                    break
        self._set("stopped")

    async def _once(self) -> str | None:
        """One life; returns what ended it, None for a job that is done."""
        self._set("starting")
        if self.spec.command:
            try:
                self._spawn()
            except OSError as error:
                return f"{self.spec.name}: cannot start {self.spec.command[0]}: {error.strerror}"
        became_ready = asyncio.ensure_future(self._await_ready())
        exited = asyncio.ensure_future(self._exited.wait())
        try:
            await asyncio.wait(
                {became_ready, exited} if self.spec.command else {became_ready},
                return_when=asyncio.FIRST_COMPLETED,
            )
            if became_ready.done() and not self.stopping:
                problem = became_ready.result()
                if problem is None:
                    self._set("ready")
                    self.ready.set()
                else:
                    await self._end_hung()
                    return self._with_log(problem)
            if not self.spec.command:
                return None
            await exited
            return self._with_log(
                f"{self.spec.name} ended {_describe(self._process.returncode if self._process else None)}"
            )
        finally:
            became_ready.cancel()
            exited.cancel()

    async def _await_ready(self) -> str | None:
        """None once ready, else why not."""
        end = time.monotonic() + self.spec.timeout
        problem = "it did not answer"
        while time.monotonic() < end:
            try:
                if self.spec.ready is None:
                    assert self._notified is not None
                    await asyncio.wait_for(self._notified.wait(), self.spec.timeout)
                    return None
                if await asyncio.wait_for(self.spec.ready(), self.spec.timeout):
                    return None
            except Exception as error:  # whatever the check meets is the reason shown
                problem = str(error) or type(error).__name__
                if not self.spec.command:
                    return f"{self.spec.name}: {problem}"
            await asyncio.sleep(CHECK_EVERY)
        return f"{self.spec.name} was not ready within {self.spec.timeout:.0f} s: {problem}"

    async def _end_hung(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._exited.wait()

    def _spawn(self) -> None:
        """Start the process; its output goes to its log."""
        loop = asyncio.get_running_loop()
        self._exited = asyncio.Event()
        env, inherited = dict(self.spec.env), ()
        reading = writing = -1
        notified = self._notified = asyncio.Event()
        if self.spec.ready is None:
            reading, writing = os.pipe()
            env[READY_FD], inherited = str(writing), (writing,)
        try:
            with open(self.log, "ab") as log:
                self._process = subprocess.Popen(
                    self.spec.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env,
                    start_new_session=True, pass_fds=inherited, cwd="/",
                )  # fmt: skip
        finally:
            if writing >= 0:
                os.close(writing)
        if reading >= 0:
            loop.add_reader(reading, self._on_notify, loop, reading, notified)
        self.pid, self.since = self._process.pid, time.time()
        descriptor = os.pidfd_open(self._process.pid)
        loop.add_reader(descriptor, self._on_exit, loop, descriptor, self._process, self._exited)

    @staticmethod
    def _on_notify(
        loop: asyncio.AbstractEventLoop, descriptor: int, notified: asyncio.Event
    ) -> None:
        loop.remove_reader(descriptor)
        if os.read(descriptor, 64):
            notified.set()
        os.close(descriptor)

    def _on_exit(
        self,
        loop: asyncio.AbstractEventLoop,
        descriptor: int,
        process: subprocess.Popen[bytes],
        exited: asyncio.Event,
    ) -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        process.wait()
        self.pid = None
        exited.set()

    def _set(self, state: str, error: str = "") -> None:
        self.state, self.error = state, error
        if not self.spec.command and state == "ready":
            self.since = time.time()
        self._changed()

    def _with_log(self, problem: str) -> str:
        tail = log_tail(self.log)
        return (
            f"{problem}\n--- end of {self.log} ---\n{tail}"
            if tail
            else f"{problem}; {self.log} is empty"
        )


def _describe(code: int | None) -> str:
    if code is None:
        return "unexpectedly"
    return f"with exit status {code}" if code >= 0 else f"by signal {signal.Signals(-code).name}"


class Control:
    """Serves the socket inside the supervisor."""

    def __init__(
        self,
        home: Path,
        state: Callable[[], dict[str, Any]],
        settled: Callable[[], bool],
        stop: Callable[[], None],
    ) -> None:
        self._home, self._state, self._settled, self._stop = home, state, settled, stop
        self._changes = asyncio.Condition()
        self._pending: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = (
            None  # held: one that nothing refers to is collected, and its socket closed
        )

    async def listen(self) -> None:
        """Start answering on the control socket."""
        directory = os.open(self._home / "run", os.O_PATH)
        path = f"/proc/self/fd/{directory}/{SOCKET}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(path)
        os.close(directory)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening)

    def changed(self) -> None:
        """Tell followers that something is different now."""
        task = asyncio.get_running_loop().create_task(self._notify())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _notify(self) -> None:
        async with self._changes:
            self._changes.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(await asyncio.wait_for(reader.readline(), 60)).get("request")
            if request == "stop":
                self._stop()
            await self._send(writer, self._state())
            if request in ("follow", "stop"):
                async with self._changes:
                    while request == "stop" or not self._settled():
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._changes.wait(), 1)
                        await self._send(writer, self._state())
        except (ValueError, ConnectionError, TimeoutError):
            return
        finally:
            writer.close()

    @staticmethod
    async def _send(writer: asyncio.StreamWriter, document: dict[str, Any]) -> None:
        writer.write(json.dumps(document).encode() + b"\n")
        await writer.drain()


class Supervisor:
    """Everything that lives inside one lab."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.home = Path(config["home"])
        self.started = time.time()
        self.stop_asked = asyncio.Event()
        self.control = Control(self.home, self.state, self.settled, self.stop_asked.set)
        self.parts: dict[str, Part] = {}
        self.servers: list[Any] = []
        """What listens. Held here: a server that nothing refers to is collected at some moment, and
        its socket closed.
        """

    def state(self) -> dict[str, Any]:
        """What is written to ``run/state.json`` and answered on the control socket."""
        tools = self.config["tools"]
        components = [
            {**part.snapshot(), **_origin(tools.get(name))} for name, part in self.parts.items()
        ]
        keys = (
            "outer",
            "supervisor",
            "namespace",
            "ports",
            "clock",
            "user_namespace",
            "left_out",
            "owner",
        )
        phase = (
            "stopping"
            if self.stop_asked.is_set()
            else "ready"
            if self._ready()
            else "failed"
            if self._failed()
            else "starting"
        )
        return {
            **{k: self.config[k] for k in keys},
            "started": self.started,
            "phase": phase,
            "components": components,
        }

    def settled(self) -> bool:
        """Whether a follower has nothing more to wait for."""
        return self._ready() or self._failed()

    def _ready(self) -> bool:
        return bool(self.parts) and all(part.state == "ready" for part in self.parts.values())

    def _failed(self) -> bool:
        return any(part.state == "failed" for part in self.parts.values())

    def changed(self) -> None:
        """Write the state down and tell followers."""
        try:
            write_state(self.home, self.state())
        # a full disk must not take down what runs; the control socket still tells the state
        except OSError as error:
            print(f"state: {error}", flush=True)
        self.control.changed()

    async def run(self, listening: dict[str, socket.socket], owner: int | None = None) -> None:
        """Bring everything up, watch it, and take it down when asked, or when the process of the
        pidfd `owner` has ended.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop_asked.set)
        if owner is not None:
            loop.add_reader(owner, self._owner_ended, owner)
        await self.control.listen()
        os.write(0, b"listening\n")
        await self._forward_ports(listening)
        self.servers += await dns.serve()
        places = await asyncio.to_thread(ensure_cluster_pki, self.home, self.config["ports"]["api"])
        setting = parts.Setting(self.home, places, self.config["tools"], self.config["clock"])
        specs = [spec for spec in parts.parts(setting) if spec.name not in self.config["left_out"]]
        self.parts.update(
            {spec.name: Part(spec, self._log(spec.name), self.changed) for spec in specs}
        )
        lives = [loop.create_task(self._live(part)) for part in self.parts.values()]
        reaper = loop.create_task(self._reap_orphans())
        await self.stop_asked.wait()
        await self._stop_all()
        for task in (*lives, reaper):
            task.cancel()

    def _owner_ended(self, owner: int) -> None:
        asyncio.get_running_loop().remove_reader(owner)
        print("the process that LAB_OWNER_PID named has ended: the lab ends with it", flush=True)
        self.stop_asked.set()

    async def _live(self, part: Part) -> None:
        try:
            await part.live([self.parts[name] for name in part.spec.after if name in self.parts])
        except Exception as error:  # a fault in the lab itself: show it where a person looks
            traceback.print_exc()
            part.state, part.error = "failed", f"{part.spec.name}: {type(error).__name__}: {error}"
            self.changed()

    async def _forward_ports(self, listening: dict[str, socket.socket]) -> None:
        """From the host's ports, and from the same ports inside, so that one URL works on both
        sides.
        """
        for name, outside in listening.items():
            self.servers.append(await port_forward.serve(outside, TARGETS[name]))
            inside = socket.create_server(("127.0.0.1", self.config["ports"][name]), backlog=1024)
            self.servers.append(await port_forward.serve(inside, TARGETS[name]))
        pods = socket.create_server(
            ("10.96.0.1", 443), backlog=128
        )  # `kubernetes.default`, for pods
        self.servers.append(await port_forward.serve(pods, TARGETS["api"]))

    async def _stop_all(self) -> None:
        self.changed()
        for part in self.parts.values():
            part.stopping = True
        for group in sorted({part.spec.stop_group for part in self.parts.values()}):
            await asyncio.gather(
                *(part.stop() for part in self.parts.values() if part.spec.stop_group == group)
            )

    async def _reap_orphans(self) -> None:
        """As PID 1 we inherit what others leave behind; the parts themselves are awaited
        elsewhere.
        """
        while True:
            await asyncio.sleep(1)
            own = {part.pid for part in self.parts.values()}
            for entry in os.listdir("/proc"):
                if entry.isdigit() and int(entry) not in own and _is_our_zombie(entry):
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(int(entry), os.WNOHANG)

    def _log(self, name: str) -> Path:
        path = self.home / "log" / f"{name.replace(' ', '-')}.log"
        if path.exists() and path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        path.touch()
        return path


def _origin(tool: dict[str, str] | None) -> dict[str, str]:
    return {"version": tool["version"], "origin": tool["origin"]} if tool else {}


def _is_our_zombie(entry: str) -> bool:
    try:
        state, parent = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return False
    return state == "Z" and parent == str(os.getpid())


def main() -> None:
    """Entry point inside the namespaces; standard input is a socket to `lab up`."""
    faulthandler.register(
        signal.SIGUSR1
    )  # into the log: where it stands, for `lab up` when nothing begins
    os.write(0, b"hello\n")
    with open(os.dup(0), "rb") as stream:
        line = stream.readline()
    if not line:
        sys.exit("supervisor: `lab up` went away before it had said what to start")
    config = json.loads(line)
    home = Path(config["home"])
    listening = {
        name: socket.socket(fileno=descriptor)
        for name, descriptor in config.pop("listening").items()
    }
    if (owner := config.pop("owner_fd", None)) is not None:
        os.set_inheritable(owner, False)
    prepare(home)
    ensure_lab_ca(home)
    ensure_credentials(home)
    ingress_watch.prepare(home)
    try:
        network.bring_up()
        network.use_own_names(home / "run")
    except OSError as error:
        sys.exit(f"supervisor: {error}")
    config["left_out"] = sorted(parts.left_out())

    async def live() -> None:
        await Supervisor(config).run(listening, owner)

    uvloop.run(live())


if __name__ == "__main__":
    main()
