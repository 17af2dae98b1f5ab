"""The interruption handler: replaces the serving pods of nodes that are reclaimed (not in the
tutorial). The program itself is interruption_handler/.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi import Input

from components.component import Component
from components.rrsa import AUDIENCE
from components.serving import handler_policy, restricted
from components.serving.notice_access import TOKEN_DIRECTORY, NoticeAccess, NoticeAccessArgs
from settings import names
from settings.autoscaler import AutoscalerSettings
from settings.interruption import InterruptionSettings
from settings.mix import MixSettings
from settings.node_pool import NodePoolSettings
from settings.server import ServerSettings

CODE = Path(__file__).resolve().parents[2] / "interruption_handler"
DIRECTORY = "/opt/interruption-handler"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
SPOT_STRATEGY_LABEL = "node.alibabacloud.com/spot-strategy"
PORT = 8081


@dataclass(frozen=True)
class InterruptionHandlerArgs:
    """Inputs of InterruptionHandler."""

    settings: InterruptionSettings
    """Group `interruption`."""
    mix: MixSettings
    """Group `mix`: how the pay-as-you-go share is restored."""
    node_pool: NodePoolSettings
    """Group `nodePool`: the pay-as-you-go share and the maximum number of nodes."""
    autoscaler: AutoscalerSettings
    """Group `autoscaler`: minimums of the HPA by schedule and while the metric is missing."""
    server: ServerSettings
    """Group `server`: names and labels of the model server."""
    hpa: str
    """Name of the HPA."""
    namespace: Input[str]
    """Namespace of the model server."""
    own_namespace: str
    """Namespace of the handler itself."""
    after: pulumi.Resource
    """Component after which the handler's namespace is made (see `serving_namespace`)."""
    pool_labels: Mapping[str, str]
    """Labels that only the pool's nodes have."""
    node_labels: Mapping[str, str]
    """Labels that the nodes of all pools of this stack share, the pool's predecessors included."""
    ecs: NoticeAccessArgs
    """How ECS is asked for notices, with `interruption.noticeSource` ecs."""


class InterruptionHandler(Component):
    """A Deployment on the system nodes, in a namespace of its own, with its service account and its
    permissions, which an admission policy narrows (`handler_policy`).

    It has two pods and a Lease rather than one pod, because the node that fails may be the
    handler's own. It changes nothing that outlives it: if it is removed, it undoes what it has
    changed; if it stops, Kubernetes and ACK continue as without it.

    Its Lease is in the model server's namespace, beside the pods that it decides on: a handler of
    an earlier version, which ran there, and its successor exclude each other.
    """

    handler_name: pulumi.Output[str]
    """Name of the handler's Deployment; "" if there is none."""

    def __init__(
        self, name: str, args: InterruptionHandlerArgs, opts: pulumi.ResourceOptions | None = None
    ):
        super().__init__("inference:serving:InterruptionHandler", name, opts)
        self._physical_name = f"{args.server.name}-interruption-handler"
        self._labels = names.handler_labels(args.server.name)
        self.handler_name = (
            self._handler(args) if args.settings.enabled else pulumi.Output.from_input("")
        )
        self.register_outputs({"handler_name": self.handler_name})

    def _handler(self, args: InterruptionHandlerArgs) -> pulumi.Output[str]:
        namespace = self._namespace(args)
        account = self._account(namespace)
        limits: list[pulumi.Resource] = [
            self._node_permissions(account, namespace),
            *self._namespace_permissions(args, account, namespace),
            self._admission_policy(args, account, namespace),
            self._budget(namespace),
        ]
        self._network_policies(args, namespace)
        code = self._code(args, namespace)
        environment = self._ecs_environment(args, account, namespace)
        deployment = self._deployment(args, namespace, account, code, environment, limits)
        return deployment.metadata.name

    def _namespace(self, args: InterruptionHandlerArgs) -> pulumi.Output[str]:
        """Whoever may read Secrets or run pods beside the model server does not get the handler's
        token with it.
        """
        namespace = kubernetes.core.v1.Namespace(
            self.child_name("namespace"),
            metadata={
                "name": args.own_namespace,
                "labels": {**self._labels, "pod-security.kubernetes.io/enforce": "restricted"},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.after]),
        )
        return namespace.metadata.name

    def _account(self, namespace: Input[str]) -> pulumi.Output[str]:
        account = kubernetes.core.v1.ServiceAccount(
            self.child_name("account"),
            metadata={"namespace": namespace, "labels": self._labels},
            automount_service_account_token=False,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return account.metadata.name

    def _ecs_environment(
        self, args: InterruptionHandlerArgs, account: Input[str], namespace: Input[str]
    ) -> list[kubernetes.core.v1.EnvVarArgsDict]:
        """What the handler needs to take its RAM role, under the names that Alibaba Cloud's SDKs
        read; empty where it does not ask ECS.
        """
        if args.settings.notice_source != "ecs":
            return []
        subject = pulumi.Output.format("system:serviceaccount:{0}:{1}", namespace, account)
        access = NoticeAccess(
            self.child_name("ecs"), args.ecs, subject, pulumi.ResourceOptions(parent=self)
        )
        return [
            {"name": "ALIBABA_CLOUD_ROLE_ARN", "value": access.role_arn},
            {"name": "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "value": args.ecs.oidc_provider_arn},
            {"name": "ALIBABA_CLOUD_OIDC_TOKEN_FILE", "value": f"{TOKEN_DIRECTORY}/token"},
        ]

    def _node_permissions(
        self, account: Input[str], namespace: Input[str]
    ) -> kubernetes.rbac.v1.ClusterRoleBinding:
        """Nodes belong to no namespace. get: whether a node still exists; list, watch: reclaim
        notices; patch: cordon and uncordon, which the admission policy holds to the stack's nodes.
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
            opts=pulumi.ResourceOptions(parent=self),
        )
        return kubernetes.rbac.v1.ClusterRoleBinding(
            self.child_name("nodes-binding"),
            metadata={"labels": self._labels},
            role_ref={
                "api_group": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": role.metadata.name,
            },
            subjects=[{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
            opts=self._binding_options(),
        )

    def _namespace_permissions(
        self, args: InterruptionHandlerArgs, account: Input[str], namespace: Input[str]
    ) -> Iterator[pulumi.Resource]:
        """In the model server's namespace what it does there; in its own a look at itself; Events
        about nodes.
        """
        own: list[kubernetes.rbac.v1.PolicyRuleArgsDict] = [
            # At its end: whether its own Deployment is gone, or only this pod.
            {
                "api_groups": ["apps"],
                "resources": ["deployments"],
                "resource_names": [self._physical_name],
                "verbs": ["get"],
            }
        ]
        for suffix, where, rules in (
            ("pods", args.namespace, _permissions(args, self._physical_name)),
            ("own", namespace, own),
            # Events about nodes, which belong to no namespace: the API server takes them in
            # `default` (or kube-system) only.
            ("node-events", "default", [_WRITE_EVENTS]),
        ):
            role = kubernetes.rbac.v1.Role(
                self.child_name(suffix),
                metadata={"namespace": where, "labels": self._labels},
                rules=rules,
                opts=pulumi.ResourceOptions(parent=self),
            )
            yield kubernetes.rbac.v1.RoleBinding(
                self.child_name(f"{suffix}-binding"),
                metadata={"namespace": where, "labels": self._labels},
                role_ref={
                    "api_group": "rbac.authorization.k8s.io",
                    "kind": "Role",
                    "name": role.metadata.name,
                },
                subjects=[{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
                opts=self._binding_options(),
            )

    def _binding_options(self) -> pulumi.ResourceOptions:
        """Another account gets a binding of its own: while a new Deployment starts, the one that it
        replaces acts on, and must not lose its rights before it is deleted.
        """
        return pulumi.ResourceOptions(parent=self, replace_on_changes=["subjects"])

    def _admission_policy(
        self, args: InterruptionHandlerArgs, account: Input[str], namespace: Input[str]
    ) -> kubernetes.admissionregistration.v1.ValidatingAdmissionPolicyBinding:
        spec = pulumi.Output.all(args.namespace, namespace, account).apply(
            lambda known: handler_policy.policy(
                handler_policy.Limits(
                    account=f"system:serviceaccount:{known[1]}:{known[2]}",
                    handler=self._physical_name,
                    namespace=known[0],
                    server=args.server.name,
                    node_labels=handler_policy.nodes_of(args.node_labels, args.pool_labels),
                    hpa=args.hpa if args.autoscaler.minimum_moves else None,
                )
            )
        )
        limits = kubernetes.admissionregistration.v1.ValidatingAdmissionPolicy(
            self.child_name("limits"),
            metadata={"labels": self._labels},
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return kubernetes.admissionregistration.v1.ValidatingAdmissionPolicyBinding(
            self.child_name("limits-binding"),
            metadata={"labels": self._labels},
            spec={"policy_name": limits.metadata.name, "validation_actions": ["Deny"]},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _budget(self, namespace: Input[str]) -> kubernetes.policy.v1.PodDisruptionBudget:
        """Nodes are drained one after the other; a single pod may go, too, or no node could."""
        return kubernetes.policy.v1.PodDisruptionBudget(
            self.child_name("budget"),
            metadata={"namespace": namespace, "labels": self._labels},
            spec={"max_unavailable": 1, "selector": {"match_labels": self._labels}},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _code(self, args: InterruptionHandlerArgs, own_namespace: Input[str]) -> pulumi.Output[str]:
        """Named after its content: changed code or settings are a new object, and the pods roll to
        it.
        """
        code = {path.name: path.read_text() for path in sorted(CODE.glob("*.py"))}
        data = pulumi.Output.from_input(args.namespace).apply(
            lambda namespace: {
                **code,
                "settings.json": json.dumps(
                    _handler_config(args, self._physical_name, namespace), sort_keys=True, indent=1
                ),
            }
        )
        config = kubernetes.core.v1.ConfigMap(
            self.child_name("code"),
            metadata={
                "name": data.apply(
                    lambda known: f"{self._physical_name[:50]}-{names.digest(known)}"
                ),
                "namespace": own_namespace,
                "labels": self._labels,
            },
            data=data,
            immutable=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return config.metadata.name

    def _deployment(
        self,
        args: InterruptionHandlerArgs,
        namespace: Input[str],
        account: Input[str],
        code: Input[str],
        environment: list[kubernetes.core.v1.EnvVarArgsDict],
        limits: list[pulumi.Resource],
    ) -> kubernetes.apps.v1.Deployment:
        """It is deleted before its rights are: with them it undoes what it has changed. It starts
        after the policy that limits them.
        """
        return kubernetes.apps.v1.Deployment(
            self.child_name("deployment"),
            metadata={
                "name": self._physical_name,
                "namespace": namespace,
                "labels": self._labels,
                # It needs no GPU node: only an image that can't be pulled keeps it from starting,
                # and the run reports that soon.
                "annotations": {"pulumi.com/timeoutSeconds": "180"},
            },
            spec={
                "replicas": args.settings.replicas,
                "selector": {"match_labels": self._labels},
                "revision_history_limit": 3,
                "template": {
                    "metadata": _pod_metadata(args.settings, self._labels),
                    "spec": _pod(args, account, code, environment, self._labels),
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=limits),
        )

    def _network_policies(self, args: InterruptionHandlerArgs, namespace: Input[str]) -> None:
        """Only the kubelet and Prometheus call the handler, and the handler calls only the API
        server and, for what the pods serve, the model server's pods.
        """
        ingress: list[kubernetes.networking.v1.NetworkPolicyIngressRuleArgsDict] = []
        if args.settings.metrics_namespace:
            scraper = {"kubernetes.io/metadata.name": args.settings.metrics_namespace}
            ingress.append(
                {
                    "from_": [{"namespace_selector": {"match_labels": scraper}}],
                    "ports": [{"port": PORT, "protocol": "TCP"}],
                }
            )
        egress: list[kubernetes.networking.v1.NetworkPolicyEgressRuleArgsDict] = [
            {"ports": [{"port": port, "protocol": "TCP"} for port in (443, 6443)]}
        ]
        if args.autoscaler.outage_replicas is not None:
            selector = names.serving_labels(args.server.name, args.server.version)
            ports: list[kubernetes.networking.v1.NetworkPolicyPortArgsDict] = [
                {"port": names.REST_PORT, "protocol": "TCP"}
            ]
            egress.append({"to": [_pods(args.namespace, selector)], "ports": ports})
            kubernetes.networking.v1.NetworkPolicy(
                self.child_name("serving-network"),
                metadata={"namespace": args.namespace, "labels": self._labels},
                spec={
                    "pod_selector": {"match_labels": selector},
                    "policy_types": ["Ingress"],
                    "ingress": [{"from_": [_pods(namespace, self._labels)], "ports": ports}],
                },
                opts=pulumi.ResourceOptions(parent=self),
            )
        kubernetes.networking.v1.NetworkPolicy(
            self.child_name("network"),
            metadata={"namespace": namespace, "labels": self._labels},
            spec={
                "pod_selector": {"match_labels": self._labels},
                "policy_types": ["Ingress", "Egress"],
                "ingress": ingress,
                "egress": egress,
            },
            opts=pulumi.ResourceOptions(parent=self),
        )


def _pods(
    namespace: Input[str], labels: Mapping[str, str]
) -> kubernetes.networking.v1.NetworkPolicyPeerArgsDict:
    """Pods of one namespace as a peer of a network policy."""
    return {
        "namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": namespace}},
        "pod_selector": {"match_labels": labels},
    }


_WRITE_EVENTS: kubernetes.rbac.v1.PolicyRuleArgsDict = {
    "api_groups": ["events.k8s.io"],
    "resources": ["events"],
    "verbs": ["create", "patch"],
}
"""create: an Event. patch: that it happened again. Neither can be limited to a name."""


def _pod_metadata(
    settings: InterruptionSettings, labels: Mapping[str, str]
) -> kubernetes.meta.v1.ObjectMetaArgsDict:
    """The pods' labels, and the annotations by which Prometheus finds them."""
    metadata: kubernetes.meta.v1.ObjectMetaArgsDict = {"labels": labels}
    if settings.metrics_namespace:
        metadata["annotations"] = {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(PORT),
            "prometheus.io/path": "/metrics",
        }
    return metadata


def _permissions(
    args: InterruptionHandlerArgs, name: str
) -> list[kubernetes.rbac.v1.PolicyRuleArgsDict]:
    """Permissions in the model server's namespace, each with its reason."""
    granted: list[kubernetes.rbac.v1.PolicyRuleArgsDict] = [
        # list, watch: which pods run where. patch: detach a pod from its ReplicaSet, set its
        # deletion cost. delete: pods of ended nodes, and pods whose instance is about to end.
        {"api_groups": [""], "resources": ["pods"], "verbs": ["list", "watch", "patch", "delete"]},
        # An eviction respects the disruption budget.
        {"api_groups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
        # The wanted number of pods.
        {
            "api_groups": ["apps"],
            "resources": ["deployments"],
            "resource_names": [names.deployment(args.server.name, args.server.version)],
            "verbs": ["list", "watch"],
        },
        # Leader election. Permission to create can't be limited to a name here; the admission
        # policy does it.
        {"api_groups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
        {
            "api_groups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resource_names": [name],
            "verbs": ["get", "patch"],
        },
        _WRITE_EVENTS,
    ]
    if args.autoscaler.minimum_moves:
        # list, watch: the minimum, and whether the metric is available. patch: the minimum.
        granted.append(
            {
                "api_groups": ["autoscaling"],
                "resources": ["horizontalpodautoscalers"],
                "resource_names": [args.hpa],
                "verbs": ["list", "watch", "patch"],
            }
        )
    return granted


def _handler_config(args: InterruptionHandlerArgs, name: str, namespace: str) -> dict[str, Any]:
    """The handler's settings.json; field names as in interruption_handler.config.Config."""
    server = args.server
    return {
        "name": name,
        "own_namespace": args.own_namespace,
        "namespace": namespace,
        "deployment": names.deployment(server.name, server.version),
        "hpa": args.hpa,
        "selector": names.serving_labels(server.name, server.version),
        "node_labels": args.node_labels,
        "pool_labels": args.pool_labels,
        "notice_seconds": args.settings.notice_seconds,
        "drain_seconds": args.settings.drain_seconds,
        "min_serving_percent": args.settings.min_serving_percent,
        "dry_run": args.settings.dry_run,
        "ecs_region": args.ecs.region if args.settings.notice_source == "ecs" else "",
        "capacity_mix": _mix_config(args.mix, args.node_pool),
        "min_replicas": _floors_config(args.autoscaler),
    }


def _mix_config(mix: MixSettings, node_pool: NodePoolSettings) -> dict[str, Any] | None:
    """None: the handler leaves the pay-as-you-go share alone."""
    if not mix.enabled or node_pool.spot_strategy == "NoSpot":
        return None
    return {
        "base": node_pool.on_demand_base,
        "percent": node_pool.on_demand_percent,
        "points": mix.points,
        "after_seconds": mix.after_seconds,
        "max_nodes": node_pool.max_size,
    }


def _floors_config(autoscaler: AutoscalerSettings) -> dict[str, Any] | None:
    """None: the handler leaves the HPA's minimum alone."""
    if not autoscaler.minimum_moves:
        return None
    return {
        "base": autoscaler.min_replicas,
        "schedules": [
            {
                "schedule": floor.schedule,
                "time_zone": floor.time_zone,
                "min_replicas": floor.min_replicas,
            }
            for floor in autoscaler.floors
        ],
        "outage_replicas": autoscaler.outage_replicas,
        "outage_seconds": autoscaler.outage_seconds,
        "target_qps": autoscaler.target_qps,
        "rest_port": names.REST_PORT,
    }


def _pod(
    args: InterruptionHandlerArgs,
    account: Input[str],
    code: Input[str],
    environment: list[kubernetes.core.v1.EnvVarArgsDict],
    labels: Mapping[str, str],
) -> kubernetes.core.v1.PodSpecArgsDict:
    """Spec of the pod: it runs on any node but the pool's and preemptible ones, and is replaced 20
    seconds after its node became unreachable.

    Two pods never share a node while another one is eligible. The only eligible node takes both:
    the constraint compares nodes, and there is no other to compare it with.
    """
    spec: kubernetes.core.v1.PodSpecArgsDict = {
        "service_account_name": account,
        # Kubernetes' own class, as for the node scaler: the node's pressure evicts others first.
        "priority_class_name": "system-cluster-critical",
        "automount_service_account_token": True,
        "enable_service_links": False,
        "security_context": restricted.POD,
        "affinity": {
            "node_affinity": {
                "required_during_scheduling_ignored_during_execution": {
                    "node_selector_terms": [
                        {
                            "match_expressions": [
                                {"key": names.POOL_LABEL, "operator": "DoesNotExist"},
                                # An adopted pool's nodes lack that label, and other pools may be
                                # preemptible as well; a node without this label counts as "not in".
                                {
                                    "key": SPOT_STRATEGY_LABEL,
                                    "operator": "NotIn",
                                    "values": ["SpotAsPriceGo", "SpotWithPriceLimit"],
                                },
                            ]
                        }
                    ]
                }
            }
        },
        "topology_spread_constraints": [
            {
                "topology_key": "kubernetes.io/hostname",
                "max_skew": 1,
                "when_unsatisfiable": "DoNotSchedule",
                "label_selector": {"match_labels": labels},
                # Pods of an earlier revision don't count: else a roll ends with both on one node.
                "match_label_keys": ["pod-template-hash"],
            }
        ],
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{condition}",
                "operator": "Exists",
                "effect": "NoExecute",
                "toleration_seconds": 20,
            }
            for condition in ("not-ready", "unreachable")
        ],
        "containers": [_container(args.settings, environment)],
        "volumes": [{"name": "code", "config_map": {"name": code}}],
    }
    if environment:
        token: kubernetes.core.v1.ServiceAccountTokenProjectionArgsDict = {
            "audience": AUDIENCE,
            "expiration_seconds": 3600,
            "path": "token",
        }
        spec["volumes"] = [
            {"name": "code", "config_map": {"name": code}},
            {
                "name": "rrsa-token",
                "projected": {"sources": [{"service_account_token": token}]},
            },
        ]
    if args.settings.image_pull_secret:
        spec["image_pull_secrets"] = [{"name": args.settings.image_pull_secret}]
    return spec


def _container(
    settings: InterruptionSettings, environment: list[kubernetes.core.v1.EnvVarArgsDict]
) -> kubernetes.core.v1.ContainerArgsDict:
    mounts: list[kubernetes.core.v1.VolumeMountArgsDict] = [
        {"name": "code", "mount_path": DIRECTORY, "read_only": True}
    ]
    if environment:
        mounts.append({"name": "rrsa-token", "mount_path": TOKEN_DIRECTORY, "read_only": True})
    return {
        "name": "handler",
        "image": settings.image,
        "image_pull_policy": "IfNotPresent",
        "command": ["python3", "-I", f"{DIRECTORY}/start.py"],
        "args": [
            f"--account={ACCOUNT}",
            "--identity=$(POD_NAME)",
            "--address=$(POD_IP)",
            f"--port={PORT}",
        ],
        "env": [
            {"name": "POD_NAME", "value_from": {"field_ref": {"field_path": "metadata.name"}}},
            {"name": "POD_IP", "value_from": {"field_ref": {"field_path": "status.podIP"}}},
            *environment,
        ],
        "ports": [{"name": "health", "container_port": PORT}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "readiness_probe": {
            "http_get": {"path": "/readyz", "port": PORT},
            "period_seconds": 5,
            "timeout_seconds": 3,
            "failure_threshold": 3,
        },
        "liveness_probe": {
            "http_get": {"path": "/healthz", "port": PORT},
            "initial_delay_seconds": 10,
            "period_seconds": 5,
            "timeout_seconds": 3,
            "failure_threshold": 3,
        },
        "security_context": restricted.CONTAINER,
        "volume_mounts": mounts,
    }
