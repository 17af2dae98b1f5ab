"""What the interruption handler's account may write, as a ValidatingAdmissionPolicy.

RBAC grants verbs on whole objects: who may patch a node may change its labels and taints as well,
and a ClusterRole can't name the nodes of one stack. The policy compares each object before and
after a write of this account, field by field, and refuses what `interruption_handler/actions.py`
and `lease.py` never write. It concerns this account only. If one of its expressions fails, the
write is refused.

Language and fields: Kubernetes, "Validating Admission Policy" (v1 since 1.30) and "Common
Expression Language in Kubernetes".
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pulumi_kubernetes as kubernetes

from settings import names

Expression = str
"""Text in the Common Expression Language."""

CORDONED = "elastic-inference/cordoned"
DETACHED_HASH = "elastic-inference/template-hash"
DETACHED_BY = "elastic-inference/detached-by"
POD_ANNOTATIONS = (
    DETACHED_HASH,
    DETACHED_BY,
    "controller.kubernetes.io/pod-deletion-cost",
)
TEMPLATE_HASH = "pod-template-hash"
POD_LABELS = (TEMPLATE_HASH, "elastic-inference/detached")
ROLE_LABEL, HEADROOM = "elastic-inference/role", "headroom"
OTHER_WORKLOADS = (HEADROOM, "herald")
"""Deployments `<server.name>-…` of the stack whose pods are never evicted."""
REPORTER = "elastic-inference/interruption-handler"
"""`reportingController` of the handler's Events."""
OF_THE_SERVER = ("managedFields", "resourceVersion", "generation")
"""Metadata that the API server writes at each change."""


@dataclass(frozen=True)
class Limits:
    """What the handler's writes are limited to."""

    account: str
    """The account's name as the API server knows it: system:serviceaccount:<namespace>:<name>."""
    handler: str
    """Name of the handler and its Lease."""
    namespace: str
    """Namespace of the stack's pods and of the Lease."""
    server: str
    """`server.name`: the names of the stack's pods begin with it, and their label `release`."""
    node_labels: Mapping[str, str]
    """Labels that the stack's nodes carry, and no others."""
    hpa: str | None
    """Name of the HPA whose minReplicas the handler moves; None: it moves none."""


def policy(
    limits: Limits,
) -> kubernetes.admissionregistration.v1.ValidatingAdmissionPolicySpecArgsDict:
    """The policy's spec."""
    everything: kubernetes.admissionregistration.v1.NamedRuleWithOperationsArgsDict = {
        "api_groups": ["*"],
        "api_versions": ["*"],
        "operations": ["*"],
        "resources": ["*/*"],
    }
    return {
        "failure_policy": "Fail",
        "match_constraints": {"resource_rules": [everything]},
        "match_conditions": [
            {
                "name": "the-handlers-account",
                "expression": "has(request.userInfo.username) && "
                f"request.userInfo.username == {_text(limits.account)}",
            }
        ],
        "variables": [
            {"name": name, "expression": expression} for name, expression in _variables(limits)
        ],
        "validations": [
            {"expression": expression, "message": message, "reason": "Forbidden"}
            for expression, message in _validations(limits)
        ],
    }


def _variables(limits: Limits) -> Iterator[tuple[str, Expression]]:
    """Evaluated where they are used: a creation has no old object, a deletion no new one."""
    yield (
        "act",
        'request.operation + " " + request.resource.group + "/" + request.resource.resource'
        ' + (has(request.subResource) && request.subResource != "" ? "/" + request.subResource : "")',
    )
    yield "place", 'has(request.namespace) ? request.namespace : ""'
    for name, which in (("before", "oldObject"), ("after", "object")):
        for what in ("labels", "annotations"):
            yield f"{what}_{name}", f"{which}.metadata.?{what}.orValue({{}})"
    # Of every version: while a new one rolls out, the handler moves pods of both.
    labels, app = "variables.labels_before", names.serving_labels(limits.server, "")
    carried = [
        f"{_carries(labels, {'app': app['app']})} && "
        f'"release" in {labels} && {labels}["release"].startsWith({_text(app["release"])})',
        _carries(labels, {ROLE_LABEL: HEADROOM}),
        f"{_text(DETACHED_BY)} in variables.annotations_before",
    ]
    yield "stacks_pod", f"{_here(limits)} && ({' || '.join(f'({one})' for one in carried)})"


def _validations(limits: Limits) -> Iterator[tuple[Expression, str]]:
    """Expression and the message of a refusal."""
    acts = [*ACTS, *(["UPDATE autoscaling/horizontalpodautoscalers"] if limits.hpa else [])]
    yield (
        f"variables.act in {json.dumps(acts)}",
        f"the interruption handler writes nothing but: {', '.join(acts)}",
    )
    yield from _of_nodes(limits)
    yield from _of_pods(limits)
    for act in ("CREATE", "UPDATE"):
        yield (
            _when(
                f"{act} coordination.k8s.io/leases",
                f"{_here(limits)} && object.metadata.name == {_text(limits.handler)}",
            ),
            f"the interruption handler writes its own Lease only: {limits.namespace}/{limits.handler}",
        )
    for act, objects in (("CREATE", ("object",)), ("UPDATE", ("object", "oldObject"))):
        own = (f"{one}.?reportingController.orValue('') == {_text(REPORTER)}" for one in objects)
        yield (
            _when(
                f"{act} events.k8s.io/events",
                f'variables.place in [{_text(limits.namespace)}, "default"] && {" && ".join(own)}',
            ),
            f"the interruption handler writes Events as {REPORTER} only, on nodes (namespace default) and on objects of its stack's namespace",
        )
    if limits.hpa:
        yield (
            _when(
                "UPDATE autoscaling/horizontalpodautoscalers",
                f"{_here(limits)} && object.metadata.name == {_text(limits.hpa)} && "
                + _only("object", "oldObject", ("metadata", "spec", "status"))
                + f" && {_only('object.spec', 'oldObject.spec', ('minReplicas',))}"
                + f" && {_only('object.metadata', 'oldObject.metadata', OF_THE_SERVER)}",
            ),
            f"of the HPA {limits.hpa} the interruption handler changes minReplicas only",
        )


ACTS = (
    "UPDATE /nodes",
    "UPDATE /pods",
    "DELETE /pods",
    "CREATE /pods/eviction",
    "CREATE coordination.k8s.io/leases",
    "UPDATE coordination.k8s.io/leases",
    "CREATE events.k8s.io/events",
    "UPDATE events.k8s.io/events",
)
"""Operation, group and resource of everything the handler writes."""


def _of_nodes(limits: Limits) -> Iterator[tuple[Expression, str]]:
    act = "UPDATE /nodes"
    mark = _text(CORDONED)
    yield (
        _when(act, _carries("variables.labels_before", limits.node_labels)),
        f"the interruption handler changes nodes of its stack's pools only: {_said(limits.node_labels)}",
    )
    yield (
        _when(
            act,
            f"{_only('object', 'oldObject', ('metadata', 'spec'))} && "
            f"{_only('object.spec', 'oldObject.spec', ('unschedulable',))}",
        ),
        "of a node's spec the interruption handler changes unschedulable only",
    )
    yield (
        _when(
            act,
            _only("object.metadata", "oldObject.metadata", ("annotations", *OF_THE_SERVER))
            + f" && {_only('variables.annotations_after', 'variables.annotations_before', (CORDONED,))}",
        ),
        f"of a node's metadata the interruption handler changes the annotation {CORDONED} only",
    )
    cordoned = "{}.spec.?unschedulable.orValue(false)"
    before, after = cordoned.format("oldObject"), cordoned.format("object")
    yield (
        _when(
            act,
            f"{before} == {after} || "
            f"({after} ? {mark} in variables.annotations_after : {mark} in variables.annotations_before)",
        ),
        f"the interruption handler says on a node that it cordons it ({CORDONED}), and uncordons no other node",
    )


def _of_pods(limits: Limits) -> Iterator[tuple[Expression, str]]:
    act = "UPDATE /pods"
    for one in (act, "DELETE /pods"):
        yield (
            _when(one, "variables.stacks_pod"),
            "the interruption handler changes and deletes pods of its own stack only: "
            f"{limits.server} in {limits.namespace}",
        )
    yield (
        _when(
            act,
            f"{_only('object', 'oldObject', ('metadata',))} && "
            + _only(
                "object.metadata", "oldObject.metadata", ("labels", "annotations", *OF_THE_SERVER)
            ),
        ),
        "of a pod the interruption handler changes labels and annotations only",
    )
    yield (
        _when(
            act,
            f"{_only('variables.labels_after', 'variables.labels_before', POD_LABELS)} && "
            + _only("variables.annotations_after", "variables.annotations_before", POD_ANNOTATIONS),
        ),
        "of a pod's labels and annotations the interruption handler changes its own only: "
        f"{', '.join((*POD_LABELS, *POD_ANNOTATIONS))}",
    )
    # A pod comes back to the ReplicaSet that it was taken from, and to no other.
    label, note = _text(TEMPLATE_HASH), _text(DETACHED_HASH)
    known = f"[variables.labels_before[?{label}], variables.annotations_before[?{note}]]"
    yield (
        _when(
            act,
            f"[variables.labels_after[?{label}], variables.annotations_after[?{note}]]"
            f".all(hash, !hash.hasValue() || hash in {known})",
        ),
        f"the interruption handler gives a pod no {TEMPLATE_HASH} but the one that it had",
    )
    own = f"request.name.startsWith({_text(limits.server[:50] + '-')})"
    others = (
        f"request.name.startsWith({_text(f'{limits.server}-{one}-')})" for one in OTHER_WORKLOADS
    )
    yield (
        _when(
            "CREATE /pods/eviction",
            f"{_here(limits)} && {own} && {' && '.join(f'!{one}' for one in others)}",
        ),
        "the interruption handler evicts pods of the model server only",
    )


def _here(limits: Limits) -> Expression:
    return f"variables.place == {_text(limits.namespace)}"


def _when(act: str, holds: Expression) -> Expression:
    return f"variables.act != {_text(act)} || ({holds})"


def _carries(labels: Expression, wanted: Mapping[str, str]) -> Expression:
    return " && ".join(
        f"{_text(key)} in {labels} && {labels}[{_text(key)}] == {_text(value)}"
        for key, value in wanted.items()
    )


def _only(after: Expression, before: Expression, keys: Iterable[str]) -> Expression:
    """Whether two maps differ in no key but `keys`."""
    free = json.dumps([*keys])
    return (
        f"{after}.all(key, key in {free} || (key in {before} && {after}[key] == {before}[key]))"
        f" && {before}.all(key, key in {free} || key in {after})"
    )


def _said(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items())


def _text(value: str) -> Expression:
    """A text as CEL writes it; JSON's escapes are CEL's."""
    return json.dumps(value)


def nodes_of(node_labels: Mapping[str, str], pool_labels: Mapping[str, str]) -> dict[str, str]:
    """Label by which the policy knows the stack's nodes: the stack's, which those of all its pools
    carry. The nodes of an adopted pool don't, and other pools may have the same labels beside:
    there it is the pool's own.
    """
    stack = node_labels.get(names.STACK_LABEL)
    return {names.STACK_LABEL: stack} if stack else dict(pool_labels)
