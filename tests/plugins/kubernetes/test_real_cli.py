"""The stand-in under the real Pulumi CLI."""

from __future__ import annotations

import json
from pathlib import Path

import kubernetes.client
import pytest

from tests.plugins.kubernetes.control_plane import ControlPlane
from tests.plugins.kubernetes.kubelet import Kubelet
from tests.plugins.kubernetes.stack import Stack, new_stack

PROVIDER = """
config = pulumi.Config()
cluster = k8s.Provider("ack", kubeconfig=config.require("kubeconfig"), cluster_identifier=config.get("identifier"))
options = pulumi.ResourceOptions(provider=cluster)
"""
SMALL = (
    PROVIDER
    + """
space = k8s.core.v1.Namespace("space", opts=options)
settings = k8s.core.v1.ConfigMap("settings", metadata={"namespace": space.metadata.name}, data={"a": config.get("a") or "1"}, opts=options)
k8s.core.v1.Secret("login", metadata={"name": "login", "namespace": space.metadata.name},
                   string_data={"password": config.require_secret("password")}, opts=options)
volume = k8s.core.v1.PersistentVolume("volume", metadata={"name": "cli-volume"}, opts=options, spec={
    "capacity": {"storage": "1Gi"}, "access_modes": ["ReadOnlyMany"], "storage_class_name": "", "claim_ref": None,
    "csi": {"driver": "d.example.com", "volume_handle": "h"}})
k8s.core.v1.PersistentVolumeClaim("claim", metadata={"name": "claim", "namespace": space.metadata.name}, opts=options, spec={
    "access_modes": ["ReadOnlyMany"], "storage_class_name": "", "volume_name": volume.metadata.name,
    "resources": {"requests": {"storage": "1Gi"}}})
pulumi.export("space", space.metadata.name)
pulumi.export("settings", settings.id)
"""
)
SERVER = (
    PROVIDER
    + """
space = k8s.core.v1.Namespace("space", metadata={"name": config.require("space")}, opts=options)
labels = {"app": "server"}
k8s.apps.v1.Deployment("server", opts=options, spec={"selector": {"match_labels": labels}, "template": {
    "metadata": {"labels": labels}, "spec": {"containers": [{"name": "serving", "image": config.require("image")}]}}},
    metadata={"name": "server", "namespace": space.metadata.name, "annotations": {"pulumi.com/timeoutSeconds": "8"}})
"""
)


@pytest.fixture
def stack(control_plane: ControlPlane, tmp_path: Path) -> Stack:
    """A stack whose provider gets the test cluster's kubeconfig."""
    made = new_stack(tmp_path)
    made.configure("kubeconfig", str(control_plane.kubeconfig))
    return made


def test_up_no_change_refresh_import_and_destroy_with_the_real_cli(stack: Stack, api: kubernetes.client.ApiClient) -> None:
    core = kubernetes.client.CoreV1Api(api)
    stack.program(SMALL)
    stack.run("config", "set", "--secret", "password", "s3cret-word")
    preview = stack.run("preview").stdout
    assert "+ 7 to create" in preview, preview
    assert "+ 7 created" in stack.up()
    resources = stack.resources()
    space = resources["kubernetes:core/v1:Namespace::space"]["id"]
    assert core.read_namespaced_secret("login", space).data == {"password": "czNjcmV0LXdvcmQ="}
    state = next((stack.directory / "state").rglob("stacks/**/dev.json")).read_text()
    assert "s3cret-word" not in state and "czNjcmV0LXdvcmQ" not in state
    assert resources["kubernetes:core/v1:PersistentVolumeClaim::claim"]["outputs"]["status"]["phase"] == "Bound"
    stack.up("--expect-no-changes")
    stack.up("--expect-no-changes", "--refresh")
    core.patch_namespaced_config_map(stack.run("stack", "output", "settings").stdout.strip().split("/")[1], space, {"data": {"a": "9"}})
    assert "~ 1 to update" in stack.run("preview", "--refresh").stdout or "+-1 to replace" in stack.run("preview", "--refresh").stdout
    core.create_namespaced_config_map(space, {"metadata": {"name": "by-hand"}, "data": {"x": "y"}})
    ref = resources["kubernetes:core/v1:ConfigMap::settings"]["provider"].rpartition("::")[0]
    stack.run(
        "import",
        "kubernetes:core/v1:ConfigMap",
        "by-hand",
        f"{space}/by-hand",
        "--provider",
        f"p={ref}",
        "--yes",
        "--generate-code=false",
        "--protect=false",
    )
    imported = stack.resources()["kubernetes:core/v1:ConfigMap::by-hand"]
    assert imported["inputs"]["data"] == {"x": "y"} and imported["inputs"]["metadata"] == {"name": "by-hand", "namespace": space}
    assert "- 8 deleted" in stack.run("destroy", "--yes", "--skip-preview").stdout
    assert space not in [n.metadata.name for n in core.list_namespace().items]


def test_a_failed_deployment_is_kept_with_its_errors_and_healed_by_the_next_up(stack: Stack, kubelet: Kubelet) -> None:
    stack.program(SERVER)
    stack.configure("space", "healed")
    stack.configure("image", "broken:9")
    printed = stack.up(expect=1)
    assert "'server' timed out waiting to be Ready" in printed
    assert "containers with unready status: [serving][" in printed
    key = "kubernetes:apps/v1:Deployment::server"
    failed = stack.resources()[key]
    assert failed["id"] == "healed/server" and "timed out waiting" in failed["initErrors"][0]
    stack.configure("image", "fine:1")
    assert "~ 1 updated" in stack.up()
    healed = stack.resources()[key]
    assert "initErrors" not in healed and healed["outputs"]["metadata"]["uid"] == failed["outputs"]["metadata"]["uid"]
    stack.run("destroy", "--yes", "--skip-preview")


def test_an_unreachable_cluster_does_not_fail_a_preview_and_another_address_replaces(
    stack: Stack, control_plane: ControlPlane, tmp_path: Path
) -> None:
    stack.program(PROVIDER + 'k8s.core.v1.Namespace("space", metadata={"name": "unreached"}, opts=options)\n')
    stack.up()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(json.dumps(control_plane.document(server="https://127.0.0.1:1")))
    stack.configure("kubeconfig", str(elsewhere))
    assert "+-2 to replace" in stack.run("preview").stdout
    stack.configure("kubeconfig", str(control_plane.kubeconfig))
    stack.configure("identifier", "one")
    stack.up()
    stack.configure("kubeconfig", str(elsewhere))
    assert "to replace" not in stack.run("preview").stdout
    stack.configure("kubeconfig", str(control_plane.kubeconfig))
    stack.run("destroy", "--yes", "--skip-preview")


def test_a_cluster_outside_the_lab_is_refused_with_one_clear_message(stack: Stack, control_plane: ControlPlane, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text(json.dumps(control_plane.document(server="https://203.0.113.7:6443")))
    stack.configure("kubeconfig", str(real))
    stack.program(PROVIDER + 'k8s.core.v1.Namespace("space", opts=options)\n')
    done = stack.run("preview", expect=1)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "203.0.113.7" in line]
    assert said and all("https://203.0.113.7:6443 is not in the lab (expected an address in" in line for line in said)
