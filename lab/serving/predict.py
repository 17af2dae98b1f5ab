"""Predict bodies to tensors and back (row and column format), with the server's texts for what is
wrong.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

from lab.serving import protos
from lab.serving.errors import StatusError, invalid
from lab.serving.jsonread import decode_base64, is_b64, json_type
from lab.serving.jsonwrite import Writer, debug, quote, write_tensor
from lab.serving.tensorflow import NUMPY, Tensor, object_array
from lab.serving.tensors import type_name

_RANGES = {"DT_INT32": 31, "DT_INT16": 31, "DT_INT8": 31, "DT_UINT8": 31, "DT_INT64": 63}
_JSON_KINDS = (*_RANGES, "DT_FLOAT", "DT_DOUBLE", "DT_STRING", "DT_BOOL", "DT_UINT32", "DT_UINT64")
"""What the server converts between JSON and tensors; half, bfloat16, complex and quantized numbers
it does not.
"""


def _type_error(value: Any, kind: str) -> StatusError:
    return invalid(
        f"JSON Value: {debug(value)} Type: {json_type(value)} is not of expected type: {type_name(kind)}"
    )


def _accepts(value: Any, kind: str) -> bool:
    """Whether a JSON scalar may become an element of that type."""
    if kind == "DT_BOOL":
        return isinstance(value, bool)
    if kind == "DT_STRING":
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    if kind in ("DT_FLOAT", "DT_DOUBLE"):
        return isinstance(value, int | float)
    if kind in _RANGES:
        return isinstance(value, int) and -(2 ** _RANGES[kind]) <= value < 2 ** _RANGES[kind]
    return isinstance(value, int) and 0 <= value < 2 ** (32 if kind == "DT_UINT32" else 64)


def _shape(value: Any) -> list[int]:
    shape: list[int] = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def _scalar(value: Any, level: int, rank: int, kind: str) -> Any:
    if level != rank:
        raise invalid(
            f"JSON Value: {debug(value)} found at incorrect level: {level + 1} in the JSON DOM. Expected at level: {rank}"
        )
    if isinstance(value, dict):
        if kind != "DT_STRING":
            raise _type_error(value, kind)
        if not is_b64(value):
            raise invalid(f"JSON Value: {debug(value)} not formatted correctly for base64 data")
        return decode_base64(value["b64"])
    if kind not in _JSON_KINDS:
        raise StatusError(
            "UNIMPLEMENTED", f"Conversion of JSON Value: {debug(value)} to type: {type_name(kind)}"
        )
    if not _accepts(value, kind):
        raise _type_error(value, kind)
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


def _fill(value: Any, level: int, shape: list[int], kind: str, into: list[Any]) -> None:
    """Depth first, as the server walks: the first thing wrong is the one reported."""
    if not isinstance(value, list):
        into.append(_scalar(value, level, len(shape), kind))
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for item in value:
        _fill(item, level + 1, shape, kind, into)


def to_array(value: Any, kind: str) -> np.ndarray:
    """A JSON value as an array of a TensorFlow type; ragged or wrongly typed values raise
    INVALID_ARGUMENT.
    """
    shape = _shape(value)
    if kind == "DT_INT32" and 0 < len(shape) <= 2 and 0 not in shape:
        rows = value if len(shape) == 2 else [value]
        if all(type(row) is list and len(row) == shape[-1] for row in rows) and set(
            map(type, chain.from_iterable(rows))
        ) == {int}:
            array = np.array(value, np.int64)
            if array.min() >= -(2**31) and array.max() < 2**31:
                return array.astype(np.int32)
    flat: list[Any] = []
    _fill(value, 0, shape, kind, flat)
    if kind == "DT_STRING":
        return object_array(flat).reshape(shape)
    with np.errstate(over="ignore"):
        return np.array(flat).astype(NUMPY.get(kind, np.float32)).reshape(shape)


class _Rows:
    """Collects the arrays of `instances`, which all must have one size and shape per input."""

    def __init__(self, infos: Any) -> None:
        self.infos = infos
        self.arrays: dict[str, list[np.ndarray]] = {}

    def add(self, value: Any, name: str) -> None:
        if name not in self.infos:
            raise invalid(f"JSON object: does not have named input: {name}")
        array = to_array(value, _kind(self.infos[name]))
        known = self.arrays.setdefault(name, [array])
        if array.size != known[0].size:
            raise invalid(f"Expecting tensor size: {known[0].size} but got: {array.size}")
        if array.shape != known[0].shape:
            sizes = [",".join(map(str, shape)) for shape in (known[0].shape, array.shape)]
            raise invalid(f"Expecting shape [{sizes[0]}] but got: [{sizes[1]}]")
        if array is not known[0]:
            known.append(array)


def _kind(info: Any) -> str:
    """The type that a signature gives a tensor."""
    return protos.DTYPE_NAMES.get(info.dtype, f"DT_{info.dtype}")


def _from_instances(rows: list[Any], infos: Any) -> dict[str, Tensor]:
    if not isinstance(rows[0], dict) and len(infos) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per tensorinfo_map"
        )
    objects = isinstance(rows[0], dict) and not is_b64(rows[0])
    collected, names = _Rows(infos), sorted(infos)
    for number, row in enumerate(rows):
        is_object = isinstance(row, dict) and not is_b64(row)
        if is_object != objects:
            found, wanted = ("object", "value/list") if is_object else ("list", "object")
            raise invalid(f"Expecting {wanted} but got {found} at item {number} of input list")
        for name, value in row.items() if objects else [(names[0], row)]:
            try:
                collected.add(value, name)
            except StatusError as error:
                key = f" key: {name}" if objects else ""
                raise invalid(
                    f"Failed to process element: {number}{key} of 'instances' list. Error: {error}"
                ) from None
        if objects and sorted(row) != names:
            raise invalid(f"Failed to process element: {number} of 'instances' list. JSON object: {debug(row)} "
                          f"keys must be equal to: {','.join(names)}")  # fmt: skip
    return {
        name: Tensor(_kind(infos[name]), np.stack(arrays))
        for name, arrays in collected.arrays.items()
    }


def _from_inputs(value: Any, infos: Any) -> dict[str, Tensor]:
    if not isinstance(value, dict) or is_b64(value):
        if len(infos) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per tensorinfo_map"
            )
        name = next(iter(infos))
        return {name: Tensor(_kind(infos[name]), to_array(value, _kind(infos[name])))}
    for name in sorted(infos):
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {
        name: Tensor(_kind(infos[name]), to_array(value[name], _kind(infos[name])))
        for name in sorted(infos)
    }


def signature_name(body: Any) -> str:
    """The `signature_name` of a body ("" when absent)."""
    if "signature_name" not in body:
        return ""
    if not isinstance(body["signature_name"], str):
        raise invalid(
            f"JSON Value: {debug(body)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return body["signature_name"]


def read_body(body: Any, infos: Any, name: str) -> tuple[dict[str, Tensor], bool]:
    """(tensors by input name, whether the row format was used)."""
    if not infos:
        raise invalid(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    if "instances" in body:
        rows = body["instances"]
        if "inputs" in body:
            raise invalid(
                f"JSON Value: {debug(body)} Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
            )
        if not isinstance(rows, list):
            raise invalid(f"JSON Value: {debug(body)} Expecting 'instances' to be an list/array")
        if not rows:
            raise invalid(f"JSON Value: {debug(body)} No values in 'instances' array")
        return _from_instances(rows, infos), True
    if "inputs" in body:
        return _from_inputs(body["inputs"], infos), False
    raise invalid("Missing 'inputs' or 'instances' key")


def write_body(outputs: dict[str, Tensor], rows: bool) -> bytes:
    """The answer: `predictions` for rows, `outputs` for columns; one output stands bare, several as
    an object.

    Raises INVALID_ARGUMENT for types that the server does not write as JSON (half, bfloat16), and
    for rows of unequal number.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    size = _batch(outputs) if rows else 0
    for kind, values in outputs.values():
        if kind not in _JSON_KINDS and values.size:
            raise invalid(f"Failed to write JSON value for tensor type: {type_name(kind)}")
    writer, many = Writer(), len(outputs) > 1
    writer.start("{")
    writer.raw('"predictions"' if rows else '"outputs"')
    if not rows:
        if many:
            writer.start("{")
        for name, tensor in outputs.items():
            if many:
                writer.raw(quote(name))
            write_tensor(writer, tensor.values.tolist(), tensor.kind, _as_bytes(name, tensor))
        if many:
            writer.end()
    else:
        writer.start("[")
        listed = {name: tensor.values.tolist() for name, tensor in outputs.items()}
        for number in range(size):
            if many:
                writer.start("{")
            writer.one_line = True
            for name, tensor in outputs.items():
                if many:
                    writer.raw(quote(name))
                write_tensor(writer, listed[name][number], tensor.kind, _as_bytes(name, tensor))
            writer.one_line = False
            if many:
                writer.end()
        writer.end()
    writer.end()
    return writer.text().encode("utf-8", "surrogateescape")


def _as_bytes(name: str, tensor: Tensor) -> bool:
    return tensor.kind == "DT_STRING" and name.endswith("_bytes")


def _batch(outputs: dict[str, Tensor]) -> int:
    size = -1
    for name, (_, array) in outputs.items():
        if not array.ndim:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if size not in (-1, array.shape[0]):
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {array.shape[0]} expecting: {size}"
            )
        size = array.shape[0]
    return size
