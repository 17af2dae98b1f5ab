"""The options of ossfs 2.0, with which the CSI driver mounts the model's bucket: which it knows,
and its words for those it does not take.

The client reads its options with gflags: an option that it does not know, or a value that it can't
read, ends it before anything is mounted. Names, types and limits are data with their sources
(ossfs2_options.json).
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DATA: dict[str, Any] = json.loads((Path(__file__).parent / "ossfs2_options.json").read_text())
OPTIONS: dict[str, dict[str, Any]] = DATA["options"] | {
    name: {"type": "string"} for name in DATA["driver"]["options"]
}
_TRUTH = ("1", "t", "true", "y", "yes", "0", "f", "false", "n", "no")
_BYTES = re.compile(r"\s*(\d+)([KMGTP]i?)?b?\s*", re.IGNORECASE)
_FACTOR = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "P": 2**50}
_BITS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1), "uint64": (0, 2**64 - 1)}


def options_of(text: str) -> list[str]:
    """`-o a -o b=c` (also `-oa,b=c`) as the driver takes it apart. Raises ValueError with the
    driver's words.
    """
    found: list[str] = []
    expected = False
    for word in text.split():
        if expected:
            found += word.split(",")
        elif word != "-o" and not word.startswith("-o"):
            raise ValueError(f'invalid otherOpts: "{text}"')
        elif word != "-o":
            found += word[2:].split(",")
        expected = not expected and word == "-o"
    return found


def refusals(
    options: Sequence[str], after: Sequence[str] = ("log_level=info", "log_dir=/dev/stdout")
) -> dict[str, str]:
    """ossfs2's message about each option that it does not accept, by the option as given. `after`:
    options that the driver appends.

    An option without its value takes the next word for it, as gflags does.
    """
    words = [f"--{option}" for option in [*options, *after]] + ["-f"]
    messages: dict[str, str] = {}
    number = 0
    while number < len(options):
        key, equals, value = words[number][2:].partition("=")
        given = options[number]
        name, kind = _named(key)
        number += 1
        if name is None:
            messages[given] = f"ERROR: unknown command line flag '{key}'"
        elif name != key and kind != "bool":
            messages[given] = f"ERROR: boolean value ({key}) specified for {kind} command line flag"
        else:
            if name != key:
                value = "0"
            elif not equals and kind == "bool":
                value = "1"
            elif not equals:
                value = words[number]
                number += 1
            if wrong := _refused(name, value):
                messages[given] = wrong
    return messages


def _named(key: str) -> tuple[str | None, str]:
    """(the option's name, its type); a leading `no` turns a bool off."""
    name = key if key in OPTIONS else key.removeprefix("no") if key.startswith("no") else None
    return (name, OPTIONS[name]["type"]) if name in OPTIONS else (None, "")


def _refused(name: str, value: str) -> str:
    option = OPTIONS[name]
    if not _readable(option["type"], value):
        return f"ERROR: illegal value '{value}' specified for {option['type']} flag '{name}'"
    return (
        ""
        if _valid(option, value)
        else f"ERROR: failed validation of new value '{value}' for flag '{name}'"
    )


def _readable(kind: str, value: str) -> bool:
    if kind == "bool":
        return value.lower() in _TRUTH
    if kind == "double":
        return (
            re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", value, re.IGNORECASE) is not None
        )
    if kind in _BITS:
        number = _number(value)
        return number is not None and _BITS[kind][0] <= number <= _BITS[kind][1]
    return True


def _number(text: str) -> int | None:
    found = re.fullmatch(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|\d+)", text)
    return (
        None
        if found is None
        else int(found[1] + found[2], 16 if found[2][:2] in ("0x", "0X") else 10)
    )


def _valid(option: dict[str, Any], value: str) -> bool:
    rule = option.get("rule")
    if "values" in option:
        return value in option["values"]
    if rule == "mode":
        return re.fullmatch(r"0[0-7]{3}", value) is not None
    if rule == "given":
        return bool(value)
    if rule == "program":
        return not value or (value.startswith("/") and "$" not in value)
    if rule == "share":
        return 0 < float(value) < 1
    number = _bytes(value) if rule == "bytes" else _number(value) if option["type"] in _BITS else 0
    return number is not None and option.get("min", number) <= number <= option.get("max", number)


def _bytes(text: str) -> int | None:
    found = _BYTES.fullmatch(text)
    return None if found is None else int(found[1]) * _FACTOR[(found[2] or "")[:1].upper()]
