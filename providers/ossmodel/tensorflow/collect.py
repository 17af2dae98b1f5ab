"""Writes operations.json and messages.binpb anew, from TensorFlow's own wheels (maintainers only;
nothing here runs in a deployment).

    python -m providers.ossmodel.tensorflow.collect --scratch /tmp/tensorflow-wheels

For each release the wheel is downloaded with pip (about 5 GB in all) and its libraries are
unpacked. A process of its own loads them and asks them through TensorFlow's C API:
`TF_GetAllOpList` gives every op with its attributes, `TF_LoadLibrary` the same for the further ops
that TensorFlow Serving's binary contains, and the SavedModel loader itself says which graph version
and which element types it knows. TensorFlow is never imported, so one Python serves all releases.
"""

from __future__ import annotations

import argparse
import ast
import ctypes
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2

from .messages import FILE as MESSAGES
from .messages import message
from .operations import FILE as OPERATIONS

RELEASES = (
    ("tensorflow", "1.14.0", "3.7"), ("tensorflow-cpu", "1.15.0", "3.7"), ("tensorflow", "2.0.4", "3.7"),
    ("tensorflow-cpu", "2.1.4", "3.7"), ("tensorflow-cpu", "2.2.3", "3.8"), ("tensorflow-cpu", "2.3.4", "3.8"),
    ("tensorflow-cpu", "2.4.4", "3.8"), ("tensorflow-cpu", "2.5.3", "3.9"), ("tensorflow-cpu", "2.6.5", "3.9"),
    ("tensorflow-cpu", "2.7.4", "3.9"), ("tensorflow-cpu", "2.8.4", "3.10"), ("tensorflow-cpu", "2.9.3", "3.10"),
    ("tensorflow-cpu", "2.10.1", "3.10"), ("tensorflow-cpu", "2.11.0", "3.10"), ("tensorflow-cpu", "2.12.1", "3.11"),
    ("tensorflow-cpu", "2.13.1", "3.11"), ("tensorflow-cpu", "2.14.1", "3.11"), ("tensorflow-cpu", "2.15.1", "3.11"),
    ("tensorflow-cpu", "2.16.2", "3.11"), ("tensorflow-cpu", "2.17.1", "3.11"), ("tensorflow-cpu", "2.18.1", "3.11"),
    ("tensorflow-cpu", "2.19.1", "3.11"), ("tensorflow-cpu", "2.20.0", "3.11"), ("tensorflow-cpu", "2.21.0", "3.11"),
)  # fmt: skip
"""Package, version and the newest Python it has a wheel for; oldest release first. 1.13 and older
look into functions by other rules.
"""
SERVING_OPS = {
    "tensorflow-text": {
        "2.2": "2.2.1", "2.3": "2.2.1", "2.4": "2.3.0", "2.5": "2.4.3", "2.6": "2.5.0", "2.7": "2.6.0", "2.8": "2.6.0", "2.9": "2.6.0",
        "2.10": "2.7.3", "2.11": "2.8.2", **{f"2.{minor}": "2.12.1" for minor in range(12, 20)}, "2.20": "2.20.1", "2.21": "2.20.1",
    },
    "tensorflow-decision-forests": {f"2.{minor}": "1.3.0" for minor in range(11, 22)},
}  # fmt: skip
"""Packages whose ops tensorflow_model_server is linked with, by its own version:
SUPPORTED_TENSORFLOW_OPS in its model_servers/BUILD, and the versions in its workspace.bzl. The 1.x
servers have all of contrib, which lies in TensorFlow's own wheel.
"""
LINKED_FROM = {
    "2.2.1": "2.2", "2.3.0": "2.3", "2.4.3": "2.4", "2.5.0": "2.5", "2.6.0": "2.6", "2.7.3": "2.7", "2.8.2": "2.8", "2.12.1": "2.12",
    "2.20.1": "2.20", "1.3.0": "2.12",
}  # fmt: skip
"""TensorFlow that such a package's library can be loaded into."""
PLATFORMS = (
    "manylinux2014_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux2010_x86_64",
    "manylinux_2_12_x86_64",
)


class _Buffer(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("deallocator", ctypes.c_void_p),
    )


class Library:
    """The C API of one release, in this process. One process can hold one release only."""

    def __init__(self, directory: Path) -> None:
        mode = os.RTLD_LAZY | ctypes.RTLD_GLOBAL
        for framework in sorted(directory.glob("tensorflow*/libtensorflow_framework.so*")):
            ctypes.CDLL(str(framework), mode)
        internal = [
            *directory.glob("tensorflow*/libtensorflow_cc.so*"),
            *directory.glob("tensorflow*/python/_pywrap_tensorflow_internal.so"),
        ]
        self.api = ctypes.CDLL(str(internal[0]), mode)
        pointer = ctypes.c_void_p
        for name, result in (("NewStatus", pointer), ("NewGraph", pointer), ("NewSessionOptions", pointer), ("GetAllOpList", pointer),
                             ("GetCode", ctypes.c_int), ("Message", ctypes.c_char_p), ("LoadSessionFromSavedModel", pointer),
                             ("LoadLibrary", pointer)):  # fmt: skip
            getattr(self.api, f"TF_{name}").restype = result
        self.api.TF_GetOpList.restype = _Buffer

    def operations(self) -> bytes:
        """Every registered op, as an OpList message."""
        buffer = ctypes.cast(self.api.TF_GetAllOpList(), ctypes.POINTER(_Buffer)).contents
        return ctypes.string_at(buffer.data, buffer.length)

    def further_operations(self, library: Path) -> bytes:
        """The ops that `library` adds; nothing if it can't be loaded."""
        status = ctypes.c_void_p(self.api.TF_NewStatus())
        handle = ctypes.c_void_p(self.api.TF_LoadLibrary(str(library).encode(), status))
        if self.api.TF_GetCode(status) != 0:
            print(
                f"  {library.name}: {self.api.TF_Message(status).decode()[:200]}", file=sys.stderr
            )
            return b""
        buffer = self.api.TF_GetOpList(handle)
        return ctypes.string_at(buffer.data, buffer.length)

    def refusal(self, directory: str) -> str:
        """What the SavedModel loader says against `directory`; empty if it loads it."""
        status = ctypes.c_void_p(self.api.TF_NewStatus())
        graph, options = (
            ctypes.c_void_p(self.api.TF_NewGraph()),
            ctypes.c_void_p(self.api.TF_NewSessionOptions()),
        )
        tags = (ctypes.c_char_p * 1)(b"serve")
        self.api.TF_LoadSessionFromSavedModel(
            options, None, directory.encode(), tags, 1, graph, None, status
        )
        return self.api.TF_Message(status).decode() if self.api.TF_GetCode(status) else ""


def _probe(library: Library) -> dict[str, Any]:
    """Graph version and element types, by asking the loader with graphs of one node."""

    def asked(element_type: int, min_consumer: int = 0) -> str:
        with tempfile.TemporaryDirectory() as directory:
            model = message("SavedModel")()
            meta = model.meta_graphs.add()
            meta.meta_info_def.tags.append("serve")
            meta.graph_def.versions.producer, meta.graph_def.versions.min_consumer = (
                max(1000, min_consumer),
                min_consumer,
            )
            meta.graph_def.node.add(name="x", op="Placeholder").attr["dtype"].type = element_type
            Path(directory, "saved_model.pb").write_bytes(model.SerializeToString())
            return library.refusal(directory)

    found = re.search(r"above current version (\d+)", asked(1, 10**6))
    if not found:
        raise RuntimeError("the loader doesn't tell its graph version")
    known = [number for number in range(1, 64) if "invalid DataType" not in asked(number)]
    return {"graph": int(found[1]), "types": known}


def _child(directory: Path, out: Path, libraries: list[Path]) -> None:
    """In a process of its own: write ops, further ops and probe results of one release below
    `out`.
    """
    library = Library(directory)
    out.mkdir(parents=True, exist_ok=True)
    (out / "core").write_bytes(library.operations())
    (out / "probe").write_text(json.dumps(_probe(library)))
    further = message("OpList")()
    for path in libraries:
        further.MergeFromString(library.further_operations(path))
    (out / "further").write_bytes(further.SerializeToString())


def _download(scratch: Path, package: str, version: str, python: str) -> Path:
    """The shared libraries of a wheel, unpacked; downloaded once."""
    directory = scratch / f"{package}-{version}"
    if not directory.is_dir():
        abi = f"cp{python.replace('.', '')}" + ("m" if python in ("3.6", "3.7") else "")
        platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--only-binary=:all:",
            "--implementation",
            "cp",
            *platforms,
        ]
        command += [
            "--python-version",
            python,
            "--abi",
            abi,
            "-d",
            str(scratch / "wheels"),
            f"{package}=={version}",
        ]
        subprocess.run(command, check=True)
        (wheel,) = (scratch / "wheels").glob(f"{package.replace('-', '_')}-{version}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if ".so" in name or name.endswith("_pb2.py"):
                    inner = re.sub(r"^[^/]+\.data/purelib/", "", name)
                    (directory / inner).parent.mkdir(parents=True, exist_ok=True)
                    (directory / inner).write_bytes(archive.read(name))
        wheel.unlink()
    return directory


def _ask(scratch: Path, name: str, directory: Path, libraries: list[Path]) -> Path:
    """Run `_child`; where its results are."""
    out = scratch / "asked" / name
    if not (out / "further").is_file():
        # A data symbol that old releases want and newer Pythons no longer have.
        source, symbol = scratch / "symbol.c", scratch / "symbol.so"
        source.write_text("int _Py_CheckRecursionLimit = 1000;\n")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", symbol, source], check=True)
        command = [sys.executable, "-m", __spec__.name, "--child", directory, out, *libraries]
        subprocess.run(
            command,
            check=True,
            env={**os.environ, "LD_PRELOAD": str(symbol), "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
    return out


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def collect(scratch: Path) -> dict[str, Any]:
    """All releases' answers as the content of operations.json."""
    releases: dict[str, Any] = {}
    cores: dict[str, Any] = {}
    further: dict[str, Any] = {}
    linked: dict[tuple[str, str], Any] = {}
    directories = {
        _minor(version): _download(scratch, package, version, python)
        for package, version, python in RELEASES
    }
    pythons = {_minor(version): python for _, version, python in RELEASES}
    for package, _version, _ in RELEASES:
        minor = _minor(_version)
        print(minor, flush=True)
        contrib = sorted(directories[minor].glob("tensorflow*/contrib/**/*_op*.so"))
        out = _ask(scratch, minor, directories[minor], contrib)
        releases[minor] = {
            "wheel": f"{package} {_version}",
            **json.loads((out / "probe").read_text()),
        }
        cores[minor] = message("OpList").FromString((out / "core").read_bytes()).op
        further[minor] = list(message("OpList").FromString((out / "further").read_bytes()).op)
    for package, versions in SERVING_OPS.items():
        for version in sorted(set(versions.values())):
            host = LINKED_FROM[version]
            unpacked = _download(scratch, package, version, pythons[host])
            libraries = sorted(
                [
                    *unpacked.glob("tensorflow_text/python/**/_*.so"),
                    *unpacked.glob("**/inference.so"),
                ]
            )
            out = _ask(scratch, f"{package}-{version}", directories[host], libraries)
            linked[package, version] = (
                message("OpList").FromString((out / "further").read_bytes()).op
            )
        for minor, version in versions.items():
            further[minor] += linked[package, version]
    order = list(releases)
    return {
        "releases": releases,
        "operations": _ranges(order, cores, attributes_of),
        "serving": _ranges(order, further, attributes_of),
        "arguments": _ranges(order, cores, arguments_of),
    }


def attributes_of(operation: Any) -> list[Any]:
    """[deprecated in graph version or 0, attributes] of an op."""
    return [
        operation.deprecation.version,
        " ".join(_attribute(attribute) for attribute in operation.attr),
    ]


def arguments_of(operation: Any) -> list[str]:
    """[inputs, outputs] of an op."""
    defaults = {
        attribute.name: attribute.default_value
        for attribute in operation.attr
        if attribute.HasField("default_value")
    }
    return [
        " ".join(argument_text(argument, defaults) for argument in side)
        for side in (operation.input_arg, operation.output_arg)
    ]


def argument_text(argument: Any, defaults: dict[str, Any]) -> str:
    """`name:type` with the type's number, `name:T` with the attribute that holds it (`T=1` with its
    default), `name:[T]` for one that holds a list; before it `N*` with the attribute that counts
    them, behind it `&` for a reference.
    """
    kind = (
        f"[{argument.type_list_attr}]"
        if argument.type_list_attr
        else argument.type_attr or str(argument.type)
    )
    if argument.type_attr in defaults:
        kind += f"={defaults[argument.type_attr].type}"
    return (
        f"{argument.name}:"
        + (f"{argument.number_attr}*" if argument.number_attr else "")
        + kind
        + ("&" if argument.is_ref else "")
    )


def _ranges(order: list[str], lists: dict[str, Any], describe: Any) -> dict[str, list[list[Any]]]:
    """By op: [first release, last release, what `describe` says of it], equal neighbours put
    together.
    """
    result: dict[str, list[list[Any]]] = {}
    for minor in order:
        for operation in lists[minor]:
            described = describe(operation)
            ranges = result.setdefault(operation.name, [])
            if (
                ranges
                and ranges[-1][2:] == described
                and order.index(ranges[-1][1]) in (order.index(minor), order.index(minor) - 1)
            ):
                ranges[-1][1] = minor
            else:
                ranges.append([minor, minor, *described])
    return dict(sorted(result.items()))


def _attribute(attribute: Any) -> str:
    """`name:type`, `?` if it has a default, `=` and the allowed values (types by number), `>` and
    the least number or length.
    """
    text = f"{attribute.name}:{attribute.type}" + (
        "?" if attribute.HasField("default_value") else ""
    )
    allowed = attribute.allowed_values.list
    if allowed.type or allowed.s:
        text += "=" + ",".join(
            [str(number) for number in sorted(allowed.type)]
            + [value.decode() for value in allowed.s]
        )
    return text + (f">{attribute.minimum}" if attribute.has_minimum else "")


def write_operations(content: dict[str, Any]) -> None:
    """One line an op, so that a new release shows as the lines it changes."""
    text = (
        '{"releases": {\n'
        + ",\n".join(
            f"{json.dumps(name)}: {json.dumps(entry)}"
            for name, entry in content["releases"].items()
        )
        + "\n}"
    )
    for part in ("operations", "serving", "arguments"):
        rows = (
            f"{json.dumps(name)}: {json.dumps(entry, separators=(',', ':'))}"
            for name, entry in content[part].items()
        )
        text += f', "{part}": {{\n' + ",\n".join(rows) + "\n}"
    OPERATIONS.write_text(text + "}\n", encoding="utf-8")


def write_messages(directory: Path) -> None:
    """The descriptors that the newest wheel's generated modules hold, without TensorFlow being
    imported.
    """
    result = descriptor_pb2.FileDescriptorSet()
    seen: set[str] = set()

    def add(name: str) -> None:
        if name in seen or name.startswith("google/"):
            return
        seen.add(name)
        text = (directory / f"{name.removesuffix('.proto')}_pb2.py").read_text()
        literal = re.search(
            r"AddSerializedFile\((b'(?:[^'\\]|\\.)*'|b\"(?:[^\"\\]|\\.)*\")\)", text
        )
        if not literal:
            raise RuntimeError(f"{name}: no descriptor in its module")
        file = descriptor_pb2.FileDescriptorProto.FromString(ast.literal_eval(literal[1]))
        for needed in file.dependency:
            add(needed)
        file.ClearField("options")
        result.file.append(file)

    add("tensorflow/core/protobuf/saved_model.proto")
    add("tensorflow/core/protobuf/tensor_bundle.proto")
    MESSAGES.write_bytes(result.SerializeToString())


def main() -> None:
    """Collects the op tables of TensorFlow releases; arguments as `--help` describes them."""
    if sys.argv[1:2] == ["--child"]:
        directory, out, *libraries = map(Path, sys.argv[2:])
        return _child(directory, out, libraries)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--scratch",
        type=Path,
        required=True,
        help="directory for the libraries (12 GB), used again by the next run",
    )
    scratch = parser.parse_args().scratch.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    write_operations(collect(scratch))
    package, version, python = RELEASES[-1]
    write_messages(_download(scratch, package, version, python))
    return None


if __name__ == "__main__":
    main()
