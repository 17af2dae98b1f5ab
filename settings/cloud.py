"""Settings of what Alibaba Cloud provides: the cluster, its node scaler, the node pool, the model's
bucket (tutorial steps 1 and 2).
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from settings.core.field import Group, Text, setting

LabelKey = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
    ),
]
LabelValue = Annotated[
    Text, StringConstraints(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")
]
VSwitchId = Annotated[str, StringConstraints(pattern=r"^vsw-[a-z0-9]+$")]
InstanceType = Annotated[str, StringConstraints(pattern=r"^ecs\.[a-z0-9-]+\.[a-z0-9]+$")]
SecurityGroupId = Annotated[str, StringConstraints(pattern=r"^sg-[a-z0-9]+$")]
Price = Annotated[float, Field(gt=0)]
DURATION = r"^[1-9][0-9]*(s|m|h)$"


class Lookups(Group):
    """Answers given instead of asked for. What is set here is not looked up, so that a preview
    needs no cloud.
    """

    account_id: Text | None = setting(
        None,
        "Account the credentials belong to. Set: STS is not asked.",
        pattern=r"^[0-9]{16}$",
        expected="a 16-digit account id",
        otherwise="the comparison with cluster.accountId means nothing",
        example="1234567890123456",
    )
    cluster_version: str | None = setting(
        None,
        "Kubernetes version of the cluster. Set: state, region and version of the cluster are not asked.",
        pattern=r"^1\.[0-9]+\.[0-9]+([-.].*)?$",
        expected="a version as ACK prints it, such as 1.34.1-aliyun.1",
        otherwise="whether the cluster can run the pods is not known",
        example="1.34.1-aliyun.1",
    )
    oidc_issuer: str | None = setting(
        None,
        "Issuer URL of the cluster's service account tokens (RRSA). Set together with oidcProviderArn: IMS is not asked.",
        pattern=r"^https://\S+$",
        expected="an https URL",
        otherwise="the role trusts nobody and the model volume can't be mounted",
        example="https://oidc-ack-cn-shanghai.oss-cn-shanghai.aliyuncs.com/<cluster id>",
    )
    oidc_provider_arn: str | None = setting(
        None,
        "ARN of the cluster's OIDC provider in RAM.",
        pattern=r"^acs:ram::[0-9]{16}:oidc-provider/\S+$",
        expected="acs:ram::<account id>:oidc-provider/<name>",
        otherwise="the role trusts nobody and the model volume can't be mounted",
        example="acs:ram::1234567890123456:oidc-provider/ack-rrsa-<cluster id>",
    )


class NodeScaler(Group):
    """The cluster's node scaler: one per cluster, shared by all pools."""

    mode: Literal["cluster-autoscaler", "shared", "unmanaged"] = setting(
        "cluster-autoscaler",
        "cluster-autoscaler: this stack sets the cluster's scaler. shared: another stack of the same cluster sets it. unmanaged: nobody "
        "does (with a warning).",
        expected="cluster-autoscaler, shared or unmanaged",
        otherwise="the default scaler of new clusters buys pay-as-you-go nodes although spot can be had: the 70/30 mix is lost",
        example="cluster-autoscaler",
    )
    scan_interval: str = setting(
        "30s",
        "How often the scaler looks for pods without a node.",
        pattern=DURATION,
        expected="a duration such as 30s or 1m",
        otherwise="ACK refuses the scaler's configuration",
        example="30s",
    )
    scale_down_delay: str = setting(
        "10m",
        "How long a node must be unneeded, and how long after a scale-out, before it is removed. One value for both, because the provider "
        "reads the two back swapped and would show a difference for ever.",
        pattern=DURATION,
        expected="a duration such as 10m",
        otherwise="ACK refuses the scaler's configuration",
        example="10m",
    )
    skip_gpu_wait: bool = setting(
        True,
        "Have GPU nodes ordered at the next scan. The cluster-autoscaler lets new GPU pods wait for 30 seconds unless an older one waits: "
        "a pod that fits no node is kept waiting for that. It shows as Pending.",
        expected="true or false",
        otherwise="each new node is ordered half a minute later",
        example="true",
    )
    utilization_threshold: float = setting(
        0.5,
        "A node whose requests are below this share of its CPU and memory may be removed.",
        gt=0,
        le=1,
        expected="a number above 0, at most 1",
        otherwise="the scaler removes busy nodes, or never any",
        example="0.5",
    )
    gpu_utilization_threshold: float = setting(
        0.5,
        "The same for GPU nodes; GPU, CPU and memory must all be below.",
        gt=0,
        le=1,
        expected="a number above 0, at most 1",
        otherwise="the scaler removes busy GPU nodes, or never any",
        example="0.5",
    )


ZRS = (
    "cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-zhangjiakou", "cn-wulanchabu", "cn-shenzhen", "cn-hongkong", "ap-northeast-1",
    "ap-southeast-1", "ap-southeast-5", "eu-central-1",
)  # fmt: skip
"""Regions whose OSS stores in several zones (OSS documentation, "Zone-redundant storage", as of
2026-11).
"""
ZRS_STANDARD = ("ap-southeast-3",)
"""Regions of two zones, where only class Standard is so stored (the same page)."""


class ModelStore(Group):
    """The OSS bucket that holds the model."""

    bucket: str | None = setting(
        None,
        "Bucket name. Unset: <project>-<stack>-<digest>, the same at each run.",
        pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
        expected="3 to 63 lower-case letters, digits and hyphens, no hyphen at either end",
        otherwise="OSS refuses the bucket",
        example="my-team-models",
    )
    storage_class: Literal["Standard", "IA"] = setting(
        "Standard",
        "Storage class. A change replaces the bucket.",
        expected="Standard or IA",
        otherwise="archived objects can't be read when a pod starts",
        example="Standard",
    )
    redundancy: Literal["LRS", "ZRS"] | None = setting(
        None,
        "LRS: one zone. ZRS: several. Unset: ZRS in the regions that have it ("
        + ", ".join(ZRS)
        + "; "
        + ", ".join(ZRS_STANDARD)
        + " for "
        "class Standard), LRS in the others. A change replaces the bucket.",
        expected="LRS or ZRS",
        otherwise="OSS refuses the bucket",
        example="ZRS",
    )
    encryption: Literal["AES256", "KMS"] = setting(
        "AES256",
        "Server-side encryption at rest.",
        expected="AES256 or KMS",
        otherwise="OSS refuses the rule",
        example="AES256",
    )
    kms_key_id: str | None = setting(
        None,
        "Key for encryption KMS.",
        min_length=1,
        expected="the id of a KMS key, only with encryption KMS",
        otherwise="OSS encrypts with another key than meant",
        example="9468da86-3509-4f8d-a61e-6eab1eac0000",
    )
    old_version_days: int = setting(
        30,
        "Days an overwritten or deleted object is kept.",
        ge=1,
        le=3650,
        expected="1 to 3650 days",
        otherwise="old models are paid for without end, or can't be brought back",
        example="30",
    )
    unfinished_upload_days: int = setting(
        7,
        "Days after which an unfinished multipart upload is dropped.",
        ge=1,
        le=365,
        expected="1 to 365 days",
        otherwise="parts of broken uploads are paid for without end",
        example="7",
    )
    protect: bool = setting(
        False,
        "Refuse to delete or replace the bucket (prod).",
        expected="true or false",
        otherwise="a destroy deletes the models, or a development stack can't be torn down",
        example="true",
    )
    retain: bool = setting(
        False,
        "On destroy, leave bucket and model in place and only forget them.",
        expected="true or false",
        otherwise="a destroy deletes the models",
        example="false",
    )
    force_destroy: bool = setting(
        False,
        "On destroy, delete what is left in the bucket, old versions included.",
        expected="true or false",
        otherwise="the destroy of a bucket with old versions fails with BucketNotEmpty",
        example="true",
    )

    def redundancy_in(self, region: str) -> Literal["LRS", "ZRS"]:
        """What is set, or the best that the region has."""
        return self.redundancy or ("ZRS" if self.has_zrs(region) else "LRS")

    def has_zrs(self, region: str) -> bool:
        """Whether OSS stores this class in several zones of the region."""
        return region in ZRS or (region in ZRS_STANDARD and self.storage_class == "Standard")
