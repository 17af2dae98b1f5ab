"""Properties that decide who gets in, what runs and what is paid for: a difference of one is real
whether or not the program sets it, because nobody else may.
"""

from __future__ import annotations

import re

from ops.engine.urns import object_kind

PODS = re.compile(
    r"(.*\.)?spec\.(containers|initContainers|ephemeralContainers|volumes|hostNetwork|hostPID|hostIPC|hostUsers|hostAliases"
    r"|shareProcessNamespace|securityContext|serviceAccountName|serviceAccount|automountServiceAccountToken|imagePullSecrets"
    r"|nodeName|runtimeClassName|dnsConfig|dnsPolicy|tolerations|nodeSelector|affinity|priorityClassName|schedulerName)\b.*"
)
"""Of a specification of pods, in whatever kind it stands."""
FILLED_IN = re.compile(
    r".*\.(terminationMessagePath|terminationMessagePolicy|imagePullPolicy|resizePolicy|defaultMode|protocol)"
)
"""Fields of pods that an API server of another version fills in."""
WITH_EFFECT = re.compile(
    r'(.*\.)?metadata\.(annotations|labels)\["('
    r"(nginx|alb|mse|higress)\.ingress\.kubernetes\.io/.*|kubernetes\.io/ingress\.class|service\.beta\.kubernetes\.io/.*"
    r"|pod-security\.kubernetes\.io/.*|container\.(apparmor|seccomp)\.security\.beta\.kubernetes\.io/.*"
    r"|pod-identity\.alibabacloud\.com/.*|cert-manager\.io/.*"
    r')"\].*'
)
"""Annotations and labels that a controller obeys."""
OBJECTS = {
    "Ingress": r"spec\..*",
    "IngressClass": r"spec\..*",
    "Service": r"spec\.(type|externalIPs|externalName|selector|ports|loadBalancerSourceRanges|publishNotReadyAddresses)\b.*",
    "NetworkPolicy": r"spec\..*",
    "Role": r"(rules|aggregationRule)\b.*",
    "ClusterRole": r"(rules|aggregationRule)\b.*",
    "RoleBinding": r"(subjects|roleRef)\b.*",
    "ClusterRoleBinding": r"(subjects|roleRef)\b.*",
    "ServiceAccount": r"(automountServiceAccountToken|imagePullSecrets)\b.*",
    "ConfigMap": r"(data|binaryData)\b.*",
    "Secret": r"(data|stringData|type)\b.*",
    "HorizontalPodAutoscaler": r"spec\.(metrics|maxReplicas|scaleTargetRef|behavior)\b.*",
    "PersistentVolume": r"spec\.(csi|hostPath|local|nfs|accessModes|mountOptions|persistentVolumeReclaimPolicy)\b.*",
    "ValidatingAdmissionPolicy": r"spec\..*",
    "ValidatingAdmissionPolicyBinding": r"spec\..*",
    "ValidatingWebhookConfiguration": r"webhooks\b.*",
    "MutatingWebhookConfiguration": r"webhooks\b.*",
}
"""Kubernetes kind, in any API version, and its properties."""
CLOUD = {
    "alicloud:cs/nodePool:NodePool": r"(userData|preUserData|securityGroupIds?|keyName|password|kmsEncryptedPassword|loginAsNonRoot|ramRoleName"
    r"|internetMaxBandwidthOut|internetChargeType|securityHardeningOs|kubeletConfiguration)\b.*",
    "alicloud:cs/managedKubernetes:ManagedKubernetes": r"(slbInternetEnabled|encryptionProviderKey|auditLogConfig|controlPlaneLog\w*|customSan"
    r"|apiAudiences|deletionProtection|enableRrsa|userCa|securityGroupId)\b.*",
    "alicloud:oss/bucket:Bucket": r"(website|corsRules|refererConfig|logging)\b.*",
    "alicloud:oss/bucketAcl:BucketAcl": r".*",
    "alicloud:oss/bucketPolicy:BucketPolicy": r".*",
    "alicloud:oss/bucketPublicAccessBlock:BucketPublicAccessBlock": r".*",
    "alicloud:oss/bucketServerSideEncryption:BucketServerSideEncryption": r".*",
    "alicloud:ram/role:Role": r"(assumeRolePolicyDocument|document|maxSessionDuration|ramUsers|services)\b.*",
    "alicloud:ram/policy:Policy": r"(policyDocument|document|statements)\b.*",
    "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment": r".*",
}
"""Type of a cloud resource and its properties."""


def is_security_relevant(kind: str, path: str) -> bool:
    """Whether a property of a resource of this type decides who gets in or what runs."""
    if not kind.startswith("kubernetes:"):
        return re.fullmatch(CLOUD.get(kind, r"(?!)"), path) is not None
    if FILLED_IN.fullmatch(path):
        return False
    return (
        PODS.fullmatch(path) is not None
        or WITH_EFFECT.fullmatch(path) is not None
        or re.fullmatch(OBJECTS.get(object_kind(kind), r"(?!)"), path) is not None
    )
