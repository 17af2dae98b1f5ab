"""The report of a teardown, the commands in it, and the waits before it."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable

import pytest

from ops.cloud.client import carries, tags_of
from ops.cloud.cluster_reader import ClusterReader
from ops.cloud.errors import CloudError
from ops.engine.stack_location import StackLocation
from ops.teardown import waits
from ops.teardown.leftovers import (
    CONSOLES,
    KINDS,
    Doubtful,
    Leftover,
    Remains,
    Report,
    Unseen,
    leftover,
)
from ops.teardown.scan_cluster import (
    forgotten,
    grants,
    namespaces,
    nodes,
    objects,
    path_of,
    volumes,
)
from ops.teardown.scan_network import load_balancers, service_mark
from tests.ops import teardown_state as states
from tests.ops.test_teardown_guard import FakeCloud

WHERE = "account 1, region cn-shanghai, cluster c1"
LEFT = leftover("load balancer", "lb-1", "tags project=x, stack=dev", "cn-shanghai")


class FakeReader(ClusterReader):
    """Objects by path, without an API server."""

    def __init__(self, paths: dict[str, dict]) -> None:
        self._paths = paths

    def get(self, path: str) -> dict:
        """What is there."""
        return self._paths.get(path, {})


@pytest.mark.parametrize("kind", KINDS)
def test_for_every_kind_there_is_a_command_with_its_id(kind: str) -> None:
    one = leftover(kind, "an id", "because", "cn-shanghai", of="c1")
    assert (
        "'an id'" in one.remove
        and "{" not in one.remove
        and one.remove.split()[0] in ("aliyun", "kubectl")
    )
    assert one.where.startswith("https://") == (kind in CONSOLES)


def test_a_clean_report_says_so_in_one_line() -> None:
    report = Report("dev", WHERE, Remains())
    assert report.clean and report.text().splitlines()[-1] == "dev: nothing is left"


def test_what_is_left_is_named_with_reason_command_and_page() -> None:
    report = Report("dev", WHERE, Remains((LEFT,)))
    text = report.text()
    assert not report.clean and "Left (1):" in text
    assert (
        "  load balancer lb-1: tags project=x, stack=dev\n    aliyun slb SetLoadBalancerDeleteProtection"
        in text
    )
    assert "https://slb.console.alibabacloud.com/slb/cn-shanghai/slbs" in text and text.endswith(
        "dev: 1 left, 0 not looked at"
    )


def test_what_could_not_be_looked_at_makes_the_report_unclean() -> None:
    report = Report(
        "dev", WHERE, Remains(unseen=(Unseen("disks", "ecs DescribeDisks: Forbidden.RAM"),))
    )
    assert (
        not report.clean
        and "something may be left" in report.text()
        and "0 left, 1 not looked at" in report.text()
    )


def test_what_may_be_anothers_is_named_without_a_command_and_makes_the_report_unclean(
    tmp_path: pathlib.Path,
) -> None:
    doubt = Doubtful("RAM role", "reader", "tags project=x, stack=dev")
    report = Report("dev", WHERE, Remains(doubtful=(doubt,)))
    text = report.text()
    assert not report.clean and "Perhaps this stack's (1)" in text
    assert "  RAM role reader: tags project=x, stack=dev" in text and "make up" in text
    assert "aliyun" not in text and text.endswith("dev: 0 left, 1 perhaps, 0 not looked at")
    report.write(str(tmp_path / "report.json"))
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["left"] == [] and document["doubtful"][0]["id"] == "reader"


def test_what_the_state_still_names_makes_it_unclean_and_what_is_kept_does_not() -> None:
    bucket = next(one for one in states.local().real if one.kind.endswith(":Bucket"))
    assert Report("dev", WHERE, Remains(), kept=(bucket,)).clean
    assert "but what stays on purpose" in Report("dev", WHERE, Remains(), kept=(bucket,)).text()
    unfinished = Report("dev", WHERE, Remains(), in_state=(bucket,))
    assert not unfinished.clean and "Still in the state (1):" in unfinished.text()


def test_the_report_as_json_has_everything_in_it(tmp_path: pathlib.Path) -> None:
    Report("dev", WHERE, Remains((LEFT,), (Unseen("disks", "no"),))).write(
        str(tmp_path / "report.json")
    )
    document = json.loads((tmp_path / "report.json").read_text())
    assert (
        document["clean"] is False
        and document["left"][0]["id"] == "lb-1"
        and document["unseen"][0]["what"] == "disks"
    )


def test_a_wait_ends_when_nothing_is_pending_and_tells_each_change_once() -> None:
    said: list[str] = []
    answers = [["pod a ends", "pod b ends"], ["pod a ends", "pod b ends"], ["pod b ends"], []]
    assert waits.until_nothing(
        "pods", lambda: answers.pop(0), said.append, sleep=lambda seconds: None
    )
    assert [line.partition(" (")[0] for line in said] == [
        "  pods: pod a ends and 1 more",
        "  pods: pod b ends",
        "  pods: done after 0 s",
    ]


def test_a_wait_for_nothing_says_nothing() -> None:
    said: list[str] = []
    assert waits.until_nothing("pods", list, said.append, sleep=lambda seconds: None) and said == []


def test_a_wait_ends_when_patience_does_even_if_nobody_can_look() -> None:
    said: list[str] = []

    def failing() -> list[str]:
        raise CloudError("ecs DescribeInstances", "", "reset")

    assert not waits.until_nothing(
        "instances", failing, said.append, patience=0, sleep=lambda seconds: None
    )
    assert (
        "can't be looked at: ecs DescribeInstances: reset" in said[0]
        and "the report will name what is left" in said[-1]
    )


@pytest.mark.parametrize(
    "row",
    [
        {"Tags": {"Tag": [{"TagKey": "a", "TagValue": "b"}]}},
        {"Tags": [{"Key": "a", "Value": "b"}]},
        {"tags": [{"key": "a", "value": "b"}]},
    ],
)
def test_tags_are_read_however_a_product_writes_them(row: dict) -> None:
    assert (
        tags_of(row) == {"a": "b"}
        and carries(row, {"a": "b"})
        and not carries(row, {"a": "c"})
        and not carries({}, {"a": "b"})
    )


def test_every_object_of_the_state_has_a_place_at_the_api_server() -> None:
    paths = {
        one.name: path_of(one) for one in states.local().real if one.kind.startswith("kubernetes:")
    }
    assert paths["entry-ingress"].startswith(
        "/apis/networking.k8s.io/v1/namespaces/inference/ingresses/entry-ingress-"
    )
    assert paths["server-deployment"].startswith("/apis/apps/v1/namespaces/inference/deployments/")
    assert paths["server-service"].startswith("/api/v1/namespaces/inference/services/")
    assert paths["namespace"] == paths["volume-pv"] == "", "they have a look of their own"
    assert (
        all(path.count("//") == 0 for path in paths.values())
        and sum(map(bool, paths.values())) > 10
    )


def commands(found: Iterable[Leftover | Doubtful]) -> list[str]:
    """The commands that remove what was found; nothing of it is in doubt."""
    rows = list(found)
    left = [one for one in rows if isinstance(one, Leftover)]
    assert left == rows
    return [one.remove for one in left]


def test_what_is_left_in_the_cluster_is_found() -> None:
    ingress = next(one for one in states.local().real if one.name == "entry-ingress")
    where = StackLocation(
        "local",
        namespace="inference",
        volumes=frozenset({"pv-1"}),
        pools=frozenset({"np-1"}),
        cluster_tag="c1",
    )
    ours = where.labels
    reader = FakeReader(
        {
            "/api/v1/namespaces/inference": {
                "metadata": {"labels": ours},
                "status": {"phase": "Active"},
            },
            "/api/v1/namespaces/inference-interruption": {
                "metadata": {"labels": ours},
                "status": {"phase": "Active"},
            },
            "/api/v1/persistentvolumes": {
                "items": [
                    _item("pv-1", labels=ours),
                    _item("pv-2", spec={"claimRef": {"namespace": "other"}}),
                    _item("pv-3", spec=CLAIMED),
                ]
            },
            "/api/v1/nodes": {
                "items": [
                    _item("n1", labels={"inference-stack": "local"}),
                    _item("n2", labels={"inference-stack": "dev"}),
                ]
            },
            path_of(ingress): {"kind": "Ingress", "metadata": {"labels": ours}},
        }
    )
    assert commands(namespaces(reader, where)) == [
        "kubectl delete namespace inference",
        "kubectl delete namespace inference-interruption",
    ]
    assert [one.id for one in volumes(reader, where)] == ["pv-1", "pv-3"]
    assert commands(volumes(reader, where, shared=True)) == ["kubectl delete persistentvolume pv-1"]
    assert commands(nodes(reader, where)) == ["kubectl delete node n1"]
    bindings = [
        _binding("ours", "own-role", "inference"),
        _binding("mixed", "view", "other"),
        _binding("also-ours", "view", "inference-interruption"),
    ]
    reader._paths |= {
        f"{RBAC}/clusterrolebindings": {"items": bindings},
        f"{RBAC}/clusterroles/own-role": {"metadata": {"name": "own-role"}},
    }
    assert commands(grants(reader, where)) == [
        "kubectl delete clusterrolebinding ours", "kubectl delete clusterrolebinding also-ours", "kubectl delete clusterrole own-role",
    ]  # fmt: skip
    assert list(grants(reader, where, shared=True)) == []
    (left,) = objects(reader, [ingress], where)
    assert (
        isinstance(left, Leftover)
        and left.remove
        == f"kubectl delete ingress --namespace inference {ingress.id.partition('/')[2]}"
    )


def test_of_a_cluster_that_did_not_answer_what_is_certainly_left_is_named() -> None:
    known = [one for one in states.local().real if one.kind.startswith("kubernetes:")]
    left = {one.remove.rpartition(" ")[0] for one in forgotten(known)}
    assert left == {
        "kubectl delete namespace", "kubectl delete persistentvolume", "kubectl delete clusterrole", "kubectl delete clusterrolebinding",
        "kubectl delete validatingadmissionpolicy", "kubectl delete validatingadmissionpolicybinding",
    }  # fmt: skip


RBAC = "/apis/rbac.authorization.k8s.io/v1"


def _binding(name: str, role: str, namespace: str) -> dict:
    return {
        "metadata": {"name": name},
        "roleRef": {"name": role},
        "subjects": [{"kind": "ServiceAccount", "namespace": namespace}],
    }


CLAIMED = {"claimRef": {"namespace": "inference"}}


def _item(name: str, spec: dict | None = None, labels: dict | None = None) -> dict:
    return {"metadata": {"name": name, "labels": labels or {}, "uid": name}, "spec": spec or {}}


class Balancers(FakeCloud):
    """A region with three load balancers of one shared cluster."""

    def rpc(self, product: str, action: str, **parameters: str) -> dict:
        """Lists."""
        if product == "location":
            return {}
        if product != "slb":
            return {"LoadBalancers": []}
        rows = [
            {"LoadBalancerId": "lb-api", "Tags": _tags({"ack.aliyun.com": "c1"})},
            {
                "LoadBalancerId": "lb-used",
                "Tags": _tags(
                    {"ack.aliyun.com": "c1", "kubernetes.do.not.delete": service_mark("a-uid")}
                ),
            },
            {
                "LoadBalancerId": "lb-dead",
                "Tags": _tags(
                    {"ack.aliyun.com": "c1", "kubernetes.do.not.delete": service_mark("b-uid")}
                ),
            },
        ]
        return {"LoadBalancers": {"LoadBalancer": rows}, "TotalCount": len(rows)}


def _tags(tags: dict[str, str]) -> dict:
    return {"Tag": [{"TagKey": key, "TagValue": value} for key, value in tags.items()]}


def test_in_a_shared_cluster_only_a_load_balancer_whose_service_is_gone_is_left() -> None:
    reader = FakeReader({"/api/v1/services": {"items": [{"metadata": {"uid": "a-uid"}}]}})
    left = list(load_balancers(Balancers(), StackLocation("local", cluster="c1"), reader))
    assert [one.id for one in left] == ["lb-dead"] and "no Service of that cluster owns it" in left[
        0
    ].why
    assert list(load_balancers(Balancers(), StackLocation("local", cluster="c1"), None)) == [], (
        "without a look inside nobody can tell"
    )
    own = load_balancers(Balancers(), StackLocation("local", cluster="c1", cluster_made=True), None)
    assert sorted(one.id for one in own) == ["lb-api", "lb-dead", "lb-used"]
