"""Environment variables and downward fields of a container."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Awaitable, Callable
from typing import Any

from lab.kubelet.images import expand
from lab.quantities import quantity

Object = dict[str, Any]
Lookup = Callable[[str, str], Awaitable[Object | None]]
"""(plural, name) -> object of the pod's namespace, or None."""


class ConfigError(Exception):
    """A reference that cannot be resolved: the container waits with CreateContainerConfigError."""


def field_value(pod: Object, path: str, facts: Object) -> str:
    """A fieldRef; `facts` holds what the pod object does not know yet (status.podIP,
    status.hostIP).
    """
    if path in facts:
        return str(facts[path])
    found = re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path)
    if found:
        return (pod["metadata"].get(found[1]) or {}).get(found[2], "")
    if path in ("metadata.labels", "metadata.annotations"):
        pairs = pod["metadata"].get(path.split(".")[1]) or {}
        return "\n".join(f'{key}="{value}"' for key, value in sorted(pairs.items()))
    value: Any = pod
    for key in path.split("."):
        value = value.get(key, "") if isinstance(value, dict) else ""
    return str(value)


def _resource_value(container: Object, reference: Object) -> str:
    """A resourceFieldRef, divided as asked (default divisor 1, whole numbers rounded up)."""
    group, _, name = reference["resource"].partition(".")
    given = (container.get("resources") or {}).get(group) or {}
    divisor = quantity(reference.get("divisor") or 1) or 1
    return str(math.ceil(quantity(given.get(name, 0)) / divisor))


async def _key(lookup: Lookup, plural: str, reference: Object) -> str | None:
    singular = plural[:-1].replace("configmap", "configmap")
    found = await lookup(plural, reference["name"])
    value = (found or {}).get("data", {}).get(reference["key"]) if found else None
    if value is None:
        if reference.get("optional"):
            return None
        if found is None:
            raise ConfigError(f'{singular} "{reference["name"]}" not found')
        raise ConfigError(
            f"couldn't find key {reference['key']} in {'ConfigMap' if singular == 'configmap' else 'Secret'} {reference['name']}"
        )
    return value if plural == "configmaps" else base64.b64decode(value).decode()


async def environment(
    pod: Object, container: Object, facts: Object, lookup: Lookup
) -> dict[str, str]:
    """All variables of a container, later ones seeing earlier ones as $(NAME); ConfigError if one
    cannot be had.
    """
    result: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        for key, plural in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
            if key in source:
                found = await lookup(plural, source[key]["name"])
                if found is None and not source[key].get("optional"):
                    raise ConfigError(f'{plural[:-1]} "{source[key]["name"]}" not found')
                for name, value in ((found or {}).get("data") or {}).items():
                    text = value if plural == "configmaps" else base64.b64decode(value).decode()
                    result[source.get("prefix", "") + name] = text
    for entry in container.get("env") or []:
        origin = entry.get("valueFrom")
        if not origin:
            result[entry["name"]] = expand(entry.get("value") or "", result)
        elif "fieldRef" in origin:
            result[entry["name"]] = field_value(pod, origin["fieldRef"]["fieldPath"], facts)
        elif "resourceFieldRef" in origin:
            result[entry["name"]] = _resource_value(container, origin["resourceFieldRef"])
        else:
            key, plural = (
                ("configMapKeyRef", "configmaps")
                if "configMapKeyRef" in origin
                else ("secretKeyRef", "secrets")
            )
            value = await _key(lookup, plural, origin[key])
            if value is not None:
                result[entry["name"]] = value
    return result
