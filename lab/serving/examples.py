"""Classify and regress: their request format is checked in full; no signature with parsed examples can be computed here."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from lab.serving.errors import StatusError, invalid
from lab.serving.jsonread import parse
from lab.serving.jsonwrite import debug
from lab.serving.manager import Manager
from lab.serving.predict import signature_name

_KINDS = {"int64": (bool, int), "float": (float,), "bytes": (str, dict)}
_TYPES = {type(None): "Null", list: "Array", dict: "Object", str: "String", int: "Number", float: "Number"}


def _type_name(value: Any) -> str:
    return _TYPES.get(type(value)) or ("True" if value else "False")


def _feature(name: str, values: list[Any]) -> None:
    """All elements of a feature must be of one kind."""
    kind = ""
    for value in values:
        is_b64 = isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)
        if value is None or isinstance(value, list) or (isinstance(value, dict) and not is_b64):
            raise invalid(f"Feature: {name} has element with unexpected JSON type: {_type_name(value)}")
        own = next(key for key, types in _KINDS.items() if isinstance(value, types))
        if kind and own != kind:
            raise invalid(f"Unexpected element type in feature: {name} expecting type: {kind}")
        kind = own
        if own == "int64" and value >= 2**63:
            raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        if is_b64:
            try:
                base64.b64decode(value["b64"], validate=True)
            except binascii.Error:
                raise invalid("Unable to base64 decode") from None


def _example(value: Any) -> None:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {_type_name(value)}")
    for name, content in value.items():
        _feature(name, content if isinstance(content, list) else [content])


def read_examples(body: bytes) -> tuple[str, int]:
    """(signature name, number of examples) of a classify or regress body; INVALID_ARGUMENT if it is malformed."""
    parsed = parse(body)
    if not isinstance(parsed, dict):
        raise invalid(f"JSON Value: {debug(parsed)} Is not object")
    name = signature_name(parsed)
    if "context" in parsed:
        _example(parsed["context"])
    examples = parsed.get("examples")
    if "examples" not in parsed:
        raise invalid(f"JSON Value: {debug(parsed)} When method is classify, key 'examples' is expected and was not found")
    if not isinstance(examples, list):
        raise invalid(f"JSON Value: {debug(parsed)} Expecting 'examples' value to be an list/array")
    if not examples:
        raise invalid(f"JSON Value: {debug(parsed)} 'examples' value is an empty array")
    for example in examples:
        _example(example)
    return name, len(examples)


def classify_or_regress(manager: Manager, model: str, version: int | None, label: str | None, api: str, body: bytes) -> bytes:
    """Always ends in an error here: a predict signature is refused as the server refuses it, a real one is UNIMPLEMENTED."""
    name, _ = read_examples(body)
    found = manager.find(model, version, label)
    assert found.model
    signature = found.model.signature(name)
    if signature is None:
        raise invalid(f"No signature was found with the name: {name or 'serving_default'}")
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if api == "regress" and len(signature.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    if api == "classify" and len(signature.outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if "inputs" not in signature.inputs:
        what = "classification" if api == "classify" else "regression"
        raise invalid(f"No {what} inputs found in SignatureDef: {signature}")
    raise StatusError("UNIMPLEMENTED", f"This server cannot parse serialized examples, which {api} needs; use predict.")
