"""Where a stack is deployed and by which ids, names and tags its resources are found: read from its
state, and from its settings for what the state no longer names.
"""

from __future__ import annotations

import dataclasses
import enum
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ops.cloud.client import ACK_TAG
from ops.cloud.resources import BUCKET, MANAGED_CLUSTER, NODE_POOL, POLICY, ROLE
from ops.engine.checkpoint import (
    ALICLOUD_PROVIDER,
    KUBERNETES_PROVIDER,
    NAMESPACE,
    VOLUME,
    Checkpoint,
)
from ops.engine.cli import ROOT
from settings import names
from settings.core.problem import SettingsError
from settings.core.stack_file import StackFile, read

PROJECT = "elastic-inference"


class Owner(enum.Enum):
    """Whose a resource is, by its tags or labels."""

    OURS = "this stack's"
    UNCLEAR = "perhaps this stack's"
    """Nothing contradicts, and nothing says of which cluster's stack of this name it is: a stack
    that an earlier version deployed has no tag of the cluster.
    """
    OTHER = "somebody else's"


@dataclass(frozen=True)
class StackLocation:
    """Account, region and cluster of a stack according to its state and settings, and the names by
    which its resources are found.
    """

    stack: str
    accounts: frozenset[str] = frozenset()
    """Accounts that the records name; more than one is an error of its own."""
    regions: frozenset[str] = frozenset()
    cluster: str = ""
    """Id of the cluster, "" when nothing names one."""
    cluster_made: bool = False
    """Whether the stack made it, so that everything of it has to go."""
    namespace: str = ""
    buckets: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()
    pools: frozenset[str] = frozenset()
    """Ids of node pools."""
    pool_name: str = ""
    """Beginning of the names of its node pools."""
    groups: frozenset[str] = frozenset()
    """Ids of the scaling groups behind them."""
    volumes: frozenset[str] = frozenset()
    """Names of PersistentVolumes."""
    kept: frozenset[tuple[str, str]] = frozenset()
    """(kind, id) of what the settings adopt or retain."""
    cluster_tag: str = ""
    """The cluster as tags and labels of the stack name it, "" when nothing tells it."""
    uids: frozenset[str] = frozenset()
    """Uids of the objects in the cluster that the state names."""
    private_api: bool = False
    """Whether the cluster is reached by its API server's address in the VPC."""
    namespace_made: bool = False
    """Whether the state names the namespace, so that the stack created it or took it over."""

    @property
    def region(self) -> str:
        """The region, "" when the records name none or several."""
        return next(iter(self.regions)) if len(self.regions) == 1 else ""

    @property
    def tags(self) -> dict[str, str]:
        """What everything taggable of the stack carries, whatever version deployed it."""
        return {"project": PROJECT, "stack": self.stack}

    def is_pool_name(self, name: str) -> bool:
        """Whether the program would give a node pool of this stack that name: `<name>-<stack>-` and
        six hex digits. `inference-dev-2-…` is of stack dev-2, not of dev.
        """
        return bool(re.fullmatch(re.escape(self.pool_name) + "[0-9a-f]{6}", name))

    @property
    def labels(self) -> dict[str, str]:
        """What every object of the stack in the cluster carries; without the cluster when nothing
        tells it.
        """
        labels = names.object_labels(PROJECT, self.stack, self.cluster_tag)
        return labels if self.cluster_tag else dict(list(labels.items())[:2])

    def contradicted_by(self, tags: Mapping[str, str]) -> bool:
        """Whether tags name another stack, or one of this name with another cluster: whatever the
        name of the resource says, it is theirs.
        """
        known = {**self.tags, names.CLUSTER_TAG: self.cluster_tag, ACK_TAG: self.cluster}
        return any(value and tags.get(key, value) != value for key, value in known.items())

    def owner(self, tags: Mapping[str, str]) -> Owner:
        """Whose a resource of the cloud with these tags is. Of a cluster that the stack made,
        everything is the stack's. Project and stack alone don't decide: another cluster's stack may
        have the same name.
        """
        if self.cluster_made and self.cluster and tags.get(ACK_TAG) == self.cluster:
            return Owner.OURS
        if self.contradicted_by(tags) or not self.tags.items() <= tags.items():
            return Owner.OTHER
        named = ((names.CLUSTER_TAG, self.cluster_tag), (ACK_TAG, self.cluster))
        sure = any(value and tags.get(key) == value for key, value in named)
        return Owner.OURS if sure else Owner.UNCLEAR

    def owner_of_object(self, metadata: Mapping[str, Any]) -> Owner:
        """Whose an object in the cluster is: by its labels; where it has none of ours, by the uid
        that the state has of it. A name alone decides nothing.
        """
        held = metadata.get("labels") or {}
        if any(held.get(key, value) != value for key, value in self.labels.items()):
            return Owner.OTHER
        if self.cluster_tag and self.labels.items() <= held.items():
            return Owner.OURS
        return Owner.OURS if metadata.get("uid") in self.uids else Owner.UNCLEAR


def without(location: StackLocation, things: Collection[tuple[str, str]]) -> StackLocation:
    """The location without resources that are (or become) somebody else's: nobody waits for them or
    reports them as left.
    """
    ids = {
        kind: frozenset(identity for one, identity in things if one == kind) for kind, _ in things
    }
    fields = {
        "bucket": "buckets",
        "RAM role": "roles",
        "RAM policy": "policies",
        "node pool": "pools",
        "scaling group": "groups",
    }
    return dataclasses.replace(
        location,
        **{
            name: getattr(location, name) - ids.get(kind, frozenset())
            for kind, name in fields.items()
        },
    )


def locate(stack: str, checkpoint: Checkpoint, config: dict[str, Any]) -> StackLocation:
    """The location, from the state and the stack's file (`config`: full keys)."""
    settings = settings_of(stack, config)
    cluster = config.get(f"{PROJECT}:cluster") or {}
    found = StackLocation(
        stack,
        accounts=frozenset(filter(None, [*_accounts(checkpoint), cluster.get("accountId")])),
        regions=frozenset(filter(None, [*_regions(checkpoint), config.get("alicloud:region")])),
        cluster=_cluster(checkpoint) or cluster.get("id") or "",
        cluster_made=bool(cluster.get("create")) or bool(checkpoint.of(MANAGED_CLUSTER)),
        namespace=_named(checkpoint, NAMESPACE, "namespace")
        or config.get(f"{PROJECT}:namespace")
        or "inference",
        buckets=frozenset(one.get("bucket") for one in checkpoint.of(BUCKET)),
        roles=frozenset(one.get("roleName") for one in checkpoint.of(ROLE)),
        policies=frozenset(one.get("policyName") for one in checkpoint.of(POLICY)),
        pools=frozenset(one.id.rpartition(":")[2] for one in checkpoint.of(NODE_POOL)),
        pool_name=f"{(config.get(f'{PROJECT}:nodePool') or {}).get('name', 'inference')}-{stack}-",
        groups=frozenset(
            filter(None, (one.get("scalingGroupId") for one in checkpoint.of(NODE_POOL)))
        ),
        volumes=frozenset(one.id for one in checkpoint.of(VOLUME)),
        cluster_tag=_cluster_tag(checkpoint)
        or (settings.cluster_identity if settings else cluster.get("id") or ""),
        uids=_uids(checkpoint),
        namespace_made=any(
            one.name != "interruption-namespace" for one in checkpoint.of(NAMESPACE)
        ),
        private_api=settings.cluster.private_api
        if settings
        else cluster.get("apiEndpoint") == "private",
    )
    if settings is None:
        return found
    return dataclasses.replace(
        found,
        buckets=found.buckets
        | {settings.bucket_name}
        | set(filter(None, [settings.access_log_bucket])),
        roles=found.roles
        | ({settings.ram_name("reader")} if not settings.adopt.role_name else set()),
        policies=found.policies | {settings.ram_name("read"), settings.ram_name("metrics")},
        kept=_kept(settings),
    )


def _kept(settings: Any) -> frozenset[tuple[str, str]]:
    adopt = settings.adopt
    given = [
        ("bucket", settings.bucket_name if adopt.bucket or settings.model_store.retain else ""),
        ("node pool", adopt.node_pool_id or ""),
        ("RAM role", adopt.role_name or ""),
        ("Namespace", settings.namespace if adopt.namespace else ""),
    ]
    return frozenset(one for one in given if one[1])


def config_of(stack: str) -> dict[str, Any]:
    """The stack's file, {} when there is none. Encrypted values stay encrypted. Raises
    StackFileError when it can't be read.
    """
    return read(ROOT, stack).config if (ROOT / f"Pulumi.{stack}.yaml").is_file() else {}


def provider_config(config: dict[str, Any]) -> dict[str, Any]:
    """The stack's configuration of the alicloud provider, without the `alicloud:` before the names
    and without encrypted values.
    """
    return {
        key.removeprefix("alicloud:"): value
        for key, value in config.items()
        if key.startswith("alicloud:")
        and not (isinstance(value, dict) and set(value) == {"secure"})
    }


def settings_of(stack: str, config: dict[str, Any]) -> Any:
    """The stack's settings as the program reads them; None when it would refuse them: the teardown
    then goes by the state.
    """
    try:
        return StackFile(stack, config).settings(os.environ)
    except SettingsError:
        return None


def _accounts(checkpoint: Checkpoint) -> list[str]:
    arns = [one.get("arn") for one in checkpoint.of(ROLE)]
    return [match[1] for arn in arns if (match := re.match(r"acs:ram::(\d+):", arn))]


def _regions(checkpoint: Checkpoint) -> list[str]:
    return [one.get("region") for one in checkpoint.of(ALICLOUD_PROVIDER)]


def _cluster(checkpoint: Checkpoint) -> str:
    made = [one.id for one in checkpoint.of(MANAGED_CLUSTER)]
    reader = [one.get("clusterIdentifier") for one in checkpoint.of(KUBERNETES_PROVIDER)]
    output = checkpoint.outputs.get("clusterId")
    named = [
        one.get("clusterId") for one in checkpoint.resources if one.kind.startswith("alicloud:cs/")
    ]
    return next(
        filter(None, [*made, *reader, *named, output if isinstance(output, str) else ""]), ""
    )


def _cluster_tag(checkpoint: Checkpoint) -> str:
    """The cluster by which the deployed resources are tagged, "" when none is."""
    tags = [one.inputs.get("tags") for one in checkpoint.resources]
    return next(
        (
            held[names.CLUSTER_TAG]
            for held in tags
            if isinstance(held, Mapping) and isinstance(held.get(names.CLUSTER_TAG), str)
        ),
        "",
    )


def _uids(checkpoint: Checkpoint) -> frozenset[str]:
    metadata = [
        one.outputs.get("metadata")
        for one in checkpoint.resources
        if one.kind.startswith("kubernetes:")
    ]
    return frozenset(
        held["uid"]
        for held in metadata
        if isinstance(held, Mapping) and isinstance(held.get("uid"), str)
    )


def _named(checkpoint: Checkpoint, kind: str, name: str) -> str:
    """Id of the resource of this kind, of several the one with this logical name; "" without
    any.
    """
    found = sorted(checkpoint.of(kind), key=lambda one: one.name != name)
    return found[0].id if found else ""
