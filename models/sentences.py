"""Draws labelled training sentences from our own word lists in `corpus/` (no third party's
text).
"""

from __future__ import annotations

import random
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
BUT = ("但是", "但", "可是", "不过", "就是", "然而", "只是")
VERY = ("", "很", "非常", "太", "真", "特别", "相当", "挺", "比较", "十分", "超级", "实在")
END = ("。", "！", "，", "", "~", "！！", "。。", "...")
NOT = ("不", "不太", "不怎么", "一点都不", "并不", "不够")


def lines(name: str) -> list[str]:
    """The non-empty lines of a list in `corpus/`."""
    return [
        line for line in (CORPUS / f"{name}.txt").read_text(encoding="utf-8").splitlines() if line
    ]


class Sentences:
    """A seeded source of (text, label); label 1 is positive."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.clauses = {1: lines("positive"), 0: lines("negative")}
        self.neutral = lines("neutral")
        self.aspects = " ".join(lines("aspects")).split()
        rated = {line[0]: line[1:].split() for line in lines("adjectives")}
        self.adjectives = {1: rated["+"], 0: rated["-"]}

    def clause(self, label: int) -> str:
        """One short judgement with that label."""
        pick = self.draw.choice
        kind = self.draw.random()
        if kind < 0.55:
            return pick(("", "", "", *self.aspects)) + pick(self.clauses[label])
        if kind < 0.85:
            return (
                pick(self.aspects)
                + pick(VERY)
                + pick(self.adjectives[label])
                + pick(("", "", "了", "的", "啊"))
            )
        if label == 0:
            return pick(self.aspects) + pick(NOT) + pick(self.adjectives[1])
        return (
            pick(self.aspects)
            + pick(("一点都不", "一点也不", "完全不", "并不"))
            + pick(self.adjectives[0])
        )

    def sentence(self) -> tuple[str, int]:
        """A review of one to four clauses; after a "but" the last clause decides."""
        label, pick = self.draw.randint(0, 1), self.draw.choice
        parts = [self.clause(label) for _ in range(self.draw.choices((1, 2, 3), (4, 4, 2))[0])]
        kind = self.draw.random()
        if kind < 0.2:
            parts.insert(0, pick(self.neutral))
        elif kind < 0.35:
            parts = [pick(("虽然", "")) + self.clause(1 - label), pick(BUT) + parts[0], *parts[1:]]
        text = pick(("，", "，", "。", "！", " ")).join(parts) + pick(END)
        return self.noise(text), label

    def noise(self, text: str) -> str:
        """Now and then loses or repeats a character, so that single characters are not trusted."""
        if self.draw.random() < 0.3 and len(text) > 6:
            place = self.draw.randrange(len(text))
            return text[:place] + text[place + 1 :]
        return text

    def batch(self, size: int) -> list[tuple[str, int]]:
        """`size` sentences."""
        return [self.sentence() for _ in range(size)]


def evaluation() -> list[tuple[str, int]]:
    """Hand-written reviews outside every template: (text, label)."""
    rows = (Path(__file__).parent / "evaluation.tsv").read_text(encoding="utf-8").splitlines()
    return [(text, int(label)) for label, text in (row.split("\t") for row in rows if row)]


def characters() -> list[str]:
    """Every character the training lists can produce, most useful first, plus what reviews often
    hold.
    """
    everything = "".join(path.read_text(encoding="utf-8") for path in sorted(CORPUS.glob("*.txt")))
    everything += (
        "".join((*BUT, *VERY, *END, *NOT))
        + "虽然一点也完全并的了啊，。！？、；：…~.,!?0123456789abcdefghijklmnopqrstuvwxyz"
    )
    return sorted(
        {character for character in everything.lower() if not character.isspace()} - {"+", "-"}
    )
