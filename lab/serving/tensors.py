"""TensorProto to arrays and back, by TensorFlow's rules (tensorflow/core/framework/tensor.cc)."""

from __future__ import annotations

from typing import Any

import numpy as np

from lab.serving import protos
from lab.serving.errors import invalid
from lab.serving.tensorflow import (
    NUMPY,
    Tensor,
    bfloat16_to_float,
    float_to_bfloat16,
    object_array,
    varint,
)

_FIELDS = {
    "DT_FLOAT": "float_val", "DT_DOUBLE": "double_val", "DT_INT32": "int_val", "DT_INT16": "int_val", "DT_INT8": "int_val",
    "DT_UINT8": "int_val", "DT_UINT16": "int_val", "DT_QINT8": "int_val", "DT_QUINT8": "int_val", "DT_QINT32": "int_val",
    "DT_QINT16": "int_val", "DT_QUINT16": "int_val", "DT_INT64": "int64_val", "DT_BOOL": "bool_val", "DT_UINT32": "uint32_val",
    "DT_UINT64": "uint64_val", "DT_STRING": "string_val", "DT_HALF": "half_val", "DT_BFLOAT16": "half_val",
    "DT_COMPLEX64": "scomplex_val", "DT_COMPLEX128": "dcomplex_val",
}  # fmt: skip
"""Where the values of each type are when they are not in tensor_content."""


def type_name(kind: str) -> str:
    """A type as TensorFlow's texts name it: "float", "int32", "bfloat16"."""
    return kind.removeprefix("DT_").lower()


def from_proto(message: Any, alias: str) -> Tensor:
    """The tensor that `message` describes: no values are zeros, too few are filled up with the last
    one, too many are cut.

    Raises StatusError as the server words it: "tensor parsing error: <alias>".
    """
    kind, shape = (
        protos.DTYPE_NAMES.get(message.dtype, ""),
        [dim.size for dim in message.tensor_shape.dim],
    )
    if kind not in NUMPY or message.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise invalid(f"tensor parsing error: {alias}")
    size = int(np.prod(shape, dtype=np.int64))
    values = (
        _from_content(kind, message.tensor_content, size)
        if message.tensor_content
        else _from_field(kind, message, size)
    )
    if values is None:
        raise invalid(f"tensor parsing error: {alias}")
    return Tensor(kind, values.reshape(shape))


def _from_field(kind: str, message: Any, size: int) -> np.ndarray:
    values: Any = list(getattr(message, _FIELDS[kind]))[: size * 2 if "COMPLEX" in kind else size]
    if kind == "DT_STRING":
        return object_array([*values, *[values[-1] if values else b""] * (size - len(values))])
    if "COMPLEX" in kind:
        parts = np.array(values, np.float64)
        array = (parts[::2][: len(parts) // 2] + 1j * parts[1::2]).astype(NUMPY[kind])
    elif kind == "DT_BFLOAT16":
        array = bfloat16_to_float(np.array(values, np.int64).astype(np.uint16))
    elif kind == "DT_HALF":
        array = np.array(values, np.int64).astype(np.uint16).view(np.float16)
    else:
        array = np.array(values).astype(NUMPY[kind])
    rest = np.full(size - len(array), array[-1] if len(array) else 0, array.dtype)
    return np.concatenate([array, rest]) if len(rest) else array


def _from_content(kind: str, content: bytes, size: int) -> np.ndarray | None:
    """The raw bytes of all values; None if they are not as many as the shape needs."""
    if kind == "DT_STRING":
        return _strings(content, size)
    raw = np.dtype(np.uint16) if kind == "DT_BFLOAT16" else np.dtype(NUMPY[kind])
    if len(content) != size * raw.itemsize:
        return None
    array = np.frombuffer(content, raw)
    return bfloat16_to_float(array) if kind == "DT_BFLOAT16" else array


def _strings(content: bytes, size: int) -> np.ndarray | None:
    """All lengths as varints, then all bytes."""
    lengths, at = [], 0
    for _ in range(size):
        length = shift = 0
        while True:
            if at >= len(content):
                return None
            byte = content[at]
            at, length, shift = at + 1, length | (byte & 127) << shift, shift + 7
            if byte < 128:
                break
        lengths.append(length)
    values = []
    for length in lengths:
        values.append(content[at : at + length])
        at += length
    return object_array(values) if at == len(content) else None


def to_proto(tensor: Tensor, as_content: bool = False) -> Any:
    """A TensorProto with typed values, or with raw `tensor_content`."""
    kind, values = tensor
    message = protos.new("Tensor", dtype=protos.ENUMS["DataType"][kind])
    message.tensor_shape.SetInParent()
    for size in values.shape:
        message.tensor_shape.dim.add(size=size)
    flat = values.ravel()
    if as_content:
        message.tensor_content = _content(kind, flat)
    elif kind == "DT_HALF":
        message.half_val.extend(flat.view(np.uint16).tolist())
    elif kind == "DT_BFLOAT16":
        message.half_val.extend(float_to_bfloat16(flat).tolist())
    elif "COMPLEX" in kind:
        parts = flat.view(np.float32 if kind == "DT_COMPLEX64" else np.float64)
        getattr(message, _FIELDS[kind]).extend(parts.tolist())
    else:
        getattr(message, _FIELDS[kind]).extend(flat.tolist())
    return message


def _content(kind: str, flat: np.ndarray) -> bytes:
    if kind == "DT_STRING":
        values = flat.tolist()
        return b"".join(varint(len(value)) for value in values) + b"".join(values)
    return (float_to_bfloat16(flat) if kind == "DT_BFLOAT16" else flat).tobytes()
