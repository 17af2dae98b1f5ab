"""The check and TensorFlow's loader give one verdict on models damaged at random: renamed, dropped
and exchanged nodes, tensors, functions, types, signatures, savers, assets; cut and changed files.

In the TensorFlow of the default image; with EVERY_RELEASE=1 in the others that are tested, too.
DAMAGES is how many damages of each kind each model gets (1; `make prove ITEM=R2` does more). What
the check doesn't compute, shapes and kernels, isn't held here: such differences are counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.testing import saved_models
from lab.testing.figures import measure
from lab.toolchain import tensorflow as libraries
from models.tokenizer import MODEL
from providers.ossmodel.tensorflow.messages import message
from tests.plugins.ossmodel import mutations

DAMAGES = int(os.environ.get("DAMAGES", "1"))


RELEASES = libraries.TESTED if os.environ.get("EVERY_RELEASE") == "1" else libraries.TESTED[:1]


@pytest.fixture(scope="module", params=RELEASES)
def loader(request: pytest.FixtureRequest) -> Iterator[mutations.Loader]:
    """TensorFlow of each version that is tested."""
    libraries.ensure(request.param)
    process = mutations.Loader(request.param)
    yield process
    process.end()


def test_check_and_loader_agree_on_damaged_models(loader: mutations.Loader, tmp_path: Path) -> None:
    bases = [
        MODEL,
        saved_models.vocabulary(tmp_path / "vocabulary" / "1"),
        saved_models.examples(tmp_path / "examples" / "1"),
    ]
    found = list(
        mutations.outcomes(loader, bases, range(DAMAGES), mutations.kinds(), tmp_path / "damaged")
    )
    computed = [outcome for outcome in found if not outcome.of_shapes_or_kernels]
    measure(f"damaged models judged on TensorFlow {loader.version}", len(found), min)
    measure(
        f"of these not comparable, by shapes or kernels, on TensorFlow {loader.version}",
        len(found) - len(computed),
    )
    assert len(computed) >= 60 * DAMAGES and {outcome.theirs for outcome in computed} >= {
        "refused",
        "fails",
        "answers",
    }
    differ = [
        f"{outcome.what}: check {outcome.ours}, loader {outcome.theirs}: {outcome.message}"
        for outcome in computed
        if not outcome.agree
    ]
    assert not differ, "\n".join(differ)


def test_the_same_number_gives_the_same_damage(tmp_path: Path) -> None:
    for kind in mutations.kinds():
        done = [mutations.mutate(MODEL, tmp_path / kind / str(turn), kind, 0) for turn in range(2)]
        assert done[0] == done[1]
        if done[0] is not None and kind in mutations.GRAPH:
            texts = [
                message("SavedModel").FromString(
                    (tmp_path / kind / str(turn) / "saved_model.pb").read_bytes()
                )
                for turn in range(2)
            ]
            assert texts[0] == texts[1]
