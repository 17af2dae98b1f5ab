"""TensorFlow's loader and runtime through its C API, by ctypes: no TensorFlow for Python is
imported.

    from lab.serving import tensorflow
    library = tensorflow.open_library("1.15.0")  # once per process, from lab.toolchain.tensorflow
    model = library.load(Path("models/chnsenticorp/1623831335"), tags=("serve",))
    model.signatures["serving_default"].inputs["input_ids"].name
    answer = model.predict("serving_default", {"input_ids": np.zeros((1, 128), np.int32), ...})
    answer["probabilities"]                              # numpy array

What the loader refuses, and what a run ends with, is a `StatusError` with TensorFlow's code
("NOT_FOUND") and message.

Arrays: every numeric type is numpy's own; half is float16; bfloat16 is a float32 array that holds
its exact values (what is fed is rounded to nearest even); strings are arrays of `bytes` objects
(dtype object); quantized types are plain integers. `run` takes and gives tensors by graph name
("x:0") with their type, for whoever has no signature.

One process holds one version: two versions of TensorFlow in one process share symbols and crash.
Runs may overlap in any number of threads, and a model that is dropped while a run uses it is freed
after that run.
"""

from __future__ import annotations

import ctypes
import os
import struct
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lab.serving import protos
from lab.serving.errors import StatusError, invalid
from lab.toolchain import tensorflow as libraries

DEFAULT = "serving_default"
CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
    "UNAUTHENTICATED",
)  # fmt: skip
"""TF_Code by number (tensorflow/c/tf_status.h)."""
NUMPY: dict[str, Any] = {
    "DT_FLOAT": np.float32, "DT_DOUBLE": np.float64, "DT_INT32": np.int32, "DT_UINT8": np.uint8, "DT_INT16": np.int16, "DT_INT8": np.int8,
    "DT_STRING": np.object_, "DT_COMPLEX64": np.complex64, "DT_INT64": np.int64, "DT_BOOL": np.bool_, "DT_QINT8": np.int8,
    "DT_QUINT8": np.uint8, "DT_QINT32": np.int32, "DT_BFLOAT16": np.float32, "DT_QINT16": np.int16, "DT_QUINT16": np.uint16,
    "DT_UINT16": np.uint16, "DT_COMPLEX128": np.complex128, "DT_HALF": np.float16, "DT_UINT32": np.uint32, "DT_UINT64": np.uint64,
}  # fmt: skip
"""The arrays that stand for each type; resources, variants and 4- and 8-bit floats can't leave a
graph here.
"""
_NUMBERS = protos.ENUMS["DataType"]
_TSTRING_BYTES = 24
"""sizeof(TF_TString), the string of TensorFlow 2.4 and newer
(tensorflow/core/platform/ctstring.h).
"""
_POINTER = ctypes.c_void_p
_SMALL, _LARGE, _OFFSET, _VIEW = range(4)
"""The forms of a TF_TString by the two low bits of its first byte: the text within it, behind a
pointer that it owns, behind an offset from itself, behind a pointer that it doesn't own
(ctstring_internal.h).
"""
_SMALL_BYTES = 22


class Tensor(NamedTuple):
    """An array and the type ("DT_FLOAT") that TensorFlow knows it by."""

    kind: str
    values: np.ndarray


class _Buffer(ctypes.Structure):
    """TF_Buffer (tensorflow/c/tf_buffer.h)."""

    _fields_ = [("data", _POINTER), ("length", ctypes.c_size_t), ("deallocator", _POINTER)]


class _Output(ctypes.Structure):
    """TF_Output (tensorflow/c/c_api.h)."""

    _fields_ = [("operation", _POINTER), ("index", ctypes.c_int)]


_Deallocator = ctypes.CFUNCTYPE(None, _POINTER, ctypes.c_size_t, _POINTER)
_P, _S, _N, _I, _L = (
    _POINTER,
    ctypes.c_char_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.POINTER(ctypes.c_int64),
)
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "TF_Version": (_S, ()),
    "TF_NewStatus": (_P, ()), "TF_DeleteStatus": (None, (_P,)), "TF_GetCode": (_I, (_P,)), "TF_Message": (_S, (_P,)),
    "TF_NewBuffer": (ctypes.POINTER(_Buffer), ()), "TF_DeleteBuffer": (None, (ctypes.POINTER(_Buffer),)),
    "TF_NewSessionOptions": (_P, ()), "TF_SetConfig": (None, (_P, _S, _N, _P)), "TF_DeleteSessionOptions": (None, (_P,)),
    "TF_NewGraph": (_P, ()), "TF_DeleteGraph": (None, (_P,)),
    "TF_GraphOperationByName": (_P, (_P, _S)), "TF_OperationNumOutputs": (_I, (_P,)),
    "TF_LoadSessionFromSavedModel": (_P, (_P, ctypes.POINTER(_Buffer), _S, ctypes.POINTER(_S), _I, _P, ctypes.POINTER(_Buffer), _P)),
    "TF_CloseSession": (None, (_P, _P)), "TF_DeleteSession": (None, (_P, _P)),
    "TF_SessionRun": (None, (_P, ctypes.POINTER(_Buffer), ctypes.POINTER(_Output), ctypes.POINTER(_P), _I, ctypes.POINTER(_Output),
                             ctypes.POINTER(_P), _I, ctypes.POINTER(_P), _I, ctypes.POINTER(_Buffer), _P)),
    "TF_AllocateTensor": (_P, (_I, _L, _I, _N)), "TF_NewTensor": (_P, (_I, _L, _I, _P, _N, _Deallocator, _P)),
    "TF_DeleteTensor": (None, (_P,)), "TF_TensorType": (_I, (_P,)), "TF_NumDims": (_I, (_P,)), "TF_Dim": (ctypes.c_int64, (_P, _I)),
    "TF_TensorByteSize": (_N, (_P,)), "TF_TensorData": (_P, (_P,)),
}  # fmt: skip
_STRING_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "TF_StringInit": (None, (_P,)), "TF_StringCopy": (None, (_P, _S, _N)), "TF_StringGetDataPointer": (_P, (_P,)),
    "TF_StringGetSize": (_N, (_P,)), "TF_StringDealloc": (None, (_P,)),
}  # fmt: skip


class Library:
    """TensorFlow in this process. Make it with `open_library`."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Loads the shared libraries in their order (up to 0.4 s). OSError if one can't be
        loaded.
        """
        # TensorFlow's own chatter (processor features, "Reading SavedModel from") would stand
        # between the server's log lines.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        for file in files[:-2]:  # the library of Python's symbols must be seen by those after it
            ctypes.CDLL(str(file), os.RTLD_GLOBAL | os.RTLD_LAZY)
        self.api: Any = None
        for file in files[-2:]:
            self.api = ctypes.CDLL(str(file), os.RTLD_LAZY)
        exported = hasattr(self.api, "TF_StringInit")
        for name, (result, arguments) in (
            _FUNCTIONS | (_STRING_FUNCTIONS if exported else {})
        ).items():
            function = getattr(self.api, name)
            function.restype, function.argtypes = result, arguments
        self.version: str = self.api.TF_Version().decode()
        # 2.4 has the structures and exports no function for them: these came with 2.5.
        self.strings_are_structures = exported or self.version.startswith("2.4.")
        self.strings: Any = self.api if exported else _Strings()
        self._kept: dict[int, Any] = {}
        self._next = 0
        self._lock = threading.Lock()
        self._free_strings = _Deallocator(self._deallocate)
        _give_back_pages(files)

    def load(
        self,
        folder: Path,
        tags: Sequence[str] = ("serve",),
        intra_threads: int = 1,
        inter_threads: int = 1,
    ) -> SavedModel:
        """The graph of a SavedModel directory that carries exactly these tags, with its variables.
        StatusError if the loader refuses it.
        """
        api = self.api
        # A ConfigProto of two fields: intra_op_parallelism_threads = 2,
        # inter_op_parallelism_threads = 5.
        config = b"\x10" + varint(intra_threads) + b"\x28" + varint(inter_threads)
        names = (ctypes.c_char_p * len(tags))(*(tag.encode() for tag in tags))
        options, graph, meta = api.TF_NewSessionOptions(), api.TF_NewGraph(), api.TF_NewBuffer()
        try:
            with self._status() as status:
                api.TF_SetConfig(options, config, len(config), status)
            with self._status() as status:
                session = api.TF_LoadSessionFromSavedModel(
                    options, None, str(folder).encode(), names, len(tags), graph, meta, status
                )
            meta_graph = protos.cls("MetaGraph").FromString(
                ctypes.string_at(meta.contents.data, meta.contents.length)
            )
        except BaseException:
            api.TF_DeleteGraph(graph)
            raise
        finally:
            api.TF_DeleteSessionOptions(options)
            api.TF_DeleteBuffer(meta)
        return SavedModel(self, graph, session, meta_graph)

    @contextmanager
    def _status(self) -> Any:
        """A TF_Status for one call; StatusError after it if the call failed."""
        status = self.api.TF_NewStatus()
        try:
            yield status
            code = self.api.TF_GetCode(status)
            if code:
                raise StatusError(
                    CODES[code] if code < len(CODES) else "UNKNOWN",
                    self.api.TF_Message(status).decode(errors="replace"),
                )
        finally:
            self.api.TF_DeleteStatus(status)

    def _to_tensor(self, tensor: Tensor) -> int:
        """A new TF_Tensor; StatusError if the type can't be fed."""
        kind, number = tensor.kind, _NUMBERS.get(tensor.kind, 0)
        if kind not in NUMPY:
            raise StatusError("UNIMPLEMENTED", f"A tensor of type {kind} can't be fed")
        shape = tensor.values.shape
        dims = (ctypes.c_int64 * len(shape))(*shape)
        if kind == "DT_STRING":
            values = [
                item.encode() if isinstance(item, str) else bytes(item)
                for item in tensor.values.ravel().tolist()
            ]
            if self.strings_are_structures:
                return self._to_string_tensor(number, dims, values)
            data = _encode_strings(values)
        else:
            data = (
                _bfloat16_bytes(tensor.values)
                if kind == "DT_BFLOAT16"
                else np.ascontiguousarray(tensor.values, NUMPY[kind]).tobytes()
            )
        handle = self.api.TF_AllocateTensor(number, dims, len(shape), len(data))
        ctypes.memmove(self.api.TF_TensorData(handle), data, len(data))
        return handle

    def _to_string_tensor(self, number: int, dims: Any, values: list[bytes]) -> int:
        """Strings as structures that own their bytes; freed by TensorFlow when nothing in the graph
        holds the tensor any more.
        """
        size = len(values) * _TSTRING_BYTES
        memory = ctypes.create_string_buffer(max(size, 1))
        at = ctypes.addressof(memory)
        for place, value in enumerate(values):
            self.strings.TF_StringInit(at + place * _TSTRING_BYTES)
            self.strings.TF_StringCopy(at + place * _TSTRING_BYTES, value, len(value))
        with self._lock:
            self._next += 1
            token = self._next
            self._kept[token] = memory
        return self.api.TF_NewTensor(number, dims, len(dims), at, size, self._free_strings, token)

    def _deallocate(self, data: int | None, length: int, token: int) -> None:
        """Called by TensorFlow, from any of its threads, when the last holder of a string tensor is
        gone.
        """
        if data:
            for place in range(data, data + length, _TSTRING_BYTES):
                self.strings.TF_StringDealloc(place)
        with self._lock:
            self._kept.pop(token, None)

    def _from_tensor(self, handle: int) -> Tensor:
        """The content of a TF_Tensor, copied; StatusError if the type can't be read."""
        api, number = self.api, self.api.TF_TensorType(handle)
        kind = protos.DTYPE_NAMES.get(number, f"DT_{number}")
        if kind not in NUMPY:
            raise StatusError("UNIMPLEMENTED", f"A tensor of type {kind} can't be read")
        shape = [api.TF_Dim(handle, axis) for axis in range(api.TF_NumDims(handle))]
        size, at = api.TF_TensorByteSize(handle), api.TF_TensorData(handle)
        if kind == "DT_STRING" and self.strings_are_structures:
            count = size // _TSTRING_BYTES
            places = [at + place * _TSTRING_BYTES for place in range(count)] if at else []
            values = [
                ctypes.string_at(
                    self.strings.TF_StringGetDataPointer(place),
                    self.strings.TF_StringGetSize(place),
                )
                for place in places
            ]
            return Tensor(kind, object_array(values).reshape(shape))
        data = ctypes.string_at(at, size) if size else b""
        if kind == "DT_STRING":
            return Tensor(
                kind,
                object_array(_decode_strings(data, int(np.prod(shape, dtype=np.int64)))).reshape(
                    shape
                ),
            )
        if kind == "DT_BFLOAT16":
            return Tensor(kind, bfloat16_to_float(np.frombuffer(data, np.uint16)).reshape(shape))
        return Tensor(kind, np.frombuffer(data, NUMPY[kind]).reshape(shape))


class _Strings:
    """The functions for TF_TString where TensorFlow has the structure and doesn't export them, on a
    little-endian machine.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None)
        self._malloc, self._free = libc.malloc, libc.free
        self._malloc.restype, self._malloc.argtypes = _POINTER, (ctypes.c_size_t,)
        self._free.restype, self._free.argtypes = None, (_POINTER,)

    def TF_StringInit(self, at: int) -> None:  # noqa: N802
        """Make the string at this address an empty one."""
        ctypes.memset(at, 0, _TSTRING_BYTES)

    def TF_StringCopy(self, at: int, text: bytes, length: int) -> None:  # noqa: N802
        """Sets an empty string. Long ones lie in memory of malloc's: TensorFlow may grow a string
        in place, with realloc.
        """
        if length <= _SMALL_BYTES:
            ctypes.memmove(at, bytes([length << 2 | _SMALL]) + text, length + 1)
            return
        capacity = (length + 1 + 15) // 16 * 16 - 1
        memory = self._malloc(capacity + 1)
        if not memory:
            raise MemoryError(f"a string of {length} bytes")
        ctypes.memmove(memory, text + b"\0", length + 1)
        ctypes.memmove(
            at, struct.pack("<QQQ", length << 2 | _LARGE, capacity, memory), _TSTRING_BYTES
        )

    def TF_StringGetSize(self, at: int) -> int:  # noqa: N802
        """The length in bytes of the string at this address."""
        head = ctypes.string_at(at, 8)
        form = head[0] & 3
        return (
            head[0] >> 2
            if form == _SMALL
            else struct.unpack(
                "<I" if form == _OFFSET else "<Q", head[: 4 if form == _OFFSET else 8]
            )[0]
            >> 2
        )

    def TF_StringGetDataPointer(self, at: int) -> int:  # noqa: N802
        """Where the text lies."""
        head = ctypes.string_at(at, _TSTRING_BYTES)
        form = head[0] & 3
        if form == _SMALL:
            return at + 1
        if form == _OFFSET:
            return at + struct.unpack_from("<I", head, 4)[0]
        return struct.unpack_from("<Q", head, 16 if form == _LARGE else 8)[0]

    def TF_StringDealloc(self, at: int) -> None:  # noqa: N802
        """Frees what it owns."""
        if ctypes.string_at(at, 1)[0] & 3 == _LARGE:
            self._free(self.TF_StringGetDataPointer(at))
        self.TF_StringInit(at)


class SavedModel:
    """A loaded graph with its session. `signatures` are the SignatureDefs by name, as the loader
    gave them.
    """

    def __init__(self, library: Library, graph: int, session: int, meta_graph: Any) -> None:
        self.library, self.meta_graph = library, meta_graph
        self.signatures: dict[str, Any] = dict(meta_graph.signature_def)
        self._graph, self._session = graph, session
        self._outputs: dict[str, _Output] = {}
        self._release = weakref.finalize(self, _delete, library, graph, session)
        self._release.atexit = False

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        wanted: Sequence[str] | None = None,
        timeout_ms: int = 0,
    ) -> dict[str, np.ndarray]:
        """Outputs by alias ("" is serving_default): all of them, or the `wanted` ones. The arrays
        are taken as the signature's types.

        Raises StatusError: FAILED_PRECONDITION for an unknown signature, INVALID_ARGUMENT for an
        unknown alias, else TensorFlow's own.
        """
        found = self.signatures.get(signature or DEFAULT)
        if found is None:
            raise StatusError(
                "FAILED_PRECONDITION", f'Serving signature key "{signature or DEFAULT}" not found.'
            )
        aliases = list(wanted) if wanted is not None else sorted(found.outputs)
        for names, known in ((inputs, found.inputs), (aliases, found.outputs)):
            for name in names:
                if name not in known:
                    raise invalid(
                        f"{name}: the signature has no such tensor, only {', '.join(sorted(known))}"
                    )
        feeds = {
            found.inputs[alias].name: Tensor(
                protos.DTYPE_NAMES.get(found.inputs[alias].dtype, "?"), np.asarray(values)
            )
            for alias, values in inputs.items()
        }
        outputs = self.run(feeds, [found.outputs[alias].name for alias in aliases], timeout_ms)
        return {alias: tensor.values for alias, tensor in zip(aliases, outputs, strict=True)}

    def run(
        self, feeds: Mapping[str, Tensor], fetches: Sequence[str], timeout_ms: int = 0
    ) -> list[Tensor]:
        """Runs the graph once: `feeds` by tensor name, the `fetches` in their order. 0 ms is no
        limit. StatusError if it fails.
        """
        api = self.library.api
        inputs = (_Output * len(feeds))(*map(self._output, feeds))
        outputs = (_Output * len(fetches))(*map(self._output, fetches))
        given, results = (_POINTER * len(feeds))(), (_POINTER * len(fetches))()
        options = (
            b"\x10" + varint(timeout_ms) if timeout_ms > 0 else b""
        )  # RunOptions.timeout_in_ms = 2
        held = ctypes.create_string_buffer(options, len(options)) if options else None
        buffer = _Buffer(ctypes.addressof(held), len(options), None) if held else None
        try:
            for place, tensor in enumerate(feeds.values()):
                given[place] = self.library._to_tensor(tensor)
            with self.library._status() as status:
                api.TF_SessionRun(
                    self._session, ctypes.byref(buffer) if buffer else None, inputs, given, len(feeds), outputs, results, len(fetches),
                    None, 0, None, status,
                )  # fmt: skip
            return [self.library._from_tensor(handle) for handle in results]
        finally:
            for handle in (*given, *results):
                if handle:
                    api.TF_DeleteTensor(handle)

    def close(self) -> None:
        """Frees graph and session now. Only when no run is under way; otherwise drop the object,
        and the last run frees them.
        """
        self._release()

    def _output(self, name: str) -> _Output:
        """The place in the graph that a tensor name means. StatusError if there is none."""
        if known := self._outputs.get(name):
            return known
        operation, _, index = name.rpartition(":")
        if (
            not operation or not index.isdecimal()
        ):  # as TensorFlow's ParseTensorName: what has no number behind it is a node's name
            operation, index = name, "0"
        handle = self.library.api.TF_GraphOperationByName(self._graph, operation.encode())
        number = int(index)
        if not handle or number >= self.library.api.TF_OperationNumOutputs(handle):
            raise StatusError(
                "NOT_FOUND", f"FetchOutputs node {name or '(without a name)'}: not found"
            )
        return self._outputs.setdefault(name, _Output(handle, number))


_opened: dict[str, Library] = {}
_opening = threading.Lock()


def open_library(version: str) -> Library:
    """TensorFlow of this version in this process. Raises toolchain.ToolchainError if its libraries
    are not unpacked yet, RuntimeError if another version is open already.
    """
    with _opening:
        if version not in _opened:
            if _opened:
                raise RuntimeError(
                    f"TensorFlow {next(iter(_opened))} is open in this process; {version} needs a process of its own"
                )
            _opened[version] = Library(libraries.find(version).files)
        return _opened[version]


def bfloat16_to_float(bits: np.ndarray) -> np.ndarray:
    """The values of bfloat16 numbers given as uint16 bits."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def float_to_bfloat16(values: np.ndarray) -> np.ndarray:
    """The bits (uint16) of the bfloat16 numbers nearest to `values`, ties to even; a NaN stays
    one.
    """
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = ((bits.astype(np.uint64) + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return np.where(np.isnan(values), np.uint16(0x7FC0), rounded)


def _bfloat16_bytes(values: np.ndarray) -> bytes:
    return float_to_bfloat16(values).tobytes()


def _delete(library: Library, graph: int, session: int) -> None:
    """Ends a session. An error leaves nothing to be done about it."""
    status = library.api.TF_NewStatus()
    library.api.TF_CloseSession(session, status)
    library.api.TF_DeleteSession(session, status)
    library.api.TF_DeleteStatus(status)
    library.api.TF_DeleteGraph(graph)


def varint(number: int) -> bytes:
    """A non-negative number as protocol buffers write it."""
    result = bytearray()
    while number > 127:
        result.append(number & 127 | 128)
        number >>= 7
    result.append(number)
    return bytes(result)


def _encode_strings(values: list[bytes]) -> bytes:
    """A string tensor as TensorFlow before 2.4 has it: a table of uint64 offsets, then every string
    behind its length (a varint).
    """
    parts = [varint(len(value)) + value for value in values]
    offsets = (
        np.cumsum([0, *map(len, parts[:-1])], dtype=np.uint64) if parts else np.empty(0, np.uint64)
    )
    return offsets.tobytes() + b"".join(parts)


def _decode_strings(data: bytes, count: int) -> list[bytes]:
    """The strings of `_encode_strings`."""
    result = []
    for offset in np.frombuffer(data, np.uint64, count).tolist():
        at, length, shift = count * 8 + offset, 0, 0
        while True:
            byte = data[at]
            at, length, shift = at + 1, length | (byte & 127) << shift, shift + 7
            if byte < 128:
                break
        result.append(data[at : at + length])
    return result


def object_array(values: list[bytes]) -> np.ndarray:
    """A flat array of objects; numpy's own constructor would make fixed-width strings, which lose
    trailing zeros.
    """
    array = np.empty(len(values), np.object_)
    array[:] = values
    return array


def _give_back_pages(files: Sequence[Path]) -> None:
    """Unmaps the untouched pages that relocating the libraries brought in: files' pages, which come
    back from the page cache when needed.

    Only read-only mappings without a page of this process's own are meant: nothing can be lost in
    them. TensorFlow 2.21 is 250 MiB smaller by it. Where the kernel doesn't tell, everything stays
    as it is.
    """
    wanted = {str(file.resolve()) for file in files}
    libc = ctypes.CDLL(None)
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    try:
        lines = Path("/proc/self/smaps").read_text().splitlines()
    except OSError:
        return
    start = end = 0
    for line in lines:
        words = line.split()
        if not words[0].endswith(":"):
            inside = len(words) > 5 and words[5] in wanted and "w" not in words[1]
            start, end = (int(part, 16) for part in words[0].split("-")) if inside else (0, 0)
        elif words[0] == "Anonymous:" and words[1] == "0" and end:
            libc.madvise(start, end - start, _MADV_DONTNEED)


_MADV_DONTNEED = 4
