"""Types of values that settings of several groups share."""

from typing import Annotated

from pydantic import Field, StringConstraints

from settings.core.field import Number, Text

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DURATION = r"^[1-9][0-9]*(s|m|h)$"
QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|[KMGT]i?)?$"
"""A Kubernetes quantity, such as 500m or 8Gi."""
IMAGE = (
    r"^[a-z0-9][a-z0-9._/:-]*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$"
)
"""An image with a tag, a digest, or both: then the digest counts, and the tag is for readers."""
LabelKey = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
    ),
]
LabelValue = Annotated[
    Text, StringConstraints(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")
]
VSwitchId = Annotated[str, StringConstraints(pattern=r"^vsw-[a-z0-9]+$")]
InstanceType = Annotated[
    str,
    StringConstraints(
        pattern=r"^ecs\.[a-z0-9-]+\.(nano|tiny|small|medium|large|[1-9]?[0-9]*xlarge)$"
    ),
]
SecurityGroupId = Annotated[str, StringConstraints(pattern=r"^sg-[a-z0-9]+$")]
Price = Annotated[Number, Field(gt=0)]
Cidr = Annotated[str, StringConstraints(pattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}/[0-9]{1,2}$")]
