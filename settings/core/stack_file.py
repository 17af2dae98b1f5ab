"""A stack's settings as its file has them, checked without an engine: what `pulumi config` would
hand to the program, read in milliseconds.

Values that are encrypted cannot be read here: placeholders of the right form stand for them.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from settings.core.loading import load, right_key
from settings.core.problem import PROJECT, Problem, SettingsError
from settings.root import Settings

PEM = "-----BEGIN {0}-----\nb2ZmbGluZQ==\n-----END {0}-----\n"
PLACEHOLDERS = {
    "kubeconfig": "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n",
    "htpasswd": f"offline:$2y$10${'offline':.<53}",
    "tlsCertificate": PEM.format("CERTIFICATE"),
    "tlsPrivateKey": PEM.format("PRIVATE KEY"),
}
"""Values for secrets that nobody outside has: shaped so that the program's checks take them, with
no use to anybody.
"""
UNREADABLE = "offline"
"""Stands for any other encrypted value."""
_TEXT = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
)
"""Which plain words are no text to the CLI, which reads YAML 1.2: `yes`, `on` and `12:30` are text
there, unlike in PyYAML.
"""


class StackFileError(Exception):
    """A stack's file that can't be read; the message is complete."""


class _Loader(yaml.SafeLoader):
    """YAML as the CLI reads it: version 1.2, and a key stands once."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - the library declares it so

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """As the library's, but refuses a key that is already there."""
        seen: set[Any] = set()
        for name, _ in node.value:
            key = self.construct_object(name, deep=True)
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} stands here for the second time",
                    problem_mark=name.start_mark,
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


for _name, _pattern, _first in _TEXT:
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_name}",
        re.compile(f"^(?:{_pattern})$"),
        [*_first.replace("\0", ""), ""],
    )


@dataclass(frozen=True)
class StackFile:
    """One Pulumi.<stack>.yaml."""

    stack: str
    config: dict[str, Any] = field(default_factory=dict)
    """By full key, e.g. `elastic-inference:cluster`; encrypted values as `{secure: …}`."""
    imports: bool = False
    """Whether more values come from environments of Pulumi ESC, which are not known here."""
    document: dict[str, Any] = field(default_factory=dict)
    """All of the file."""

    @property
    def secret(self) -> set[str]:
        """Full keys of encrypted values."""
        return {key for key, value in self.config.items() if is_encrypted(value)}

    def values(self) -> dict[str, str]:
        """What the engine would hand over: text, objects as JSON; placeholders for what is
        encrypted.
        """
        own = {
            key: PLACEHOLDERS.get(key.removeprefix(f"{PROJECT}:"), UNREADABLE)
            for key in self.secret
        }
        return {
            key: own.get(key) or _as_text(readable(value)) for key, value in self.config.items()
        }

    def settings(self, environment: Mapping[str, str]) -> Settings:
        """The program's view of them. Raises SettingsError."""
        return load(
            self.values(), self.secret, project=PROJECT, stack=self.stack, environment=environment
        )

    def problems(self, environment: Mapping[str, str]) -> tuple[Problem, ...]:
        """Everything that the program would refuse, as far as this file tells: nothing is said of
        values that are encrypted, nor, where values come from Pulumi ESC as well, of those that the
        file does not have.
        """
        try:
            self.settings(environment)
        except SettingsError as error:
            hidden = {
                f"{key.removeprefix(f'{PROJECT}:')}{path}"
                for key, value in self.config.items()
                if not right_key(key)  # there the key is wrong, whatever the value
                for path in _encrypted_paths(value)
            }
            return tuple(
                one
                for one in error.problems
                if one.field not in hidden and not (self.imports and one.value is None)
            )
        return ()


def read(root: Path, stack: str) -> StackFile:
    """The stack's file below `root`. Raises StackFileError when there is none, or it can't be
    read.
    """
    path = root / f"Pulumi.{stack}.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = ", ".join(sorted(found.name.split(".")[1] for found in root.glob("Pulumi.*.yaml")))
        raise StackFileError(
            f"stack {stack}: there is no {path.name}; expected one of {known}"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StackFileError(
            f"{path.name} can't be read: {reason}; expected a text file in UTF-8 that you may read"
        ) from None
    return parse(text, stack, path.name)


def parse(text: str, stack: str, name: str) -> StackFile:
    """A stack's file from its text; `name` is the file's, for messages. Raises StackFileError."""
    try:
        document = yaml.load(text, _Loader) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise StackFileError(
            f"{name} is not YAML: {where}{getattr(error, 'problem', None) or error}; correct that line"
        ) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise StackFileError(f"{name} can't be read as YAML: {error}") from None
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(config, dict | None):
        found = type(document if not isinstance(document, dict) else config).__name__
        raise StackFileError(
            f"{name}: expected `config:` with keys below it, found {found}; compare it with Pulumi.dev.yaml"
        )
    # A key without a name space is one of the project's, as the CLI reads it.
    full = {
        str(key) if ":" in str(key) else f"{PROJECT}:{key}": value
        for key, value in (config or {}).items()
    }
    return StackFile(stack, full, bool(document.get("environment")), document)


def is_encrypted(value: Any) -> bool:
    """Whether a value of the file is one that only the owner of the stack's key can read."""
    return isinstance(value, dict) and set(value) == {"secure"}


def readable(value: Any) -> Any:
    """The value with placeholders where it is encrypted."""
    if isinstance(value, dict):
        return (
            UNREADABLE
            if is_encrypted(value)
            else {key: readable(inner) for key, inner in value.items()}
        )
    return [readable(inner) for inner in value] if isinstance(value, list) else value


def _encrypted_paths(value: Any) -> Iterable[str]:
    """Paths of encrypted values below a key, as `Problem.field` writes them."""
    if is_encrypted(value):
        yield ""
    elif isinstance(value, dict):
        yield from (
            f".{key}{path}" for key, inner in value.items() for path in _encrypted_paths(inner)
        )
    elif isinstance(value, list):
        yield from (
            f"[{number}]{path}"
            for number, inner in enumerate(value)
            for path in _encrypted_paths(inner)
        )


def _as_text(value: Any) -> str:
    return (
        value
        if isinstance(value, str)
        else ""
        if value is None
        else json.dumps(value, ensure_ascii=False)
    )
