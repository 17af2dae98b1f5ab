"""The whole graph of each stack as one text, for a reviewer to see what a change moves.

`python -m tests.unit.golden_trees` rewrites tests/unit/golden/*.yaml from the program.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from tests.unit.monitor import UNKNOWN, Recording, Registered
from tests.unit.program import KUBECONFIG, OFFLINE, USERS, run

DIRECTORY = Path(__file__).parent / "golden"
HANDLER_CODE = re.compile(r"\S+-interruption-handler-[0-9a-f]{8}")
"""Name of the ConfigMap with the handler's code: it changes with each change of the code, which is
reviewed as such.
"""
CODE = "(code of the interruption handler)"
STACKS = ("local", "dev", "staging", "prod")


def offline_preview(stack: str) -> Recording:
    """A preview that asks nothing: every lookup is answered by the configuration."""
    changes: dict[str, Any] = {"lookups": OFFLINE, "kubeconfig": KUBECONFIG}
    if stack == "prod":
        changes["htpasswd"] = USERS
    return run(stack, changes, preview=True, secret=("kubeconfig", "htpasswd"))


def tree(stack: str) -> str:
    """The stack's resources in the order of their URNs: options, inputs, outputs."""
    recording = offline_preview(stack)
    resources = {
        _short(resource.urn): _described(resource)
        for resource in sorted(recording.resources, key=lambda one: one.urn)
    }
    text = {"resources": resources, "outputs": recording.outputs, "warnings": recording.warnings}
    return yaml.safe_dump(_readable(text), sort_keys=True, width=140, allow_unicode=True)


def _described(resource: Registered) -> dict[str, Any]:
    options = {
        "protect": resource.protect,
        "retainOnDelete": resource.retain_on_delete,
        "deleteBeforeReplace": resource.delete_before_replace,
        "ignoreChanges": list(resource.ignore_changes),
        "replaceOnChanges": list(resource.replace_on_changes),
        "timeouts": resource.timeouts,
        "provider": resource.provider.split("::")[3] if resource.provider else "",
    }
    inputs = {
        key: "(secret)" if key in resource.secret_inputs else value
        for key, value in resource.inputs.items()
    }
    return {key: value for key, value in {**options, "inputs": inputs}.items() if value}


def _short(urn: str) -> str:
    return "::".join(urn.split("::")[2:]).removeprefix("pulumi:pulumi:Stack$")


def _is_code(value: Any) -> bool:
    return isinstance(value, str) and value.startswith('"""')


def _readable(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            "*.py" if _is_code(inner) else key: CODE if _is_code(inner) else _readable(inner)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_readable(inner) for inner in value]
    if isinstance(value, str) and value.startswith("{\n"):
        return _readable(json.loads(value))
    if isinstance(value, str) and HANDLER_CODE.fullmatch(value):
        return value[:-8] + "(digest)"
    return "(unknown)" if value == UNKNOWN else value


if __name__ == "__main__":
    for name in STACKS:
        (DIRECTORY / f"{name}.yaml").write_text(tree(name))
        print(f"wrote tests/unit/golden/{name}.yaml")
