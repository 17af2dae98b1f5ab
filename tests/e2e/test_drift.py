"""Drift: an autoscaler's work is told from a change by hand, and no refresh undoes the first."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator

import pytest

from tests.e2e.harness import STACK, Lab

IN = ("-n", "inference")
BESIDE = ("-n", "inference-interruption")
"""The interruption handler's own namespace."""
SERVING = (*IN, "-l", "app=tensorflow-serving")


@pytest.fixture
def scaled(lab: Lab) -> Iterator[Lab]:
    """A pod more than there are nodes, and the node that the scaler ordered for it: of an earlier
    test's rollout a second node may still be there, and in the state. The HPA, without its metric,
    leaves it at that.
    """
    lab.up("--refresh")
    name = lab.outputs()["deployment"]
    assert lab.python("lab", "metrics", "outage").returncode == 0
    try:
        lab.run(
            "kubectl",
            "wait",
            "hpa",
            "--all",
            *IN,
            "--for=condition=ScalingActive=false",
            "--timeout=1500s",
        )
        more = sizes(lab)[1] + 1
        lab.run("kubectl", "scale", "deployment", name, *IN, f"--replicas={more}")
        lab.run("kubectl", "rollout", "status", "deployment", name, *IN, "--timeout=1500s")
        yield lab
    finally:
        lab.python("lab", "metrics", "normal")
        lab.run("kubectl", "scale", "deployment", name, *IN, "--replicas=1")
        lab.run(
            "kubectl",
            "wait",
            "deployment",
            name,
            *IN,
            "--for=jsonpath={.status.replicas}=1",
            "--timeout=1500s",
        )


def sizes(lab: Lab) -> tuple[int, int]:
    """Pods and nodes that are asked for."""
    pool = lab.outputs()["nodePoolId"].split(":")[-1]
    (deployment,) = lab.kubectl("get", "deployments", *SERVING)["items"]
    nodes = [
        found
        for found in lab.control("instances")["instances"]
        if found["nodepool_id"] == pool and found["status"] != "Deleted"
    ]
    return deployment["spec"]["replicas"], len(nodes)


def drift(lab: Lab, path: pathlib.Path, status: int) -> tuple[str, dict[tuple[str, str], dict]]:
    """What `make drift` says, and its differences by sort and name."""
    done = lab.python("ops.drift", "--json", str(path))
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout, {(one["sort"], one["name"]): one for one in json.loads(path.read_text())}


def test_autoscalers_differences_are_told_from_changes_by_hand_and_survive_a_refresh(
    scaled: Lab, tmp_path: pathlib.Path
) -> None:
    before = sizes(scaled)
    assert before[0] >= 2 and before[1] >= before[0]
    said, found = drift(scaled, tmp_path / "owned.json", 0)
    assert f"spec.replicas: 1, is now {before[0]} (the HPA)" in said
    assert "(the node scaler)" in said and set(found) == {
        ("owned", "server-deployment"),
        ("owned", "pool-pool"),
    }, said
    call = scaled.control("calls?since=-1")["last"]

    service = scaled.outputs()["deployment"]
    scaled.run(
        "kubectl",
        "label",
        "service",
        service,
        *IN,
        "heritage=hand",
        "--overwrite",
        "--field-manager=console",
    )
    scaled.run("kubectl", "delete", "pdb", "--all", *IN)
    said, found = drift(scaled, tmp_path / "changed.json", 7)
    (label,) = found["changed", "server-service"]["properties"]
    assert label == {
        "path": "metadata.labels.heritage",
        "was": '"hand"',
        "now": '"pulumi"',
        "owner": "",
    }
    assert ("gone", "server-budget") in found and ("owned", "server-deployment") in found
    assert "make up STACK=local REFRESH=1" in said and said.splitlines()[-1].endswith(
        "1 changed, 1 gone, 2 moved by autoscalers"
    ), said

    refused = scaled.pulumi(
        "up", "--stack", STACK, "--yes", "--skip-preview", "--refresh", check=False
    )
    told = refused.stdout + refused.stderr
    assert refused.returncode != 0 and 'conflict with "console"' in told, (
        f"what others set is not overwritten unasked\n{told}"
    )

    again = scaled.python("ops.up", "--refresh")
    assert again.returncode == 0, again.stdout + again.stderr
    _, found = drift(scaled, tmp_path / "repaired.json", 0)
    assert found == {}, "the refresh has taken the pods into the state, too"
    assert sizes(scaled) == before, "the refresh gave back nothing that the autoscalers ordered"
    writes = [
        one["call"]
        for one in scaled.control(f"calls?since={call}")["calls"]
        if one["call"].startswith(("Modify", "Scale", "Remove"))
    ]
    assert writes == []


def patch(
    lab: Lab,
    kind: str,
    name: str,
    *operations: tuple[str, str, object],
    where: tuple[str, str] = IN,
) -> None:
    """Changes an object as somebody with kubectl or a console does."""
    lines = [{"op": op, "path": path, "value": value} for op, path, value in operations]
    lab.run("kubectl", "patch", kind, name, *where, "--type=json", "-p", json.dumps(lines),
            "--field-manager=console")  # fmt: skip


def named(lab: Lab, kind: str, part: str, where: tuple[str, str] = IN) -> str:
    """The stack's object of this kind whose name begins so."""
    names = [one["metadata"]["name"] for one in lab.kubectl("get", kind, *where)["items"]]
    (name,) = [one for one in names if one.startswith(part)]
    return name


CONTAINERS = "/spec/template/spec/containers"
EVIL_RULE = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
UNREADABLE = {
    "match": {"service": "ram", "call": "GetRole"},
    "times": 1000,
    "kind": "error",
    "status": 403,
    "code": "NoPermission",
    "message": "You are not authorized to do this action.",
}


def test_what_others_added_is_seen_beside_what_can_not_be_read_and_a_refreshing_up_takes_it_away(
    deployed: Lab, tmp_path: pathlib.Path
) -> None:
    """Lists with one owner (rules, subjects, arguments, a policy's peers), lists by name
    (containers), annotations, and a variable that is given in another way now, which server-side
    apply cannot take back.
    """
    handler = named(deployed, "deployment", "bert-tfserving-interruption", BESIDE)
    server = deployed.outputs()["deployment"]
    objects = ("deployment", "role", "rolebinding", "networkpolicy", "ingress", "hpa")
    before = specs(deployed, objects)
    role = named(deployed, "role", "interruption")
    rules = len(deployed.kubectl("get", "role", role, *IN)["rules"])
    patch(deployed, "role", role, ("add", "/rules/-", EVIL_RULE))
    subject = {"kind": "User", "name": "evil", "apiGroup": "rbac.authorization.k8s.io"}
    binding = named(deployed, "rolebinding", "interruption")
    patch(deployed, "rolebinding", binding, ("add", "/subjects/-", subject))
    policy = named(deployed, "networkpolicy", "server")
    every = {"ipBlock": {"cidr": "0.0.0.0/0"}}
    patch(deployed, "networkpolicy", policy, ("add", "/spec/ingress/0/from/-", every))
    wide = ("replace", "/spec/ingress/0/from/0/podSelector", {})
    patch(deployed, "networkpolicy", policy, wide)
    annotation = "/metadata/annotations/nginx.ingress.kubernetes.io~1satisfy"
    patch(deployed, "ingress", named(deployed, "ingress", "entry"), ("add", annotation, "any"))
    metric = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 1}}
    added = {"type": "Resource", "resource": metric}
    patch(deployed, "hpa", named(deployed, "hpa", "bert"), ("add", "/spec/metrics/-", added))
    other = {"name": "POD_NAME", "value": "x"}
    env = ("replace", f"{CONTAINERS}/0/env/0", other)
    patch(deployed, "deployment", handler, env, where=BESIDE)
    sidecar = {
        "name": "evil",
        "image": "registry.k8s.io/pause:3.10",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    patch(deployed, "deployment", server, ("add", f"{CONTAINERS}/-", sidecar),
          ("add", f"{CONTAINERS}/0/args/-", "--flush_filesystem_caches=false"))  # fmt: skip

    deployed.control("faults", "POST", UNREADABLE)
    try:
        done = deployed.python("ops.drift", "--program", "--json", str(tmp_path / "added.json"))
    finally:
        deployed.control("faults", "DELETE")
    assert done.returncode == 7, done.stdout + done.stderr
    rows = json.loads((tmp_path / "added.json").read_text())
    paths = {(one["name"], part["path"]) for one in rows for part in one["properties"]}
    assert {
        ("interruption-pods", f"rules[{rules}]"),
        ("interruption-pods-binding", "subjects[1]"),
        ("server-network", "spec.ingress[0].from[1]"),
        ("entry-ingress", 'metadata.annotations["nginx.ingress.kubernetes.io/satisfy"]'),
        ("autoscaler-hpa", "spec.metrics[1]"),
        ("interruption-deployment", "spec.template.spec.containers[0].env[0]"),
        ("server-deployment", "spec.template.spec.containers[1]"),
        ("server-deployment", "spec.template.spec.containers[0].args[5]"),
    } <= paths, done.stdout
    assert any(
        name == "server-network" and path.startswith("spec.ingress[0].from[0]")
        for name, path in paths
    ), done.stdout
    (unread,) = [one for one in rows if one["sort"] == "unknown"]
    assert unread["name"] == "access-role" and "NoPermission" in unread["cause"]
    assert "let their RAM user or role do it" in unread["remedy"]

    again = deployed.python("ops.up", "--refresh")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "was not put back" not in again.stderr, again.stderr
    said, found = drift(deployed, tmp_path / "repaired.json", 0)
    assert {sort for sort, _ in found} <= {"owned"}, said
    assert specs(deployed, objects) == before
    managers = {
        field["manager"]
        for kind in objects
        for where in (IN, BESIDE)
        for one in deployed.kubectl("get", kind, *where, "--show-managed-fields")["items"]
        for field in one["metadata"]["managedFields"]
    }
    assert not any(one.endswith("put-back") for one in managers), managers
    deployed.up("--expect-no-changes")


def specs(lab: Lab, kinds: tuple[str, ...]) -> dict[str, object]:
    """What the stack's objects of these kinds say, without what an autoscaler moves."""
    found: dict[str, object] = {}
    for kind in kinds:
        for one in [
            *lab.kubectl("get", kind, *IN)["items"],
            *lab.kubectl("get", kind, *BESIDE)["items"],
        ]:
            spec = {key: value for key, value in one.get("spec", {}).items() if key != "replicas"}
            notes = {
                key: value
                for key, value in (one["metadata"].get("annotations") or {}).items()
                if not key.startswith("deployment.kubernetes.io/")
            }
            found[f"{kind}/{one['metadata']['name']}"] = (
                spec, one.get("rules"), one.get("subjects"), notes,
            )  # fmt: skip
    return found
