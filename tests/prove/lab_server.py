"""The lab's model server with many models, asked over REST and gRPC, its answers held against those
of TensorFlow's own libraries.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
from google.protobuf.message import DecodeError

from lab.serving import protos
from lab.serving.errors import StatusError
from lab.serving.model import CLASSIFY, REGRESS
from lab.serving.tensorflow import Tensor
from lab.serving.tensors import from_proto, to_proto
from lab.testing.ports import free_port
from lab.testing.serving import Server, start_process
from lab.testing.tensorflow_process import TensorFlowProcess
from providers.ossmodel.tensorflow.messages import message

SECONDS = 600
"""For all models to load, and for one answer: a bound on hangs."""
_HALVES = (14, 19)
"""bfloat16 and half: TensorFlow Serving's REST API refuses to write them."""
_KINDS = {
    "f4": "DT_FLOAT",
    "f8": "DT_DOUBLE",
    "i4": "DT_INT32",
    "i8": "DT_INT64",
    "u1": "DT_UINT8",
    "b1": "DT_BOOL",
}


@dataclass
class Question:
    """A request to one signature, and TensorFlow's own answer or the first line of its error."""

    signature: str
    method: str
    inputs: Mapping[str, np.ndarray]
    halves: bool
    """Whether REST can't write the answer."""
    answer: dict[str, np.ndarray] | None
    error: str = ""


@dataclass
class LabCase:
    """One model: `refused` with TensorFlow's reason, or loaded and asked."""

    name: str
    title: str
    refused: str = ""
    questions: list[Question] = field(default_factory=list)
    verdict: str = ""
    faults: list[str] = field(default_factory=list)
    widest: float = 0.0
    asked: Counter[str] = field(default_factory=Counter)


def questions(
    process: TensorFlowProcess, directory: Path, requests: Mapping[str, Mapping[str, np.ndarray]]
) -> list[Question]:
    """Questions to a model that `process` has loaded, with its answers."""
    signatures = (
        message("SavedModel")
        .FromString((directory / "saved_model.pb").read_bytes())
        .meta_graphs[0]
        .signature_def
    )
    found = []
    for name, inputs in requests.items():
        halves = any(info.dtype in _HALVES for info in signatures[name].outputs.values())
        question = Question(name, signatures[name].method_name, inputs, halves, None)
        try:
            question.answer = {
                alias: np.asarray(value)
                for alias, value in process.predict(directory, inputs, name).items()
            }
        except StatusError as error:
            question.error = error.message.partition("\n")[0][:120]
        found.append(question)
    return found


def farthest(answer: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference; infinite for another shape or string."""
    if answer.shape != expected.shape:
        return float("inf")
    if expected.dtype == object:
        return 0.0 if answer.tolist() == expected.tolist() else float("inf")
    ours, theirs = answer.astype(np.float64), expected.astype(np.float64)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return float(np.max(np.where(same, 0, np.abs(ours - theirs)), initial=0.0))


class LabServer:
    """lab.serving for the image of one TensorFlow version; `root` is its container's file tree."""

    def __init__(self, version: str, root: Path) -> None:
        self.version, self.root = version, root

    def put(self, name: str, directory: Path) -> Path:
        """Mounts a version directory as version 1 of a model; where it lies then."""
        place = self.root / "models" / name / "1"
        place.parent.mkdir(parents=True)
        place.symlink_to(directory)
        return place

    def judge(self, cases: list[LabCase]) -> list[LabCase]:
        """Fills in verdicts and faults: the models that TensorFlow loads in one process, those that
        it refuses in another.
        """
        refused = [case for case in cases if case.refused]
        if refused:
            server = self._start(refused)
            try:
                if server.process.wait(SECONDS) != 255:
                    refused[0].faults.append(
                        f"ended with {server.process.returncode} where models were refused"
                    )
            finally:
                server.process.kill()
            for case in refused:
                _judge_refusal(case, server.text())
        loaded = [case for case in cases if not case.refused]
        server = self._start(loaded)
        try:
            server.wait_for("Exporting HTTP/REST API", SECONDS)
            with (
                httpx.Client(base_url=server.url, timeout=SECONDS) as http,
                grpc.insecure_channel(f"127.0.0.1:{server.grpc}") as channel,
            ):
                for case in loaded:
                    for question in case.questions:
                        _ask(case, question, http, channel)
                    case.verdict = (
                        "fails"
                        if any(question.error for question in case.questions)
                        else "answers"
                        if case.questions
                        else "loads"
                    )
                    case.verdict = "differs" if case.faults else case.verdict
        finally:
            server.process.kill()
            server.process.wait()
        return cases

    def _start(self, cases: list[LabCase]) -> Server:
        configs = "".join(
            f"config {{ name: '{case.name}' base_path: '/models/{case.name}' model_platform: 'tensorflow' }}\n"
            for case in cases
        )
        (self.root / "models.config").write_text(f"model_config_list {{ {configs} }}")
        flags = [
            "--model_config_file=/models.config",
            "--max_num_load_retries=0",
            f"--rest_api_timeout_in_ms={SECONDS * 1000}",
        ]
        return start_process(
            self.root,
            flags,
            {"LAB_IMAGE_TAG": self.version},
            (free_port(), free_port()),
            default=False,
        )


def _judge_refusal(case: LabCase, log: str) -> None:
    """The server's log has, of this model, the reason that TensorFlow gives."""
    begin = f"Loading servable: {{name: {case.name} version: 1}} failed: "
    line = next((part for part in log.split(begin)[1:]), "")
    if case.refused in line[: len(case.refused) + 100]:
        case.verdict = "refused"
        case.asked["refusals read in the log"] += 1
    else:
        case.verdict = "differs"
        case.faults.append(f"the log doesn't give the reason {case.refused!r} but {line[:300]!r}")


def _ask(case: LabCase, question: Question, http: httpx.Client, channel: grpc.Channel) -> None:
    ways: list[tuple[str, Any]] = [
        ("answers over gRPC", lambda: _grpc_predict(case, question, channel))
    ]
    if question.halves:
        ways.append(
            (
                "refusals of half and bfloat16 over REST",
                lambda: _refused_halves(case, question, http),
            )
        )
    else:
        ways.append(("answers over REST", lambda: _rest_predict(case, question, http)))
    if (
        question.method in (CLASSIFY, REGRESS)
        and question.answer is not None
        and _are_examples(question)
    ):
        name = question.method.rpartition("/")[2]
        ways.append((f"{name} over REST", lambda: _rest_examples(case, question, name, http)))
        ways.append((f"{name} over gRPC", lambda: _grpc_examples(case, question, name, channel)))
    for what, ask in ways:
        try:
            pairs = list(ask())
        except (grpc.RpcError, httpx.HTTPError, AssertionError) as error:
            text = str(error.details() if isinstance(error, grpc.Call) else error)
            if question.error and question.error in text:
                case.asked["errors of TensorFlow's over " + what.rpartition(" ")[2]] += 1
            else:
                case.faults.append(
                    f"{what}, {question.signature}: {text[:300]}; TensorFlow: {question.error or 'answers'}"
                )
            continue
        if question.error:
            case.faults.append(
                f"{what}, {question.signature}: answers, TensorFlow fails: {question.error}"
            )
            continue
        case.asked[what] += 1
        for alias, answer, expected in pairs:
            distance = farthest(answer, expected)
            case.widest = max(case.widest, distance)
            if distance > 1e-4:
                case.faults.append(
                    f"{what}, {question.signature}, {alias}: off by {distance}: {answer!r:.200}, TensorFlow: {expected!r:.200}"
                )


Pairs = Iterator[tuple[str, np.ndarray, np.ndarray]]
"""Name, the server's value, TensorFlow's."""


def _serialized(message: Any) -> bytes:
    return message.SerializeToString()


def _call(channel: grpc.Channel, method: str, request: Any, answer: str) -> Any:
    stub = channel.unary_unary(
        f"/tensorflow.serving.PredictionService/{method}",
        request_serializer=_serialized,
        response_deserializer=protos.cls(answer).FromString,
    )
    return stub(request, timeout=SECONDS)


def _grpc_predict(case: LabCase, question: Question, channel: grpc.Channel) -> Pairs:
    request = protos.new("PredictRequest")
    request.model_spec.name, request.model_spec.signature_name = case.name, question.signature
    for alias, values in question.inputs.items():
        kind = "DT_STRING" if values.dtype == object else _KINDS[values.dtype.str[1:]]
        request.inputs[alias].CopyFrom(to_proto(Tensor(kind, values)))
    outputs = _call(channel, "Predict", request, "PredictResponse").outputs
    expected = question.answer or {}
    assert sorted(outputs) == sorted(expected), (
        f"outputs {sorted(outputs)}, TensorFlow: {sorted(expected)}"
    )
    for alias, value in expected.items():
        yield alias, np.asarray(from_proto(outputs[alias], alias).values), value


def _post(http: httpx.Client, case: LabCase, method: str, body: dict[str, Any]) -> Any:
    answer = http.post(f"/v1/models/{case.name}:{method}", content=json.dumps(body))
    assert answer.status_code == 200, f"{answer.status_code}: {answer.json()['error']}"
    return json.loads(answer.text)


def _rest_predict(case: LabCase, question: Question, http: httpx.Client) -> Pairs:
    body = {
        "signature_name": question.signature,
        "inputs": {alias: _json(values) for alias, values in question.inputs.items()},
    }
    outputs = _post(http, case, "predict", body)["outputs"]
    expected = question.answer or {}
    if len(expected) == 1:
        outputs = {next(iter(expected)): outputs}
    assert sorted(outputs) == sorted(expected), (
        f"outputs {sorted(outputs)}, TensorFlow: {sorted(expected)}"
    )
    for alias, value in expected.items():
        yield alias, _from_json(outputs[alias], value), value


def _refused_halves(case: LabCase, question: Question, http: httpx.Client) -> Pairs:
    """The server computes the answer and can't write it."""
    body = {
        "signature_name": question.signature,
        "inputs": {alias: _json(values) for alias, values in question.inputs.items()},
    }
    answer = http.post(f"/v1/models/{case.name}:predict", content=json.dumps(body))
    assert answer.status_code == 400, f"{answer.status_code} instead of 400: {answer.text[:200]}"
    assert (
        "DT_BFLOAT16" in answer.text
        or "DT_HALF" in answer.text
        or "bfloat16" in answer.text
        or "half" in answer.text
    ), answer.text[:200]
    return iter(())


def _examples(question: Question) -> list[bytes]:
    (values,) = question.inputs.values()
    return [bytes(value) for value in values.ravel()]


def _are_examples(question: Question) -> bool:
    """Whether the strings that the model takes are tf.Examples: some models of these methods take
    texts.
    """
    try:
        return all(
            protos.cls("Example").FromString(example).features.feature
            for example in _examples(question)
        )
    except (DecodeError, ValueError):
        return False


def _features(example: bytes) -> dict[str, Any]:
    """An example as the REST API takes it."""
    parsed = protos.cls("Example").FromString(example)
    result = {}
    for name, feature in parsed.features.feature.items():
        kind = feature.WhichOneof("choice") or "float_list"
        values = list(getattr(feature, kind).value)
        result[name] = (
            [{"b64": base64.b64encode(value).decode()} for value in values]
            if kind == "bytes_list"
            else values
        )
    return result


def _rest_examples(case: LabCase, question: Question, method: str, http: httpx.Client) -> Pairs:
    body = {
        "signature_name": question.signature,
        "examples": [_features(example) for example in _examples(question)],
    }
    results = _post(http, case, method, body)["results"]
    if method == "regress":
        yield "outputs", np.array(results, np.float64), _values(question)
        return
    yield (
        "scores",
        np.array([[score for _, score in row] for row in results], np.float64),
        _scores(question),
    )
    yield (
        "classes",
        _labels([[label.encode() for label, _ in row] for row in results]),
        _classes(question),
    )


def _grpc_examples(case: LabCase, question: Question, method: str, channel: grpc.Channel) -> Pairs:
    request = protos.new("RegressionRequest" if method == "regress" else "ClassificationRequest")
    request.model_spec.name, request.model_spec.signature_name = case.name, question.signature
    request.input.example_list.examples.extend(_examples(question))
    if method == "regress":
        result = _call(channel, "Regress", request, "RegressionResponse").result
        yield (
            "outputs",
            np.array([entry.value for entry in result.regressions], np.float64),
            _values(question),
        )
        return
    rows = _call(channel, "Classify", request, "ClassificationResponse").result.classifications
    yield (
        "scores",
        np.array([[entry.score for entry in row.classes] for row in rows], np.float64),
        _scores(question),
    )
    yield (
        "classes",
        _labels([[entry.label for entry in row.classes] for row in rows]),
        _classes(question),
    )


def _values(question: Question) -> np.ndarray:
    assert question.answer
    (values,) = question.answer.values()
    return values.reshape(-1)


def _scores(question: Question) -> np.ndarray:
    assert question.answer
    return question.answer["scores"]


def _classes(question: Question) -> np.ndarray:
    """The labels; empty ones where the model gives none."""
    assert question.answer
    return (
        question.answer["classes"]
        if "classes" in question.answer
        else np.full(_scores(question).shape, b"", object)
    )


def _labels(rows: list[list[bytes]]) -> np.ndarray:
    result = np.empty((len(rows), len(rows[0]) if rows else 0), object)
    for place, row in enumerate(rows):
        result[place] = row
    return result


def _json(values: np.ndarray) -> Any:
    if values.dtype != object:
        return values.tolist()
    encoded = np.empty(values.shape, object)
    for place, value in np.ndenumerate(values):
        encoded[place] = {"b64": base64.b64encode(value).decode()}
    return encoded.tolist()


def _from_json(value: Any, expected: np.ndarray) -> np.ndarray:
    """What stands in an answer, as an array like the expected one."""
    if expected.dtype != object:
        found = np.array(value, np.float64)
        return found.reshape(expected.shape) if found.size == expected.size == 0 else found
    found = np.empty(expected.shape, object)
    flat = [value] if not expected.shape else _flattened(value, expected.ndim)
    if len(flat) != expected.size:
        return np.empty((len(flat),), object)
    found.reshape(-1)[:] = [
        base64.b64decode(item["b64"]) if isinstance(item, dict) else item.encode() for item in flat
    ]
    return found


def _flattened(value: Any, depth: int) -> list[Any]:
    return (
        [value] if depth == 0 else [item for part in value for item in _flattened(part, depth - 1)]
    )
