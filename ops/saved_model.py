"""The signatures of a SavedModel: which tensors it takes and gives. Reads `saved_model.pb` (or
.pbtxt) without TensorFlow.

The messages are the wire-compatible part of TensorFlow's `saved_model.proto` and `meta_graph.proto`
that signatures need.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

DTYPES = {
    1: "float", 2: "double", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64", 9: "int64", 10: "bool",
    14: "bfloat16", 17: "uint16", 18: "complex128", 19: "half", 20: "resource", 21: "variant", 22: "uint32", 23: "uint64",
}  # fmt: skip
"""TensorFlow's types.proto, without what never crosses a signature."""
SERVE = "serve"
"""Tag of the graph that TensorFlow Serving loads."""


class UnreadableModelError(Exception):
    """The directory holds no SavedModel that can be read; the text says what was found."""


@dataclass(frozen=True)
class Tensor:
    """Type and shape of one input or output of a signature."""

    dtype: str
    shape: tuple[int, ...] | None
    """-1: any size. None: any number of dimensions."""

    def __str__(self) -> str:
        dimensions = (
            "…"
            if self.shape is None
            else ",".join("?" if size < 0 else str(size) for size in self.shape)
        )
        return f"{self.dtype}[{dimensions}]"


@dataclass(frozen=True)
class Signature:
    """One way to call the model."""

    name: str
    method: str
    """`tensorflow/serving/predict`, `…/classify` or `…/regress`."""
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


def signatures(directory: Path) -> dict[str, Signature]:
    """Signatures by name, of the graph that is served. Raises UnreadableModelError."""
    saved = _message()()
    binary, text = directory / "saved_model.pb", directory / "saved_model.pbtxt"
    try:
        if binary.is_file():
            saved.ParseFromString(binary.read_bytes())
        elif text.is_file():
            text_format.Parse(text.read_text(), saved, allow_unknown_field=True)
        else:
            raise UnreadableModelError(f"{directory} has no saved_model.pb")
    except UnreadableModelError:
        raise
    except Exception as error:
        raise UnreadableModelError(
            f"{directory}: its saved_model.pb can't be read ({error})"
        ) from None
    graphs = [graph for graph in saved.meta_graphs if SERVE in graph.meta_info_def.tags]
    if not graphs:
        raise UnreadableModelError(f"{directory}: no graph has the tag {SERVE}")
    return {entry.key: _signature(entry.key, entry.value) for entry in graphs[0].signature_def}


def _signature(name: str, found: Any) -> Signature:
    def tensors(entries: Any) -> dict[str, Tensor]:
        return {
            entry.key: _tensor(entry.value)
            for entry in sorted(entries, key=lambda entry: entry.key)
        }

    return Signature(name, found.method_name, tensors(found.inputs), tensors(found.outputs))


def _tensor(info: Any) -> Tensor:
    shape = (
        None if info.tensor_shape.unknown_rank else tuple(dim.size for dim in info.tensor_shape.dim)
    )
    return Tensor(DTYPES.get(info.dtype, f"type {info.dtype}"), shape)


_FIELDS = {
    "Dim": [(1, "size", "int64")],
    "Shape": [(2, "dim", "*Dim"), (3, "unknown_rank", "bool")],
    "Info": [(1, "name", "string"), (2, "dtype", "DataType"), (3, "tensor_shape", "Shape")],
    "NamedInfo": [(1, "key", "string"), (2, "value", "Info")],
    "Signature": [
        (1, "inputs", "*NamedInfo"),
        (2, "outputs", "*NamedInfo"),
        (3, "method_name", "string"),
    ],
    "NamedSignature": [(1, "key", "string"), (2, "value", "Signature")],
    "MetaInfo": [(4, "tags", "*string")],
    "MetaGraph": [(1, "meta_info_def", "MetaInfo"), (5, "signature_def", "*NamedSignature")],
    "SavedModel": [(2, "meta_graphs", "*MetaGraph")],
}
"""Message: (number, name, type; `*` repeated). A map is a repeated pair of key and value on the
wire.
"""


@functools.cache
def _message() -> type[Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="ops/saved_model.proto", package="ops", syntax="proto3"
    )
    kinds = descriptor_pb2.FieldDescriptorProto
    names = file.enum_type.add(name="DataType")  # by name, for the text form
    for number, name in ((0, "invalid"), *DTYPES.items()):
        names.value.add(name=f"DT_{name.upper()}", number=number)
    for message, fields in _FIELDS.items():
        made = file.message_type.add(name=message)
        for number, name, kind in fields:
            label = kinds.LABEL_REPEATED if kind.startswith("*") else kinds.LABEL_OPTIONAL
            field = made.field.add(name=name, number=number, label=label)
            element = kind.lstrip("*")
            if element in _FIELDS:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".ops.{element}"
            elif element == "DataType":
                field.type, field.type_name = kinds.TYPE_ENUM, ".ops.DataType"
            else:
                field.type = getattr(kinds, f"TYPE_{element.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("ops.SavedModel"))
