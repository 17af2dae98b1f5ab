"""Options of every resource: parents, providers, protection, secrets, tags, names, outputs."""

import json

import pulumi_alicloud as alicloud
import pytest

from settings import names
from settings.names import digest
from tests.unit.bad_cluster_inputs import made
from tests.unit.monitor import Recording
from tests.unit.program import CLUSTER, USERS, run

COMPONENTS = {
    "inference:compute:ClusterAutoscaler",
    "inference:compute:NodePool",
    "inference:storage:ModelStore",
    "inference:storage:ModelAccess",
    "inference:storage:ModelVolume",
    "inference:serving:ModelServer",
    "inference:serving:HorizontalPodAutoscaler",
    "inference:serving:InterruptionHandler",
    "inference:serving:Headroom",
    "inference:serving:GpuScaleUpTrigger",
    "inference:serving:IngressEndpoint",
}
PROD = {"htpasswd": USERS}


def test_every_component_is_there_once_and_nothing_else_is_a_component(either: Recording) -> None:
    components = [resource.type for resource in either.resources if not resource.custom]
    assert sorted(components) == sorted(COMPONENTS)


def test_every_resource_is_a_child_of_its_component_and_named_after_it(either: Recording) -> None:
    children = [resource for resource in either.resources if "$inference:" in resource.parent]
    assert len(children) >= 20
    for child in children:
        assert child.name.startswith(f"{child.parent.rsplit('::', 1)[1]}-"), child.urn
    top = {
        resource.name
        for resource in either.resources
        if resource.custom and resource not in children
    }
    assert top == {"ack", "namespace"}


def test_every_component_registers_outputs_once_and_not_empty(either: Recording) -> None:
    for component in (resource for resource in either.resources if not resource.custom):
        assert either.component_outputs[component.urn], component.urn


def test_everything_in_the_cluster_goes_through_the_explicit_provider_and_the_rest_does_not(
    either: Recording,
) -> None:
    provider = either.one("pulumi:providers:kubernetes")
    inside = [resource for resource in either.resources if resource.type.startswith("kubernetes:")]
    outside = [
        resource
        for resource in either.resources
        if resource.type.startswith(("alicloud:", "ossmodel:"))
    ]
    assert len(inside) >= 10 and len(outside) >= 12
    assert {resource.provider.rsplit("::", 1)[0] for resource in inside} == {provider.urn}
    assert {resource.provider for resource in outside} == {""}


def test_the_bucket_is_protected_where_the_settings_say_so() -> None:
    prod = run("prod", PROD, secret=("htpasswd",))
    assert {resource.name for resource in prod.resources if resource.protect} == {
        "models-bucket",
        "models-log-bucket",
    }
    assert [resource.name for resource in run("dev").resources if resource.protect] == []


def test_retain_keeps_bucket_guards_and_model_and_nothing_else() -> None:
    kept = run("dev", {"modelStore": {"retain": True, "forceDestroy": False}})
    retained = {resource.name for resource in kept.resources if resource.retain_on_delete}
    assert retained == {
        resource.name
        for resource in kept.resources
        if resource.custom and "ModelStore" in resource.parent
    }
    assert len(retained) == 7
    assert not [resource for resource in run("dev").resources if resource.retain_on_delete]


@pytest.mark.parametrize(("stack", "force"), [("local", True), ("dev", True), ("staging", False)])
def test_what_is_left_in_the_bucket_is_deleted_only_where_the_settings_say_so(
    stack: str, force: bool
) -> None:
    assert run(stack).one("oss/bucket:Bucket").inputs["forceDestroy"] is force


def test_only_objects_with_a_fixed_name_that_clash_are_deleted_first(either: Recording) -> None:
    assert [resource.name for resource in either.resources if resource.delete_before_replace] == [
        "autoscaler-hpa"
    ]


def test_everything_that_can_carry_tags_carries_the_same_and_the_cluster_unless_it_is_in_it(
    either: Recording,
) -> None:
    tags = {"project": "elastic-inference", "stack": "local", "owner": "lab"}
    cluster = {names.CLUSTER_TAG: CLUSTER}
    taggable = [
        resource
        for resource in either.resources
        if resource.type.startswith("alicloud:") and can_be_tagged(resource.type)
    ]
    assert {resource.type.rsplit(":", 1)[1] for resource in taggable} == {
        "NodePool",
        "Bucket",
        "Role",
        "Policy",
    }
    for resource in taggable:
        own = tags if resource.type.endswith(":NodePool") else tags | cluster
        assert resource.inputs.get("tags") == own, resource.urn


def test_every_object_in_the_cluster_says_whose_it_is_and_no_pod_or_selector_changes(
    either: Recording,
) -> None:
    labels = names.object_labels("elastic-inference", "local", CLUSTER)
    objects = [one for one in either.resources if one.type.startswith("kubernetes:")]
    assert len(objects) >= 15
    for resource in objects:
        held = resource.inputs["metadata"]["labels"]
        assert labels.items() <= held.items(), resource.urn
        assert names.OBJECT_LABELS[0] not in json.dumps(resource.inputs.get("spec")), (
            "a label on the pods would roll every stack at its upgrade"
        )


GROUP = "rg-acfmxazb4ph6aiy"
TAKES_A_GROUP = {"NodePool", "Bucket", "Network", "ManagedKubernetes"}


def test_everything_that_takes_a_resource_group_gets_the_one_of_the_settings() -> None:
    creating = run(changes=made({}, resourceGroupId=GROUP))
    grouped = {
        resource.type.rsplit(":", 1)[1]
        for resource in creating.resources
        if resource.inputs.get("resourceGroupId") == GROUP
    }
    takes = {
        resource.type.rsplit(":", 1)[1]
        for resource in creating.resources
        if resource.type.startswith("alicloud:")
        and has_property(resource.type, "resource_group_id")
    }
    assert grouped == takes == TAKES_A_GROUP
    pools = creating.of("cs/nodePool:NodePool")
    assert len(pools) == 2 and all(one.inputs["resourceGroupId"] == GROUP for one in pools)


def test_without_a_resource_group_none_is_sent(either: Recording) -> None:
    assert not [one.urn for one in either.resources if "resourceGroupId" in one.inputs]


def test_an_adopted_namespace_keeps_its_labels() -> None:
    adopted = run(changes={"adopt": {"namespace": True}}).named("namespace")
    assert not set(names.OBJECT_LABELS) & set(adopted.inputs["metadata"]["labels"])


def test_a_name_that_no_label_can_hold_is_there_as_its_digest() -> None:
    labels = names.object_labels("elastic-inference", "_dev", "1234567890123456.cn-shanghai")
    assert all(map(names.is_label_value, labels.values()))
    assert labels[names.OBJECT_LABELS[1]] == digest("_dev", 16)


def can_be_tagged(type_: str) -> bool:
    """Whether the SDK's class for a type knows tags."""
    return has_property(type_, "tags")


def has_property(type_: str, name: str) -> bool:
    """Whether the SDK's class for a type has this property."""
    module, kind = type_.split(":")[1].split("/", maxsplit=1)[0], type_.rsplit(":", 1)[1]
    return isinstance(vars(getattr(getattr(alicloud, module), kind)).get(name), property)


def test_labels_taints_and_tags_of_the_pool_are_at_most_twelve() -> None:
    full = run(
        changes={
            "tags": {f"t{n}": "x" for n in range(3)},
            "nodePool": {"gpuSchedule": "default", "driverVersion": "550.144.03"},
        }
    )
    pool = full.one("cs/nodePool:NodePool").inputs
    assert len(pool["labels"]) + len(pool["taints"]) + len(pool["tags"]) == 12
    assert {"key": "ack.node.gpu.schedule", "value": "default"} in pool["labels"]
    assert {"key": "ack.aliyun.com/nvidia-driver-version", "value": "550.144.03"} in pool["labels"]


def test_labels_are_sent_in_one_order_because_the_provider_compares_lists(
    either: Recording,
) -> None:
    keys = [label["key"] for label in either.one("cs/nodePool:NodePool").inputs["labels"]]
    assert keys == sorted(keys)


def test_the_users_and_the_private_key_are_secret_inputs_and_never_outputs() -> None:
    provided = {
        "entry": {"tls": "provided", "auth": "basic"},
        "htpasswd": USERS,
        "tlsCertificate": "-----BEGIN CERTIFICATE-----",
        "tlsPrivateKey": "-----BEGIN PRIVATE KEY-----hunter3",
    }
    recording = run(changes=provided, secret=("htpasswd", "tlsCertificate", "tlsPrivateKey"))
    secrets = recording.of("Secret")
    assert {secret.name for secret in secrets} == {"entry-users", "entry-certificate"}
    assert all("stringData" in secret.secret_inputs for secret in secrets)
    rest = json.dumps(
        [resource.inputs for resource in recording.resources if resource not in secrets]
    )
    everything = rest + json.dumps(recording.outputs) + json.dumps(recording.messages)
    assert USERS not in everything and "hunter3" not in everything
    users = recording.one("Ingress").inputs["metadata"]["annotations"][
        "nginx.ingress.kubernetes.io/auth-secret"
    ]
    assert users.startswith("entry-users-")


def test_no_input_is_null(either: Recording) -> None:
    def nulls(value: object) -> bool:
        if isinstance(value, dict):
            return any(nulls(inner) for inner in value.values())
        return value is None or (isinstance(value, list) and any(nulls(inner) for inner in value))

    assert [resource.urn for resource in either.resources if nulls(resource.inputs)] == []


def test_the_model_is_uploaded_only_after_every_guard_of_the_bucket(either: Recording) -> None:
    guards = {
        resource.urn
        for resource in either.resources
        if "ModelStore" in resource.parent and resource.type.startswith("alicloud:oss/bucket")
    }
    bucket = either.one("oss/bucket:Bucket").urn
    assert len(guards) == 6
    assert guards - {bucket} <= set(either.one("ossmodel:index:Model").dependencies["bucket"])


def test_the_volume_waits_for_the_attached_policy_and_the_uploaded_model(either: Recording) -> None:
    needed = set(either.one("PersistentVolume").dependencies["spec"])
    assert {
        either.one("RolePolicyAttachment").urn,
        either.one("ossmodel:index:Model").urn,
    } <= needed


def test_the_same_settings_give_the_same_registrations_twice() -> None:
    def shape(recording: Recording) -> dict:
        return {resource.urn: resource.inputs for resource in recording.resources}

    assert shape(run()) == shape(run())
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
