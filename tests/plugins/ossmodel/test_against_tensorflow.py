"""The check and TensorFlow's own loader give one verdict on each variant of the sample model: in
the three TensorFlows that `make test` runs on, and with EVERY_RELEASE=1 (`make prove ITEM=R2`) in
every one that is pinned, which takes two minutes of CPU.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lab.serving.errors import StatusError
from lab.testing.tensorflow_process import TensorFlowProcess
from lab.toolchain import tensorflow as libraries
from models.tokenizer import MODEL, instance
from providers.ossmodel.tensorflow.check import check
from tests.plugins.ossmodel import variants

RELEASES = tuple(libraries.RELEASES) if os.environ.get("EVERY_RELEASE") == "1" else libraries.TESTED


@pytest.fixture(scope="module", params=RELEASES)
def apart(request: pytest.FixtureRequest) -> Iterator[TensorFlowProcess]:
    """TensorFlow of each version that is tested."""
    libraries.ensure(request.param)
    process = TensorFlowProcess(request.param)
    yield process
    process.end()


def loaders(apart: TensorFlowProcess, directory: Path) -> str:
    """What TensorFlow says: `refused: …`, `fails: …` at the request, or `answers`."""
    try:
        apart.load(directory)
    except StatusError as error:
        return f"refused: {error.message}"
    except EOFError:  # TensorFlow 1.15.0 aborts at an init op's output that does not exist
        apart.__init__(apart.version)
        return "refused: the process has ended"
    try:
        apart.predict(
            directory,
            {name: np.array([row], np.int32) for name, row in instance("房间很干净").items()},
        )
    except StatusError as error:
        return f"fails: {error.message}"
    return "answers"


@pytest.mark.parametrize("name", variants.VARIANTS)
def test_check_and_loader_agree(apart: TensorFlowProcess, name: str, tmp_path: Path) -> None:
    directory = variants.make(name, MODEL, tmp_path)
    report = check(directory, apart.version)
    ours = "refused" if report.refusals else "fails" if report.failing else "answers"
    theirs = loaders(apart, directory)
    assert theirs.partition(":")[0] == ours, (
        f"TensorFlow {apart.version}: {theirs}; the check: {report}"
    )


def test_the_variants_are_of_every_kind() -> None:
    assert len(variants.VARIANTS) >= 40
