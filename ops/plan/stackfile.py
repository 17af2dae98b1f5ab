"""Gives the chosen settings as commands, or writes them into the stack's file and keeps its
comments.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ops.plan.problems import PlanError
from settings.core.problem import PROJECT, Problem
from settings.core.stack_file import parse


def commands(settings: Mapping[str, Any], stack: str | None = None) -> list[str]:
    """`pulumi config set` lines for the settings (dotted keys)."""
    option = f" --stack {stack}" if stack else ""
    lines = []
    for key, value in sorted(settings.items()):
        if isinstance(value, (list, dict)):
            lines += commands(
                {f"{key}[{i}]": v for i, v in enumerate(value)}
                if isinstance(value, list)
                else {f"{key}.{k}": v for k, v in value.items()},
                stack,
            )
            continue
        text = json.dumps(value) if isinstance(value, bool | int | float) else f"'{value}'"
        lines.append(f"pulumi config set{option} --path '{PROJECT}:{key}' {text}")
    return lines


def write(path: Path, settings: Mapping[str, Any]) -> list[str]:
    """Write the settings into the stack file `path`; comments and order are kept. Returns the
    changes, one line each.

    The whole file is checked by the program's own rules first. Raises PlanError with the problems
    that the change would cause; then nothing is written.
    """
    yaml = _round_trip()
    before = path.read_text()
    data = yaml.load(before)
    changes = []
    for key, value in sorted(settings.items()):
        changes += _put(data["config"], key, value)
    out = io.StringIO()
    yaml.dump(data, out)
    _check(path, before, out.getvalue())
    if changes:
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(out.getvalue())
        os.replace(beside, path)
    return changes


def _put(config: Any, key: str, value: Any) -> list[str]:
    group, _, name = key.partition(".")
    full = f"{PROJECT}:{group}"
    settings, last = (config.setdefault(full, {}), name) if name else (config, full)
    old = settings.get(last)
    if old == value and type(old) is type(value):
        return []
    settings[last] = value
    return [f"{key}: {'not set' if old is None else old} -> {value}"]


def _round_trip() -> Any:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _check(path: Path, before: str, after: str) -> None:
    """Check the changed file by the program's own rules; its earlier problems don't count."""
    earlier = {problem.field for problem in _problems(path, before)}
    new = [problem for problem in _problems(path, after) if problem.field not in earlier]
    if new:
        raise PlanError(
            [
                Problem(f"{path.name}: {p.field}", p.value, p.expected, p.consequence, p.remedy)
                for p in new
            ]
        )


def _problems(path: Path, text: str) -> Sequence[Any]:
    return parse(text, path.name.split(".")[1], path.name).problems(os.environ)
