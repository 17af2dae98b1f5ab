"""The provider's own configuration, and what it does without a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from lab.kubernetes_plugin.wire import UNKNOWN, Secret, dump, load
from tests.plugins.kubernetes.differences import differs
from tests.plugins.kubernetes.process import Plugin, running, urn

PROVIDER = "urn:pulumi:dev::lab::pulumi:providers:kubernetes::ack"
CONFIG_MAP = urn("kubernetes:core/v1:ConfigMap", "c")
INPUTS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"}}


def document(server: str = "https://127.0.0.1:1", namespace: str | None = None) -> str:
    """A kubeconfig's text."""
    context = {"cluster": "c", "user": "u", **({"namespace": namespace} if namespace else {})}
    return json.dumps({
        "current-context": "a",
        "contexts": [{"name": "a", "context": context}],
        "clusters": [{"name": "c", "cluster": {"server": server}}, {"name": "d", "cluster": {"server": "https://127.0.0.1:2"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    })  # fmt: skip


def problems(plugin: Plugin, **news: object) -> list[str]:
    """What CheckConfig objects to."""
    answer = plugin.call("CheckConfig", provider_pb2.CheckRequest(urn=PROVIDER, news=dump(news)))
    assert load(answer.inputs) == news
    assert all(f.property != "kubeconfig" for f in answer.failures), "the engine would print the kubeconfig"
    return [failure.reason for failure in answer.failures]


def replaces(plugin: Plugin, olds: dict, news: dict) -> tuple[int, list[str], list[str]]:
    """(changes, changed keys, replacing keys) by DiffConfig."""
    answer = plugin.call("DiffConfig", provider_pb2.DiffRequest(urn=PROVIDER, olds=dump(olds), news=dump(news)))
    return answer.changes, sorted(answer.diffs), list(answer.replaces)


@pytest.fixture
def unconfigured(tmp_path: Path) -> object:
    """A plugin that has not been configured."""
    with running(str(tmp_path)) as started:
        yield started


@pytest.fixture
def offline(unconfigured: Plugin) -> Plugin:
    """A plugin whose cluster does not answer."""
    unconfigured.configure(document())
    return unconfigured


@pytest.mark.parametrize("server", ["https://10.0.0.10:6443", "https://127.0.0.1:16443", "127.0.0.1:6443"])
def test_addresses_of_the_lab_are_accepted(unconfigured: Plugin, server: str) -> None:
    assert problems(unconfigured, kubeconfig=document(server)) == []
    assert problems(unconfigured, kubeconfig=Secret(document(server))) == []
    assert problems(unconfigured, kubeconfig=UNKNOWN) == []


@differs("lab-only")
@pytest.mark.parametrize(
    "server", ["https://10.1.0.1:6443", "https://203.0.113.7:6443", "https://api.example.com", "https://localhost:6443"]
)
def test_any_other_cluster_is_refused_and_never_called(unconfigured: Plugin, server: str) -> None:
    (said,) = problems(unconfigured, kubeconfig=document(server))
    assert f"server {server} is not in the lab (expected an address in 10.0.0.0/16 or 127.0.0.0/8)" in said
    with pytest.raises(grpc.RpcError, match="is not in the lab"):
        unconfigured.configure(document(server))
    with pytest.raises(grpc.RpcError, match="has not been configured"):
        unconfigured.create(CONFIG_MAP, INPUTS)


def test_an_override_that_leads_out_of_the_lab_is_refused(unconfigured: Plugin) -> None:
    two = json.loads(document())
    two["clusters"].append({"name": "out", "cluster": {"server": "https://203.0.113.7"}})
    assert len(problems(unconfigured, kubeconfig=json.dumps(two), cluster="out")) == 1
    with pytest.raises(grpc.RpcError, match="is not in the lab"):
        unconfigured.configure(json.dumps(two), cluster="out")


def test_without_a_lab_nothing_works() -> None:
    with running(lab_home=None) as plugin:
        (said,) = problems(plugin, kubeconfig=document())
        assert said.startswith("this is the lab's stand-in for the kubernetes plugin and LAB_HOME is not set")
        with pytest.raises(grpc.RpcError, match="LAB_HOME is not set"):
            plugin.configure(document())


@differs("server-side-apply-only")
def test_client_side_apply_is_refused(unconfigured: Plugin) -> None:
    assert ["server-side apply only" in text for text in problems(unconfigured, enableServerSideApply="false")] == [True]


@differs("no-render-no-helm")
def test_rendering_and_helm_are_refused(unconfigured: Plugin, offline: Plugin) -> None:
    assert len(problems(unconfigured, renderYamlToDirectory="out", helmReleaseSettings="{}")) == 2
    for token in ("kubernetes:helm.sh/v3:Release", "kubernetes:core/v1:ConfigMapPatch", "kubernetes:core/v1:ConfigMapList"):
        with pytest.raises(grpc.RpcError, match="has no resource type"):
            offline.check(urn(token, "x"), INPUTS)


@differs("no-functions")
def test_functions_are_refused_by_name(unconfigured: Plugin) -> None:
    with pytest.raises(grpc.RpcError, match='no function "kubernetes:yaml:decode"'):
        unconfigured.call("Invoke", provider_pb2.InvokeRequest(tok="kubernetes:yaml:decode"))


@differs("no-schema")
def test_the_schema_is_the_name_only(unconfigured: Plugin) -> None:
    answer = unconfigured.call("GetSchema", provider_pb2.GetSchemaRequest())
    assert json.loads(answer.schema) == {"name": "kubernetes", "version": "4.32.0"}


@pytest.mark.parametrize(
    ("olds", "news", "expected"),
    [
        ({"kubeconfig": document()}, {"kubeconfig": document()}, (1, [], [])),
        ({"kubeconfig": document()}, {"kubeconfig": document(namespace="n")}, (2, ["kubeconfig"], [])),
        ({"kubeconfig": document()}, {"kubeconfig": document("https://10.0.0.10")}, (2, ["kubeconfig"], ["kubeconfig"])),
        ({"kubeconfig": document()}, {"kubeconfig": document(), "cluster": "d"}, (2, ["cluster"], ["cluster"])),
        ({"kubeconfig": document()}, {"kubeconfig": UNKNOWN}, (2, ["kubeconfig"], ["kubeconfig"])),
        ({"kubeconfig": document()}, {"kubeconfig": document(), "namespace": "n"}, (2, ["namespace"], [])),
        (
            {"kubeconfig": document(), "clusterIdentifier": "a"},
            {"kubeconfig": document("https://10.0.0.10"), "clusterIdentifier": "a"},
            (2, ["kubeconfig"], []),
        ),
        ({"kubeconfig": document(), "clusterIdentifier": "a"}, {"kubeconfig": UNKNOWN, "clusterIdentifier": "a"}, (2, ["kubeconfig"], [])),
        (
            {"kubeconfig": document(), "clusterIdentifier": "a"},
            {"kubeconfig": document(), "clusterIdentifier": "b"},
            (2, ["clusterIdentifier"], ["clusterIdentifier"]),
        ),
        ({"kubeconfig": document()}, {"kubeconfig": document(), "clusterIdentifier": "a"}, (2, ["clusterIdentifier"], [])),
    ],
)
def test_only_a_change_of_cluster_replaces_the_provider(unconfigured: Plugin, olds: dict, news: dict, expected: tuple) -> None:
    assert replaces(unconfigured, olds, news) == expected


def test_without_a_cluster_previews_work_and_nothing_else(offline: Plugin) -> None:
    state = {**INPUTS, "__inputs": INPUTS}
    assert offline.check(CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap"}, seed=b"s")["metadata"]["namespace"] == "default"
    assert offline.create(CONFIG_MAP, INPUTS, preview=True) == ("", INPUTS)
    assert offline.update(CONFIG_MAP, state, INPUTS, preview=True) == INPUTS
    for refused in (
        lambda: offline.create(CONFIG_MAP, INPUTS),
        lambda: offline.update(CONFIG_MAP, state, INPUTS),
        lambda: offline.delete(CONFIG_MAP, "default/c", state),
        lambda: offline.read(CONFIG_MAP, "default/c", state, INPUTS),
    ):
        with pytest.raises(grpc.RpcError, match="cluster is unreachable|unreachable cluster"):
            refused()


@differs("unreachable-texts")
def test_the_reason_for_being_unreachable_is_the_python_clients(offline: Plugin) -> None:
    with pytest.raises(grpc.RpcError, match="unable to load schema information from the API server: .*127.0.0.1.*Connection refused"):
        offline.create(CONFIG_MAP, INPUTS)


def test_what_a_lost_cluster_held_can_be_dropped_from_the_state(unconfigured: Plugin) -> None:
    unconfigured.configure(document(), deleteUnreachable="true")
    assert unconfigured.read(CONFIG_MAP, "default/c", {**INPUTS, "__inputs": INPUTS}, INPUTS)[0] == ""
    unconfigured.delete(CONFIG_MAP, "default/c", {**INPUTS, "__inputs": INPUTS})


def test_the_namespace_comes_from_the_provider_then_from_the_kubeconfig(unconfigured: Plugin) -> None:
    given = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    unconfigured.configure(document(namespace="from-file"))
    assert unconfigured.check(CONFIG_MAP, given)["metadata"]["namespace"] == "from-file"
    unconfigured.configure(document(namespace="from-file"), namespace="given")
    assert unconfigured.check(CONFIG_MAP, given)["metadata"]["namespace"] == "given"
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    assert unconfigured.check(urn("kubernetes:core/v1:Namespace", "n"), space) == space


@differs("seeded-names")
def test_made_up_names_follow_the_seed_and_stay_with_the_object(offline: Plugin) -> None:
    given = {"apiVersion": "v1", "kind": "ConfigMap"}
    names = {offline.check(CONFIG_MAP, given, seed=seed)["metadata"]["name"] for seed in (b"a", b"a", b"b")}
    assert len(names) == 2
    first = offline.check(CONFIG_MAP, given, seed=b"a")
    assert first["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}
    assert offline.check(CONFIG_MAP, {**given, "data": {"x": "y"}}, olds=first, seed=b"z")["metadata"] == first["metadata"]


@pytest.mark.parametrize(("mode", "proposed"), [("PROPOSE", "asked-1"), ("ENFORCE", "asked-2")])
def test_the_stacks_own_naming_is_used(offline: Plugin, mode: str, proposed: str) -> None:
    options = provider_pb2.CheckRequest.AutonamingOptions(proposed_name=proposed, mode=mode)
    news = dump({"apiVersion": "v1", "kind": "ConfigMap"})
    answer = offline.call("Check", provider_pb2.CheckRequest(urn=CONFIG_MAP, news=news, autonaming=options))
    assert load(answer.inputs)["metadata"]["name"] == proposed


def test_a_stack_that_forbids_made_up_names_is_obeyed(offline: Plugin) -> None:
    options = provider_pb2.CheckRequest.AutonamingOptions(mode="DISABLE")
    with pytest.raises(grpc.RpcError, match="autonaming is disabled, resource requires the .metadata.name field to be set"):
        offline.call("Check", provider_pb2.CheckRequest(urn=CONFIG_MAP, news=dump(INPUTS | {"metadata": {}}), autonaming=options))


def test_names_made_by_the_server_are_refused(offline: Plugin) -> None:
    with pytest.raises(grpc.RpcError, match="generateName` field is not supported in Server-Side Apply mode"):
        offline.check(CONFIG_MAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a-"}})
