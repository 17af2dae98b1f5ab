"""Group `adopt`: existing resources that the stack takes over."""

from collections.abc import Iterator
from dataclasses import dataclass

from settings import names
from settings.cluster import ClusterSettings
from settings.core.field import Group, Text, setting
from settings.core.problem import Problem, remove_command, set_command
from settings.core.rule import rule
from settings.model_store import ModelStoreSettings
from settings.node_pool import NodePoolSettings


@dataclass(frozen=True)
class Adoption:
    """An existing resource that the stack takes over."""

    resource_id: str
    """Import id of the resource, as its provider expects it."""
    change: bool
    """Whether a run may change the resource to what the settings ask for."""


NOT_FOUND = 'the run ends with "resource does not exist"'


class AdoptSettings(Group):
    """Existing resources that the stack takes over: they are compared with the settings, never
    deleted or replaced, and left in place by a destroy.

    The keys stay for as long as the stack does; without them its settings describe another pool,
    bucket or role.
    """

    node_pool_id: Text | None = setting(
        None,
        "Id of an existing node pool of the cluster, which nodePool describes. Its name and tags stay as they are.",
        pattern=r"^np[0-9a-z]{20,}$",
        expected="an id as ACK shows it, starting with np",
        consequence=NOT_FOUND,
        example="np4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f",
    )
    bucket: Text | None = setting(
        None,
        "Name of an existing bucket, which modelStore describes. Its private ACL, public access block, versioning, encryption and "
        "TLS-only policy must exist as well.",
        pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
        expected="3 to 63 lower-case letters, digits and hyphens, no hyphen at either end",
        consequence=NOT_FOUND,
        example="my-team-models",
    )
    role_name: Text | None = setting(
        None,
        "Name of an existing RAM role for the model volume. Its trust policy must name this cluster's OSS driver. The policy it reads "
        "with belongs to the stack.",
        pattern=r"^[A-Za-z0-9.-]{1,64}$",
        expected="1 to 64 letters, digits, dots and hyphens",
        consequence=NOT_FOUND,
        example="model-reader",
    )
    namespace: bool = setting(
        False,
        "Whether the namespace of the setting `namespace` exists already. It must enforce the pod security level restricted.",
        expected="true or false",
        consequence="the run ends because the namespace exists",
        example="true",
    )
    change: bool = setting(
        False,
        "false: a run refuses to change an adopted resource and names what differs. true: it makes the changes that the preview shows.",
        expected="true or false",
        consequence="it is ambiguous whether a run may change resources that it did not create",
        example="true",
    )


@rule("adopt.bucket", "modelStore.bucket")
def _one_name_for_the_bucket(
    adopt: AdoptSettings, model_store: ModelStoreSettings
) -> Iterator[Problem]:
    if adopt.bucket and model_store.bucket and adopt.bucket != model_store.bucket:
        yield Problem(
            "modelStore.bucket",
            model_store.bucket,
            f"nothing with adopt.bucket, which is {adopt.bucket}",
            "it is ambiguous which of the two buckets holds the model",
            remove_command("modelStore.bucket"),
        )


@rule("adopt.bucket", "modelStore.forceDestroy")
def _an_adopted_bucket_is_kept(
    adopt: AdoptSettings, model_store: ModelStoreSettings
) -> Iterator[Problem]:
    if adopt.bucket and model_store.force_destroy:
        yield Problem(
            "modelStore.forceDestroy",
            True,
            "false with adopt.bucket",
            "it is ambiguous whether a destroy keeps the objects that others put into the bucket",
            set_command("modelStore.forceDestroy", "false"),
        )


@rule("adopt.bucket", "modelStore.accessLogDays")
def _the_log_of_an_adopted_bucket_is_its_owners(
    adopt: AdoptSettings, model_store: ModelStoreSettings
) -> Iterator[Problem]:
    if adopt.bucket and model_store.access_log_days is not None:
        yield Problem(
            "modelStore.accessLogDays",
            model_store.access_log_days,
            "nothing with adopt.bucket: whose bucket it is decides where its log goes",
            "the log that its owner keeps would go to another place",
            remove_command("modelStore.accessLogDays"),
        )


@rule("adopt.nodePoolId", "nodePool.generation")
def _an_adopted_pool_is_not_replaced(
    adopt: AdoptSettings, node_pool: NodePoolSettings
) -> Iterator[Problem]:
    if adopt.node_pool_id and node_pool.generation > 1:
        yield Problem(
            "nodePool.generation",
            node_pool.generation,
            "nothing with adopt.nodePoolId",
            "an adopted pool is never replaced, and the setting has no effect",
            remove_command("nodePool.generation"),
        )


@rule("nodePool.labels", "adopt.nodePoolId")
def _labels_are_the_users_own(
    adopt: AdoptSettings, node_pool: NodePoolSettings
) -> Iterator[Problem]:
    if adopt.node_pool_id:
        return  # an adopted pool keeps its labels, whatever they are
    for key in node_pool.labels:
        if key in (
            names.POOL_LABEL,
            names.STACK_LABEL,
            names.GPU_SCHEDULE_LABEL,
            names.DRIVER_VERSION_LABEL,
        ):
            yield Problem(
                f'nodePool.labels["{key}"]',
                node_pool.labels[key],
                "a key that this project does not set itself",
                "two values are set for one label",
                remove_command(f'nodePool.labels["{key}"]'),
            )


@rule("adopt.nodePoolId", "cluster.create")
def _a_new_cluster_has_nothing_to_adopt(
    adopt: AdoptSettings, cluster: ClusterSettings
) -> Iterator[Problem]:
    for field, value in (("nodePoolId", adopt.node_pool_id), ("namespace", adopt.namespace)):
        if value and cluster.create:
            yield Problem(
                f"adopt.{field}",
                value,
                "nothing with cluster.create",
                "a cluster that is created has no node pool and no namespace to adopt yet",
                remove_command(f"adopt.{field}"),
            )


@rule("adopt.change", "adopt.nodePoolId", "adopt.bucket", "adopt.roleName", "adopt.namespace")
def _there_is_something_to_change(adopt: AdoptSettings) -> Iterator[Problem]:
    if adopt.change and not (
        adopt.node_pool_id or adopt.bucket or adopt.role_name or adopt.namespace
    ):
        yield Problem(
            "adopt.change",
            True,
            "nothing without something adopted",
            "the first resource adopted later is changed without a question",
            remove_command("adopt.change"),
        )
