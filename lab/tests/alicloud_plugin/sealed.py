"""Runs one scenario in a network namespace of its own: `python -m … NAME PLUGIN DIRECTORY DOUBLE`.

Inside, every name of the cloud leads to the double: "replay" gives the recorded answers, "region"
is the lab's region. The result, what each step sent and answered, goes to `DIRECTORY/result.json`.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc

from lab.environment import REGION_IP
from lab.pki import ensure_lab_ca
from lab.testing.plugin import CREDENTIALS, Plugin
from lab.testing.sealed import in_namespaces, names_answered
from lab.tests.alicloud_plugin.calls import recorded, select
from lab.tests.alicloud_plugin.region import Region
from lab.tests.alicloud_plugin.replay import Replay
from lab.tests.alicloud_plugin.scenarios import Phase, Step, node_pool, ram
from lab.tests.alicloud_plugin.scenarios_oss import oss

SCENARIOS = {"nodepool": node_pool, "ram": ram, "oss": oss}
STEPS = [
    (name, phase.title, step)
    for name, scenario in SCENARIOS.items()
    for phase in scenario()
    for step in phase.steps
]
"""Every step of every scenario, with the scenario's name and its phase's title."""
_LONGEST_SECONDS = 1500


def outcome_of(
    outcomes: dict[str, list[dict[str, Any]]], name: str, title: str, step: Step
) -> dict[str, Any]:
    """One step's outcome among those of all scenarios."""
    return next(
        item
        for item in outcomes[name]
        if (item["phase"], item["do"], item["name"]) == (title, step.do, step.name)
    )


def run(name: str, plugin: Path, directory: Path, double: str = "replay") -> list[dict[str, Any]]:
    """The outcome of every step of a scenario: title, step, calls, error, state."""
    module = "lab.tests.alicloud_plugin.sealed"
    command = in_namespaces(sys.executable, "-m", module, name, str(plugin), str(directory), double)
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_LONGEST_SECONDS, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"scenario {name}: {done.stderr}")
    return json.loads((directory / "result.json").read_text())


def _inside(name: str, plugin: Path, directory: Path, double: str) -> None:
    ca = ensure_lab_ca(directory)
    server = Region(directory) if double == "region" else Replay(ca, REGION_IP)
    runner = _Runner(server, name, plugin, ca.cert_path)
    result = [outcome for phase in SCENARIOS[name]() for outcome in runner.phase(phase)]
    (directory / "result.json").write_text(json.dumps(result))


class _Runner:
    """Keeps the resources of a scenario from phase to phase, as the engine keeps its state."""

    def __init__(self, double: Any, name: str, plugin: Path, ca: Path) -> None:
        self._double = double
        self._recording = recorded(name)
        self._plugin = plugin
        self._ca = ca
        self._resources: dict[str, tuple[str, str, dict[str, Any]]] = {}

    def phase(self, phase: Phase) -> list[dict[str, Any]]:
        """Runs the steps of a phase on a plugin process of its own."""

        empty = self._ca.parent / "no-certificates"
        empty.mkdir(exist_ok=True)
        environment = {
            **CREDENTIALS,
            **self._double.credentials(),
            "SSL_CERT_FILE": str(self._ca),
            "SSL_CERT_DIR": str(empty),
        }
        with Plugin(self._plugin, environment) as plugin:
            plugin.configure()
            return [
                self._outcome(plugin, phase.title, step)
                for step in phase.steps
                if self._double.plays(step)
            ]

    def _outcome(self, plugin: Any, title: str, step: Step) -> dict[str, Any]:

        self._double.expect(select(self._recording, step.calls))
        error = ""
        try:
            self._do(plugin, step)
        except grpc.RpcError as failure:
            error = failure.details()  # type: ignore[attr-defined]  # an RpcError is a Call as well
        state = self._resources.get(step.name, ("", "", {}))
        return {
            "phase": title,
            "do": step.do,
            "name": step.name,
            "calls": self._double.take(),
            "error": error,
            "state": state,
        }

    def _do(self, plugin: Any, step: Step) -> None:
        token, identifier, state = self._resources.get(step.name, (step.token, "", {}))
        if step.do == "create":
            inputs = _checked(plugin, token, step.inputs)
            self._resources[step.name] = (token, *plugin.create(token, inputs))
        elif step.do == "update":
            inputs = _checked(plugin, token, step.inputs)
            self._resources[step.name] = (
                token,
                identifier,
                plugin.update(token, identifier, state, inputs, step.ignore),
            )
        elif step.do == "read":
            self._resources[step.name] = (token, *plugin.read(token, identifier, state))
        else:
            plugin.delete(token, identifier, {**state, **step.inputs})


def _checked(plugin: Any, token: str, inputs: dict[str, Any]) -> dict[str, Any]:
    checked, failures = plugin.check(token, inputs)
    assert not failures, failures
    return checked


if __name__ == "__main__":
    with names_answered(Path(sys.argv[3])):
        _inside(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
