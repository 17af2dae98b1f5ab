"""The request that shows whether a stack's model answers: `up` and `smoke` send it once, `load` and
`drill` at a rate.

It is the file that the setting `model.request` names; else a sentence, where the model is the
repository's (or one trained like it); else zeros of the type and shape that the model's own
signature asks for.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.tokenizer import load_vocabulary, request
from ops.engine.cli import ROOT
from ops.saved_model import Signature, Tensor, UnreadableModelError, signatures
from settings.entry import EntrySettings
from settings.model import EXPECTED_REQUEST, InvalidRequestError, ModelSettings, read_request

SENTENCE = "房间很干净，服务也很好"
LABELS = ("negative", "positive")
DEFAULT = "serving_default"
MOST_BYTES = 512 << 20
"""No body is built beyond this, whatever the settings allow."""
SAMPLE_INPUTS = {
    name: Tensor("int32", (-1, 128)) for name in ("input_ids", "input_mask", "segment_ids")
}
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_FLOATS = ("half", "bfloat16", "float", "double")
BODIES = {"instances": "predict", "inputs": "predict", "examples": "classify"}
"""Key of a request body: the verb of the URL it goes to. Examples also go to regress, which the
signature tells.
"""


class TrialError(Exception):
    """No request can be made for this stack; the text says why and names the remedy."""


@dataclass(frozen=True)
class Trial:
    """A request body and the verb it is sent to."""

    body: bytes
    verb: str
    """What the URL ends in: predict, classify or regress."""
    what: str
    """What it holds, for people."""
    sample: bool = False
    """Whether it asks the repository's own model, whose answer is known to be a pair of
    probabilities.
    """

    def url(self, predict_url: str) -> str:
        """The URL to send it to. `predict_url` ends in `:predict`."""
        return (
            predict_url.removesuffix(":predict") + f":{self.verb}"
            if predict_url.endswith(":predict")
            else predict_url
        )


def of_stack(stack: str, sentence: str = "", root: Path = ROOT) -> Trial:
    """The request for the model that `Pulumi.<stack>.yaml` below `root` serves. `sentence`: only
    for the repository's model. Raises TrialError.
    """
    model, body_mib = _model(stack, root)
    request_file = model.get("request")
    if request_file and not sentence:
        return from_file(root / request_file, _signatures(root / model["source"]))
    source = root / model["source"]
    by_name = _signatures(source)
    if is_sample(source, by_name):
        return of_sentence(sentence or SENTENCE, source)
    if sentence:
        raise TrialError(
            f"{model['source']} is not a model that takes a sentence: expected no sentence; put its own request into model.request"
        )
    return of_zeros(by_name, model["source"], body_mib << 20)


def of_sentence(sentence: str, source: Path) -> Trial:
    """A sentence as the repository's model takes it, tokenised with the model's own vocabulary."""
    body = json.dumps(
        request([sentence], load_vocabulary(source / "assets" / "vocab.txt"))
    ).encode()
    return Trial(body, "predict", f"“{sentence}”", sample=True)


def is_sample(source: Path, by_name: dict[str, Signature]) -> bool:
    """Whether this is the repository's model or one trained like it: its three inputs, its two
    probabilities, a vocabulary.
    """
    signature = by_name.get(DEFAULT)
    if (
        signature is None
        or signature.inputs != SAMPLE_INPUTS
        or signature.outputs != {"probabilities": Tensor("float", (-1, len(LABELS)))}
    ):
        return False

    try:
        return bool(load_vocabulary(source / "assets" / "vocab.txt"))
    except (OSError, ValueError):
        return False


def from_file(path: Path, known: dict[str, Signature]) -> Trial:
    """The request in a file. Raises TrialError when TensorFlow Serving would not take it."""
    try:
        body = read_request(path)
    except InvalidRequestError as wrong:
        raise TrialError(f"model.request is {path}: {wrong}; expected {EXPECTED_REQUEST}") from None
    key = next(key for key in BODIES if key in body)
    verb = BODIES[key]
    signature = known.get(body.get("signature_name", DEFAULT))
    if key == "examples" and signature and signature.method.endswith("/regress"):
        verb = "regress"
    return Trial(json.dumps(body).encode(), verb, f"the request in {path.name}")


def of_zeros(by_name: dict[str, Signature], source: str, most_bytes: int) -> Trial:
    """Zeros, false and empty strings for the signature that a client calls by default. Raises
    TrialError.
    """
    callable_signatures = {
        name: candidate
        for name, candidate in by_name.items()
        if candidate.inputs and not name.startswith("__")
    }
    if not callable_signatures:
        raise TrialError(
            f"{source} has no signature that takes anything: nothing can be asked of it by request"
        )
    signature = callable_signatures.get(DEFAULT) or callable_signatures[min(callable_signatures)]
    try:
        if sum(_count(tensor) for tensor in signature.inputs.values()) * 2 > min(
            most_bytes, MOST_BYTES
        ):
            raise TrialError(
                f"zeros for signature {signature.name} of {source} are more than entry.bodyMib lets through ({most_bytes >> 20} MiB)"
            )
        inputs = {name: zeros(name, tensor) for name, tensor in signature.inputs.items()}
    except TrialError as reason:
        raise TrialError(
            f"{reason}. Put a request that the model takes into a file and name it: model.request"
        ) from None
    named = {} if signature.name == DEFAULT else {"signature_name": signature.name}
    shown = ", ".join(f"{name} {tensor}" for name, tensor in signature.inputs.items())
    return Trial(
        json.dumps({**named, "inputs": inputs}).encode(),
        "predict",
        f"zeros for signature {signature.name} ({shown})",
    )


def zeros(name: str, tensor: Tensor) -> Any:
    """A JSON value of the tensor's shape; a dimension of any size is 1. Raises TrialError for a
    type that JSON cannot carry.
    """
    if tensor.dtype in _INTEGERS:
        value: Any = 0
    elif tensor.dtype in _FLOATS:
        value = 0.0
    elif tensor.dtype == "bool":
        value = False
    elif tensor.dtype == "string":
        value = ""
    else:
        raise TrialError(f"input {name} is a {tensor.dtype}, which no JSON value stands for")
    for size in reversed(_sizes(tensor)):
        value = [value] * size
    return value


def _sizes(tensor: Tensor) -> list[int]:
    return [1] if tensor.shape is None else [1 if size < 0 else size for size in tensor.shape]


def _count(tensor: Tensor) -> int:
    return math.prod(_sizes(tensor))


def _signatures(source: Path) -> dict[str, Signature]:
    try:
        return signatures(source)
    except UnreadableModelError as error:
        raise TrialError(
            f"model.source: {error}: without it the model's inputs are not known"
        ) from None


def _model(stack: str, root: Path) -> tuple[dict[str, Any], int]:
    """The stack's `model` settings, with the defaults, and `entry.bodyMib`."""
    config = _config(stack, root)
    model = {"source": ModelSettings.model_fields["source"].default, **_group(config, "model")}
    return model, int(
        _group(config, "entry").get("bodyMib") or EntrySettings.model_fields["body_mib"].default
    )


def _group(config: dict[str, Any], name: str) -> dict[str, Any]:
    group = config.get(f"elastic-inference:{name}") or {}
    return json.loads(group) if isinstance(group, str) else group


def _config(stack: str, root: Path) -> dict[str, Any]:
    path = root / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        raise TrialError(
            f"there is no {path.name} here: it is not known which model stack {stack} serves; run this where the stack's file is"
        )
    return (yaml.safe_load(path.read_text()) or {}).get("config") or {}
