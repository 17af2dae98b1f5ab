"""The interruption handler: replaces the model server's pods on nodes that are about to go, or gone
(what the tutorial lacks).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.component import Component
from components.serving import interruption_config, interruption_pod
from settings import names

CODE = Path(__file__).resolve().parents[2] / "interruption_handler"


@dataclass(frozen=True)
class InterruptionHandlerArgs:
    """Inputs of InterruptionHandler."""

    namespace: Input[str]
    """Namespace of the model server."""
    deployment: str
    """Deployment of the model server."""
    hpa: str
    """HPA of that Deployment."""
    selector: Mapping[str, str]
    """Labels of the model server's pods."""
    pool_labels: Input[Mapping[str, str]]
    """Labels that only the pool's nodes carry."""
    node_labels: Input[Mapping[str, str]]
    """Labels that nodes of this stack's pools share, the pool's predecessors included."""
    enabled: bool = True
    """Whether to run it at all. Known before the run."""
    name: str = "bert-tfserving"
    """Start of the handler's name."""
    image: str = "python:3.12-slim"
    """Image with Python; the code is mounted."""
    image_pull_secret: str | None = None
    """Pull secret."""
    replicas: Input[int] = 2
    """Pods; one of them acts, by a Lease."""
    notice_seconds: Input[int] = 300
    """From notice to release."""
    drain_seconds: Input[int] = 30
    """Before the release, the last pods are deleted."""
    mix: Mapping[str, Any] | None = None
    """Mix: base, percent, points, after_seconds, max_nodes; None: left alone."""
    floors: Mapping[str, Any] | None = None
    """Floors: base, schedules, outage_replicas, outage_seconds; None: the HPA's minimum is left
    alone. Known before the run.
    """


class InterruptionHandler(Component):
    """A Deployment on the system nodes, its identity and its rights.

    Two pods and a Lease rather than one: the node that dies may be the handler's own. It changes
    nothing that outlives it: if it stops, Kubernetes and ACK go on as without it.
    """

    handler_name: pulumi.Output[str]
    """Name of the handler's Deployment; empty without one."""

    def __init__(
        self, name: str, args: InterruptionHandlerArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:serving:InterruptionHandler", name, opts)
        self._physical_name = f"{args.name}-interruption-handler"
        self._labels = {"app": "interruption-handler", "release": args.name}
        self.handler_name = self._handler(args) if args.enabled else pulumi.Output.from_input("")
        self.finish({"handler_name": self.handler_name})

    def _handler(self, args: InterruptionHandlerArgs) -> pulumi.Output[str]:
        account = self._account(args)
        self._node_rights(args, account)
        self._namespace_rights(args, account)
        self._network_policy(args)
        return self._deployment(args, account, self._code(args)).metadata.name

    def _account(self, args: InterruptionHandlerArgs) -> pulumi.Output[str]:
        account = kubernetes.core.v1.ServiceAccount(
            self.child_name("account"),
            metadata={"namespace": args.namespace, "labels": self._labels},
            automount_service_account_token=False,
            opts=self.child(),
        )
        return account.metadata.name

    def _node_rights(self, args: InterruptionHandlerArgs, account: Input[str]) -> None:
        """Nodes belong to no namespace. get: is it really gone; list, watch: notices; patch: close
        and reopen.
        """
        role = kubernetes.rbac.v1.ClusterRole(
            self.child_name("nodes"),
            metadata={"labels": self._labels},
            rules=[
                {
                    "api_groups": [""],
                    "resources": ["nodes"],
                    "verbs": ["get", "list", "watch", "patch"],
                }
            ],
            opts=self.child(),
        )
        kubernetes.rbac.v1.ClusterRoleBinding(
            self.child_name("nodes-binding"),
            metadata={"labels": self._labels},
            role_ref={
                "api_group": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": role.metadata.name,
            },
            subjects=[{"kind": "ServiceAccount", "name": account, "namespace": args.namespace}],
            opts=self.child(),
        )

    def _namespace_rights(self, args: InterruptionHandlerArgs, account: Input[str]) -> None:
        role = kubernetes.rbac.v1.Role(
            self.child_name("pods"),
            metadata={"namespace": args.namespace, "labels": self._labels},
            rules=interruption_config.rules(args, self._physical_name),
            opts=self.child(),
        )
        kubernetes.rbac.v1.RoleBinding(
            self.child_name("pods-binding"),
            metadata={"namespace": args.namespace, "labels": self._labels},
            role_ref={
                "api_group": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": role.metadata.name,
            },
            subjects=[{"kind": "ServiceAccount", "name": account, "namespace": args.namespace}],
            opts=self.child(),
        )

    def _code(self, args: InterruptionHandlerArgs) -> pulumi.Output[str]:
        """Named after its content: changed code or settings are a new object, and the pods roll to
        it.
        """
        code = {path.name: path.read_text() for path in sorted(CODE.glob("*.py"))}
        data = pulumi.Output.all(**interruption_config.settings(args, self._physical_name)).apply(
            lambda known: {**code, "settings.json": json.dumps(known, sort_keys=True, indent=1)}
        )
        config = kubernetes.core.v1.ConfigMap(
            self.child_name("code"),
            metadata={
                "name": data.apply(
                    lambda known: f"{self._physical_name[:50]}-{names.digest(known)}"
                ),
                "namespace": args.namespace,
                "labels": self._labels,
            },
            data=data,
            immutable=True,
            opts=self.child(),
        )
        return config.metadata.name

    def _deployment(
        self, args: InterruptionHandlerArgs, account: Input[str], code: Input[str]
    ) -> kubernetes.apps.v1.Deployment:
        return kubernetes.apps.v1.Deployment(
            self.child_name("deployment"),
            metadata={
                "name": self._physical_name,
                "namespace": args.namespace,
                "labels": self._labels,
                # It needs no GPU node: what keeps it from starting is an image that can't be
                # pulled, and is told soon.
                "annotations": {"pulumi.com/timeoutSeconds": "180"},
            },
            spec={
                "replicas": args.replicas,
                "selector": {"match_labels": self._labels},
                "revision_history_limit": 3,
                "template": {
                    "metadata": {"labels": self._labels},
                    "spec": interruption_pod.pod(args, account, code, self._labels),
                },
            },
            opts=self.child(),
        )

    def _network_policy(self, args: InterruptionHandlerArgs) -> None:
        """Nobody calls it but the kubelet; it calls nobody but the API server."""
        kubernetes.networking.v1.NetworkPolicy(
            self.child_name("network"),
            metadata={"namespace": args.namespace, "labels": self._labels},
            spec={
                "pod_selector": {"match_labels": self._labels},
                "policy_types": ["Ingress", "Egress"],
                "ingress": [],
                "egress": [{"ports": [{"port": port, "protocol": "TCP"} for port in (443, 6443)]}],
            },
            opts=self.child(),
        )
