"""Labels and taints as the API server, ACK's node pools and the kubelet refuse them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aliyunsdkcore.acs_exception.exceptions import ServerException

from lab.kubelet.agent import Agent
from lab.labels import kubelet_refusal, label_problem, taint_problem
from lab.testing import clients
from lab.testing.cloud import CloudDouble
from lab.testing.node_pools import BASE, create, delete, wanted
from lab.tests.kubelet.test_nodes import INSTANCE

LONG = "a" * 64
BAD = [
    ("team", LONG, "must be no more than 63 bytes"),
    ("team", "-x", "a valid label must be an empty string or consist of"),
    ("team", "ueber\u00fc", "a valid label must be an empty string or consist of"),
    ("team", "two words", "a valid label must be an empty string or consist of"),
    (LONG, "x", "name part must be no more than 63 bytes"),
    ("", "x", "name part must be non-empty"),
    ("example.com/", "x", "name part must be non-empty"),
    ("/name", "x", "prefix part must be non-empty"),
    ("Example.com/name", "x", "prefix part a lowercase RFC 1123 subdomain must consist of"),
    (f"{'a.' * 126}ab/name", "x", "prefix part must be no more than 253 bytes"),
    ("a/b/c", "x", "a qualified name must consist of"),
    ("name!", "x", "name part must consist of"),
]


@pytest.mark.parametrize(("key", "value", "said"), BAD)
def test_a_label_is_refused_in_the_api_server_s_words(key: str, value: str, said: str) -> None:
    assert said in label_problem(key, value) and said in taint_problem(
        {"key": key, "value": value, "effect": "NoSchedule"}
    )
    assert said in kubelet_refusal({key: value}, [])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("a", ""),
        ("a" * 63, "a" * 63),
        ("example.com/a_b.c-d", "A_b.c-9"),
        (f"{'a.' * 125}ab/n", "x"),
    ],
)
def test_what_kubernetes_takes_is_taken(key: str, value: str) -> None:
    assert not label_problem(key, value) and not kubelet_refusal(
        {key: value}, [{"key": key, "value": value, "effect": "NoExecute"}]
    )


@pytest.mark.parametrize(("key", "refused"), [
    ("kubernetes.io/team", True), ("x.k8s.io/team", True), ("node.kubernetes.io/team", False), ("kubernetes.io/arch", False),
    ("node-role.kubernetes.io/gpu", True), ("k8s.aliyun.com", False), ("notkubernetes.io/team", False),
])  # fmt: skip
def test_a_kubelet_keeps_kubernetes_own_labels_to_itself(key: str, refused: bool) -> None:
    said = kubelet_refusal({key: "x"}, [])
    assert bool(said) is refused and (
        not refused or f"labels specified with --node-labels: [{key}]" in said
    )


@pytest.mark.parametrize(
    ("config", "code", "said"),
    [
        (
            {"labels": [{"key": "team", "value": LONG}]},
            "InvalidParameter.Labels",
            "must be no more than 63 bytes",
        ),
        (
            {"labels": [{"key": "a/b/c", "value": "x"}]},
            "InvalidParameter.Labels",
            "a qualified name",
        ),
        (
            {"taints": [{"key": "gpu", "value": "-", "effect": "NoSchedule"}]},
            "InvalidParameter.Taints",
            "a valid label",
        ),
        (
            {"taints": [{"key": "gpu", "value": "x", "effect": "Nope"}]},
            "InvalidParameter.Taints",
            'Unsupported value: "Nope"',
        ),
    ],
)
def test_a_node_pool_with_such_labels_or_taints_is_not_made_and_not_changed(
    lab: CloudDouble, config: dict[str, Any], code: str, said: str
) -> None:
    body = wanted("labels")
    before = len(clients.roa(lab, "GET", BASE)["nodepools"])
    with pytest.raises(ServerException) as refused:
        clients.roa(
            lab,
            "POST",
            BASE,
            {**body, "kubernetes_config": {**body["kubernetes_config"], **config}},
        )
    assert len(clients.roa(lab, "GET", BASE)["nodepools"]) == before
    pool = create(lab, body)
    with pytest.raises(ServerException) as kept:
        clients.roa(lab, "PUT", f"{BASE}/{pool}", {"kubernetes_config": config})
    now = clients.roa(lab, "GET", f"{BASE}/{pool}")["kubernetes_config"]
    delete(lab, pool)
    assert now == body["kubernetes_config"]
    for caught in (refused, kept):
        # the older SDK knows the service's code under another name, and shows the body as it came
        answer = json.loads(
            str(caught.value).partition("ServerResponseBody: ")[2].rpartition(" RequestID:")[0]
        )
        assert answer["code"] == code and said in answer["message"]


async def test_a_kubelet_that_refuses_its_labels_registers_no_node(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nobody: Any = object()  # whoever asks it for anything fails
    agent = Agent(tmp_path, nobody, "c1")
    agent.sync_instances([{**INSTANCE, "labels": {"kubernetes.io/team": "ml"}}])
    (node,) = agent.nodes.values()
    await agent._register(node)
    assert not node.ready.is_set()
    assert (
        "its kubelet ends, no node registers: failed to validate kubelet flags: unknown 'kubernetes.io'"
        in caplog.text
    )
