"""RRSA: what RAM's roles have in common that pods of one cluster take by their service account. No
access key enters the cluster.
"""

AUDIENCE = "sts.aliyuncs.com"


def trust_policy(provider_arn: str, issuer: str, subject: str) -> dict[str, object]:
    """Trust policy of a role that one service account of one cluster may take. `subject` is the
    account as its tokens name it: system:serviceaccount:<namespace>:<name>.
    """
    return {
        "Version": "1",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"Federated": [provider_arn]},
                "Condition": {
                    "StringEquals": {
                        "oidc:aud": AUDIENCE,
                        "oidc:iss": issuer,
                        "oidc:sub": subject,
                    }
                },
            }
        ],
    }
