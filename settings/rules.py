"""Rules that look at more than one setting. Each says which settings it reads and is left out where
one of them is already wrong.
"""

from collections.abc import Iterator

from settings import (  # noqa: F401 - their rules register themselves
    adoption_rules,
    creation_rules,
    elastic_rules,
    model_rules,
    names,
    pool_rules,
)
from settings.cloud import ZRS_STANDARD
from settings.core.problem import PROJECT, Problem, remove_command, set_command
from settings.core.rule import REGISTERED, rule
from settings.root import Settings


def broken_rules(settings: Settings, wrong: frozenset[str]) -> list[Problem]:
    """Problems found by every rule none of whose settings is in `wrong` (dotted paths, or a group
    as a whole).
    """
    usable = [
        check
        for reads, check in REGISTERED
        if not any(_touches(field, read) for field in wrong for read in reads)
    ]
    return [problem for check in usable for problem in check(settings)]


def _touches(field: str, read: str) -> bool:
    inside = field.startswith((f"{read}.", f"{read}[")) or read.startswith(f"{field}.")
    return field == read or inside


@rule("cluster.accountId", "lookups.accountId")
def _given_account_is_the_expected_one(settings: Settings) -> Iterator[Problem]:
    given, expected = settings.lookups.account_id, settings.cluster.account_id
    if given and expected and given != expected:
        yield Problem(
            "lookups.accountId",
            given,
            f"cluster.accountId, which is {expected}",
            "resources would be made in another account",
            remove_command("lookups.accountId"),
        )


@rule("lookups.oidcIssuer", "lookups.oidcProviderArn")
def _issuer_and_provider_come_together(settings: Settings) -> Iterator[Problem]:
    issuer, arn = settings.lookups.oidc_issuer, settings.lookups.oidc_provider_arn
    if (issuer is None) != (arn is None):
        missing = "oidcIssuer" if issuer is None else "oidcProviderArn"
        yield Problem(
            f"lookups.{missing}",
            None,
            "oidcIssuer and oidcProviderArn together, or neither",
            "the role trusts one issuer and names another provider",
            set_command(f"lookups.{missing}", "<as ACK shows it>"),
        )


@rule("tags")
def _tags_are_the_users_own(settings: Settings) -> Iterator[Problem]:
    for key in sorted({"project", "stack", "owner"} & set(settings.tags)):
        yield Problem(
            f"tags.{key}",
            settings.tags[key],
            "a key other than project, stack and owner",
            "the stack's resources can't be found by tag",
            remove_command(f"tags.{key}"),
        )
    for key, value in settings.tags.items():
        if key.startswith(("aliyun", "acs:", "http://", "https://")) or value.startswith(
            ("http://", "https://")
        ):
            yield Problem(
                f"tags.{key}",
                value,
                "a tag that doesn't start with aliyun, acs: or http",
                "Alibaba Cloud refuses or drops the tag",
                remove_command(f"tags.{key}"),
            )


@rule("modelStore.protect", "modelStore.retain", "modelStore.forceDestroy")
def _bucket_is_kept_or_not(settings: Settings) -> Iterator[Problem]:
    store = settings.model_store
    for key, kept in (("protect", store.protect), ("retain", store.retain)):
        if kept and store.force_destroy:
            yield Problem(
                "modelStore.forceDestroy",
                True,
                f"false with modelStore.{key} true",
                "nobody can tell whether a destroy keeps the models",
                set_command("modelStore.forceDestroy", "false"),
            )


@rule("modelStore.redundancy", "modelStore.storageClass", "alicloud:region")
def _region_stores_in_several_zones(settings: Settings) -> Iterator[Problem]:
    store = settings.model_store
    if store.redundancy == "ZRS" and not store.has_zrs(settings.region):
        only = (
            f" with storageClass {store.storage_class}" if settings.region in ZRS_STANDARD else ""
        )
        yield Problem(
            "modelStore.redundancy",
            "ZRS",
            f"LRS, or nothing: OSS has no zone-redundant storage in {settings.region}{only}",
            "OSS refuses the bucket in the middle of the run",
            set_command("modelStore.redundancy", "LRS"),
        )


@rule("modelStore.encryption", "modelStore.kmsKeyId")
def _key_fits_the_encryption(settings: Settings) -> Iterator[Problem]:
    store = settings.model_store
    if store.encryption == "KMS" and store.kms_key_id is None:
        yield Problem(
            "modelStore.kmsKeyId",
            None,
            "a key id with encryption KMS",
            "OSS picks a key of its own",
            set_command("modelStore.kmsKeyId", "<id>"),
        )
    if store.encryption != "KMS" and store.kms_key_id is not None:
        yield Problem(
            "modelStore.kmsKeyId",
            store.kms_key_id,
            "nothing with encryption AES256",
            "the key is not used",
            set_command("modelStore.encryption", "KMS"),
        )


@rule("namespace", "server.name", "server.version")
def _route_is_a_label_value(settings: Settings) -> Iterator[Problem]:
    server = settings.server
    full = f"{server.name}-{server.version}-tensorflow-serving"
    route = names.route(settings.namespace, full)
    if len(full) > 63 or not names.is_label_value(route):
        yield Problem(
            "server.name",
            server.name,
            f"a route of at most 63 characters; {route} has {len(route)}",
            "the HPA can't use the route as a selector: it shows <unknown> and never scales",
            f"shorten it: {set_command('server.name', server.name[:12].rstrip('-'))}, or shorten namespace or server.version "
            f"(now '{settings.namespace}' and '{server.version}' in {PROJECT})",
        )
