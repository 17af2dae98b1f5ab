"""Which changed fields replace an object instead of updating it.

Names and namespaces always; beyond them the fields that the API server holds immutable, per kind, as the published plugin
has them. A rule is a path of keys, "*" standing for every position of a list; it also covers everything below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lab.kubernetes_plugin import objects

Rule = tuple[str, ...]
PathStep = str | int


def _rules(prefix: str, names: str) -> list[Rule]:
    return [tuple(f"{prefix}.{name}".split(".")) for name in names.split()]


_VOLUME_SOURCES = (
    "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs hostPath iscsi local nfs "
    "photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume"
)
_POD = (
    "affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork hostPID hostname "
    "imagePullSecrets nodeName nodeSelector overhead preemptionPolicy priority priorityClassName readinessGates restartPolicy "
    "runtimeClassName schedulerName securityContext serviceAccount serviceAccountName shareProcessNamespace subdomain "
    "terminationGracePeriodSeconds volumes"
)
_CONTAINER = (
    "args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources securityContext stdin stdinOnce "
    "terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir"
)
_SELECTOR = _rules("spec", "selector")
_ROLE = [("roleRef",)]
_JOB = _rules("spec", "completions parallelism selector template")

RULES: dict[tuple[str, str], list[Rule]] = {
    ("v1", "PersistentVolume"): _rules("spec", _VOLUME_SOURCES),
    ("v1", "PersistentVolumeClaim"): _rules("spec", "accessModes selector storageClassName volumeName"),
    ("v1", "Pod"): _rules("spec", _POD) + _rules("spec.containers.*", _CONTAINER) + _rules("spec.initContainers.*", _CONTAINER),
    ("v1", "ResourceQuota"): _rules("spec", "scopes"),
    ("v1", "Secret"): [("type",)],
    ("v1", "Service"): _rules("spec", "clusterIP"),
    ("apps/v1", "DaemonSet"): _SELECTOR,
    ("apps/v1", "Deployment"): _SELECTOR,
    ("apps/v1", "StatefulSet"): _rules("spec", "podManagementPolicy revisionHistoryLimit selector serviceName volumeClaimTemplates"),
    ("batch/v1", "Job"): _JOB,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): _ROLE,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): _ROLE,
    ("storage.k8s.io/v1", "StorageClass"): [("parameters",), ("provisioner",)],
}
IDENTITY: list[Rule] = [("metadata", "name"), ("metadata", "namespace")]


def rules_for(obj: objects.Object, *, config_map_mutable: bool = False, secret_mutable: bool = False) -> list[Rule]:
    """The rules that hold for an object; the contents of ConfigMaps and Secrets replace them unless they are declared mutable."""
    key = (objects.api_version(obj), objects.kind(obj))
    immutable = obj.get("immutable") is True
    if key == ("v1", "Secret") and (immutable or not secret_mutable):
        return IDENTITY + [("type",), ("stringData",), ("data",)]
    if key == ("v1", "ConfigMap") and (immutable or not config_map_mutable):
        return IDENTITY + [("binaryData",), ("data",)]
    return IDENTITY + RULES.get(key, [])


def forces(path: Sequence[PathStep], value: Any, rules: Iterable[Rule]) -> bool:
    """Whether a change to `value` at `path` meets one of the rules (at, above or below the path)."""
    return any(_meets(path, value, rule) for rule in rules)


def _meets(path: Sequence[PathStep], value: Any, rule: Rule) -> bool:
    for position, token in enumerate(rule):
        if position >= len(path):
            return _holds(value, rule[position:])
        step = path[position]
        if isinstance(step, int) != (token == "*") or (isinstance(step, str) and step != token):
            return False
    return True


def _holds(value: Any, rest: Rule) -> bool:
    if not rest:
        return True
    if rest[0] == "*":
        return isinstance(value, list) and any(_holds(item, rest[1:]) for item in value)
    return isinstance(value, dict) and rest[0] in value and _holds(value[rest[0]], rest[1:])
