"""Looks up the existing cluster before the program registers a resource: account, region, version,
kubeconfig, OIDC provider. Each answer can be given in the settings instead (group `lookups`).

These are plain calls, not outputs, so that a wrong account, region or cluster stops the program
before it registers a single resource. With credentials of another account the API answers "not
found" for a node pool, a refresh takes that for "deleted", and the next run would order the pool
again; account and cluster are therefore compared first.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import pulumi
import pulumi_alicloud as alicloud

from components.compute import kubeconfig
from settings import Settings

MINIMUM_VERSION = (1, 30)
T = TypeVar("T")


@dataclass(frozen=True)
class ClusterFacts:
    """Facts of the existing cluster."""

    kubeconfig: pulumi.Output[str] = field(repr=False)
    """Kubeconfig of the cluster; secret."""
    kubernetes_version: str
    """Kubernetes version as ACK prints it, such as 1.34.1-aliyun.1."""


@dataclass(frozen=True)
class Rrsa:
    """OIDC provider by which pods of the cluster prove their identity to RAM."""

    issuer: pulumi.Input[str]
    """Issuer of the cluster's service account tokens."""
    provider_arn: pulumi.Input[str]
    """RAM's OIDC provider for that issuer."""


def look_up(settings: Settings) -> ClusterFacts:
    """Checks account, cluster, region and version, and looks up the kubeconfig. Raises
    pulumi.RunError when the cluster can't be used.
    """
    check_account(settings)
    version = _check_cluster(settings)
    return ClusterFacts(pulumi.Output.secret(_kubeconfig(settings)), version)


def check_account(settings: Settings) -> None:
    """Raises pulumi.RunError unless the credentials belong to the account that the settings name,
    if they name one.
    """
    expected = settings.cluster.account_id
    if expected is None:
        return
    if (found := account(settings)) != expected:
        raise pulumi.RunError(
            f"the credentials belong to account {found}, but cluster.accountId says {expected}.\n"
            "  otherwise: every resource of this stack would look deleted and be ordered a second time, in the wrong account\n"
            "  remedy: use the credentials of that account (ALICLOUD_ACCESS_KEY, ALICLOUD_SECRET_KEY or a profile), or "
            "correct cluster.accountId.\n"
            "  If a refresh ran with the wrong credentials, bring the state back: pulumi stack export --version <before it>, "
            "then pulumi stack import"
        )


def account(settings: Settings) -> str:
    """The credentials' account. Raises pulumi.RunError when it can't be looked up."""
    return settings.lookups.account_id or _ask(
        "the account of these credentials", lambda: alicloud.get_caller_identity().account_id
    )


def _check_cluster(settings: Settings) -> str:
    cluster, region = settings.cluster.id, settings.region
    version = settings.lookups.cluster_version
    if version is None:
        clusters = _ask(
            f"cluster {cluster}", lambda: alicloud.cs.get_clusters(cluster_id=cluster).clusters
        )
        match = next((row for row in clusters if row.cluster_id == cluster), None)
        if match is None or match.region_id != region:
            where = (
                f"is in region {match.region_id}"
                if match
                else f"is not there in region {region} for this account"
            )
            raise pulumi.RunError(
                f"cluster {cluster} {where}.\n  expected: an ACK cluster in region {region}\n"
                "  otherwise: its node pools would look deleted and be ordered a second time\n"
                "  remedy: correct cluster.id or alicloud:region, or use the credentials of the account that owns the cluster"
            )
        if match.state != "running":
            raise pulumi.RunError(
                f"cluster {cluster} is in state '{match.state}'.\n  expected: running\n  otherwise: node pools and pods can't be made\n"
                "  remedy: wait until the console shows it as running, then run the same command again"
            )
        version = match.current_version
    _check_version(cluster, version)
    return version


def _check_version(cluster: str, version: str) -> None:
    parsed = re.match(r"(\d+)\.(\d+)", version)
    if parsed and (int(parsed[1]), int(parsed[2])) < MINIMUM_VERSION:
        minimum = ".".join(map(str, MINIMUM_VERSION))
        raise pulumi.RunError(
            f"cluster {cluster} runs Kubernetes {version}.\n  expected: {minimum} or newer\n"
            "  otherwise: the sleep before stop is not known there, and every roll drops requests; nor is the policy that limits the "
            "interruption handler\n  remedy: upgrade the cluster"
        )


def look_up_rrsa(settings: Settings) -> Rrsa:
    """The cluster's OIDC provider. Raises pulumi.RunError when RRSA is not enabled.

    Called after the Kubernetes provider is registered, whose plugin starts meanwhile.
    """
    given = settings.lookups
    if given.oidc_issuer and given.oidc_provider_arn:
        return Rrsa(given.oidc_issuer, given.oidc_provider_arn)
    name = f"ack-rrsa-{settings.cluster.id}"
    # One call, like OidcProvider.get, but an absent provider is an empty list here, not the
    # engine's "resource does not exist".
    providers = _ask(
        f"OIDC provider {name}",
        lambda: alicloud.ims.get_oidc_providers(name_regex=f"^{name}$").providers,
    )
    if not providers:
        raise pulumi.RunError(
            f"RRSA is off on cluster {settings.cluster.id}: there is no OIDC provider {name}.\n  expected: RRSA on\n"
            "  otherwise: the volume has no identity to read the model with\n"
            f"  remedy: ack-ram-tool rrsa enable -c {settings.cluster.id}  (or the console: Cluster Information > Security; "
            f"it can't be turned off again)"
        )
    return Rrsa(providers[0].issuer_url, providers[0].arn)


def _kubeconfig(settings: Settings) -> str:
    if settings.kubeconfig is not None:
        return settings.kubeconfig.get_secret_value()
    cluster, minutes = settings.cluster.id, settings.cluster.credential_minutes
    text = _ask(
        f"the kubeconfig of cluster {cluster}",
        lambda: (
            alicloud.cs.get_cluster_credential(
                cluster_id=cluster, temporary_duration_minutes=minutes
            ).kube_config
        ),
    )
    if not settings.cluster.private_api:
        return kubeconfig.with_public_server(cluster, text)
    clusters = _ask(
        f"the private endpoint of cluster {cluster}",
        lambda: (
            alicloud.cs.get_managed_kubernetes_clusters(ids=[cluster], enable_details=True).clusters
        ),
    )
    server = next((row.connections.api_server_intranet for row in clusters), "")
    return kubeconfig.with_private_server(cluster, text, server)


def _ask(what: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except Exception as error:
        raise pulumi.RunError(
            f"can't look up {what}: {error}\n  expected: credentials that may read it, in the right region\n"
            "  otherwise: nothing is known about the cluster, so nothing was changed\n"
            "  remedy: check ALICLOUD_ACCESS_KEY, ALICLOUD_SECRET_KEY (or the profile) and alicloud:region; or give the "
            "answer in the settings "
            "(docs/settings.md, lookups)"
        ) from None
