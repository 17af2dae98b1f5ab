"""Alibaba's own clients, pointed at the cloud's real names and trusting the lab's CA."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import ssl
import time
from typing import Any
from urllib.parse import quote, urlencode

import jwt
import oss2
from alibabacloud_tea_openapi import models as tea_openapi_models
from alibabacloud_tea_util import models as tea_util_models
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest

from lab.testing.cloud import CLUSTER, CloudDouble

REGION = "cn-shanghai"
SUBJECT = "system:serviceaccount:ack-csi-fuse:csi-fuse-ossfs"


def keys(lab: CloudDouble, secret: str | None = None) -> tuple[str, str]:
    """The lab's own key, with another secret if wanted."""
    return lab.own["access_key"], secret if secret is not None else lab.own["secret_key"]


def tea_config(
    lab: CloudDouble, host: str, pair: tuple[str, str] | None = None, token: str = ""
) -> Any:
    """Configuration of the official SDKs (ACS3-HMAC-SHA256)."""
    access_key, secret = pair or keys(lab)
    config = tea_openapi_models.Config(
        access_key_id=access_key,
        access_key_secret=secret,
        endpoint=host,
        region_id=REGION,
        ca=lab.ca,
        protocol="https",
    )
    if token:
        config.security_token = token
    return config


def runtime(lab: CloudDouble) -> Any:
    """Run-time options of the official SDKs: verify against the lab's CA, never retry."""
    return tea_util_models.RuntimeOptions(
        ca=lab.ca, autoretry=False, connect_timeout=5000, read_timeout=1500000
    )


def core(lab: CloudDouble, pair: tuple[str, str] | None = None) -> AcsClient:
    """The older official SDK: RPC signed in the query, ROA with `Authorization: acs`."""
    return AcsClient(*(pair or keys(lab)), REGION, auto_retry=False, verify=lab.ca, timeout=1500)


def rpc(
    lab: CloudDouble,
    host: str,
    version: str,
    action: str,
    pair: tuple[str, str] | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """One RPC call by the older SDK (HMAC-SHA1 in the query)."""
    request = CommonRequest(domain=host, version=version, action_name=action)
    request.set_protocol_type("https")
    request.set_method("POST")
    for name, value in parameters.items():
        request.add_query_param(name, str(value))
    return json.loads(core(lab, pair).do_action_with_exception(request) or b"{}")


def ram(lab: CloudDouble, action: str, **parameters: Any) -> dict[str, Any]:
    """One RAM call."""
    return rpc(lab, "ram.aliyuncs.com", "2015-05-01", action, **parameters)


def roa(
    lab: CloudDouble,
    method: str,
    path: str,
    body: Any = None,
    pair: tuple[str, str] | None = None,
    **query: str,
) -> Any:
    """One container service call by the older SDK (`Authorization: acs`)."""
    request = CommonRequest(
        domain=f"cs.{REGION}.aliyuncs.com", version="2015-12-15", uri_pattern=path
    )
    request.set_protocol_type("https")
    request.set_method(method)
    request.add_header("Content-Type", "application/json")
    for name, value in query.items():
        request.add_query_param(name, value)
    if body is not None:
        request.set_content(json.dumps(body).encode())
    return json.loads(core(lab, pair).do_action_with_exception(request) or b"null")


def bucket(lab: CloudDouble, name: str, auth: Any = None, scheme: str = "https") -> oss2.Bucket:
    """A bucket through oss2, signature version 4 unless `auth` says otherwise."""
    endpoint = f"{scheme}://oss-{REGION}.aliyuncs.com"
    return oss2.Bucket(
        auth or oss2.AuthV4(*keys(lab)), endpoint, name, region=REGION, connect_timeout=1500
    )


def https(
    lab: CloudDouble,
    method: str,
    host: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """One bare HTTPS request; (status, headers, body)."""
    connection = http.client.HTTPSConnection(
        host, 443, context=ssl.create_default_context(cafile=lab.ca), timeout=1500
    )
    try:
        connection.request(method, path, body or None, headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def log_sha1(
    lab: CloudDouble,
    method: str,
    host: str,
    path: str,
    query: dict[str, str] | None = None,
    secret: str | None = None,
    body: bytes = b"",
) -> tuple[int, Any]:
    """One log service call signed as the older clients do (hmac-sha1)."""
    access_key, own_secret = keys(lab, secret)
    headers = {
        "Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
        "Content-Type": "application/json",
        "x-log-apiversion": "0.6.0",
    }
    headers |= {"x-log-bodyrawsize": str(len(body)), "x-log-signaturemethod": "hmac-sha1"}
    digest = hashlib.md5(body).hexdigest().upper() if body else ""
    if digest:
        headers["Content-MD5"] = digest
    own = "".join(f"{n}:{headers[n]}\n" for n in sorted(headers) if n.startswith("x-log-"))
    resource = path + (
        "?" + "&".join(f"{n}={v}" for n, v in sorted(query.items())) if query else ""
    )
    text = f"{method}\n{digest}\n{headers['Content-Type']}\n{headers['Date']}\n{own}{resource}"
    signature = base64.b64encode(
        hmac.new(own_secret.encode(), text.encode(), hashlib.sha1).digest()
    ).decode()
    headers["Authorization"] = f"LOG {access_key}:{signature}"
    target = path + ("?" + urlencode(query, quote_via=quote) if query else "")
    status, _, answer = https(lab, method, host, target, body, headers)
    return status, json.loads(answer) if answer else None


def token(lab: CloudDouble, **changes: Any) -> str:
    """A service account's token as the cluster issues it."""
    issuer = f"https://oidc-ack-{REGION}.oss-{REGION}.aliyuncs.com/{CLUSTER}"
    now = int(time.time())
    claims = {
        "iss": issuer,
        "sub": SUBJECT,
        "aud": ["sts.aliyuncs.com"],
        "iat": now,
        "exp": now + 3600,
        **changes,
    }
    return jwt.encode(claims, (lab.home / "pki" / "sa.key").read_text(), algorithm="RS256")
