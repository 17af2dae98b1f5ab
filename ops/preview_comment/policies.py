"""What the policies say of the preview: ours (`python -m ops.policy_check --json`) and the CLI's
own policy host's, in one list.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ops.engine.previews import Preview, PreviewFormatError
from ops.engine.urns import name_of
from ops.preview_comment.markdown import code
from ops.preview_comment.redact import scrub

MOST = 25


@dataclass(frozen=True)
class Violation:
    """One rule broken by one resource."""

    policy: str
    mandatory: bool
    resource: str
    message: str
    waiver: str = ""
    """Why it is let through, or ""."""


@dataclass(frozen=True)
class Results:
    """What was checked and what was found."""

    violations: tuple[Violation, ...]
    policies: int = 0
    resources: int = 0
    ran: bool = False

    @property
    def blocking(self) -> list[Violation]:
        """Violations of mandatory policies that nobody waived."""
        return [one for one in self.violations if one.mandatory and not one.waiver]


def gather(preview: Preview, text: str = "") -> Results:
    """Both sources together. Raises PreviewFormatError when the text isn't what
    `python -m ops.policy_check --json` writes.
    """
    reported = [_from_event(one) for one in preview.violations]
    if not text.strip():
        return Results(tuple(reported), ran=bool(reported))
    try:
        data = json.loads(text)
        own = [_from_ours(one) for one in data["violations"]]
        counts = (int(data["policies"]), int(data["resources"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PreviewFormatError(
            f"the policy results can't be read ({error}): expected what `python -m ops.policy_check --json FILE` writes"
        ) from None
    return Results((*own, *reported), *counts, ran=True)


def _from_ours(raw: dict[str, Any]) -> Violation:
    return Violation(
        str(raw["policy"]),
        raw["level"] != "advisory",
        str(raw.get("resource", "")),
        str(raw["message"]),
        str(raw.get("waiver") or ""),
    )


def _from_event(raw: dict[str, Any]) -> Violation:
    urn = str(raw.get("resourceUrn") or "")
    mandatory = raw.get("enforcementLevel") != "advisory"
    return Violation(
        str(raw.get("policyName", "")),
        mandatory,
        name_of(urn),
        str(raw.get("message", "")),
    )


def section(results: Results) -> str:
    """The policy section in Markdown; "" when no policy ran."""
    if not results.ran:
        return ""
    advisory = [one for one in results.violations if not one.mandatory and not one.waiver]
    waived = [one for one in results.violations if one.waiver]
    tally = f"{len(results.blocking)} broken, {len(advisory)} advice, {len(waived)} waived"
    scope = f" of {results.policies} over {results.resources} resources" if results.policies else ""
    shown = [*results.blocking, *advisory, *waived]
    rows = [_row(one) for one in shown[:MOST]]
    if len(shown) > MOST:
        rows.append(f"- … and {len(shown) - MOST} more")
    mark = "❌" if results.blocking else "✅"
    return "\n".join([f"**Policies.** {mark} {tally}{scope}.", *([""] if rows else []), *rows])


def _row(one: Violation) -> str:
    mark = "🟡" if one.waiver else "❌" if one.mandatory else "💡"
    said = code(scrub(one.message), 400)
    waiver = f" Waived: {code(scrub(one.waiver))}." if one.waiver else ""
    return f"- {mark} {code(one.policy, 60)} {code(one.resource, 80)}: {said}{waiver}"
