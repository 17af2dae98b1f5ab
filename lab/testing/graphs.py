"""SavedModels made by hand, node by node: protocol buffers only, no TensorFlow.

    graph = Graph()
    text = graph.placeholder("text", "DT_STRING", [-1])
    out = graph.node("Identity", text, T="DT_STRING")
    graph.signature("serving_default", {"text": text}, {"out": out})
    graph.save(folder)

Attributes are given by their Python type: a name that begins with DT_ is a type, a list of int a
shape, a numpy array a tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_MESSAGES = {
    "Dim": [(1, "size", "int64")],
    "Shape": [(2, "dim", "*Dim"), (3, "unknown_rank", "bool")],
    "Tensor": [(1, "dtype", "int32"), (2, "tensor_shape", "Shape"), (4, "tensor_content", "bytes"), (8, "string_val", "*bytes")],
    "List": [(2, "s", "*bytes"), (3, "i", "*int64"), (6, "type", "*int32"), (7, "shape", "*Shape")],
    # The real message holds these fields in a oneof, which sends explicit zeros; so does proto2.
    "Attr": [
        (1, "list", "List"), (2, "s", "bytes"), (3, "i", "int64"), (4, "f", "float"), (5, "b", "bool"), (6, "type", "int32"),
        (7, "shape", "Shape"), (8, "tensor", "Tensor"),
    ],
    "AttrEntry": [(1, "key", "string"), (2, "value", "Attr")],
    "Node": [(1, "name", "string"), (2, "op", "string"), (3, "input", "*string"), (5, "attr", "*AttrEntry")],
    "Versions": [(1, "producer", "int32"), (2, "min_consumer", "int32")],
    "GraphDef": [(1, "node", "*Node"), (4, "versions", "Versions")],
    "Meta": [(4, "tags", "*string"), (5, "tensorflow_version", "string")],
    "NodeList": [(1, "value", "*string")],
    "Collection": [(1, "node_list", "NodeList")],
    "CollectionEntry": [(1, "key", "string"), (2, "value", "Collection")],
    "Info": [(1, "name", "string"), (2, "dtype", "int32"), (3, "tensor_shape", "Shape")],
    "InfoEntry": [(1, "key", "string"), (2, "value", "Info")],
    "Signature": [(1, "inputs", "*InfoEntry"), (2, "outputs", "*InfoEntry"), (3, "method_name", "string")],
    "SignatureEntry": [(1, "key", "string"), (2, "value", "Signature")],
    "Asset": [(1, "tensor_info", "Info"), (2, "filename", "string")],
    "MetaGraph": [
        (1, "meta_info_def", "Meta"), (2, "graph_def", "GraphDef"), (4, "collection_def", "*CollectionEntry"),
        (5, "signature_def", "*SignatureEntry"), (6, "asset_file_def", "*Asset"),
    ],
    "Saved": [(1, "saved_model_schema_version", "int64"), (2, "meta_graphs", "*MetaGraph")],
}  # fmt: skip
TYPES = {
    "DT_FLOAT": 1, "DT_DOUBLE": 2, "DT_INT32": 3, "DT_UINT8": 4, "DT_STRING": 7, "DT_INT64": 9, "DT_BOOL": 10, "DT_BFLOAT16": 14,
    "DT_HALF": 19, "DT_RESOURCE": 20,
}  # fmt: skip
_NUMPY = {
    "float32": "DT_FLOAT",
    "int32": "DT_INT32",
    "int64": "DT_INT64",
    "bool": "DT_BOOL",
    "object": "DT_STRING",
}


def _classes() -> dict[str, Any]:
    """The messages above under TensorFlow's field numbers."""
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/graphs.proto", package="graphs", syntax="proto2"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            label = _Field.LABEL_REPEATED if kind.startswith("*") else _Field.LABEL_OPTIONAL
            made = message.field.add(name=field, number=number, label=label)
            if scalar := getattr(_Field, f"TYPE_{kind.lstrip('*').upper()}", None):
                made.type = scalar
            else:
                made.type, made.type_name = _Field.TYPE_MESSAGE, f".graphs.{kind.lstrip('*')}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"graphs.{name}"))
        for name in _MESSAGES
    }


_MADE = _classes()


@dataclass(frozen=True)
class Ref:
    """One output of a node."""

    name: str
    kind: str
    shape: tuple[int, ...] | None


class Graph:
    """A graph under construction. Nodes are named by their op and a number unless a name is
    given.
    """

    def __init__(self) -> None:
        self.meta = _MADE["MetaGraph"]()
        self.meta.meta_info_def.tags.append("serve")
        self.meta.graph_def.versions.producer = 22
        self.assets: dict[str, bytes] = {}

    def node(
        self,
        op: str,
        *inputs: Ref | str,
        name: str = "",
        output: str = "",
        shape: list[int] | None = None,
        **attributes: Any,
    ) -> Ref:
        """Adds a node; `output` is the type of its first output when no attribute T, dtype or
        out_type says it.
        """
        node = self.meta.graph_def.node.add(
            op=op, name=name or f"{op}_{len(self.meta.graph_def.node)}"
        )
        node.input.extend(item if isinstance(item, str) else item.name for item in inputs)
        for key, value in attributes.items():
            _set(node.attr.add(key=key).value, value)
        kind = output or next(
            (attributes[key] for key in ("dtype", "DstT", "out_type", "T") if key in attributes),
            "DT_RESOURCE",
        )
        return Ref(node.name, kind, tuple(shape) if shape is not None else None)

    def placeholder(self, name: str, kind: str, shape: list[int]) -> Ref:
        """An input."""
        node = self.meta.graph_def.node.add(op="Placeholder", name=name)
        _set(node.attr.add(key="dtype").value, kind)
        _set(node.attr.add(key="shape").value, shape)
        return Ref(name, kind, tuple(shape))

    def constant(self, value: Any) -> Ref:
        """A constant from a numpy array or what makes one; bytes and str become strings."""
        array = (
            value
            if isinstance(value, np.ndarray)
            else np.array(value, object if isinstance(value, bytes | str) else None)
        )
        return self.node(
            "Const", dtype=_NUMPY[str(array.dtype)], value=array, shape=list(array.shape)
        )

    def output(self, ref: Ref, number: int, kind: str) -> Ref:
        """Another output of the same node."""
        return Ref(f"{ref.name}:{number}", kind, None)

    def asset(self, filename: str, content: bytes) -> Ref:
        """A file below assets/, as the constant whose value the loader replaces by its path."""
        ref = self.constant(b"unset")
        self.assets[filename] = content
        info = self.meta.asset_file_def.add(filename=filename).tensor_info
        info.name, info.dtype = f"{ref.name}:0", TYPES["DT_STRING"]
        return ref

    def initial(self, operation: Ref) -> None:
        """Runs once when the model is loaded (of a graph with one such operation)."""
        self.meta.collection_def.add(key="saved_model_main_op").value.node_list.value.append(
            operation.name
        )

    def signature(
        self,
        key: str,
        inputs: Mapping[str, Ref],
        outputs: Mapping[str, Ref],
        method: str = "predict",
    ) -> None:
        """Adds a signature; `method` is predict, classify or regress."""
        entry = self.meta.signature_def.add(key=key).value
        entry.method_name = f"tensorflow/serving/{method}"
        for side, refs in ((entry.inputs, inputs), (entry.outputs, outputs)):
            for alias, ref in refs.items():
                info = side.add(key=alias).value
                info.name = ref.name if ":" in ref.name else f"{ref.name}:0"
                info.dtype = TYPES[ref.kind]
                _shape(info.tensor_shape, ref.shape)

    def save(self, folder: Path) -> Path:
        """Writes the SavedModel."""
        (folder / "assets").mkdir(parents=True, exist_ok=True)
        for filename, content in self.assets.items():
            (folder / "assets" / filename).write_bytes(content)
        saved = _MADE["Saved"](saved_model_schema_version=1)
        saved.meta_graphs.append(self.meta)
        (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
        return folder


def _shape(message: Any, sizes: tuple[int, ...] | list[int] | None) -> None:
    if sizes is None:
        message.unknown_rank = True
        return
    message.SetInParent()
    for size in sizes:
        message.dim.add(size=size)


def _set(attribute: Any, value: Any) -> None:
    """Fills an attribute by the value's Python type; a tuple is a list of shapes (of lists) or of
    types (of names).
    """
    if isinstance(value, bool):
        attribute.b = value
    elif isinstance(value, int):
        attribute.i = value
    elif isinstance(value, str):
        if value.startswith("DT_"):
            attribute.type = TYPES[value]
        else:
            attribute.s = value.encode()
    elif isinstance(value, list):
        attribute.shape.SetInParent()
        _shape(attribute.shape, value)
    elif isinstance(value, tuple):
        attribute.list.SetInParent()
        for item in value:
            if isinstance(item, str):
                attribute.list.type.append(TYPES[item])
            else:
                _shape(attribute.list.shape.add(), item)
    else:
        tensor = attribute.tensor
        tensor.dtype = TYPES[_NUMPY[str(value.dtype)]]
        _shape(tensor.tensor_shape, value.shape)
        if value.dtype == object:
            tensor.string_val.extend(
                item if isinstance(item, bytes) else item.encode() for item in value.ravel()
            )
        else:
            tensor.tensor_content = value.tobytes()
