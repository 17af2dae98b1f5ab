"""PredictionService and ModelService over gRPC: Predict, GetModelMetadata, GetModelStatus, and the health service when asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np

from lab.serving import protos
from lab.serving.errors import StatusError, invalid
from lab.serving.manager import Manager, Version
from lab.serving.model import DEFAULT, NUMPY
from lab.serving.rest import version_status

_FIELDS = {
    "DT_FLOAT": "float_val", "DT_DOUBLE": "double_val", "DT_INT32": "int_val", "DT_INT16": "int_val", "DT_INT8": "int_val",
    "DT_UINT8": "int_val", "DT_INT64": "int64_val", "DT_BOOL": "bool_val", "DT_UINT32": "uint32_val", "DT_UINT64": "uint64_val",
    "DT_STRING": "string_val",
}  # fmt: skip
_DTYPES = {np.dtype(kind): name for name, kind in NUMPY.items()}


def tensor_to_array(tensor: Any) -> np.ndarray:
    """A TensorProto as an array; a single value fills the whole shape, as TensorFlow has it."""
    kind, shape = protos.DTYPE_NAMES[tensor.dtype], [dim.size for dim in tensor.tensor_shape.dim]
    if kind not in _FIELDS:
        raise invalid(f"Tensor of type {kind} is not supported")
    size = int(np.prod(shape)) if shape else 1
    if tensor.tensor_content:
        array = np.frombuffer(tensor.tensor_content, NUMPY[kind])
    else:
        array = np.array(getattr(tensor, _FIELDS[kind]), object if kind == "DT_STRING" else NUMPY[kind])
    if 0 < array.size < size:
        array = np.concatenate([array, np.repeat(array[-1:], size - array.size)])
    if array.size != size:
        raise invalid(f"Tensor shape [{','.join(map(str, shape))}] needs {size} values, {array.size} given")
    return array.reshape(shape)


def array_to_tensor(array: np.ndarray) -> Any:
    """An array as a TensorProto with typed fields."""
    kind = _DTYPES.get(array.dtype, "DT_STRING")
    tensor = protos.new("Tensor", dtype=protos.ENUMS["DataType"][kind])
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    values = array.ravel().tolist()
    if kind == "DT_STRING":
        values = [value.encode() if isinstance(value, str) else value for value in values]
    getattr(tensor, _FIELDS[kind]).extend(values)
    return tensor


class Services:
    """The calls, without gRPC around them."""

    def __init__(self, manager: Manager) -> None:
        self.manager = manager

    def find(self, request: Any) -> Version:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        spec = request.model_spec
        choice = spec.WhichOneof("choice")
        return self.manager.find(
            spec.name, spec.version.value if choice == "version" else None, spec.version_label if choice == "version_label" else None
        )

    def predict(self, request: Any) -> Any:
        found = self.find(request)
        assert found.model
        name = request.model_spec.signature_name
        inputs = {key: tensor_to_array(tensor) for key, tensor in request.inputs.items()}
        signature = found.model.signature(name)
        for alias in request.output_filter:
            if signature is not None and alias not in signature.outputs:
                raise invalid(f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                              f"{{{','.join(sorted(signature.outputs))}}}.")  # fmt: skip
        began = time.perf_counter()
        outputs = found.model.predict(name, inputs, list(request.output_filter) or None)
        self.manager.metrics.runtime(request.model_spec.name, time.perf_counter() - began)
        response = protos.new("PredictResponse")
        response.model_spec.name, response.model_spec.signature_name = request.model_spec.name, name or DEFAULT
        response.model_spec.version.value = found.number
        for key, array in outputs.items():
            response.outputs[key].CopyFrom(array_to_tensor(array))
        return response

    def metadata(self, request: Any) -> Any:
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for name in request.metadata_field:
            if name != "signature_def":
                raise invalid(f"Metadata field {name} is not supported")
        found = self.find(request)
        assert found.model
        response = protos.new("GetModelMetadataResponse")
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = found.number
        signatures = protos.new("SignatureDefMap")
        for key, signature in found.model.signatures.items():
            signatures.signature_def[key].CopyFrom(signature)
        packed = response.metadata["signature_def"]
        packed.type_url = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
        packed.value = signatures.SerializeToString()
        return response

    def status(self, request: Any) -> Any:
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        spec = request.model_spec
        return version_status(self.manager.status(spec.name, spec.version.value if spec.WhichOneof("choice") == "version" else None))


def _bytes(message: Any) -> bytes:
    return message.SerializeToString()


def _handler(manager: Manager, api: str, call: Callable[[Any], Any], request: str) -> Any:
    """A gRPC method around `call`: errors become statuses, every call is counted."""

    def answer(message: Any, context: grpc.ServicerContext) -> Any:
        began, code = time.perf_counter(), "OK"
        try:
            return call(message)
        except StatusError as error:
            code = error.code
            context.abort(getattr(grpc.StatusCode, code), error.message)
        finally:
            if api == "predict":
                manager.metrics.request(message.model_spec.name, api, "GRPC", code, time.perf_counter() - began)

    return grpc.unary_unary_rpc_method_handler(answer, request_deserializer=protos.cls(request).FromString, response_serializer=_bytes)


def _health() -> Any:
    """grpc.health.v1.Health/Check by hand: one string in, one enum out (1 SERVING)."""

    def check(body: bytes, context: grpc.ServicerContext) -> bytes:
        service = body[2:].decode() if body[:1] == b"\x0a" else ""
        if service not in ("", "ModelService", "PredictionService"):
            context.abort(grpc.StatusCode.NOT_FOUND, "")
        return b"\x08\x01"

    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)})


def start_grpc(manager: Manager, host: str, port: int, health: bool) -> grpc.Server:
    """Listens on host:port; raises RuntimeError if the port is taken."""
    services = Services(manager)
    server = grpc.server(
        ThreadPoolExecutor(4, thread_name_prefix="grpc"), options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)]
    )
    prediction = {
        "Predict": _handler(manager, "predict", services.predict, "PredictRequest"),
        "GetModelMetadata": _handler(manager, "metadata", services.metadata, "GetModelMetadataRequest"),
    }
    status = {"GetModelStatus": _handler(manager, "status", services.status, "GetModelStatusRequest")}
    server.add_generic_rpc_handlers((
        grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", prediction),
        grpc.method_handlers_generic_handler("tensorflow.serving.ModelService", status),
        *((_health(),) if health else ()),
    ))  # fmt: skip
    server.add_insecure_port(f"{host}:{port}")
    server.start()
    return server
