"""PredictionService and ModelService over gRPC, and the health service when asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from lab.serving import protos
from lab.serving.errors import StatusError, invalid
from lab.serving.examples import classify, multi_inference, regress
from lab.serving.manager import Manager, Version
from lab.serving.rest import version_status
from lab.serving.tensorflow import DEFAULT
from lab.serving.tensors import from_proto, to_proto


class Services:
    """The calls, without gRPC around them. `as_content` is
    --enable_serialization_as_tensor_content.
    """

    def __init__(self, manager: Manager, as_content: bool = False) -> None:
        self.manager, self.as_content = manager, as_content

    def find(self, request: Any) -> Version:
        """The version that a request's model_spec means."""
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        return self.find_spec(request.model_spec)

    def find_spec(self, spec: Any) -> Version:
        """The version that a model_spec means."""
        choice = spec.WhichOneof("choice")
        return self.manager.find(
            spec.name,
            spec.version.value if choice == "version" else None,
            spec.version_label if choice == "version_label" else None,
        )

    def predict(self, request: Any) -> Any:
        """PredictionService.Predict: any signature, by its inputs."""
        found = self.find(request)
        assert found.model
        inputs = {alias: from_proto(tensor, alias) for alias, tensor in request.inputs.items()}
        began = time.perf_counter()
        outputs = found.model.predict(
            request.model_spec.signature_name, inputs, list(request.output_filter)
        )
        response = self.response("PredictResponse", request, found, began, "Predict")
        for key, tensor in outputs.items():
            response.outputs[key].CopyFrom(to_proto(tensor, self.as_content))
        return response

    def classify(self, request: Any) -> Any:
        """PredictionService.Classify: a classification signature on tf.Examples."""
        found = self.find(request)
        assert found.model
        began = time.perf_counter()
        result = classify(found.model, request.model_spec.signature_name, request.input)
        response = self.response("ClassificationResponse", request, found, began, "Classify")
        response.result.CopyFrom(result)
        return response

    def regress(self, request: Any) -> Any:
        """PredictionService.Regress: a regression signature on tf.Examples."""
        found = self.find(request)
        assert found.model
        began = time.perf_counter()
        result = regress(found.model, request.model_spec.signature_name, request.input)
        response = self.response("RegressionResponse", request, found, began, "Regress")
        response.result.CopyFrom(result)
        return response

    def multi_inference(self, request: Any) -> Any:
        """MultiInference: the first task's model answers for all."""
        found = self.find_spec(
            request.tasks[0].model_spec if request.tasks else protos.new("ModelSpec")
        )
        assert found.model
        return multi_inference(found.model, request, found.number)

    def response(self, name: str, request: Any, found: Version, began: float, api: str) -> Any:
        """An answer that names what answered; counts the time in the model since `began`."""
        spec = request.model_spec
        self.manager.metrics.runtime(spec.name, time.perf_counter() - began, api)
        response = protos.new(name)
        response.model_spec.name, response.model_spec.signature_name = (
            spec.name,
            spec.signature_name or DEFAULT,
        )
        response.model_spec.version.value = found.number
        return response

    def metadata(self, request: Any) -> Any:
        """PredictionService.GetModelMetadata: the signatures of a version."""
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
        """ModelService.GetModelStatus: the state of each version."""
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        spec = request.model_spec
        return version_status(
            self.manager.status(
                spec.name, spec.version.value if spec.WhichOneof("choice") == "version" else None
            )
        )


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
            if api:
                manager.metrics.request(
                    message.model_spec.name, api, "GRPC", code, time.perf_counter() - began
                )

    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=protos.cls(request).FromString, response_serializer=_bytes
    )


def _serve_health(server: grpc.Server) -> None:
    """grpc.health.v1.Health: a server that listens has loaded its models, so what it knows is
    SERVING for good.
    """
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # noqa: PLC0415 - off unless a flag asks for it

    servicer = health.HealthServicer(
        experimental_non_blocking=True
    )  # or every Watch would hold a thread
    for service in ("", "ModelService", "PredictionService"):
        servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)


def start_grpc(
    manager: Manager,
    host: str,
    port: int,
    health: bool,
    threads: int = 16,
    as_content: bool = False,
) -> grpc.Server:
    """Listens on host:port; raises RuntimeError if the port is taken."""
    services = Services(manager, as_content)
    server = grpc.server(
        ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
        options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)],
    )
    prediction = {
        "Predict": _handler(manager, "Predict", services.predict, "PredictRequest"),
        "Classify": _handler(manager, "Classify", services.classify, "ClassificationRequest"),
        "Regress": _handler(manager, "Regress", services.regress, "RegressionRequest"),
        "MultiInference": _handler(manager, "", services.multi_inference, "MultiInferenceRequest"),
        "GetModelMetadata": _handler(manager, "", services.metadata, "GetModelMetadataRequest"),
    }
    status = {"GetModelStatus": _handler(manager, "", services.status, "GetModelStatusRequest")}
    server.add_generic_rpc_handlers((
        grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", prediction),
        grpc.method_handlers_generic_handler("tensorflow.serving.ModelService", status),
    ))  # fmt: skip
    if health:
        _serve_health(server)
    server.add_insecure_port(f"{host}:{port}")
    server.start()
    return server
