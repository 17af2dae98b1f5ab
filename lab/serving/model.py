"""One loaded version: what its signatures say, checks as the server makes them, computation by
TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.serving.errors import StatusError, invalid
from lab.serving.tensorflow import DEFAULT, Library, SavedModel, Tensor, open_library

PREDICT, CLASSIFY, REGRESS = (
    f"tensorflow/serving/{method}" for method in ("predict", "classify", "regress")
)
METHODS = (PREDICT, CLASSIFY, REGRESS)


@dataclass(frozen=True)
class Loader:
    """Loads version directories with TensorFlow of one version. Call it in any thread."""

    version: str
    tags: tuple[str, ...] = ("serve",)
    intra_threads: int = 1
    """Threads for one operation. One by default: a lab has many servers on few cores."""
    inter_threads: int = 1
    """Threads for operations side by side, over all requests."""
    check_method: bool = False
    """Whether a signature may be used for its own method only
    (--enable_signature_method_name_check).
    """

    def open(self) -> Library:
        """The library; it takes a moment the first time."""
        return open_library(self.version)

    def __call__(self, folder: Path) -> Model:
        """The model; StatusError, with paths as the container has them, if TensorFlow refuses
        it.
        """
        try:
            return Model(
                self.open().load(folder, self.tags, self.intra_threads, self.inter_threads),
                self.check_method,
            )
        except StatusError as error:
            raise StatusError(error.code, in_container(error.message)) from None


class Model:
    """A version ready to answer. Every method may be called from several threads at once."""

    def __init__(self, saved: SavedModel, check_method: bool = False) -> None:
        self.saved, self.check_method = saved, check_method

    @property
    def signatures(self) -> dict[str, Any]:
        """The model's SignatureDefs by their names."""
        return self.saved.signatures

    def signature(self, name: str) -> Any | None:
        """The signature of that name ("" is serving_default)."""
        return self.signatures.get(name or DEFAULT)

    def predict(
        self,
        name: str,
        inputs: Mapping[str, Tensor],
        wanted: Sequence[str] = (),
        timeout_ms: int = 0,
    ) -> dict[str, Tensor]:
        """Outputs by alias: all of the signature, or the `wanted` ones. StatusError in the server's
        or in TensorFlow's words.
        """
        signature = self.signature(name)
        if signature is None:
            raise StatusError(
                "FAILED_PRECONDITION", f'Serving signature key "{name or DEFAULT}" not found.'
            )
        if self.check_method and signature.method_name not in METHODS:
            expected = ", ".join(METHODS)
            raise StatusError(
                "INTERNAL",
                f"Expected prediction signature method_name to be one of {{{expected}}}. Was: {signature.method_name}",
            )
        _check_inputs(signature, inputs)
        aliases: list[str] = []
        for alias in wanted:
            if alias not in signature.outputs:
                raise invalid(f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                              f"{{{','.join(sorted(signature.outputs))}}}.")  # fmt: skip
            if alias in aliases:
                raise invalid(f"duplicate output tensor alias: {alias}")
            aliases.append(alias)
        aliases = aliases or sorted(signature.outputs)
        feeds = {signature.inputs[alias].name: tensor for alias, tensor in inputs.items()}
        outputs = self.saved.run(
            feeds, [signature.outputs[alias].name for alias in aliases], timeout_ms
        )
        return dict(zip(aliases, outputs, strict=True))


def _check_inputs(signature: Any, inputs: Mapping[str, Tensor]) -> None:
    """As many inputs as the signature has, and those. Types and shapes are TensorFlow's to
    check.
    """
    required, sent = sorted(signature.inputs), sorted(inputs)
    extra, missing = sorted(set(sent) - set(required)), sorted(set(required) - set(sent))
    if len(required) != len(sent):
        raise invalid(
            f"input size does not match signature: {len(sent)}!={len(required)} "
            f"len({{{','.join(sent)}}}) != len({{{','.join(required)}}}). "
            f"Sent extra: {{{','.join(extra)}}}. Missing but required: {{{','.join(missing)}}}."
        )
    if extra:
        raise invalid(
            f"input tensor alias not found in signature: {extra[0]}. Inputs expected to be in the set {{{','.join(required)}}}."
        )


def container_path(path: str) -> Path:
    """A path of the container as a path of this machine: below LAB_ROOTFS when that is set."""
    root = os.environ.get("LAB_ROOTFS")
    return Path(root) / path.lstrip("/") if root else Path(path)


def in_container(text: str) -> str:
    """A text in which paths of this machine are those that the container has."""
    root = os.environ.get("LAB_ROOTFS", "").rstrip("/")
    return text.replace(f"{root}/", "/") if root else text
