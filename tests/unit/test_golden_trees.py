"""Each committed stack registers exactly the tree that was reviewed, and a preview of it needs no
cloud.
"""

import pytest

from tests.unit.golden_trees import DIRECTORY, STACKS, offline_preview, tree


@pytest.mark.parametrize("stack", STACKS)
def test_the_stack_registers_the_reviewed_tree(stack: str) -> None:
    reviewed = (DIRECTORY / f"{stack}.yaml").read_text()
    assert tree(stack) == reviewed, (
        "if the change is meant: python -m tests.unit.golden_trees, and review the difference"
    )


@pytest.mark.parametrize("stack", STACKS)
def test_a_preview_with_given_answers_asks_the_cloud_nothing(stack: str) -> None:
    recording = offline_preview(stack)
    assert recording.calls == []
    assert len(recording.resources) > 25
