"""Random damage to SavedModels, by seed: the check and TensorFlow's loader must say the same of
each result.

Each kind of damage is a function of a random generator and a model; it changes the model and says
what it did, or raises `Absent` where the model has nothing of that kind. `python -m
tests.plugins.ossmodel.mutations --each 20 DIRECTORY…` runs many of them over TensorFlow's loaders
and prints where the two differ (the test runs a few of each kind).
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from google.protobuf import text_format

from lab.serving import tensorflow
from lab.serving.errors import StatusError
from lab.serving.protos import DTYPE_NAMES
from lab.testing.tensorflow_process import TensorFlowProcess
from lab.toolchain import tensorflow as libraries
from providers.ossmodel.tensorflow.check import check
from providers.ossmodel.tensorflow.graph import INIT_SIGNATURE, data_inputs, node_of
from providers.ossmodel.tensorflow.messages import message
from tests.plugins.ossmodel.variants import boundaries

GRAPH: dict[str, Callable[[Random, Any], str]] = {}
"""Damage to the meta graph."""
FILES: dict[str, Callable[[Random, Path], str]] = {}
"""Damage to the directory."""
TYPES = (1, 3, 7, 9, 10)
"""float, int32, string, int64, bool."""
NOT_COMPUTED = re.compile(
    r"Shapes? must|Dimensions? |must be rank|No OpKernel|inconsistent with the GraphDef|input must be a tensor|Incompatible shapes"
)
"""What TensorFlow says of shapes and kernels: the check doesn't compute these, and says so."""
CRASHED = "crashed"
"""The loader ended the process: so would the server, and the pod never becomes ready."""


def of_graph(change: Callable[[Random, Any], str]) -> Callable[[Random, Any], str]:
    """Registers damage to the meta graph."""
    GRAPH[change.__name__] = change
    return change


def of_files(change: Callable[[Random, Path], str]) -> Callable[[Random, Path], str]:
    """Registers damage to the directory."""
    FILES[change.__name__] = change
    return change


def kinds() -> list[str]:
    """Names of all kinds of damage."""
    return [*GRAPH, *FILES]


def mutate(base: Path, target: Path, kind: str, number: int) -> str | None:
    """Copies `base` to `target` with the `number`-th damage of a kind; what was done, None if the
    model has nothing of the kind.
    """
    rng = Random(f"{kind} {number}")
    shutil.copytree(base, target)
    try:
        if kind in FILES:
            return FILES[kind](rng, target)
        path = target / "saved_model.pb"
        model = message("SavedModel").FromString(path.read_bytes())
        done = GRAPH[kind](rng, model.meta_graphs[0])
    except Absent:
        return None
    path.write_bytes(model.SerializeToString(deterministic=True))
    return done


class Absent(Exception):
    """The model has nothing of what was to be damaged."""


def pick(rng: Random, values: Any) -> Any:
    """One of the values. Raises `Absent` if there is none."""
    listed = list(values)
    if not listed:
        raise Absent
    return listed[rng.randrange(len(listed))]


def some_nodes(rng: Random, meta: Any) -> Any:
    """The nodes of the graph, or those of one of its functions."""
    return pick(
        rng,
        [meta.graph_def.node, *(function.node_def for function in meta.graph_def.library.function)],
    )


def some_tensor(rng: Random, meta: Any) -> tuple[str, Any]:
    """One tensor that a signature names: (what it is, TensorInfo)."""
    return pick(
        rng,
        [
            (f"{name} {side} {alias}", info)
            for name, signature in sorted(meta.signature_def.items())
            if name != INIT_SIGNATURE
            for side, infos in (("input", signature.inputs), ("output", signature.outputs))
            for alias, info in sorted(infos.items())
        ],
    )


@of_graph
def node_renamed(rng: Random, meta: Any) -> str:
    node = pick(rng, some_nodes(rng, meta))
    old, node.name = node.name, f"{node.name}_renamed"
    return f"{old} ({node.op})"


@of_graph
def node_dropped(rng: Random, meta: Any) -> str:
    nodes = some_nodes(rng, meta)
    node = pick(rng, nodes)
    said = f"{node.name} ({node.op})"
    nodes.remove(node)
    return said


@of_graph
def node_doubled(rng: Random, meta: Any) -> str:
    nodes = some_nodes(rng, meta)
    node = pick(rng, nodes)
    nodes.add().CopyFrom(node)
    return f"{node.name} ({node.op})"


@of_graph
def op_exchanged(rng: Random, meta: Any) -> str:
    node = pick(rng, some_nodes(rng, meta))
    old, node.op = (
        node.op,
        pick(rng, ["Identity", "Relu", "MatMul", "NoOp", "Const", "StringJoin", "ReadVariableOp"]),
    )
    return f"{node.name}: {old} -> {node.op}"


@of_graph
def input_renamed(rng: Random, meta: Any) -> str:
    node = pick(rng, [node for node in some_nodes(rng, meta) if node.input])
    place = rng.randrange(len(node.input))
    old, node.input[place] = node.input[place], f"{node.input[place].replace(':', '_x:', 1)}_x"
    return f"{node.name} ({node.op}): {old} -> {node.input[place]}"


@of_graph
def input_of_another_output(rng: Random, meta: Any) -> str:
    node = pick(rng, [node for node in some_nodes(rng, meta) if data_inputs(node)])
    old = node.input[0]
    name, _, rest = old.partition(":")
    node.input[0] = f"{name}:{rest.partition(':')[0]}:7" if ":" in rest else f"{name}:7"
    return f"{node.name} ({node.op}): {old} -> {node.input[0]}"


@of_graph
def input_from_another_node(rng: Random, meta: Any) -> str:
    node = pick(rng, [node for node in meta.graph_def.node if data_inputs(node)])
    place = meta.graph_def.node[:].index(node)
    old, node.input[0] = node.input[0], pick(rng, meta.graph_def.node[: max(place, 1)]).name
    return f"{node.name} ({node.op}): {old} -> {node.input[0]}"


@of_graph
def inputs_exchanged(rng: Random, meta: Any) -> str:
    node = pick(rng, [node for node in some_nodes(rng, meta) if len(data_inputs(node)) > 1])
    node.input[0], node.input[1] = node.input[1], node.input[0]
    return f"{node.name} ({node.op})"


@of_graph
def input_dropped(rng: Random, meta: Any) -> str:
    node = pick(rng, [node for node in some_nodes(rng, meta) if node.input])
    return f"{node.name} ({node.op}): {node.input.pop()}"


@of_graph
def input_doubled(rng: Random, meta: Any) -> str:
    node = pick(rng, [node for node in some_nodes(rng, meta) if data_inputs(node)])
    node.input.insert(0, node.input[0])
    return f"{node.name} ({node.op})"


@of_graph
def attribute_dropped(rng: Random, meta: Any) -> str:
    node = pick(rng, [node for node in some_nodes(rng, meta) if node.attr])
    name = pick(rng, sorted(node.attr))
    del node.attr[name]
    return f"{node.name} ({node.op}): {name}"


@of_graph
def type_exchanged(rng: Random, meta: Any) -> str:
    found = pick(
        rng,
        [
            (node, name)
            for node in some_nodes(rng, meta)
            for name in sorted(node.attr)
            if node.attr[name].WhichOneof("value") == "type"
        ],
    )
    node, name = found
    old, node.attr[name].type = (
        node.attr[name].type,
        pick(rng, [kind for kind in TYPES if kind != node.attr[name].type]),
    )
    return f"{node.name} ({node.op}): {name} {old} -> {node.attr[name].type}"


@of_graph
def attribute_of_another_kind(rng: Random, meta: Any) -> str:
    found = pick(
        rng,
        [
            (node, name)
            for node in some_nodes(rng, meta)
            for name in sorted(node.attr)
            if not name.startswith("_")
        ],
    )
    node, name = found
    old = node.attr[name].WhichOneof("value")
    if old == "s":
        node.attr[name].b = True
    else:
        node.attr[name].s = b"nothing"
    return f"{node.name} ({node.op}): {name} was {old}"


@of_graph
def constant_of_another_shape(rng: Random, meta: Any) -> str:
    node = pick(rng, [node for node in some_nodes(rng, meta) if node.op == "Const"])
    node.attr["value"].tensor.tensor_shape.dim.add(size=pick(rng, [0, 3, 1000]))
    return f"{node.name}: {node.attr['value'].tensor.tensor_shape.dim}"


@of_graph
def constant_of_another_type(rng: Random, meta: Any) -> str:
    node = pick(rng, [node for node in some_nodes(rng, meta) if node.op == "Const"])
    tensor = node.attr["value"].tensor
    old, tensor.dtype = tensor.dtype, pick(rng, [kind for kind in TYPES if kind != tensor.dtype])
    return f"{node.name}: {old} -> {tensor.dtype}"


@of_graph
def function_dropped(rng: Random, meta: Any) -> str:
    function = pick(rng, meta.graph_def.library.function)
    name = function.signature.name
    meta.graph_def.library.function.remove(function)
    return name


@of_graph
def function_renamed(rng: Random, meta: Any) -> str:
    function = pick(rng, meta.graph_def.library.function)
    function.signature.name += "_x"
    return function.signature.name


@of_graph
def function_returns_nothing_known(rng: Random, meta: Any) -> str:
    function = pick(rng, [function for function in meta.graph_def.library.function if function.ret])
    name = pick(rng, sorted(function.ret))
    function.ret[name] = "nothing:output:0"
    return f"{function.signature.name}: {name}"


@of_graph
def function_return_dropped(rng: Random, meta: Any) -> str:
    function = pick(rng, [function for function in meta.graph_def.library.function if function.ret])
    name = pick(rng, sorted(function.ret))
    del function.ret[name]
    return f"{function.signature.name}: {name}"


@of_graph
def function_argument_of_another_type(rng: Random, meta: Any) -> str:
    function = pick(
        rng,
        [function for function in meta.graph_def.library.function if function.signature.input_arg],
    )
    argument = pick(rng, function.signature.input_arg)
    old, argument.type = argument.type, pick(rng, [kind for kind in TYPES if kind != argument.type])
    return f"{function.signature.name} {argument.name}: {old} -> {argument.type}"


@of_graph
def function_argument_dropped(rng: Random, meta: Any) -> str:
    function = pick(
        rng,
        [function for function in meta.graph_def.library.function if function.signature.input_arg],
    )
    return f"{function.signature.name}: {function.signature.input_arg.pop().name}"


@of_graph
def signature_of_another_tensor(rng: Random, meta: Any) -> str:
    found = some_tensor(rng, meta)
    what, info = found
    name = node_of(info.name)
    old, info.name = (
        info.name,
        pick(rng, [f"{name}:7", f"{name}_x:0", name, f"{name}:x", "", f"^{name}"]),
    )
    return f"{what}: {old} -> {info.name!r}"


@of_graph
def signature_of_another_type(rng: Random, meta: Any) -> str:
    found = some_tensor(rng, meta)
    what, info = found
    old, info.dtype = info.dtype, pick(rng, [kind for kind in (0, *TYPES) if kind != info.dtype])
    return f"{what}: {old} -> {info.dtype}"


@of_graph
def signature_of_another_shape(rng: Random, meta: Any) -> str:
    found = some_tensor(rng, meta)
    what, info = found
    info.tensor_shape.dim.add(size=5)
    return what


@of_graph
def signature_dropped(rng: Random, meta: Any) -> str:
    name = pick(rng, sorted(meta.signature_def))
    del meta.signature_def[name]
    return name


@of_graph
def init_op_changed(rng: Random, meta: Any) -> str:
    if INIT_SIGNATURE not in meta.signature_def:
        raise Absent
    outputs = meta.signature_def[INIT_SIGNATURE].outputs
    how = pick(
        rng,
        ["alias", "no output", "nothing", "port", "empty", "another node", "two outputs", "type"],
    )
    info = outputs[INIT_SIGNATURE]
    if how == "alias":
        outputs["other"].CopyFrom(info)
        del outputs[INIT_SIGNATURE]
    elif how == "no output":
        outputs.clear()
    elif how == "two outputs":
        outputs["other"].CopyFrom(info)
    elif how == "type":
        info.dtype = 1
    else:
        names = {
            "nothing": "nothing",
            "port": node_of(info.name) + ":3",
            "empty": "",
            "another node": meta.graph_def.node[0].name,
        }
        info.name = names[how]
    return how


@of_graph
def collection_changed(rng: Random, meta: Any) -> str:
    how = pick(
        rng,
        [
            "no signature",
            "two",
            "none",
            "legacy",
            "unknown",
            "of bytes",
            "signature without outputs",
            "both",
        ],
    )
    if INIT_SIGNATURE in meta.signature_def and how != "both":
        del meta.signature_def[INIT_SIGNATURE]
    main = meta.collection_def["saved_model_main_op"]
    node = (
        pick(rng, [node.name for node in meta.graph_def.node if node.op == "NoOp"])
        or meta.graph_def.node[-1].name
    )
    if how == "two":
        main.node_list.value[:] = [node, node]
    elif how == "none":
        main.Clear()
    elif how == "legacy":
        del meta.collection_def["saved_model_main_op"]
        meta.collection_def["legacy_init_op"].node_list.value.append(node)
    elif how == "unknown":
        main.node_list.value[:] = ["nothing"]
    elif how == "of bytes":
        main.bytes_list.value.append(node.encode())
    elif how == "both":
        main.node_list.value[:] = ["nothing"]
    elif how == "signature without outputs":
        meta.signature_def[INIT_SIGNATURE].SetInParent()
    else:
        main.node_list.value[:] = [node]
    return how


@of_graph
def saver_changed(rng: Random, meta: Any) -> str:
    if not meta.HasField("saver_def"):
        raise Absent
    how = pick(
        rng,
        [
            "restore",
            "restore port",
            "file name",
            "file name port",
            "save",
            "empty",
            "version",
            "sharded",
            "other node",
        ],
    )
    saver = meta.saver_def
    if how == "restore":
        saver.restore_op_name = "nothing"
    elif how == "restore port":
        saver.restore_op_name += ":3"
    elif how == "file name":
        saver.filename_tensor_name = "nothing:0"
    elif how == "file name port":
        saver.filename_tensor_name = node_of(saver.filename_tensor_name) + ":4"
    elif how == "save":
        saver.save_tensor_name = "nothing:0"
    elif how == "empty":
        saver.Clear()
    elif how == "version":
        saver.version = 0
    elif how == "sharded":
        saver.sharded = not saver.sharded
    else:
        saver.restore_op_name = meta.graph_def.node[0].name
    return how


@of_graph
def restored_name_changed(rng: Random, meta: Any) -> str:
    names = [
        node
        for nodes in (
            meta.graph_def.node,
            *(function.node_def for function in meta.graph_def.library.function),
        )
        for node in nodes
        if node.op == "Const" and node.name.endswith(("tensor_names", "shape_and_slices"))
    ]
    node = pick(rng, names)
    values = node.attr["value"].tensor.string_val
    place = rng.randrange(len(values))
    how = pick(rng, ["unknown", "dropped", "slice"])
    if how == "dropped":
        del values[place]
    else:
        values[place] = b"nothing" if how == "unknown" else b"3 2 0,1:0,2"
    return f"{node.name}[{place}]: {how}"


@of_graph
def versions_changed(rng: Random, meta: Any) -> str:
    versions = meta.graph_def.versions
    how = pick(rng, ["old producer", "new producer", "new consumer", "bad consumer", "none"])
    if how == "old producer":
        versions.producer = pick(rng, [1, 5, 10, 20, 22])
    elif how == "new producer":
        versions.producer = 5000
    elif how == "new consumer":
        versions.min_consumer = pick(rng, [100, 500, 3000])
    elif how == "bad consumer":
        versions.bad_consumers.extend([134, 1645, 1766, 2254])
    else:
        meta.graph_def.ClearField("versions")
    return f"{how}: {versions}"


@of_graph
def asset_changed(rng: Random, meta: Any) -> str:
    asset = pick(rng, meta.asset_file_def)
    how = pick(rng, ["file", "tensor", "port", "path", "empty", "twice"])
    if how == "file":
        asset.filename = "nothing.txt"
    elif how == "tensor":
        asset.tensor_info.name = "nothing:0"
    elif how == "port":
        asset.tensor_info.name = node_of(asset.tensor_info.name) + ":5"
    elif how == "path":
        asset.filename = "../saved_model.pb"
    elif how == "empty":
        asset.filename = ""
    else:
        meta.asset_file_def.add().CopyFrom(asset)
    return how


@of_graph
def tags_changed(rng: Random, meta: Any) -> str:
    tags = pick(rng, [[], ["serve", "serve"], ["Serve"], ["serve", "tpu"], [" serve"]])
    meta.meta_info_def.tags[:] = tags
    return str(tags)


@of_graph
def device_given(rng: Random, meta: Any) -> str:
    node = pick(rng, some_nodes(rng, meta))
    node.device = pick(
        rng,
        [
            "/cpu:0",
            "/device:GPU:0",
            "/job:worker/task:1",
            "/device:CPU:3",
            "nonsense",
            "/device:CPU:*",
            "/gpu:0",
        ],
    )
    return f"{node.name} ({node.op}): {node.device}"


def change_bytes(path: Path, rng: Random, how: str) -> str:
    """Cuts a file, or changes one of its bytes."""
    data = bytearray(path.read_bytes())
    place = rng.randrange(len(data)) if data else 0
    if how == "cut":
        del data[place:]
    elif how == "empty":
        data.clear()
    elif how == "longer":
        data += rng.randbytes(40)
    elif data:
        data[place] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return f"{path.name} {how} at {place} of {path.stat().st_size}"


@of_files
def graph_bytes(rng: Random, directory: Path) -> str:
    return change_bytes(
        directory / "saved_model.pb", rng, pick(rng, ["cut", "flipped", "flipped", "longer"])
    )


@of_files
def graph_cut_between_fields(rng: Random, directory: Path) -> str:
    path = directory / "saved_model.pb"
    data = path.read_bytes()
    place = pick(rng, [place for place in boundaries(data) if place < len(data)])
    path.write_bytes(data[:place])
    return f"at {place} of {len(data)}"


@of_files
def graph_as_text(rng: Random, directory: Path) -> str:
    path = directory / "saved_model.pb"
    model = message("SavedModel").FromString(path.read_bytes())
    text = text_format.MessageToString(model)
    how = pick(rng, ["whole", "whole", "cut", "unknown field", "both", "line dropped", "utf-16"])
    if how == "cut":
        text = text[: rng.randrange(len(text))]
    elif how == "unknown field":
        text += "no_such_field: 3\n"
    elif how == "line dropped":
        lines = text.splitlines(keepends=True)
        del lines[rng.randrange(len(lines))]
        text = "".join(lines)
    if how == "both":
        text = "nonsense"
    else:
        path.unlink()
    path.with_suffix(".pbtxt").write_text(text, encoding="utf-16" if how == "utf-16" else "utf-8")
    return how


@of_files
def index_bytes(rng: Random, directory: Path) -> str:
    path = directory / "variables" / "variables.index"
    if not path.is_file():
        raise Absent
    return change_bytes(path, rng, pick(rng, ["cut", "flipped", "flipped", "empty", "longer"]))


@of_files
def shard_bytes(rng: Random, directory: Path) -> str:
    path = pick(rng, sorted((directory / "variables").glob("variables.data-*")))
    return change_bytes(path, rng, pick(rng, ["cut", "flipped", "flipped", "empty", "longer"]))


@of_files
def file_missing(rng: Random, directory: Path) -> str:
    path = pick(rng, sorted(path for path in directory.rglob("*") if path.is_file()))
    path.unlink()
    return str(path.relative_to(directory))


@of_files
def file_became_a_directory(rng: Random, directory: Path) -> str:
    path = pick(rng, sorted(path for path in directory.rglob("*") if path.is_file()))
    path.unlink()
    path.mkdir()
    return str(path.relative_to(directory))


@of_files
def asset_bytes(rng: Random, directory: Path) -> str:
    path = pick(
        rng, sorted((directory / "assets").glob("*")) if (directory / "assets").is_dir() else []
    )
    return change_bytes(path, rng, pick(rng, ["cut", "empty", "longer"]))


Request = dict[str, dict[str, np.ndarray]]


def request_of(directory: Path) -> Request:
    """Zeros and empty strings for each signature of a model."""
    meta = (
        message("SavedModel").FromString((directory / "saved_model.pb").read_bytes()).meta_graphs[0]
    )
    result: Request = {}
    for name, signature in meta.signature_def.items():
        if name == INIT_SIGNATURE or any(
            info.WhichOneof("encoding") != "name" for info in signature.inputs.values()
        ):
            continue
        result[name] = {
            alias: np.zeros(
                [max(1, dim.size) for dim in info.tensor_shape.dim],
                tensorflow.NUMPY[DTYPE_NAMES[info.dtype]],
            )
            if info.dtype != 7
            else np.full([max(1, dim.size) for dim in info.tensor_shape.dim], b"a", object)
            for alias, info in signature.inputs.items()
        }
    return result


class Loader:
    """TensorFlow of one version, begun again when a model ends its process."""

    def __init__(self, version: str) -> None:
        self.version, self.process = version, TensorFlowProcess(version)

    def verdict(self, directory: Path, requests: Request) -> tuple[str, str]:
        """(refused, fails or answers; TensorFlow's message)."""
        try:
            try:
                known = self.process.load(directory)
            except StatusError as error:
                return "refused", error.message
            for name, inputs in requests.items():
                if name not in known:
                    continue
                try:
                    self.process.predict(directory, inputs, name)
                except StatusError as error:
                    return "fails", f"{name}: {error.message}"
            return "answers", ""
        except (EOFError, ConnectionResetError, BrokenPipeError):
            self.process.end()
            self.process = TensorFlowProcess(self.version)
            return CRASHED, ""

    def answered(self, directory: Path) -> Request:
        """The requests that an undamaged model answers."""
        requests = request_of(directory)
        return {
            name: inputs
            for name, inputs in requests.items()
            if self.verdict(directory, {name: inputs})[0] == "answers"
        }

    def end(self) -> None:
        """Ends the process."""
        self.process.end()


@dataclass(frozen=True)
class Outcome:
    """What the two said of one damaged model."""

    what: str
    ours: str
    theirs: str
    message: str

    @property
    def of_shapes_or_kernels(self) -> bool:
        """Whether they differ only because the check computes neither shapes nor kernels."""
        return (
            not self.agree
            and self.ours == "answers"
            and bool(NOT_COMPUTED.search(self.message.rpartition("| loader: ")[2]))
        )

    @property
    def agree(self) -> bool:
        """A loader that crashes serves as little as one that refuses."""
        return self.ours == self.theirs or (
            self.theirs == CRASHED and self.ours in ("refused", "fails")
        )


def checked(directory: Path, version: str, requests: Request) -> tuple[str, str]:
    """(the check's verdict, its first reason)."""
    report = check(directory, version)
    if report.refusals:
        return "refused", f"{report.refusals[0].where}: {report.refusals[0].expected}"
    failing = [
        finding
        for finding in report.failing
        if any(f"signature {name!r}" in finding.consequence for name in requests)
    ]
    return ("fails", f"{failing[0].where}: {failing[0].expected}") if failing else ("answers", "")


def outcomes(
    loader: Loader, bases: list[Path], numbers: range, wanted: list[str], scratch: Path
) -> Iterator[Outcome]:
    """Damage of each wanted kind to each model."""
    for base in bases:
        requests = loader.answered(base)
        if loader.verdict(base, {})[0] != "answers":
            continue
        for kind in wanted:
            for number in numbers:
                target = scratch / f"{base.parent.name}-{kind}-{number}" / "1"
                done = mutate(base, target, kind, number)
                if done is not None:
                    ours, reason = checked(target, loader.version, requests)
                    theirs, text = loader.verdict(target, requests)
                    what = f"{base.parent.name} {kind} {number} ({done}) on {loader.version}"
                    yield Outcome(
                        what, ours, theirs, f"check: {reason[:200]} | loader: {text[:300]}"
                    )
                shutil.rmtree(target.parent)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", type=Path, help="version directories")
    parser.add_argument("--each", type=int, default=20, help="damages of each kind to each model")
    parser.add_argument("--first", type=int, default=0, help="number of the first damage")
    parser.add_argument("--kind", action="append", choices=kinds(), help="only these kinds")
    parser.add_argument("--version", action="append", help="only these TensorFlow releases")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    for version in options.version or libraries.TESTED:
        libraries.ensure(version)
        loader = Loader(version)
        with tempfile.TemporaryDirectory() as scratch:
            numbers = range(options.first, options.first + options.each)
            for outcome in outcomes(
                loader, options.models, numbers, options.kind or kinds(), Path(scratch)
            ):
                counts["all"] += 1
                counts[f"{outcome.ours}/{outcome.theirs}"] += 1
                if outcome.of_shapes_or_kernels:
                    counts["of shapes or kernels"] += 1
                elif not outcome.agree:
                    counts["differ"] += 1
                    print(
                        f"{outcome.what}: check {outcome.ours}, loader {outcome.theirs} | {outcome.message}",
                        flush=True,
                    )
        loader.end()
    more = f"{counts['of shapes or kernels']} more for shapes or kernels"
    found = f"{counts['all']} damaged models, {counts['differ']} judged differently, {more}"
    print(f"{found}; check/loader: {dict(counts)}", file=sys.stderr)


if __name__ == "__main__":
    main()
