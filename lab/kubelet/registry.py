"""Image registries as a node's containerd meets them: their addresses, logins, and its words for
each way in which a pull fails.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

Object = dict[str, Any]
HOSTS = {"docker.io": "registry-1.docker.io"}
"""Registries that are served under another name than images carry."""
LOGIN_NAMES = {
    "https://index.docker.io/v1/": "docker.io",
    "index.docker.io": "docker.io",
    "registry-1.docker.io": "docker.io",
}
PUBLIC = (
    "docker.io",
    "registry.k8s.io",
    "quay.io",
    "ghcr.io",
    "gcr.io",
    "mcr.microsoft.com",
    "nvcr.io",
    "*.aliyuncs.com",
)
"""Registries that answer, so that an image which they lack is told as theirs."""
RESOLVER = "100.100.2.136:53"
"""The VPC's name server, which ACK's nodes ask."""
_ELSEWHERE = "203.0.113.7:443"  # an address of the documentation's range
Logins = dict[str, tuple[str, str]]


def split(name: str) -> tuple[str, str]:
    """(registry, repository) of a full name."""
    host, _, path = name.partition("/")
    return host, path


def known(name: str) -> bool:
    """Whether an image's registry is one that answers."""
    return any(fnmatchcase(split(name)[0], pattern) for pattern in PUBLIC)


def full(reference: str, name: str, tag: str) -> str:
    """The reference as containerd writes it: with its digest where it has one, else with its
    tag.
    """
    _, at, digest = reference.partition("@")
    return f"{name}@{digest}" if at else f"{name}:{tag}"


def words(kind: str, reference: str, name: str, tag: str) -> str:
    """What containerd 2 says when this image is not pulled for the reason `kind` (one of
    lab.alicloud.scenario.IMAGE_FAILURES).

    As reported in containerd's issues 1893, 3974, 11103 and in the issues of those who met the
    rest; kubelet 1.31 and newer print the runtime's text without gRPC's prefix.
    """
    image = full(reference, name, tag)
    host, path = split(name)
    server = HOSTS.get(host, host)
    url = f"https://{server}/v2/{path}/manifests/{image.removeprefix(name)[1:]}"
    unpack = f'failed to pull and unpack image "{image}": '
    resolve = f'{unpack}failed to resolve reference "{image}": '
    layer, other = (
        hashlib.sha256(f"{image} {part}".encode()).hexdigest() for part in ("layer", "other")
    )
    return {
        "not_found": f"{resolve}{image}: not found",
        "denied": f"{resolve}pull access denied, repository does not exist or may require authorization: server message: "
        "insufficient_scope: authorization failed",
        "unauthorized": f"{resolve}failed to authorize: failed to fetch anonymous token: unexpected status from GET request to "
        f"{_auth(host)}?scope=repository%3A{path.replace('/', '%2F')}%3Apull&service={server}: 401 Unauthorized",
        "wrong_login": f"{resolve}failed to authorize: failed to fetch oauth token: unexpected status from GET request to "
        f"{_auth(host)}?scope=repository%3A{path.replace('/', '%2F')}%3Apull&service={server}: 401 Unauthorized",
        "no_such_host": f'{resolve}failed to do request: Head "{url}": dial tcp: lookup {server} on {RESOLVER}: no such host',
        "timeout": f'{resolve}failed to do request: Head "{url}": dial tcp {_ELSEWHERE}: i/o timeout',
        "refused": f'{resolve}failed to do request: Head "{url}": dial tcp {_ELSEWHERE}: connect: connection refused',
        "reset": f'{resolve}failed to do request: Head "{url}": read tcp {_ELSEWHERE}: read: connection reset by peer',
        "digest": f'{unpack}failed commit on ref "layer-sha256:{layer}": unexpected commit digest sha256:{other}, expected '
        f"sha256:{layer}: failed precondition",
        "rate_limit": f"{unpack}failed to copy: httpReadSeeker: failed open: unexpected status from GET request to {url}: 429 Too Many "
        "Requests: toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
        "disk_full": f"{unpack}failed to extract layer sha256:{layer}: write /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs"
        "/snapshots/61/fs/usr/lib/libcudnn.so: no space left on device: unknown",
        "platform": f"{unpack}no match for platform in manifest: not found",
    }[kind]


def _auth(host: str) -> str:
    if host == "docker.io":
        return "https://auth.docker.io/token"
    # Container Registry hands its tokens out by region: registry[-vpc].cn-shanghai.aliyuncs.com
    region = (
        re.search(r"(?:cn|ap|eu|us|me|na)-[a-z]+(?:-\d)?", host)
        if host.endswith(".aliyuncs.com")
        else None
    )
    return (
        f"https://dockerauth.{region[0]}.aliyuncs.com/auth" if region else f"https://{host}/token"
    )


def logins_of(secrets: Iterable[Mapping[str, Any]]) -> Logins:
    """Logins by registry of Secrets of both docker types; a Secret that can't be read gives none,
    as with the kubelet.
    """
    found: Logins = {}
    for secret in secrets:
        data = secret.get("data") or {}
        for key in (".dockerconfigjson", ".dockercfg"):
            if key in data:
                with contextlib.suppress(ValueError, TypeError, AttributeError):
                    read = json.loads(base64.b64decode(data[key]))
                    for server, entry in (
                        read.get("auths", {}) if key == ".dockerconfigjson" else read
                    ).items():
                        found[_registry(server)] = _pair(entry)
    return found


def _registry(server: str) -> str:
    return LOGIN_NAMES.get(server) or LOGIN_NAMES.get(
        bare := server.removeprefix("https://").removeprefix("http://").split("/")[0], bare
    )


def _pair(entry: Mapping[str, str]) -> tuple[str, str]:
    if entry.get("auth"):
        user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
        return user, password
    return entry.get("username", ""), entry.get("password", "")
