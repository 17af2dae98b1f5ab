"""The model is compared with the image's TensorFlow when the settings are read, before a plugin
starts or anything is bought.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.ossmodel.tensorflow.messages import message
from settings.advice import advice
from settings.core.loading import load
from settings.core.problem import Problem
from settings.server import ServerSettings, _image_loads_the_model
from tests.plugins.ossmodel import savedmodels
from tests.unit.program import ROOT, run, stack_values


def settings(**changes: Any) -> Any:
    """Settings of the lab's stack with some changed, by group."""
    secrets = ("elastic-inference:kubeconfig", "elastic-inference:htpasswd")
    base = load(
        stack_values("local"), secrets, project="elastic-inference", stack="local", environment={}
    )
    return base.model_copy(
        update={
            name: getattr(base, name).model_copy(update=values) for name, values in changes.items()
        }
    )


def refusals(given: Any) -> Iterator[Problem]:
    """What is wrong with serving the model with the image."""
    return _image_loads_the_model(given.model, given.server)


def newer_model(parent: Path, debug_name: bool = True) -> Path:
    """The sample model as TensorFlow 2.21 wrote it, or with an op that TensorFlow 2.10 was the
    first to have.
    """
    directory = savedmodels.make(parent)
    model = message("SavedModel").FromString(
        (ROOT / "models/chnsenticorp/1623831335/saved_model.pb").read_bytes()
    )
    nodes = model.meta_graphs[0].graph_def.node
    handle = next(node for node in nodes if node.op == "VarHandleOp")
    if debug_name:
        handle.attr["debug_name"].s = b"w"
    else:
        nodes.add(name="read", op="DisableCopyOnRead").input.append(handle.name)
    (directory / "saved_model.pb").write_bytes(model.SerializeToString())
    for path in (ROOT / "models/chnsenticorp/1623831335/variables").iterdir():
        (directory / "variables" / path.name).write_bytes(path.read_bytes())
    return directory


def test_the_default_image_loads_the_sample_model() -> None:
    assert settings().server.tensorflow_version == "1.15.0-gpu"
    assert list(refusals(settings())) == []


def test_an_image_that_is_too_old_is_told_with_the_first_that_is_not(tmp_path: Path) -> None:
    source = newer_model(tmp_path, debug_name=False)
    (problem,) = refusals(settings(model={"source": str(source)}))
    assert problem.field == "server.image" and problem.value == "tensorflow/serving:1.15.0-gpu"
    assert (
        f"an image that loads {source}. op DisableCopyOnRead (node read): an op that TensorFlow 1.15 has"
        in problem.expected
    )
    assert "the pod never becomes ready" in problem.consequence
    assert problem.remedy.startswith(
        "set server.image to one of TensorFlow 2.10 or newer; or export the model with TensorFlow 1.15.0"
    )
    assert (
        list(
            refusals(
                settings(
                    model={"source": str(source)}, server={"image": "tensorflow/serving:2.15.1"}
                )
            )
        )
        == []
    )


def test_a_model_that_can_be_rewritten_for_the_image_is_told_how(tmp_path: Path) -> None:
    source = newer_model(tmp_path)
    (problem,) = refusals(settings(model={"source": str(source)}, server={"tensorflow": "2.4.0"}))
    assert problem.field == "server.tensorflow" and "no attribute 'debug_name'" in problem.expected
    assert "TensorFlow 2.5 or newer" in problem.remedy
    assert (
        f"python -m providers.ossmodel.tensorflow.portable {source} --tensorflow 2.4.0"
        in problem.remedy
    )


def test_a_damaged_model_is_the_sources_fault_whatever_the_image(tmp_path: Path) -> None:
    source = savedmodels.make(tmp_path)
    (source / "variables/variables.data-00000-of-00001").write_bytes(b"short")
    (problem,) = refusals(
        settings(model={"source": str(source)}, server={"image": "registry.example.com/bert:3.1.0"})
    )
    assert problem.field == "model.source" and "at least 700 bytes" in problem.expected


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("tensorflow/serving:1.15.0-gpu", "1.15.0-gpu"),
        ("registry-vpc.cn-shanghai.aliyuncs.com/ml/tf-serving:2.8.0", "2.8.0"),
        ("registry:5000/ml/tensorflow-serving:v2.19.1-gpu-mirror", "2.19.1-gpu"),
        ("tensorflow/serving@sha256:" + "a" * 64, None),
        ("registry.example.com/bert:3.1.0", None),
        ("tensorflow/serving:nightly", None),
    ],
)
def test_the_version_is_taken_from_the_tag_of_a_serving_image_only(
    image: str, version: str | None
) -> None:
    assert ServerSettings(image=image).tensorflow_version == version
    assert ServerSettings(image=image, tensorflow="2.15.1").tensorflow_version == "2.15.1"
    told = [
        text
        for text in advice(settings(server={"image": image}))
        if "which TensorFlow it holds" in text
    ]
    assert len(told) == (version is None)


def test_volume_options_that_the_client_does_not_take_are_warned_about_with_its_words() -> None:
    told = [
        text
        for text in advice(
            settings(model={"volume_options": "-o close_to_open=false -o umask=022"})
        )
        if "volumeOptions" in text
    ]
    assert (
        len(told) == 1
        and "does not take umask=022 (unknown command line flag 'umask')" in told[0]
        and "https://" in told[0]
    )
    assert not [text for text in advice(settings()) if "volumeOptions" in text]


def test_the_tensorflow_of_an_image_whose_name_does_not_say_it_is_noted_on_the_pods_and_else_nothing_is() -> (
    None
):
    def pods(server: dict[str, str]) -> dict[str, Any]:
        template = (
            run(changes={"server": server} if server else None)
            .named("server-deployment")
            .inputs["spec"]["template"]
        )
        return template["metadata"].get("annotations", {})

    assert pods({"image": "registry.example.com/team/serving:7", "tensorflow": "1.15.0"}) == {
        "elastic-inference/tensorflow": "1.15.0"
    }
    assert pods({}) == {}
