"""docs/settings.md and the `config:` block of Pulumi.yaml, written from the declarations.

`python -m settings.core.doc` rewrites both and the README's table; `--check` only says whether they
are current (exit 1 when not).
"""

import inspect
import json
import sys
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from settings.core.field import Group, field_docs
from settings.core.problem import PROJECT
from settings.root import GROUPS, KEYS, Settings

ROOT = Path(__file__).resolve().parents[2]
BEGIN = "# Written by `python -m settings.core.doc` from settings/; edit there.\n"
TABLE_BEGIN, TABLE_END = (
    "<!-- settings: written by python -m settings.core.doc -->",
    "<!-- /settings -->",
)
INTRO = f"""# Settings

Written from the declarations in `settings/` by `python -m settings.core.doc`.

Every setting lives in `Pulumi.<stack>.yaml` below `{PROJECT}:<group>`, for example

    config:
      {PROJECT}:nodePool:
        vswitchIds: [vsw-uf6abc, vsw-uf6def]
        maxSize: 20

or from the command line: `pulumi config set --path '{PROJECT}:nodePool.maxSize' 20`. The region is `alicloud:region`. Secrets are set with
`pulumi config set --secret`. Unknown keys are errors; all errors of a file are shown at once.
"""


def markdown() -> str:
    """The whole of docs/settings.md."""
    parts = [
        INTRO,
        "## Single settings\n",
        _table(Settings, [key for key in KEYS if key not in GROUPS]),
    ]
    for key in GROUPS:
        group = _group(_field(key)[1])
        parts += _section(key, group)
        for name, field in group.model_fields.items():
            inner = next(
                (
                    kind
                    for kind in get_args(field.annotation)
                    if isinstance(kind, type) and issubclass(kind, Group)
                ),
                None,
            )
            if inner is not None and field.default is None:
                parts += _section(f"{key}.{field.alias or name}", inner)
    return "\n".join(parts)


def _section(key: str, group: type[Group]) -> list[str]:
    keys = [field.alias or name for name, field in group.model_fields.items()]
    return [f"\n## `{key}`\n\n{_summary(group)}\n", _table(group, keys)]


def _summary(group: type[Group]) -> str:
    """The first paragraph of the group's docstring, on one line."""
    return " ".join(inspect.cleandoc(group.__doc__ or "").split("\n\n")[0].split())


def schema() -> str:
    """The `config:` block of Pulumi.yaml.

    Every key has a default, an empty one where it is required: the engine then leaves complaints to
    the program, which says more and says all of it at once. Secrets can't be declared as such,
    because the engine takes the empty default for a secret in plain text.
    """
    declared: dict[str, Any] = {}
    for key in KEYS:
        _, field = _field(key)
        is_object = key in GROUPS or key == "tags"
        default: Any = (
            {} if is_object else (field.default if isinstance(field.default, str) else "")
        )
        declared[key] = {
            "type": "object" if is_object else "string",
            "description": field.description,
            "default": default,
        }
    text = yaml.safe_dump({"config": declared}, sort_keys=False, allow_unicode=True, width=140)
    return BEGIN + text


def project_file(current: str) -> str:
    """`current` (the text of Pulumi.yaml) with its `config:` block replaced. The block is the last
    one.
    """
    return current[: current.index(BEGIN)] + schema()


def overview() -> str:
    """The README's table: each group with its keys and defaults."""
    lines = ["| group | what it sets | keys and defaults |", "|---|---|---|"]
    for key in GROUPS:
        group = _group(_field(key)[1])
        keys = ", ".join(
            f"`{field.alias or name}` {_default(field)}".strip()
            for name, field in group.model_fields.items()
        )
        lines.append(f"| `{key}` | {_summary(group)} | {keys.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def readme(current: str) -> str:
    """`current` (the text of README.md) with the table between its two marks replaced."""
    before, rest = current.split(TABLE_BEGIN)
    after = rest.split(TABLE_END)[1]
    return f"{before}{TABLE_BEGIN}\n{overview()}\n{TABLE_END}{after}"


def _table(group: type[BaseModel], keys: list[str]) -> str:
    lines = ["| key | default | meaning | allowed |", "|---|---|---|---|"]
    for name, field in group.model_fields.items():
        if (field.alias or name) in keys:
            docs = field_docs(group, name)
            cells = (
                f"`{field.alias or name}`",
                _default(field),
                field.description or "",
                docs["expected"],
            )
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value == "":
        return "required" if value == "" else ""
    if isinstance(value, Group):
        value = value.model_dump(by_alias=True)
    return f"`{json.dumps(value)}`" if not isinstance(value, str) else f"`{value}`"


def _field(key: str) -> tuple[str, FieldInfo]:
    return next(
        (name, field) for name, field in Settings.model_fields.items() if field.alias == key
    )


def _group(field: FieldInfo) -> type[Group]:
    if not (isinstance(field.annotation, type) and issubclass(field.annotation, Group)):
        raise TypeError(f"{field.alias} is not a group")
    return field.annotation


def main(arguments: list[str]) -> int:
    """Write or check the three files."""
    project, front = ROOT / "Pulumi.yaml", ROOT / "README.md"
    wanted = {
        ROOT / "docs" / "settings.md": markdown(),
        project: project_file(project.read_text()),
        front: readme(front.read_text()),
    }
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if "--check" in arguments:
            print(
                f"{path.relative_to(ROOT)} is not current: run python -m settings.core.doc",
                file=sys.stderr,
            )
        else:
            path.write_text(wanted[path])
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
