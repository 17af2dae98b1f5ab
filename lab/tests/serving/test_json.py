"""The JSON reader's error texts and offsets, and the writer's decimals and layout."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lab.serving.errors import StatusError
from lab.serving.jsonread import parse
from lab.serving.jsonwrite import debug, decimal, error_body
from lab.serving.predict import to_array, write_body
from lab.serving.tensorflow import Tensor


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"   ", "The document is empty. at offset: 3"),
        (b"]", "The document is empty. at offset: 0"),
        (b"{bad", "Missing a name for object member. at offset: 1"),
        (b'{"a" 1}', "Missing a colon after a name of object member. at offset: 5"),
        (b'{"a":1 "b"}', "Missing a comma or } after an object member. at offset: 7"),
        (b'{"a":', "Invalid value. at offset: 5"),
        (b'{"a":}', "Invalid value. at offset: 5"),
        (b"[1 2]", "Missing a comma or ] after an array element. at offset: 3"),
        (b"[1", "Missing a comma or ] after an array element. at offset: 2"),
        (b"[1,", "Invalid value. at offset: 3"),
        (b"[tru]", "Invalid value. at offset: 4"),
        (b"[1.]", "Miss fraction part in number. at offset: 3"),
        (b"[1e]", "Miss exponent in number. at offset: 3"),
        (b"[1e999]", "Number too big to be stored in double. at offset: 1"),
        (b'["abc', "Missing a closing quotation mark in string. at offset: 5"),
        (b'["a\nb"]', "Invalid encoding in string. at offset: 3"),
        (b'["\\x"]', "Invalid escape character in string. at offset: 2"),
        (b'["\\u12G4"]', "Incorrect hex digit after \\u escape in string. at offset: 2"),
        (b'["\\ud800"]', "The surrogate pair in string is invalid. at offset: 2"),
    ],
)
def test_malformed_json_is_refused_where_the_server_stops_reading(body: bytes, text: str) -> None:
    with pytest.raises(StatusError) as caught:
        parse(body)
    assert (caught.value.code, caught.value.message) == (
        "INVALID_ARGUMENT",
        f"JSON Parse error: {text}",
    )


def test_what_strict_json_forbids_but_the_server_reads_is_read() -> None:
    assert parse(b'{"a": [1, 2.5, "\\u4e2d\\ud83d\\ude00"]} trailing') == {"a": [1, 2.5, "中😀"]}
    values = parse(b"[NaN, Infinity, -Infinity, -Inf, 1]")
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf, -math.inf, 1]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.0"), (0.5, "0.5"), (9000000.0, "9e+06"), (0.00003, "3e-05"), (0.878522873, "0.878522873"), (-2.0, "-2.0"),
     (float("nan"), "NaN"), (float("inf"), "Infinity"), (float("-inf"), "-Infinity"), (0.1, "0.1"), (16777216.0, "16777216.0")],
)  # fmt: skip
def test_floats_are_written_shortest_and_never_as_whole_numbers(value: float, text: str) -> None:
    assert decimal(float(np.float32(value))) == text


def test_every_float_reads_back_as_itself() -> None:
    values = np.random.default_rng(3).standard_normal(2000).astype(np.float32)
    assert [np.float32(decimal(float(value))) for value in values] == list(values)


def test_quoted_values_are_cut_at_256_bytes() -> None:
    text = debug({"instances": [[1] * 500]})
    assert 256 <= len(text) < 270
    assert text.startswith('{\n    "instances": [[1, 1, 1')


def test_an_error_body_keeps_text_as_it_is_and_escapes_what_it_must() -> None:
    assert error_body('a "b"\n中\x01').decode() == '{\n    "error": "a \\"b\\"\\n中\\u0001"\n}'


def test_several_outputs_become_objects_in_both_formats() -> None:
    outputs = {
        "a": Tensor("DT_FLOAT", np.array([1.5, 2.0], np.float32)),
        "raw_bytes": Tensor("DT_STRING", np.array([b"x", b"y\0"], object)),
    }
    row = '\n        {{\n            "a": {},\n            "raw_bytes": {{\n                "b64": "{}"\n            }}\n        }}'
    rows = ",".join(row.format(*values) for values in (("1.5", "eA=="), ("2.0", "eQA=")))
    assert write_body(outputs, rows=True).decode() == f'{{\n    "predictions": [{rows}\n    ]\n}}'
    columns = parse(write_body(outputs, rows=False))
    assert columns == {
        "outputs": {"a": [1.5, 2.0], "raw_bytes": [{"b64": "eA=="}, {"b64": "eQA="}]}
    }


def test_base64_is_decoded_for_string_inputs_and_refused_for_numbers() -> None:
    assert to_array([{"b64": "5Lit"}, "国"], "DT_STRING").tolist() == ["中".encode(), "国".encode()]
    with pytest.raises(StatusError, match="Unable to base64 decode"):
        to_array([{"b64": "%"}], "DT_STRING")
    with pytest.raises(StatusError, match="Type: Object is not of expected type: int32"):
        to_array([{"b64": "5Lit"}], "DT_INT32")


@pytest.mark.parametrize(
    ("value", "kind", "good"),
    [
        (3, "DT_FLOAT", True),
        (True, "DT_FLOAT", False),
        (True, "DT_BOOL", True),
        (1, "DT_BOOL", False),
        (-1, "DT_UINT32", False),
        (2**63, "DT_INT64", False),
        (2**63, "DT_UINT64", True),
        (1.0, "DT_INT64", False),
        ("x", "DT_STRING", True),
        (None, "DT_STRING", False),
    ],
)
def test_a_number_fits_a_type_only_if_the_server_says_so(
    value: object, kind: str, good: bool
) -> None:
    if good:
        assert to_array([value], kind).shape == (1,)
    else:
        with pytest.raises(StatusError, match="is not of expected type"):
            to_array([value], kind)
