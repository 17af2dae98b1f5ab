"""Derive `types.json` from the API types of a Kubernetes release (run by hand when the pinned release moves).

    python -m lab.kubernetes_plugin.typegen GOMODCACHE/k8s.io/api@v0.36.3 GOMODCACHE/k8s.io/apimachinery@v0.36.3

The API server's OpenAPI document does not say which optional scalars are pointers, and that decides whether an explicit zero
("" or 0 or false) is kept: the published plugin passes inputs through the Go types. So the table holds, per struct, its JSON
fields with their Go type and whether an empty value is left out.

Output: {"kinds": {"apps/v1": {"Deployment": namespaced}}, "types": {"apps/v1.Deployment": {field: [type, omit_empty, is_pointer]}}}.
A type is "[]T", "map[]T", a struct's name or a scalar ("string", "int", "bool", "float", "quantity", "bytes", "any").
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

GROUP_VERSIONS = {
    "v1": "core/v1", "apps/v1": "apps/v1", "batch/v1": "batch/v1", "autoscaling/v1": "autoscaling/v1", "autoscaling/v2": "autoscaling/v2",
    "networking.k8s.io/v1": "networking/v1", "policy/v1": "policy/v1", "rbac.authorization.k8s.io/v1": "rbac/v1",
    "storage.k8s.io/v1": "storage/v1", "scheduling.k8s.io/v1": "scheduling/v1", "coordination.k8s.io/v1": "coordination/v1",
    "discovery.k8s.io/v1": "discovery/v1", "node.k8s.io/v1": "node/v1", "admissionregistration.k8s.io/v1": "admissionregistration/v1",
}  # fmt: skip
SCALARS = {
    "string": "string", "bool": "bool", "int": "int", "int32": "int", "int64": "int", "float64": "float", "types.UID": "string",
    "resource.Quantity": "quantity", "metav1.Time": "any", "metav1.MicroTime": "any", "metav1.Duration": "any", "Time": "any",
    "intstr.IntOrString": "any", "runtime.RawExtension": "any", "metav1.FieldsV1": "any", "FieldsV1": "any", "Verbs": "[]string",
}  # fmt: skip
FIELD = re.compile(r'^\s*(?:(\w+)\s+)?(\*?[\w.\[\]*]+)\s+`json:"([^"]*)"')


class Package:
    """One Go package of API types: its structs, its named scalars and the kinds it declares."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.structs: dict[str, list[tuple[str, str, str]]] = {}
        self.aliases: dict[str, str] = {}
        self.kinds: dict[str, bool] = {}
        for path in sorted(directory.glob("*types*.go")):
            if "_test" not in path.name and "swagger" not in path.name:
                self._read(path.read_text())

    def _read(self, text: str) -> None:
        for match in re.finditer(r"^type (\w+) struct \{\n([\s\S]*?)^\}", text, re.M):
            name, body = match.groups()
            comment = text[max(0, match.start() - 2000) : match.start()].rpartition("\n}\n")[2]
            fields = [(f.group(1) or "", f.group(2), f.group(3)) for f in map(FIELD.match, body.splitlines()) if f]
            self.structs[name] = fields
            if any(kind.endswith("TypeMeta") for _, kind, _ in fields) and not name.endswith("List"):
                self.kinds[name] = "genclient:nonNamespaced" not in comment
        for match in re.finditer(r"^type (\w+) (\*?[\w.\[\]]+)$", text, re.M):
            self.aliases[match.group(1)] = match.group(2)


class Table:
    """The closure of the types reachable from the kinds of the known group versions."""

    def __init__(self, api: Path, machinery: Path) -> None:
        self.packages = {p: Package(p, api / p) for p in GROUP_VERSIONS.values()}
        self.packages["meta/v1"] = Package("meta/v1", machinery / "pkg/apis/meta/v1")
        self.types: dict[str, dict[str, list[Any]]] = {}

    def resolve(self, package: Package, kind: str) -> str:
        """The table's name for a Go type expression seen in `package`."""
        kind = kind.lstrip("*")
        if kind in SCALARS:
            return SCALARS[kind]
        if kind == "[]byte":
            return "bytes"
        if kind.startswith("[]"):
            return "[]" + self.resolve(package, kind[2:])
        if kind.startswith("map["):
            return "map[]" + self.resolve(package, kind.split("]", 1)[1])
        if "." in kind:
            prefix, _, kind = kind.rpartition(".")
            package = self.packages[{"metav1": "meta/v1", "v1": "core/v1", "corev1": "core/v1", "apiv1": "core/v1"}.get(prefix, prefix)]
        if kind in package.structs:
            return self.struct(package, kind)
        if kind in package.aliases:
            return self.resolve(package, package.aliases[kind])
        raise SystemExit(f"{package.name}: unknown type {kind}")

    def struct(self, package: Package, name: str) -> str:
        """Add a struct and all it refers to; returns its name in the table."""
        key = f"{package.name}.{name}"
        if key not in self.types:
            fields: dict[str, list[Any]] = {}
            self.types[key] = fields
            for _, kind, tag in package.structs[name]:
                label, _, options = tag.partition(",")
                if label == "-":
                    continue
                if not label:
                    fields.update(self._embedded(package, kind))
                else:
                    fields[label] = [self.resolve(package, kind), "omitempty" in options or "omitzero" in options, kind.startswith("*")]
        return key

    def _embedded(self, package: Package, kind: str) -> dict[str, list[Any]]:
        resolved = self.resolve(package, kind)
        return self.types[resolved]


def main() -> None:
    """Write `types.json` beside this file."""
    table = Table(Path(sys.argv[1]), Path(sys.argv[2]))
    kinds: dict[str, dict[str, bool]] = {}
    for group_version, package in GROUP_VERSIONS.items():
        kinds[group_version] = {}
        for kind, namespaced in table.packages[package].kinds.items():
            table.struct(table.packages[package], kind)
            kinds[group_version][kind] = namespaced
    packages = {v: k for k, v in GROUP_VERSIONS.items()}
    rows = ",\n".join(f"{json.dumps(k)}:{json.dumps(v, separators=(',', ':'))}" for k, v in sorted(table.types.items()))
    text = f'{{"kinds":{json.dumps(kinds, separators=(",", ":"))},\n"packages":{json.dumps(packages)},\n"types":{{\n{rows}\n}}}}\n'
    (Path(__file__).parent / "types.json").write_text(text)


if __name__ == "__main__":
    main()
