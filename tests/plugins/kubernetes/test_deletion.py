"""Waiting until an object is gone."""

from __future__ import annotations

import contextlib
import threading
import time

import kubernetes.client
import pytest
from kubernetes.client.rest import ApiException

from tests.plugins.kubernetes.differences import differs
from tests.plugins.kubernetes.process import InitFailed, Plugin, urn


def test_a_finalizer_that_blocks_deletion_is_named_and_the_object_kept(
    plugin: Plugin, namespace: str, api: kubernetes.client.ApiClient
) -> None:
    about = urn("kubernetes:core/v1:ConfigMap", "held")
    metadata = {"name": "held", "namespace": namespace, "finalizers": ["example.com/hold"]}
    resource_id, state = plugin.create(about, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    with pytest.raises(InitFailed, match="timed out waiting for the condition"):
        plugin.delete(about, resource_id, state, timeout=2)
    assert "finalizers might be preventing deletion (" in " ".join(plugin.engine.texts(about, "warning"))
    kubernetes.client.CoreV1Api(api).patch_namespaced_config_map("held", namespace, {"metadata": {"finalizers": None}})
    plugin.delete(about, resource_id, state)


@differs("deletion-by-uid")
def test_a_new_object_of_the_same_name_ends_the_wait_for_the_old_one(
    plugin: Plugin, namespace: str, api: kubernetes.client.ApiClient
) -> None:
    about = urn("kubernetes:core/v1:ConfigMap", "again")
    inputs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "again", "namespace": namespace}}
    resource_id, state = plugin.create(about, inputs)
    core = kubernetes.client.CoreV1Api(api)
    core.patch_namespaced_config_map("again", namespace, {"metadata": {"finalizers": ["example.com/hold"]}})

    def replace() -> None:
        plugin.engine.wait_for(about, "Resource scheduled for deletion")
        core.patch_namespaced_config_map("again", namespace, {"metadata": {"finalizers": None}})
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(ApiException):  # the old one is still there
                core.create_namespaced_config_map(namespace, inputs)
                return
            time.sleep(0.02)

    helper = threading.Thread(target=replace)
    helper.start()
    plugin.delete(about, resource_id, state, timeout=60)
    helper.join()
    assert core.read_namespaced_config_map("again", namespace).metadata.uid != state["metadata"]["uid"]
