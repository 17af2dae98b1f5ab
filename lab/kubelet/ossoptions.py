"""The options of an OSS volume (`ossplugin.csi.alibabacloud.com`), read and checked as the CSI
driver does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lab.kubelet import ossfs1, ossfs2

Object = dict[str, Any]
DRIVER = "ossplugin.csi.alibabacloud.com"
AUTH_TYPES = ("", "rrsa", "sts", "csi-secret-store", "public", "agent-identity")
_REGION = re.compile(r"^(?:vpc100-)?oss-(?P<region>[a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com$")


class MountError(Exception):
    """A volume that cannot be mounted; `code` is the gRPC code a CSI driver gives (InvalidArgument,
    Internal, ...).
    """

    def __init__(self, message: str, code: str = "Internal") -> None:
        super().__init__(message)
        self.message, self.code = message, code

    def __str__(self) -> str:
        """As the kubelet prints a CSI driver's error."""
        return f"rpc error: code = {self.code} desc = {self.message}"


@dataclass(frozen=True)
class OssOptions:
    """A checked option set; addresses are the internal endpoint's."""

    bucket: str
    endpoint: str
    region: str
    path: str = "/"
    fuse_type: str = "ossfs"
    auth_type: str = ""
    role_name: str = ""
    role_arn: str = ""
    provider_arn: str = ""
    service_account: str = "csi-fuse-ossfs"
    key_id: str = ""
    key_secret: str = ""
    token: str = ""
    read_only: bool = False

    @property
    def prefix(self) -> str:
        """The object key prefix of the path ("" for the whole bucket, else with a final slash)."""
        inner = self.path.strip("/")
        return f"{inner}/" if inner else ""


def check_other_opts(fuse: str, text: str) -> list[str]:
    """`-o a -o b=c` as a list; MountError for any other shape, and for what the client does not
    take: it ends before it mounts.
    """
    try:
        options = ossfs2.options_of(text)
    except ValueError as error:
        # the driver wraps an error that is one of gRPC already
        raise MountError(
            f"rpc error: code = InvalidArgument desc = {error}", "InvalidArgument"
        ) from None
    said = (
        "\n".join(dict(sorted(ossfs2.refusals(options).items())).values())
        if fuse == "ossfs2"
        else ossfs1.refusal(options)
    )
    if said:
        raise MountError(f"failed to mount: {fuse} exited: exit status 1, with stderr: {said}")
    return options


def _turns_read_only(options: list[str]) -> bool:
    return any(option == "ro" or option.partition("=")[2].lower() in ("1", "t", "true", "y", "yes") for option in options
               if option.partition("=")[0] == "ro")  # fmt: skip


def _endpoint(url: str) -> tuple[str, str]:
    """(internal endpoint with scheme, region) of the `url` attribute."""
    scheme, _, host = url.rpartition("://")
    host = host.rstrip("/")
    found = _REGION.match(host)
    if not found:
        raise MountError(
            f"Oss parameters error: url {url!r} is not an OSS endpoint such as oss-cn-shanghai-internal.aliyuncs.com",
            "InvalidArgument",
        )
    region = found["region"]
    return f"{scheme or 'http'}://oss-{region}-internal.aliyuncs.com", region


def parse(volume: Object, secret: dict[str, str], read_only: bool) -> OssOptions:
    """Options of a PV's `csi` block; keys of volumeAttributes count in any case. MountError names
    what is wrong.
    """
    given = {
        key.lower(): str(value) for key, value in (volume.get("volumeAttributes") or {}).items()
    }
    secrets = {key.lower(): value for key, value in secret.items()}
    auth = given.get("authtype", "").lower()
    if not given.get("bucket"):
        raise MountError("Oss parameters error: Bucket is empty", "InvalidArgument")
    if not given.get("url"):
        raise MountError("Oss parameters error: Url is empty", "InvalidArgument")
    path = given.get("path") or "/"
    if not path.startswith("/"):
        raise MountError(
            f"Oss path error: start with {path}, should start with /", "InvalidArgument"
        )
    if auth not in AUTH_TYPES:
        raise MountError(
            f"Oss parameters error: authType {auth!r} is none of {', '.join(filter(None, AUTH_TYPES))}",
            "InvalidArgument",
        )
    fuse = given.get("fusetype") or volume.get("fsType") or "ossfs"
    if fuse not in ("ossfs", "ossfs2"):
        raise MountError(
            f"Oss parameters error: fuseType {fuse!r} is neither ossfs nor ossfs2",
            "InvalidArgument",
        )
    if fuse == "ossfs2" and given.get("encrypted"):
        raise MountError(
            "Oss parameters error: ossfs2 does not support encrypted", "InvalidArgument"
        )
    other = check_other_opts(fuse, given.get("otheropts", ""))
    endpoint, region = _endpoint(given["url"])
    options = OssOptions(
        bucket=given["bucket"],
        endpoint=endpoint,
        region=region,
        path=path,
        fuse_type=fuse,
        auth_type=auth,
        role_name=given.get("rolename") or given.get("ramrole") or "",
        role_arn=given.get("rolearn", ""),
        provider_arn=given.get("oidcproviderarn", ""),
        service_account=given.get("serviceaccountname") or "csi-fuse-ossfs",
        key_id=secrets.get("akid") or secrets.get("accesskeyid") or given.get("akid", ""),
        key_secret=secrets.get("aksecret")
        or secrets.get("accesskeysecret")
        or given.get("aksecret", ""),
        token=secrets.get("securitytoken", ""),
        read_only=read_only or _turns_read_only(other),
    )
    _check_identity(options)
    return options


def _check_identity(options: OssOptions) -> None:
    if options.auth_type == "rrsa":
        if bool(options.role_arn) != bool(options.provider_arn):
            raise MountError(
                "Oss parameters error: use RRSA but roleArn or oidcProviderArn is empty",
                "InvalidArgument",
            )
        if not options.role_arn and not options.role_name:
            raise MountError(
                "Oss parameters error: use RRSA but neither roleName nor roleArn with oidcProviderArn is given",
                "InvalidArgument",
            )
    elif options.auth_type == "":
        if not (options.key_id and options.key_secret):
            raise MountError(
                "Oss parameters error: AK and SK must be set (nodePublishSecretRef), or authType: rrsa",
                "InvalidArgument",
            )
    elif options.auth_type != "public":
        raise MountError(
            f"Oss parameters error: authType {options.auth_type} is not modelled by the lab; use rrsa",
            "Unimplemented",
        )
