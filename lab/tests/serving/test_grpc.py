"""The gRPC services, called with the same messages an official client sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from lab.serving import protos
from lab.serving.tensorflow import Tensor
from lab.serving.tensors import from_proto, to_proto
from lab.testing.models import GOOD, instance, request
from lab.testing.serving import Server

PREDICTION, MODELS = "/tensorflow.serving.PredictionService/", "/tensorflow.serving.ModelService/"


@pytest.fixture
def channel(served: Server) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc}") as opened:
        yield opened


def _bytes(message: Any) -> bytes:
    return message.SerializeToString()


def call(channel: grpc.Channel, method: str, message: Any, answer: str) -> Any:
    stub = channel.unary_unary(
        method, request_serializer=_bytes, response_deserializer=protos.cls(answer).FromString
    )
    return stub(message, timeout=120)


def predict_request(name: str = "chnsenticorp") -> Any:
    message = protos.new("PredictRequest")
    message.model_spec.name = name
    for key, values in instance(GOOD).items():
        message.inputs[key].CopyFrom(to_proto(Tensor("DT_INT32", np.array([values], np.int32))))
    return message


def test_predict_agrees_with_rest_and_names_the_version(
    channel: grpc.Channel, rest: httpx.Client
) -> None:
    answer = call(channel, PREDICTION + "Predict", predict_request(), "PredictResponse")
    expected = rest.post("/v1/models/chnsenticorp:predict", json=request([GOOD])).json()[
        "predictions"
    ][0]
    assert from_proto(answer.outputs["probabilities"], "").values[0].tolist() == pytest.approx(
        expected, abs=1e-6
    )
    assert answer.model_spec.version.value == 1623831335
    assert answer.model_spec.signature_name == "serving_default"


def test_an_unknown_model_is_not_found(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, PREDICTION + "Predict", predict_request("nope"), "PredictResponse")
    error: Any = caught.value  # grpcio's stubs do not say that it is a Call as well
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert error.details() == "Servable not found for request: Latest(nope)"


def test_a_missing_input_is_named(channel: grpc.Channel) -> None:
    message = predict_request()
    del message.inputs["input_mask"]
    with pytest.raises(
        grpc.RpcError,
        match=r"input size does not match signature: 2!=3 .*Missing but required: \{input_mask\}",
    ):
        call(channel, PREDICTION + "Predict", message, "PredictResponse")


def test_the_wrong_type_is_refused(channel: grpc.Channel) -> None:
    message = predict_request()
    message.inputs["input_ids"].CopyFrom(to_proto(Tensor("DT_INT64", np.zeros((1, 128), np.int64))))
    with pytest.raises(grpc.RpcError, match="to be int32 but int64 is provided"):
        call(channel, PREDICTION + "Predict", message, "PredictResponse")


def test_an_unknown_output_filter_is_refused(channel: grpc.Channel) -> None:
    message = predict_request()
    message.output_filter.append("label")
    with pytest.raises(grpc.RpcError, match="output tensor alias not found in signature: label"):
        call(channel, PREDICTION + "Predict", message, "PredictResponse")


def test_status_and_metadata_are_served(channel: grpc.Channel) -> None:
    status = protos.new("GetModelStatusRequest")
    status.model_spec.name = "chnsenticorp"
    found = call(
        channel, MODELS + "GetModelStatus", status, "GetModelStatusResponse"
    ).model_version_status
    assert [(entry.version, entry.state) for entry in found] == [(1623831335, 30)]
    metadata = protos.new("GetModelMetadataRequest", metadata_field=["signature_def"])
    metadata.model_spec.name = "chnsenticorp"
    answer = call(channel, PREDICTION + "GetModelMetadata", metadata, "GetModelMetadataResponse")
    signatures = protos.cls("SignatureDefMap").FromString(answer.metadata["signature_def"].value)
    assert "serving_default" in signatures.signature_def


@pytest.mark.parametrize(
    ("service", "good"),
    [("", True), ("PredictionService", True), ("ModelService", True), ("x", False)],
)
def test_health_answers_for_the_known_services(
    channel: grpc.Channel, service: str, good: bool
) -> None:
    body = b"\x0a" + bytes([len(service)]) + service.encode() if service else b""
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    if good:
        assert check(body, timeout=120) == b"\x08\x01"
    else:
        with pytest.raises(grpc.RpcError):
            check(body, timeout=120)


def test_a_single_value_fills_a_tensor() -> None:
    tensor = to_proto(Tensor("DT_INT32", np.array([7], np.int32)))
    tensor.tensor_shape.dim[0].size = 3
    assert from_proto(tensor, "x").values.tolist() == [7, 7, 7]
