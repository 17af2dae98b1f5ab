"""What the REST API says when all is well, to the byte where the server's format is fixed."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from lab.testing.models import BAD, GOOD, instance, request

MODEL = "/v1/models/chnsenticorp"


def test_status_lists_the_version_in_the_servers_own_layout(rest: httpx.Client) -> None:
    answer = rest.get(MODEL)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.text.rstrip("\n") == (
        '{\n "model_version_status": [\n  {\n   "version": "1623831335",\n   "state": "AVAILABLE",\n'
        '   "status": {\n    "error_code": "OK",\n    "error_message": ""\n   }\n  }\n ]\n}'
    )


@pytest.mark.parametrize(
    "path",
    [
        f"{MODEL}/versions/1623831335",
        f"{MODEL}/labels/stable",
        f"{MODEL}/labels/unheard-of",
        MODEL.upper()[:10] + MODEL[10:],
    ],
)
def test_status_can_be_asked_by_version_label_and_in_any_case(
    rest: httpx.Client, path: str
) -> None:
    answer = rest.get(path)
    assert [entry["version"] for entry in answer.json()["model_version_status"]] == ["1623831335"]


def test_metadata_shows_the_signature_as_it_is_in_the_file(rest: httpx.Client) -> None:
    body = rest.get(f"{MODEL}/metadata").json()
    assert body["model_spec"] == {
        "name": "chnsenticorp",
        "signature_name": "",
        "version": "1623831335",
    }
    signature = body["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert sorted(signature["inputs"]) == ["input_ids", "input_mask", "segment_ids"]
    assert signature["inputs"]["input_ids"]["dtype"] == "DT_INT32"
    assert [dim["size"] for dim in signature["inputs"]["input_ids"]["tensor_shape"]["dim"]] == [
        "-1",
        "128",
    ]
    assert signature["outputs"]["probabilities"]["dtype"] == "DT_FLOAT"
    assert signature["method_name"] == "tensorflow/serving/predict"


def test_rows_come_back_on_one_line_each_list(rest: httpx.Client) -> None:
    answer = rest.post(f"{MODEL}:predict", json=request([GOOD, BAD]))
    number = r"[0-9.e-]+"
    assert re.fullmatch(
        rf'\{{\n    "predictions": \[\[{number}, {number}\], \[{number}, {number}\]\n    \]\n\}}',
        answer.text,
    )
    good, bad = answer.json()["predictions"]
    assert good[1] > 0.8 and bad[1] < 0.2
    assert sum(good) == pytest.approx(1, abs=1e-6)


def test_columns_come_back_indented_by_four(rest: httpx.Client) -> None:
    one = instance(GOOD)
    answer = rest.post(
        f"{MODEL}:predict", json={"inputs": {name: [values] for name, values in one.items()}}
    )
    rows = rest.post(f"{MODEL}:predict", json={"instances": [one]})
    first, second = re.findall(r"[0-9.]+", rows.text)
    assert (
        answer.text
        == f'{{\n    "outputs": [\n        [\n            {first},\n            {second}\n        ]\n    ]\n}}'
    )


@pytest.mark.parametrize(
    "path", [f"{MODEL}/versions/1623831335:predict", f"{MODEL}/labels/stable:predict"]
)
def test_predict_by_version_and_by_label_answers_the_same(rest: httpx.Client, path: str) -> None:
    assert (
        rest.post(path, json=request([GOOD])).json()
        == rest.post(f"{MODEL}:predict", json=request([GOOD])).json()
    )


def test_the_signature_may_be_named(rest: httpx.Client) -> None:
    answer = rest.post(
        f"{MODEL}:predict", json={"signature_name": "serving_default", **request([GOOD])}
    )
    assert answer.status_code == 200


def test_text_after_the_json_value_is_ignored(rest: httpx.Client) -> None:
    answer = rest.post(f"{MODEL}:predict", content=json.dumps(request([GOOD])) + " and more")
    assert answer.status_code == 200


def test_one_wrong_character_in_a_batch_changes_only_its_own_row(rest: httpx.Client) -> None:
    alone = rest.post(f"{MODEL}:predict", json=request([GOOD])).json()["predictions"][0]
    together = rest.post(f"{MODEL}:predict", json=request([BAD, GOOD, BAD])).json()["predictions"][
        1
    ]
    assert together == pytest.approx(alone, abs=1e-5)


def test_the_metrics_page_counts_requests_by_status(rest: httpx.Client) -> None:
    def count(status: str) -> int:
        page = rest.get("/monitoring/prometheus/metrics")
        assert page.headers["content-type"].startswith("text/plain")
        found = re.search(
            rf'^:tensorflow:serving:request_count{{model_name="chnsenticorp",status="{status}"}} (\d+)$',
            page.text,
            re.M,
        )
        return int(found[1]) if found else 0

    good, bad = count("OK"), count("INVALID_ARGUMENT")
    rest.post(f"{MODEL}:predict", json=request([GOOD]))
    rest.post(f"{MODEL}:predict", content="{")
    assert (count("OK"), count("INVALID_ARGUMENT")) == (good + 1, bad + 1)
    page = rest.get("/monitoring/prometheus/metrics").text
    assert "# TYPE :tensorflow:serving:request_latency histogram" in page
    assert (
        'request_latency_bucket{model_name="chnsenticorp",API="predict",entrypoint="REST",le="32.4"}'
        in page
    )
    assert ":tensorflow:serving:runtime_latency_count" in page


def test_a_path_outside_v1_gets_the_http_librarys_page(rest: httpx.Client) -> None:
    answer = rest.get("/healthz")
    assert answer.status_code == 404
    assert answer.text.startswith("<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>")
