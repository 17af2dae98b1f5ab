"""Takes the request and answer models of every action the double serves out of Alibaba Cloud's
official SDK packages.

The packages are generated from the API's own metadata, so they are the judge of the double's names
and types. Nothing imports them: the models are read from their source. `python -m
lab.alicloud.sdk_models FOLDER` reads the packages that `pip install --no-deps --target FOLDER` put
there (versions: `PACKAGES`) and writes `sdk_models.json`; `--packages` prints what to install. A
test reads those installed here again.

A model is written as: `s` text, `i` whole number, `f` number, `b` boolean, `any`; `[T]` a list;
`{"*": T}` a map; else an object's fields, where `!` at a field's end says that the API's metadata
calls it required.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

from lab.alicloud.api_models import Model
from lab.alicloud.registry import routes
from lab.alicloud.services import load_services

FILE = Path(__file__).with_suffix(".json")
PACKAGES: dict[str, tuple[str, str]] = {
    "alb": ("alibabacloud-alb20200616", "1.3.3"),
    "business": ("alibabacloud-bssopenapi20171214", "5.1.2"),
    "cs": ("alibabacloud-cs20151215", "7.2.3"),
    "ecs": ("alibabacloud-ecs20140526", "7.11.8"),
    "ess": ("alibabacloud-ess20140828", "1.0.1"),
    "ess2022": ("alibabacloud-ess20220222", "1.13.3"),
    "ims": ("alibabacloud-ims20190815", "3.5.0"),
    "location": ("alibabacloud-location20150612", "1.0.0"),
    "nlb": ("alibabacloud-nlb20220430", "4.1.3"),
    "oss": ("alibabacloud-oss-v2", "1.4.1"),
    "ram": ("alibabacloud-ram20150501", "1.3.0"),
    "slb": ("alibabacloud-slb20140515", "3.3.31"),
    "sls": ("alibabacloud-sls20201230", "5.15.1"),
    "sts": ("alibabacloud-sts20150401", "1.2.0"),
    "vpc": ("alibabacloud-vpc20160428", "7.2.2"),
}
"""The packages of the API versions that the double serves. Auto Scaling's 2014 package says no
required parameters and lacks DescribeScalingGroups: the package of the 2022 version of the same
calls says those, whose lists lack the 2014 version's inner element.
"""
OTHER_NAMES = {
    "sls:CreateProjectPolicy": ("PutProjectPolicy",),
    "oss:DeleteBucketTagging": ("DeleteBucketTags",),
    "oss:GetBucketTagging": ("GetBucketTags",),
    "oss:PutBucketTagging": ("PutBucketTags",),
    "oss:ListObjects": ("ListObjects", "ListObjectsV2"),
    "oss:PutObject": ("PutObject", "CopyObject"),
}
"""Where the package calls an action otherwise than the permission that RAM knows, or has two for
what is one route here.
"""
_SCALARS = {"str": "s", "int": "i", "float": "f", "bool": "b", "bytes": "s"}
_FIELD = re.compile(r"if self\.(\w+) is not None:.*?result\['([^']+)'\]", re.DOTALL)
_REQUIRED = "This parameter is required."


_SHARED = (("sls", "ListProject"),)
"""Actions that are another one's path at another host (the judge tells them apart)."""


class Package:
    """The models of one installed SDK package."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the package's own; all its model classes are found, none is imported."""
        self._classes: dict[str, str] = {}
        sources = sorted((folder / "models").glob("_*.py")) or [folder / "models.py"]
        for source in sources:
            for part in re.split(r"^(?=class )", source.read_text(), flags=re.MULTILINE):
                if found := re.match(r"class (\w+)\(", part):
                    self._classes[found[1]] = part
        self._lower = {name.lower(): name for name in self._classes}

    def has(self, name: str) -> bool:
        """Whether there is a model of this name, in whatever case."""
        return name.lower() in self._lower

    def model(self, name: str, above: tuple[str, ...] = ()) -> Any:
        """The model written as the module says; a model inside itself is `any`."""
        name = self._lower[name.lower()]
        if name in above:
            return "any"
        text = self._classes[name]
        start = ast.parse(text).body[0]
        assert isinstance(start, ast.ClassDef)
        begin = next(
            one for one in start.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"
        )
        kinds = {a.arg: a.annotation for a in begin.args.args if a.arg != "self"}
        required, comment = set(), ""
        for line in text.split("def validate")[0].splitlines():
            if "#" in line[: len(line) - len(line.lstrip()) + 1]:
                comment += line
            elif found := re.match(r"\s+self\.(\w+) = ", line):
                if _REQUIRED in comment:
                    required.add(found[1])
                comment = ""
        fields = {}
        for attribute, wire in _FIELD.findall(text.split("def to_map")[1].split("def from_map")[0]):
            mark = "!" if attribute in required else ""
            fields[wire + mark] = self._kind(kinds[attribute], (*above, name))
        return fields

    def _kind(self, node: ast.expr | None, above: tuple[str, ...]) -> Any:
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            if node.value.id == "List":
                return [self._kind(node.slice, above)]
            assert node.value.id == "Dict" and isinstance(node.slice, ast.Tuple), ast.dump(node)
            return {"*": self._kind(node.slice.elts[1], above)}
        name = (
            node.attr
            if isinstance(node, ast.Attribute)
            else node.id
            if isinstance(node, ast.Name)
            else ""
        )
        if name in _SCALARS:
            return _SCALARS[name]
        return self.model(name, above) if self.has(name) else "any"


def action_models(package: Package, action: str) -> Model | None:
    """Request and answer of an action; None when the package does not know it."""
    if not package.has(f"{action}Response"):
        return None
    answer = package.model(f"{action}Response").get("body")
    request = package.model(f"{action}Request") if package.has(f"{action}Request") else {}
    return {"request": request, "answer": answer}


def _as_2014(model: Any) -> Any:
    """A 2022 model of Auto Scaling with the 2014 version's inner elements: `VSwitchIds: [s]` is
    `VSwitchIds: {VSwitchId: [s]}`.
    """
    if not isinstance(model, dict):
        return model
    inner = {
        name: [_as_2014(kind[0])] if isinstance(kind, list) else _as_2014(kind)
        for name, kind in model.items()
    }
    return {
        name: {name.removesuffix("s"): kind} if isinstance(kind, list) else kind
        for name, kind in inner.items()
    }


def _auto_scaling(old: Model | None, new: Model | None) -> Model | None:
    """The 2014 version's models, with what the 2022 version's say is required."""
    if old is None or new is None:
        return old or (new and {**new, "answer": _as_2014(new["answer"])})
    marks = {
        name + "!" if name + "!" in new["request"] else name: kind
        for name, kind in old["request"].items()
    }
    return {"request": marks, "answer": _both(old["answer"], _as_2014(new["answer"]))}


def _both(old: Any, new: Any) -> Any:
    """The fields of both: the 2014 package is of 2021, and both versions have got fields since."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {
            **new,
            **{name: _both(kind, new[name]) if name in new else kind for name, kind in old.items()},
        }
    if isinstance(old, list) and isinstance(new, list):
        return [_both(old[0], new[0])]
    return old


class ObjectStorage:
    """The models of OSS' package, which are maps of attributes: parameters of query and header,
    elements, headers of the answer.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` is the package's own; nothing of it is imported."""
        self._maps: dict[str, dict[str, tuple[dict[str, Any], str]]] = {}
        for source in sorted((folder / "models").glob("*.py")):
            for node in ast.parse(source.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    maps = {
                        one.targets[0].id: ast.literal_eval(one.value)
                        for one in node.body
                        if isinstance(one, ast.Assign)
                        and isinstance(one.targets[0], ast.Name)
                        and one.targets[0].id in _MAPS
                    }
                    root = str(maps.get("_xml_map", {}).get("name", ""))
                    self._maps.setdefault(node.name, {})[source.stem] = (
                        maps.get("_attribute_map", {}),
                        root,
                    )

    def action(self, names: tuple[str, ...]) -> Model | None:
        """`request` (query and headers by their names), `answer` (None, or the element at the
        root), `headers` of the answer.
        """
        if any(f"{name}Result" not in self._maps for name in names):
            return None
        request: dict[str, Any] = {}
        answer: dict[str, Any] = {}
        headers: dict[str, Any] = {}
        for name in names:
            for of in self._only(f"{name}Request")[0].values():
                if of.get("position") in ("query", "header") and "rename" in of:
                    request[_meta(of["rename"]) + ("!" if of.get("required") else "")] = _simple(
                        of.get("type", "str")
                    )
            module, (attributes, root) = next(iter(self._maps[f"{name}Result"].items()))
            for of in attributes.values():
                if of.get("tag") == "output" and of.get("position") == "header":
                    headers[_meta(of["rename"])] = _simple(of.get("type", "str"))
                elif (
                    of.get("tag") == "output"
                    and of.get("type", "").endswith(",xml")
                    and of["type"] != "str,xml"
                ):
                    answer[of["rename"]] = self._element(of["type"].removesuffix(",xml"), module)
            if any(of.get("tag") == "xml" for of in attributes.values()):
                answer[root] = _joined(answer.get(root), self._fields(attributes, module))
        return {"request": request, "answer": answer or None, "headers": headers}

    def _only(self, name: str, module: str = "") -> tuple[Model, str]:
        found = self._maps[name]
        return found[module] if module in found else next(iter(found.values()))

    def _fields(self, attributes: dict[str, Any], module: str) -> Any:
        fields: dict[str, Any] = {}
        for of in attributes.values():
            if of.get("tag") != "xml":
                continue
            if of["rename"] == ".":
                return "s"
            *above, last = of["rename"].split("/")
            place = fields
            for part in above:
                place = place.setdefault(part, {})
            place[last] = self._kind(of.get("type", "str"), module)
        return fields

    def _kind(self, name: str, module: str) -> Any:
        if name.startswith("["):
            return [self._kind(name[1:-1], module)]
        return self._element(name, module) if name in self._maps else _simple(name)

    def _element(self, name: str, module: str) -> Any:
        return self._fields(self._only(name, module)[0], module)


_MAPS = ("_attribute_map", "_xml_map")


def _simple(name: str) -> str:
    return {"int": "i", "float": "f", "bool": "b"}.get(name.partition(",")[0], "s")


def _meta(name: str) -> str:
    """A header's name in small letters; the user's own are one entry."""
    return (
        f"{name}*"
        if name == "x-oss-meta-"
        else name.lower()
        if name[0].isupper() or name.startswith("x-oss-")
        else name
    )


def _joined(first: Any, second: Any) -> Any:
    return {**first, **second} if isinstance(first, dict) else second


_READERS: dict[str, type[ObjectStorage]] = {"oss": ObjectStorage}
"""Services whose package is written otherwise than the generated ones."""


def actions() -> list[tuple[str, str]]:
    """Every action that the double serves."""
    load_services()
    return sorted({*_SHARED, *((route.service, route.call) for route in routes())})


def extract(folder: Path) -> Model:
    """`{"service:Action": models}` of the packages installed in the folder; a package that is not
    there leaves its actions out.
    """
    packages: dict[str, Package | ObjectStorage] = {}
    for service, (name, _) in PACKAGES.items():
        if (place := folder / name.replace("-", "_")).is_dir():
            packages[service] = _READERS.get(service, Package)(place)
    found = {}
    for service, action in actions():
        key = f"{service}:{action}"
        names = OTHER_NAMES.get(key, (action,))
        package = packages.get(service)
        if isinstance(package, ObjectStorage):
            found[key] = package.action(names)
        elif package is not None:
            found[key] = action_models(package, names[0])
            if service == "ess" and isinstance(newer := packages.get("ess2022"), Package):
                found[key] = _auto_scaling(found[key], action_models(newer, action))
    return found


def main() -> int:
    """Write the file; or print what to install."""
    if sys.argv[1:] == ["--packages"]:
        print(" ".join(f"{name}=={version}" for name, version in PACKAGES.values()))
        return 0
    found = extract(Path(sys.argv[1]))
    lines = [
        f" {json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}"
        for key, value in found.items()
    ]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(
        f"{len(found)} actions; not in the packages: {[key for key, value in found.items() if value is None]}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
