"""Inside a lab with a control plane: the program's cluster half, made, changed and removed by the
commands' own code over the real plugin.

The cloud half is made once and stays. Each case starts where the last one has ended: what is made
is what the next one changes or removes.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import time
from typing import Any

import psutil
import yaml

from lab.controlplane.certificates import cluster_pki
from lab.kube import BlockingKube, KubeError
from ops.engine.cli import ROOT
from ops.engine.cluster_objects import FIELD_MANAGER_KEY
from tests.faults import shape
from tests.faults.apiserver import PLUGIN, ApiServer
from tests.faults.cases import AFTER_IT, AS_SINCE_4_29, BEFORE, CLUSTER, PLUGIN_KILLED, Case
from tests.faults.world import Run, World, kill

CLI = {"create": "up", "update": "up", "refresh objects": "refresh", "delete": "destroy"}
"""The command behind each operation."""
ARGUMENTS = {"destroy": ("--target", "**kubernetes:**", "--target-dependents")}
SETTINGS = ROOT / "Pulumi.local.yaml"
CHANGED = {
    "autoscaler": {"maxReplicas": 9},
    "server": {"graceSeconds": 11},
    "model": {"volumeSize": "6Gi"},
    "interruption": {"noticeSeconds": 290},
    "entry": {"timeoutSeconds": 61},
}
"""What an update changes, and the next one changes back: objects in place, and volume and claim by
replacement.
"""
HTPASSWD = "user:$2y$10$HDQtx9dkJrNz6GqLvgGMp.A0.7X0pMQKD5VErJPZhz1RM7Eb1V6qK"
"""A user for entry.auth basic, so that there is a Secret."""
PATIENCE = 60.0
"""Seconds within which the cluster's controllers are done with what a run ordered."""


class ClusterWorld(World):
    """One cluster and one stack whose cloud half stays as it is."""

    def __init__(self) -> None:
        super().__init__(ARGUMENTS, {})
        self._home = pathlib.Path(os.environ["LAB_HOME"])
        self.api = ApiServer(self._home)
        self._kube = BlockingKube(cluster_pki(self._home).kubeconfig("admin"))
        self._at = ""
        self._changed = False
        self._without = ""
        self._paths: dict[str, str] = {}

    def clean_runs(self, operations: list[str]) -> dict[str, list[dict[str, Any]]]:
        """Cloud and cluster made, then each operation without a fault: what it calls, and how
        things are afterwards.
        """
        self.api.start()
        self.stack.run("stack", "init", "local")
        self.stack.run(
            "config", "set", "--stack", "local", "--path", "elastic-inference:entry.auth", "basic"
        )
        self.stack.run("config", "set", "--stack", "local", "--secret", "htpasswd", HTPASSWD)
        self._good(super().run("up"))
        self._learn()
        self._good(super().run("refresh"))
        self._good(self._once("delete"))
        self._without = self.stack.checkpoint.read_text()
        self.expected["without"] = self.shape()
        calls: dict[str, list[dict[str, Any]]] = {}
        for operation in ("create", "refresh objects", "update", "update", "delete"):
            self.api.calls.clear()
            self._good(self._once(operation))
            if operation in operations:
                calls.setdefault(
                    operation,
                    [
                        {"service": CLUSTER, "call": one.call, "host": "", "path": ""}
                        for one in self.api.calls
                    ],
                )
            self.settle()
            name = operation if operation != "update" else f"update to {self._changed}"
            self.expected[name] = self.shape()
            if operation == "refresh objects":
                self._good(super().run("up"))
                self.expected["up after refresh"] = self.shape()
        self._at = "without"
        return calls

    def _good(self, done: Run) -> None:
        assert done.code == 0, f"without a fault: {done.output}{done.told}"

    def _learn(self) -> None:
        """Which kinds of objects the stack has, and where the API server lists them."""
        for resource in self._resources():
            version, kind = resource["inputs"]["apiVersion"], resource["inputs"]["kind"]
            group = f"/apis/{version}" if "/" in version else f"/api/{version}"
            (row,) = [
                r
                for r in self._kube.get(group)["resources"]
                if r["kind"] == kind and "/" not in r["name"]
            ]
            self._paths[kind] = f"{group}/{row['name']}"

    def _resources(self) -> list[dict[str, Any]]:
        latest = json.loads(self.stack.checkpoint.read_text())["checkpoint"]["latest"] or {}
        return [
            one for one in latest.get("resources") or [] if one["type"].startswith("kubernetes:")
        ]

    def _once(self, operation: str) -> Run:
        """One run of the command, after the settings are as the operation wants them."""
        if operation == "update":
            self._change(not self._changed)
        return self.run(operation)

    def _change(self, to: bool) -> None:
        document = yaml.safe_load(SETTINGS.read_text())
        for group, values in CHANGED.items():
            held = document["config"].setdefault(f"elastic-inference:{group}", {})
            for name, value in values.items():
                held[name] = value
                if not to:
                    del held[name]
        document["config"]["elastic-inference:server"].setdefault("graceSeconds", 10)
        SETTINGS.write_text(yaml.safe_dump(document))
        self._changed = to

    def run(self, operation: str, at_start: Any = lambda process: None) -> Run:
        """The command as a user gives it; the stand-between knows what the state has."""
        self.api.known = {key for one in self._resources() for key in keys(one)}
        return super().run(CLI.get(operation, operation), at_start)

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """Faults and calls are the API server's, not the region's."""
        if path != "faults":
            return super().ask(path, method, body)
        if method == "POST":
            return self.api.faults.add(body)
        if method == "DELETE":
            return self.api.faults.clear()
        return {"faults": self.api.faults.all()}

    def begin(self, batch: list[Case]) -> None:
        """Things are as before the operation, and the faults wait for it."""
        self.ask("faults", "DELETE")
        self.api.refuses_existing = False
        operation = batch[0].operation
        self._bring(BEFORE[operation])
        if operation == "update":
            self._change(not self._changed)
        self.api.calls.clear()
        self.api.taken_over.clear()
        self.api.refuses_existing = batch[0].fault in AS_SINCE_4_29
        self._at = ""  # until it has converged
        for case in batch:
            self.ask("faults", "POST", case.order())

    def _bring(self, where: str) -> None:
        """By the shortest way: a clean run from where the last case ended, or everything removed by
        hand where one did not end well.
        """
        if self._at == where:
            return
        if self._at == "with":
            self._good(self.run("delete"))
        elif self._at == "":
            self._wipe()
        if where == "with":
            self._good(self.run("create"))
        self.settle()
        self._at = where

    def _wipe(self) -> None:
        """The cluster without any object of the plugin's, and the state as it was then."""
        for _, item, path in self._objects():
            metadata = item["metadata"]
            place = f"/namespaces/{metadata['namespace']}" if metadata.get("namespace") else ""
            group, _, plural = path.rpartition("/")
            try:
                self._kube.request("DELETE", f"{group}{place}/{plural}/{metadata['name']}")
            except KubeError as error:
                if error.status != 404:
                    raise
        end = time.monotonic() + PATIENCE
        while self._objects() and time.monotonic() < end:
            time.sleep(0.2)
        self.stack.checkpoint.write_text(self._without)
        for lock in self.stack.checkpoint.parents[2].glob("locks/**/*.json"):
            lock.unlink()

    def _objects(self) -> list[tuple[str, dict[str, Any], str]]:
        """(kind, object, path of its kind) of everything that the plugin wrote."""
        found = []
        for kind, path in self._paths.items():
            for item in self._kube.request("GET", path)["items"]:
                managers = [
                    row.get("manager", "") for row in item["metadata"].get("managedFields") or []
                ]
                if any(name.startswith(PLUGIN) for name in managers):
                    found.append((kind, item, path))
        return found

    def shape(self) -> shape.Shape:
        """State and cluster as they are now."""
        return {
            **shape.of_state(self.stack.checkpoint),
            **shape.of_cluster([(kind, item) for kind, item, _ in self._objects()]),
        }

    def differences(self, operation: str, patience: float = PATIENCE) -> list[str]:
        """How things differ from those after a clean run; where they don't, the next case starts
        from here.
        """
        name = operation if operation != "update" else f"update to {self._changed}"
        same = "update to True" if self._changed else "update to False"
        also = [
            self.expected[one]
            for one in (same, "create", "refresh objects", "up after refresh")
            if one in self.expected
        ]
        base = self.expected[name]
        if operation == "refresh objects" and self._changed:
            base = self.expected[same]
        end = time.monotonic() + patience
        while True:
            found = shape.differences(
                base,
                self.shape(),
                also if operation != "delete" and not self._changed else [self.expected[same]],
            )
            if not found or time.monotonic() > end:
                break
            time.sleep(0.3)
        if not found and not (found := self._of_two_names()):
            self._at = AFTER_IT[operation]
            found = [f"taken over by a creation: {'/'.join(key)}" for key in self.api.taken_over]
        return found

    def _of_two_names(self) -> list[str]:
        """Objects with fields under a name that the plugin has drawn and the state does not know:
        their next change is a conflict.
        """
        known = {keys(one)[0]: one["outputs"].get(FIELD_MANAGER_KEY) for one in self._resources()}
        found = []
        for kind, item, _ in self._objects():
            key = (kind, item["metadata"].get("namespace", ""), item["metadata"]["name"])
            managers = {
                row.get("manager", "") for row in item["metadata"].get("managedFields") or []
            }
            others = sorted(
                {name for name in managers if name.startswith(f"{PLUGIN}-")} - {known.get(key)}
            )
            if others and key in known:
                found.append(
                    f"{'/'.join(key)}: written as {', '.join(others)}, in the state {known[key]}"
                )
        return found

    def kill_when_struck(self, case: Case) -> Any:
        """Kills the CLI, or the plugin alone, at the moment the case's fault strikes: before the
        call is done, or after.
        """

        def watch(process: subprocess.Popen[Any]) -> None:
            while process.poll() is None:
                struck = self.api.faults.all()[0]["hits"] > 0
                if struck and case.fault != "kill-before":
                    mine = [one for one in self.api.calls if one.call == case.call]
                    struck = len(mine) > case.number and mine[case.number].status is not None
                if struck:
                    return kill_plugin(process) if case.fault == PLUGIN_KILLED else kill(process)
                time.sleep(0.02)

        return watch


def kill_plugin(process: subprocess.Popen[Any]) -> None:
    """Ends the kubernetes plugin with SIGKILL; the CLI lives on."""
    for child in psutil.Process(process.pid).children(recursive=True):
        if re.search(r"pulumi-resource-kubernetes$", child.exe()):
            child.kill()


def keys(resource: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(kind, namespace, name) of an object of the state."""
    name = (resource.get("id") or "").rpartition("/")
    return [(resource["inputs"]["kind"], name[0], name[2])]
