"""What the CLI's `config set` and `config rm` make of a stack's configuration, without the CLI.

tests/ops/test_settings_in_previews.py holds this to the CLI itself.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
from typing import Any

from tests.unit.program import PROJECT

_STEP = re.compile(r'\["([^"]*)"\]|\[(\d+)\]|\.?([^.\[\]]+)')


def stored(text: str) -> Any:
    """The value that `config set --path` stores for a word: whole numbers and truth values are
    taken for what they are, everything else is text, decimals and quotes included.
    """
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"0|-?[1-9][0-9]*", text):
        return int(text)
    return text


def commands(remedy: str) -> list[str]:
    """The commands that a remedy prints, alternatives in brackets and words around them left
    out.
    """
    plain = remedy.split("  (", maxsplit=1)[0]
    found = re.findall(r"pulumi config (?:set|rm) (?:'[^']*'|\"[^\"]*\"|[^'&,])+", plain)
    return [command.strip() for command in found]


def follow(command: str, values: dict[str, str]) -> None:
    """Changes `values` (full keys, objects as JSON, as the engine hands them over) as the command
    would.
    """
    words = shlex.split(command)[2:]
    verb, rest = words[0], [word for word in words[1:] if word not in ("--path", "--secret", "--")]
    key = rest[0] if ":" in rest[0] else f"{PROJECT}:{rest[0]}"
    if "--path" not in words:
        if verb == "rm":
            values.pop(key, None)
        else:
            values[key] = rest[1]
        return
    space, _, path = key.partition(":")
    steps = [
        quoted or (int(number) if number else name) for quoted, number, name in _STEP.findall(path)
    ]
    top = f"{space}:{steps[0]}"
    document = json.loads(values.get(top, "{}"))
    parent = document
    for step, following in itertools.pairwise(steps[1:]):
        parent = _child(parent, step, [] if isinstance(following, int) else {})
    if verb == "rm":
        del parent[steps[-1]]
    elif isinstance(parent, list) and steps[-1] == len(parent):
        parent.append(stored(rest[1]))
    else:
        parent[steps[-1]] = stored(rest[1])
    values[top] = json.dumps(document)


def _child(parent: Any, step: Any, empty: Any) -> Any:
    if isinstance(parent, list):
        return parent[step]
    if not isinstance(parent.get(step), type(empty)):
        parent[step] = empty
    return parent[step]
