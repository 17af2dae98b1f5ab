"""Which TensorFlow `make up` fetches for a stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.toolchain import tensorflow
from ops import lab


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("tensorflow/serving:2.15.1", "2.15.1"),
        ("tensorflow/serving:2.15.1-gpu@sha256:" + "0" * 64, "2.15.1"),
        ("registry-vpc.cn-shanghai.aliyuncs.com:5000/acs/tensorflow-serving:1.15.0-gpu", "1.15.0"),
    ],
)
def test_it_is_the_images(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, image: str, version: str
) -> None:
    text = (lab.ROOT / "Pulumi.local.yaml").read_text()
    (tmp_path / "Pulumi.local.yaml").write_text(
        text.replace(
            "elastic-inference:server:\n", f"elastic-inference:server:\n    image: {image}\n"
        )
    )
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    assert lab.tensorflow_library("local") == f"{tensorflow.PREFIX}{version}"


def test_of_an_image_whose_tag_says_nothing_it_is_what_the_settings_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (lab.ROOT / "Pulumi.local.yaml").read_text()
    own = "elastic-inference:server:\n    image: registry.example.com/team/server:v7\n    tensorflow: 2.15.1-gpu\n"
    (tmp_path / "Pulumi.local.yaml").write_text(text.replace("elastic-inference:server:\n", own))
    monkeypatch.setattr(lab, "ROOT", tmp_path)
    assert lab.tensorflow_library("local") == f"{tensorflow.PREFIX}2.15.1"


def test_without_an_image_or_a_readable_file_it_is_the_default_images() -> None:
    assert (
        lab.tensorflow_library("local")
        == lab.tensorflow_library("no-such-stack")
        == "tensorflow-1.15.0"
    )
