"""PersistentVolume and claim of the model (tutorial step 3)."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.component import Component
from settings import names

DRIVER = "ossplugin.csi.alibabacloud.com"


@dataclass(frozen=True)
class ModelVolumeArgs:
    """Inputs of ModelVolume."""

    namespace: Input[str]
    """Namespace of the claim."""
    bucket: Input[str]
    """Bucket of the model."""
    model_path: Input[str]
    """`<prefix>/<version>` of the model in it."""
    model_digest: Input[str]
    """Digest of the model's files: other content below the same path makes another volume."""
    role_name: Input[str]
    """RAM role to read with."""
    region: Input[str]
    """Region of the bucket."""
    path: Input[str] = "/models"
    """What of the bucket is mounted."""
    options: Input[str] = "-o close_to_open=false"
    """Options of the OSS client."""
    size: Input[str] = "5Gi"
    """Written on volume and claim; OSS doesn't enforce it."""


class ModelVolume(Component):
    """A read-only volume on the model's bucket, and the claim bound to it by name.

    Both names and the volume handle carry a digest of everything that decides what is mounted. A
    changed model is therefore create, roll, delete; with fixed names the old volume would have to
    go first, while pods still hold it.
    """

    claim_name: pulumi.Output[str]
    """Name of the bound claim."""

    def __init__(
        self, name: str, args: ModelVolumeArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:storage:ModelVolume", name, opts)
        attributes = pulumi.Output.all(
            args.bucket, args.region, args.path, args.options, args.role_name
        ).apply(lambda known: _attributes(*known))
        # A volume is bound to one claim: two stacks that read the same bucket with the same role
        # need one each.
        digest = pulumi.Output.all(
            args.namespace, attributes, args.model_path, args.model_digest, args.size
        ).apply(names.digest)
        volume = self._volume(pulumi.Output.concat("model-csi-pv-", digest), attributes, args)
        claim = self._claim(pulumi.Output.concat("model-pvc-", digest), volume, args)
        self.claim_name = claim.metadata.name
        self.finish({"claim_name": self.claim_name})

    def _volume(
        self,
        volume_name: pulumi.Output[str],
        attributes: pulumi.Output[dict[str, str]],
        args: ModelVolumeArgs,
    ) -> Any:
        return kubernetes.core.v1.PersistentVolume(
            self.child_name("pv"),
            metadata={"name": volume_name, "labels": {"alicloud-pvname": volume_name}},
            spec={
                "capacity": {"storage": args.size},
                "access_modes": ["ReadOnlyMany"],
                "persistent_volume_reclaim_policy": "Retain",
                "storage_class_name": "",
                "csi": {
                    "driver": DRIVER,
                    "volume_handle": volume_name,
                    "read_only": True,
                    "volume_attributes": attributes,
                },
            },
            opts=self.child(),
        )

    def _claim(
        self,
        claim_name: pulumi.Output[str],
        volume: kubernetes.core.v1.PersistentVolume,
        args: ModelVolumeArgs,
    ) -> Any:
        return kubernetes.core.v1.PersistentVolumeClaim(
            self.child_name("pvc"),
            metadata={"name": claim_name, "namespace": args.namespace},
            spec={
                "access_modes": ["ReadOnlyMany"],
                "storage_class_name": "",
                "volume_name": volume.metadata.name,
                "resources": {"requests": {"storage": args.size}},
            },
            opts=self.child(),
        )


def _attributes(
    bucket: str, region: str, path: str, options: str, role_name: str
) -> dict[str, str]:
    """What the driver is told. The scheme is written out: without it the driver talks plain HTTP to
    the internal endpoint, which the bucket's policy refuses. Signature v4 is the only one OSS takes
    for new buckets.
    """
    return {
        "bucket": bucket,
        "url": f"https://oss-{region}-internal.aliyuncs.com",
        "path": path,
        "fuseType": "ossfs2",
        "authType": "rrsa",
        "roleName": role_name,
        "otherOpts": options,
        "sigVersion": "v4",
        "region": region,
    }
