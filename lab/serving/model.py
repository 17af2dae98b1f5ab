"""One loaded version: signatures from `saved_model.pb`, computation by OpenVINO."""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path
from typing import Any

import numpy as np

from lab.serving import protos
from lab.serving.errors import StatusError, invalid, not_found

DEFAULT = "serving_default"
NUMPY = {
    "DT_FLOAT": np.float32, "DT_DOUBLE": np.float64, "DT_INT32": np.int32, "DT_INT16": np.int16, "DT_INT8": np.int8, "DT_UINT8": np.uint8,
    "DT_INT64": np.int64, "DT_BOOL": np.bool_, "DT_UINT32": np.uint32, "DT_UINT64": np.uint64, "DT_HALF": np.float16,
}  # fmt: skip
_lock = threading.Lock()
_core: Any = None


def _openvino() -> Any:
    """The process's OpenVINO core (imported at first use: half a second)."""
    global _core
    with _lock:
        if _core is None:
            import openvino

            _core = openvino.Core()
        return _core


def read_signatures(folder: Path) -> dict[str, Any]:
    """Signature name -> SignatureDef of the graph tagged `serve`."""
    path = folder / "saved_model.pb"
    if not path.is_file():
        raise not_found(f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {folder}. "
                        "Check that the directory exists.")  # fmt: skip
    saved = protos.new("SavedModel")
    try:
        saved.ParseFromString(path.read_bytes())
    except Exception as reason:
        raise StatusError("DATA_LOSS", f"Can't parse {path} as binary proto") from reason
    for graph in saved.meta_graphs:
        if "serve" in graph.meta_info_def.tags:
            return dict(graph.signature_def)
    raise not_found("Could not find meta graph def matching supplied tags: { serve }. To inspect available tag-sets in the SavedModel, "
                    "please use the SavedModel CLI: `saved_model_cli`")  # fmt: skip


class Model:
    """A version ready to answer. `predict` may be called from several threads at once."""

    def __init__(self, folder: Path, threads: int = 2) -> None:
        """Loads; StatusError if the files are missing, broken or not to be computed here."""
        self.signatures = read_signatures(folder)
        try:
            core = _openvino()
            graph = core.read_model(str(folder))
            compiled = core.compile_model(graph, "CPU", {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"})
        except Exception as reason:
            text = " ".join(str(reason).split())
            raise StatusError("UNKNOWN", f"Error while loading SavedModel from {folder}: {text[:400]}") from reason
        self._inputs = {name: port for port in compiled.inputs for name in port.get_names()}
        self._outputs = {name: number for number, port in enumerate(compiled.outputs) for name in port.get_names()}
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(threads):
            self._free.put(compiled.create_infer_request())

    def signature(self, name: str) -> Any | None:
        """The signature of that name ("" is serving_default)."""
        return self.signatures.get(name or DEFAULT)

    def predict(self, name: str, inputs: dict[str, np.ndarray], wanted: list[str] | None = None) -> dict[str, np.ndarray]:
        """Computes the outputs of a signature; inputs must carry the signature's names and types."""
        signature = self.signature(name)
        if signature is None:
            raise StatusError("FAILED_PRECONDITION", f'Serving signature key "{name or DEFAULT}" not found.')
        self._check(signature, inputs)
        outputs = wanted or sorted(signature.outputs)
        if not set(inputs) <= set(self._inputs) or not set(outputs) <= set(self._outputs):
            raise StatusError("UNIMPLEMENTED", f'This server can compute the signature "{DEFAULT}" only, not "{name}".')
        request = self._free.get()
        try:
            request.infer(inputs)
            return {key: np.array(request.get_output_tensor(self._outputs[key]).data) for key in outputs}
        except RuntimeError as reason:
            raise invalid(" ".join(str(reason).split())[:400]) from reason
        finally:
            self._free.put(request)

    @staticmethod
    def _check(signature: Any, inputs: dict[str, np.ndarray]) -> None:
        """Names, types and shapes, which OpenVINO would let pass."""
        required, sent = sorted(signature.inputs), sorted(inputs)
        if len(required) != len(sent):
            raise invalid(
                f"input size does not match signature: {len(sent)}!={len(required)} "
                f"len({{{','.join(sent)}}}) != len({{{','.join(required)}}}). "
                f"Sent extra: {{{','.join(sorted(set(sent) - set(required)))}}}. "
                f"Missing but required: {{{','.join(sorted(set(required) - set(sent)))}}}."
            )
        for key, info in sorted(signature.inputs.items()):
            if key not in inputs:
                raise invalid(f"input tensor alias not found in signature: {sorted(set(sent) - set(required))[0]}. "
                              f"Inputs expected to be in the set {{{','.join(required)}}}.")  # fmt: skip
            shape, kind = inputs[key].shape, protos.DTYPE_NAMES[info.dtype]
            if kind in NUMPY and inputs[key].dtype != NUMPY[kind]:
                raise invalid(f"Expects arg[{required.index(key)}] to be {kind[3:].lower()} but {inputs[key].dtype} is provided")
            if info.tensor_shape.unknown_rank:
                continue
            expected = [dim.size for dim in info.tensor_shape.dim]
            if len(expected) != len(shape) or any(want not in (-1, have) for want, have in zip(expected, shape, strict=True)):
                given, wish = ",".join(map(str, shape)), ",".join("?" if size < 0 else str(size) for size in expected)
                raise invalid(f"Incompatible shapes: [{given}] vs. [{wish}] for input '{key}'")


def container_path(path: str) -> Path:
    """A path of the container as a path of this machine: below LAB_ROOTFS when that is set."""
    root = os.environ.get("LAB_ROOTFS")
    return Path(root) / path.lstrip("/") if root else Path(path)
