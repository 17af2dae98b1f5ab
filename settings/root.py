"""All settings of a stack as one frozen object."""

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import SecretStr, StringConstraints

from settings import names
from settings.adopt import Adoption, AdoptSettings
from settings.autoscaler import AutoscalerSettings
from settings.cluster import ClusterSettings
from settings.core.field import REQUIRED, Group, Text, setting
from settings.core.problem import Problem, item, remove_command, set_command
from settings.core.rule import rule
from settings.core.types import DNS_LABEL
from settings.entry import EntrySettings
from settings.headroom import HeadroomSettings
from settings.interruption import InterruptionSettings
from settings.lookups import LookupsSettings
from settings.mix import MixSettings
from settings.model import ModelSettings
from settings.model_store import ModelStoreSettings
from settings.node_pool import NodePoolSettings, nodes_for, pods_per_node
from settings.node_scaler import NodeScalerSettings
from settings.server import ServerSettings

TagText = Annotated[Text, StringConstraints(pattern=r"^[^\s]{1,128}$")]
SECRETS = ("kubeconfig", "htpasswd", "tlsCertificate", "tlsPrivateKey")
PLAIN_TEXT = "the value lies in the repository in plain text"


class Settings(Group):
    """All settings of one stack. `project` and `stack` come from the engine, `region` from the
    configuration of the provider.
    """

    project: str
    stack: str
    region: Text = setting(
        REQUIRED,
        "Region of every resource, from alicloud:region or ALICLOUD_REGION.",
        pattern=r"^[a-z]{2,3}(-[a-z0-9]+)+$",
        expected="a region id such as cn-shanghai",
        consequence="the provider silently works in cn-beijing",
        example="cn-shanghai",
    )
    owner: TagText = setting(
        "ml-platform",
        "Team that is responsible for the stack. A tag on every resource.",
        expected="up to 128 characters without blanks",
        consequence="it is unknown who is responsible for the nodes that are billed",
        example="ml-platform",
    )
    tags: dict[TagText, TagText] = setting(
        {},
        "Additional tags of every resource that can have tags.",
        expected="key: value without blanks, at most 64 and 128 bytes, not starting with aliyun, acs:, http:// or https://",
        consequence="Alibaba Cloud refuses or drops the tag",
        example="value",
    )
    resource_group_id: Text | None = setting(
        None,
        "Resource group of the node pool and the bucket, and of a created cluster with its system nodes and VPC. Unset: the account's default "
        "group. vSwitches, RAM roles and policies, log stores and what ACK's controllers create can't be given one.",
        pattern=r"^rg-[0-9a-z]+$",
        expected="an id as Resource Management shows it, such as rg-acfmxazb4ph6aiy",
        consequence="Alibaba Cloud refuses the node pool and the bucket",
        example="rg-acfmxazb4ph6aiy",
    )
    namespace: Text = setting(
        "inference",
        "Kubernetes namespace of the serving pods and everything that belongs to them.",
        pattern=DNS_LABEL,
        expected="a DNS label of at most 63 characters, not default or one that starts with kube-",
        consequence="Kubernetes refuses the namespace",
        example="inference",
    )
    kubeconfig: SecretStr | None = setting(
        None,
        "Kubeconfig of the cluster (secret). Unset: the program requests one from ACK.",
        min_length=1,
        expected="an encrypted value",
        consequence=PLAIN_TEXT,
        example="-- <file",
    )
    htpasswd: SecretStr | None = setting(
        None,
        "Users of entry.auth basic, a line user:hash each, with bcrypt hashes (secret). `make user` writes them.",
        min_length=1,
        expected="an encrypted value",
        consequence=PLAIN_TEXT,
        example="< users",
    )
    tls_certificate: SecretStr | None = setting(
        None,
        "Certificate chain of entry.tls provided, PEM (secret).",
        min_length=1,
        expected="an encrypted value",
        consequence=PLAIN_TEXT,
        example="< tls.crt",
    )
    tls_private_key: SecretStr | None = setting(
        None,
        "Private key of entry.tls provided, PEM (secret).",
        min_length=1,
        expected="an encrypted value",
        consequence=PLAIN_TEXT,
        example="< tls.key",
    )
    cluster: ClusterSettings = setting(
        REQUIRED,
        "The ACK cluster to deploy to.",
        expected="an object with id or create",
        consequence="there is no cluster to deploy to",
        example="…",
    )
    lookups: LookupsSettings = setting(
        LookupsSettings(),
        "Answers to the program's lookups, for previews without a cloud.",
        expected="an object",
        consequence="the program looks the answers up, and a preview needs credentials",
        example="…",
    )
    node_scaler: NodeScalerSettings = setting(
        NodeScalerSettings(),
        "The cluster's node scaler.",
        expected="an object",
        consequence="this stack configures the cluster's node scaler with the default values",
        example="…",
    )
    node_pool: NodePoolSettings = setting(
        REQUIRED,
        "The elastic GPU node pool.",
        expected="an object with at least vswitchIds",
        consequence="there is no network for the nodes",
        example="…",
    )
    model_store: ModelStoreSettings = setting(
        ModelStoreSettings(),
        "The bucket that holds the model.",
        expected="an object",
        consequence="the bucket gets the default storage class, encryption and retention",
        example="…",
    )
    model: ModelSettings = setting(
        ModelSettings(),
        "The model to serve.",
        expected="an object",
        consequence="the sample model is served",
        example="…",
    )
    server: ServerSettings = setting(
        ServerSettings(),
        "TensorFlow Serving.",
        expected="an object",
        consequence="the model is served with the default image and resources",
        example="…",
    )
    autoscaler: AutoscalerSettings = setting(
        AutoscalerSettings(),
        "The HorizontalPodAutoscaler.",
        expected="an object",
        consequence="pods are scaled with the default bounds and target",
        example="…",
    )
    interruption: InterruptionSettings = setting(
        InterruptionSettings(),
        "The interruption handler.",
        expected="an object",
        consequence="the handler runs with the default times",
        example="…",
    )
    mix: MixSettings = setting(
        MixSettings(),
        "How the pay-as-you-go share is restored over time.",
        expected="an object",
        consequence="surplus pay-as-you-go nodes are replaced at the default pace",
        example="…",
    )
    headroom: HeadroomSettings = setting(
        HeadroomSettings(),
        "Over-provisioning with placeholder pods.",
        expected="an object",
        consequence="no node is kept warm",
        example="…",
    )
    entry: EntrySettings = setting(
        REQUIRED,
        "The Internet-facing endpoint.",
        expected="an object with at least tls and auth",
        consequence="it is ambiguous whether the endpoint is meant to be open to everyone",
        example="…",
    )

    adopt: AdoptSettings = setting(
        AdoptSettings(),
        "Existing resources that the stack takes over.",
        expected="an object",
        consequence="the stack creates resources of its own beside the existing ones",
        example="…",
    )

    @property
    def pool_tags(self) -> dict[str, str]:
        """Tags of the node pool: all but the cluster's. A pool is in its cluster, ACK tags
        everything that it orders with the cluster's id, and the node scaler sees 12 marks at most.
        """
        return {"project": self.project, "stack": self.stack, "owner": self.owner, **self.tags}

    @property
    def all_tags(self) -> dict[str, str]:
        """Tags of every other resource that can have tags."""
        return {**self.pool_tags, names.CLUSTER_TAG: self.cluster_identity}

    @property
    def cluster_identity(self) -> str:
        """What tells the stack from one of the same name with another cluster, as tag and label.

        The cluster's id or, where the stack creates the cluster, account and region: its network is
        tagged before the cluster has an id, and the cluster's name is unique in the account.
        """
        return self.cluster.id or f"{self.cluster.account_id}.{self.region}"

    @property
    def object_labels(self) -> dict[str, str]:
        """Labels of every object that the stack creates in the cluster."""
        return names.object_labels(self.project, self.stack, self.cluster_identity)

    @property
    def _name_scope(self) -> str:
        """Part of the digest of global names, which keeps them apart from those of a stack with the
        same name elsewhere: the cluster's id or, where the stack creates the cluster, account and
        region.
        """
        return self.cluster.id or f"{self.cluster.account_id}/{self.region}"

    @property
    def cluster_name(self) -> str:
        """Name of a cluster that the stack creates, and of its network."""
        return f"{self.project}-{self.stack}"

    @property
    def bucket_name(self) -> str:
        """Name of the model's bucket."""
        store = self.model_store
        redundancy = store.redundancy_in(self.region)
        default = names.bucket(
            self.project, self.stack, self._name_scope, store.storage_class, redundancy
        )
        return self.adopt.bucket or store.bucket or default

    @property
    def access_log_bucket(self) -> str | None:
        """Name of the bucket that holds the model bucket's access log; None without one."""
        return names.log_bucket(self.bucket_name) if self.model_store.access_log_days else None

    @property
    def adopted_node_pool(self) -> Adoption | None:
        """Node pool to take over."""
        pool_id = self.adopt.node_pool_id
        return Adoption(f"{self.cluster.id}:{pool_id}", self.adopt.change) if pool_id else None

    @property
    def adopted_bucket(self) -> Adoption | None:
        """Bucket to take over."""
        return Adoption(self.adopt.bucket, self.adopt.change) if self.adopt.bucket else None

    @property
    def adopted_role(self) -> Adoption | None:
        """RAM role to take over."""
        return Adoption(self.adopt.role_name, self.adopt.change) if self.adopt.role_name else None

    @property
    def adopted_namespace(self) -> Adoption | None:
        """Namespace to take over."""
        return Adoption(self.namespace, self.adopt.change) if self.adopt.namespace else None

    @property
    def reader_role_name(self) -> str:
        """Name of the RAM role with which the model volume reads the bucket."""
        return self.adopt.role_name or self.ram_name("reader")

    def ram_name(self, purpose: str) -> str:
        """Name of the RAM role or policy for `purpose`, such as `reader`."""
        return names.ram(self.project, self.stack, self._name_scope, purpose)

    @property
    def deployment_name(self) -> str:
        """Name of the model server's Deployment and Service."""
        return names.deployment(self.server.name, self.server.version)

    @property
    def handler_namespace(self) -> str:
        """Namespace of the interruption handler."""
        return names.handler_namespace(self.namespace)

    @property
    def hpa_name(self) -> str:
        """Name of the HPA."""
        return f"{self.server.name}-hpa"

    @property
    def pods_per_node(self) -> int:
        """Serving pods that fit on a node; see node_pool.pods_per_node."""
        return pods_per_node(self.node_pool, self.server)

    def nodes_for(self, pods: int) -> int:
        """Number of nodes that `pods` serving pods need."""
        return nodes_for(pods, self.node_pool, self.server)

    @property
    def route(self) -> str:
        """Ingress route of the REST port, as the access log and the metric name it."""
        return names.route(self.namespace, self.deployment_name)


GROUPS = (
    "cluster",
    "lookups",
    "nodeScaler",
    "nodePool",
    "modelStore",
    "model",
    "server",
    "autoscaler",
    "interruption",
    "mix",
    "headroom",
    "entry",
    "adopt",
)
KEYS = (*GROUPS, "owner", "tags", "resourceGroupId", "namespace", *SECRETS)


@rule("tags")
def _tags_are_the_users_own(tags: dict[str, str]) -> Iterator[Problem]:
    for key in sorted({"project", "stack", "owner", names.CLUSTER_TAG} & set(tags)):
        yield Problem(
            item("tags", key),
            tags[key],
            f"a key other than project, stack, owner and {names.CLUSTER_TAG}",
            "the stack's resources can't be found by tag",
            remove_command(item("tags", key)),
        )
    for key, value in tags.items():
        if reason := _tag_error(key, value):
            yield Problem(
                item("tags", key),
                value,
                f"a tag that Alibaba Cloud takes: {reason}",
                "OSS refuses the bucket's tags in the middle of the run",
                remove_command(item("tags", key)),
            )


@rule("owner")
def _owner_is_a_tag(owner: str) -> Iterator[Problem]:
    if reason := _tag_error("owner", owner):
        yield Problem(
            "owner",
            owner,
            f"a tag value that Alibaba Cloud takes: {reason}",
            "OSS refuses the bucket's tags in the middle of the run",
            set_command("owner", "ml-platform"),
        )


TAG_PREFIXES = ("aliyun", "acs:", "http://", "https://")
"""A key starts with none of them, in whatever case, a value not with the last two (ECS' and OSS'
rules of tags; OSS' errors 0010-00000002 and 0010-00000207).
"""
KEY_BYTES, VALUE_BYTES = 64, 128
"""OSS' limits in UTF-8 (error 0010-00000219); ECS allows 128 characters of each."""


def _tag_error(key: str, value: str) -> str:
    """What a tag is expected to be and is not, or ""."""
    if key.lower().startswith(TAG_PREFIXES) or value.lower().startswith(TAG_PREFIXES[2:]):
        return "one that doesn't start with aliyun, acs: or http(s)://, in whatever case"
    if len(key.encode()) > KEY_BYTES:
        return f"a key of at most {KEY_BYTES} bytes; this one has {len(key.encode())}"
    if len(value.encode()) > VALUE_BYTES:
        return f"a value of at most {VALUE_BYTES} bytes; this one has {len(value.encode())}"
    return ""


@rule("namespace", "entry.controllerNamespace", "entry.kind")
def _namespace_is_the_stacks_own(namespace: str, entry: EntrySettings) -> Iterator[Problem]:
    closes = "the stack enforces the pod security level restricted and network policies there, which stop what others run in it, "
    if namespace == "default" or namespace.startswith("kube-"):
        yield Problem(
            "namespace",
            namespace,
            "a namespace of the stack's own: not default, and none of Kubernetes' (kube-…)",
            closes + "and a destroy deletes it",
            set_command("namespace", "inference"),
        )
    elif entry.kind == "nginx" and namespace == entry.controller_namespace:
        yield Problem(
            "namespace",
            namespace,
            "a namespace of the stack's own, other than entry.controllerNamespace",
            closes + "the ingress controller first",
            set_command("namespace", "inference"),
        )


SHORT = "inference"
"""The node pool's name by default."""
LABEL_LENGTH, CLUSTER_NAME_LENGTH = 63, 63
"""Characters of a Kubernetes label's value, and of an ACK cluster's name."""


@rule("stack", "nodePool.name", "adopt.nodePoolId", "cluster.create")
def _stack_name_fits_into_names(
    project: str,
    stack: str,
    node_pool: NodePoolSettings,
    adopt: AdoptSettings,
    cluster: ClusterSettings,
) -> Iterator[Problem]:
    """The stack's name is a label of the nodes and part of another one, the pool's name; the
    serving pods select nodes by both.
    """
    longest, reason = 100, ""
    if not adopt.node_pool_id:
        pool = names.node_pool(node_pool.name, stack, [])
        longest = LABEL_LENGTH - (len(pool) - len(stack))
        reason = f" with nodePool.name {node_pool.name}"
    if cluster.create and CLUSTER_NAME_LENGTH - len(f"{project}-") < longest:
        longest = CLUSTER_NAME_LENGTH - len(f"{project}-")
        reason = f": the cluster that it creates is named {project}-<stack>"
    labelled = adopt.node_pool_id or names.is_label_value(stack[:LABEL_LENGTH])
    if len(stack) <= longest and labelled:
        return
    if (
        labelled
        and not cluster.create
        and len(stack) <= LABEL_LENGTH - len(names.node_pool(SHORT, "", []))
    ):
        room = LABEL_LENGTH - len(names.node_pool("", stack, []))
        yield Problem(
            "nodePool.name",
            node_pool.name,
            f"at most {room} characters in a stack that is named {stack}; this one has {len(node_pool.name)}",
            "the pool's name is a label of the nodes, by which the pods select them: Kubernetes refuses the Deployment, after node pool and "
            "bucket are made and paid",
            set_command("nodePool.name", SHORT),
        )
        return
    other = re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9]+$", "", stack[:longest]) or "dev"
    yield Problem(
        "stack",
        stack,
        f"a stack's name of at most {longest} characters{reason}, a letter or digit at either end; this one has {len(stack)}",
        "the name is a label of the nodes, by which the pods select them: Kubernetes refuses the Deployment, after node pool and bucket are "
        "made and paid",
        f"use another name: mv 'Pulumi.{stack}.yaml' 'Pulumi.{other}.yaml' && pulumi stack init {other}",
    )
