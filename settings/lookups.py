"""Group `lookups`: answers given in the settings, so that a preview needs no cloud."""

from collections.abc import Iterator

from settings.cluster import ClusterSettings
from settings.core.field import Group, Text, setting
from settings.core.problem import Problem, remove_command, set_command
from settings.core.rule import rule


class LookupsSettings(Group):
    """Answers to the program's lookups. A lookup whose answer is set here is not made, so that a
    preview needs no cloud.
    """

    account_id: Text | None = setting(
        None,
        "Id of the account that the credentials belong to. When set, STS is not called.",
        pattern=r"^[0-9]{16}$",
        expected="a 16-digit account id",
        consequence="the program can't tell whether the credentials are those of cluster.accountId",
        example="1234567890123456",
    )
    cluster_version: Text | None = setting(
        None,
        "Kubernetes version of the cluster. When set, the cluster's state, region and version are not looked up.",
        pattern=r"^1\.[0-9]+\.[0-9]+([-.].*)?$",
        expected="a version as ACK prints it, such as 1.34.1-aliyun.1",
        consequence="the program can't check whether the cluster is new enough to run the pods",
        example="1.34.1-aliyun.1",
    )
    oidc_issuer: Text | None = setting(
        None,
        "Issuer URL of the cluster's service account tokens (RRSA). When set, together with oidcProviderArn, IMS is not called.",
        pattern=r"^https://\S+$",
        expected="an https URL",
        consequence="the RAM role trusts no service account and the model volume can't be mounted",
        example="https://oidc-ack-cn-shanghai.oss-cn-shanghai.aliyuncs.com/<cluster id>",
    )
    oidc_provider_arn: Text | None = setting(
        None,
        "ARN of the cluster's OIDC provider in RAM. Set together with oidcIssuer.",
        pattern=r"^acs:ram::[0-9]{16}:oidc-provider/\S+$",
        expected="acs:ram::<account id>:oidc-provider/<name>",
        consequence="the RAM role trusts no service account and the model volume can't be mounted",
        example="acs:ram::1234567890123456:oidc-provider/ack-rrsa-<cluster id>",
    )


@rule("cluster.accountId", "lookups.accountId")
def _given_account_is_the_expected_one(
    lookups: LookupsSettings, cluster: ClusterSettings
) -> Iterator[Problem]:
    given, expected = lookups.account_id, cluster.account_id
    if given and expected and given != expected:
        yield Problem(
            "lookups.accountId",
            given,
            f"cluster.accountId, which is {expected}",
            "resources would be created in another account",
            remove_command("lookups.accountId"),
        )


@rule("lookups.oidcIssuer", "lookups.oidcProviderArn")
def _issuer_and_provider_come_together(lookups: LookupsSettings) -> Iterator[Problem]:
    issuer, arn = lookups.oidc_issuer, lookups.oidc_provider_arn
    if (issuer is None) != (arn is None):
        missing = "oidcIssuer" if issuer is None else "oidcProviderArn"
        yield Problem(
            f"lookups.{missing}",
            None,
            "oidcIssuer and oidcProviderArn together, or neither",
            "the role trusts one issuer and names another provider",
            set_command(f"lookups.{missing}", "<as ACK shows it>"),
        )
