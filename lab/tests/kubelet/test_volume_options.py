"""The options of an OSS volume, good and bad."""

from __future__ import annotations

from typing import Any

import pytest

from lab.kubelet import ossfs1, ossfs2
from lab.kubelet.ossmount import Account, role_arns
from lab.kubelet.ossoptions import MountError, parse

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
    assert (options.bucket, options.endpoint, options.region) == (
        "models",
        "http://oss-cn-shanghai-internal.aliyuncs.com",
        "cn-shanghai",
    )
    assert (options.prefix, options.fuse_type, options.auth_type, options.read_only) == (
        "models/",
        "ossfs2",
        "rrsa",
        True,
    )
    owner = "acs:ram::42"
    assert role_arns(options, Account("42", "c1")) == (
        f"{owner}:role/reader",
        f"{owner}:oidc-provider/ack-rrsa-c1",
    )


def test_explicit_arns_win_over_the_role_name() -> None:
    options = parse(
        volume(roleArn="acs:ram::7:role/x", oidcProviderArn="acs:ram::7:oidc-provider/y"), {}, True
    )
    assert role_arns(options, Account("42", "c1")) == (
        "acs:ram::7:role/x",
        "acs:ram::7:oidc-provider/y",
    )


def test_keys_count_in_any_case_and_the_public_endpoint_becomes_internal() -> None:
    upper = {key.upper(): value for key, value in RRSA.items()} | {
        "URL": "https://oss-cn-shanghai.aliyuncs.com/"
    }
    options = parse({"volumeAttributes": upper}, {}, True)
    assert options.endpoint == "https://oss-cn-shanghai-internal.aliyuncs.com"


@pytest.mark.parametrize(
    "secret", [{"akId": "a", "akSecret": "s"}, {"AccessKeyId": "a", "AccessKeySecret": "s"}]
)
def test_a_published_secret_gives_the_keys(secret: dict[str, str]) -> None:
    options = parse(volume(authType=None), secret, True)
    assert (options.key_id, options.key_secret) == ("a", "s")


def test_the_whole_bucket_has_no_prefix_and_the_fuse_type_may_come_from_the_file_system_type() -> (
    None
):
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
        (
            {"otherOpts": "-o allow_other umask=022"},
            'code = InvalidArgument desc = invalid otherOpts: "-o allow_other umask=022"',
        ),
        ({"otherOpts": "allow_other -o umask=022"}, "invalid otherOpts"),
    ],
)
def test_a_wrong_option_is_named(changes: dict[str, str | None], text: str) -> None:
    with pytest.raises(MountError) as caught:
        parse(volume(**changes), {}, True)
    assert text in str(caught.value)
    assert str(caught.value).startswith("rpc error: code = ")


UNKNOWN = "ERROR: unknown command line flag '{}'"
ILLEGAL = "ERROR: illegal value '{}' specified for {} flag '{}'"
INVALID = "ERROR: failed validation of new value '{}' for flag '{}'"


REFUSED = [
    ("-o max_stat_cache_size=0", UNKNOWN.format("max_stat_cache_size")),
    ("-o umask=022", UNKNOWN.format("umask")),
    ("-o noumask", UNKNOWN.format("noumask")),
    ("-o close_to_opne=false", UNKNOWN.format("close_to_opne")),
    ("-o close_to_open=never", ILLEGAL.format("never", "bool", "close_to_open")),
    ("-o attr_timeout=-1", ILLEGAL.format("-1", "uint64", "attr_timeout")),
    ("-o attr_timeout=60s", ILLEGAL.format("60s", "uint64", "attr_timeout")),
    ("-o attr_timeout", ILLEGAL.format("--log_level=info", "uint64", "attr_timeout")),
    ("-o attr_timeout -o ro", ILLEGAL.format("--ro", "uint64", "attr_timeout")),
    (
        "-o noattr_timeout",
        "ERROR: boolean value (noattr_timeout) specified for uint64 command line flag",
    ),
    ("-o fuse_threads=0", INVALID.format("0", "fuse_threads")),
    ("-o fuse_threads=1025", INVALID.format("1025", "fuse_threads")),
    (
        "-o upload_concurrency=3000000000",
        ILLEGAL.format("3000000000", "int32", "upload_concurrency"),
    ),
    (
        "-o upload_buffer_size=1M -o prefetch_chunk_size=1G",
        INVALID.format("1G", "prefetch_chunk_size"),
    ),
    ("-o upload_buffer_size=8X", INVALID.format("8X", "upload_buffer_size")),
    ("-o dir_mode=755", INVALID.format("755", "dir_mode")),
    ("-o file_mode=0888", INVALID.format("0888", "file_mode")),
    ("-o credential_process=$HOME/keys", INVALID.format("$HOME/keys", "credential_process")),
    ("-o total_rw_mem_ratio=1", INVALID.format("1", "total_rw_mem_ratio")),
    ("-o oss_request_timeout_ms=999", INVALID.format("999", "oss_request_timeout_ms")),
    (
        "-o umask=022,allow_other -o max_stat_cache_size=0",
        f"{UNKNOWN.format('max_stat_cache_size')}\n{UNKNOWN.format('umask')}",
    ),
]
"""(options, what ossfs2 says of them); also held against the copy in `components`."""


@pytest.mark.parametrize(("options", "said"), REFUSED)
def test_ossfs2_ends_with_its_own_words_for_an_option_it_does_not_take(
    options: str, said: str
) -> None:
    with pytest.raises(MountError) as caught:
        parse(volume(otherOpts=options), {}, True)
    assert (
        str(caught.value)
        == f"rpc error: code = Internal desc = failed to mount: ossfs2 exited: exit status 1, with stderr: {said}"
    )


TAKEN = [
        "", "-o close_to_open=false", "-o close_to_open", "-o noclose_to_open", "-oattr_timeout=0x10,ro", "-o allow_other",
        "-o uid=1000 -o gid=1000",
        "-o upload_buffer_size=5GiB -o prefetch_chunk_size=128m", "-o fuse_attr_timeout=-1", "-o dir_mode=0755", "-o readdirplus=F",
        "-o log_level=debug", "-o use_metrics=true", "-o total_mem_limit=1Ti", "-o memory_data_cache_size=2G", "-o",
    ]  # fmt: skip


@pytest.mark.parametrize("options", TAKEN)
def test_ossfs2_takes_its_own_options(options: str) -> None:
    parse(volume(otherOpts=options), {}, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("-o close_to_open=false", "fuse: unknown option `close_to_open=false'"),
        ("-o umask=022 -o readdirplus", "fuse: unknown option `readdirplus'"),
        ("-o dbglevel=loud -o x", "ossfs: option dbglevel has unknown parameter(loud)."),
        ("-o accessKeyId=a", "ossfs: option accessKeyId is no longer supported."),
    ],
)
def test_ossfs_ends_with_its_own_or_libfuse_s_words(options: str, said: str) -> None:
    with pytest.raises(MountError) as caught:
        parse(volume(fuseType="ossfs", otherOpts=options), {}, True)
    assert str(caught.value).endswith(
        f"failed to mount: ossfs exited: exit status 1, with stderr: {said}"
    )


@pytest.mark.parametrize(
    "options",
    [
        "-o umask=022 -o max_stat_cache_size=0 -o allow_other",
        "-o ro",
        "-o attr_timeout=60,kernel_cache",
    ],
)
def test_ossfs_takes_its_own_and_libfuse_s_options(options: str) -> None:
    parse(volume(fuseType="ossfs", otherOpts=options), {}, True)


def test_each_client_refuses_most_of_the_other_s_options() -> None:
    """Those that both know are few, and known."""
    both = {name for name in ossfs2.DATA["options"] if name in ossfs1.KNOWN}
    assert both == {
        "allow_other",
        "attr_timeout",
        "credential_process",
        "gid",
        "negative_timeout",
        "nonempty",
        "ram_role",
        "ro",
        "uid",
    }
    for name in sorted(ossfs1.KNOWN - set(ossfs2.OPTIONS) - {"noatime"}):
        assert f"ERROR: unknown command line flag '{name}'" in ossfs2.refusals([name]).values(), (
            name
        )


def test_every_option_is_data_with_a_source() -> None:
    assert len(ossfs2.DATA["options"]) == 73 and len(ossfs1.DATA["options"]) > 80
    for data in (ossfs2.DATA, ossfs1.DATA):
        assert all(
            source.startswith("https://") for source in [*data["sources"], data["driver"]["source"]]
        )
    assert {option["type"] for option in ossfs2.OPTIONS.values()} == {
        "bool",
        "int32",
        "int64",
        "uint64",
        "double",
        "string",
    }


@pytest.mark.parametrize(
    ("options", "read_only"),
    [
        ("-o ro", True),
        ("-o ro=true", True),
        ("-o ro=0", False),
        ("-o allow_other", False),
        ("", False),
    ],
)
def test_a_writable_volume_is_read_only_when_the_client_is_told_so(
    options: str, read_only: bool
) -> None:
    assert parse(volume(otherOpts=options), {}, False).read_only is read_only
    assert parse(volume(otherOpts=options), {}, True).read_only is True
