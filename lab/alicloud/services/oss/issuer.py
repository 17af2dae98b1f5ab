"""What an ACK cluster's service account issuer publishes: its configuration and its keys, readable
by everybody.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from lab.alicloud.protocol import ApiError, Request, Response, json_response
from lab.alicloud.registry import Route
from lab.alicloud.state import Region
from lab.alicloud.store import Document

_CONFIGURATION = "/.well-known/openid-configuration"


def is_issuer(bucket: str) -> bool:
    """Whether a bucket's name is that of an issuer's host: `oidc-ack-cn-shanghai`."""
    return bucket.startswith("oidc-ack-")


def document(region: Region, request: Request) -> Response:
    """Serves `<cluster>/.well-known/openid-configuration` and `<cluster>/keys.json`."""
    cluster, _, rest = request.vars["key"].partition("/")
    path = region.home / "pki" / "sa.pub"
    if region.whole.store.get("cluster", cluster) is None or not path.exists():
        raise ApiError(404, "NoSuchKey", "The specified key does not exist.")
    issuer = f"https://{request.host}/{cluster}"
    if "/" + rest == _CONFIGURATION:
        fixed = {
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return json_response({"issuer": issuer, "jwks_uri": f"{issuer}/keys.json", **fixed})
    if rest == "keys.json":
        return json_response({"keys": [_key(path.read_bytes())]})
    raise ApiError(404, "NoSuchKey", "The specified key does not exist.")


def _key(pem: bytes) -> Document:
    public = serialization.load_pem_public_key(pem)
    assert isinstance(public, RSAPublicKey)
    numbers = public.public_numbers()
    der = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    fixed = {"use": "sig", "kty": "RSA", "alg": "RS256"}
    return {
        **fixed,
        "kid": _text(hashlib.sha256(der).digest()),
        "n": _number(numbers.n),
        "e": _number(numbers.e),
    }


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


ROUTE = Route("oss", "GetIssuerDocument", document, "GET", anonymous=True)
"""The one call of issuers' hosts. It is no call of OSS's API, so no table has it."""
