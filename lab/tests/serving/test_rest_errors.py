"""Every refusal of the REST API: status and text as the server words them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from lab.testing.models import instance

MODEL = "/v1/models/chnsenticorp"
PREDICT = f"{MODEL}:predict"
ROW = instance("很好")
SHORT = {name: values[:64] for name, values in ROW.items()}


def _cell(value: Any) -> dict[str, Any]:
    return {"instances": [{**ROW, "input_ids": [value] * 128}]}


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("POST", "/v1/models/nope:predict", 404, "Servable not found for request: Latest(nope)"),
        (
            "POST",
            f"{MODEL}/versions/7:predict",
            404,
            "Servable not found for request: Specific(chnsenticorp, 7)",
        ),
        ("GET", "/v1/models/nope/metadata", 404, "Servable not found for request: Latest(nope)"),
        (
            "GET",
            f"{MODEL}/versions/7/metadata",
            404,
            "Servable not found for request: Specific(chnsenticorp, 7)",
        ),
        ("GET", "/v1/models/nope", 404, "Could not find any versions of model nope"),
        ("GET", f"{MODEL}/versions/7", 404, "Could not find version 7 of model chnsenticorp"),
        ("GET", "/v1/models", 400, "Missing model name in request."),
        (
            "GET",
            "/v1/models/metadata/metadata",
            404,
            "Servable not found for request: Latest(metadata)",
        ),
        ("POST", "/v1/foo", 400, "Malformed request: POST /v1/foo"),
        ("GET", f"{MODEL}:predict", 400, "Malformed request: GET /v1/models/chnsenticorp:predict"),
        ("POST", MODEL, 400, "Malformed request: POST /v1/models/chnsenticorp"),
        ("PUT", PREDICT, 400, "Malformed request: PUT /v1/models/chnsenticorp:predict"),
        ("DELETE", MODEL, 400, "Malformed request: DELETE /v1/models/chnsenticorp"),
        (
            "GET",
            f"{MODEL}/versions/99999999999999999999",
            400,
            "Failed to convert version: 99999999999999999999 to numeric.",
        ),
        ("POST", f"{MODEL}/labels/x:predict", 400, "Unrecognized servable version label: x"),
        (
            "POST",
            f"{MODEL}:PREDICT",
            400,
            "Malformed request: POST /v1/models/chnsenticorp:PREDICT",
        ),
    ],
)
def test_a_wrong_path_is_refused(
    rest: httpx.Client, method: str, path: str, status: int, text: str
) -> None:
    answer = rest.request(
        method, path, content=json.dumps({"instances": [ROW]}) if method == "POST" else None
    )
    assert (answer.status_code, answer.json()) == (status, {"error": text})
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == "{\n    " + f'"error": {json.dumps(text)}' + "\n}"


ELEMENT = "Failed to process element: 0"
INT = "Type: {} is not of expected type: int32"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "JSON Parse error: The document is empty"),
        ("nope", "JSON Parse error: Invalid value. at offset: 1"),
        ("hello", "JSON Parse error: Invalid value. at offset: 0"),
        ("[1]", "JSON Value: [1] Is not object"),
        ("7", "JSON Value: 7 Is not object"),
        ({}, "Missing 'inputs' or 'instances' key"),
        (
            {"signature_name": 1},
            "JSON Value: {\n    \"signature_name\": 1\n} not formatted correctly. 'signature_name' key must be a string value.",
        ),
        (
            {"signature_name": "x", "instances": [ROW]},
            'Serving signature name: "x" not found in signature def',
        ),
        (
            {"signature_name": "__saved_model_init_op", "instances": [1]},
            "Failed to get input map for signature: __saved_model_init_op",
        ),
        (
            {"instances": 1},
            "JSON Value: {\n    \"instances\": 1\n} Expecting 'instances' to be an list/array",
        ),
        (
            {"instances": []},
            "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array",
        ),
        (
            {"instances": [[1]]},
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per tensorinfo_map",
        ),
        (
            {"inputs": [1]},
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per tensorinfo_map",
        ),
        (
            {"inputs": {"input_ids": [ROW["input_ids"]]}},
            "Missing named input: input_mask in 'inputs' object.",
        ),
        (
            {"instances": [{**ROW, "foo": 1}]},
            f"{ELEMENT} key: foo of 'instances' list. Error: Invalid argument: JSON object: does not have named input: foo",
        ),
        ({"instances": [ROW, [1]]}, "Expecting object but got list at item 1 of input list"),
        (
            _cell("a"),
            f"{ELEMENT} key: input_ids of 'instances' list. Error: Invalid argument: JSON Value: \"a\" {INT.format('String')}",
        ),
        (
            _cell(1.5),
            f"{ELEMENT} key: input_ids of 'instances' list. Error: Invalid argument: JSON Value: 1.5 {INT.format('Number')}",
        ),
        (
            _cell(2**31),
            f"{ELEMENT} key: input_ids of 'instances' list. Error: Invalid argument: JSON Value: 2147483648 {INT.format('Number')}",
        ),
        (
            _cell(True),
            f"{ELEMENT} key: input_ids of 'instances' list. Error: Invalid argument: JSON Value: true {INT.format('True')}",
        ),
        (
            _cell(None),
            f"{ELEMENT} key: input_ids of 'instances' list. Error: Invalid argument: JSON Value: null {INT.format('Null')}",
        ),
        (
            {"instances": [{**ROW, "input_ids": [[1, 2], [1, 2, 3]]}]},
            f"{ELEMENT} key: input_ids of 'instances' list. Error: Invalid argument: "
            "Encountered list at unexpected size: 3 at level: 1 expected size: 2",
        ),
        (
            {"instances": [{**ROW, "input_ids": [1, [2]]}]},
            f"{ELEMENT} key: input_ids of 'instances' list. Error: Invalid argument: Encountered list at unexpected level: 1 expected < 1",
        ),
        (
            {"instances": [{**ROW, "input_ids": [[1], 2]}]},
            f"{ELEMENT} key: input_ids of 'instances' list. Error: Invalid argument: "
            "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        (
            {"instances": [ROW, {**ROW, "input_ids": ROW["input_ids"][:64]}]},
            "Failed to process element: 1 key: input_ids of 'instances' list. Error: Invalid argument: "
            "Expecting tensor size: 128 but got: 64",
        ),
        (
            {"instances": [SHORT]},
            "Incompatible shapes: [1,64,48] vs. [128,48]\n\t [[{{node add_2}}]]",
        ),
    ],
)
def test_a_wrong_body_is_refused(rest: httpx.Client, body: Any, text: str) -> None:
    answer = rest.post(PREDICT, content=body if isinstance(body, str) else json.dumps(body))
    assert answer.json() == {"error": text}
    assert answer.status_code == 400


def test_a_row_that_lacks_a_key_names_all_keys_and_quotes_the_row_cut(rest: httpx.Client) -> None:
    answer = rest.post(PREDICT, json={"instances": [{"input_ids": ROW["input_ids"]}]})
    text = answer.json()["error"]
    assert text.startswith(
        "Failed to process element: 0 of 'instances' list. JSON object: {\n    \"input_ids\": ["
    )
    assert text.endswith(" keys must be equal to: input_ids,input_mask,segment_ids")
    assert len(text) < 400


def test_both_keys_at_once_are_refused(rest: httpx.Client) -> None:
    text = rest.post(PREDICT, json={"instances": [], "inputs": {}}).json()["error"]
    assert text.endswith(
        "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
    )


@pytest.mark.parametrize(
    ("api", "body", "text"),
    [
        ("classify", {"examples": [{"a": 1}]}, "Expected one input Tensor."),
        ("regress", {"examples": [{"a": [1.5]}]}, "Expected one input Tensor."),
        (
            "classify",
            {"examples": [{"a": [1, 1.5]}]},
            "Unexpected element type in feature: a expecting type: int64",
        ),
        (
            "classify",
            {"examples": [{"a": [[1]]}]},
            "Feature: a has element with unexpected JSON type: Array",
        ),
        ("classify", {"examples": [3]}, "Example must be JSON object but got JSON Number"),
        (
            "classify",
            {"examples": []},
            "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array",
        ),
        (
            "classify",
            {"signature_name": "x", "examples": [{}]},
            "No signature was found with the name: x",
        ),
        (
            "regress",
            {},
            "JSON Value: {} When method is classify, key 'examples' is expected and was not found",
        ),
    ],
)
def test_classify_and_regress_are_refused_as_the_server_refuses_a_predict_signature(
    rest: httpx.Client, api: str, body: dict[str, Any], text: str
) -> None:
    answer = rest.post(f"{MODEL}:{api}", json=body)
    assert (answer.status_code, answer.json()) == (400, {"error": text})
