"""`python -m tests.e2e.ram_user POLICY.json`, run inside the lab: makes a RAM user with this one
policy and prints a key of theirs.
"""

from __future__ import annotations

import json
import pathlib
import sys

from ops.cloud.client import Cloud
from ops.cloud.credentials import find_credentials

NAME = "deployer"


def main() -> None:
    """User, policy, attachment, key."""
    cloud = Cloud("cn-shanghai", find_credentials())
    cloud.rpc("ram", "CreateUser", UserName=NAME)
    document = json.dumps(json.loads(pathlib.Path(sys.argv[1]).read_text()))
    cloud.rpc("ram", "CreatePolicy", PolicyName=NAME, PolicyDocument=document)
    cloud.rpc("ram", "AttachPolicyToUser", PolicyName=NAME, PolicyType="Custom", UserName=NAME)
    key = cloud.rpc("ram", "CreateAccessKey", UserName=NAME)["AccessKey"]
    print(json.dumps({"id": key["AccessKeyId"], "secret": key["AccessKeySecret"]}))


if __name__ == "__main__":
    main()
