"""What is lost for good, or for a while, when a resource is replaced or deleted: the part of a
comment that has to be read before merging.

A replacement under another name that exists before the old resource goes is no loss: a new model's
volume is created, the pods roll to it, then the old volume goes. A warning at every such roll would
teach people to ignore warnings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ops.engine.previews import Step
from ops.preview_comment.changes import shown_inputs
from ops.preview_comment.markdown import code

REMOVALS = ("replace", "delete", "delete-replaced", "create-replacement", "import-replacement")
Inputs = dict[str, Any]


@dataclass(frozen=True)
class Loss:
    """One resource that goes, and what goes with it."""

    step: Step
    what: str
    """Markdown: what is lost."""
    mitigation: str
    """Markdown: what keeps it from being lost, or ""."""


def losses(steps: tuple[Step, ...]) -> list[Loss]:
    """Every stateful resource that is replaced or deleted; those nothing guards first."""
    found = [
        Loss(step, LOST[step.kind](shown_inputs(step.kind, step.old)), _guard(step))
        for step in steps
        if is_loss(step)
    ]
    return sorted(found, key=lambda loss: (bool(loss.mitigation), list(LOST).index(loss.step.kind)))


def interruptions(steps: tuple[Step, ...]) -> list[Loss]:
    """Serving resources that are away for a while, or for good, though they store nothing."""
    removed = [
        step
        for step in steps
        if step.kind in INTERRUPTED and step.op in REMOVALS and not _comes_first(step)
    ]
    until = {"delete": ""}
    sentences = [
        INTERRUPTED[step.kind](shown_inputs(step.kind, step.old))
        + until.get(step.op, " before there is another")
        for step in removed
    ]
    return [Loss(step, what, "") for step, what in zip(removed, sentences, strict=True)]


def is_loss(step: Step) -> bool:
    """Whether the step removes something that cannot simply be created again."""
    return step.op in REMOVALS and step.kind in LOST and not _comes_first(step)


def _comes_first(step: Step) -> bool:
    """Whether the new one is there, under another name, before the old one goes, and the old one
    holds nothing of its own.
    """
    if step.op != "replace" or step.kind == "kubernetes:core/v1:Namespace":
        return False
    if step.kind == "ossmodel:index:Model":
        return True  # uploaded again from the repository; the bucket is a resource of its own
    return step.kind.startswith("kubernetes:") and _place(step.old) != _place(step.new)


def _place(state: Any) -> tuple[Any, Any]:
    metadata = (state.inputs if state else {}).get("metadata")
    return (
        (metadata.get("namespace"), metadata.get("name"))
        if isinstance(metadata, dict)
        else (None, None)
    )


def _guard(step: Step) -> str:
    if step.old and step.old.protect:
        return "It is protected: the deployment will stop there and change nothing of it until somebody unprotects it."
    if step.old and step.old.retained:
        return "It is retained: the deployment forgets it and leaves it in the cloud, where it continues to cost money."
    inputs = step.old.inputs if step.old else {}
    if step.kind == "alicloud:oss/bucket:Bucket" and inputs.get("forceDestroy") is not True:
        return "`forceDestroy` is off: OSS refuses to delete the bucket while anything is in it, and the deployment fails there."
    return ""


def _about(sentence: str, key: str, *otherwise: str) -> Callable[[Inputs], str]:
    def say(inputs: Inputs) -> str:
        metadata = inputs.get("metadata")
        flat = {
            **inputs,
            **({"metadata.name": metadata.get("name")} if isinstance(metadata, dict) else {}),
        }
        names = (flat.get(one) for one in (key, *otherwise))
        return sentence.replace(
            "{}",
            next((code(name, 80) for name in names if isinstance(name, str) and name), "(unnamed)"),
        )

    return say


_META = "metadata.name"
LOST: dict[str, Callable[[Inputs], str]] = {
    "alicloud:oss/bucket:Bucket": _about(
        "**every object in bucket {}**, old versions included", "bucket"
    ),
    "alicloud:cs/managedKubernetes:ManagedKubernetes": _about(
        "**the whole cluster {}** with everything that runs in it", "name"
    ),
    "alicloud:kms/key:Key": _about(
        "**key {}, and with it everything encrypted by it**", "description"
    ),
    "alicloud:log/project:Project": _about(
        "all logs in project {}, and the metric that the autoscaler reads", "projectName", "name"
    ),
    "alicloud:log/store:Store": _about(
        "all logs in store {}, and the metric that the autoscaler reads", "logstoreName", "name"
    ),
    "kubernetes:core/v1:Namespace": _about(
        "**everything in namespace {}**, whoever made it", _META
    ),
    "alicloud:cs/nodePool:NodePool": _about(
        "every node of pool {}: its pods are evicted and wait for other nodes", "nodePoolName"
    ),
    "alicloud:ram/role:Role": _about(
        "role {}: its credentials end, mounts of the model fail until another works", "roleName"
    ),
    "alicloud:ram/policy:Policy": _about(
        "policy {}: whoever relies on it is refused", "policyName"
    ),
    "kubernetes:core/v1:PersistentVolume": _about(
        "volume {}: pods can't start with it any more; what OSS holds stays", _META
    ),
    "kubernetes:core/v1:PersistentVolumeClaim": _about(
        "claim {}: pods can't start with it any more", _META
    ),
    "ossmodel:index:Model": _about(
        "the model below {} with all versions of its objects; the repository still has it", "prefix"
    ),
    "kubernetes:core/v1:Secret": _about("secret {}", _META),
    "alicloud:vpc/network:Network": _about("**network {}** and every address in it", "vpcName"),
    "alicloud:vpc/switch:Switch": _about("vSwitch {} and every address in it", "vswitchName"),
    "alicloud:ecs/eipAddress:EipAddress": _about(
        "public address {}: it is not given back", "addressName"
    ),
}
"""Stateful kinds, worst first."""
INTERRUPTED: dict[str, Callable[[Inputs], str]] = {
    "kubernetes:apps/v1:Deployment": _about("all pods of {} go", _META),
    "kubernetes:apps/v1:StatefulSet": _about("all pods of {} go", _META),
    "kubernetes:core/v1:Service": _about("the address of service {} goes", _META),
    "kubernetes:networking.k8s.io/v1:Ingress": _about("entry {} goes, and requests fail", _META),
    "kubernetes:autoscaling/v2:HorizontalPodAutoscaler": _about("autoscaler {} goes", _META),
}
"""Kinds that serve and store nothing."""
