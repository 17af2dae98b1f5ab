"""What a stack runs, as a document: every part of the state with a version is in it, valid by
CycloneDX's own schema, and no value that is none of its business.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from ops import sbom
from ops.engine.cli import Stack

STACK = "urn:pulumi:prod::elastic-inference::"
DIGEST = "ab" * 32


def _resource(kind: str, name: str, **values: Any) -> dict[str, Any]:
    return {"urn": f"{STACK}{kind}::{name}", "type": kind, "id": name, **values}


def _pods(*containers: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": list(containers), **more}}}}


STATE = {
    "deployment": {
        "manifest": {"version": "v3.274.1"},
        "resources": [
            _resource(
                "pulumi:providers:alicloud",
                "default_3_105_0",
                inputs={"version": "3.105.0", "secretKey": "hunter2"},
                outputs={"version": "3.105.0"},
            ),
            _resource("pulumi:providers:alicloud", "other", inputs={"version": "3.105.0"}),
            _resource(
                "kubernetes:apps/v1:Deployment",
                "server-deployment",
                inputs=_pods(
                    {"image": f"registry.example:5000/team/serving:2.15.1-gpu@sha256:{DIGEST}"},
                    initContainers=[{"image": "busybox:1.37"}],
                ),
            ),
            _resource(
                "kubernetes:apps/v1:Deployment",
                "headroom-deployment",
                inputs=_pods({"image": "busybox:1.37"}),
            ),
            _resource(
                "kubernetes:core/v1:ConfigMap",
                "interruption-code",
                inputs={"metadata": {"name": "handler-1a2b"}, "data": {"start.py": "print(1)\n"}},
            ),
            _resource(
                "kubernetes:core/v1:Secret", "users", inputs={"data": {"auth": "aHVudGVyMg=="}}
            ),
            _resource(
                "kubernetes:helm.sh/v3:Release",
                "metrics-adapter-release",
                inputs={"chart": "https://charts.invalid/adapter-1.2.3.tgz"},
                outputs={"version": "1.2.3"},
            ),
            _resource(
                "alicloud:cs/kubernetesAddon:KubernetesAddon",
                "csi",
                outputs={"name": "csi-plugin", "version": "v1.33.1"},
            ),
            _resource(
                "ossmodel:index:Model",
                "models-model",
                outputs={
                    "path": "models/tensorflow/7",
                    "digest": "f5" * 32,
                    "files": {"saved_model.pb": {"sha256": "0c" * 32, "size": 3}},
                },
            ),
        ],
    }
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    text = sbom.document("prod", STATE)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert "hunter2" not in text and "aHVudGVyMg" not in text
    return json.loads(text)


def _found(document: dict[str, Any], name: str) -> dict[str, Any]:
    (component,) = [one for one in document["components"] if one["name"] == name]
    return component


def test_the_schema_would_refuse_another_document() -> None:
    wrong = json.loads(sbom.document("prod", STATE)) | {"components": [{"name": "no type"}]}
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(wrong)) is not None


def test_an_image_with_a_digest_is_named_by_it(document: dict[str, Any]) -> None:
    serving = _found(document, "registry.example:5000/team/serving")
    assert serving["version"] == f"sha256:{DIGEST}"
    assert serving["hashes"] == [{"alg": "SHA-256", "content": DIGEST}]
    assert serving["purl"].startswith(f"pkg:oci/serving@sha256:{DIGEST}?")
    assert "tag=2.15.1-gpu" in serving["purl"] and "registry.example:5000" in serving["purl"]


def test_an_image_without_one_says_that_its_bytes_are_not_known(document: dict[str, Any]) -> None:
    busybox = _found(document, "busybox")
    assert busybox["version"] == "1.37" and "hashes" not in busybox
    assert {(one["name"], one["value"]) for one in busybox["properties"]} == {
        ("pulumi:resource", "headroom-deployment"),
        ("pulumi:resource", "server-deployment"),
        ("image:digest", "unknown: the stack names a tag"),
    }


def test_every_file_of_the_model_and_of_the_handler_has_its_checksum(
    document: dict[str, Any],
) -> None:
    model = _found(document, "models/tensorflow")
    assert model["type"] == "machine-learning-model" and model["version"] == "7"
    (file,) = model["components"]
    assert file["hashes"] == [{"alg": "SHA-256", "content": "0c" * 32}]
    (code,) = _found(document, "interruption-handler")["components"]
    expected = hashlib.sha256(b"print(1)\n").hexdigest()
    assert (code["name"], code["hashes"][0]["content"]) == ("start.py", expected)


def test_what_made_the_resources_is_listed(document: dict[str, Any]) -> None:
    versions = {one["name"]: one.get("version") for one in document["components"]}
    assert versions["pulumi-resource-alicloud"] == "3.105.0" and versions["pulumi CLI"] == "3.274.1"
    assert versions["ACK add-on csi-plugin"] == "v1.33.1"
    assert versions["chart https://charts.invalid/adapter-1.2.3.tgz"] == "1.2.3"
    assert versions["pulumi-kubernetes"] == "4.25.0" and "pytest" not in versions


def test_a_file_is_written_or_the_reason_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Stack, "exists", lambda stack: True)
    monkeypatch.setattr(Stack, "export_state", lambda stack: STATE)
    assert sbom.main(["--stack", "prod", "--output", str(tmp_path / "sbom.json")]) == 0
    listed = json.loads((tmp_path / "sbom.json").read_text())["components"]
    assert f"{len(listed)} components of prod" in capsys.readouterr().out
    monkeypatch.setattr(Stack, "export_state", lambda stack: {"deployment": {}})
    assert sbom.main(["--stack", "prod"]) == 1
    assert "prod has nothing deployed" in capsys.readouterr().err
