"""Warm-up: requests that a model brings along, answered before it is AVAILABLE
(assets.extra/tf_serving_warmup_requests).

A TFRecord file of PredictionLog messages, at most 1000 of them:
https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from lab.serving import protos
from lab.serving.errors import StatusError, invalid
from lab.serving.examples import classify, multi_inference, regress
from lab.serving.log import log
from lab.serving.model import Model, in_container
from lab.serving.tensors import from_proto

FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MOST = 1000
_SOURCE = "tensorflow_serving/servables/tensorflow/saved_model_warmup_util.cc:"
_UNSUPPORTED = {"session_run_log": 5, "predict_streamed_log": 7}
_POLYNOMIAL = 0x82F63B78
"""CRC-32C (Castagnoli), reflected."""


def _table() -> list[int]:
    table = []
    for number in range(256):
        entry = number
        for _ in range(8):
            entry = entry >> 1 ^ (_POLYNOMIAL if entry & 1 else 0)
        table.append(entry)
    return table


_TABLE = _table()


def masked_crc(data: bytes) -> int:
    """The check sum of a TFRecord: CRC-32C, rotated and shifted
    (tensorflow/core/lib/hash/crc32c.h).
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def read_records(data: bytes) -> Iterator[bytes]:
    """The records of a TFRecord file; DATA_LOSS if one is broken."""
    at = 0
    while at < len(data):
        head = data[at : at + 12]
        if len(head) < 12:
            raise _lost(f"truncated record at {at}")
        length, check = struct.unpack("<QI", head)
        if masked_crc(head[:8]) != check:
            raise _lost(f"corrupted record at {at}")
        content, check_bytes = (
            data[at + 12 : at + 12 + length],
            data[at + 12 + length : at + 16 + length],
        )
        if len(check_bytes) < 4:
            raise _lost(f"truncated record at {at}")
        if masked_crc(content) != struct.unpack("<I", check_bytes)[0]:
            raise _lost(f"corrupted record at {at}")
        yield content
        at += 16 + length


def _lost(text: str) -> StatusError:
    return StatusError(
        "DATA_LOSS", f"{text}. Please verify your warmup data is in TFRecord format."
    )


def warm_up(model: Model, folder: Path, iterations: int = 1) -> None:
    """Answers every request of the file `iterations` times. StatusError, which fails the load, if
    one can't be.
    """
    path = folder / FILE
    shown = in_container(str(path))
    if not path.is_file():
        log("I", _SOURCE + "80", f"No warmup data file found at {shown}")
        return
    log(
        "I",
        _SOURCE + "92",
        f"Starting to read warmup data for model at {shown} with model-warmup-options ",
    )
    began, count = time.perf_counter(), 0
    for record in read_records(path.read_bytes()):
        try:
            request = protos.cls("PredictionLog").FromString(record)
        except DecodeError:
            raise invalid(f"Failed to parse warmup record: {record[:80]!r} from {shown}") from None
        for _ in range(max(1, iterations)):
            _answer(model, request)
        count += 1
        if count > MOST:
            raise invalid(f"Number of warmup records exceeds the maximum ({MOST}) at {shown}")
    elapsed = int((time.perf_counter() - began) * 1e6)
    log("I", _SOURCE + "213", f"Finished reading warmup data for model at {shown}. Number of warmup records read: {count}. "
        f"Elapsed time (microseconds): {elapsed}.")  # fmt: skip


def _answer(model: Model, record: Any) -> None:
    """One request; the answer is dropped."""
    kind = record.WhichOneof("choice")
    if kind is None:
        return
    if kind in _UNSUPPORTED:
        raise StatusError("UNIMPLEMENTED", f"Unsupported log_type for warmup: {_UNSUPPORTED[kind]}")
    request = getattr(record, kind).request
    if kind == "predict_log":
        inputs = {alias: from_proto(tensor, alias) for alias, tensor in request.inputs.items()}
        model.predict(request.model_spec.signature_name, inputs, list(request.output_filter))
    elif kind == "classify_log":
        classify(model, request.model_spec.signature_name, request.input)
    elif kind == "regress_log":
        regress(model, request.model_spec.signature_name, request.input)
    else:
        multi_inference(model, request, 0)
