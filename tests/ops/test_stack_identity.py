"""Whose a resource is: stacks `dev` and `dev-2` in one cluster, and two stacks `dev` with two
clusters of one account. What the one deployed, no teardown of the other takes or names with a
command.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from ops.cloud.client import ACK_TAG
from ops.cloud.cluster_reader import ClusterReader
from ops.engine.checkpoint import Checkpoint, parse
from ops.engine.stack_location import Owner, StackLocation, locate
from ops.teardown import guard, scan_cluster
from ops.teardown.guard import RefusedError
from ops.teardown.leftovers import Doubtful, Leftover
from settings.names import CLUSTER_TAG, OBJECT_LABELS
from tests.ops import teardown_state as states
from tests.unit.monitor import Recording
from tests.unit.program import CLUSTER, ROOT, run

OTHER_CLUSTER = "c" + "9" * 32
STACKS = {"dev": ("dev", CLUSTER), "dev-2": ("dev-2", CLUSTER), "namesake": ("dev", OTHER_CLUSTER)}
"""Three stacks of one account: (name, cluster)."""


def changes(cluster: str) -> dict[str, Any]:
    return {"cluster": {"id": cluster, "accountId": "1234567890123456"}}


@pytest.fixture(autouse=True)
def _a_stack_file_of_dev_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@functools.cache
def deployed(which: str) -> Recording:
    """What the program registers for one of the three; `dev-2` has the settings of `dev`."""
    stack, cluster = STACKS[which]
    return run("dev", changes(cluster), name=stack)


@functools.cache
def location(which: str, *, deployed_before: bool = False) -> StackLocation:
    """Where a teardown looks, by state and settings; `deployed_before`: by a version that knew no
    identity.
    """
    stack, cluster = STACKS[which]
    state = states.deployment_of(deployed(which), stack)
    if deployed_before:
        for row in state["resources"]:
            row["inputs"] = without_identity(row.get("inputs") or {})
            if row["type"].startswith("kubernetes:"):
                row["outputs"] = {"metadata": {"uid": f"uid of {row['urn']}"}}
    config = yaml.safe_load(pathlib.Path("Pulumi.dev.yaml").read_text())["config"]
    config["elastic-inference:cluster"] = changes(cluster)["cluster"]
    return locate(stack, parse(state), config)


def without_identity(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs as an earlier version registered them: no tag of the cluster, no labels."""
    result = dict(inputs)
    if isinstance(inputs.get("tags"), Mapping):
        result["tags"] = {k: v for k, v in inputs["tags"].items() if k != CLUSTER_TAG}
    metadata = inputs.get("metadata")
    if isinstance(metadata, Mapping):
        labels = metadata.get("labels") or {}
        own = {key: value for key, value in labels.items() if key not in OBJECT_LABELS}
        result["metadata"] = {**metadata, "labels": own}
    return result


def tagged(which: str) -> Iterator[Mapping[str, str]]:
    for resource in deployed(which).resources:
        if resource.type.startswith("alicloud:") and "tags" in resource.inputs:
            cluster = {ACK_TAG: STACKS[which][1]} if resource.type.endswith(":NodePool") else {}
            yield {**resource.inputs["tags"], **cluster}


def labelled(which: str) -> Iterator[Mapping[str, Any]]:
    for resource in deployed(which).resources:
        if resource.type.startswith("kubernetes:"):
            yield resource.inputs["metadata"]


@pytest.mark.parametrize("mine", STACKS)
@pytest.mark.parametrize("other", STACKS)
def test_each_of_three_stacks_knows_its_own_and_nothing_of_the_others(
    mine: str, other: str
) -> None:
    expected = Owner.OURS if mine == other else Owner.OTHER
    where = location(mine)
    tags, objects = list(tagged(other)), list(labelled(other))
    assert len(tags) >= 4 and len(objects) >= 15
    assert {where.owner(one) for one in tags} == {expected}
    assert {where.owner_of_object(one) for one in objects} == {expected}


@pytest.mark.parametrize("mine", STACKS)
@pytest.mark.parametrize("other", STACKS)
def test_no_name_that_a_teardown_looks_for_is_the_name_of_another_stack(
    mine: str, other: str
) -> None:
    if mine == other:
        return
    first, second = location(mine), location(other)
    assert first.buckets and first.roles and first.policies and first.pools
    assert not first.buckets & second.buckets
    assert not first.roles & second.roles
    assert not first.policies & second.policies
    for resource in deployed(other).of("cs/nodePool:NodePool"):
        name = resource.inputs["nodePoolName"]
        # a namesake's pools have the same name, and are in another cluster: nobody looks there
        assert first.is_pool_name(name) == (STACKS[mine][0] == STACKS[other][0])


def test_what_an_earlier_version_deployed_contradicts_nothing_and_is_in_doubt() -> None:
    where = location("dev")
    plain = {"project": "elastic-inference", "stack": "dev"}
    assert where.owner(plain) is Owner.UNCLEAR and not where.contradicted_by(plain)
    assert where.owner({**plain, ACK_TAG: CLUSTER}) is Owner.OURS, "ACK's tag names the cluster"
    assert where.owner({**plain, ACK_TAG: OTHER_CLUSTER}) is Owner.OTHER
    assert where.owner({**plain, "stack": "dev-2"}) is Owner.OTHER
    assert where.owner({}) is Owner.OTHER, "nothing speaks for this stack"


def test_tags_of_the_cluster_win_over_everything_else() -> None:
    where = location("dev")
    mine = {"project": "elastic-inference", "stack": "dev", CLUSTER_TAG: CLUSTER}
    assert where.owner({**mine, ACK_TAG: OTHER_CLUSTER}) is Owner.OTHER
    assert where.owner({**mine, CLUSTER_TAG: OTHER_CLUSTER, ACK_TAG: CLUSTER}) is Owner.OTHER


def test_without_state_and_settings_nothing_is_certain() -> None:
    nowhere = locate("dev", Checkpoint(), {})
    mine = {"project": "elastic-inference", "stack": "dev", CLUSTER_TAG: CLUSTER}
    assert nowhere.owner(mine) is Owner.UNCLEAR
    labels = next(iter(labelled("dev")))
    assert nowhere.owner_of_object(labels) is Owner.UNCLEAR


def test_the_state_of_an_earlier_version_takes_the_cluster_from_the_settings() -> None:
    before = location("dev", deployed_before=True)
    assert before.cluster_tag == CLUSTER == location("dev").cluster_tag
    assert before.namespace_made and len(before.uids) >= 15


class Reader(ClusterReader):
    """A cluster with one namespace, a volume that is claimed from it, and a grant to it."""

    def __init__(self, metadata: Mapping[str, Any], volume: str = "d-dynamic") -> None:
        self._metadata, self._volume = metadata, volume

    def get(self, path: str) -> dict[str, Any]:
        """The object or list there."""
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        volume = {
            "metadata": {"name": self._volume, "uid": "v"},
            "spec": {"claimRef": {"namespace": "inference"}},
        }
        binding = {
            "metadata": {"name": "binding", "uid": "b"},
            "roleRef": {"name": "role"},
            "subjects": [{"kind": "ServiceAccount", "namespace": "inference"}],
        }
        return {
            "/api/v1/namespaces/inference": {"metadata": dict(self._metadata)},
            "/api/v1/persistentvolumes": {"items": [volume]},
            f"{rbac}/clusterrolebindings": {"items": [binding]},
            f"{rbac}/clusterroles/role": {"metadata": {"name": "role", "uid": "r"}},
        }.get(path, {})


def found(reader: ClusterReader, where: StackLocation) -> list[Leftover | Doubtful]:
    return [
        *scan_cluster.namespaces(reader, where),
        *scan_cluster.volumes(reader, where),
        *scan_cluster.grants(reader, where),
    ]


@pytest.mark.parametrize("before", [False, True], ids=["this version's state", "an earlier one's"])
@pytest.mark.parametrize(
    "foreign",
    [
        {"uid": "x"},
        {"uid": "x", "labels": {"team": "b"}},
        {"uid": "x", "labels": dict(zip(OBJECT_LABELS, ("elastic-inference", "dev-2", CLUSTER), strict=True))},
        {"uid": "x", "labels": dict(zip(OBJECT_LABELS, ("elastic-inference", "dev", OTHER_CLUSTER), strict=True))},
    ],
    ids=["no labels", "its own labels", "dev-2's", "dev's of another cluster"],
)  # fmt: skip
def test_a_namespace_of_the_same_name_that_is_not_ours_is_never_printed_as_a_deletion(
    foreign: dict[str, Any], before: bool
) -> None:
    where = location("dev", deployed_before=before)
    rows = found(Reader(foreign), where)
    assert not [one for one in rows if isinstance(one, Leftover)], rows
    with pytest.raises(RefusedError, match=r"(?s)is not that of stack dev.*Nothing was touched"):
        guard.check_namespace(location("dev", deployed_before=True), Reader(foreign))


def test_a_volume_of_that_name_without_our_labels_is_not_printed_as_a_deletion() -> None:
    where = location("dev")
    name = next(iter(where.volumes))
    rows = list(scan_cluster.volumes(Reader({"uid": "x", "labels": {"team": "b"}}, name), where))
    assert [type(one) for one in rows] == [Doubtful]


@pytest.mark.parametrize(
    "ours",
    [
        (False, {"labels": dict(zip(OBJECT_LABELS, ("elastic-inference", "dev", CLUSTER), strict=True))}),
        (True, {}),
    ],
    ids=["by labels", "by the uid in an earlier version's state"],
)  # fmt: skip
def test_our_own_namespace_is_found_with_what_hangs_on_it(ours: tuple[bool, dict]) -> None:
    before, metadata = ours
    where = location("dev", deployed_before=before)
    if before:
        metadata = {"uid": f"uid of {deployed('dev').named('namespace').urn}"}
    rows = found(Reader(metadata), where)
    assert [one.remove for one in rows if isinstance(one, Leftover)] == [
        "kubectl delete namespace inference",
        "kubectl delete persistentvolume d-dynamic",
        "kubectl delete clusterrolebinding binding",
        "kubectl delete clusterrole role",
    ]
    guard.check_namespace(where, Reader(metadata))


def test_an_adopted_namespace_stays_and_is_not_asked_for_labels() -> None:
    config = {"elastic-inference:namespace": "inference"}
    adopting = StackLocation(
        "dev", namespace="inference", namespace_made=True, kept=frozenset({("Namespace", "inference")})
    )  # fmt: skip
    guard.check_namespace(adopting, Reader({"uid": "x"}))
    assert not locate("dev", Checkpoint(), config).namespace_made
