"""What each TensorFlow release knows: ops, their attributes, element types, graph versions. Data:
operations.json, made by collect.py.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("operations.json")


@dataclass(frozen=True)
class Attribute:
    """One attribute of an op as its registration describes it."""

    kind: str
    """`type`, `int`, `list(type)`, `func`, …"""
    optional: bool
    """Whether it has a default."""
    allowed: frozenset[str]
    """Values it may have (types by their number); empty: all."""
    minimum: int | None
    """Least number, or least length of a list."""


@dataclass(frozen=True)
class Operation:
    """One op in one release."""

    removed_in: int
    """Graph version from which on the op may no longer be used; 0: never."""
    described: str

    @cached_property
    def attributes(self) -> dict[str, Attribute]:
        """The op's attributes, by name."""
        return dict(_attribute(word) for word in self.described.split())


@dataclass(frozen=True)
class Argument:
    """One input or output of an op or function, which may stand for several tensors."""

    name: str
    type: int = 0
    """Number of the element type; 0 where an attribute says it."""
    type_attribute: str = ""
    list_attribute: str = ""
    """The attribute that holds a list of types, one for each tensor."""
    count_attribute: str = ""
    """The attribute that says how many tensors of one type it is."""
    default: int = 0
    """The type where the node doesn't give `type_attribute`; 0: there is none."""
    reference: bool = False


@dataclass(frozen=True)
class Release:
    """One TensorFlow release, such as 1.15; the ops of tensorflow_model_server of that release are
    included.
    """

    name: str
    graph_version: int
    """TF_GRAPH_DEF_VERSION: the newest graph it knows."""
    types: frozenset[int]
    """Numbers of the element types it knows."""

    def operation(self, name: str, serving: bool = True) -> Operation | None:
        """The op, or None if the release doesn't know it; `serving` False leaves out what only
        TensorFlow Serving's binary adds.
        """
        place = _order()[self.name]
        for part in ("operations", "serving") if serving else ("operations",):
            for first, last, removed_in, described in _data()[part].get(name, ()):
                if _order()[first] <= place <= _order()[last]:
                    return Operation(removed_in, described)
        return None

    def arguments(self, name: str) -> tuple[tuple[Argument, ...], tuple[Argument, ...]] | None:
        """(inputs, outputs) of the op; None if they aren't known: an op that the release lacks, or
        that only the server's binary adds.
        """
        return _arguments(self.name, name)

    @property
    def takes_cut_graphs(self) -> bool:
        """Measured: the parsers up to 2.11 take a message that ends between two fields for whole,
        whatever lengths it gives.
        """
        return _order()[self.name] < _order()["2.12"]

    @property
    def evaluates_constants(self) -> bool:
        """Measured: from 2.13 on the import computes the constants that say sizes, and refuses the
        graph when it can't.
        """
        return _order()[self.name] >= _order()["2.13"]

    @property
    def refuses_unknown_attributes(self) -> bool:
        """Measured: up to 2.4 an attribute that the op doesn't have is an error, from 2.5 on it is
        ignored.
        """
        return _order()[self.name] < _order()["2.5"]

    @property
    def skips_without_saver(self) -> bool:
        """Measured: from 2.4 on a model without saver_def is loaded without its variables; older
        releases refuse it.
        """
        return _order()[self.name] >= _order()["2.4"]

    @property
    def reads_chunked(self) -> bool:
        """Whether saved_model.cpb is read: from 2.15 on, by its reader.cc."""
        return _order()[self.name] >= _order()["2.15"]


def releases() -> list[Release]:
    """All TensorFlow releases whose op tables are shipped, oldest first."""
    return [_release(name) for name in _data()["releases"]]


def release(version: str) -> Release | None:
    """The release of a version such as `1.15.0` or `2.15`; the newest known for a newer one, None
    for an older one than the oldest.
    """
    found = re.match(r"(\d+)\.(\d+)", version)
    if not found:
        return None
    wanted = (int(found[1]), int(found[2]))
    fitting = [entry for entry in releases() if number(entry.name) <= wanted]
    return fitting[-1] if fitting else None


def number(version: str) -> tuple[int, int]:
    """Major and minor of a version, for comparing; (0, 0) if it is none."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def first_with(operation: str) -> str | None:
    """Name of the first release that knows the op."""
    return next((entry.name for entry in releases() if entry.operation(operation)), None)


@cache
def _data() -> dict[str, Any]:
    return json.loads(FILE.read_text(encoding="utf-8"))


@cache
def _order() -> dict[str, int]:
    return {name: place for place, name in enumerate(_data()["releases"])}


@cache
def _release(name: str) -> Release:
    entry = _data()["releases"][name]
    return Release(name, entry["graph"], frozenset(entry["types"]))


@cache
def _arguments(release: str, name: str) -> tuple[tuple[Argument, ...], tuple[Argument, ...]] | None:
    for first, last, inputs, outputs in _data()["arguments"].get(name, ()):
        if _order()[first] <= _order()[release] <= _order()[last]:
            return tuple(map(_argument, inputs.split())), tuple(map(_argument, outputs.split()))
    return None


def _argument(word: str) -> Argument:
    name, _, kind = word.partition(":")
    count, _, kind = kind.rpartition("*")
    reference, kind = kind.endswith("&"), kind.removesuffix("&")
    kind, _, default = kind.partition("=")
    if kind.startswith("["):
        return Argument(name, list_attribute=kind[1:-1], count_attribute=count)
    if kind.isdigit():
        return Argument(name, int(kind), count_attribute=count, reference=reference)
    return Argument(
        name,
        type_attribute=kind,
        count_attribute=count,
        default=int(default or 0),
        reference=reference,
    )


def _attribute(word: str) -> tuple[str, Attribute]:
    text, _, minimum = word.partition(">")
    text, _, allowed = text.partition("=")
    name, _, kind = text.rpartition(":")
    return name, Attribute(
        kind.removesuffix("?"),
        kind.endswith("?"),
        frozenset(allowed.split(",") if allowed else ()),
        int(minimum) if minimum else None,
    )
