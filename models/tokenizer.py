"""Turns Chinese text into one instance of the served model (character level, BERT's three inputs).

Run as a command it prints a ready request body: `python -m models.tokenizer 房间很干净`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

LENGTH = 128
"""Tokens in one instance; longer text is cut, shorter text is padded."""

MODEL = Path(__file__).parent / "chnsenticorp" / "1623831335"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def load_vocabulary(path: Path | str = MODEL / "assets" / "vocab.txt") -> dict[str, int]:
    """Token -> id, from a file with one token per line (line number = id)."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    if tuple(lines[: len(SPECIAL)]) != SPECIAL:
        raise ValueError(
            f"{path}: not a vocabulary of this model (must begin with {' '.join(SPECIAL)})"
        )
    return {token: number for number, token in enumerate(lines)}


def tokens(text: str) -> list[str]:
    """The characters that count: white space dropped, letters in lower case."""
    return [character.lower() for character in text if not character.isspace()]


def instance(text: str, vocabulary: dict[str, int] | None = None) -> dict[str, list[int]]:
    """One row for `{"instances": [...]}`: input_ids, input_mask, segment_ids, 128 integers each."""
    known = vocabulary if vocabulary is not None else load_vocabulary()
    unknown = known["[UNK]"]
    body = [known.get(token, unknown) for token in tokens(text)[: LENGTH - 2]]
    ids = [known["[CLS]"], *body, known["[SEP]"]]
    padding = [0] * (LENGTH - len(ids))
    return {
        "input_ids": ids + padding,
        "input_mask": [1] * len(ids) + padding,
        "segment_ids": [0] * LENGTH,
    }


def request(
    texts: Iterable[str], vocabulary: dict[str, int] | None = None
) -> dict[str, list[dict[str, list[int]]]]:
    """A whole predict body for several texts."""
    known = vocabulary if vocabulary is not None else load_vocabulary()
    return {"instances": [instance(text, known) for text in texts]}


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(
            "usage: python -m models.tokenizer TEXT [TEXT ...]   (prints the body of a predict request)"
        )
    print(json.dumps(request(sys.argv[1:])))
