"""Directories that are SavedModels, for tests: small, and such that every TensorFlow loads them."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

from providers.ossmodel.tensorflow import bundle
from providers.ossmodel.tensorflow.messages import message

UINT8, STRING = 4, 7


def graph(size: int) -> Any:
    """A SavedModel message: the signature `serving_default` gives back the variable `weights` of
    `size` bytes.
    """
    model = message("SavedModel")(saved_model_schema_version=1)
    meta = model.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    meta.meta_info_def.tensorflow_version = "1.15.0"
    meta.graph_def.versions.producer = 134

    def node(name: str, op: str, *inputs: str, **types: int) -> Any:
        added = meta.graph_def.node.add(name=name, op=op, input=inputs)
        for key, value in types.items():
            added.attr[key].type = value
        return added

    def strings(name: str, value: str, scalar: bool = False) -> None:
        tensor = node(name, "Const", dtype=STRING).attr["value"].tensor
        tensor.dtype = STRING
        tensor.string_val.append(value.encode())
        tensor.tensor_shape.SetInParent()
        if not scalar:
            tensor.tensor_shape.dim.add(size=1)

    node("weights", "VariableV2", dtype=UINT8).attr["shape"].shape.dim.add(size=size)
    strings("save/Const", "model", scalar=True)
    strings("save/names", "weights")
    strings("save/slices", "")
    node("save/RestoreV2", "RestoreV2", "save/Const", "save/names", "save/slices").attr[
        "dtypes"
    ].list.type.append(UINT8)
    node("save/Assign", "Assign", "weights", "save/RestoreV2", T=UINT8)
    node("save/restore_all", "NoOp", "^save/Assign")
    node("result", "Identity", "weights", T=UINT8)
    meta.saver_def.filename_tensor_name, meta.saver_def.restore_op_name, meta.saver_def.version = (
        "save/Const:0",
        "save/restore_all",
        2,
    )
    output = meta.signature_def["serving_default"].outputs["weights"]
    output.name, output.dtype = "result:0", UINT8
    output.tensor_shape.dim.add(size=size)
    meta.signature_def["serving_default"].method_name = "tensorflow/serving/predict"
    return model


def index(tensors: dict[str, tuple[int, list[int], bytes]], shards: int = 1) -> bytes:
    """An index file for `tensors` (type, shape, bytes), all in shard 0 one after the other."""
    header = message("BundleHeaderProto")(num_shards=shards)
    header.version.producer = 1
    rows, offset = [(b"", header.SerializeToString())], 0
    for name, (kind, shape, data) in sorted(tensors.items()):
        entry = message("BundleEntryProto")(
            dtype=kind,
            offset=offset,
            size=len(data),
            crc32c=bundle._masked(bundle._checksum(data, 0)),
        )
        entry.shape.SetInParent()
        for size in shape:
            entry.shape.dim.add(size=size)
        rows.append((name.encode(), entry.SerializeToString()))
        offset += len(data)
    data, place = b"", 0
    handles = []
    for block in (_block(rows), _block([])):
        handles.append(_varint(place) + _varint(len(block) - 5))
        data, place = data + block, place + len(block)
    last = _block([(b"\xff", handles[0])])
    handles.append(_varint(place) + _varint(len(last) - 5))
    return (
        data + last + (handles[1] + handles[2]).ljust(40, b"\0") + struct.pack("<Q", bundle._MAGIC)
    )


def make(
    parent: Path, version: str = "1623831335", shard: bytes = b"weights" * 100, **extra: bytes
) -> Path:
    """A complete version directory below `parent`; `extra` maps file names (with __ for a slash) to
    content.
    """
    directory = parent / version
    files = {
        "saved_model.pb": graph(len(shard)).SerializeToString(),
        "variables/variables.index": index({"weights": (UINT8, [len(shard)], shard)}),
        "variables/variables.data-00000-of-00001": shard,
    }
    files |= {name.replace("__", "/"): content for name, content in extra.items()}
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    return directory


GRAPH = graph(700).SerializeToString()
"""The graph of a model with the default shard."""


def noise(size: int, seed: int = 1) -> bytes:
    """`size` bytes that do not compress and are the same in every run."""
    return random.Random(seed).randbytes(size)


def _block(rows: list[tuple[bytes, bytes]]) -> bytes:
    """One block of a table, each key whole, with its trailer."""
    data, starts = b"", []
    for key, value in rows:
        starts.append(len(data))
        data += _varint(0) + _varint(len(key)) + _varint(len(value)) + key + value
    starts = starts or [0]
    data += struct.pack(f"<{len(starts) + 1}I", *starts, len(starts)) + b"\0"
    return data + struct.pack("<I", bundle._masked(bundle._checksum(data, 0)))


def _varint(value: int) -> bytes:
    data = b""
    while value > 0x7F:
        data += bytes([value & 0x7F | 0x80])
        value >>= 7
    return data + bytes([value])
