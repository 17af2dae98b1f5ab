"""The lab's own certificates: the CA of the cloud double, the cluster's PKI and the service account
keys.

Everything is made on the spot with `cryptography`, lives below ``LAB_HOME/pki`` (keys mode 0600)
and means nothing outside the lab. Several processes may ask at the same time: files are written
under a lock and only once.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import ipaddress
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.files import write_private, write_public

LIFETIME = dt.timedelta(days=3650)
LEAF_LIFETIME = dt.timedelta(days=825)  # what strict clients accept at most
_BACKDATED = dt.timedelta(hours=1)  # tolerate clocks that differ a little


@dataclass(frozen=True)
class CA:
    """A certificate authority whose key is at hand."""

    cert: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    cert_path: Path
    key_path: Path

    @property
    def cert_pem(self) -> bytes:
        """The CA certificate, PEM."""
        return self.cert.public_bytes(serialization.Encoding.PEM)

    def leaf(
        self,
        names: Sequence[str],
        *,
        common_name: str | None = None,
        organizations: Iterable[str] = (),
        client: bool = True,
    ) -> tuple[bytes, bytes]:
        """Issue a certificate for `names` (DNS names, wildcards or IP addresses); returns
        (certificate PEM, key PEM).

        `common_name` defaults to the first name; `organizations` become O= (Kubernetes groups).
        """
        if not names and common_name is None:
            raise ValueError("a leaf certificate needs a name or a common name")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, o) for o in organizations]
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, (common_name or names[0])[:64]))
        usages = [ExtendedKeyUsageOID.SERVER_AUTH] if names else []
        if client:
            usages.append(ExtendedKeyUsageOID.CLIENT_AUTH)
        builder = _builder(x509.Name(subject), self.cert.subject, key.public_key(), LEAF_LIFETIME)
        builder = builder.add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        )
        builder = builder.add_extension(_key_usage(ca=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
            critical=False,
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(n) for n in names]), critical=False
            )
        cert = builder.sign(self.key, hashes.SHA256())
        return cert.public_bytes(serialization.Encoding.PEM) + self.cert_pem, _private_pem(key)


def ensure_lab_ca(home: str | os.PathLike[str]) -> CA:
    """The CA that signs the cloud double's HTTPS certificates: ``pki/ca.pem`` and ``pki/ca.key``,
    made if missing.
    """
    pki = Path(home) / "pki"
    return ensure_ca(pki / "ca.pem", pki / "ca.key", "Elastic Inference Lab CA")


def ensure_ca(cert_path: Path, key_path: Path, name: str) -> CA:
    """Read the CA kept at these paths, or make one there."""
    with _locked(cert_path.parent):
        if not (cert_path.exists() and key_path.exists()):
            key = ec.generate_private_key(ec.SECP256R1())
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
            builder = _builder(subject, subject, key.public_key(), LIFETIME)
            builder = builder.add_extension(
                x509.BasicConstraints(ca=True, path_length=None), critical=True
            )
            builder = builder.add_extension(_key_usage(ca=True), critical=True)
            builder = builder.add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
            )
            write_private(key_path, _private_pem(key))
            write_public(
                cert_path,
                builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
            )
        loaded = serialization.load_pem_private_key(key_path.read_bytes(), None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise ValueError(
                f"{key_path} does not hold an elliptic curve key: remove {cert_path.parent} and start the lab again"
            )
        return CA(
            x509.load_pem_x509_certificate(cert_path.read_bytes()), loaded, cert_path, key_path
        )


def ensure_leaf(ca: CA, stem: Path, names: Sequence[str], **options: Any) -> tuple[Path, Path]:
    """Keep one leaf certificate at ``stem.crt``/``stem.key``; issued again when its CA or its names
    changed.
    """
    cert_path, key_path = stem.with_suffix(".crt"), stem.with_suffix(".key")
    with _locked(stem.parent):
        if not (cert_path.exists() and key_path.exists() and _still_good(cert_path, ca, names)):
            cert, key = ca.leaf(names, **options)
            write_private(key_path, key)
            write_public(cert_path, cert)
    return cert_path, key_path


def ensure_service_account_keys(home: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The RSA 2048 pair that signs service account tokens: (``pki/sa.key``, ``pki/sa.pub``)."""
    pki = Path(home) / "pki"
    private, public = pki / "sa.key", pki / "sa.pub"
    with _locked(pki):
        if not (private.exists() and public.exists()):
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            write_private(private, _private_pem(key))
            pem = key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            write_public(public, pem)
    return private, public


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / ".lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: Any, lifetime: dt.timedelta
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        key_cert_sign=ca, crl_sign=ca, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _still_good(cert_path: Path, ca: CA, names: Sequence[str]) -> bool:
    try:
        cert = x509.load_pem_x509_certificate(cert_path.read_bytes())
        cert.verify_directly_issued_by(ca.cert)
        if cert.not_valid_after_utc < dt.datetime.now(dt.UTC) + dt.timedelta(days=1):
            return False
        if not names:
            return True
        held = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:  # unreadable, foreign or old: a new one is issued
        return False
    return set(held) == {_general_name(n) for n in names}
