"""Rules for what a cluster lets its pods do: rights, network, pod security; and for resources that
no rule can read.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from policy.resources import UNKNOWN, Deployment, Resource, is_known, listed, mapping
from policy.rule import Finding, Rule
from policy.rules.workloads import PodSpec, pod_specs
from policy.stacks import Stack

PACKAGES = ("alicloud", "kubernetes", "ossmodel", "pulumi", "inference")
"""Packages whose resources the rules know; `inference` are this program's components."""
OPAQUE = ("kubernetes:helm.sh/v3:Release",)
"""Types whose objects are made elsewhere: a Chart's objects are resources of their own, a Release's
are not.
"""
BUILT_IN_ROLES = ("cluster-admin", "admin", "edit", "system:masters")
"""Roles of Kubernetes itself that may read Secrets or do everything."""
EVERYBODY = (
    "system:anonymous",
    "system:unauthenticated",
    "system:authenticated",
    "system:serviceaccounts",
    "system:masters",
)
ESCALATING_VERBS = ("*", "escalate", "bind", "impersonate")
CLUSTER = "alicloud:cs/managedKubernetes:ManagedKubernetes"
READS = {"get", "list", "watch"}
PSS, PSS_LEVEL = "pod-security.kubernetes.io/enforce", "restricted"


def readable(resource: Resource, stack: Stack) -> Iterator[str]:
    """Resources whose effect is not in their inputs."""
    package = resource.kind.partition(":")[0]
    if resource.kind.endswith("Patch") and package == "kubernetes":
        yield "a Patch changes an object of others, and shows only a part of it: no policy can judge the whole; declare the object itself"
    elif resource.kind in OPAQUE:
        yield "what the chart of a Release makes is in no preview: declare the objects, or waive this policy for the release in policy/waivers.toml"
    elif resource.kind and package not in PACKAGES:
        yield f"no policy knows resources of package {package}: add rules for it and name it in PACKAGES of policy/rules/cluster.py"


def narrow_rights(resource: Resource, stack: Stack) -> Iterator[str]:
    """Bindings and roles that make somebody an administrator, or everybody somebody."""
    kind = resource.object_kind
    if kind in ("ClusterRoleBinding", "RoleBinding"):
        role = resource.at("roleRef", "name")
        if role in BUILT_IN_ROLES or str(role).startswith("system:"):
            yield f"binds {role}: whoever takes over the pod takes over the namespace or the cluster; write a role with the rights it needs"
        for subject in listed(resource.at("subjects")):
            name = str(mapping(subject).get("name"))
            if name.startswith(EVERYBODY):
                yield f"binds {name}, which is everybody or every pod: name the service account"
    if kind in ("ClusterRole", "Role"):
        if resource.at("aggregationRule") is not None:
            yield "aggregationRule takes rights from roles of others: name the rules here"
        for rule in listed(resource.at("rules")):
            yield from _wide_rule(kind, mapping(rule))


def _wide_rule(kind: str, rule: Mapping[str, Any]) -> Iterator[str]:
    verbs, resources, groups = (
        [str(one) for one in listed(rule.get(key))] for key in ("verbs", "resources", "apiGroups")
    )
    wide = [one for one in verbs if one in ESCALATING_VERBS]
    if wide:
        yield f"a rule allows the verbs {', '.join(wide)}: with them its holder gives itself every other right; name the verbs it needs"
    if any("*" in one for one in (*resources, *groups)):
        yield "a rule allows every resource of a group, or every group: name the resources"
    named = bool(listed(rule.get("resourceNames")))
    if kind == "ClusterRole" and "secrets" in resources and not named:
        yield "a rule is for every Secret of the cluster: use a Role, or resourceNames"
    if any(one.startswith(("nodes/proxy", "pods/exec", "pods/attach")) for one in resources) or (
        "serviceaccounts/token" in resources
    ):
        yield "a rule lets its holder run commands in other pods or take their tokens: remove pods/exec, pods/attach, nodes/proxy and serviceaccounts/token"


def limited_node_writes(deployment: Deployment) -> Iterator[Finding]:
    """Roles that may change every node of the cluster, without an admission policy that says which
    ones and what of them.
    """
    limited = any(
        _looks_at_nodes(policy) and _is_enforced(policy, binding)
        for policy in deployment.objects("ValidatingAdmissionPolicy")
        for binding in deployment.objects("ValidatingAdmissionPolicyBinding")
    )
    for role in deployment.objects("ClusterRole"):
        rules = [mapping(rule) for rule in listed(role.at("rules"))]
        if not limited and any(_writes_nodes(rule) for rule in rules):
            yield (
                role,
                "a rule allows to change every node of the cluster, its labels and taints as well: declare a ValidatingAdmissionPolicy for the "
                "account that has it (failurePolicy Fail, a binding with the action Deny), as components/serving/handler_policy.py does",
            )


def _writes_nodes(rule: Mapping[str, Any]) -> bool:
    verbs = {str(verb) for verb in listed(rule.get("verbs"))}
    resources = {str(one).partition("/")[0] for one in listed(rule.get("resources"))}
    return bool(verbs - READS and resources & {"nodes", "*"})


def _looks_at_nodes(policy: Resource) -> bool:
    """Whether an admission policy sees updates of nodes, and refuses what it can't judge."""
    constraints = mapping(policy.at("spec", "matchConstraints"))
    rules = [mapping(rule) for rule in listed(constraints.get("resourceRules"))]
    seen = any(
        {"nodes", "*", "*/*"} & {str(one) for one in listed(rule.get("resources"))}
        and {"UPDATE", "*"} & {str(one) for one in listed(rule.get("operations"))}
        for rule in rules
    )
    return UNKNOWN in (policy.at("spec"), constraints) or (
        policy.at("spec", "failurePolicy") != "Ignore"
        and bool(listed(policy.at("spec", "validations")))
        and seen
    )


def _is_enforced(policy: Resource, binding: Resource) -> bool:
    """Whether the binding is the policy's and denies. What isn't known yet is."""
    name, bound = policy.at("metadata", "name"), binding.at("spec", "policyName")
    same = not (is_known(name) and is_known(bound)) or name == bound
    return same and "Deny" in listed(binding.at("spec", "validationActions"))


def restricted_namespace(resource: Resource, stack: Stack) -> Iterator[str]:
    """Namespaces that admit pods with privileges."""
    labels = resource.at("metadata", "labels")
    if resource.object_kind == "Namespace" and (
        labels is None or (isinstance(labels, Mapping) and _is_other(labels.get(PSS)))
    ):
        yield f"label {PSS} is {mapping(labels).get(PSS) or 'missing'}: pods with privileges are admitted; expected {PSS_LEVEL}"


def _is_other(level: Any) -> bool:
    """Whether a level of pod security is missing, or known and not the expected one."""
    return level is None or (is_known(level) and level != PSS_LEVEL)


def network_policies(deployment: Deployment) -> Iterator[Finding]:
    """Workloads that every pod of the cluster may call, and network policies that let everybody
    in.
    """
    policies = list(deployment.objects("NetworkPolicy"))
    for policy in policies:
        yield from ((policy, text) for text in _open_ingress(policy))
    for workload in deployment.each():
        for pods in pod_specs(workload):
            if not any(_selects(policy, workload, pods) for policy in policies):
                yield (
                    workload,
                    "no NetworkPolicy with policyTypes Ingress selects its pods: every pod of the cluster may call them; declare one",
                )


def _open_ingress(policy: Resource) -> Iterator[str]:
    for rule in listed(policy.at("spec", "ingress")):
        peers = mapping(rule).get("from")
        if peers is None or peers == []:
            yield "an ingress rule without `from` admits everybody: name who may call"
        for peer in listed(peers):
            cidr, namespaces = mapping(mapping(peer).get("ipBlock")).get("cidr"), mapping(peer)
            if is_known(cidr) and _is_everywhere(cidr):
                yield f"an ingress rule admits {cidr}: name the addresses of the load balancer"
            if namespaces.get("namespaceSelector") == {}:
                yield "an ingress rule admits every namespace: name the one that may call"
            elif _names_no_pods(namespaces):
                yield "an ingress rule admits every pod of a namespace: name the labels of those that may call (podSelector)"


def _names_no_pods(peer: Mapping[str, Any]) -> bool:
    """Whether a peer of a network policy is pods, and selects them by nothing of their own."""
    pods = peer.get("podSelector")
    if pods == UNKNOWN or (pods is None and "namespaceSelector" not in peer):
        return False
    return not any(mapping(pods).get(key) for key in ("matchLabels", "matchExpressions"))


def _is_everywhere(cidr: Any) -> bool:
    try:
        return ipaddress.ip_network(str(cidr), strict=False).prefixlen < 8
    except ValueError:
        return True


def _selects(policy: Resource, workload: Resource, pods: PodSpec) -> bool:
    """Whether a policy for incoming calls is in the workload's namespace and its selector matches
    the pods' labels. What isn't known yet matches.
    """
    types = listed(policy.at("spec", "policyTypes"))
    own, other = (one.at("metadata", "namespace") for one in (policy, workload))
    if (types and "Ingress" not in types) or (is_known(own) and is_known(other) and own != other):
        return False
    selector = mapping(policy.at("spec", "podSelector"))
    return all(
        UNKNOWN in (value, pods.labels.get(key)) or pods.labels.get(key) == value
        for key, value in mapping(selector.get("matchLabels")).items()
    ) and all(
        _matches(mapping(one), pods.labels) for one in listed(selector.get("matchExpressions"))
    )


def _matches(expression: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    key, values = expression.get("key"), listed(expression.get("values"))
    return {
        "In": labels.get(str(key)) in values,
        "NotIn": labels.get(str(key)) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }.get(str(expression.get("operator")), False)


def closed_cluster(resource: Resource, stack: Stack) -> Iterator[str]:
    """Made clusters of a protected stack that strangers reach, or whose Secrets lie open."""
    if not stack.protected or resource.kind != CLUSTER:
        return
    # what is not set is true to the provider
    if resource.at("slbInternetEnabled") not in (False, UNKNOWN):
        yield "the API server answers the Internet: whoever finds a kubeconfig uses it; set cluster.create.publicApi to false"
    if resource.at("auditLogConfig", "enabled") not in (True, UNKNOWN):
        yield "no audit log: after an intrusion nobody can tell what was read and changed; set cluster.create.auditLog to true"
    encrypted = resource.at("encryptionProviderKey") and not resource.at("disableEncryption")
    if not encrypted and resource.at("encryptionProviderKey") != UNKNOWN:
        yield "Secrets are not encrypted by a key of yours: whoever reads the control plane's disk reads them; set cluster.create.secretsKeyId"


RULES = (
    Rule(
        "made-cluster-is-closed",
        "A cluster that a protected stack makes is private, has an audit log and encrypts Secrets.",
        each=closed_cluster,
    ),
    Rule(
        "everything-can-be-read",
        "Every resource shows what it makes: no Patch, no Helm release, no package without rules.",
        each=readable,
    ),
    Rule(
        "rights-are-narrow",
        "No binding makes an administrator, no role allows by wildcard or gives itself rights.",
        each=narrow_rights,
    ),
    Rule(
        "node-writes-are-limited",
        "Whoever may change nodes is held to its own by an admission policy.",
        whole=limited_node_writes,
    ),
    Rule(
        "namespace-is-restricted",
        f"Every namespace enforces the pod security level {PSS_LEVEL}.",
        each=restricted_namespace,
    ),
    Rule(
        "workloads-have-a-network-policy",
        "Who may call a workload is named in a network policy.",
        whole=network_policies,
    ),
)
