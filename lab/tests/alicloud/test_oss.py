"""Object storage through oss2: uploads that break and resume, versions, listings, settings,
policies.
"""

from __future__ import annotations

import base64
import http.client
from pathlib import Path
from typing import Any

import oss2
import pytest
from oss2 import models

from lab.testing import clients
from lab.testing.cloud import CloudDouble

PART = 128 * 1024


@pytest.fixture
def bucket(lab: CloudDouble, request: pytest.FixtureRequest) -> oss2.Bucket:
    """A fresh bucket named after the test."""
    name = ("b-" + str(request.node.name).replace("_", "-").lower())[:60].strip("-")
    made = clients.bucket(lab, name)
    made.create_bucket()
    return made


def _refused(call: Any) -> tuple[int, str]:
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        call()
    return caught.value.status, caught.value.code


def test_object_roundtrip_with_headers_and_checksums(bucket: oss2.Bucket) -> None:
    put = bucket.put_object(
        "d/x.bin",
        b"0123456789",
        headers={
            "Content-Type": "application/x-model",
            "x-oss-meta-digest": "abc",
            "Cache-Control": "no-cache",
        },
    )
    assert put.etag == "781E5E245D69B566979B86E28D23F2C7" and len(put.request_id) == 24
    head = bucket.head_object("d/x.bin")
    assert (head.content_length, head.content_type, head.object_type) == (
        10,
        "application/x-model",
        "Normal",
    )
    assert (
        head.headers["x-oss-meta-digest"] == "abc" and head.headers["Cache-Control"] == "no-cache"
    )
    assert head.headers["x-oss-hash-crc64ecma"] == str(put.crc)
    part = bucket.get_object("d/x.bin", byte_range=(2, 4))
    assert (part.status, part.read(), part.headers["Content-Range"]) == (
        206,
        b"234",
        "bytes 2-4/10",
    )
    assert bucket.get_object_meta("d/x.bin").content_length == 10
    assert bucket.copy_object(bucket.bucket_name, "d/x.bin", "d/y.bin").etag == put.etag
    assert bucket.get_object("d/y.bin").read() == b"0123456789"


def test_a_missing_object_is_told_by_get_and_by_a_bodiless_head(
    lab: CloudDouble, bucket: oss2.Bucket
) -> None:
    assert _refused(lambda: bucket.get_object("nope")) == (404, "NoSuchKey")
    with pytest.raises(oss2.exceptions.NotFound) as caught:
        bucket.head_object("nope")
    assert b"<Code>NoSuchKey</Code>" in base64.b64decode(caught.value.headers["x-oss-err"])


def test_a_wrong_content_md5_is_refused_and_nothing_is_written(bucket: oss2.Bucket) -> None:
    wrong = {"Content-MD5": base64.b64encode(b"0" * 16).decode()}
    assert _refused(lambda: bucket.put_object("x", b"data", headers=wrong)) == (
        400,
        "InvalidDigest",
    )
    assert not bucket.object_exists("x")


def test_resumable_upload_breaks_on_an_injected_500_and_resumes(
    lab: CloudDouble, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    source, content = tmp_path / "model.bin", bytes(range(256)) * 512 * 11
    source.write_bytes(content)
    store = oss2.ResumableStore(root=str(tmp_path), dir="records")

    def upload() -> Any:
        return oss2.resumable_upload(
            bucket,
            "m/model.bin",
            str(source),
            store=store,
            multipart_threshold=PART,
            part_size=PART,
            num_threads=1,
        )

    lab.ask(
        "faults",
        {"match": {"service": "oss", "call": "UploadPart"}, "skip": 3, "times": 1, "status": 500},
    )
    before = lab.last_call()
    with pytest.raises(oss2.exceptions.ServerError):
        upload()
    upload()
    calls = [c["call"] for c in lab.ask(f"calls?since={before}")["calls"]]
    parts = len(content) // PART
    assert (
        calls.count("InitiateMultipartUpload") == 1
        and calls.count("UploadPart") == parts + 1
        and calls.count("CompleteMultipartUpload") == 1
    )
    got = bucket.get_object("m/model.bin")
    assert got.read() == content and got.headers["x-oss-object-type"] == "Multipart"
    assert got.headers["x-oss-hash-crc64ecma"] == str(oss2.utils.Crc64(0) and _crc(content))
    assert bucket.head_object("m/model.bin").etag.endswith(f"-{parts}")
    assert not list(oss2.MultipartUploadIterator(bucket))


def _crc(content: bytes) -> int:
    check = oss2.utils.Crc64(0)
    check.update(content)
    return check.crc


def test_parts_that_are_missing_wrong_or_too_small_are_refused(bucket: oss2.Bucket) -> None:
    upload = bucket.init_multipart_upload("p").upload_id
    first = bucket.upload_part("p", upload, 1, b"a" * 10)
    second = bucket.upload_part("p", upload, 2, b"b" * 10)
    small = [models.PartInfo(1, first.etag), models.PartInfo(2, second.etag)]
    assert _refused(lambda: bucket.complete_multipart_upload("p", upload, small)) == (
        400,
        "EntityTooSmall",
    )
    assert _refused(
        lambda: bucket.complete_multipart_upload("p", upload, [models.PartInfo(1, "0" * 32)])
    ) == (400, "InvalidPart")
    assert _refused(
        lambda: bucket.complete_multipart_upload("p", upload, [models.PartInfo(3, first.etag)])
    ) == (400, "InvalidPart")
    assert _refused(bucket.delete_bucket) == (409, "BucketNotEmpty")
    bucket.abort_multipart_upload("p", upload)
    assert _refused(lambda: bucket.upload_part("p", upload, 1, b"a")) == (404, "NoSuchUpload")


def test_lists_fold_at_a_delimiter_and_page_in_both_forms(bucket: oss2.Bucket) -> None:
    keys = [f"models/{n}/f{m}" for n in range(3) for m in range(3)] + ["top", "z z"]
    for key in keys:
        bucket.put_object(key, b"x")
    assert [o.key for o in oss2.ObjectIterator(bucket, max_keys=2)] == sorted(keys)
    assert [o.key for o in oss2.ObjectIteratorV2(bucket, max_keys=2)] == sorted(keys)
    page = bucket.list_objects(delimiter="/", max_keys=2)
    assert (page.prefix_list, [o.key for o in page.object_list], page.is_truncated) == (
        ["models/"],
        ["top"],
        True,
    )
    rest = bucket.list_objects_v2(prefix="models/", delimiter="/", max_keys=2)
    assert (rest.prefix_list, rest.is_truncated) == (["models/0/", "models/1/"], True)
    last = bucket.list_objects_v2(
        prefix="models/", delimiter="/", max_keys=2, continuation_token=rest.next_continuation_token
    )
    assert (last.prefix_list, last.is_truncated) == (["models/2/"], False)


def test_versioned_delete_leaves_a_marker_until_every_version_is_gone(bucket: oss2.Bucket) -> None:
    bucket.put_object("k", b"before")
    bucket.put_bucket_versioning(models.BucketVersioningConfig("Enabled"))
    old = bucket.put_object("k", b"one").versionid
    new = bucket.put_object("k", b"two").versionid
    gone = bucket.delete_object("k")
    assert gone.delete_marker is True and gone.versionid not in (old, new)
    assert _refused(lambda: bucket.get_object("k")) == (404, "NoSuchKey")
    assert bucket.get_object("k", params={"versionId": old}).read() == b"one"
    assert bucket.get_object("k", params={"versionId": "null"}).read() == b"before"
    listed = bucket.list_object_versions()
    assert [v.versionid for v in listed.versions] == [new, old, "null"] and [
        m.is_latest for m in listed.delete_marker
    ] == [True]
    assert _refused(bucket.delete_bucket) == (409, "BucketNotEmpty")
    bucket.delete_object("k", params={"versionId": gone.versionid})
    assert bucket.get_object("k").read() == b"two"
    batch = models.BatchDeleteObjectVersionList(
        [models.BatchDeleteObjectVersion("k", v) for v in (old, new, "null")]
    )
    assert len(bucket.delete_object_versions(batch).delete_versions) == 3
    bucket.delete_bucket()
    assert _refused(bucket.get_bucket_info) == (404, "NoSuchBucket")


def test_public_access_block_keeps_strangers_out_and_public_settings_away(
    lab: CloudDouble, bucket: oss2.Bucket
) -> None:
    bucket.put_object("k", b"x")
    host = f"{bucket.bucket_name}.oss-cn-shanghai.aliyuncs.com"
    bucket.put_bucket_acl("public-read")
    assert clients.https(lab, "GET", host, "/k")[0] == 200
    bucket.put_bucket_public_access_block(True)
    assert clients.https(lab, "GET", host, "/k")[0] == 403
    assert _refused(lambda: bucket.put_bucket_acl("public-read")) == (403, "AccessDenied")
    opening = '{"Version":"1","Statement":[{"Effect":"Allow","Principal":["*"],"Action":["oss:GetObject"],"Resource":["acs:oss:*:*:*"]}]}'
    assert _refused(lambda: bucket.put_bucket_policy(opening)) == (403, "AccessDenied")


def test_tls_only_policy_refuses_plain_http_even_with_a_good_signature(
    lab: CloudDouble, bucket: oss2.Bucket
) -> None:
    name = bucket.bucket_name
    bucket.put_object("k", b"x")
    plain = clients.bucket(lab, name, scheme="http")
    assert plain.get_object("k").read() == b"x"
    bucket.put_bucket_policy(
        '{"Version":"1","Statement":[{"Effect":"Deny","Principal":["*"],"Action":["oss:*"],'
        f'"Resource":["acs:oss:*:*:{name}","acs:oss:*:*:{name}/*"],"Condition":{{"Bool":{{"acs:SecureTransport":["false"]}}}}}}]}}'
    )
    assert _refused(lambda: plain.get_object("k")) == (403, "AccessDenied")
    assert bucket.get_object("k").read() == b"x"
    bucket.delete_bucket_policy()
    assert plain.get_object("k").read() == b"x"


def test_bucket_settings_are_answered_as_they_were_put(bucket: oss2.Bucket) -> None:
    assert _refused(bucket.get_bucket_lifecycle) == (404, "NoSuchLifecycle")
    assert _refused(bucket.get_bucket_encryption) == (404, "NoSuchServerSideEncryptionRule")
    rule = models.LifecycleRule(
        "old",
        "models/",
        status="Enabled",
        abort_multipart_upload=models.AbortMultipartUpload(days=7),
    )
    bucket.put_bucket_lifecycle(models.BucketLifecycle([rule]))
    assert bucket.get_bucket_lifecycle().rules[0].abort_multipart_upload.days == 7
    bucket.put_bucket_encryption(models.ServerSideEncryptionRule(sse_algorithm="AES256"))
    assert bucket.put_object("k", b"x").headers["x-oss-server-side-encryption"] == "AES256"
    tags = models.TaggingRule()
    tags.add("app", "inference")
    bucket.put_bucket_tagging(models.Tagging(tags))
    assert bucket.get_bucket_tagging().tag_set.tagging_rule == {"app": "inference"}
    info = bucket.get_bucket_info()
    assert (
        info.acl.grant,
        info.bucket_encryption_rule.sse_algorithm,
        info.data_redundancy_type,
    ) == ("private", "AES256", "LRS")


def test_a_bucket_of_the_same_account_can_be_put_again_but_a_bad_name_can_not(
    lab: CloudDouble, bucket: oss2.Bucket
) -> None:
    bucket.put_object("k", b"x")
    bucket.create_bucket()
    assert bucket.object_exists("k")
    service = oss2.Service(
        oss2.AuthV4(*clients.keys(lab)),
        "https://oss-cn-shanghai.aliyuncs.com",
        region="cn-shanghai",
    )
    assert [b.name for b in service.list_buckets(prefix=bucket.bucket_name).buckets] == [
        bucket.bucket_name
    ]
    status, _, body = clients.https(lab, "PUT", "-bad.oss-cn-shanghai.aliyuncs.com", "/")
    assert status >= 400, body


def test_an_upload_that_is_cut_off_leaves_nothing(lab: CloudDouble, bucket: oss2.Bucket) -> None:
    lab.ask("faults", {"match": {"service": "oss", "call": "PutObject"}, "kind": "reset"})
    with pytest.raises((oss2.exceptions.RequestError, http.client.HTTPException)):
        bucket.put_object("k", b"x")
    assert not bucket.object_exists("k")
