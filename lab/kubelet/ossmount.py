"""Mounts an OSS volume: identity from STS, then the objects under the path as files of the pod's
own directory.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import aiohttp

from lab.kube import Kube, KubeError
from lab.kubelet.ossoptions import MountError, OssOptions

Object = dict[str, Any]
FUSE_NAMESPACE = "ack-csi-fuse"
AUDIENCE = "sts.aliyuncs.com"


@dataclass(frozen=True)
class Account:
    """What the node knows of its cloud account: account id and cluster id (a role name becomes ARNs
    with them).
    """

    account_id: str
    cluster_id: str


@dataclass(frozen=True)
class Keys:
    """Credentials for OSS; `token` is empty for a plain key pair."""

    key_id: str
    secret: str
    token: str = ""


def role_arns(options: OssOptions, account: Account) -> tuple[str, str]:
    """(role ARN, OIDC provider ARN) of an RRSA volume."""
    if options.role_arn:
        return options.role_arn, options.provider_arn
    owner = f"acs:ram::{account.account_id}"
    return (
        f"{owner}:role/{options.role_name}",
        f"{owner}:oidc-provider/ack-rrsa-{account.cluster_id}",
    )


async def service_account_token(api: Kube, name: str) -> str:
    """A token of the fuse pods' service account for STS; MountError if the account is missing."""
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [AUDIENCE], "expirationSeconds": 3600},
    }
    try:
        answer = await api.post(
            f"/api/v1/namespaces/{FUSE_NAMESPACE}/serviceaccounts/{name}/token", body
        )
    except KubeError as error:
        raise MountError(
            f"mount failed: cannot get a token of service account {FUSE_NAMESPACE}/{name}: {error.message}"
        ) from None
    return answer["status"]["token"]


def _cloud_error(what: str, text: str, status: int) -> MountError:
    """An RPC error body as one line with the cloud's code and message (no request id: repeated
    events must be equal).
    """
    try:
        body = json.loads(text)
    except ValueError:
        body = {}
    code, message = body.get("Code") or f"HTTP {status}", body.get("Message") or text[:200]
    return MountError(
        f"mount failed: {what}: Code: {code}, Message: {message}",
        "Unauthenticated" if status in (400, 401) else "PermissionDenied",
    )


async def assume_role(
    token: str, options: OssOptions, account: Account, endpoint: str | None = None
) -> Keys:
    """AssumeRoleWithOIDC, an unsigned RPC call; MountError carries the cloud's code and message."""
    role, provider = role_arns(options, account)
    url = endpoint or f"https://sts.{options.region}.aliyuncs.com"
    form = {
        "Action": "AssumeRoleWithOIDC",
        "Version": "2015-04-01",
        "Format": "JSON",
        "Timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "SignatureNonce": uuid.uuid4().hex,
        "RoleArn": role,
        "OIDCProviderArn": provider,
        "OIDCToken": token,
        "RoleSessionName": options.service_account,
        "DurationSeconds": "3600",
    }
    what = f"AssumeRoleWithOIDC of {role} with {provider}"
    try:
        context = ssl.create_default_context() if url.startswith("https") else False
        limits = aiohttp.ClientTimeout(total=20)
        async with (
            aiohttp.ClientSession(timeout=limits) as session,
            session.post(url, data=form, ssl=context) as response,
        ):
            text = await response.text()
            if response.status != 200:
                raise _cloud_error(what, text, response.status)
            found = json.loads(text)["Credentials"]
    except (aiohttp.ClientError, TimeoutError) as reason:
        raise MountError(
            f"mount failed: {what}: {url} does not answer: {type(reason).__name__} {reason}",
            "Unavailable",
        ) from None
    return Keys(found["AccessKeyId"], found["AccessKeySecret"], found["SecurityToken"])


async def credentials(api: Kube, options: OssOptions, account: Account) -> Keys | None:
    """The keys this volume is read with; None for a public bucket."""
    if options.auth_type == "rrsa":
        return await assume_role(
            await service_account_token(api, options.service_account), options, account
        )
    return (
        None
        if options.auth_type == "public"
        else Keys(options.key_id, options.key_secret, options.token)
    )


def _bucket(options: OssOptions, keys: Keys | None) -> Any:
    import oss2  # noqa: PLC0415 - takes 0.3 s and 20 MB, and a lab without a mounted bucket never needs it

    if keys is None:
        auth: Any = oss2.AnonymousAuth()
    elif keys.token:
        auth = oss2.StsAuth(keys.key_id, keys.secret, keys.token, auth_version=oss2.AUTH_VERSION_4)
    else:
        auth = oss2.AuthV4(keys.key_id, keys.secret)
    return oss2.Bucket(
        auth, options.endpoint, options.bucket, region=options.region, connect_timeout=10
    )


def _target(folder: Path, name: str) -> Path:
    """The file of an object below the volume; names that would leave it are refused."""
    parts = PurePosixPath(name).parts
    if ".." in parts or name.startswith("/"):
        raise MountError(f"mount failed: object name {name!r} cannot be a file name")
    return folder.joinpath(*parts)


def download(options: OssOptions, keys: Keys | None, folder: Path) -> int:
    """Copies every object under the path into `folder`; returns their number. Blocks: run it in a
    thread.
    """
    import oss2  # noqa: PLC0415 - takes 0.3 s and 20 MB, and a lab without a mounted bucket never needs it

    bucket, count = _bucket(options, keys), 0
    where = f"oss://{options.bucket}{options.path}"
    try:
        for found in oss2.ObjectIteratorV2(bucket, prefix=options.prefix):
            name = found.key[len(options.prefix) :]
            count += 1
            target = _target(folder, name) if name else folder
            if found.key.endswith("/") or not name:
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            bucket.get_object_to_file(found.key, str(target))
    except oss2.exceptions.OssError as error:
        body: Any = error
        code, message = body.code or f"HTTP {body.status}", body.message or str(body.details)
        raise MountError(
            f"mount failed: {where}: Code: {code}, Message: {message}, HTTP status: {body.status}",
            "PermissionDenied"
            if body.status == 403
            else "NotFound"
            if body.status == 404
            else "Internal",
        ) from None
    except OSError as reason:
        raise MountError(f"mount failed: {where}: {reason.strerror} ({reason.filename})") from None
    if not count and options.prefix:
        raise MountError(
            f"mount failed: {where}: the path does not exist in the bucket (no object begins with {options.prefix!r})",
            "NotFound",
        )
    return count


def make_read_only(folder: Path) -> None:
    """Takes the write permission from every file and directory."""
    for base, _, files in os.walk(folder, topdown=False):
        for name in files:
            os.chmod(os.path.join(base, name), 0o444)
        os.chmod(base, 0o555)


def remove(folder: Path) -> None:
    """Deletes a volume's directory, read-only parts too."""
    for base, _, _ in os.walk(folder):
        os.chmod(base, 0o755)
    shutil.rmtree(folder, ignore_errors=True)


async def mount(
    api: Kube, options: OssOptions, account: Account, folder: Path, in_thread: Any
) -> None:
    """The whole mount: a fresh copy in `folder`; nothing is left there when it fails
    (MountError).
    """
    keys = await credentials(api, options, account)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        await in_thread(download, options, keys, folder)
    except BaseException:
        remove(folder)
        raise
    if options.read_only:
        make_read_only(folder)
