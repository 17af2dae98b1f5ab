"""Digests of tags, asked of a registry that speaks OCI's distribution protocol: a challenge, a
token, a manifest with its digest.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ops import images
from ops.image_reference import DOCKER_HUB, parse

MANIFEST = json.dumps(
    {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}
).encode()
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
MEMBER = "Basic " + base64.b64encode(b"member:secret").decode()


class Registry(http.server.ThreadingHTTPServer):
    """Public images in open/, others for one member, a proxy's mistake in changed/."""

    daemon_threads = True

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Registry  # type: ignore[assignment]

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def _answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/token":
            scope = parse_qs(url.query)["scope"][0]
            open_to_all = scope == "repository:open/serving:pull"
            if open_to_all or self.headers.get("Authorization") == MEMBER:
                self._answer(200, json.dumps({"token": f"may {scope}"}).encode())
            else:
                self._answer(401, b"{}")
            return
        repository, _, tag = url.path.removeprefix("/v2/").partition("/manifests/")
        scope = f"repository:{repository}:pull"
        if self.headers.get("Authorization") != f"Bearer may {scope}":
            challenge = (
                f'Bearer realm="http://{self.server.host}/token",service="here",scope="{scope}"'
            )
            self._answer(401, b"{}", Www_Authenticate=challenge)
        elif (
            "application/vnd.oci.image.index.v1+json" not in self.headers["Accept"] or tag != "1.0"
        ):
            self._answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
        elif repository == "team/changed":
            self._answer(200, MANIFEST + b" ", Docker_Content_Digest=DIGEST)
        else:
            self._answer(200, MANIFEST, Docker_Content_Digest=DIGEST)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Registry]:
    monkeypatch.setenv("HOME", str(tmp_path))
    with Registry(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _log_in(registry: Registry) -> None:
    config = Path.home() / ".docker" / "config.json"
    config.parent.mkdir()
    auths = {registry.host: {"auth": MEMBER.removeprefix("Basic ")}}
    config.write_text(json.dumps({"auths": auths}))


@pytest.mark.parametrize(
    ("reference", "registry_name", "repository", "tag", "digest", "name"),
    [
        ("python:3.12", DOCKER_HUB, "library/python", "3.12", "", "python:3.12"),
        (
            "tensorflow/serving:1.15.0-gpu",
            DOCKER_HUB,
            "tensorflow/serving",
            "1.15.0-gpu",
            "",
            "tensorflow/serving:1.15.0-gpu",
        ),
        ("docker.io/a/b:1", DOCKER_HUB, "a/b", "1", "", "a/b:1"),
        ("localhost:5000/a@sha256:00", "localhost:5000", "a", "", "sha256:00", "localhost:5000/a"),
        ("r.example/a/b:1@sha256:00", "r.example", "a/b", "1", "sha256:00", "r.example/a/b:1"),
    ],
)
def test_a_reference_is_read_as_container_runtimes_read_it(
    reference: str, registry_name: str, repository: str, tag: str, digest: str, name: str
) -> None:
    image = parse(reference)
    assert (image.registry, image.repository, image.tag, image.digest, image.name) == (
        registry_name,
        repository,
        tag,
        digest,
        name,
    )


def test_the_command_that_fixes_a_tag_is_printed(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = f"{registry.host}/open/serving:1.0"
    assert images.report({"server.image": reference}) == 0
    told = capsys.readouterr().out
    assert f"server.image: {reference} is {DIGEST}" in told
    assert (
        f"pulumi config set --path 'elastic-inference:server.image' {reference}@{DIGEST}"
        in told.replace('"', "")
    )


def test_a_tag_that_moved_is_told(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    reference = f"{registry.host}/open/serving:1.0"
    assert images.report({"server.image": f"{reference}@{DIGEST}"}) == 0
    assert "the tag still has this digest" in capsys.readouterr().out
    assert images.report({"server.image": f"{reference}@sha256:{'0' * 64}"}) == images.MOVED
    assert f"is {DIGEST} now; the stack stays with sha256:000" in capsys.readouterr().out
    assert images.report({"server.image": f"{registry.host}/gone@{DIGEST}"}) == 0


def test_the_credentials_of_docker_login_are_used(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = f"{registry.host}/team/serving:1.0"
    assert images.report({"server.image": reference}) == 1
    assert f"docker login {registry.host}" in capsys.readouterr().err
    _log_in(registry)
    assert images.report({"server.image": reference}) == 0
    assert DIGEST in capsys.readouterr().out


@pytest.mark.parametrize(
    ("repository", "said"),
    [
        ("open/serving:2.0", "has no such image"),
        ("team/changed:1.0", "a proxy between here and there"),
    ],
)
def test_what_a_registry_does_not_say_is_an_error_and_the_others_are_asked(
    registry: Registry, capsys: pytest.CaptureFixture[str], repository: str, said: str
) -> None:
    _log_in(registry)
    found = images.report(
        {
            "server.image": f"{registry.host}/{repository}",
            "interruption.image": f"{registry.host}/open/serving:1.0",
        }
    )
    told = capsys.readouterr()
    assert (found, said in told.err) == (1, True), told
    assert f"interruption.image: {registry.host}/open/serving:1.0 is {DIGEST}" in told.out


def test_a_registry_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert images.report({"server.image": "127.0.0.1:9/a:1"}) == 1
    told = capsys.readouterr().err
    assert "127.0.0.1:9 can't be reached" in told and "0x" not in told


def test_the_images_of_a_stack_are_those_of_its_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, str] = {}
    monkeypatch.setattr(images, "report", lambda found: asked.update(found) or 0)
    assert images.main(["--stack", "dev"]) == 0
    assert asked["server.image"] == "tensorflow/serving:1.15.0-gpu" and len(asked) == 3
