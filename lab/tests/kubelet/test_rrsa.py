"""The identity flow of a volume: service account token, AssumeRoleWithOIDC, objects; every refusal
with the cloud's words.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import oss2
import pytest
from aiohttp import web

from lab.kubelet import ossmount
from lab.kubelet.ossmount import (
    Account,
    Keys,
    assume_role,
    credentials,
    download,
    make_read_only,
    remove,
    service_account_token,
)
from lab.kubelet.ossoptions import MountError, OssOptions
from lab.tests.kubelet.conftest import FakeApi

OPTIONS = OssOptions(
    bucket="models",
    endpoint="http://127.0.0.1:1",
    region="cn-shanghai",
    path="/models",
    auth_type="rrsa",
    role_name="reader",
)
ACCOUNT = Account("1234567890123456", "c1")


@pytest.fixture
async def sts() -> AsyncIterator[tuple[str, list[dict[str, str]], dict[str, Any]]]:
    """(address, recorded forms, the answer to give: {"status", "body"})."""
    forms: list[dict[str, str]] = []
    given = {
        "AccessKeyId": "STS.x",
        "AccessKeySecret": "s",
        "SecurityToken": "t",
        "Expiration": "2026-11-22T00:00:00Z",
    }
    answer: dict[str, Any] = {"status": 200, "body": {"RequestId": "R", "Credentials": given}}

    async def handle(request: web.Request) -> web.Response:
        forms.append({key: str(value) for key, value in (await request.post()).items()})
        return web.json_response(answer["body"], status=answer["status"])

    application = web.Application()
    application.router.add_post("/", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/", forms, answer
    await runner.cleanup()


async def test_the_call_is_an_unsigned_rpc_with_role_provider_and_token(sts: Any) -> None:
    address, forms, _ = sts
    assert await assume_role("a.b.c", OPTIONS, ACCOUNT, address) == Keys("STS.x", "s", "t")
    form = forms[0]
    assert (form["Action"], form["Version"], form["Format"]) == (
        "AssumeRoleWithOIDC",
        "2015-04-01",
        "JSON",
    )
    assert form["RoleArn"] == "acs:ram::1234567890123456:role/reader"
    assert form["OIDCProviderArn"] == "acs:ram::1234567890123456:oidc-provider/ack-rrsa-c1"
    assert form["OIDCToken"] == "a.b.c"
    assert "Signature" not in form
    assert "AccessKeyId" not in form


async def test_a_refusal_carries_the_clouds_code_and_message(sts: Any) -> None:
    address, _, answer = sts
    answer |= {
        "status": 403,
        "body": {
            "RequestId": "R",
            "Code": "AuthenticationFail.NoPermission",
            "Message": "trust policy says no",
        },
    }
    with pytest.raises(MountError) as caught:
        await assume_role("a.b.c", OPTIONS, ACCOUNT, address)
    text = str(caught.value)
    assert text.startswith(
        "rpc error: code = PermissionDenied desc = mount failed: AssumeRoleWithOIDC of acs:ram::1234567890123456:role/reader"
    )
    assert text.endswith("Code: AuthenticationFail.NoPermission, Message: trust policy says no")
    assert "a.b.c" not in text


async def test_an_endpoint_that_does_not_answer_is_named() -> None:
    with pytest.raises(MountError, match=r"http://127.0.0.1:1 does not answer"):
        await assume_role("a.b.c", OPTIONS, ACCOUNT, "http://127.0.0.1:1")


async def test_the_token_is_the_fuse_pods_for_the_sts_audience() -> None:
    api: Any = FakeApi()
    assert await service_account_token(api, "csi-fuse-ossfs") == "a.b.c"
    path, body = api.posts[0]
    assert path == "/api/v1/namespaces/ack-csi-fuse/serviceaccounts/csi-fuse-ossfs/token"
    assert body["spec"]["audiences"] == ["sts.aliyuncs.com"]


async def test_a_missing_service_account_is_named() -> None:
    api: Any = FakeApi()
    with pytest.raises(
        MountError,
        match=r"cannot get a token of service account ack-csi-fuse/missing: serviceaccounts",
    ):
        await service_account_token(api, "missing")


async def test_without_rrsa_the_volumes_own_keys_are_used_and_a_public_bucket_needs_none() -> None:
    own = OssOptions("b", "http://x", "r", key_id="a", key_secret="s")
    public = OssOptions("b", "http://x", "r", auth_type="public")
    api: Any = FakeApi()
    assert await credentials(api, own, ACCOUNT) == Keys("a", "s")
    assert await credentials(api, public, ACCOUNT) is None


class Bucket:
    """Two objects and a directory marker under models/, or an error."""

    keys = ("models/", "models/tensorflow/1/saved_model.pb", "models/tensorflow/1/variables/x")

    def __init__(
        self, error: oss2.exceptions.OssError | None = None, keys: tuple[str, ...] = keys
    ) -> None:
        self.error, self.keys = error, keys

    def list_objects_v2(self, prefix: str = "", **_: Any) -> Any:
        if self.error:
            raise self.error
        found = [type("Found", (), {"key": key}) for key in self.keys if key.startswith(prefix)]
        return type(
            "Listed",
            (),
            {
                "object_list": found,
                "prefix_list": [],
                "is_truncated": False,
                "next_continuation_token": "",
            },
        )

    def get_object_to_file(self, key: str, path: str) -> None:
        Path(path).write_text(key)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a bucket in place of the real one."""

    def put(made: Bucket) -> None:
        monkeypatch.setattr(ossmount, "_bucket", lambda options, keys: made)

    return put


def test_objects_become_files_below_the_path(bucket: Any, tmp_path: Path) -> None:
    bucket(Bucket())
    assert download(OPTIONS, None, tmp_path) == 3
    found = sorted(
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()
    )
    assert found == ["tensorflow/1/saved_model.pb", "tensorflow/1/variables/x"]


def test_a_refusal_of_the_store_carries_its_code_message_and_status(
    bucket: Any, tmp_path: Path
) -> None:
    details = {"Code": "AccessDenied", "Message": "RAM policy", "RequestId": "R"}
    bucket(Bucket(oss2.exceptions.AccessDenied(403, {}, b"", details)))
    with pytest.raises(MountError) as caught:
        download(OPTIONS, None, tmp_path)
    expected = "mount failed: oss://models/models: Code: AccessDenied, Message: RAM policy, HTTP status: 403"
    assert str(caught.value) == f"rpc error: code = PermissionDenied desc = {expected}"


def test_an_empty_path_is_an_error_and_an_empty_bucket_is_not(bucket: Any, tmp_path: Path) -> None:
    bucket(Bucket(keys=()))
    with pytest.raises(MountError, match="the path does not exist in the bucket"):
        download(OPTIONS, None, tmp_path)
    assert download(OssOptions("models", "http://x", "r"), None, tmp_path) == 0


def test_an_object_cannot_leave_the_volume(bucket: Any, tmp_path: Path) -> None:
    bucket(Bucket(keys=("models/../../evil",)))
    with pytest.raises(MountError, match="cannot be a file name"):
        download(OPTIONS, None, tmp_path / "v")
    assert not list(tmp_path.rglob("evil"))


def test_a_read_only_volume_has_no_write_permission_and_can_still_be_removed(
    tmp_path: Path,
) -> None:
    (tmp_path / "v" / "d").mkdir(parents=True)
    (tmp_path / "v" / "d" / "f").write_text("x")
    make_read_only(tmp_path / "v")
    assert (tmp_path / "v" / "d" / "f").stat().st_mode & 0o222 == 0
    assert (tmp_path / "v" / "d").stat().st_mode & 0o222 == 0
    remove(tmp_path / "v")
    assert not (tmp_path / "v").exists()


async def test_a_failed_mount_leaves_nothing_behind(bucket: Any, tmp_path: Path) -> None:
    bucket(
        Bucket(
            oss2.exceptions.NoSuchBucket(404, {}, b"", {"Code": "NoSuchBucket", "Message": "gone"})
        )
    )

    async def in_thread(work: Any, *arguments: Any) -> Any:
        return work(*arguments)

    public = OssOptions("models", "http://x", "r", path="/models", auth_type="public")
    with pytest.raises(MountError, match=r"code = NotFound .*NoSuchBucket"):
        await ossmount.mount(FakeApi(), public, ACCOUNT, tmp_path / "v", in_thread)  # type: ignore[arg-type]  # a double with the methods that are called
    assert not (tmp_path / "v").exists()
