"""What ingress-nginx's admission webhook refuses, as policies of the API server itself: no process
answers for it.

Its rules, of
https://kubernetes.github.io/ingress-nginx/how-it-works/#avoiding-outage-from-wrong-configuration
and, since 1.12, of
https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations-risk/: values
that its parser refuses, snippets (allow-snippet-annotations is false), annotations above risk High,
and paths that strict-validate-path-type does not allow. A second policy warns of what the lab does
not enforce. The words of a refusal are the webhook's, what stands before them is the API server's.
"""

from __future__ import annotations

import json
from typing import Any

from lab.controlplane.ingress_annotations import IGNORED, PREFIX, Annotation, table

Object = tuple[str, dict[str, Any]]
REFUSES, WARNS = "ingress-nginx-webhook", "ingress-not-enforced"
_API = "admissionregistration.k8s.io/v1"
_CLASS = (
    'has(object.spec.ingressClassName) ? object.spec.ingressClassName == "nginx" : has(object.metadata.annotations) && '
    '"kubernetes.io/ingress.class" in object.metadata.annotations && object.metadata.annotations["kubernetes.io/ingress.class"] == "nginx"'
)
_ANNOTATIONS = {
    "name": "annotations",
    "expression": "has(object.metadata.annotations) ? object.metadata.annotations : {}",
}
_PATHS = (
    'object.spec.rules.all(rule, !has(rule.http) || rule.http.paths.all(entry, !has(entry.path) || entry.path == "" || '
    'entry.pathType == "ImplementationSpecific" || entry.path.matches("(?i)^/[[:alnum:]._/-]*$")))'
)


def objects() -> list[Object]:
    """Both policies and their bindings, each with its path."""
    refuses = {
        "failurePolicy": "Fail",
        "matchConstraints": _constraints(),
        "matchConditions": [{"name": "class", "expression": _CLASS}],
        "variables": [_ANNOTATIONS],
        "validations": [
            {
                "expression": 'variables.annotations.all(key, !key.endsWith("-snippet"))',
                "messageExpression": 'variables.annotations.filter(key, key.endsWith("-snippet"))[0] + " annotation cannot be used. '
                'Snippet directives are disabled by the Ingress administrator"',
            },
            {
                "expression": f"!has(object.spec.rules) || {_PATHS}",
                "message": "ingress contains invalid paths for their pathType",
            },
            *(_value(row) for row in table().values() if row.refused and not row.critical),
        ],
    }
    names = json.dumps(
        [f"{PREFIX}{row.name}" for row in table().values() if row.lab == IGNORED and not row.when]
    )
    found = f"variables.annotations.filter(key, key in {names})"
    warns = {
        "failurePolicy": "Ignore",
        "matchConstraints": _constraints(),
        "matchConditions": [{"name": "class", "expression": _CLASS}],
        "variables": [_ANNOTATIONS, {"name": "found", "expression": found}],
        "validations": [
            {
                "expression": "variables.found.size() == 0",
                "messageExpression": '"the lab does not enforce " + variables.found.join(", ") + ": see lab/docs/ingress.md"',
            }
        ],
    }
    return [*_pair(REFUSES, refuses, "Deny"), *_pair(WARNS, warns, "Warn")]


def _value(row: Annotation) -> dict[str, str]:
    """A value that ingress-nginx's parser refuses; an empty one is not looked at."""
    name = json.dumps(f"{PREFIX}{row.name}")
    value = f"variables.annotations[{name}]"
    return {
        "expression": f'!({name} in variables.annotations) || {value} == "" || ({_takes(row, value)})',
        "message": f"annotation {PREFIX}{row.name} contains invalid value",
    }


def _takes(row: Annotation, value: str) -> str:
    if row.valid == "cidrs":
        return f'{value}.split(",").all(part, isCIDR(part.trim()) || isIP(part.trim()))'
    if (
        row.valid == "common-name"
    ):  # a pattern that is none is an error of the policy, and that refuses too
        return f'{value}.startsWith("CN=") && type("".matches({value}.substring(3))) == bool'
    found = row.pattern()
    assert found is not None, f"{row.name}: {row.valid} can't be said by a pattern"
    pattern, without_blanks = found
    text = f'{value}.replace(" ", "")' if without_blanks else value
    return f'{text}.matches({json.dumps(pattern)}) && !{value}.contains("\\n") && !{value}.contains("\\r")'


def _constraints() -> dict[str, Any]:
    rule = {
        "apiGroups": ["networking.k8s.io"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["ingresses"],
    }
    return {"resourceRules": [rule]}


def _pair(name: str, spec: dict[str, Any], action: str) -> list[Object]:
    policy = {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }
    bound = {"policyName": name, "validationActions": [action]}
    binding = {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": bound,
    }
    path = f"/apis/{_API}/validatingadmissionpolic"
    return [(f"{path}ies/{name}", policy), (f"{path}ybindings/{name}", binding)]
