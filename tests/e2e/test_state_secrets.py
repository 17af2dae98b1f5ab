"""No secret of a stack stands in clear in what the backend keeps of it: TLS key, users of the
entry, kubeconfig.
"""

from __future__ import annotations

import base64
import gzip
import json
import pathlib
import re
from collections.abc import Iterator

import pytest
import yaml

from lab import pki
from tests.e2e.harness import STACK, Lab

USERS = "user:$2y$10$HDQtx9dkJrNz6GqLvgGMp.A0.7X0pMQKD5VErJPZhz1RM7Eb1V6qK"
"""As `make user` writes it."""


@pytest.fixture
def private(deployed: Lab, tmp_path: pathlib.Path) -> Iterator[tuple[Lab, dict[str, str]]]:
    """The stack with a certificate of the user's own and users, deployed; (the lab, each secret by
    its name).
    """
    certificate, key = pki.ensure_ca(tmp_path / "ca.crt", tmp_path / "ca.key", "test").leaf(
        ["bert-tfserving.localhost"]
    )
    for name, value in (
        ("htpasswd", USERS),
        ("tlsCertificate", certificate.decode()),
        ("tlsPrivateKey", key.decode()),
    ):
        deployed.pulumi("config", "set", "--stack", STACK, "--secret", name, "--", value)
    deployed.config("entry.tls", "provided")
    deployed.config("entry.auth", "basic")
    deployed.up()
    user = yaml.safe_load((deployed.home / "kubeconfig").read_text())["users"][0]["user"]
    yield deployed, {"TLS key": key.decode(), "users": USERS, "kubeconfig": user["client-key-data"]}
    deployed.config("entry.tls", "none")
    deployed.config("entry.auth", "none")
    for name in ("htpasswd", "tlsCertificate", "tlsPrivateKey"):
        deployed.pulumi("config", "rm", "--stack", STACK, name)
    deployed.up()


def forms(secret: str) -> list[str]:
    """The ways in which it may be written: as it is, in JSON, in JSON in JSON, in base64; of each a
    piece that stands for it.
    """
    pieces = [
        line for line in secret.splitlines() if len(line) > 40 and not line.startswith("-----")
    ]
    once = json.dumps(secret)[1:-1]
    return [*pieces, once, json.dumps(once)[1:-1], base64.b64encode(secret.encode()).decode()]


def texts(lab: Lab) -> dict[str, str]:
    """Everything that the backend keeps: states, their history and what it puts aside."""
    found = {}
    for path in (lab.home / "pulumi" / "state").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found[path.name] = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode(
                "utf-8", "replace"
            )
    return found


def test_no_secret_stands_in_clear_in_the_state(private: tuple[Lab, dict[str, str]]) -> None:
    lab, secrets = private
    kept = texts(lab)
    assert f"{STACK}.json" in kept, list(kept)
    kept["export"] = lab.pulumi("stack", "export", "--stack", STACK).stdout
    shown = lab.pulumi("stack", "export", "--stack", STACK, "--show-secrets").stdout
    for name, secret in secrets.items():
        assert any(form in shown for form in forms(secret)), (
            f"{name}: not in the state at all: this test would show nothing"
        )
        for place, text in kept.items():
            assert not [form for form in forms(secret) if form in text], (
                f"{name} stands in clear in {place}"
            )
    state = json.loads(kept["export"])["deployment"]["resources"]
    for resource in state:
        if resource["type"] == "kubernetes:core/v1:Secret":
            for side in ("inputs", "outputs"):
                data = {
                    key: resource[side][key]
                    for key in ("data", "stringData")
                    if resource[side].get(key)
                }
                assert data and all(
                    re.search('"ciphertext"', json.dumps(value)) for value in data.values()
                ), (side, resource["urn"])


def test_no_kubeconfig_is_left_in_a_temporary_file(deployed: Lab, tmp_path: pathlib.Path) -> None:
    deployed.extra["TMPDIR"] = str(tmp_path)
    try:
        again = deployed.python("ops.up")
    finally:
        del deployed.extra["TMPDIR"]
    assert again.returncode == 0, again.stdout + again.stderr
    assert list(tmp_path.iterdir()) == []
