"""Two small models that classify Chinese text, and requests to them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

NAME, VERSION = "chnsenticorp", 1623831335
MODEL = Path(__file__).parent / "data" / "models" / NAME / str(VERSION)
SWAPPED = Path(__file__).parent / "data" / "models" / "swapped" / str(VERSION)
"""The same signature; it gives the two probabilities the other way round."""
LENGTH = 128
"""Tokens in one instance."""
GOOD, BAD = "房间很干净，服务很好", "服务太差了，非常失望"
_TOKENS = {
    GOOD: [2, 326, 688, 296, 274, 132, 731, 393, 151, 296, 233, 3],
    BAD: [2, 393, 151, 229, 263, 73, 731, 702, 272, 230, 394, 3],
    "很好": [2, 296, 233, 3],
}
"""Ids of the texts that tests use, by the vocabulary in the models' assets."""


def instance(text: str) -> dict[str, list[int]]:
    """One row for `{"instances": [...]}`: input_ids, input_mask, segment_ids, 128 integers each."""
    ids = _TOKENS[text]
    padding = [0] * (LENGTH - len(ids))
    return {
        "input_ids": ids + padding,
        "input_mask": [1] * len(ids) + padding,
        "segment_ids": [0] * LENGTH,
    }


def request(texts: Iterable[str]) -> dict[str, list[dict[str, list[int]]]]:
    """The body of a predict request for several texts."""
    return {"instances": [instance(text) for text in texts]}
