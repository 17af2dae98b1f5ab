"""Translates pydantic's error records to Problems."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from settings.core.field import Group, field_docs
from settings.core.problem import PROJECT, Problem, nearest, remove_command, set_command
from settings.root import KEYS, Settings

Step = str | int


def translate(error: ValidationError, data: Mapping[str, Any]) -> list[Problem]:
    """One problem per setting that `error` names; several complaints about one setting are one
    problem.
    """
    problems: dict[str, Problem] = {}
    for detail in error.errors():
        path: Sequence[Step] = [step for step in detail["loc"] if step != "[key]"]
        field = dotted(path)
        problem = (
            _unknown(path, data) if detail["type"] == "extra_forbidden" else _wrong(path, data)
        )
        if detail["loc"][-1] == "[key]":  # the key itself is wrong, and no value fixes it
            problem = replace(problem, remedy=remove_command(field))
        problems.setdefault(field, problem)
    return list(problems.values())


def dotted(path: Sequence[Step]) -> str:
    """`nodePool.vswitchIds[0]` for ("nodePool", "vswitchIds", 0); a key with dots or blanks is
    quoted as the CLI wants it.
    """
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("_", "").replace("-", "").isalnum():
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text if text != "region" else "alicloud:region"


def _wrong(path: Sequence[Step], data: Mapping[str, Any]) -> Problem:
    group, name, depth = _declaration(path)
    docs = field_docs(group, name)
    value = _value(path, data)
    field = dotted(path)
    secret = "SecretStr" in str(group.model_fields[name].annotation)
    if secret:
        remedy = f"pulumi config set --secret '{PROJECT}:{field}' {docs['example']}"
    elif _is_group(group, name):
        remedy = f"write the keys of {field} as indented lines below '{PROJECT}:{field}:' in the stack file"
    elif isinstance(path[-1], int) or depth < len(path) or not _is_collection(group, name):
        remedy = set_command(field, docs["example"])
    else:
        inner = "[0]" if "list" in str(group.model_fields[name].annotation) else ".<key>"
        remedy = set_command(field + inner, docs["example"])
    return Problem(
        field, "<secret>" if secret else value, docs["expected"], docs["consequence"], remedy
    )


def _unknown(path: Sequence[Step], data: Mapping[str, Any]) -> Problem:
    parent = path[:-1]
    known = [key for key in _known_keys(parent) if key not in ("project", "stack", "region")]
    word, field = str(path[-1]), dotted(path)
    guess = nearest(word, known)
    place = f"a key of {dotted(parent)}" if parent else "a setting of this project"
    expected = (
        f"{place}; did you mean {guess}?" if guess else f"{place}: {', '.join(sorted(known))}"
    )
    remedy = remove_command(field)
    if guess:
        remedy += f" && {set_command(dotted([*parent, guess]), '<value>')}"
    return Problem(
        field,
        _value(path, data),
        expected,
        "it is not read, and the default is used in its place",
        remedy,
    )


def _known_keys(parent: Sequence[Step]) -> list[str]:
    if not parent:
        return list(KEYS)
    group, name, _ = _declaration(parent)
    inner = _model_of(group, name)
    return [field.alias or key for key, field in inner.model_fields.items()] if inner else []


def _declaration(path: Sequence[Step]) -> tuple[type[BaseModel], str, int]:
    """The group and the attribute that declare the deepest declared setting on `path`, and how many
    steps that took.
    """
    group: type[BaseModel] = Settings
    found: tuple[type[BaseModel], str, int] | None = None
    keyed = False
    for depth, step in enumerate(path, 1):
        # An item of a list or of a map; what its keys mean is declared by the group below.
        if isinstance(step, int) or keyed:
            keyed = False
            continue
        name = next(
            (key for key, field in group.model_fields.items() if step in (field.alias, key)), None
        )
        if name is None:
            break
        found = (group, name, depth)
        inner = _model_of(group, name)
        if inner is None:
            break
        keyed = str(group.model_fields[name].annotation).startswith("dict")
        group = inner
    if found is None:
        raise KeyError(dotted(path))
    return found


def _model_of(group: type[BaseModel], name: str) -> type[Group] | None:
    annotation = group.model_fields[name].annotation
    candidates = (annotation, *get_args(annotation))
    return next(
        (kind for kind in candidates if isinstance(kind, type) and issubclass(kind, Group)), None
    )


def _is_group(group: type[BaseModel], name: str) -> bool:
    return _model_of(group, name) is not None


def _is_collection(group: type[BaseModel], name: str) -> bool:
    return str(group.model_fields[name].annotation).startswith(("list", "dict"))


def _value(path: Sequence[Step], data: Any) -> Any:
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data
