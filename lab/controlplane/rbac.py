"""Who may do what in the cluster, beyond Kubernetes' own defaults."""

from __future__ import annotations

from typing import Any

from lab.controlplane import log_pipelines

READ = ["get", "list", "watch"]
ALL = [*READ, "create", "update", "patch", "delete"]

Rule = tuple[list[str], list[str], list[str]]  # API groups, resources, verbs

ROLES: dict[str, tuple[str, list[Rule]]] = {
    # role: (user, rules)
    "lab:ingress-controller": (
        "lab:ingress-controller",
        [
            (
                [""],
                ["services", "endpoints", "secrets", "configmaps", "namespaces", "nodes", "pods"],
                READ,
            ),
            (["discovery.k8s.io"], ["endpointslices"], READ),
            (["networking.k8s.io"], ["ingresses", "ingressclasses"], READ),
            (["networking.k8s.io"], ["ingresses/status"], ["update", "patch"]),
            ([""], ["events"], ["create", "patch"]),
        ],
    ),
    "lab:node-agent": (
        "lab:node-agent",
        [
            ([""], ["nodes", "nodes/status", "pods", "pods/status", "events"], ALL),
            ([""], ["pods/eviction", "serviceaccounts/token"], ["create"]),
            (
                [""],
                [
                    "configmaps",
                    "secrets",
                    "services",
                    "endpoints",
                    "serviceaccounts",
                    "namespaces",
                    "persistentvolumes",
                    "persistentvolumeclaims",
                    "replicationcontrollers",
                ],
                READ,
            ),
            (["coordination.k8s.io"], ["leases"], ALL),
            (["events.k8s.io"], ["events"], ALL),
            (["storage.k8s.io"], ["csinodes"], ALL),
            (["storage.k8s.io"], ["csidrivers", "volumeattachments", "storageclasses"], READ),
            (["apps"], ["daemonsets", "replicasets"], READ),
            (["policy"], ["poddisruptionbudgets"], READ),
            (["node.k8s.io"], ["runtimeclasses"], READ),
            (["discovery.k8s.io"], ["endpointslices"], READ),
            (["authentication.k8s.io"], ["tokenreviews"], ["create"]),
            (["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]),
        ],
    ),
    "lab:node-autoscaler": (
        "lab:node-autoscaler",
        [
            ([""], ["pods", "nodes"], READ),
            ([""], ["nodes"], ["patch"]),
            ([""], ["pods/eviction"], ["create"]),
            ([""], ["events"], ["create", "patch"]),
            (["apps"], ["daemonsets"], READ),
            (["policy"], ["poddisruptionbudgets"], READ),
        ],
    ),
    "lab:log-shipper": (
        "lab:log-shipper",
        [
            (["networking.k8s.io"], ["ingresses"], READ),
            ([log_pipelines.GROUP], [log_pipelines.PLURAL], READ),
            ([log_pipelines.GROUP], [f"{log_pipelines.PLURAL}/status"], ["patch"]),
        ],
    ),
    "external-metrics-reader": (
        "system:serviceaccount:kube-system:horizontal-pod-autoscaler",
        [(["external.metrics.k8s.io"], ["*"], ["get", "list"])],
    ),
}


def objects() -> list[tuple[str, dict[str, Any]]]:
    """ClusterRoles and their bindings, each with its path."""
    found = []
    for role, (user, rules) in ROLES.items():
        body = [
            {"apiGroups": groups, "resources": resources, "verbs": verbs}
            for groups, resources, verbs in rules
        ]
        found.append(_object("ClusterRole", role, {"rules": body}))
        binding = {
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": role,
            },
            "subjects": [_subject(user)],
        }
        found.append(_object("ClusterRoleBinding", role, binding))
    return found


def _subject(user: str) -> dict[str, Any]:
    prefix = "system:serviceaccount:"
    if user.startswith(prefix):
        namespace, name = user[len(prefix) :].split(":")
        return {"kind": "ServiceAccount", "namespace": namespace, "name": name}
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}


def _object(kind: str, name: str, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    document = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        **body,
    }
    return f"/apis/rbac.authorization.k8s.io/v1/{kind.lower()}s/{name}", document
