"""Names: given ones are kept, missing ones are made up as `<logical name>-<8 hex>` and marked in an annotation."""

from __future__ import annotations

import hashlib
import random
import secrets
from typing import Any

from lab.kubernetes_plugin import objects
from lab.kubernetes_plugin.wire import UNKNOWN


def unique_name(seed: bytes, prefix: str) -> str:
    """`prefix` and eight hexadecimal digits: the same ones for the same seed, else random."""
    if not seed:
        return prefix + secrets.token_hex(4)
    generator = random.Random(hashlib.sha256(seed + prefix.encode()).digest())
    return prefix + "".join(generator.choices("0123456789abcdef", k=8))


def is_named(obj: objects.Object) -> bool:
    """Whether a name is given, be it known or not yet."""
    return bool(objects.name(obj)) or objects.pluck(obj, "metadata", "name") is UNKNOWN


def is_autonamed(obj: objects.Object) -> bool:
    """Whether the name was made up here."""
    return objects.is_true(obj, objects.AUTONAMED)


def asks_generate_name(obj: objects.Object) -> bool:
    """Whether the API server is asked to make up the name."""
    given = objects.pluck(obj, "metadata", "generateName")
    return not is_named(obj) and (given is UNKNOWN or bool(given))


def assign(obj: objects.Object, logical_name: str, seed: bytes, autonaming: Any | None) -> None:
    """Give a nameless object its name, in place. Raises ValueError if the stack forbids made-up names."""
    if is_named(obj) or asks_generate_name(obj):
        return
    name = unique_name(seed, f"{logical_name}-")
    if autonaming is not None:
        mode = autonaming.Mode.Name(autonaming.mode)
        if mode == "DISABLE":
            raise ValueError("autonaming is disabled, resource requires the .metadata.name field to be set")
        name = autonaming.proposed_name or name
    objects.set_metadata(obj, "name", name)
    objects.set_annotation(obj, objects.AUTONAMED, "true")


def adopt(obj: objects.Object, old: objects.Object) -> None:
    """Keep the made-up name of the existing object when the new inputs still give none."""
    if not is_named(obj) and is_autonamed(old):
        objects.set_metadata(obj, "name", objects.name(old))
        objects.set_annotation(obj, objects.AUTONAMED, "true")
