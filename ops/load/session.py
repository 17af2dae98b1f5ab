"""A recorded run: its directory, the recorder process, and the load on the stack."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import yaml

from lab.environment import ingress_port, lab_home
from ops import trial
from ops.endpoint import CredentialsError, credentials
from ops.engine.cli import ROOT, Stack, environment
from ops.load.profile import Profile
from ops.plan import prices as price_tables
from ops.record.log import route_of
from ops.trial import Trial
from settings.core.stack_file import read

INGRESS_IN_LAB = "http://10.0.0.80"
WEB_PORT = 8089
CAPACITY_SHARE = 0.7
"""Share of a pod's capacity that the autoscaler's target is."""


class SessionError(RuntimeError):
    """A run that cannot begin; the text says why and names the remedy."""


@dataclass
class Session:
    """A recorded run as a context manager: the recorder runs until the end of the block."""

    stack: Stack
    run: Path
    title: str
    seed: int = 1
    pod_qps: float | None = None
    deadline: float = 1.0
    watch: bool = False
    """Without load of our own: answers are read from the ingress log."""
    prices: Path | None = None
    """A price table in place of the shipped one (real stacks; a lab has its scenario's)."""
    meta: dict[str, Any] = field(default_factory=dict)
    recorder: subprocess.Popen[str] | None = None
    program: Path = ROOT
    """The checkout that the stack was deployed from; its settings go into the run's record."""
    _spec: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Session:
        self.run.mkdir(parents=True, exist_ok=True)
        self.meta = self._meta()
        (self.run / "meta.json").write_text(json.dumps(self.meta, indent=1, ensure_ascii=False))
        command = [*self.inside(), sys.executable, "-m", "ops.record", "--run", str(self.run)]
        self.recorder = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.recorder.stdout is not None
        try:
            begun = self.recorder.stdout.readline()
        except (
            KeyboardInterrupt
        ):  # Ctrl-C does not reach the recorder, which has a session of its own
            self.__exit__(None, None, None)
            raise
        if begun != "recording\n":
            raise SessionError("the recorder could not start; its message is above")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.recorder is not None:
            self.recorder.send_signal(signal.SIGTERM)
            self.recorder.wait(timeout=60)

    @property
    def clock(self) -> float:
        """Modelled seconds per wall second."""
        return self.meta["clock"]

    @property
    def now(self) -> float:
        """Modelled seconds since the run began."""
        return (time.time() - self.meta["started"]) * self.clock

    def inside(self) -> list[str]:
        """Command prefix that makes a command reach the cluster."""
        return [sys.executable, "-m", "lab", "exec", "--"] if self.stack.in_lab else []

    def output(self, *command: str) -> str:
        """Standard output of a command that can reach the cluster. Raises SessionError when it
        fails.
        """
        done = subprocess.run(
            [*self.inside(), *command],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise SessionError(
                f"{' '.join(command[:4])} … failed: {done.stderr.strip() or done.stdout.strip()}"
            )
        return done.stdout

    def control(self, path: str, body: Any = None) -> Any:
        """Answer of one call to the lab's control API, parsed."""
        command = ["curl", "-sS", "--max-time", "30", f"http://10.0.0.2:9090/_lab/{path}"]
        if body is not None:
            command += [
                "-X",
                "POST",
                "-H",
                "content-type: application/json",
                "-d",
                json.dumps(body),
            ]
        return json.loads(self.output(*command))

    def load(
        self,
        profile: Profile,
        base: str | None = None,
        headers: dict[str, str] | None = None,
        web: bool = False,
        begun: float | None = None,
    ) -> subprocess.Popen:
        """Start the load; the process ends when the profile does.

        The profile's second 0 is when Locust is ready, or `begun` (epoch seconds). `web`: Locust
        shows its page on WEB_PORT of this machine, and reaches a lab through its port forward.
        EI_USER and EI_PASSWORD answer an endpoint that asks who is there. Raises SessionError.
        """
        request = self._trial()
        self._spec = {
            "seed": self.seed, "clock": self.clock, "begun": begun,
            "base": base or (_relayed() if web else INGRESS_IN_LAB), "path": request.url(self.meta["path"]), "timeout": 12,
            "headers": headers or self._headers(), "body": request.body.decode(), "deadline": self.deadline,
            "started": self.meta["started"], "requests": str(self.run / "requests.jsonl"),
        }  # fmt: skip
        place = self.change(profile)
        mode = (
            [
                "--web-host",
                "127.0.0.1",
                "--web-port",
                str(WEB_PORT),
                "--autostart",
                "--autoquit",
                "1",
            ]
            if web
            else ["--headless"]
        )
        command = [
            *([] if web else self.inside()), sys.executable, "-m", "locust", "-f", str(ROOT / "ops/load/locustfile.py"), *mode,
            "--only-summary", "--stop-timeout", "12", "--loglevel", "WARNING", "--exit-code-on-error", "0",
        ]  # fmt: skip
        log = (self.run / "locust.log").open("a")
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**environment(), "LOAD_SPEC": str(place)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def _trial(self) -> Trial:
        """The request that is sent; whoever can't log in is told before it begins."""
        try:
            credentials()
            return trial.of_stack(self.stack.name, root=self.program)
        except (trial.TrialError, CredentialsError) as reason:
            raise SessionError(str(reason)) from None

    def change(self, profile: Profile) -> Path:
        """Writes the load spec with another profile, for a load that may already run, with the same
        second 0. Returns the file's path.
        """
        place = self.run / "load_spec.json"
        fresh = place.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(
            json.dumps(
                {
                    **self._spec,
                    "name": profile.name,
                    "points": profile.points,
                    "steps": profile.steps,
                }
            )
        )
        fresh.replace(place)
        return place

    def _headers(self) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            **({"Host": self.meta["host"]} if self.meta["host"] else {}),
        }

    def _meta(self) -> dict[str, Any]:
        outputs = self.stack.outputs()
        predict, space, name = (
            urlsplit(outputs["predictUrl"]),
            outputs["namespace"],
            outputs["deployment"],
        )
        deployment = json.loads(
            self.output("kubectl", "get", "deployment", name, "-n", space, "-o", "json")
        )
        hpa = json.loads(
            self.output("kubectl", "get", "hpa", outputs["hpaName"], "-n", space, "-o", "json")
        )
        labels = deployment["spec"]["selector"]["matchLabels"]
        target = float(hpa["spec"]["metrics"][0]["external"]["target"]["averageValue"])
        prices, route = self._prices(), route_of(hpa)
        if self.watch and route is None:
            raise SessionError(
                f"HPA {outputs['hpaName']} counts no route of an ingress log: there is nothing to read answers from"
            )
        return {
            "title": self.title, "stack": self.stack.name, "lab": self.stack.in_lab, "seed": self.seed, "started": time.time(),
            "clock": float(self.control("clock")["factor"]) if self.stack.in_lab else 1.0,
            "namespace": space, "deployment": name, "hpa": outputs["hpaName"], "node_pool": outputs["nodePoolId"].split(":")[-1],
            "selector": ",".join(f"{key}={value}" for key, value in labels.items()),
            "path": predict.path, "host": predict.hostname, "target_qps": target, "deadline": self.deadline,
            "pod_qps": self.pod_qps or float(os.environ.get("LAB_STUB_QPS") or 0) or target / CAPACITY_SHARE,
            "prices": prices["prices"], "spot_fraction": prices["spot_fraction"], "price_date": prices["date"],
            "price_source": prices["source"], "cluster": outputs["clusterId"], "region": self._region_name(),
            "route": asdict(route) if self.watch and route else None,
            "settings": {**self._settings(), "hpa": hpa["spec"]}, "scenario": _scenario() if self.stack.in_lab else None,
        }  # fmt: skip

    def _prices(self) -> dict[str, Any]:
        """CNY per hour by type, preemptible ones as a share of it, date and source."""
        if self.stack.in_lab:
            return self.control("prices")

        table, wrong = price_tables.load(self.prices, self._region_name())
        if wrong:
            raise SessionError("\n".join(str(mistake) for mistake in wrong))
        return {
            "prices": table.on_demand,
            "spot_fraction": table.spot_fraction,
            "date": table.date,
            "source": table.source,
        }

    def _region_name(self) -> str:
        """The stack's region."""
        return str(self._config().get("alicloud:region") or os.environ.get("ALICLOUD_REGION") or "")

    def _settings(self) -> dict[str, Any]:
        """The stack's settings in clear; what is encrypted stays out."""
        return {
            key: value
            for key, value in self._config().items()
            if key.startswith("elastic-inference:") and "secure" not in json.dumps(value)
        }

    def _config(self) -> dict[str, Any]:
        there = (self.program / f"Pulumi.{self.stack.name}.yaml").is_file()
        return read(self.program, self.stack.name).config if there else {}


def _relayed() -> str:
    """The lab's ingress as this machine reaches it."""
    return f"http://127.0.0.1:{ingress_port()}"


def _scenario() -> Any:
    """What the lab assumes of the cloud, as it was started."""
    place = lab_home() / "scenario.yaml"
    return yaml.safe_load(place.read_text()) if place.is_file() else None


def runs() -> Path:
    """Directory under which runs are kept."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    return Path(state) / "elastic-inference" / "runs"
