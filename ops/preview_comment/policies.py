"""What the policies say of the preview: ours (`python -m ops.policy_check --json`) and the CLI's
own policy host's, in one list.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ops.engine.previews import Preview, PreviewFormatError
from ops.engine.urns import name_of
from ops.policy_check import deployment_of, judge
from ops.preview_comment.markdown import code
from policy import waivers
from policy.rule import MANDATORY
from policy.rules import ALL

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
        return [
            violation
            for violation in self.violations
            if violation.mandatory and not violation.waiver
        ]


def judged(preview: Preview, stack: str) -> Results:
    """The policies of the tree that this code is part of, run over the preview here: what another
    run says of its own preview counts for nothing. Raises PreviewFormatError, StacksError or
    WaiverError.
    """
    known = waivers.load(policies=(rule.name for rule in ALL))
    deployment = deployment_of(preview, stack)
    violations = tuple(
        Violation(
            violation.rule.name,
            violation.rule.level == MANDATORY,
            violation.resource.name,
            violation.message,
            violation.waiver,
        )
        for violation in judge(deployment, known)
    )
    return Results(violations, len(ALL), len(deployment.resources), ran=True)


def gather(preview: Preview, text: str = "") -> Results:
    """Both sources together. Raises PreviewFormatError when the text isn't what
    `python -m ops.policy_check --json` writes.
    """
    reported = [_from_event(violation) for violation in preview.violations]
    if not text.strip():
        return Results(tuple(reported), ran=bool(reported))
    try:
        data = json.loads(text)
        ours = [_from_ours(violation) for violation in data["violations"]]
        counts = (int(data["policies"]), int(data["resources"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PreviewFormatError(
            f"the policy results can't be read ({error}): expected what `python -m ops.policy_check --json FILE` writes"
        ) from None
    return Results((*ours, *reported), *counts, ran=True)


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
    advisory = [
        violation
        for violation in results.violations
        if not violation.mandatory and not violation.waiver
    ]
    waived = [violation for violation in results.violations if violation.waiver]
    tally = f"{len(results.blocking)} broken, {len(advisory)} advice, {len(waived)} waived"
    scope = f" of {results.policies} over {results.resources} resources" if results.policies else ""
    shown = [*results.blocking, *advisory, *waived]
    rows = [_row(violation) for violation in shown[:MOST]]
    if len(shown) > MOST:
        rows.append(f"- … and {len(shown) - MOST} more")
    mark = "❌" if results.blocking else "✅"
    return "\n".join([f"**Policies.** {mark} {tally}{scope}.", *([""] if rows else []), *rows])


def _row(violation: Violation) -> str:
    mark = "🟡" if violation.waiver else "❌" if violation.mandatory else "💡"
    text = code(violation.message, 400)
    waiver = f" Waived: {code(violation.waiver)}." if violation.waiver else ""
    return f"- {mark} {code(violation.policy, 60)} {code(violation.resource, 80)}: {text}{waiver}"
