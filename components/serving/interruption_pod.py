"""The interruption handler's pod."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pulumi import Input

from settings import names

if TYPE_CHECKING:
    from components.serving.interruption_handler import InterruptionHandlerArgs

DIRECTORY = "/opt/interruption-handler"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
PORT = 8081


def pod(
    args: "InterruptionHandlerArgs",
    account: Input[str],
    code: Input[str],
    labels: Mapping[str, str],
) -> Any:
    """On any node but the pool's; moved within half a minute when its node dies."""
    spec: dict[str, Any] = {
        "service_account_name": account,
        "automount_service_account_token": True,
        "enable_service_links": False,
        "security_context": {
            "run_as_non_root": True,
            "run_as_user": 65534,
            "run_as_group": 65534,
            "seccomp_profile": {"type": "RuntimeDefault"},
        },
        "affinity": {
            "node_affinity": {
                "required_during_scheduling_ignored_during_execution": {
                    "node_selector_terms": [
                        {
                            "match_expressions": [
                                {"key": names.POOL_LABEL, "operator": "DoesNotExist"}
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
                "when_unsatisfiable": "ScheduleAnyway",
                "label_selector": {"match_labels": labels},
            }
        ],
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{what}",
                "operator": "Exists",
                "effect": "NoExecute",
                "toleration_seconds": 20,
            }
            for what in ("not-ready", "unreachable")
        ],
        "containers": [_container(args)],
        "volumes": [{"name": "code", "config_map": {"name": code}}],
    }
    if args.image_pull_secret:
        spec["image_pull_secrets"] = [{"name": args.image_pull_secret}]
    return spec


def _container(args: "InterruptionHandlerArgs") -> dict[str, Any]:
    probe = {"period_seconds": 5, "timeout_seconds": 3, "failure_threshold": 3}
    return {
        "name": "handler",
        "image": args.image,
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
        ],
        "ports": [{"name": "health", "container_port": PORT}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "readiness_probe": {"http_get": {"path": "/readyz", "port": PORT}, **probe},
        "liveness_probe": {
            "http_get": {"path": "/healthz", "port": PORT},
            **probe,
            "initial_delay_seconds": 10,
        },
        "security_context": {
            "allow_privilege_escalation": False,
            "read_only_root_filesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volume_mounts": [{"name": "code", "mount_path": DIRECTORY, "read_only": True}],
    }
