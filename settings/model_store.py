"""Group `modelStore`: the OSS bucket that holds the model (tutorial step 2)."""

from collections.abc import Iterator
from typing import Literal

from settings.catalog.regions import ZRS, ZRS_STANDARD
from settings.core.field import Group, Text, setting
from settings.core.problem import Problem, set_command
from settings.core.rule import rule


class ModelStoreSettings(Group):
    """The OSS bucket that holds the model."""

    bucket: Text | None = setting(
        None,
        "Name of the bucket. Unset: <project>-<stack>-<digest>, the same at each run.",
        pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
        expected="3 to 63 lower-case letters, digits and hyphens, no hyphen at either end",
        consequence="OSS refuses the bucket",
        example="my-team-models",
    )
    storage_class: Literal["Standard", "IA"] = setting(
        "Standard",
        "Storage class of the bucket. A change replaces the bucket.",
        expected="Standard or IA",
        consequence="archived objects can't be read while a pod starts",
        example="Standard",
    )
    redundancy: Literal["LRS", "ZRS"] | None = setting(
        None,
        "LRS: objects are stored in one zone. ZRS: in several. Unset: ZRS in the regions that have it ("
        + ", ".join(ZRS)
        + "; "
        + ", ".join(ZRS_STANDARD)
        + " for "
        "class Standard), LRS in the others. A change replaces the bucket.",
        expected="LRS or ZRS",
        consequence="OSS refuses the bucket",
        example="ZRS",
    )
    encryption: Literal["AES256", "KMS"] = setting(
        "AES256",
        "Server-side encryption of the objects at rest.",
        expected="AES256 or KMS",
        consequence="OSS refuses the encryption rule",
        example="AES256",
    )
    kms_key_id: Text | None = setting(
        None,
        "Id of the KMS key, with encryption KMS.",
        min_length=1,
        expected="the id of a KMS key, only with encryption KMS",
        consequence="OSS encrypts with a key that you did not choose",
        example="9468da86-3509-4f8d-a61e-6eab1eac0000",
    )
    old_version_days: int = setting(
        30,
        "Days for which an overwritten or deleted object is kept.",
        ge=1,
        le=3650,
        expected="1 to 3650 days",
        consequence="old models are billed indefinitely, or can't be restored",
        example="30",
    )
    unfinished_upload_days: int = setting(
        7,
        "Days after which an unfinished multipart upload is deleted.",
        ge=1,
        le=365,
        expected="1 to 365 days",
        consequence="the parts of interrupted uploads are billed indefinitely",
        example="7",
    )
    access_log_days: int | None = setting(
        None,
        "Days for which it is kept who read, wrote or deleted what in the bucket: OSS' access log, in a bucket of its own, <bucket>-log. "
        "Unset: there is no log.",
        ge=1,
        le=3650,
        expected="1 to 3650 days",
        consequence="after a leak or a swapped model nobody can tell who it was",
        example="180",
    )
    protect: bool = setting(
        False,
        "Refuse to delete or replace the bucket. For production.",
        expected="true or false",
        consequence="a destroy deletes the models, or a development stack can't be torn down",
        example="true",
    )
    retain: bool = setting(
        False,
        "On destroy, leave the bucket and the model in place and only remove them from the state.",
        expected="true or false",
        consequence="a destroy deletes the models",
        example="false",
    )
    force_destroy: bool = setting(
        False,
        "On destroy, delete the objects that are left in the bucket, old versions included.",
        expected="true or false",
        consequence="the destroy of a bucket with old versions fails with BucketNotEmpty",
        example="true",
    )

    def redundancy_in(self, region: str) -> Literal["LRS", "ZRS"]:
        """Redundancy of the bucket in `region`: as set, else ZRS where the region has it."""
        return self.redundancy or ("ZRS" if self.has_zrs(region) else "LRS")

    def has_zrs(self, region: str) -> bool:
        """Whether OSS stores this class in several zones of the region."""
        return region in ZRS or (region in ZRS_STANDARD and self.storage_class == "Standard")


@rule("modelStore.protect", "modelStore.retain", "modelStore.forceDestroy")
def _bucket_is_kept_or_not(model_store: ModelStoreSettings) -> Iterator[Problem]:
    for key, kept in (("protect", model_store.protect), ("retain", model_store.retain)):
        if kept and model_store.force_destroy:
            yield Problem(
                "modelStore.forceDestroy",
                True,
                f"false with modelStore.{key} true",
                "it is ambiguous whether a destroy keeps the models",
                set_command("modelStore.forceDestroy", "false"),
            )


@rule("modelStore.redundancy", "modelStore.storageClass", "alicloud:region")
def _region_stores_in_several_zones(
    model_store: ModelStoreSettings, region: str
) -> Iterator[Problem]:
    if model_store.redundancy == "ZRS" and not model_store.has_zrs(region):
        only = f" with storageClass {model_store.storage_class}" if region in ZRS_STANDARD else ""
        yield Problem(
            "modelStore.redundancy",
            "ZRS",
            f"LRS, or nothing: OSS has no zone-redundant storage in {region}{only}",
            "OSS refuses the bucket in the middle of the run",
            set_command("modelStore.redundancy", "LRS"),
        )


@rule("modelStore.encryption", "modelStore.kmsKeyId")
def _key_fits_the_encryption(model_store: ModelStoreSettings) -> Iterator[Problem]:
    if model_store.encryption == "KMS" and model_store.kms_key_id is None:
        yield Problem(
            "modelStore.kmsKeyId",
            None,
            "a key id with encryption KMS",
            "OSS picks a key of its own",
            set_command("modelStore.kmsKeyId", "<id>"),
        )
    if model_store.encryption != "KMS" and model_store.kms_key_id is not None:
        yield Problem(
            "modelStore.kmsKeyId",
            model_store.kms_key_id,
            "nothing with encryption AES256",
            "the key is not used",
            set_command("modelStore.encryption", "KMS"),
        )
