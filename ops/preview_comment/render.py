"""The comment: verdict, what would be lost, counts, cost, policies, and then the differences as far
as there is room.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from ops.engine.previews import Preview, Step
from ops.preview_comment import changes, cost, policies
from ops.preview_comment.losses import Loss, interruptions, is_loss, losses
from ops.preview_comment.markdown import code, details, fenced, html_code
from ops.preview_comment.redact import scrub

LIMIT = 65_000
"""Bytes. GitHub takes 65,536 characters; bytes are never fewer."""
RESERVE = 400
"""Bytes kept for the sentence about what has no room, and the foot."""
MOST_LOSSES = 20
MOST_ERROR_LINES = 60
MOST_ERROR_BYTES = 16_000
VERBS = {
    "create": ("+", "create"), "import": ("⇥", "import"), "update": ("~", "update"), "replace": ("±", "replace"),
    "delete": ("−", "delete"), "read": ("?", "read"), "refresh": ("↻", "refresh"),
}  # fmt: skip
ORDER = ("delete", "replace", "import", "update", "create", "read", "refresh")
STACK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True)
class Origin:
    """Whose code made the preview, as GitHub tells it."""

    head: str
    """OWNER:BRANCH of the pull request."""
    sha: str
    """Its commit."""


@dataclass(frozen=True)
class CommentInput:
    """What the comment is made from, beside the preview."""

    stack: str
    preview: Preview
    results: policies.Results = field(default_factory=lambda: policies.Results(()))
    failed: str | None = None
    """What the CLI printed when it failed; None when it didn't."""
    note: str = ""
    """How the preview was made; any text."""
    region: str = ""
    base: str | None = None
    """Of an offline preview, the commit that it is compared with; "" when with nothing."""
    origin: Origin | None = None
    """Set where this code is not the one that made the preview."""


def marker(stack: str) -> str:
    """The hidden first line by which the stack's comment is found again. Raises ValueError on a
    name no stack can have.
    """
    if not STACK_NAME.fullmatch(stack) or "--" in stack:
        raise ValueError(
            f"stack {stack!r}: expected up to 100 letters, digits, dots, hyphens (not two in a row) and underscores"
        )
    return f"<!-- pulumi-preview:{stack} -->"


def render(given: CommentInput) -> str:
    """The whole comment in Markdown, at most `LIMIT` bytes of UTF-8."""
    gone = losses(given.preview.steps)
    away = interruptions(given.preview.steps)
    parts = {
        "the counts": _counts(given.preview),
        "what is lost": _box("CAUTION", "Lost when this is deployed:", gone),
        "the policies": policies.section(given.results),
        "the errors": _failure(given) if given.failed is not None else "",
        "what is interrupted": _box("WARNING", "Interrupted while this is deployed:", away),
        "the cost": cost.section(given.preview, given.region),
        "the warnings": _messages(given.preview),
    }
    shown = ("the errors", "what is lost", "what is interrupted", "the counts", "the cost", "the policies", "the warnings")  # fmt: skip
    first = "\n\n".join(
        filter(None, [marker(given.stack), _verdict(given, gone), _origin(given.origin)])
    )
    foot = _foot(given)
    room = LIMIT - RESERVE - len(foot.encode()) - len(first.encode())
    for title, part in parts.items():  # what decides a merge gets room first
        size = len(part.encode()) + 2
        if size > room:
            parts[title] = f"**There is no room here for {title}.**"
        room -= len(parts[title].encode()) + 2
    text = "\n\n".join([first, *filter(None, (parts[title] for title in shown))])
    return _fill(text, _sections(given.preview.steps), foot) + foot + "\n"


def _origin(origin: Origin | None) -> str:
    if origin is None:
        return ""
    return (
        f"> Made by the code of {code(origin.head, 120)} at {code(origin.sha[:12])}, whoever wrote it: differences, losses and costs are "
        "what that code prints. The policies are the default branch's own, run here over what it printed; they run again, over what is "
        "really deployed, before a deployment."
    )


def _foot(given: CommentInput) -> str:
    said = [code(given.note, 400)] if given.note else []
    if given.base is not None:
        against = f"against {code(given.base)}" if given.base else "against nothing: all is new"
        said.append(
            f"Previewed offline {against}. No cloud was asked: what was changed there by hand is not seen."
        )
    return f"\n\n<sub>{' '.join(said)}</sub>" if said else ""


def _fill(text: str, sections: list[tuple[Step, str]], foot: str) -> str:
    """As many sections as there is room for; what is left out is counted."""
    room = LIMIT - RESERVE - len(foot.encode()) - len(text.encode())
    left: Counter[str] = Counter()
    for step, section in sections:
        size = len(section.encode()) + 2
        if size <= room and not left:
            text, room = f"{text}\n\n{section}", room - size
        else:
            left[VERBS[step.op][1]] += 1
    if not left:
        return text
    listed = ", ".join(f"{number} to {verb}" for verb, number in left.items())
    return f"{text}\n\n**{sum(left.values())} more changes have no room here** ({listed}). All of them: `pulumi preview --diff`."


def _verdict(given: CommentInput, gone: list[Loss]) -> str:
    name = code(given.stack)
    if given.failed is not None:
        return f"## ❌ {name}: the preview failed"
    counts = _counted(given.preview)
    if gone:
        what = Counter("replaced" if loss.step.op != "delete" else "deleted" for loss in gone)
        said = " and ".join(
            f"{number} stateful {_plural('resource', number)} {verb}"
            for verb, number in what.items()
        )
        return f"## 🛑 {name}: {said}"
    blocking = len({one.policy for one in given.results.blocking})
    broken = (
        f", and {blocking} {'policy says' if blocking == 1 else 'policies say'} no"
        if blocking
        else ""
    )
    if counts.get("replace") or counts.get("delete"):
        parts = [
            f"{counts[op]} {word}"
            for op, word in (("replace", "replaced"), ("delete", "deleted"))
            if counts.get(op)
        ]
        return f"## ⚠️ {name}: {' and '.join(parts)}, nothing stateful among them{broken}"
    if not any(counts.get(op) for op in VERBS):
        return f"## {'❌' if broken else '✅'} {name}: nothing changes{broken}"
    parts = [
        f"{counts[op]} to {VERBS[op][1]}"
        for op in ("create", "import", "update", "read", "refresh")
        if counts.get(op)
    ]
    return f"## {'❌' if broken else '🟢'} {name}: {', '.join(parts)}, nothing is lost{broken}"


def _box(kind: str, title: str, gone: list[Loss]) -> str:
    if not gone:
        return ""
    rows = [_loss(loss) for loss in gone[:MOST_LOSSES]]
    if len(gone) > MOST_LOSSES:
        kinds = Counter(_short(loss.step.kind) for loss in gone[MOST_LOSSES:])
        listed = ", ".join(f"{number} × {code(kind)}" for kind, number in kinds.most_common(8))
        rows.append(f"> - … and {len(gone) - MOST_LOSSES} more: {listed}")
    return "\n".join([f"> [!{kind}]", f"> **{title}**", *rows])


def _loss(loss: Loss) -> str:
    verb = "deleted" if loss.step.op == "delete" else "replaced"
    because = ", ".join(code(name, 60) for name in _reasons(loss.step)[:6])
    why = f" Because of {because}." if because and verb == "replaced" else ""
    guard = f" {loss.mitigation}" if loss.mitigation else ""
    return f"> - {code(loss.step.name, 80)} ({code(_short(loss.step.kind), 60)}) is {verb}: {loss.what}.{why}{guard}"


def _reasons(step: Step) -> list[str]:
    forced = [
        path
        for path, kind in step.detailed.items()
        if str(kind.get("kind", "")).endswith("-replace")
    ]
    return sorted({*step.replaced_by, *forced})


def _counted(preview: Preview) -> Counter[str]:
    found: Counter[str] = Counter()
    for op, number in preview.counts.items():
        found[op if op in VERBS or op == "same" else "other"] += number
    return found


def _counts(preview: Preview) -> str:
    counts = _counted(preview)
    parts = [
        f"**{sign} {counts[op]} to {verb}**" for op, (sign, verb) in VERBS.items() if counts[op]
    ]
    same = counts["same"]
    return (
        " · ".join([*parts, *([f"{same} unchanged"] if same or not parts else [])])
        if preview.counts or preview.steps
        else ""
    )


def _failure(given: CommentInput) -> str:
    """The errors, without colours and secrets: those the CLI attributes to something, else the end
    of what it printed.
    """
    errors = [message.text for message in given.preview.messages if message.severity == "error"]
    text = "\n".join(errors) or given.failed or "the CLI said nothing"
    lines = [entry[:400] for entry in scrub(text).strip().splitlines()]
    cut = lines[-MOST_ERROR_LINES:]
    while len("\n".join(cut).encode()) > MOST_ERROR_BYTES:
        del cut[0]
    cut = cut if len(cut) == len(lines) else ["…", *cut]
    return (
        fenced("\n".join(cut))
        + "\n\nWhat is shown below is as far as the preview came: nothing follows from what is missing."
    )


def _messages(preview: Preview) -> str:
    """Warnings, each once."""
    said = list(
        dict.fromkeys(
            message.text.removeprefix("warning: ")
            for message in preview.messages
            if message.severity == "warning"
        )
    )
    rows = [f"- ⚠ {code(text, 400)}" for text in said[:10]]
    return "\n".join(
        [*rows, *([f"- … and {len(said) - 10} more warnings"] if len(said) > 10 else [])]
    )


def _sections(steps: tuple[Step, ...]) -> list[tuple[Step, str]]:
    """One folded section a changed resource, the ones to look at first first."""
    known = [step for step in steps if step.op in ORDER]
    ranked = sorted(
        known, key=lambda step: (not is_loss(step), ORDER.index(step.op), step.kind, step.name)
    )
    return [(step, _section(step)) for step in ranked]


def _section(step: Step) -> str:
    sign, verb = VERBS[step.op]
    title = (
        f"<b>{sign} {verb}</b> {html_code(step.name, 80)} <i>{html_code(_short(step.kind), 60)}</i>"
    )
    found = changes.lines(step)
    paths = [entry for entry in found if entry[:1] in "~+-"]
    number = (
        f" · {len(paths)} {_plural('line', len(paths))}"
        if step.op in ("update", "replace") and paths
        else ""
    )
    return details(
        title + number,
        fenced("\n".join(found), "diff") if found else "No property is known to differ.",
    )


def _short(kind: str) -> str:
    """oss/bucket:Bucket of alicloud:oss/bucket:Bucket."""
    return kind.removeprefix("alicloud:").removeprefix("kubernetes:") or "?"


def _plural(word: str, number: int) -> str:
    return word if number == 1 else f"{word}s"
