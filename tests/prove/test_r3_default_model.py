"""R3: the model of the stacks as shipped loads on the TensorFlow of their image, and answers as on
every other version; each version takes and gives strings.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lab.serving.tensorflow import DEFAULT
from lab.testing.figures import measure
from lab.testing.saved_models import VALUES, echoes
from lab.testing.tensorflow_process import TensorFlowProcess
from lab.toolchain import tensorflow as libraries
from models.tokenizer import instance
from ops.engine.cli import ROOT
from providers.ossmodel.tensorflow.check import check
from settings.model import ModelSettings
from settings.server import ServerSettings


def test_the_default_model_answers_on_the_default_images_tensorflow() -> None:
    directory, image = ROOT / ModelSettings().source, ServerSettings().tensorflow_version or ""
    chosen = libraries.choose(image)
    assert chosen.version == "1.15.0" and not chosen.note
    assert not check(directory, chosen.version).refusals
    request = {
        name: np.array([row], np.int32) for name, row in instance("房间很干净，服务很好").items()
    }
    answers = {}
    for version in libraries.RELEASES:
        libraries.ensure(version)
        process = TensorFlowProcess(version)
        try:
            assert DEFAULT in process.load(directory)
            answers[version] = process.predict(directory, request)["probabilities"][0].tolist()
        finally:
            process.end()
    print({version: [round(value, 4) for value in answer] for version, answer in answers.items()})
    widest = max(
        abs(a - b)
        for answer in answers.values()
        for a, b in zip(answer, answers["1.15.0"], strict=True)
    )
    measure(
        "default model on TensorFlow 1.15.0: distance of its answer from the other versions'",
        widest,
    )
    assert answers["1.15.0"] == pytest.approx([0.0556743, 0.9443257], abs=1e-4) and widest <= 1e-4


def test_every_release_takes_and_gives_strings(tmp_path: Path) -> None:
    folder = echoes(tmp_path / "m")
    for version in libraries.RELEASES:
        libraries.ensure(version)
        process = TensorFlowProcess(version)
        try:
            process.load(folder)
            for _ in range(3):
                assert (
                    process.predict(folder, {"string": VALUES["string"]}, "string")[
                        "string"
                    ].tolist()
                    == VALUES["string"].tolist()
                ), version
            many = np.array([b"x" * (number % 60) for number in range(5000)], object)
            assert (
                process.predict(folder, {"string": many}, "string")["string"].tolist()
                == many.tolist()
            ), version
        finally:
            process.end()
    measure("releases that take and give strings", len(libraries.RELEASES), min)
