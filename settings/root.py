"""The whole of a stack's settings as one frozen object."""

from typing import Annotated

from pydantic import SecretStr, StringConstraints

from interruption_handler.pool_sizing import nodes_for_pods, pods_per_node
from settings import names
from settings.adoption import Adopt
from settings.catalog import gpu
from settings.cloud import Lookups, ModelStore, NodeScaler
from settings.cluster import Cluster
from settings.core.field import REQUIRED, Group, Text, setting
from settings.elastic import Headroom, Interruption, Mix
from settings.pool import NodePool
from settings.scaling import Autoscaler
from settings.serving import DNS_LABEL, Model, Server
from settings.traffic import Entry

TagText = Annotated[Text, StringConstraints(pattern=r"^[^\s]{1,128}$")]
SECRETS = ("kubeconfig", "htpasswd", "tlsCertificate", "tlsPrivateKey")
PLAIN_TEXT = "it would lie in the repository in plain text"


class Settings(Group):
    """All settings of one stack. `region`, `project` and `stack` come from the provider's
    configuration and the engine.
    """

    project: str
    stack: str
    region: str = setting(
        REQUIRED,
        "Region, from alicloud:region or ALICLOUD_REGION.",
        pattern=r"^[a-z]{2}-[a-z]+(-[a-z]+)?(-[0-9]+)?$",
        expected="a region id such as cn-shanghai",
        otherwise="the provider silently works in cn-beijing",
        example="cn-shanghai",
    )
    owner: TagText = setting(
        "ml-platform",
        "Team that answers for the stack; a tag on everything.",
        expected="up to 128 characters without blanks",
        otherwise="nobody can say whose nodes are being paid for",
        example="ml-platform",
    )
    tags: dict[TagText, TagText] = setting(
        {},
        "More tags for everything that can carry them.",
        expected="key: value without blanks, not starting with aliyun, acs: or http",
        otherwise="Alibaba Cloud refuses or drops the tag",
        example="value",
    )
    namespace: str = setting(
        "inference",
        "Kubernetes namespace of everything that serves.",
        pattern=DNS_LABEL,
        expected="a DNS label of at most 63 characters",
        otherwise="Kubernetes refuses the namespace",
        example="inference",
    )
    kubeconfig: SecretStr | None = setting(
        None,
        "Kubeconfig to use instead of asking ACK for one (secret).",
        min_length=1,
        expected="an encrypted value",
        otherwise=PLAIN_TEXT,
        example="-- <file",
    )
    htpasswd: SecretStr | None = setting(
        None,
        "Users for entry.auth basic, as htpasswd prints them (secret).",
        min_length=1,
        expected="an encrypted value",
        otherwise=PLAIN_TEXT,
        example='"$(htpasswd -nB user)"',
    )
    tls_certificate: SecretStr | None = setting(
        None,
        "Certificate chain for entry.tls provided, PEM (secret).",
        min_length=1,
        expected="an encrypted value",
        otherwise=PLAIN_TEXT,
        example="< tls.crt",
    )
    tls_private_key: SecretStr | None = setting(
        None,
        "Private key for entry.tls provided, PEM (secret).",
        min_length=1,
        expected="an encrypted value",
        otherwise=PLAIN_TEXT,
        example="< tls.key",
    )
    cluster: Cluster = setting(
        REQUIRED,
        "The ACK cluster.",
        expected="an object with id or create",
        otherwise="there is no cluster to deploy to",
        example="…",
    )
    lookups: Lookups = setting(
        Lookups(),
        "Answers given instead of asked for.",
        expected="an object",
        otherwise="the cloud is asked",
        example="…",
    )
    node_scaler: NodeScaler = setting(
        NodeScaler(),
        "The cluster's node scaler.",
        expected="an object",
        otherwise="the mix is lost",
        example="…",
    )
    node_pool: NodePool = setting(
        REQUIRED,
        "The GPU node pool.",
        expected="an object with at least vswitchIds",
        otherwise="there is no place for the nodes",
        example="…",
    )
    model_store: ModelStore = setting(
        ModelStore(),
        "The model's bucket.",
        expected="an object",
        otherwise="its keys are not read",
        example="…",
    )
    model: Model = setting(
        Model(), "The model.", expected="an object", otherwise="its keys are not read", example="…"
    )
    server: Server = setting(
        Server(),
        "TensorFlow Serving.",
        expected="an object",
        otherwise="its keys are not read",
        example="…",
    )
    autoscaler: Autoscaler = setting(
        Autoscaler(),
        "The HPA.",
        expected="an object",
        otherwise="its keys are not read",
        example="…",
    )
    interruption: Interruption = setting(
        Interruption(),
        "The interruption handler.",
        expected="an object",
        otherwise="its keys are not read",
        example="…",
    )
    mix: Mix = setting(
        Mix(),
        "The mix of charge types.",
        expected="an object",
        otherwise="its keys are not read",
        example="…",
    )
    headroom: Headroom = setting(
        Headroom(),
        "Warm nodes.",
        expected="an object",
        otherwise="its keys are not read",
        example="…",
    )
    entry: Entry = setting(
        REQUIRED,
        "The entry.",
        expected="an object with at least tls and auth",
        otherwise="nothing says whether the entry is open",
        example="…",
    )

    adopt: Adopt = setting(
        Adopt(),
        "What exists already and is taken over.",
        expected="an object",
        otherwise="its keys are not read",
        example="…",
    )

    @property
    def all_tags(self) -> dict[str, str]:
        """Tags of every taggable resource."""
        return {"project": self.project, "stack": self.stack, "owner": self.owner, **self.tags}

    @property
    def place(self) -> str:
        """What tells this stack's global names from those of a stack with the same name elsewhere:
        the cluster, or, where the stack makes one and its id is not known before, the account and
        the region.
        """
        return self.cluster.id or f"{self.cluster.account_id}/{self.region}"

    @property
    def cluster_name(self) -> str:
        """Name of a cluster that the stack makes, and of its network."""
        return f"{self.project}-{self.stack}"

    @property
    def bucket_name(self) -> str:
        """Name of the model's bucket."""
        store = self.model_store
        redundancy = store.redundancy_in(self.region)
        made = names.bucket(self.project, self.stack, self.place, store.storage_class, redundancy)
        return self.adopt.bucket or store.bucket or made

    @property
    def adopted_pool(self) -> str | None:
        """Id of the node pool to take over, as the provider wants it."""
        return f"{self.cluster.id}:{self.adopt.node_pool_id}" if self.adopt.node_pool_id else None

    def ram_name(self, what: str) -> str:
        """Name of the RAM role or policy that does `what`."""
        return names.ram(self.project, self.stack, self.place, what)

    @property
    def deployment_name(self) -> str:
        """Name of Deployment and Service."""
        return names.deployment(self.server.name, self.server.version)

    @property
    def hpa_name(self) -> str:
        """Name of the HPA."""
        return f"{self.server.name}-hpa"

    @property
    def pods_per_node(self) -> int:
        """Pods of the model server that fit on a node of any of the pool's instance types; at
        least 1, because a pool without room for one is a Problem of its own.
        """
        gpus = (gpu.count(instance_type) for instance_type in self.node_pool.instance_types)
        return max(1, pods_per_node(gpus, self.server.gpus))

    def nodes_for(self, pods: int) -> int:
        """Nodes that `pods` pods of the model server need."""
        return nodes_for_pods(pods, self.pods_per_node)

    @property
    def minimum_moves(self) -> bool:
        """Whether the HPA's minimum follows a schedule or the metric's absence."""
        return bool(self.autoscaler.floors) or self.autoscaler.outage_replicas is not None

    @property
    def route(self) -> str:
        """Ingress route of the REST port, as log and metric know it."""
        return names.route(self.namespace, self.deployment_name)

    @property
    def entry_secrets(self) -> dict[str, str | None]:
        """The entry's secret inputs; the entry marks them as secret."""
        secrets = {
            "htpasswd": self.htpasswd,
            "tls_certificate": self.tls_certificate,
            "tls_private_key": self.tls_private_key,
        }
        return {key: value.get_secret_value() if value else None for key, value in secrets.items()}


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
KEYS = (*GROUPS, "owner", "tags", "namespace", *SECRETS)
