"""The service says no, or cannot be reached: one message with the reason and the remedy, never a
key, never a traceback.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import oss2
import pytest

from tests.plugins.ossmodel import savedmodels
from tests.plugins.ossmodel.cloud import Cloud
from tests.plugins.ossmodel.process import Failure, Plugin, secret
from tests.plugins.ossmodel.test_lifecycle import MANIFEST, keys, news

WRONG_SECRET = "wrong-secret-0123456789abcdef"


def refused(plugin: Plugin, bucket_name: str, tmp_path: Path) -> Failure:
    """The failure of a create; nothing of it may look like a fault of the program."""
    savedmodels.make(tmp_path)
    inputs = plugin.checked(
        {"bucket": bucket_name, "prefix": "models/tensorflow", "source": "1623831335"}
    )
    with pytest.raises(Failure) as caught:
        plugin.create(inputs)
    assert "Traceback" not in caught.value.message and "unexpected" not in caught.value.message
    assert plugin.stderr() == ""
    return caught.value


def test_a_wrong_secret_key_is_named_but_not_shown(
    start: Callable[..., Plugin], cloud: Cloud, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    plugin = start(**{**cloud.environment, "ALICLOUD_SECRET_KEY": WRONG_SECRET})
    plugin.configure()
    failure = refused(plugin, bucket.bucket_name, tmp_path)
    assert "SignatureDoesNotMatch" in failure.message and "Check secretKey" in failure.message
    assert WRONG_SECRET not in failure.message and failure.partial is None
    assert keys(bucket) == []


def test_a_wrong_key_never_makes_a_model_look_deleted(
    start: Callable[..., Plugin], plugin: Plugin, cloud: Cloud, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    inputs = plugin.checked(news(bucket))
    id_, state = plugin.create(inputs)
    for change in ({"ALICLOUD_ACCESS_KEY": "LTAI-nobody"}, {"ALICLOUD_SECRET_KEY": WRONG_SECRET}):
        other = start(**{**cloud.environment, **change})
        other.configure()
        with pytest.raises(Failure) as caught:
            other.read(id_, state, inputs)
        assert "HTTP 403" in caught.value.message and "reading oss://" in caught.value.message


def test_an_unknown_access_key_is_explained(
    start: Callable[..., Plugin], cloud: Cloud, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    plugin = start(**{**cloud.environment, "ALICLOUD_ACCESS_KEY": "LTAI-nobody"})
    plugin.configure()
    failure = refused(plugin, bucket.bucket_name, tmp_path)
    assert "InvalidAccessKeyId" in failure.message and "ALICLOUD_ACCESS_KEY" in failure.message


def test_a_bucket_that_does_not_exist_is_explained(plugin: Plugin, tmp_path: Path) -> None:
    failure = refused(plugin, "no-such-bucket-here", tmp_path)
    assert (
        "NoSuchBucket" in failure.message
        and "no-such-bucket-here" in failure.message
        and failure.partial is None
    )


def test_a_denied_request_names_the_permissions_that_are_needed(
    plugin: Plugin, cloud: Cloud, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    match = {"host": bucket.bucket_name}
    cloud.fault(
        match=match,
        times=100,
        status=403,
        code="AccessDenied",
        message="You have no right to access this object.",
    )
    failure = refused(plugin, bucket.bucket_name, tmp_path)
    assert (
        "AccessDenied" in failure.message
        and "oss:PutObject" in failure.message
        and f"{bucket.bucket_name}/*" in failure.message
    )


@pytest.mark.parametrize(
    ("code", "status", "part"),
    [
        ("SecurityTokenExpired", 403, "temporary keys have expired"),
        ("RequestTimeTooSkewed", 403, "Set the clock"),
        ("UserDisable", 403, "overdue"),
        ("InvalidArgument", 400, "OSS refused the request"),
    ],
)
def test_the_services_codes_come_with_what_to_do(
    plugin: Plugin,
    cloud: Cloud,
    bucket: oss2.Bucket,
    tmp_path: Path,
    code: str,
    status: int,
    part: str,
) -> None:
    cloud.fault(
        match={"host": bucket.bucket_name}, times=100, status=status, code=code, message="no"
    )
    failure = refused(plugin, bucket.bucket_name, tmp_path)
    assert f"HTTP {status} {code}" in failure.message and part in failure.message


def test_a_service_that_keeps_failing_is_given_up_with_the_number_of_the_request(
    plugin: Plugin, cloud: Cloud, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    match = {"host": bucket.bucket_name, "path": r"saved_model\.pb"}
    cloud.fault(match=match, times=1000, status=503, code="ServiceUnavailable", message="busy")
    failure = refused(plugin, bucket.bucket_name, tmp_path)
    assert (
        "HTTP 503" in failure.message
        and "after several attempts" in failure.message
        and "request " in failure.message
    )
    assert failure.partial is not None


def test_no_connection_is_explained(
    start: Callable[..., Plugin], cloud: Cloud, tmp_path: Path
) -> None:
    plugin = start(**{**cloud.environment, "TEST_CLOUD": "127.0.0.1:1"})
    plugin.configure()
    failure = refused(plugin, "models-1", tmp_path)
    assert (
        "cannot be reached (Connection refused)" in failure.message
        and "https://oss-cn-shanghai.aliyuncs.com" in failure.message
    )


def test_a_certificate_of_a_stranger_is_not_trusted(
    start: Callable[..., Plugin], cloud: Cloud, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    env = cloud.environment
    env.pop("REQUESTS_CA_BUNDLE")
    plugin = start(**env)
    plugin.configure()
    failure = refused(plugin, bucket.bucket_name, tmp_path)
    assert "certificate is not trusted" in failure.message and "SSL_CERT_FILE" in failure.message


def test_a_region_that_does_not_exist_is_explained(
    start: Callable[..., Plugin], cloud: Cloud, tmp_path: Path
) -> None:
    env = {**cloud.environment, "ALICLOUD_REGION": "cn-atlantis"}
    env.pop("TEST_CLOUD")
    env["TEST_NO_NAMES"] = "1"
    plugin = start(**env)
    plugin.configure()
    failure = refused(plugin, "models-1", tmp_path)
    assert (
        "cannot be resolved" in failure.message
        and "oss-cn-atlantis.aliyuncs.com" in failure.message
    )


def test_no_region_and_no_keys_are_told_before_any_request(
    start: Callable[..., Plugin], tmp_path: Path
) -> None:
    plugin = start(TEST_CLOUD="127.0.0.1:1")
    plugin.configure()
    assert "region is not set" in refused(plugin, "models-1", tmp_path).message
    plugin.configure(region="cn-shanghai")
    assert "no credentials were found" in refused(plugin, "models-1", tmp_path).message


def test_a_preview_already_warns_when_the_update_could_not_sign_a_request(
    start: Callable[..., Plugin], tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    plugin = start(TEST_CLOUD="127.0.0.1:1", ALICLOUD_REGION="cn-shanghai")
    plugin.configure()
    inputs = plugin.checked(
        {"bucket": "models-1", "prefix": "models/tensorflow", "source": "1623831335"}
    )
    plugin.create(inputs, preview=True)
    assert "no credentials were found" in plugin.engine.wait_for("an update would fail")


def test_secrets_are_nowhere_in_state_messages_or_logs(
    start: Callable[..., Plugin], cloud: Cloud, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    env = {name: value for name, value in cloud.environment.items() if not name.endswith("_KEY")}
    plugin = start(**env)
    plugin.configure(
        accessKey=secret(cloud.keys["access_key"]),
        secretKey=secret(cloud.keys["secret_key"]),
        region="cn-shanghai",
    )
    id_, state = plugin.create(plugin.checked(news(bucket)))
    match = {"host": bucket.bucket_name}
    cloud.fault(
        match=match,
        times=100,
        status=400,
        code="InvalidArgument",
        message=f"you sent {cloud.keys['secret_key']}",
    )
    with pytest.raises(Failure) as caught:
        plugin.read(id_, state)
    seen = json.dumps([state, caught.value.message, plugin.engine.messages]) + plugin.stderr()
    assert cloud.keys["secret_key"] not in seen and "[secret]" in caught.value.message
    cloud.control("DELETE", "/_lab/faults")
    assert cloud.keys["secret_key"] not in str(bucket.get_object(MANIFEST).read())


def test_a_role_that_may_not_be_assumed_is_explained(
    start: Callable[..., Plugin], cloud: Cloud, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    plugin = start(**cloud.environment)
    plugin.configure(assumeRole={"roleArn": "acs:ram::1234567890123456:role/nobody"})
    failure = refused(plugin, bucket.bucket_name, tmp_path)
    assert "assumeRole: 'acs:ram::1234567890123456:role/nobody' gave no keys" in failure.message
