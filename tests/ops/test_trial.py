"""The request that a model is asked with: made from its own signature, taken from a file, or a
sentence for the repository's model.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from models.tokenizer import request
from ops import saved_model, trial
from ops.engine.cli import ROOT
from ops.saved_model import Signature, Tensor, UnreadableModelError
from ops.trial import TrialError

SAMPLE = ROOT / "models" / "chnsenticorp" / "1623831335"


def signature(
    method: str = "predict", name: str = "serving_default", **inputs: Tensor
) -> dict[str, Signature]:
    """One signature of these inputs."""
    return {
        name: Signature(
            name, f"tensorflow/serving/{method}", inputs, {"y": Tensor("float", (-1, 1))}
        )
    }


def stack(root: Path, **groups: object) -> str:
    """A stack's file below `root`, with these groups of settings; its name."""
    (root / "Pulumi.mine.yaml").write_text(
        json.dumps(
            {"config": {f"elastic-inference:{name}": group for name, group in groups.items()}}
        )
    )
    return "mine"


def saved(directory: Path, text: str) -> Path:
    """A SavedModel in the text form."""
    directory.mkdir(parents=True)
    (directory / "saved_model.pbtxt").write_text(text)
    return directory


IMAGE = """
meta_graphs { meta_info_def { tags: "serve" tensorflow_version: "2.15.0" } graph_def { versions { producer: 1645 } }
  signature_def { key: "serving_default" value {
    inputs { key: "pixels" value { name: "x:0" dtype: DT_FLOAT tensor_shape { dim { size: -1 } dim { size: 2 } dim { size: 3 } } } }
    inputs { key: "flag" value { name: "f:0" dtype: DT_BOOL tensor_shape { } } }
    outputs { key: "y" value { name: "y:0" dtype: DT_FLOAT tensor_shape { unknown_rank: true } } }
    method_name: "tensorflow/serving/predict" } } }
"""


def test_the_samples_signature_is_read() -> None:
    found = saved_model.signatures(SAMPLE)["serving_default"]
    assert (
        found.inputs == trial.SAMPLE_INPUTS and str(found.outputs["probabilities"]) == "float[?,2]"
    )


def test_the_repositorys_model_gets_a_sentence_by_its_own_vocabulary(tmp_path: Path) -> None:
    found = trial.of_stack("local")
    assert (
        json.loads(found.body) == request([trial.SENTENCE])
        and found.sample
        and found.verb == "predict"
    )
    other = tmp_path / "models" / "7"
    shutil.copytree(SAMPLE, other)
    words = (other / "assets" / "vocab.txt").read_text().splitlines()
    (other / "assets" / "vocab.txt").write_text(
        "\n".join([*words[:4], "好", *(word for word in words[4:] if word != "好")]) + "\n"
    )
    mine = trial.of_stack(stack(tmp_path, model={"source": "models/7"}), "好", root=tmp_path)
    assert json.loads(mine.body)["instances"][0]["input_ids"][1] == 4


def test_another_model_gets_zeros_of_its_own_shapes_and_types(tmp_path: Path) -> None:
    saved(tmp_path / "m" / "3", IMAGE)
    found = trial.of_stack(stack(tmp_path, model={"source": "m/3"}), root=tmp_path)
    assert json.loads(found.body) == {"inputs": {"flag": False, "pixels": [[[0.0] * 3] * 2]}}
    assert (
        not found.sample
        and found.what == "zeros for signature serving_default (flag bool[], pixels float[?,2,3])"
    )
    with pytest.raises(TrialError, match="not a model that takes a sentence"):
        trial.of_stack("mine", "好", root=tmp_path)


@pytest.mark.parametrize(
    ("tensor", "value"),
    [
        (Tensor("int64", (-1, 2)), [[0, 0]]),
        (Tensor("uint8", (3,)), [0, 0, 0]),
        (Tensor("string", (-1,)), [""]),
        (Tensor("double", ()), 0.0),
        (Tensor("half", None), [0.0]),
        (Tensor("bool", (-1, 1)), [[False]]),
        (Tensor("float", (-1, 0)), [[]]),
    ],
    ids=str,
)
def test_zeros_have_the_shape_and_the_type_that_is_asked_for(tensor: Tensor, value: object) -> None:
    assert trial.zeros("x", tensor) == value


def test_what_no_json_can_say_is_told_with_the_way_out() -> None:
    with pytest.raises(TrialError, match=r"input handle is a resource.*model\.request"):
        trial.of_zeros(signature(handle=Tensor("resource", ())), "m/1", 8 << 20)
    with pytest.raises(
        TrialError, match=r"more than entry\.bodyMib lets through \(8 MiB\).*model\.request"
    ):
        trial.of_zeros(signature(x=Tensor("float", (-1, 4096, 4096))), "m/1", 8 << 20)
    with pytest.raises(TrialError, match="no signature that takes anything"):
        trial.of_zeros({}, "m/1", 8 << 20)


def test_a_model_without_a_default_signature_is_asked_by_name() -> None:
    body = json.loads(
        trial.of_zeros(signature(name="score", x=Tensor("float", (-1,))), "m/1", 8 << 20).body
    )
    assert body == {"signature_name": "score", "inputs": {"x": [0.0]}}


@pytest.mark.parametrize(
    ("method", "body", "verb"),
    [
        ("predict", {"instances": [1]}, "predict"),
        ("predict", {"inputs": {"x": 1}}, "predict"),
        ("classify", {"examples": [{"x": 1}]}, "classify"),
        ("regress", {"examples": [{"x": 1}]}, "regress"),
    ],
)
def test_a_request_from_a_file_goes_to_the_verb_that_fits_it(
    tmp_path: Path, method: str, body: dict, verb: str
) -> None:
    (tmp_path / "r.json").write_text(json.dumps(body))
    found = trial.from_file(tmp_path / "r.json", signature(method, x=Tensor("string", (-1,))))
    assert found.verb == verb and json.loads(found.body) == body and not found.sample
    assert found.url("http://h/v1/models/m:predict") == f"http://h/v1/models/m:{verb}"


def test_the_setting_names_the_file(tmp_path: Path) -> None:
    saved(tmp_path / "m" / "3", IMAGE)
    (tmp_path / "r.json").write_text('{"instances": [{"pixels": [], "flag": true}]}')
    name = stack(tmp_path, model=json.dumps({"source": "m/3", "request": "r.json"}))
    assert trial.of_stack(name, root=tmp_path).what == "the request in r.json"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1]", "holds a list"),
        ("{", "not JSON"),
        ("{}", "none of these keys"),
        ('{"inputs": 1, "instances": []}', "instances and inputs"),
        (None, "can't be read"),
    ],
)
def test_a_file_that_holds_no_request_is_told(tmp_path: Path, text: str | None, told: str) -> None:
    if text is not None:
        (tmp_path / "r.json").write_text(text)
    with pytest.raises(TrialError, match=told) as caught:
        trial.from_file(tmp_path / "r.json", {})
    assert "r.json" in str(caught.value) and "expected" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "has no saved_model.pb"),
        ({"saved_model.pb": b"\xff\xff"}, "can't be read"),
        ({"saved_model.pb": b""}, "no graph has the tag serve"),
    ],
)
def test_a_model_that_can_not_be_read_is_told(
    tmp_path: Path, content: dict[str, bytes], told: str
) -> None:
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UnreadableModelError, match=told):
        saved_model.signatures(tmp_path)


def test_a_stack_without_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrialError, match=r"there is no Pulumi.nosuch.yaml here"):
        trial.of_stack("nosuch", root=tmp_path)
