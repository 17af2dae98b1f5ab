"""The real alicloud plugin against the double, in a network namespace of its own: `python -m …
PLUGIN DIRECTORY`.

Writes `DIRECTORY/result.json`: what each resource became, what Diff says after a Read, what is left
in the end.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab.alicloud.seed import CLUSTER
from lab.testing.cloud import CloudDouble, new_lab
from lab.testing.plugin import Plugin
from lab.testing.sealed import in_namespaces, names_answered

BUCKET = "plugin-models"
_LONGEST = 1500
_POLICY = {
    "Version": "1",
    "Statement": [
        {"Effect": "Allow", "Action": ["oss:GetObject"], "Resource": [f"acs:oss:*:*:{BUCKET}/*"]}
    ],
}
_TRUST = {
    "Version": "1",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"RAM": ["acs:ram::1234567890123456:root"]},
        }
    ],
}
_POOL = {
    "clusterId": CLUSTER,
    "nodePoolName": "plugin",
    "vswitchIds": ["vsw-labe", "vsw-labg"],
    "instanceTypes": ["ecs.gn6i-c4g1.xlarge", "ecs.gn6i-c8g1.2xlarge"],
    "multiAzPolicy": "COST_OPTIMIZED",
    "spotStrategy": "SpotAsPriceGo",
    "onDemandBaseCapacity": "0",
    "onDemandPercentageAboveBaseCapacity": "30",
    "scalingConfig": {"enable": True, "minSize": 1, "maxSize": 10, "type": "gpu"},
    "labels": [{"key": "inference", "value": "tensorflow"}],
    "taints": [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}],
    "tags": {"app": "inference"},
}
_RULE = {"id": "old", "prefix": "models/", "enabled": True, "abortMultipartUploads": [{"days": 7}]}
# waves, in this order made and in the reverse order deleted
WAVES: list[dict[str, dict[str, Any]]] = [
    {
        "cs/nodePool:NodePool": _POOL,
        "cs/autoscalingConfig:AutoscalingConfig": {
            "clusterId": CLUSTER,
            "scalerType": "cluster-autoscaler",
            "expander": "least-waste",
        },
        "oss/bucket:Bucket": {
            "bucket": BUCKET,
            "forceDestroy": True,
            "tags": {"app": "x"},
            "lifecycleRules": [_RULE],
        },
        "ram/role:Role": {
            "roleName": "plugin-role",
            "assumeRolePolicyDocument": json.dumps(_TRUST),
            "maxSessionDuration": 3600,
        },
        "ram/policy:Policy": {"policyName": "plugin-policy", "policyDocument": json.dumps(_POLICY)},
        "vpc/network:Network": {
            "vpcName": "plugin",
            "cidrBlock": "172.16.0.0/12",
            "tags": {"a": "b"},
        },
        "vpc/switch:Switch": {
            "vswitchName": "plugin",
            "vpcId": "vpc-lab",
            "cidrBlock": "10.0.128.0/24",
            "zoneId": "cn-shanghai-g",
        },
        "ecs/securityGroup:SecurityGroup": {"securityGroupName": "plugin", "vpcId": "vpc-lab"},
        "log/project:Project": {"projectName": "plugin-project", "tags": {"a": "b"}},
        "ims/oidcProvider:OidcProvider": {
            "oidcProviderName": "plugin-idp",
            "issuerUrl": "https://issuer.test",
            "clientIds": ["a", "b"],
            "fingerprints": ["902EF2DEEB3C5B13EA4C3D5193629309E231AE55"],
        },
    },
    {
        "oss/bucketVersioning:BucketVersioning": {"bucket": BUCKET, "status": "Enabled"},
        "oss/bucketServerSideEncryption:BucketServerSideEncryption": {
            "bucket": BUCKET,
            "sseAlgorithm": "AES256",
        },
        "oss/bucketPublicAccessBlock:BucketPublicAccessBlock": {
            "bucket": BUCKET,
            "blockPublicAccess": True,
        },
        "oss/bucketHttpsConfig:BucketHttpsConfig": {
            "bucket": BUCKET,
            "enable": True,
            "tlsVersions": ["TLSv1.2", "TLSv1.3"],
        },
        "oss/bucketAcl:BucketAcl": {"bucket": BUCKET, "acl": "private"},
        "oss/bucketObject:BucketObject": {
            "bucket": BUCKET,
            "key": "models/ü 1/a+b.pb",
            "content": "x" * 5000,
        },
        "ram/rolePolicyAttachment:RolePolicyAttachment": {
            "roleName": "plugin-role",
            "policyName": "plugin-policy",
            "policyType": "Custom",
        },
        "log/store:Store": {
            "projectName": "plugin-project",
            "logstoreName": "plugin-store",
            "shardCount": 2,
            "retentionPeriod": 7,
        },
    },
]


def run(plugin: Path, directory: Path) -> dict[str, Any]:
    """Everything the run found."""
    module = "lab.tests.alicloud.sealed"
    command = in_namespaces(sys.executable, "-m", module, str(plugin), str(directory))
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads((directory / "result.json").read_text())


def _inside(executable: Path, home: Path) -> None:
    own: CloudDouble = new_lab(home, address="10.0.0.2", ports=(443, 80, 9090))
    own.start()
    (home / "no-certificates").mkdir()
    environment = {
        "ALICLOUD_ACCESS_KEY": own.own["access_key"],
        "ALICLOUD_SECRET_KEY": own.own["secret_key"],
        "ALICLOUD_REGION": "cn-shanghai",
        "SSL_CERT_FILE": own.ca,
        "SSL_CERT_DIR": str(home / "no-certificates"),
    }
    with Plugin(executable, environment) as plugin:
        plugin.configure()
        found = _life(plugin)
    left = own.ask("resources")
    calls = [
        {k: c[k] for k in ("call", "service", "status", "auth_scheme")}
        for c in own.ask("calls?since=0")["calls"]
    ]
    own.stop()
    (home / "result.json").write_text(
        json.dumps(
            {"resources": found, "extra": left["extra"], "missing": left["missing"], "calls": calls}
        )
    )


def _life(plugin: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with ThreadPoolExecutor(10) as pool:
        for wave in WAVES:
            found.update(
                zip(wave, pool.map(lambda item: _made(plugin, *item), wave.items()), strict=True)
            )
        for wave in reversed(WAVES):
            list(
                pool.map(
                    lambda token: plugin.delete(
                        "alicloud:" + token, found[token]["id"], found[token].pop("state")
                    ),
                    wave,
                )
            )
    return found


def _made(plugin: Any, token: str, inputs: dict[str, Any]) -> dict[str, Any]:
    full = "alicloud:" + token
    checked, failures = plugin.check(full, inputs)
    identifier, state = plugin.create(full, checked)
    read_id, read = plugin.read(full, identifier, state)
    diff = plugin.diff(full, identifier, read, checked)
    return {
        "id": identifier,
        "same": read_id == identifier,
        "failures": failures,
        "diffs": list(diff.diffs),
        "changes": diff.changes,
        "state": read,
    }


if __name__ == "__main__":
    with names_answered(Path(sys.argv[2])):
        _inside(Path(sys.argv[1]), Path(sys.argv[2]))
