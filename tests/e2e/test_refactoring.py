"""Every component of a running stack renamed, moved and given another type, with a line in ALIASES
each: nothing changes.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import shutil

from lab.testing.figures import figure
from tests.e2e.harness import STACK, Lab

COMPONENT = re.compile(r'\b(?P<kind>[A-Z]\w+)\(\s*"(?P<name>\w+)",\s+(?P=kind)Args')
OUTSIDE = re.compile(r'\b(?:kubernetes_provider|serving_namespace)\(\s*"(?P<name>\w+)"')
MAKERS = ("__main__.py", "components/compute/prerequisites.py")
"""Where components are made; those of a cluster from nothing are renamed with the rest, though this
stack has none.
"""
GROUP = """
class Everything(Component):
    def __init__(self):
        super().__init__("inference:all:Everything", "everything", None)

def below(opts):
    if not hasattr(Component, "everything"):
        Component.everything = None
        Component.everything = Everything()
    return pulumi.ResourceOptions.merge(pulumi.ResourceOptions(parent=Component.everything), opts)
"""


def refactored(lab: Lab, directory: pathlib.Path) -> tuple[Lab, list[str]]:
    """A copy of the program in which nothing is called or placed as before, and what its components
    are called now.
    """
    program = directory / "refactored"
    shutil.copytree(
        lab.program, program, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    renamed, lines = [], []
    for source in MAKERS:
        text = (program / source).read_text()
        for match in [*COMPONENT.finditer(text), *OUTSIDE.finditer(text)]:
            name = match["name"]
            old_type = ""
            if "kind" in match.groupdict():
                old_type = f', type_="{retyped(program, match["kind"])}", parent=pulumi.ROOT_STACK_RESOURCE'
            text = re.sub(rf'(\(\s*)"{name}",', rf'\1"the-{name}",', text)
            renamed.append(f"the-{name}")
            lines.append(f'ALIASES["the-{name}"] = [pulumi.Alias(name="{name}"{old_type})]')
        (program / source).write_text(text)
    table = program / "components" / "component.py"
    text = table.read_text().replace(
        "token, name, None, with_aliases(opts)", "token, name, None, with_aliases(below(opts))"
    )
    text = text.replace("below(opts)", 'opts if name == "everything" else below(opts)')
    table.write_text(text + GROUP + "\n".join(lines) + "\n")
    return dataclasses.replace(lab, program=program), renamed


def retyped(program: pathlib.Path, kind: str) -> str:
    """Gives a component another type; what it was."""
    (source,) = [
        path
        for path in (program / "components").rglob("*.py")
        if f"class {kind}(Component)" in path.read_text()
    ]
    text = source.read_text()
    (token,) = re.findall(r'"(inference:\w+:\w+)"', text)
    source.write_text(
        text.replace(f'"{token}"', f'"{token.replace("inference:", "inference:re")}"')
    )
    return token


def test_a_refactoring_of_the_whole_program_replaces_nothing(
    deployed: Lab, tmp_path: pathlib.Path
) -> None:
    later, renamed = refactored(deployed, tmp_path)
    assert len(renamed) >= 18
    here = {resource["urn"].split("::")[-1] for resource in deployed.state()}
    assert len(here & {name.removeprefix("the-") for name in renamed}) >= 13, (
        "of what this stack has, too"
    )
    document = json.loads(later.pulumi("preview", "--stack", STACK, "--json").stdout)
    created = [step["urn"].split("::")[-1] for step in document["steps"] if step["op"] == "create"]
    assert created == ["everything"], created
    known = [
        resource
        for resource in deployed.state()
        if not resource["urn"].split("::")[2].startswith("pulumi:providers:")
    ]
    assert document["changeSummary"] == {"same": len(known) + 1, "create": 1}, (
        "the kubernetes provider is counted, default ones are not"
    )
    figure(
        f"{len(renamed)} components renamed, moved and re-typed: {len(known)} resources the same, 0 replaced"
    )
