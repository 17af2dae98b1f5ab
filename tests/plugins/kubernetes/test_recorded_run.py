"""A whole run — create, no change, new digest, destroy — gives the recorded states and messages."""

from __future__ import annotations

import concurrent.futures
import json

from pulumi.runtime.proto import provider_pb2

from tests.plugins.kubernetes import recorded
from tests.plugins.kubernetes.differences import differs
from tests.plugins.kubernetes.kubelet import Kubelet
from tests.plugins.kubernetes.process import InitFailed, Plugin

ADDRESS_LINE = "[2/3] Waiting for update of .status.loadBalancer with hostname/IP"  # only if the address comes after the endpoints
DELETION_LINES = {"Resource is current", "Resource scheduled for deletion"}


def said(plugin: Plugin, urn: str, begun: int = 0) -> list[list[str]]:
    """[severity, text] of what was said about a resource."""
    messages = plugin.engine.messages[begun:]
    return [[severity, text] for severity, about, text, _ in messages if about == urn and text != ADDRESS_LINE]


def create_all(plugin: Plugin, recording: dict) -> dict[str, tuple[str, dict]]:
    """Create what was recorded in its order; the Service beside the rest, as the engine does."""
    made: dict[str, tuple[str, dict]] = {}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        later = {}
        service = next(r for r in recording["resources"] if r["inputs"]["kind"] == "Service")
        for resource in recording["resources"]:
            kind = resource["inputs"]["kind"]
            if kind == "ServiceAccount":
                later[service["urn"]] = pool.submit(plugin.create, service["urn"], service["inputs"])
            if kind == "Ingress":
                made[service["urn"]] = later[service["urn"]].result()
            if kind != "Service":
                made[resource["urn"]] = plugin.create(resource["urn"], resource["inputs"])
    return made


@differs("deletion-lines")
def test_a_whole_run_gives_the_recorded_states_and_messages(plugin: Plugin, kubelet: Kubelet) -> None:
    recording = recorded.load("create.json")
    made = create_all(plugin, recording)
    for resource in recording["resources"]:
        resource_id, state = made[resource["urn"]]
        assert resource_id == resource["id"]
        assert recorded.unequal(recorded.settled(resource["outputs"]), recorded.settled(state)) == [], resource["urn"]
        assert plugin.diff(resource["urn"], state, resource["inputs"]).changes == provider_pb2.DiffResponse.DIFF_NONE
        assert said(plugin, resource["urn"]) == recording["messages"][resource["urn"]]
    _replace(plugin, made)
    _destroy(plugin, recording, made)


def _replace(plugin: Plugin, made: dict[str, tuple[str, dict]]) -> None:
    """A new digest: new volume and claim, the Deployment rolled, the old ones deleted; as recorded."""
    old = dict(made)
    cases = [case for case in recorded.load("diff.json")["cases"] if case["op"] == "replace"]
    for case in cases:
        _, preview = plugin.create(case["urn"], case["inputs"], preview=True)
        assert recorded.unequal(recorded.settled(case["preview"]), recorded.settled(preview)) == []
        assert "resourceVersion" not in preview["metadata"] and "status" not in preview
        plugin.engine.messages[:] = [m for m in plugin.engine.messages if m[1] != case["urn"]]
        made[case["urn"]] = plugin.create(case["urn"], case["inputs"])
    urn = next(urn for urn in made if "Deployment" in urn)
    resource_id, state = made[urn]
    inputs = json.loads(json.dumps(state["__inputs"]).replace("bert-aaaa1111", "bert-bbbb2222"))
    begun = len(plugin.engine.messages)
    made[urn] = resource_id, plugin.update(urn, state, inputs)
    recording = recorded.load("replace-messages.json")["messages"]
    assert said(plugin, urn, begun) == recording[urn]
    for case in reversed(cases):
        plugin.delete(case["urn"], *old[case["urn"]])
        wanted = [m for m in recording[case["urn"]] if m[1] not in DELETION_LINES]
        assert [m for m in said(plugin, case["urn"]) if m[1] not in DELETION_LINES] == wanted
    assert len(cases) == 2


def _destroy(plugin: Plugin, recording: dict, made: dict[str, tuple[str, dict]]) -> None:
    destroyed = recorded.load("destroy.json")
    begun = len(plugin.engine.messages)
    for urn in destroyed["order"]:
        resource_id, state = made[urn]
        plugin.delete(urn, resource_id, state)
        assert plugin.read(urn, resource_id, state)[0] == ""
    for urn, messages in destroyed["messages"].items():
        found = [text for _, text in said(plugin, urn, begun)]
        assert found[-1] == messages[-1][1] == ""
        assert {*found, *recorded.words(messages)} <= {"", *DELETION_LINES}
    assert len(destroyed["order"]) == len(recording["resources"]) == 10


def test_an_image_that_cannot_be_pulled_fails_with_the_recorded_reasons(plugin: Plugin, kubelet: Kubelet, namespace: str) -> None:
    recording = recorded.load("broken-image.json")
    wanted = next(r for r in recording["resources"] if r["inputs"]["kind"] == "Deployment")
    inputs = wanted["inputs"]
    inputs["metadata"]["namespace"] = namespace
    inputs["spec"]["template"]["spec"]["volumes"] = []
    inputs["spec"]["template"]["spec"]["containers"][0].pop("volumeMounts")
    inputs["spec"]["template"]["spec"].pop("serviceAccountName")
    try:
        plugin.create(wanted["urn"], inputs)
    except InitFailed as failure:
        error = failure
    else:
        raise AssertionError("a Deployment whose image cannot be pulled became ready")
    pod_free = [text.replace(namespace, "inference") for text in recorded.words([["", r] for r in error.reasons])]
    either = {"[serving][ErrImagePull] failed to pull and unpack image", "[serving][ImagePullBackOff] Back-off pulling image"}
    assert pod_free[:-1] == wanted["initErrors"][:-1]
    assert recorded.words([["", wanted["initErrors"][-1]]])[0].startswith("[Pod inference/bert-#]: containers with unready status: ")
    assert pod_free[-1].startswith("[Pod inference/bert-#]: containers with unready status: ")
    assert any(text in pod_free[-1] for text in either)
    assert error.id == f"{namespace}/bert"
    assert set(error.state) == set(wanted["outputs"])
    told = [text.replace(namespace, "inference") for text in recorded.words(said(plugin, wanted["urn"]))]
    assert sorted(told) == sorted(recorded.words(recording["messages"][wanted["urn"]]))
