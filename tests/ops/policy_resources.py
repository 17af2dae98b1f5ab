"""Good resources, each with a way to spoil it, for the policies' tests."""

import json
from collections.abc import Sequence
from typing import Any

from policy.resources import Resource

OSS, K8S, RAM = "alicloud:oss/", "kubernetes:", "alicloud:ram/"
BUCKET = f"{OSS}bucket:Bucket"
TAGS = {"project": "p", "stack": "prod", "owner": "ml"}


def one(
    kind: str, inputs: dict[str, Any], *, name: str = "thing", protect: bool = False
) -> Resource:
    """A resource of stack prod."""
    return Resource(
        f"urn:pulumi:prod::elastic-inference::inference:x:Y${kind}::{name}", inputs, protect
    )


def bucket(**more: Any) -> Resource:
    """A good bucket, changed."""
    return one(BUCKET, {"bucket": "models", "tags": TAGS, **more}, protect=True)


def statement(**more: Any) -> str:
    """A policy of one statement."""
    return json.dumps(
        {
            "Version": "1",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": ["oss:GetObject"],
                    "Resource": ["acs:oss:*:*:models/*"],
                    **more,
                }
            ],
        }
    )


def guards(**changed: Any) -> list[Resource]:
    """A bucket with its four guards; `acl`, `block`, `sse`, `policy` change one."""
    deny = denied()
    return [
        bucket(logging={"targetBucket": "logs"}),
        one(
            f"{OSS}bucketAcl:BucketAcl",
            {"bucket": changed.get("of", "models"), "acl": changed.get("acl", "private")},
        ),
        one(
            f"{OSS}bucketPublicAccessBlock:BucketPublicAccessBlock",
            {"bucket": "models", "blockPublicAccess": changed.get("block", True)},
        ),
        one(
            f"{OSS}bucketServerSideEncryption:BucketServerSideEncryption",
            {"bucket": "models", "sseAlgorithm": changed.get("sse", "AES256")},
        ),
        one(
            f"{OSS}bucketPolicy:BucketPolicy",
            {"bucket": "models", "policy": changed.get("policy", deny)},
        ),
    ]


def denied(**more: Any) -> str:
    """The bucket policy that refuses plain HTTP, changed."""
    whole = {
        "Effect": "Deny",
        "Principal": ["*"],
        "Action": ["oss:*"],
        "Resource": ["acs:oss:*:*:models", "acs:oss:*:*:models/*"],
        "Condition": {"Bool": {"acs:SecureTransport": ["false"]}},
    }
    return statement(**{**whole, **more})


def volume(**more: Any) -> Resource:
    """A good volume, changed."""
    csi = {
        "driver": "ossplugin.csi.alibabacloud.com",
        "readOnly": True,
        "volumeHandle": "pv-1",
        "volumeAttributes": {},
        **more.pop("csi", {}),
    }
    spec = {"persistentVolumeReclaimPolicy": "Retain", "csi": csi, **more}
    return one(f"{K8S}core/v1:PersistentVolume", {"metadata": {"name": "pv-1"}, "spec": spec})


def pool(**more: Any) -> Resource:
    """A good pool, changed."""
    inputs = {
        "spotStrategy": "SpotAsPriceGo", "onDemandBaseCapacity": "1", "onDemandPercentageAboveBaseCapacity": "30",
        "compensateWithOnDemand": True, "scalingConfig": {"enable": True, "minSize": 2, "maxSize": 10},
        "instanceTypes": ["a"], "tags": TAGS,
    }  # fmt: skip
    return one("alicloud:cs/nodePool:NodePool", {**inputs, **more})


def workload(
    *, replicas: Any = None, spec: dict[str, Any] | None = None, **container: Any
) -> Resource:
    """A good Deployment, its container or specification changed."""
    good = {
        "name": "serving", "image": "tensorflow/serving:1.15.0-gpu@sha256:" + "1" * 64,
        "securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True},
        "resources": {"requests": {"cpu": "2", "memory": "8Gi"}, "limits": {"memory": "8Gi"}},
    }  # fmt: skip
    outer = {
        "template": {
            "metadata": {"labels": {"app": "server"}},
            "spec": {"containers": [{**good, **container}], **(spec or {})},
        },
        **({} if replicas is None else {"replicas": replicas}),
    }
    return one(
        f"{K8S}apps/v1:Deployment",
        {"metadata": {"namespace": "inference", "name": "server"}, "spec": outer},
    )


def hpa(route: str = "inference-server-8501", target: str = "server") -> Resource:
    """An HPA on a route."""
    metric = {"external": {"metric": {"selector": {"matchLabels": {"sls.ingress.route": route}}}}}
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": target}, "metrics": [metric]}
    return one(
        f"{K8S}autoscaling/v2:HorizontalPodAutoscaler",
        {"metadata": {"namespace": "inference"}, "spec": spec},
    )


def service(**more: Any) -> Resource:
    """The Service that the route is of."""
    annotations = more.pop("annotations", {})
    inputs = {
        "metadata": {"namespace": "inference", "name": "server", "annotations": annotations},
        "spec": {"ports": [{"port": 8501}], **more},
    }
    return one(f"{K8S}core/v1:Service", inputs)


def ingress(tls: bool = True, hosts: Any = ("bert.example.com",), **annotations: str) -> Resource:
    """An entry that asks for a password."""
    password = {
        "nginx.ingress.kubernetes.io/auth-type": "basic",
        "nginx.ingress.kubernetes.io/auth-secret": "users",
    }
    spec = {
        "rules": [{"host": "bert.example.com"}],
        **({"tls": [{"hosts": list(hosts), "secretName": "t"}]} if tls else {}),
    }
    return one(
        f"{K8S}networking.k8s.io/v1:Ingress",
        {"metadata": {"annotations": {**password, **annotations}}, "spec": spec},
    )


def network_policy(labels: Any = None, **more: Any) -> Resource:
    """A network policy for the server's pods, changed."""
    spec = {
        "podSelector": {"matchLabels": {"app": "server"} if labels is None else labels},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "caller"}}}]}],
        **more,
    }
    return one(
        f"{K8S}networking.k8s.io/v1:NetworkPolicy",
        {"metadata": {"namespace": "inference"}, "spec": spec},
    )


def namespace(labels: Any) -> Resource:
    """A namespace with labels."""
    return one(f"{K8S}core/v1:Namespace", {"metadata": {"name": "inference", "labels": labels}})


def rbac(kind: str, **inputs: Any) -> Resource:
    """A role or a binding."""
    return one(f"{K8S}rbac.authorization.k8s.io/v1:{kind}", inputs)


def node_role(verbs: list[str], resource: str = "nodes") -> Resource:
    """A role for every node of the cluster."""
    rule = {"apiGroups": [""], "resources": [resource], "verbs": verbs}
    return rbac("ClusterRole", rules=[rule])


def admission_policy(
    *,
    resources: Sequence[str] = ("*/*",),
    operations: Sequence[str] = ("*",),
    failure: str = "Fail",
    bound: str = "limits",
    actions: Sequence[str] = ("Deny",),
    validations: Sequence[Any] = ({"expression": "false"},),
) -> list[Resource]:
    """An admission policy and its binding, changed."""
    kind = f"{K8S}admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
    rule = {"resources": [*resources], "operations": [*operations]}
    spec = {
        "failurePolicy": failure,
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [*validations],
    }
    binding = {"policyName": bound, "validationActions": [*actions]}
    return [
        one(kind, {"metadata": {"name": "limits"}, "spec": spec}),
        one(f"{kind}Binding", {"metadata": {"name": "limits"}, "spec": binding}),
    ]


def role(principal: Any, condition: Any = None) -> Resource:
    """A role with a trust policy."""
    return one(
        f"{RAM}role:Role",
        {
            "tags": TAGS,
            "assumeRolePolicyDocument": statement(Principal=principal, Condition=condition),
        },
    )


def config(value: Any) -> Resource:
    """A ConfigMap with something in it."""
    return one(f"{K8S}core/v1:ConfigMap", {"data": {"x": value}})


def attachment(policy_type: str, name: str) -> Resource:
    """A RAM policy attached to a role."""
    return one(
        f"{RAM}rolePolicyAttachment:RolePolicyAttachment",
        {"policyType": policy_type, "policyName": name, "roleName": "r"},
    )


def as_list(resource: Resource) -> Resource:
    """The same object in the items of a list."""
    return one(f"{resource.kind}List", {"items": [resource.inputs]})


def other_version(resource: Resource, kind: str) -> Resource:
    """The same object under another type."""
    return one(f"{K8S}{kind}", dict(resource.inputs))
