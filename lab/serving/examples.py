"""Classify, regress and multi-inference: tf.Examples in, classes and values out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lab.serving import protos
from lab.serving.errors import StatusError, invalid
from lab.serving.jsonread import decode_base64, is_b64, json_type, parse
from lab.serving.jsonwrite import Writer, debug, decimal, quote
from lab.serving.model import CLASSIFY, DEFAULT, REGRESS, Model
from lab.serving.predict import signature_name
from lab.serving.tensorflow import Tensor, object_array

_LISTS = {"int64": "int64_list", "float": "float_list", "bytes": "bytes_list"}


def _element(name: str, value: Any) -> tuple[str, Any]:
    """(kind of list, value) of one JSON element of a feature."""
    if isinstance(value, bool | int):
        if value >= 2**63:
            raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        return "int64", int(value)
    if isinstance(value, float):
        return "float", value
    if isinstance(value, str):
        return "bytes", value.encode("utf-8", "surrogatepass")
    if is_b64(value):
        return "bytes", decode_base64(value["b64"])
    raise invalid(f"Feature: {name} has element with unexpected JSON type: {json_type(value)}")


def _fill(feature: Any, name: str, values: list[Any]) -> None:
    """All elements of a feature must be of one kind."""
    kind = ""
    for value in values:
        own = _kind(value)
        if kind and own and own != kind:
            raise invalid(f"Unexpected element type in feature: {name} expecting type: {kind}")
        kind, element = _element(name, value)
        getattr(feature, _LISTS[kind]).value.append(
            _float32(element) if kind == "float" else element
        )


def _kind(value: Any) -> str:
    """The kind of list that an element belongs to; "" for what belongs to none."""
    if isinstance(value, bool | int):
        return "int64"
    return (
        "float"
        if isinstance(value, float)
        else "bytes"
        if isinstance(value, str) or is_b64(value)
        else ""
    )


def _float32(value: float) -> float:
    """What a float field holds: values too large for it are infinite."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def _example(value: Any) -> bytes:
    """A JSON object as a serialized tf.Example."""
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {json_type(value)}")
    example = protos.new("Example")
    example.features.SetInParent()
    for name, content in value.items():
        feature = example.features.feature[name]
        _fill(feature, name, content if isinstance(content, list) else [content])
    return example.SerializeToString(deterministic=True)


def read_examples(body: bytes) -> tuple[str, Any]:
    """(signature name, Input) of a classify or regress body; INVALID_ARGUMENT if it is
    malformed.
    """
    parsed = parse(body)
    if not isinstance(parsed, dict):
        raise invalid(f"JSON Value: {debug(parsed)} Is not object")
    name = signature_name(parsed)
    context = _example(parsed["context"]) if "context" in parsed else None
    examples = parsed.get("examples")
    if "examples" not in parsed:
        raise invalid(
            f"JSON Value: {debug(parsed)} When method is classify, key 'examples' is expected and was not found"
        )
    if not isinstance(examples, list):
        raise invalid(f"JSON Value: {debug(parsed)} Expecting 'examples' value to be an list/array")
    if not examples:
        raise invalid(f"JSON Value: {debug(parsed)} 'examples' value is an empty array")
    result = protos.new("Input")
    serialized = [_example(example) for example in examples]
    if context is None:
        result.example_list.examples.extend(serialized)
    else:
        result.example_list_with_context.context = context
        result.example_list_with_context.examples.extend(serialized)
    return name, result


def _serialized(message: Any) -> np.ndarray:
    """The examples of an Input as a string tensor; an example's context stands before it in the
    same message.
    """
    kind = message.WhichOneof("choice")
    if kind == "example_list_with_context":
        context = message.example_list_with_context.context
        examples = [context + example for example in message.example_list_with_context.examples]
    else:
        examples = list(message.example_list.examples)
    if not examples:
        raise invalid("Input is empty.")
    return object_array(examples)


def _preprocess(model: Model, signature: Any, method: str) -> tuple[str, list[str]]:
    """(input tensor, output tensors) of a signature that fits the method; INVALID_ARGUMENT if it
    doesn't.
    """
    what = "classification" if method == CLASSIFY else "regression"
    if model.check_method and signature.method_name != method:
        raise invalid(
            f"Expected {what} signature method_name to be {method}. Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if method == REGRESS and len(signature.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    if method == CLASSIFY and len(signature.outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if "inputs" not in signature.inputs:
        raise invalid(f"No {what} inputs found in SignatureDef: {signature}")
    found = [
        signature.outputs[key].name
        for key in (("classes", "scores") if method == CLASSIFY else ("outputs",))
        if key in signature.outputs
    ]
    if not found and method == CLASSIFY:
        raise invalid(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {signature}"
        )  # fmt: skip
    if not found:
        raise invalid(f"No regression outputs found in SignatureDef: {signature}")
    return signature.inputs["inputs"].name, found


def _signature(model: Model, name: str, method: str) -> Any:
    signature = model.signature(name)
    if signature is None:
        raise invalid(f"No signature was found with the name: {name or DEFAULT}")
    _preprocess(model, signature, method)
    return signature


def _run(
    model: Model, inputs: set[str], message: Any, outputs: Sequence[str], timeout_ms: int
) -> tuple[int, dict[str, Tensor]]:
    """(number of examples, tensors by name)."""
    examples = _serialized(message)
    tensors = model.saved.run(
        {name: Tensor("DT_STRING", examples) for name in inputs}, outputs, timeout_ms
    )
    return len(examples), dict(zip(outputs, tensors, strict=True))


def classify(model: Model, name: str, message: Any, timeout_ms: int = 0) -> Any:
    """The ClassificationResult of an Input."""
    signature = _signature(model, name, CLASSIFY)
    tensor, outputs = _preprocess(model, signature, CLASSIFY)
    return _classifications(signature, *_run(model, {tensor}, message, outputs, timeout_ms))


def regress(model: Model, name: str, message: Any, timeout_ms: int = 0) -> Any:
    """The RegressionResult of an Input."""
    signature = _signature(model, name, REGRESS)
    tensor, outputs = _preprocess(model, signature, REGRESS)
    return _regressions(signature, *_run(model, {tensor}, message, outputs, timeout_ms))


def multi_inference(model: Model, request: Any, version: int, timeout_ms: int = 0) -> Any:
    """The MultiInferenceResponse: all tasks in one run."""
    inputs: set[str] = set()
    outputs: set[str] = set()
    seen: set[str] = set()
    model_name = ""
    for task in request.tasks:
        if not task.model_spec.name:
            raise invalid("Found ModelSpec with an empty model name.")
        if model_name and model_name != task.model_spec.name:
            raise invalid(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        model_name = task.model_spec.name
        name = task.model_spec.signature_name or DEFAULT
        if name in seen:
            raise invalid(f"Duplicate evaluation of signature: {name}")
        seen.add(name)
        signature = model.signature(name)
        if signature is None:
            raise invalid(f"Requested signature not found in model graph: {name}")
        if task.method_name not in (CLASSIFY, REGRESS):
            raise StatusError(
                "UNIMPLEMENTED", f"Unsupported signature method_name: {task.method_name}"
            )
        tensor, wanted = _preprocess(model, signature, task.method_name)
        inputs.add(tensor)
        outputs.update(wanted)
    count, tensors = _run(model, inputs, request.input, sorted(outputs), timeout_ms)
    response = protos.new("MultiInferenceResponse")
    for task in request.tasks:
        signature = model.signature(task.model_spec.signature_name)
        result = response.results.add()
        if task.method_name == CLASSIFY:
            result.classification_result.CopyFrom(_classifications(signature, count, tensors))
        else:
            result.regression_result.CopyFrom(_regressions(signature, count, tensors))
        result.model_spec.name = task.model_spec.name
        result.model_spec.signature_name = task.model_spec.signature_name or DEFAULT
        result.model_spec.version.value = version
    return response


def _shape_text(values: np.ndarray) -> str:
    return f"[{','.join(map(str, values.shape))}]"


def _classifications(signature: Any, count: int, tensors: dict[str, Tensor]) -> Any:
    """Classes, scores or both, one list for each example."""
    parts: dict[str, np.ndarray] = {}
    for key, kind in (("classes", "DT_STRING"), ("scores", "DT_FLOAT")):
        tensor = tensors.get(signature.outputs[key].name) if key in signature.outputs else None
        if tensor is None:
            continue
        if tensor.values.ndim != 2:
            raise invalid(
                f"Expected Tensor shape: [batch_size num_classes] but got {_shape_text(tensor.values)}"
            )
        if tensor.kind != kind:
            raise invalid(f"Expected {key} Tensor of {kind}. Got: {tensor.kind}")
        if tensor.values.shape[0] != count:
            raise invalid(
                f"Expected {key} output batch size of {count}. Got: {tensor.values.shape[0]}"
            )
        parts[key] = tensor.values
    classes, scores = parts.get("classes"), parts.get("scores")
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise invalid(
            f"Tensors class and score should match in dim_size(1). Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    result = protos.new("ClassificationResult")
    width = next((values.shape[1] for values in parts.values()), 0)
    for row in range(count):
        listed = result.classifications.add()
        for column in range(width):
            one = listed.classes.add()
            if classes is not None:
                one.label = classes[row, column]
            if scores is not None:
                one.score = float(scores[row, column])
    return result


def _regressions(signature: Any, count: int, tensors: dict[str, Tensor]) -> Any:
    """One value for each example."""
    tensor = tensors[signature.outputs["outputs"].name]
    values = tensor.values
    if not (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)):
        raise invalid(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape_text(values)}"
        )
    if values.shape[0] != count:
        raise invalid(
            f"Input batch size did not match output batch size: {count} vs. {values.shape[0]}"
        )
    if tensor.kind != "DT_FLOAT":
        raise invalid(f"Expected output Tensor of DT_FLOAT.  Got: {tensor.kind}")
    result = protos.new("RegressionResult")
    for value in values.ravel().tolist():
        result.regressions.add(value=value)
    return result


def classification_body(result: Any) -> bytes:
    """The REST answer: a list of [label, score] for each example."""
    writer = Writer()
    writer.start("{")
    writer.raw('"results"')
    writer.start("[")
    for classifications in result.classifications:
        writer.one_line = True
        writer.start("[")
        for one in classifications.classes:
            writer.start("[")
            writer.raw(quote(one.label.decode("utf-8", "surrogateescape")))
            writer.raw(decimal(one.score))
            writer.end()
        writer.end()
        writer.one_line = False
    writer.end()
    writer.end()
    return writer.text().encode("utf-8", "surrogateescape")


def regression_body(result: Any) -> bytes:
    """The REST answer: a value for each example."""
    writer = Writer()
    writer.start("{")
    writer.raw('"results"')
    writer.one_line = True
    writer.start("[")
    for regression in result.regressions:
        writer.raw(decimal(regression.value))
    writer.end()
    writer.end()
    return writer.text().encode()
