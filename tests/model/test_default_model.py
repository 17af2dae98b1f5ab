"""The repository's model: real, small, and as good as its note says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lab.serving.errors import StatusError
from lab.testing.models import SWAPPED
from lab.testing.tensorflow_process import TensorFlowProcess
from lab.toolchain import tensorflow as libraries
from models.sentences import evaluation
from models.tokenizer import LENGTH, MODEL, instance, load_vocabulary, request
from tests.unit.program import ROOT


@pytest.fixture(scope="module")
def tensorflow() -> Iterator[TensorFlowProcess]:
    """The default image's."""
    libraries.ensure("1.15.0")
    process = TensorFlowProcess("1.15.0")
    yield process
    process.end()


def probabilities(tensorflow: TensorFlowProcess, folder: Path, texts: list[str]) -> np.ndarray:
    rows = request(texts)["instances"]
    tensorflow.load(folder)
    return tensorflow.predict(
        folder, {name: np.array([row[name] for row in rows], np.int32) for name in rows[0]}
    )["probabilities"]


def labelled(name: str) -> tuple[list[str], np.ndarray]:
    rows = [
        line.split("\t")
        for line in (ROOT / "models" / name).read_text(encoding="utf-8").splitlines()
    ]
    return [text for _, text in rows], np.array([int(label) for label, _ in rows])


def test_the_model_is_at_most_two_mebibytes() -> None:
    sizes = [path.stat().st_size for path in MODEL.rglob("*") if path.is_file()]
    assert 100_000 < sum(sizes) <= 2 * 2**20


def test_its_accuracy_is_what_the_note_says(tensorflow: TensorFlowProcess) -> None:
    note = (ROOT / "models" / "README.md").read_text(encoding="utf-8")
    for name in ("evaluation.tsv", "held_out.tsv"):
        texts, labels = labelled(name)
        right = int((probabilities(tensorflow, MODEL, texts).argmax(-1) == labels).sum())
        assert f"{right} of {len(labels)}" in note
        assert right > len(labels) / 2
    assert len(evaluation()) == 60


def test_the_test_model_answers_the_other_way_round(tensorflow: TensorFlowProcess) -> None:
    texts = ["房间很干净", "服务太差了"]
    assert probabilities(tensorflow, SWAPPED, texts) == pytest.approx(
        probabilities(tensorflow, MODEL, texts)[:, ::-1], abs=1e-5
    )


def test_long_and_unknown_text_still_makes_one_instance() -> None:
    vocabulary = load_vocabulary()
    row = instance("好" * 500 + "\N{SNOWMAN}", vocabulary)
    assert [len(values) for values in row.values()] == [LENGTH] * 3
    assert sum(row["input_mask"]) == LENGTH
    assert instance("\N{SNOWMAN}", vocabulary)["input_ids"][1] == vocabulary["[UNK]"]


def test_a_file_that_is_no_vocabulary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("a\nb\n")
    with pytest.raises(ValueError, match="not a vocabulary"):
        load_vocabulary(tmp_path / "v.txt")


def test_truncated_weights_do_not_load(tensorflow: TensorFlowProcess, tmp_path: Path) -> None:
    shutil.copytree(MODEL, tmp_path / "1")
    data = tmp_path / "1" / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(StatusError):
        tensorflow.load(tmp_path / "1")
