"""The OSS bucket, its guards, and the model in it (tutorial step 2)."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_alicloud as alicloud

from components.adoption import adoption
from components.component import Component
from components.storage.ossmodel import Model
from settings.adopt import Adoption
from settings.model import ModelSettings
from settings.model_store import ModelStoreSettings

IGNORE_CHANGES = ["versioning", "serverSideEncryptionRule", "policy"]
"""The guards of the bucket are resources of their own. Measured: without this list the bucket takes
them over at a refresh, and the next run deletes policy and encryption through the bucket.
"""
IGNORE_WHEN_ADOPTED = ["tags", "resourceGroupId", "forceDestroy"]
"""An adopted bucket keeps its tags and group; no run empties it."""


@dataclass(frozen=True)
class ModelStoreArgs:
    """Inputs of ModelStore."""

    settings: ModelStoreSettings
    """Group `modelStore`."""
    model: ModelSettings
    """Group `model`: the directory to upload, and its place in the bucket."""
    tensorflow: str | None
    """TensorFlow version of the server that loads the model, such as 1.15.0-gpu. None: unknown, and
    the model is not compared with it.
    """
    bucket: str
    """Name of the bucket; the provider does not auto-name buckets."""
    region: str
    """Region of the bucket, which decides the default redundancy."""
    tags: Mapping[str, str]
    """Tags of the bucket."""
    access_log: str | None = None
    """Name of the bucket for the access log; None: there is no log."""
    resource_group_id: str | None = None
    """Resource group; None: the account's default one."""
    adopt: Adoption | None = None
    """Existing bucket to take over, with its guards; its import id is the bucket's name."""


class ModelStore(Component):
    """A private, encrypted, versioned, TLS-only bucket with one SavedModel version in it.

    The model is uploaded after the guards are in place, so that no object is ever stored
    unencrypted or reachable.
    """

    bucket: pulumi.Output[str]
    """Name of the bucket, known once its guards are in place."""
    model: Model

    def __init__(self, name: str, args: ModelStoreArgs, opts: pulumi.ResourceOptions | None = None):
        super().__init__("inference:storage:ModelStore", name, opts)
        self._retain = args.settings.retain or None
        # Once: an engine takes no second hook of the same name.
        self._adopted = adoption(args.adopt, "modelStore")
        settings = args.settings
        bucket = _name(self._bucket(args, self._log_bucket(args)))
        guards = [
            *self._guards(bucket, "", settings.encryption, settings.kms_key_id),
            alicloud.oss.BucketVersioning(
                self.child_name("versioning"),
                bucket=bucket,
                status="Enabled",
                opts=self._guard_options(),
            ).bucket,
        ]
        self.bucket = pulumi.Output.all(*guards).apply(lambda names: names[0])
        self.model = Model(
            self.child_name("model"),
            bucket=self.bucket,
            prefix=args.model.key_prefix,
            source=args.model.source,
            tensorflow=args.tensorflow,
            opts=pulumi.ResourceOptions(
                parent=self,
                # What is in a bucket that others own too is not deleted with the stack.
                retain_on_delete=self._retain or (True if args.adopt else None),
            ),
        )
        self.register_outputs(
            {
                "bucket": self.bucket,
                "model_path": self.model.path,
                "model_digest": self.model.digest,
            }
        )

    def _log_bucket(self, args: ModelStoreArgs) -> pulumi.Output[str] | None:
        """The bucket for the access log, known once its guards are in place. OSS writes into it
        some hours after the requests.
        """
        settings = args.settings
        if args.access_log is None or settings.access_log_days is None:
            return None
        bucket = alicloud.oss.Bucket(
            self.child_name("log-bucket"),
            bucket=args.access_log,
            redundancy_type=settings.redundancy_in(args.region),
            # A log of what is gone is no reason for a teardown to fail.
            force_destroy=not settings.protect,
            tags=args.tags,
            resource_group_id=args.resource_group_id,
            lifecycle_rules=[
                {
                    "id": "forget-old-logs",
                    "prefix": "",
                    "enabled": True,
                    "expirations": [{"days": settings.access_log_days}],
                }
            ],
            opts=pulumi.ResourceOptions(
                parent=self,
                ignore_changes=IGNORE_CHANGES,
                protect=settings.protect or None,
                retain_on_delete=self._retain,
            ),
        )
        guards = self._guards(_name(bucket), "log-", "AES256", None)
        return pulumi.Output.all(*guards).apply(lambda names: names[0])

    def _bucket(
        self, args: ModelStoreArgs, access_log: pulumi.Output[str] | None
    ) -> alicloud.oss.Bucket:
        settings = args.settings
        options = pulumi.ResourceOptions(
            parent=self,
            ignore_changes=IGNORE_CHANGES + (IGNORE_WHEN_ADOPTED if args.adopt else []),
            protect=settings.protect or None,
            retain_on_delete=self._retain,
        )
        return alicloud.oss.Bucket(
            self.child_name("bucket"),
            bucket=args.bucket,
            storage_class=settings.storage_class,
            redundancy_type=settings.redundancy_in(args.region),
            force_destroy=settings.force_destroy,
            tags=args.tags,
            logging={"target_bucket": access_log, "target_prefix": f"{args.bucket}/"}
            if access_log
            else None,
            resource_group_id=args.resource_group_id,
            lifecycle_rules=[
                {
                    "id": "forget-old-versions",
                    "prefix": "",
                    "enabled": True,
                    "noncurrent_version_expirations": [{"days": settings.old_version_days}],
                    "abort_multipart_uploads": [{"days": settings.unfinished_upload_days}],
                }
            ],
            opts=pulumi.ResourceOptions.merge(options, self._adopted),
        )

    def _guard_options(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions.merge(
            pulumi.ResourceOptions(parent=self, retain_on_delete=self._retain), self._adopted
        )

    def _guards(
        self, bucket: pulumi.Output[str], prefix: str, algorithm: str, key: str | None
    ) -> list[pulumi.Output[str]]:
        """Makes the guards of a bucket; returns its name, known once each of them is in place."""
        options, oss = self._guard_options(), alicloud.oss
        return [
            oss.BucketAcl(
                self.child_name(f"{prefix}acl"), bucket=bucket, acl="private", opts=options
            ).bucket,
            oss.BucketPublicAccessBlock(
                self.child_name(f"{prefix}access-block"),
                bucket=bucket,
                block_public_access=True,
                opts=options,
            ).bucket,
            oss.BucketServerSideEncryption(
                self.child_name(f"{prefix}encryption"),
                bucket=bucket,
                sse_algorithm=algorithm,
                kms_master_key_id=key,
                opts=options,
            ).bucket,
            oss.BucketPolicy(
                self.child_name(f"{prefix}tls-only"),
                bucket=bucket,
                policy=pulumi.Output.json_dumps(bucket.apply(tls_only)),
                opts=options,
            ).bucket,
        ]


def _name(bucket: alicloud.oss.Bucket) -> pulumi.Output[str]:
    return bucket.bucket.apply(lambda name: name or "")


def tls_only(bucket: str) -> dict[str, object]:
    """Bucket policy that refuses every request over plain HTTP."""
    return {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": ["*"],
                "Action": ["oss:*"],
                "Resource": [f"acs:oss:*:*:{bucket}", f"acs:oss:*:*:{bucket}/*"],
                "Condition": {"Bool": {"acs:SecureTransport": ["false"]}},
            }
        ],
    }
