"""Renaming, moving and re-typing components with a line in ALIASES changes nothing; without it,
everything would be made anew.

The engine decides what an alias means, so the real one is asked. The children here are kept by the
engine itself: no plugin is needed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.engine.stack import Stack, new_stack
from tests.unit.program import ROOT

PROGRAM = """
from components import component
from components.component import Component

component.ALIASES.update({{{aliases}}})

class Part(Component):
    def __init__(self, token, name, opts=None, child="pool"):
        super().__init__(token, name, opts)
        kept = pulumi.Stash(self.child_name(child), input={{"min": 0}}, opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({{"kept": kept.output}})

{body}
"""
BEFORE = 'Part("inference:compute:Pool", "pool")\nPart("inference:storage:Store", "store")'
CHANGES = {
    "a component is renamed": (
        'Part("inference:compute:Pool", "gpus")\nPart("inference:storage:Store", "store")',
        '"gpus": [pulumi.Alias(name="pool")]',
    ),
    "its type changes": (
        'Part("inference:nodes:GpuPool", "pool")\nPart("inference:storage:Store", "store")',
        '"pool": [pulumi.Alias(type_="inference:compute:Pool")]',
    ),
    "name and type change, two versions ago and one": (
        'Part("inference:nodes:GpuPool", "gpus")\nPart("inference:storage:Store", "store")',
        '"gpus": [pulumi.Alias(name="gpu-pool"), pulumi.Alias(name="pool", type_="inference:compute:Pool")]',
    ),
    "it moves below another one": (
        'store = Part("inference:storage:Store", "store")\nPart("inference:compute:Pool", "pool", pulumi.ResourceOptions(parent=store))',
        '"pool": [pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)]',
    ),
    "a child is renamed": (
        'Part("inference:compute:Pool", "pool", child="nodes")\nPart("inference:storage:Store", "store")',
        '"pool-nodes": [pulumi.Alias(name="pool-pool")]',
    ),
}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack on the earlier version of the program."""
    stack = new_stack(Path(tmp_path_factory.mktemp("renames")))
    stack.environment["PYTHONPATH"] = str(ROOT)
    stack.program(PROGRAM.format(aliases="", body=BEFORE))
    stack.up()
    return stack


def planned(stack: Stack, body: str, aliases: str) -> dict[str, int]:
    """What an up of the later version would do, by kind."""
    stack.program(PROGRAM.format(aliases=aliases, body=body))
    document: dict[str, Any] = json.loads(stack.run("preview", "--json").stdout)
    return document["changeSummary"]


@pytest.mark.parametrize("what", CHANGES)
def test_with_a_line_in_the_table_nothing_is_made_anew(before: Stack, what: str) -> None:
    body, aliases = CHANGES[what]
    assert planned(before, body, aliases) == {"same": 5}


@pytest.mark.parametrize("what", CHANGES)
def test_without_the_line_it_would_be(before: Stack, what: str) -> None:
    body, _ = CHANGES[what]
    summary = planned(before, body, "")
    assert summary["create"] >= 1 and summary["delete"] == summary["create"]
