"""The options of an OSS volume, good and bad."""

from __future__ import annotations

from typing import Any

import pytest

from lab.nodes.ossmount import Account, role_arns
from lab.nodes.ossoptions import MountError, parse

RRSA = {
    "bucket": "models", "url": "oss-cn-shanghai-internal.aliyuncs.com", "path": "/models", "fuseType": "ossfs2", "authType": "rrsa",
    "roleName": "reader", "otherOpts": "-o close_to_open=false",
}  # fmt: skip


def volume(**changes: str | None) -> dict[str, Any]:
    attributes = {**RRSA, **changes}
    return {
        "driver": "ossplugin.csi.alibabacloud.com",
        "volumeAttributes": {key: value for key, value in attributes.items() if value is not None},
    }


def test_the_programs_volume_is_understood() -> None:
    options = parse(volume(), {}, read_only=True)
    assert (options.bucket, options.endpoint, options.region) == ("models", "http://oss-cn-shanghai-internal.aliyuncs.com", "cn-shanghai")
    assert (options.prefix, options.fuse_type, options.auth_type, options.read_only) == ("models/", "ossfs2", "rrsa", True)
    owner = "acs:ram::42"
    assert role_arns(options, Account("42", "c1")) == (f"{owner}:role/reader", f"{owner}:oidc-provider/ack-rrsa-c1")


def test_explicit_arns_win_over_the_role_name() -> None:
    options = parse(volume(roleArn="acs:ram::7:role/x", oidcProviderArn="acs:ram::7:oidc-provider/y"), {}, True)
    assert role_arns(options, Account("42", "c1")) == ("acs:ram::7:role/x", "acs:ram::7:oidc-provider/y")


def test_keys_count_in_any_case_and_the_public_endpoint_becomes_internal() -> None:
    upper = {key.upper(): value for key, value in RRSA.items()} | {"URL": "https://oss-cn-shanghai.aliyuncs.com/"}
    options = parse({"volumeAttributes": upper}, {}, True)
    assert options.endpoint == "https://oss-cn-shanghai-internal.aliyuncs.com"


@pytest.mark.parametrize("secret", [{"akId": "a", "akSecret": "s"}, {"AccessKeyId": "a", "AccessKeySecret": "s"}])
def test_a_published_secret_gives_the_keys(secret: dict[str, str]) -> None:
    options = parse(volume(authType=None), secret, True)
    assert (options.key_id, options.key_secret) == ("a", "s")


def test_the_whole_bucket_has_no_prefix_and_the_fuse_type_may_come_from_the_file_system_type() -> None:
    options = parse({**volume(path=None, fuseType=None), "fsType": "ossfs2"}, {}, False)
    assert (options.prefix, options.fuse_type) == ("", "ossfs2")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"bucket": None}, "Bucket is empty"),
        ({"url": None}, "Url is empty"),
        ({"url": "models.oss-cn-shanghai.aliyuncs.com"}, "is not an OSS endpoint"),
        ({"path": "models"}, "start with models, should start with /"),
        ({"authType": "rsa"}, "authType 'rsa' is none of rrsa"),
        ({"authType": "sts"}, "authType sts is not modelled by the lab"),
        ({"authType": None}, "AK and SK must be set"),
        ({"roleName": None}, "neither roleName nor roleArn"),
        ({"roleArn": "acs:ram::7:role/x"}, "roleArn or oidcProviderArn is empty"),
        ({"oidcProviderArn": "acs:ram::7:oidc-provider/x"}, "roleArn or oidcProviderArn is empty"),
        ({"fuseType": "s3fs"}, "fuseType 's3fs' is neither ossfs nor ossfs2"),
        ({"encrypted": "aes256"}, "ossfs2 does not support encrypted"),
        ({"otherOpts": "max_stat_cache_size=0"}, "invalid otherOpts"),
        ({"otherOpts": "-o allow_other -o"}, "invalid otherOpts"),
        ({"otherOpts": "allow_other -o umask=022"}, "invalid otherOpts"),
    ],
)
def test_a_wrong_option_is_named(changes: dict[str, str | None], text: str) -> None:
    with pytest.raises(MountError) as caught:
        parse(volume(**changes), {}, True)
    assert text in str(caught.value)
    assert str(caught.value).startswith("rpc error: code = ")
