"""Init of the sealed namespace: makes the network, opens the relays, starts and watches every part
of the lab.

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
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from lab import dns, port_forward, supervisor_network, supervisor_parts
from lab.alicloud.auth.credentials import ensure_credentials
from lab.controlplane import ingress_watch
from lab.controlplane.certificates import ensure_cluster_pki
from lab.environment import API_IP, INGRESS_IP, REGION_IP, prepare
from lab.pki import ensure_lab_ca
from lab.state import write_state
from lab.supervisor_control import Control
from lab.supervisor_process import Part

TARGETS = {"ingress": (INGRESS_IP, 80), "api": (API_IP, 6443), "region": (REGION_IP, 443)}
LOG_LIMIT = 20 << 20  # bytes; a longer log of an earlier run is moved aside at the start


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
        keys = ("outer", "supervisor", "namespace", "ports", "clock", "user_namespace", "left_out")
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
        await self._open_relays(listening)
        self.servers += await dns.serve()
        places = await asyncio.to_thread(ensure_cluster_pki, self.home, self.config["ports"]["api"])
        setting = supervisor_parts.Setting(
            self.home, places, self.config["tools"], self.config["clock"]
        )
        specs = [
            spec
            for spec in supervisor_parts.parts(setting)
            if spec.name not in self.config["left_out"]
        ]
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
        except Exception as error:  # a mistake of ours: show it where a person looks
            traceback.print_exc()
            part.state, part.error = "failed", f"{part.spec.name}: {type(error).__name__}: {error}"
            self.changed()

    async def _open_relays(self, listening: dict[str, socket.socket]) -> None:
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
    if (owner := config.pop("owner", None)) is not None:
        os.set_inheritable(owner, False)
    prepare(home)
    ensure_lab_ca(home)
    ensure_credentials(home)
    ingress_watch.prepare(home)
    try:
        supervisor_network.bring_up()
        supervisor_network.use_own_names(home / "run")
    except OSError as error:
        sys.exit(f"supervisor: {error}")
    config["left_out"] = sorted(supervisor_parts.left_out())
    import uvloop

    async def live() -> None:
        await Supervisor(config).run(listening, owner)

    uvloop.run(live())


if __name__ == "__main__":
    main()
