"""Create, read, update, delete, import and preview against a real API server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc
import kubernetes.client
import pytest

from lab.kubernetes_plugin.wire import UNKNOWN, Secret
from tests.plugins.kubernetes.differences import differs
from tests.plugins.kubernetes.process import InitFailed, Plugin, urn
from tests.plugins.toolchain.engine import wait_until

CONFIG_MAP = urn("kubernetes:core/v1:ConfigMap", "settings")
SECRET = urn("kubernetes:core/v1:Secret", "login")
DEPLOYMENT = urn("kubernetes:apps/v1:Deployment", "server")


def config_map(namespace: str, name: str = "settings", **data: str) -> dict:
    """A ConfigMap's inputs."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data or {"a": "1"}}


def deployment(namespace: str, image: str = "fine:1", **spec: object) -> dict:
    """A Deployment's inputs, its wait skipped."""
    metadata = {"name": "server", "namespace": namespace, "annotations": {"pulumi.com/skipAwait": "true"}}
    pod = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "serving", "image": image}]}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
            "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": pod, **spec}}  # fmt: skip


def managers(state: dict) -> list[tuple[str, str]]:
    """(manager, operation) of the main object's field owners."""
    return sorted((e["manager"], e["operation"]) for e in state["metadata"]["managedFields"] if "subresource" not in e)


def test_create_posts_under_the_plain_name_and_the_first_update_takes_over_under_the_kept_one(plugin: Plugin, namespace: str) -> None:
    inputs = plugin.check(CONFIG_MAP, config_map(namespace))
    resource_id, state = plugin.create(CONFIG_MAP, inputs)
    assert resource_id == f"{namespace}/settings" and state["__initialApiVersion"] == "v1" and state["__inputs"] == inputs
    assert managers(state) == [("pulumi-kubernetes", "Update")]
    updated = plugin.update(CONFIG_MAP, state, {**inputs, "data": {"b": "2"}})
    assert updated["data"] == {"b": "2"} and updated["__fieldManager"] == state["__fieldManager"]
    assert managers(updated) == [(state["__fieldManager"], "Apply")]


def test_a_field_that_kubectl_changed_is_won_back_without_a_conflict(
    plugin: Plugin, namespace: str, api: kubernetes.client.ApiClient
) -> None:
    _, state = plugin.create(DEPLOYMENT, deployment(namespace))
    patch = deployment(namespace, "by-hand:1")["spec"]["template"]["spec"]
    apps = kubernetes.client.AppsV1Api(api)
    apps.patch_namespaced_deployment("server", namespace, {"spec": {"template": {"spec": patch}}}, field_manager="kubectl-set")
    updated = plugin.update(DEPLOYMENT, state, deployment(namespace, "fine:2"))
    assert updated["spec"]["template"]["spec"]["containers"][0]["image"] == "fine:2"


def test_a_field_that_another_controller_owns_is_a_conflict_unless_forced(
    plugin: Plugin, namespace: str, api: kubernetes.client.ApiClient
) -> None:
    _, state = plugin.create(DEPLOYMENT, deployment(namespace))
    state = plugin.update(DEPLOYMENT, state, deployment(namespace, "fine:2"))
    body = {"spec": {"replicas": 3}}
    kubernetes.client.AppsV1Api(api).patch_namespaced_deployment("server", namespace, body, field_manager="autoscaler")
    with pytest.raises(InitFailed, match="server-side apply field conflict detected.*\n.*had an apply conflict"):
        plugin.update(DEPLOYMENT, state, deployment(namespace, "fine:2", replicas=2))
    forced = deployment(namespace, "fine:2", replicas=2)
    forced["metadata"]["annotations"]["pulumi.com/patchForce"] = "true"
    assert plugin.update(DEPLOYMENT, state, forced)["spec"]["replicas"] == 2


@differs("adoption-retries")
def test_replicas_left_out_stay_with_the_autoscaler(plugin: Plugin, namespace: str, api: kubernetes.client.ApiClient) -> None:
    _, state = plugin.create(DEPLOYMENT, deployment(namespace))
    kubernetes.client.AppsV1Api(api).patch_namespaced_deployment_scale("server", namespace, {"spec": {"replicas": 3}})
    for image in ("fine:2", "fine:3"):
        state = plugin.update(DEPLOYMENT, state, deployment(namespace, image))
        assert state["spec"]["replicas"] == 3
    ignored = plugin.update(DEPLOYMENT, state, deployment(namespace, "fine:4", replicas=1), ignore=["spec.replicas"])
    assert ignored["spec"]["replicas"] == 3


def test_an_update_the_server_refuses_is_told_and_changes_nothing(plugin: Plugin, namespace: str) -> None:
    _, state = plugin.create(DEPLOYMENT, deployment(namespace))
    wrong = deployment(namespace)
    wrong["spec"]["selector"]["matchLabels"]["app"] = "b"
    with pytest.raises(InitFailed, match='reported that ".*/server" failed to fully initialize or become live: .*invalid') as failure:
        plugin.update(DEPLOYMENT, state, wrong)
    assert failure.value.state["spec"]["selector"] == {"matchLabels": {"app": "a"}}


def test_a_preview_asks_the_server_and_writes_nothing(plugin: Plugin, namespace: str, api: kubernetes.client.ApiClient) -> None:
    inputs = config_map(namespace)
    resource_id, state = plugin.create(CONFIG_MAP, inputs, preview=True)
    assert resource_id == "" and state["metadata"]["uid"] and "status" not in state
    assert kubernetes.client.CoreV1Api(api).list_namespaced_config_map(namespace, field_selector="metadata.name=settings").items == []
    _, state = plugin.create(CONFIG_MAP, inputs)
    assert plugin.update(CONFIG_MAP, state, config_map(namespace, a="2"), preview=True)["data"] == {"a": "2"}
    assert kubernetes.client.CoreV1Api(api).read_namespaced_config_map("settings", namespace).data == {"a": "1"}
    bad = deployment(namespace)
    bad["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    with pytest.raises(grpc.RpcError, match="was not successfully created by the Kubernetes API server.*does not match template"):
        plugin.create(DEPLOYMENT, bad, preview=True)


@pytest.mark.parametrize("what", ["unknown value", "missing namespace", "exists already", "unknown kind"])
def test_what_cannot_be_previewed_gives_the_inputs_back(plugin: Plugin, namespace: str, what: str) -> None:
    inputs = config_map(namespace)
    if what == "unknown value":
        inputs["data"] = {"a": UNKNOWN}
    elif what == "missing namespace":
        inputs["metadata"]["namespace"] = "nowhere"
    elif what == "exists already":
        plugin.create(CONFIG_MAP, inputs)
    else:
        inputs = {**inputs, "apiVersion": "example.com/v1", "kind": "Thing"}
    assert plugin.create(CONFIG_MAP, inputs, preview=True) == ("", inputs)


def test_secret_data_stays_secret_in_state_and_inputs(plugin: Plugin, namespace: str) -> None:
    given = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": namespace}, "stringData": {"a": "hidden"}}
    inputs = plugin.check(SECRET, given)
    assert inputs["data"] == Secret({"a": "aGlkZGVu"})
    resource_id, state = plugin.create(SECRET, inputs)
    assert isinstance(state["data"], Secret) and isinstance(state["__inputs"]["data"], Secret)
    _, state, read_inputs = plugin.read(SECRET, resource_id, state, inputs)
    assert isinstance(state["data"], Secret) and read_inputs["data"] == inputs["data"]
    assert not plugin.diff(SECRET, state, inputs).detailedDiff


def test_a_secret_value_in_any_object_stays_secret(plugin: Plugin, namespace: str) -> None:
    inputs = config_map(namespace)
    inputs["data"] = {"open": "o", "closed": Secret("hidden")}
    checked = plugin.check(CONFIG_MAP, inputs)
    assert checked["data"] == inputs["data"]
    _, state = plugin.create(CONFIG_MAP, checked)
    assert state["data"] == {"open": "o", "closed": Secret("hidden")} == state["__inputs"]["data"]


def test_refresh_shows_drift_in_inputs_and_state_and_notices_that_an_object_is_gone(
    plugin: Plugin, namespace: str, api: kubernetes.client.ApiClient
) -> None:
    inputs = config_map(namespace)
    resource_id, state = plugin.create(CONFIG_MAP, inputs)
    core = kubernetes.client.CoreV1Api(api)
    core.patch_namespaced_config_map("settings", namespace, {"data": {"a": "9", "extra": "x"}, "metadata": {"labels": {"l": "m"}}})
    _, live, live_inputs = plugin.read(CONFIG_MAP, resource_id, state, inputs)
    assert live["data"] == {"a": "9", "extra": "x"} and live_inputs == config_map(namespace, a="9")
    core.delete_namespaced_config_map("settings", namespace)
    assert plugin.read(CONFIG_MAP, resource_id, state, inputs) == ("", {}, {})


def test_import_takes_the_inputs_from_the_live_object(plugin: Plugin, namespace: str, api: kubernetes.client.ApiClient) -> None:
    inputs = deployment(namespace)
    kubernetes.client.AppsV1Api(api).create_namespaced_deployment(namespace, inputs)
    resource_id, state, found = plugin.read(DEPLOYMENT, f"{namespace}/server")
    assert resource_id == f"{namespace}/server"
    assert "status" not in found and set(found["metadata"]) == {"name", "namespace", "annotations"}
    assert found["spec"]["progressDeadlineSeconds"] == 600  # what the server filled in is taken, as the published plugin does
    assert not plugin.diff(DEPLOYMENT, state, found).detailedDiff


def test_deleting_what_is_gone_is_fine_and_propagation_can_be_chosen(
    plugin: Plugin, namespace: str, api: kubernetes.client.ApiClient
) -> None:
    inputs = deployment(namespace)
    inputs["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true", "pulumi.com/deletionPropagationPolicy": "orphan"}
    resource_id, state = plugin.create(DEPLOYMENT, inputs)
    apps = kubernetes.client.AppsV1Api(api)
    wait_until(lambda: apps.list_namespaced_replica_set(namespace).items, "no ReplicaSet")
    plugin.delete(DEPLOYMENT, resource_id, state)
    plugin.delete(DEPLOYMENT, resource_id, state)
    assert len(apps.list_namespaced_replica_set(namespace).items) == 1


@differs("exists-hint")
def test_an_object_that_exists_is_not_overwritten_unless_the_provider_says_so(
    plugin: Plugin, namespace: str, control_plane: object
) -> None:
    plugin.create(CONFIG_MAP, config_map(namespace))
    with pytest.raises(grpc.RpcError, match='configmaps "settings" already exists(.|\n)*pulumi import'):
        plugin.create(CONFIG_MAP, config_map(namespace, a="2"))
    plugin.configure(str(control_plane.kubeconfig), upsertExistingObjects="true")  # type: ignore[attr-defined]
    inputs = config_map(namespace, a="2")
    inputs["metadata"]["annotations"] = {"pulumi.com/patchForce": "true"}
    assert plugin.create(CONFIG_MAP, inputs)[1]["data"] == {"a": "2"}


@differs("immutable-upsert-preview")
def test_a_preview_over_an_immutable_object_gives_the_inputs_back(plugin: Plugin, namespace: str, control_plane: object) -> None:
    plugin.create(CONFIG_MAP, {**config_map(namespace), "immutable": True})
    plugin.configure(str(control_plane.kubeconfig), upsertExistingObjects="true")  # type: ignore[attr-defined]
    inputs = {**config_map(namespace, a="2"), "immutable": True}
    assert plugin.create(CONFIG_MAP, inputs, preview=True) == ("", inputs)


def test_a_namespace_made_in_the_same_run_is_waited_for(plugin: Plugin, api: kubernetes.client.ApiClient) -> None:
    core = kubernetes.client.CoreV1Api(api)
    with ThreadPoolExecutor(1) as later:
        made = later.submit(plugin.create, CONFIG_MAP, config_map("in-time"))
        plugin.engine.wait_for(CONFIG_MAP, "Retry #0; creation failed")
        core.create_namespace({"metadata": {"name": "in-time"}})
        assert made.result(60)[0] == "in-time/settings"
    core.delete_namespace("in-time")


def test_a_kind_nobody_serves_is_told_so(plugin: Plugin) -> None:
    about = urn("kubernetes:example.com/v1:Thing", "t")
    state = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t", "namespace": "default"}}
    assert plugin.read(about, "default/t", state, state)[0] == ""
    plugin.delete(about, "default/t", state)
    with pytest.raises(grpc.RpcError, match="the apiVersion for this resource does not exist. Verify that any required CRDs"):
        plugin.update(about, state, state)


@differs("no-deprecation-warnings")
def test_a_kind_that_is_no_longer_served_is_not_warned_of(plugin: Plugin, namespace: str) -> None:
    about = urn("kubernetes:extensions/v1beta1:Ingress", "old")
    metadata = {"name": "old", "namespace": namespace}
    assert plugin.check(about, {"apiVersion": "extensions/v1beta1", "kind": "Ingress", "metadata": metadata})["metadata"] == metadata
    assert plugin.engine.texts(about) == []
