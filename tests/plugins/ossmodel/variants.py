"""Models that differ from the sample model in one thing; the check must say of each what
TensorFlow's loader says.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from providers.ossmodel.tensorflow.messages import message

FLOAT, BOOL, STRING, FLOAT8 = 1, 10, 7, 24
VARIANTS: dict[str, Callable[[Path], None]] = {}


def make(name: str, base: Path, parent: Path) -> Path:
    """The variant `name` of the model `base`, below `parent`."""
    directory = parent / name / "1"
    shutil.copytree(base, directory)
    VARIANTS[name](directory)
    return directory


def of_files(change: Callable[[Path], None]) -> None:
    """Registers a change of the directory."""
    VARIANTS[change.__name__] = change


def of_graph(change: Callable[[Any], None]) -> None:
    """Registers a change of the meta graph."""

    def changed(directory: Path) -> None:
        path = directory / "saved_model.pb"
        model = message("SavedModel").FromString(path.read_bytes())
        change(model.meta_graphs[0])
        path.write_bytes(model.SerializeToString())

    VARIANTS[change.__name__] = changed


def boundaries(data: bytes) -> list[int]:
    """Where one field of the message or of its meta graph ends and the next begins."""
    found, places = [], [(0, len(data))]
    while places:
        at, end = places.pop()
        while at < end:
            number = shift = 0
            while True:
                number, at, shift = number | (data[at] & 127) << shift, at + 1, shift + 7
                if not data[at - 1] & 128:
                    break
            if number & 7 == 0:
                while data[at] & 128:
                    at += 1
                at += 1
            elif number & 7 == 2:
                size = shift = 0
                while True:
                    size, at, shift = size | (data[at] & 127) << shift, at + 1, shift + 7
                    if not data[at - 1] & 128:
                        break
                if at == len(data) - size or not found:
                    places.append((at, at + size))
                at += size
            else:
                return found
            found.append(at)
    return sorted(set(found))


def add(nodes: Any, name: str, op: str, *inputs: str, **attributes: Any) -> Any:
    """A node with types (numbers), functions (names) and lists of types as attributes."""
    node = nodes.add(name=name, op=op, input=inputs)
    for key, value in attributes.items():
        if isinstance(value, int):
            node.attr[key].type = value
        elif isinstance(value, str):
            node.attr[key].func.name = value
        else:
            node.attr[key].list.type.extend(value)
    return node


def function(meta: Any, prefix: str) -> Any:
    """The function whose name begins so."""
    return next(
        entry
        for entry in meta.graph_def.library.function
        if entry.signature.name.startswith(prefix)
    )


def serve(meta: Any) -> Any:
    """The function that computes the answer."""
    return function(meta, "__inference_serve_")


def body(meta: Any, op: str = "NoSuchOp") -> None:
    """A function `body` with one node of `op`, and a function `condition`."""
    for name, result in (("body", FLOAT), ("condition", BOOL)):
        added = meta.graph_def.library.function.add()
        added.signature.name = name
        added.signature.input_arg.add(name="x").type = FLOAT
        added.signature.output_arg.add(name="y").type = result
    meta.graph_def.library.function[-2].node_def.add(name="unknown", op=op)
    meta.graph_def.library.function[-2].ret["y"] = "x"
    constant = add(meta.graph_def.library.function[-1].node_def, "no", "Const", dtype=BOOL)
    constant.attr["value"].tensor.dtype = BOOL
    constant.attr["value"].tensor.bool_val.append(False)
    constant.attr["value"].tensor.tensor_shape.SetInParent()
    meta.graph_def.library.function[-1].ret["y"] = "no:output:0"


@of_files
def unchanged(directory: Path) -> None:
    pass


@of_files
def no_variables(directory: Path) -> None:
    shutil.rmtree(directory / "variables")


@of_files
def empty_variables(directory: Path) -> None:
    for path in (directory / "variables").iterdir():
        path.unlink()


@of_files
def no_index(directory: Path) -> None:
    (directory / "variables/variables.index").unlink()


@of_files
def index_cut(directory: Path) -> None:
    path = directory / "variables/variables.index"
    path.write_bytes(path.read_bytes()[:-20])


@of_files
def index_damaged(directory: Path) -> None:
    path = directory / "variables/variables.index"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)


@of_files
def no_shard(directory: Path) -> None:
    (directory / "variables/variables.data-00000-of-00001").unlink()


@of_files
def shard_cut(directory: Path) -> None:
    path = directory / "variables/variables.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@of_files
def shard_damaged(directory: Path) -> None:
    path = directory / "variables/variables.data-00000-of-00001"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@of_files
def asset_missing_that_nothing_reads(directory: Path) -> None:
    (directory / "assets/vocab.txt").unlink()


@of_files
def empty_extra_configuration(directory: Path) -> None:
    (directory / "assets.extra").mkdir()
    (directory / "assets.extra/saved_model_config.pb").touch()


@of_files
def graph_of_noise(directory: Path) -> None:
    (directory / "saved_model.pb").write_bytes(bytes(range(256)) * 40)


@of_files
def graph_cut(directory: Path) -> None:
    path = directory / "saved_model.pb"
    path.write_bytes(path.read_bytes()[:-1001])


@of_files
def graph_cut_between_fields(directory: Path) -> None:
    path = directory / "saved_model.pb"
    data = path.read_bytes()
    path.write_bytes(data[: [place for place in boundaries(data) if place < len(data)][-1]])


@of_files
def graph_empty(directory: Path) -> None:
    (directory / "saved_model.pb").write_bytes(b"")


@of_files
def graph_as_text(directory: Path) -> None:
    path = directory / "saved_model.pb"
    model = message("SavedModel").FromString(path.read_bytes())
    model.meta_graphs[0].meta_info_def.ClearField(
        "stripped_op_list"
    )  # newer fields, which an older text parser doesn't know
    model.meta_graphs[0].ClearField("object_graph_def")
    for entry in model.meta_graphs[0].graph_def.library.function:
        for argument in (*entry.signature.input_arg, *entry.signature.output_arg):
            argument.ClearField("handle_data")
        for node in entry.node_def:
            node.ClearField("experimental_type")
    path.with_suffix(".pbtxt").write_text(text_format.MessageToString(model))
    path.unlink()


@of_graph
def only_for_training(meta: Any) -> None:
    meta.meta_info_def.tags[:] = ["train"]


@of_graph
def one_tag_more(meta: Any) -> None:
    meta.meta_info_def.tags.append("gpu")


@of_graph
def newer_reader_wanted(meta: Any) -> None:
    meta.graph_def.versions.min_consumer = 1000


@of_graph
def unknown_op_in_the_graph(meta: Any) -> None:
    add(meta.graph_def.node, "unknown", "NoSuchOp")


@of_graph
def unknown_op_in_what_is_called(meta: Any) -> None:
    add(serve(meta).node_def, "unknown", "NoSuchOp")


@of_graph
def unknown_op_in_what_is_not_called(meta: Any) -> None:
    body(meta)


@of_graph
def unknown_op_in_a_loop(meta: Any) -> None:
    body(meta)
    nodes = serve(meta).node_def
    start = add(nodes, "start", "Const", dtype=FLOAT)
    start.attr["value"].tensor.dtype = FLOAT
    start.attr["value"].tensor.float_val.append(1)
    start.attr["value"].tensor.tensor_shape.SetInParent()
    add(nodes, "loop", "While", "start:output:0", T=[FLOAT], cond="condition", body="body")
    next(node for node in nodes if node.op == "Identity").input.append("^loop")


@of_graph
def unknown_op_two_calls_deep(meta: Any) -> None:
    body(meta)
    add(serve(meta).node_def, "start", "Placeholder", dtype=FLOAT)
    add(
        serve(meta).node_def,
        "call",
        "PartitionedCall",
        "start:output:0",
        Tin=[FLOAT],
        Tout=[FLOAT],
        f="body",
    )


@of_graph
def debug_name(meta: Any) -> None:
    for node in meta.graph_def.node:
        if node.op == "VarHandleOp":
            node.attr["debug_name"].s = node.name.encode()


@of_graph
def unknown_attribute_of_a_placeholder(meta: Any) -> None:
    next(node for node in meta.graph_def.node if node.op == "Placeholder").attr["new"].b = True


@of_graph
def unknown_attribute_while_restoring(meta: Any) -> None:
    function(meta, "__inference__traced_restore").node_def[0].attr["new"].b = True


@of_graph
def private_attribute(meta: Any) -> None:
    meta.graph_def.node[0].attr["_new"].b = True


@of_graph
def attribute_missing(meta: Any) -> None:
    add(meta.graph_def.node, "x", "Placeholder", dtype=FLOAT)
    add(meta.graph_def.node, "y", "Relu", "x")


@of_graph
def type_not_allowed(meta: Any) -> None:
    add(meta.graph_def.node, "x", "Placeholder", dtype=STRING)
    add(meta.graph_def.node, "y", "Relu", "x", T=STRING)


@of_graph
def type_of_newer_releases(meta: Any) -> None:
    add(meta.graph_def.node, "x", "Placeholder", dtype=FLOAT8)


@of_graph
def removed_op(meta: Any) -> None:
    add(meta.graph_def.node, "x", "Placeholder", dtype=FLOAT)
    add(meta.graph_def.node, "y", "BatchMatrixInverse", "x", T=FLOAT)


@of_graph
def node_twice(meta: Any) -> None:
    meta.graph_def.node.add().CopyFrom(meta.graph_def.node[0])


@of_graph
def input_missing(meta: Any) -> None:
    add(meta.graph_def.node, "y", "Identity", "nothing", T=FLOAT)


@of_graph
def waits_for_itself(meta: Any) -> None:
    add(meta.graph_def.node, "a", "Relu", "b", T=FLOAT)
    add(meta.graph_def.node, "b", "Relu", "a", T=FLOAT)


@of_graph
def function_missing_in_the_graph(meta: Any) -> None:
    add(meta.graph_def.node, "x", "Placeholder", dtype=FLOAT)
    add(meta.graph_def.node, "y", "PartitionedCall", "x", Tin=[FLOAT], Tout=[FLOAT], f="nothing")


@of_graph
def function_missing_behind_a_signature(meta: Any) -> None:
    meta.graph_def.library.function.remove(serve(meta))


@of_graph
def function_twice(meta: Any) -> None:
    meta.graph_def.library.function.add().CopyFrom(serve(meta))
    meta.graph_def.library.function[-1].node_def.add(name="more", op="NoOp")


@of_graph
def signature_names_nothing(meta: Any) -> None:
    meta.signature_def["serving_default"].outputs["probabilities"].name = "nothing:0"


@of_graph
def no_saver(meta: Any) -> None:
    meta.ClearField("saver_def")


@of_graph
def no_main_op(meta: Any) -> None:
    del meta.signature_def["__saved_model_init_op"]
    meta.collection_def["saved_model_main_op"].Clear()


@of_graph
def main_op_by_collection_only(meta: Any) -> None:
    del meta.signature_def["__saved_model_init_op"]


@of_graph
def init_output_of_another_name(meta: Any) -> None:
    outputs = meta.signature_def["__saved_model_init_op"].outputs
    outputs["other"].CopyFrom(outputs["__saved_model_init_op"])
    del outputs["__saved_model_init_op"]


@of_graph
def signature_names_no_output_of_its_node(meta: Any) -> None:
    meta.signature_def["serving_default"].outputs[
        "probabilities"
    ].name = "StatefulPartitionedCall:7"


@of_graph
def input_of_another_type_in_the_signature(meta: Any) -> None:
    meta.signature_def["serving_default"].inputs["input_ids"].dtype = FLOAT


@of_graph
def edge_of_another_type(meta: Any) -> None:
    add(meta.graph_def.node, "x", "Placeholder", dtype=STRING)
    add(meta.graph_def.node, "y", "Relu", "x", T=FLOAT)


@of_graph
def one_input_too_few(meta: Any) -> None:
    add(meta.graph_def.node, "x", "Placeholder", dtype=FLOAT)
    add(meta.graph_def.node, "y", "AddV2", "x", T=FLOAT)


@of_graph
def constant_of_negative_size(meta: Any) -> None:
    node = add(meta.graph_def.node, "c", "Const", dtype=FLOAT)
    node.attr["value"].tensor.dtype = FLOAT
    node.attr["value"].tensor.tensor_shape.dim.add(size=-3)


@of_graph
def on_a_gpu(meta: Any) -> None:
    add(meta.graph_def.node, "x", "Placeholder", dtype=FLOAT).device = "/device:GPU:0"


@of_graph
def on_the_cpu(meta: Any) -> None:
    add(
        meta.graph_def.node, "x", "Placeholder", dtype=FLOAT
    ).device = "/job:localhost/replica:0/task:0/device:CPU:0"


@of_graph
def other_variable_restored(meta: Any) -> None:
    restore = function(meta, "__inference__traced_restore")
    names = (
        next(node for node in restore.node_def if node.name.endswith("tensor_names"))
        .attr["value"]
        .tensor.string_val
    )
    names[0] = b"other"
