"""From an image and a container spec to what is executed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lab.kubelet import images
from lab.kubelet.images import (
    KNOWN,
    REPOSITORY,
    UnknownImageError,
    command_line,
    expand,
    has_tag,
    image_id,
    require_libraries,
    resolve,
    serving_environment,
    split,
)
from lab.toolchain import tensorflow

RUN = [sys.executable, "-m", "lab.serving"]


@pytest.mark.parametrize(
    "reference",
    [
        "tensorflow/serving:1.15.0-gpu",
        "tensorflow/serving",
        "docker.io/tensorflow/serving:2.20.0",
        "registry.mine.example/tensorflow/serving:of-our-own",
        "registry.cn-shanghai.aliyuncs.com/tensorflow/serving:x",
        "registry-vpc.cn-shanghai.aliyuncs.com/acs/tensorflow-serving:1",
        "tensorflow/serving:1@sha256:" + "0" * 64,
    ],
)
def test_every_name_of_the_serving_image_is_known(reference: str) -> None:
    assert resolve(reference).kind == "serving"


@pytest.mark.parametrize(
    "reference", ["registry.k8s.io/pause:3.10", "pause", "busybox", "alpine:3", "python:3.12-slim"]
)
def test_helper_images_are_known(reference: str) -> None:
    assert resolve(reference).kind in ("pause", "shell")


@pytest.mark.parametrize(
    ("reference", "full", "said"),
    [
        ("tensorflow/servin:1.15.0", "docker.io/tensorflow/servin:1.15.0", "pull access denied, repository does not exist or may require"),
        ("tensorflow/serving:2.15.0", "docker.io/tensorflow/serving:2.15.0", "docker.io/tensorflow/serving:2.15.0: not found"),
        ("tensorflow/serving:9.9.9", "docker.io/tensorflow/serving:9.9.9", "docker.io/tensorflow/serving:9.9.9: not found"),
        ("python:2.99", "docker.io/library/python:2.99", "docker.io/library/python:2.99: not found"),
        ("registry.example.com/a:1", "registry.example.com/a:1", "dial tcp: lookup registry.example.com on 100.100.2.136:53: no such host"),
        ("busybx@sha256:" + "1" * 64, "docker.io/library/busybx@sha256:" + "1" * 64, "pull access denied"),
    ],
)  # fmt: skip
def test_an_image_that_no_registry_has_is_refused_in_the_runtimes_words(
    reference: str, full: str, said: str
) -> None:
    with pytest.raises(UnknownImageError) as caught:
        resolve(reference)
    text = str(caught.value)
    assert (
        text.startswith(
            f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": '
        )
        and said in text
    )


def test_a_public_image_has_the_tags_of_its_registry_and_those_after_the_list_ends() -> None:
    public = KNOWN["images"]["docker.io/tensorflow/serving"]
    newest = max(tuple(map(int, one.split("."))) for one in public["releases"])
    assert all(
        has_tag(public, f"{one}{kind}")
        for one in public["releases"]
        for kind in ("", "-gpu", "-devel-gpu")
    )
    assert has_tag(public, f"{newest[0]}.{newest[1] + 1}.0-gpu") and not has_tag(
        public, f"{newest[0] + 1}.0.0"
    )
    assert all(entry["source"].startswith("https://") for entry in KNOWN["images"].values())


def test_a_malformed_reference_is_called_invalid() -> None:
    with pytest.raises(UnknownImageError, match="invalid reference format") as caught:
        resolve("Tensorflow/Serving:1")
    assert caught.value.reason == "InvalidImageName"


def test_names_are_completed_and_have_a_stable_digest() -> None:
    assert split("busybox") == ("docker.io/library/busybox", "latest")
    assert split("localhost:5000/a:1") == ("localhost:5000/a", "1")
    assert image_id("busybox") == image_id("busybox:latest") != image_id("busybox:1")


def test_the_server_binary_becomes_the_serving_process() -> None:
    spec = {
        "command": ["/usr/bin/tensorflow_model_server"],
        "args": ["--port=8500", "--model_name=$(NAME)"],
    }
    assert command_line(resolve("tensorflow/serving"), spec, {"NAME": "m"}) == [
        *RUN,
        "--port=8500",
        "--model_name=m",
    ]


def test_a_shell_around_the_server_binary_stays_a_shell() -> None:
    script = "/usr/bin/tensorflow_model_server --port=8500 --model_base_path=/models/tensorflow"
    words = command_line(
        resolve("tensorflow/serving"), {"command": ["sh", "-c"], "args": [script]}, {}
    )
    assert words[:2] == ["/bin/sh", "-c"]
    assert words[2] == f"{' '.join(RUN)} --port=8500 --model_base_path=/models/tensorflow"


def test_the_images_own_entry_point_uses_its_variables() -> None:
    words = command_line(resolve("tensorflow/serving"), {"args": ["--enable_batching"]}, {})
    assert "--model_name=${MODEL_NAME:-model}" in words[2]
    assert "--model_base_path=${MODEL_BASE_PATH:-/models}/${MODEL_NAME:-model}" in words[2]
    assert words[-1] == "--enable_batching"


def test_pause_runs_nothing_and_a_shell_image_runs_the_command() -> None:
    assert command_line(resolve("pause"), {}, {}) == []
    assert command_line(resolve("busybox"), {"command": ["sleep", "5"]}, {}) == ["sleep", "5"]
    assert command_line(resolve("busybox"), {}, {}) == ["sh"]


def test_references_expand_unknown_ones_stay_and_dollars_escape() -> None:
    assert expand("$(A)-$(B)-$$(A)-$A", {"A": "1"}) == "1-$(B)-$(A)-$A"


def test_a_serving_image_whose_tensorflow_is_not_here_is_not_pulled_and_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EI_CACHE", str(tmp_path))
    with pytest.raises(UnknownImageError) as caught:
        require_libraries("tensorflow/serving:2.15.1-gpu")
    assert str(caught.value).startswith(
        'failed to pull and unpack image "docker.io/tensorflow/serving:2.15.1-gpu": '
    )
    assert "`python -m lab.toolchain ensure tensorflow-2.15.1`" in str(caught.value)
    monkeypatch.setattr(tensorflow, "there", lambda: ["2.15.1"])
    require_libraries("tensorflow/serving:2.15.0")


def test_an_image_of_which_the_pod_says_its_tensorflow_serves_with_that() -> None:
    reference, annotations = (
        "registry.example.com/team/server:v7",
        {images.TENSORFLOW_ANNOTATION: "2.15.1-gpu"},
    )
    server = {"image": reference, "command": ["/usr/bin/tensorflow_model_server"]}
    pod = {"metadata": {"annotations": annotations}}
    assert (
        images.declared(pod, server) == images.declared(pod, {"image": reference}) == "2.15.1-gpu"
    )
    assert resolve(reference, images.declared(pod, server)).kind == "serving"
    assert (
        serving_environment(reference, images.declared(pod, server))["LAB_IMAGE_TAG"]
        == "2.15.1-gpu"
    )
    assert (
        serving_environment("tensorflow/serving:1.15.0", "2.15.1-gpu")["LAB_IMAGE_TAG"]
        == "2.15.1-gpu"
    )
    assert images.declared(pod, {"image": reference, "command": ["/bin/proxy"]}) == "", (
        "another container of the pod"
    )
    assert images.declared({"metadata": {}}, server) == ""
    with pytest.raises(UnknownImageError):
        resolve(reference)


def test_the_serving_process_learns_the_tag_and_the_cache_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EI_CACHE", str(tmp_path))
    environment = serving_environment(
        "registry-vpc.cn-shanghai.aliyuncs.com/acs/tensorflow-serving:1.15.0-gpu"
    )
    assert environment == {
        "LAB_IMAGE_TAG": "1.15.0-gpu",
        "EI_CACHE": str(tmp_path),
        "PYTHONPATH": str(REPOSITORY),
    }
