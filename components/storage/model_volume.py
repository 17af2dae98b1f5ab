"""PersistentVolume and claim of the model (tutorial step 3)."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.component import Component
from settings import names
from settings.model import ModelSettings

DRIVER = "ossplugin.csi.alibabacloud.com"


@dataclass(frozen=True)
class ModelVolumeArgs:
    """Inputs of ModelVolume."""

    settings: ModelSettings
    """Group `model`."""
    namespace: Input[str]
    """Namespace of the claim."""
    bucket: Input[str]
    """Bucket of the model."""
    model_path: Input[str]
    """`<prefix>/<version>` of the model in it."""
    model_digest: Input[str]
    """Digest of the model's files: other content below the same path makes another volume."""
    role_name: Input[str]
    """RAM role with which the driver reads the bucket."""
    region: str
    """Region of the bucket."""


class ModelVolume(Component):
    """A read-only volume on the model's bucket, and the claim that is bound to it by name.

    Both names and the volume handle carry a digest of everything that decides what is mounted. For
    a changed model a new volume is created, the pods roll to it, and the old volume is deleted.
    With fixed names the old volume would have to be deleted first, while pods still hold it.
    """

    claim_name: pulumi.Output[str]
    """Name of the bound claim."""

    def __init__(
        self, name: str, args: ModelVolumeArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:storage:ModelVolume", name, opts)
        attributes = pulumi.Output.all(args.bucket, args.role_name).apply(
            lambda known: _attributes(
                args.settings, args.region, bucket=known[0], role_name=known[1]
            )
        )
        # A volume is bound to one claim: two stacks that read the same bucket with the same role
        # need one each.
        digest = pulumi.Output.all(
            args.namespace,
            attributes,
            args.model_path,
            args.model_digest,
            args.settings.volume_size,
        ).apply(names.digest)
        volume = self._volume(pulumi.Output.concat("model-csi-pv-", digest), attributes, args)
        claim = self._claim(pulumi.Output.concat("model-pvc-", digest), volume, args)
        self.claim_name = claim.metadata.name
        self.register_outputs({"claim_name": self.claim_name})

    def _volume(
        self,
        volume_name: pulumi.Output[str],
        attributes: pulumi.Output[dict[str, str]],
        args: ModelVolumeArgs,
    ) -> kubernetes.core.v1.PersistentVolume:
        return kubernetes.core.v1.PersistentVolume(
            self.child_name("pv"),
            metadata={"name": volume_name, "labels": {"alicloud-pvname": volume_name}},
            spec={
                "capacity": {"storage": args.settings.volume_size},
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
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _claim(
        self,
        claim_name: pulumi.Output[str],
        volume: kubernetes.core.v1.PersistentVolume,
        args: ModelVolumeArgs,
    ) -> kubernetes.core.v1.PersistentVolumeClaim:
        return kubernetes.core.v1.PersistentVolumeClaim(
            self.child_name("pvc"),
            metadata={"name": claim_name, "namespace": args.namespace},
            spec={
                "access_modes": ["ReadOnlyMany"],
                "storage_class_name": "",
                "volume_name": volume.metadata.name,
                "resources": {"requests": {"storage": args.settings.volume_size}},
            },
            opts=pulumi.ResourceOptions(parent=self),
        )


def _attributes(
    settings: ModelSettings, region: str, *, bucket: str, role_name: str
) -> dict[str, str]:
    """Attributes of the volume for the CSI driver. The URL has its scheme: without it the driver
    speaks plain HTTP to the internal endpoint, which the bucket's policy refuses. Signature v4 is
    the only one that OSS accepts for new buckets.
    """
    return {
        "bucket": bucket,
        "url": f"https://oss-{region}-internal.aliyuncs.com",
        "path": settings.mount_path,
        "fuseType": "ossfs2",
        "authType": "rrsa",
        "roleName": role_name,
        "otherOpts": settings.volume_options,
        "sigVersion": "v4",
        "region": region,
    }
