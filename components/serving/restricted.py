"""What the pod security level `restricted` asks of a pod and of a container, with a root file
system that nothing writes to. Source: Kubernetes, Pod Security Standards.
"""

from pulumi_kubernetes.core import v1

POD: v1.PodSecurityContextArgsDict = {
    "run_as_non_root": True,
    "run_as_user": 65534,
    "run_as_group": 65534,
    "seccomp_profile": {"type": "RuntimeDefault"},
}
"""Security context of every pod of the stack: user and group nobody."""

CONTAINER: v1.SecurityContextArgsDict = {
    "allow_privilege_escalation": False,
    "read_only_root_filesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""Security context of every container of the stack."""
