"""Destroy and down leave nothing: not in the region, not in the cluster, not on the machine. The
lab ends here: this comes last.
"""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys

import psutil

from lab.alicloud.seed import CLUSTER
from ops.engine.stack_location import PROJECT
from ops.teardown.leftovers import KINDS
from settings.names import object_labels
from tests.e2e.harness import STACK, Lab

OF_A_MADE_CLUSTER = {"cluster", "OIDC provider"}
NOT_OBJECTS = {"pods", "object"}


def processes_of(lab: Lab) -> list[str]:
    """Command lines on this machine that name this lab's directory."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        words = process.info["cmdline"] or []
        if str(lab.home) in " ".join(words) or (process.info["environ"] or {}).get(
            "LAB_HOME"
        ) == str(lab.home):
            found.append(" ".join(words))
    return found


def nothing_is_left(lab: Lab) -> None:
    """By the double's own account and the cluster's, which the teardown does not ask."""
    answer = lab.control("resources")
    assert (lab.state(), answer["extra"], answer["missing"]) == ([], {}, {})
    left = lab.kubectl("get", "namespaces,pv,nodes")["items"]
    names = [
        item["metadata"]["name"] for item in left if "inference" in json.dumps(item["metadata"])
    ]
    assert names == []


def deleted(output: str) -> list[str]:
    """Names of the resources in the order in which the CLI says that they are deleted."""
    return [
        match[1]
        for line in output.splitlines()
        if (match := re.search(r"\S+:\S+ (\S+) deleted \(", line))
    ]


ORDER = (
    "entry-ingress < server-deployment < volume-pvc < volume-pv < models-model < models-tls-only < models-bucket",
    "server-deployment < pool-pool < cluster-scaler",
    "volume-pv < access-attachment < access-policy",
    "volume-pv < access-role",
    "volume-pvc < namespace",
)
"""What may only go after what: nothing that pods stand on before the pods and their mounts."""


def test_destroy_goes_in_order_and_finds_whatever_was_left_behind_and_down_leaves_nothing_at_all(
    lab: Lab,
) -> None:
    lab.up()
    planted = json.loads(
        lab.run(sys.executable, "-m", "tests.remains", "plant", STACK).stdout
    ) | plant_in_cluster(lab)
    ended, report = lab.teardown()
    assert ended.returncode == 1, ended.stdout + ended.stderr
    order = deleted(ended.stdout)
    assert len(order) > 25
    for line in ORDER:
        names = line.split(" < ")
        assert sorted(names, key=order.index) == names, f"expected {line}, went {order}"
    assert sum("Destroying (" in line for line in ended.stdout.splitlines()) == 1, (
        "one run of the engine where nothing fails"
    )
    assert lab.state() == [] and report["unseen"] == report["inState"] == []
    assert all(one["remove"] in ended.stderr for one in report["left"])
    lab.run("kubectl", "create", "namespace", "inference")
    _, report = lab.teardown("--scan")
    assert not [one for one in report["left"] if one["kind"] == "Namespace"], (
        "a namespace of that name alone may be anybody's"
    )
    labels = object_labels(PROJECT, STACK, CLUSTER)
    marks = [f"{key}={value}" for key, value in labels.items()]
    lab.run("kubectl", "label", "namespace", "inference", *marks)
    planted["Namespace"] = "inference"
    _, report = lab.teardown("--scan")
    assert set(planted) == set(KINDS) - OF_A_MADE_CLUSTER - NOT_OBJECTS
    found = {(one["kind"], one["id"]) for one in report["left"]}
    assert set(planted.items()) <= found, set(planted.items()) - found
    remove(lab, report["left"], planted)

    lock = lock_of_a_killed_run(lab)
    ended, _ = lab.teardown()
    assert "released the lock" in ended.stderr and not lock.exists(), (
        "a CLI that is killed once everything is deleted leaves its lock: the next command ends it"
    )

    down = lab.python("ops.down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert (
        "local: nothing is left" in down.stdout
        and "down: no resource in the region, no object in the cluster" in down.stdout
    )
    assert processes_of(lab) == []
    assert str(lab.home) not in pathlib.Path("/proc/self/mountinfo").read_text()
    namespaces = subprocess.run(
        ["lsns", "--output", "COMMAND", "--noheadings"], capture_output=True, text=True, check=True
    ).stdout
    assert str(lab.home) not in namespaces
    assert not (lab.home / "data").exists()


def lock_of_a_killed_run(lab: Lab) -> pathlib.Path:
    """A lock as the CLI writes it, of a process that is no more."""
    locks = lab.home / "pulumi" / "state" / ".pulumi" / "locks"
    lock = locks / "organization" / "elastic-inference" / STACK / "0.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(json.dumps({"pid": 4194303, "username": "root", "hostname": "vm"}))
    return lock


def plant_in_cluster(lab: Lab) -> dict[str, str]:
    """A volume and a node object that nobody deletes."""
    manifests = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": "left-behind"},
            "spec": VOLUME,
        },
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "left-behind", "labels": {"inference-stack": STACK}},
        },
    ]
    path = lab.home / "left-behind.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))
    lab.run("kubectl", "create", "-f", str(path))
    return {"PersistentVolume": "left-behind", "Node": "left-behind"}


VOLUME = {
    "capacity": {"storage": "1Gi"},
    "accessModes": ["ReadOnlyMany"],
    "claimRef": {
        "namespace": "inference",
        "name": "gone",
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
    },
    "csi": {"driver": "ossplugin.csi.alibabacloud.com", "volumeHandle": "left-behind"},
    "persistentVolumeReclaimPolicy": "Retain",
}


def remove(lab: Lab, left: list[dict[str, str]], planted: dict[str, str]) -> None:
    """Removes what was left: in the cluster by the report's own commands, in the region by calls
    that do what its commands do.
    """
    for one in left:
        if one["remove"].startswith("kubectl "):
            lab.run("bash", "-c", f"{one['remove']} --wait=true --timeout=1500s")
    (lab.home / "planted.json").write_text(json.dumps(planted))
    lab.run("bash", "-c", f"{sys.executable} -m tests.remains remove < {lab.home / 'planted.json'}")
