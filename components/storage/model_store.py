"""The OSS bucket, its guards, and the model in it (tutorial step 2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_alicloud as alicloud
from pulumi import Input

from components.adoption import adoption
from components.component import Component
from components.storage.ossmodel import Model

# The split resources below own these. Measured: without this list the bucket takes them over at a
# refresh, and the next run deletes policy and encryption through the bucket.
IGNORE_CHANGES = ["versioning", "serverSideEncryptionRule", "policy"]


@dataclass(frozen=True)
class ModelStoreArgs:
    """Inputs of ModelStore."""

    bucket: Input[str]
    """Bucket name; OSS gives none by itself."""
    source: Input[str]
    """Directory of one SavedModel version; its name is the version."""
    tensorflow: Input[str] | None = None
    """TensorFlow of the server that will load it, such as 1.15.0-gpu; None: not known, and the
    model isn't compared with it.
    """
    prefix: Input[str] = "models/tensorflow"
    """Keys of the model start with this."""
    storage_class: Input[str] = "Standard"
    """Standard or IA."""
    redundancy: Input[str] = "ZRS"
    """LRS (one zone) or ZRS (three)."""
    encryption: Input[str] = "AES256"
    """AES256 or KMS."""
    kms_key_id: Input[str] | None = None
    """Key for KMS."""
    old_version_days: Input[int] = 30
    """Days an overwritten or deleted object is kept."""
    unfinished_upload_days: Input[int] = 7
    """Days after which an unfinished multipart upload is dropped."""
    protect: bool = False
    """Refuse to delete or replace the bucket."""
    retain: bool = False
    """On destroy leave bucket, guards and model in place."""
    force_destroy: Input[bool] = False
    """On destroy delete what is left in the bucket."""
    tags: Input[Mapping[str, str]] = field(default_factory=dict)
    """Tags of the bucket."""
    adopt: str | None = None
    """Name of an existing bucket to take over, with its guards. Known before the run."""
    change_adopted: bool = False
    """Whether such a bucket and its guards may be changed. Known before the run."""


class ModelStore(Component):
    """A private, encrypted, versioned, TLS-only bucket with one SavedModel version in it.

    The model is uploaded after the guards are in place, so that no object was ever stored
    unencrypted or reachable.
    """

    bucket: pulumi.Output[str]
    """Name of the bucket, known once its guards are in place."""
    model: Model

    def __init__(self, name: str, args: ModelStoreArgs, opts: pulumi.ResourceOptions | None = None):
        super().__init__("inference:storage:ModelStore", name, opts)
        self._retain = args.retain or None
        self._adopted = adoption(args.adopt, "modelStore", args.change_adopted)
        bucket = self._bucket(args)
        guards = self._guards(bucket.bucket.apply(lambda name: name or ""), args)
        self.bucket = pulumi.Output.all(*[guard.bucket for guard in guards]).apply(
            lambda names: names[0]
        )
        self.model = Model(
            self.child_name("model"),
            bucket=self.bucket,
            prefix=args.prefix,
            source=args.source,
            tensorflow=args.tensorflow,
            opts=self.child(retain_on_delete=self._retain),
        )
        self.finish(
            {
                "bucket": self.bucket,
                "model_path": self.model.path,
                "model_digest": self.model.digest,
            }
        )

    def _bucket(self, args: ModelStoreArgs) -> alicloud.oss.Bucket:
        return alicloud.oss.Bucket(
            self.child_name("bucket"),
            bucket=args.bucket,
            storage_class=args.storage_class,
            redundancy_type=args.redundancy,
            force_destroy=args.force_destroy,
            tags=args.tags,
            lifecycle_rules=[
                {
                    "id": "forget-old-versions",
                    "prefix": "",
                    "enabled": True,
                    "noncurrent_version_expirations": [{"days": args.old_version_days}],
                    "abort_multipart_uploads": [{"days": args.unfinished_upload_days}],
                }
            ],
            opts=self.child(
                ignore_changes=IGNORE_CHANGES + (["tags", "forceDestroy"] if args.adopt else []),
                **self._adopted
                or {"protect": args.protect or None, "retain_on_delete": self._retain},
            ),
        )

    def _guards(
        self, bucket: pulumi.Output[str], args: ModelStoreArgs
    ) -> list[
        alicloud.oss.BucketAcl
        | alicloud.oss.BucketVersioning
        | alicloud.oss.BucketServerSideEncryption
        | alicloud.oss.BucketPublicAccessBlock
        | alicloud.oss.BucketPolicy
    ]:
        options = self.child(**self._adopted or {"retain_on_delete": self._retain})
        oss = alicloud.oss
        return [
            oss.BucketAcl(self.child_name("acl"), bucket=bucket, acl="private", opts=options),
            oss.BucketPublicAccessBlock(
                self.child_name("access-block"),
                bucket=bucket,
                block_public_access=True,
                opts=options,
            ),
            oss.BucketVersioning(
                self.child_name("versioning"), bucket=bucket, status="Enabled", opts=options
            ),
            oss.BucketServerSideEncryption(
                self.child_name("encryption"),
                bucket=bucket,
                sse_algorithm=args.encryption,
                kms_master_key_id=args.kms_key_id,
                opts=options,
            ),
            oss.BucketPolicy(
                self.child_name("tls-only"),
                bucket=bucket,
                policy=pulumi.Output.json_dumps(bucket.apply(tls_only)),
                opts=options,
            ),
        ]


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
