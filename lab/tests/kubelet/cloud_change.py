"""Run inside the lab: `python -m lab.tests.kubelet.cloud_change WHAT` changes the double through
Alibaba's own SDKs.

setup: bucket with the model, role, policy · trust SUBJECT · policy BUCKET · wipe: all objects go ·
install ADDON · uninstall ADDON.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from pathlib import Path
from typing import Any

import oss2
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest

from lab.testing.models import MODEL

CLUSTER = "c210fbedb96674b9eaf15f2dc47d169a8"
BUCKET, ROLE = "live-models", "live-reader"
SUBJECT = "system:serviceaccount:ack-csi-fuse:csi-fuse-ossfs"


@functools.cache
def keys() -> dict[str, str]:
    """The lab's credentials."""
    return json.loads((Path(os.environ["LAB_HOME"]) / "credentials.json").read_text())


def ram(action: str, **parameters: str) -> None:
    """One call to RAM."""
    request = CommonRequest(domain="ram.aliyuncs.com", version="2015-05-01", action_name=action)
    request.set_protocol_type("https")
    request.set_method("POST")
    for name, value in parameters.items():
        request.add_query_param(name, value)
    AcsClient(
        keys()["access_key"],
        keys()["secret_key"],
        "cn-shanghai",
        verify=os.environ["SSL_CERT_FILE"],
    ).do_action_with_exception(request)


def addon(change: str, name: str) -> None:
    """Has an add-on of the cluster installed or uninstalled."""
    request = CommonRequest(
        domain="cs.cn-shanghai.aliyuncs.com",
        version="2015-12-15",
        uri_pattern=f"/clusters/{CLUSTER}/components/{change}",
    )
    request.set_protocol_type("https")
    request.set_method("POST")
    request.add_header("Content-Type", "application/json")
    request.set_content(
        json.dumps(
            [{"name": name, **({"version": "1.2.22"} if change == "install" else {})}]
        ).encode()
    )
    AcsClient(
        keys()["access_key"],
        keys()["secret_key"],
        "cn-shanghai",
        verify=os.environ["SSL_CERT_FILE"],
    ).do_action_with_exception(request)


def trust(subject: str) -> str:
    """The trust policy of the volume's role."""
    provider = f"acs:ram::{keys()['account_id']}:oidc-provider/ack-rrsa-{CLUSTER}"
    issuer = f"https://oidc-ack-cn-shanghai.oss-cn-shanghai.aliyuncs.com/{CLUSTER}"
    condition = {
        "StringEquals": {"oidc:aud": "sts.aliyuncs.com", "oidc:iss": issuer, "oidc:sub": subject}
    }
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Federated": [provider]},
        "Condition": condition,
    }
    return json.dumps({"Version": "1", "Statement": [statement]})


def policy(bucket: str) -> str:
    """Read access to the models of a bucket."""
    get = {
        "Effect": "Allow",
        "Action": ["oss:GetObject"],
        "Resource": [f"acs:oss:*:*:{bucket}/models/*"],
    }
    prefix = {"StringLike": {"oss:Prefix": ["models/*"]}}
    list_ = {
        "Effect": "Allow",
        "Action": ["oss:ListObjects"],
        "Resource": [f"acs:oss:*:*:{bucket}"],
        "Condition": prefix,
    }
    return json.dumps({"Version": "1", "Statement": [get, list_]})


def store() -> Any:
    """The bucket."""
    auth = oss2.AuthV4(keys()["access_key"], keys()["secret_key"])
    return oss2.Bucket(
        auth, "http://oss-cn-shanghai-internal.aliyuncs.com", BUCKET, region="cn-shanghai"
    )


def main(what: str, value: str = "") -> None:
    """Does one change."""
    if what == "setup":
        store().create_bucket()
        for path in MODEL.rglob("*"):
            if path.is_file():
                store().put_object_from_file(
                    f"models/tensorflow/{path.relative_to(MODEL.parent)}", str(path)
                )
        ram("CreateRole", RoleName=ROLE, AssumeRolePolicyDocument=trust(SUBJECT))
        ram("CreatePolicy", PolicyName=ROLE, PolicyDocument=policy(BUCKET))
        ram("AttachPolicyToRole", PolicyType="Custom", PolicyName=ROLE, RoleName=ROLE)
    elif what == "trust":
        ram("UpdateRole", RoleName=ROLE, NewAssumeRolePolicyDocument=trust(value))
    elif what == "policy":
        ram(
            "CreatePolicyVersion",
            PolicyName=ROLE,
            PolicyDocument=policy(value),
            SetAsDefault="true",
        )
    elif what in ("install", "uninstall"):
        addon(what, value)
    elif what == "wipe":
        for found in list(oss2.ObjectIteratorV2(store())):
            store().delete_object(found.key)


if __name__ == "__main__":
    main(*sys.argv[1:])
