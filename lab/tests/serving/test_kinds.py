"""What only TensorFlow can answer: strings, tables, tf.Examples, pictures, half and bfloat16, by
REST and gRPC, in every pinned version.
"""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lab.serving import protos
from lab.serving.tensorflow import Tensor
from lab.serving.tensors import from_proto, to_proto
from lab.serving.warmup import masked_crc
from lab.testing import saved_models
from lab.testing.models import MODEL
from lab.testing.ports import free_port
from lab.testing.serving import Launch, Server, put_model, start_process
from lab.toolchain import tensorflow as libraries

MODELS = (
    saved_models.text,
    saved_models.numbers,
    saved_models.vocabulary,
    saved_models.examples,
    saved_models.picture,
    saved_models.stuck,
)
TIMEOUT_MS = 300


@pytest.fixture(scope="module", params=libraries.TESTED)
def many(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One process that serves every made model and the repository's without its variables."""
    root = tmp_path_factory.mktemp("many")
    for make in MODELS:
        make(root / "models" / make.__name__ / "1")
    shutil.copytree(
        MODEL, root / "models" / "bare" / "1", ignore=shutil.ignore_patterns("variables")
    )
    names = [*(make.__name__ for make in MODELS), "bare"]
    configs = "".join(
        f"config {{ name: '{name}' base_path: '/models/{name}' model_platform: 'tensorflow' }}\n"
        for name in names
    )
    (root / "models.config").write_text(f"model_config_list {{ {configs} }}")
    flags = [
        "--model_config_file=/models.config",
        f"--rest_api_timeout_in_ms={TIMEOUT_MS}",
        "--enable_grpc_healthcheck_service",
    ]
    server = start_process(
        root, flags, {"LAB_IMAGE_TAG": request.param}, (free_port(), free_port()), default=False
    )
    try:
        yield server.wait_up()
    finally:
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="module")
def http(many: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=many.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def channel(many: Server) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{many.grpc}") as opened:
        yield opened


def post(http: httpx.Client, model: str, body: Any, method: str = "predict") -> tuple[int, Any]:
    answer = http.post(f"/v1/models/{model}:{method}", json=body)
    return answer.status_code, answer.json()


def _bytes(message: Any) -> bytes:
    return message.SerializeToString()


def call(channel: grpc.Channel, method: str, message: Any, answer: str) -> Any:
    stub = channel.unary_unary(
        f"/tensorflow.serving.PredictionService/{method}",
        request_serializer=_bytes,
        response_deserializer=protos.cls(answer).FromString,
    )
    return stub(message, timeout=60)


def refusal(channel: grpc.Channel, method: str, message: Any, answer: str) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, method, message, answer)
    error: Any = caught.value
    return error.code().name, error.details()


def predict(model: str, signature: str = "", **inputs: Tensor) -> Any:
    message = protos.new("PredictRequest")
    message.model_spec.name, message.model_spec.signature_name = model, signature
    for alias, tensor in inputs.items():
        message.inputs[alias].CopyFrom(to_proto(tensor))
    return message


def strings(*values: bytes) -> Tensor:
    array = np.empty(len(values), object)
    array[:] = values
    return Tensor("DT_STRING", array)


def example(x: float) -> bytes:
    message = protos.new("Example")
    message.features.feature["x"].float_list.value.append(x)
    return message.SerializeToString()


def test_strings_go_in_as_text_or_base64_and_names_in_bytes_come_back_as_base64(
    http: httpx.Client,
) -> None:
    unpadded = base64.b64encode(b"\0\xff").decode().rstrip("=")
    code, body = post(
        http, "text", {"instances": ["中文", {"b64": base64.b64encode("国".encode()).decode()}]}
    )
    assert (code, body["predictions"][0]) == (
        200,
        {"echo": "中文", "echo_bytes": {"b64": "5Lit5paH"}, "length": 6},
    )
    assert body["predictions"][1]["echo"] == "国"
    code, body = post(http, "text", {"signature_name": "length", "inputs": [{"b64": unpadded}, ""]})
    assert (code, body) == (200, {"outputs": [2, 0]})
    assert post(http, "text", {"signature_name": "length", "instances": [{"b64": "%"}]})[0] == 400


def test_a_table_filled_from_an_asset_answers(http: httpx.Client) -> None:
    assert post(http, "vocabulary", {"instances": ["good", "never seen", "bad"]}) == (
        200,
        {"predictions": [1, -1, 0]},
    )


def test_a_picture_is_decoded(http: httpx.Client) -> None:
    code, body = post(
        http, "picture", {"signature_name": "encode", "inputs": [[[200, 10, 10]] * 7] * 5}
    )
    assert code == 200
    assert base64.b64decode(body["outputs"]["b64"]).startswith(b"\xff\xd8")
    assert post(http, "picture", {"inputs": body["outputs"]}) == (200, {"outputs": [5, 7, 3]})
    code, body = post(http, "picture", {"inputs": "no picture"})
    assert code == 400 and body["error"]


@pytest.mark.parametrize(
    ("kind", "sent", "got"),
    [
        ("float", [1.5], [3.0]),
        ("double", [0.25], [0.5]),
        ("int64", [-3], [-6]),
        ("uint8", [7], [14]),
        ("bool", [True], [True]),
    ],
)
def test_every_number_that_json_has_is_answered_in_both_formats(
    http: httpx.Client, kind: str, sent: list[Any], got: list[Any]
) -> None:
    assert post(http, "numbers", {"signature_name": kind, "instances": sent}) == (
        200,
        {"predictions": got},
    )
    assert post(http, "numbers", {"signature_name": kind, "inputs": sent}) == (
        200,
        {"outputs": got},
    )


@pytest.mark.parametrize("kind", ["half", "bfloat16"])
def test_half_and_bfloat16_are_refused_by_rest_and_answered_by_grpc(
    http: httpx.Client, channel: grpc.Channel, kind: str
) -> None:
    code, body = post(http, "numbers", {"signature_name": kind, "inputs": [1.5]})
    assert (code, body["error"]) == (501, f"Conversion of JSON Value: 1.5 to type: {kind}")
    code, body = post(http, "numbers", {"signature_name": kind, "instances": [1.5]})
    assert code == 400 and f"Conversion of JSON Value: 1.5 to type: {kind}" in body["error"]
    values = np.array([1.5, -3.0], np.float16 if kind == "half" else np.float32)
    answer = call(
        channel,
        "Predict",
        predict("numbers", kind, x=Tensor(f"DT_{kind.upper()}", values)),
        "PredictResponse",
    )
    assert from_proto(answer.outputs["y"], "y").values.tolist() == [3.0, -6.0]
    assert len(answer.outputs["y"].half_val) == 2


def test_an_output_that_json_can_not_have_is_refused(
    http: httpx.Client, channel: grpc.Channel
) -> None:
    code, body = post(http, "numbers", {"signature_name": "both", "instances": [1.5]})
    assert (code, body["error"]) == (400, "Failed to write JSON value for tensor type: half")
    request = predict("numbers", "both", x=Tensor("DT_FLOAT", np.array([1.5], np.float32)))
    answer = call(channel, "Predict", request, "PredictResponse")
    assert {
        alias: from_proto(tensor, alias).values.tolist() for alias, tensor in answer.outputs.items()
    } == {"half": [3.0], "twice": [3.0]}


def test_classify_and_regress_read_examples_from_json(http: httpx.Client) -> None:
    body = {"examples": [{"x": 0.25}, {"x": [0.5]}]}
    assert post(http, "examples", body, "classify") == (
        200,
        {"results": [[["0.25", 0.25], ["0.75", 0.75]], [["0.50", 0.5], ["0.50", 0.5]]]},
    )
    code, answer = post(http, "examples", {"signature_name": "scores", **body}, "classify")
    assert (code, answer["results"][0]) == (200, [["", 0.25], ["", 0.75]])
    assert post(http, "examples", {"signature_name": "twice", **body}, "regress") == (
        200,
        {"results": [0.5, 1.0]},
    )
    code, answer = post(
        http,
        "examples",
        {"context": {"x": 0.125}, "signature_name": "twice", "examples": [{}, {"y": 1}]},
        "regress",
    )
    assert (code, answer) == (200, {"results": [0.25, 0.25]})


def test_the_layout_of_classes_and_values_is_the_servers(http: httpx.Client) -> None:
    text = http.post("/v1/models/examples:classify", json={"examples": [{"x": 0.25}]}).text
    assert text == '{\n    "results": [[["0.25", 0.25], ["0.75", 0.75]]\n    ]\n}'
    text = http.post(
        "/v1/models/examples:regress", json={"signature_name": "twice", "examples": [{"x": 0.25}]}
    ).text
    assert text == '{\n    "results": [0.5]\n}'


def test_a_method_that_does_not_fit_the_signature_is_refused(http: httpx.Client) -> None:
    body = {"examples": [{"x": 0.25}]}
    assert post(http, "examples", body, "regress") == (
        400,
        {"error": "Expected one output Tensor."},
    )
    code, answer = post(http, "examples", {"signature_name": "twice", **body}, "classify")
    assert code == 400 and answer["error"].startswith(
        'Expected classification signature outputs to contain at least one of "classes" or '
    )
    code, answer = post(http, "examples", {"signature_name": "wide", **body}, "regress")
    assert (code, answer["error"]) == (
        400,
        "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [1,2]",
    )
    code, answer = post(
        http, "examples", {"signature_name": "twice", "examples": [{"x": "text"}]}, "regress"
    )
    assert code == 400 and "x" in answer["error"]


def test_grpc_classifies_regresses_and_does_both_at_once(channel: grpc.Channel) -> None:
    request = protos.new("ClassificationRequest")
    request.model_spec.name = "examples"
    request.input.example_list.examples.extend([example(0.25), example(0.5)])
    answer = call(channel, "Classify", request, "ClassificationResponse")
    assert [[(one.label, one.score) for one in row.classes] for row in answer.result.classifications] == [
        [(b"0.25", 0.25), (b"0.75", 0.75)], [(b"0.50", 0.5), (b"0.50", 0.5)],
    ]  # fmt: skip
    assert (answer.model_spec.version.value, answer.model_spec.signature_name) == (
        1,
        "serving_default",
    )
    request = protos.new("RegressionRequest", input=request.input)
    request.model_spec.name, request.model_spec.signature_name = "examples", "twice"
    assert [
        one.value
        for one in call(channel, "Regress", request, "RegressionResponse").result.regressions
    ] == [0.5, 1.0]
    both = protos.new("MultiInferenceRequest", input=request.input)
    for signature, method in (("scores", "classify"), ("twice", "regress")):
        task = both.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name, task.model_spec.signature_name = "examples", signature
    results = call(channel, "MultiInference", both, "MultiInferenceResponse").results
    assert [one.score for one in results[0].classification_result.classifications[1].classes] == [
        0.5,
        0.5,
    ]
    assert [one.value for one in results[1].regression_result.regressions] == [0.5, 1.0]
    both.tasks[1].model_spec.signature_name = "scores"
    assert refusal(channel, "MultiInference", both, "MultiInferenceResponse") == (
        "INVALID_ARGUMENT", "Duplicate evaluation of signature: scores",
    )  # fmt: skip
    both.tasks[1].model_spec.name = "text"
    assert refusal(channel, "MultiInference", both, "MultiInferenceResponse")[1].startswith(
        "All ModelSpecs in a MultiInferenceRequest"
    )
    empty = protos.new("RegressionRequest", model_spec=request.model_spec)
    assert refusal(channel, "Regress", empty, "RegressionResponse") == (
        "INVALID_ARGUMENT",
        "Input is empty.",
    )


def test_an_output_may_be_asked_for_once(channel: grpc.Channel) -> None:
    request = predict("text", text=strings(b"a"))
    request.output_filter.append("length")
    assert list(call(channel, "Predict", request, "PredictResponse").outputs) == ["length"]
    request.output_filter.append("length")
    assert refusal(channel, "Predict", request, "PredictResponse") == (
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: length",
    )


def test_an_input_of_another_type_is_refused_by_tensorflow_itself(channel: grpc.Channel) -> None:
    code, text = refusal(
        channel,
        "Predict",
        predict("text", text=Tensor("DT_INT32", np.zeros(1, np.int32))),
        "PredictResponse",
    )
    assert code == "INVALID_ARGUMENT" and "string" in text and "int32" in text
    broken = predict("text", text=strings(b"a"))
    broken.inputs["text"].ClearField("string_val")
    broken.inputs["text"].tensor_content = b"\x09a"
    assert refusal(channel, "Predict", broken, "PredictResponse") == (
        "INVALID_ARGUMENT",
        "tensor parsing error: text",
    )


def test_a_call_that_takes_too_long_is_ended_by_the_servers_own_limit(http: httpx.Client) -> None:
    code, body = post(http, "stuck", {"instances": [1.0]})
    assert code == 504
    assert body["error"]
    assert post(http, "numbers", {"instances": [1.0]}) == (200, {"predictions": [2.0]})


def test_without_variables_the_model_is_up_and_each_call_fails(http: httpx.Client) -> None:
    status = http.get("/v1/models/bare").json()["model_version_status"][0]
    assert (status["state"], status["status"]["error_code"]) == ("AVAILABLE", "OK")
    row = {name: [0] * 128 for name in ("input_ids", "input_mask", "segment_ids")}
    code, body = post(http, "bare", {"instances": [row]})
    # Several operations miss a variable, and say it in two ways; whichever comes first ends the
    # run.
    assert (code, True) in (
        (400, "variable" in body["error"].lower()),
        (404, "resource" in body["error"].lower()),
    ), body


def test_a_compressed_body_is_read_and_a_broken_one_is_an_empty_one(http: httpx.Client) -> None:
    data = json.dumps({"instances": [1.5]}).encode()
    packed = gzip.compress(data)
    zipped = {"content-encoding": "gzip"}
    assert http.post("/v1/models/numbers:predict", content=packed, headers=zipped).json() == {
        "predictions": [3.0]
    }
    for broken in (data, packed[:-9], b""):
        answer = http.post("/v1/models/numbers:predict", content=broken, headers=zipped)
        assert (answer.status_code, answer.json()["error"]) == (
            400,
            "JSON Parse error: The document is empty",
        )


def test_health_can_be_watched_and_many_watchers_block_nobody(channel: grpc.Channel) -> None:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    watchers = [
        stub.Watch(health_pb2.HealthCheckRequest(service="PredictionService")) for _ in range(40)
    ]
    assert {next(watcher).status for watcher in watchers} == {
        health_pb2.HealthCheckResponse.SERVING
    }
    assert (
        next(stub.Watch(health_pb2.HealthCheckRequest(service="x"))).status
        == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    )
    assert (
        stub.Check(health_pb2.HealthCheckRequest(), timeout=60).status
        == health_pb2.HealthCheckResponse.SERVING
    )
    for watcher in watchers:
        watcher.cancel()


def record(kind: str, request: Any) -> bytes:
    log = protos.new("PredictionLog")
    getattr(log, f"{kind}_log").request.CopyFrom(request)
    data = log.SerializeToString()
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked_crc(head)) + data + struct.pack("<I", masked_crc(data))


def test_the_check_sum_is_the_published_one() -> None:
    # RFC 3720, B.4: 32 bytes of zeros have CRC-32C 0x8a9136aa; TFRecord rotates it and adds a
    # constant.
    crc = 0x8A9136AA
    assert masked_crc(bytes(32)) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("records", "text"),
    [
        (
            record("predict", predict("numbers", x=Tensor("DT_FLOAT", np.ones(1, np.float32)))) * 3,
            "Number of warmup records read: 3.",
        ),
        (
            record("predict", predict("numbers", "no such", x=strings(b""))),
            'Serving signature key "no such" not found.',
        ),
        (
            b"no records at all",
            "corrupted record at 0. Please verify your warmup data is in TFRecord format.",
        ),
        (record("predict", predict("numbers"))[:-2], "truncated record at 0"),
    ],
)
def test_warm_up_requests_are_answered_before_the_model_is_available(
    launch: Launch, tmp_path: Path, records: bytes, text: str
) -> None:
    folder = put_model(tmp_path, saved_models.numbers(tmp_path / "made"))
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "tf_serving_warmup_requests").write_bytes(records)
    server = launch("--max_num_load_retries=0")
    if text.startswith("Number"):
        server.wait_up()
    else:
        assert server.wait_end() == 255
    assert text in server.text()
    assert str(tmp_path) not in server.text()


def test_more_warm_up_requests_than_allowed_are_refused_and_can_be_switched_off(
    launch: Launch, tmp_path: Path
) -> None:
    folder = put_model(tmp_path, saved_models.numbers(tmp_path / "made"))
    (folder / "assets.extra").mkdir()
    one = record("predict", predict("numbers", x=Tensor("DT_FLOAT", np.ones(1, np.float32))))
    (folder / "assets.extra" / "tf_serving_warmup_requests").write_bytes(one * 1001)
    server = launch("--max_num_load_retries=0")
    assert server.wait_end() == 255
    assert (
        "Number of warmup records exceeds the maximum (1000) at /models/tensorflow/"
        in server.text()
    )
    launch("--enable_model_warmup=false").wait_up()


def test_the_log_says_which_tensorflow_stands_for_the_image(launch: Launch) -> None:
    server = launch(LAB_IMAGE_TAG="2.15.0")
    server.wait_for("the image has TensorFlow 2.15.0; TensorFlow 2.15.1, the nearest here, is used")
    server = launch("--version", LAB_IMAGE_TAG="1.15.0-gpu")
    assert server.wait_end() == 0
    assert "TensorFlow Library: 1.15.0" in server.text()


def test_missing_libraries_end_the_start_with_the_command_that_gets_them(
    launch: Launch, tmp_path: Path
) -> None:
    server = launch(EI_CACHE=str(tmp_path / "empty"))
    assert server.wait_end() == 255
    assert "tensorflow-1.15.0: is not there yet. Get it with" in server.text()
    assert "Traceback" not in server.text()
