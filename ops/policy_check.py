"""`python -m ops.policy_check PREVIEW.json --stack prod`: checks every rule against every resource
of a preview. Exit status 1 when a mandatory rule is violated.
"""

from __future__ import annotations

import argparse
import datetime
import json
import pathlib
import sys
from dataclasses import dataclass
from typing import Any

from ops.engine.previews import Preview, PreviewFormatError, parse
from policy.resources import Deployment, Resource
from policy.rule import MANDATORY, Rule
from policy.rules import ALL
from policy.stacks import StacksError, named
from policy.stacks import load as load_stacks
from policy.waivers import FILE, Waiver, WaiverError, load


@dataclass(frozen=True)
class Violation:
    """A rule that a resource violates, with the reason of the waiver that lets it through, if
    any.
    """

    rule: Rule
    resource: Resource
    message: str
    waiver: str = ""

    @property
    def blocking(self) -> bool:
        """Whether the violation keeps the stack from being deployed."""
        return self.rule.level == MANDATORY and not self.waiver

    def as_dict(self) -> dict[str, Any]:
        """The violation as a JSON object."""
        resource = {"resource": self.resource.name, "urn": self.resource.urn}
        return {
            "policy": self.rule.name,
            "level": self.rule.level,
            **resource,
            "message": self.message,
            "waiver": self.waiver,
        }


def judge(
    deployment: Deployment, waivers: tuple[Waiver, ...] = (), today: datetime.date | None = None
) -> list[Violation]:
    """All violations, blocking ones first."""
    today = today or datetime.date.today()
    violations = []
    for rule in ALL:
        for resource, message in rule.check(deployment):
            covering = (
                violation.reason
                for violation in waivers
                if violation.covers(rule.name, deployment.stack.name, resource, today)
            )
            violations.append(Violation(rule, resource, message, next(covering, "")))
    return sorted(
        violations, key=lambda violation: (not violation.blocking, bool(violation.waiver))
    )


def deployment_of(preview: Preview, stack: str) -> Deployment:
    """The resources after the deployment. Raises PreviewFormatError when the document leaves out
    those that stay as they are or is of another stack, StacksError when the stacks' settings cannot
    be read.
    """
    steps = [
        step
        for step in preview.steps
        if step.new is not None and not step.op.startswith(("delete", "discard"))
    ]
    shown = sum(1 for step in preview.steps if step.op == "same")
    if preview.counts.get("same", 0) > shown:
        hidden = preview.counts["same"] - shown
        raise PreviewFormatError(
            f"the preview leaves out {hidden} unchanged resources: nothing would be checked of them; make it with "
            "`pulumi preview --json --show-sames`"
        )
    strangers = {step.urn for step in steps if step.urn.split(":")[2:3] != [stack]}
    if strangers:
        raise PreviewFormatError(
            f"the preview is of another stack: {len(strangers)} resources are not of {stack}, the first {min(strangers)[:200]}"
        )
    latest = {step.urn: step.new for step in steps if step.new is not None}
    return Deployment(
        named(stack, load_stacks()),
        tuple(Resource(urn, state.inputs, state.protect) for urn, state in latest.items()),
    )


def main(arguments: list[str]) -> int:
    """Checks a preview and prints the violations; returns 1 when one blocks or an input cannot be
    read.
    """
    parser = argparse.ArgumentParser(prog="python -m ops.policy_check", description=__doc__)
    parser.add_argument(
        "preview",
        type=pathlib.Path,
        metavar="PREVIEW.json",
        help="what `pulumi preview --json --show-sames` printed",
    )
    parser.add_argument("--stack", required=True)
    parser.add_argument(
        "--json",
        type=pathlib.Path,
        metavar="FILE",
        help="the results, for the pull-request comment",
    )
    parser.add_argument("--waivers", type=pathlib.Path, default=FILE, metavar="FILE")
    options = parser.parse_args(arguments)
    try:
        waivers = load(options.waivers, (rule.name for rule in ALL))
        deployment = deployment_of(parse(options.preview.read_text()), options.stack)
    except (WaiverError, StacksError, PreviewFormatError, OSError) as error:
        print("\n".join(f"error: {line}" for line in str(error).splitlines()), file=sys.stderr)
        return 1
    violations = judge(deployment, waivers)
    if options.json:
        counts = {
            "stack": options.stack,
            "policies": len(ALL),
            "resources": len(deployment.resources),
        }
        options.json.write_text(
            json.dumps(
                {**counts, "violations": [violation.as_dict() for violation in violations]},
                indent=2,
            )
            + "\n"
        )
    print(report(deployment, violations))
    return 1 if any(violation.blocking for violation in violations) else 0


def report(deployment: Deployment, violations: list[Violation]) -> str:
    """One line for each violation, and the tally."""
    word = {True: "broken", False: "advice"}
    lines = [f"{'waived' if violation.waiver else word[violation.rule.level == MANDATORY]:<7} {violation.rule.name:<24} {violation.resource.name}: {violation.message}"
             + (f"\n{'':<8}waived: {violation.waiver}" if violation.waiver else "") for violation in violations]  # fmt: skip
    blocking = sum(violation.blocking for violation in violations)
    tally = f"{deployment.stack.name}: {len(ALL)} policies over {len(deployment.resources)} resources: {blocking} broken"
    return "\n".join([*lines, f"{tally}, {len(violations) - blocking} waived or advice"])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
