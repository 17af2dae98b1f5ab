"""Settings of what keeps the pool elastic: moving pods off nodes that go, the mix, warm nodes."""

from settings.core.field import Group, setting
from settings.serving import DNS_LABEL

IMAGE = r"^[a-z0-9][a-z0-9._/:-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})$"


class Interruption(Group):
    """The interruption handler: replaces the pods of nodes that are about to go, or gone."""

    enabled: bool = setting(
        True,
        "Run the handler. Without it there is also no mix keeping and no floor by schedule.",
        expected="true or false",
        otherwise="half the capacity is missing for minutes when the preemptible nodes go",
        example="true",
    )
    notice_seconds: int = setting(
        300,
        "Time between the reclaim notice (node condition InstanceExpired) and the release of the instance.",
        ge=1,
        le=3600,
        expected="1 to 3600 seconds, more than drainSeconds",
        otherwise="the last pods are deleted too early, or cut off with their instance",
        example="300",
    )
    drain_seconds: int = setting(
        30,
        "How long before the release the last pods are deleted, replaced or not.",
        ge=1,
        le=600,
        expected="1 to 600 seconds, more than server.preStopSeconds",
        otherwise="requests in flight are cut off with the instance",
        example="30",
    )
    replicas: int = setting(
        2,
        "Pods of the handler; one of them acts.",
        ge=1,
        le=5,
        expected="1 to 5",
        otherwise="nobody acts while the handler's own node is being replaced",
        example="2",
    )
    image: str = setting(
        "python:3.12-slim",
        "Any image with Python 3.11 or newer, its zone data included; the handler's code comes from a ConfigMap.",
        pattern=IMAGE,
        expected="an image with a fixed tag (not latest) or digest",
        otherwise="the handler's pods don't start",
        example="python:3.12-slim",
    )
    image_pull_secret: str | None = setting(
        None,
        "Pull secret in the namespace.",
        pattern=DNS_LABEL,
        expected="the name of a Secret",
        otherwise="the image can't be pulled",
        example="registry",
    )


class Mix(Group):
    """The mix of charge types, kept over time: surplus pay-as-you-go nodes are replaced by
    preemptible ones.
    """

    enabled: bool = setting(
        True,
        "Replace surplus pay-as-you-go nodes, and let the HPA take away pods so that the mix is kept.",
        expected="true or false",
        otherwise="pay-as-you-go nodes bought while preemptible ones were out of stock stay for good",
        example="true",
    )
    points: int = setting(
        4,
        "Percentage points by which the pay-as-you-go share may be above nodePool.onDemandPercent.",
        ge=0,
        le=100,
        expected="0 to 100",
        otherwise="nodes are replaced without need, or never",
        example="4",
    )
    after_seconds: int = setting(
        300,
        "How long the share must be too high. Also the first pause after a replacement that came as pay-as-you-go again; it doubles once.",
        ge=1,
        le=86400,
        expected="1 to 86400 seconds",
        otherwise="each passing shortage makes nodes be replaced",
        example="300",
    )


class Headroom(Group):
    """Warm nodes, held by pods that give way to serving ones."""

    nodes: int = setting(
        0,
        "GPU nodes kept warm beyond what serves. Load that rises by as much is served as soon as the model is loaded.",
        ge=0,
        le=100,
        expected="0 to 100",
        otherwise="every rise of the load waits for a new instance",
        example="1",
    )
    image: str = setting(
        "registry-cn-hangzhou.ack.aliyuncs.com/acs/pause:3.9",
        "Image of the pods that only hold a place (headroom and herald).",
        pattern=IMAGE,
        expected="an image with a fixed tag (not latest) or digest",
        otherwise="the places are not held",
        example="registry-cn-hangzhou.ack.aliyuncs.com/acs/pause:3.9",
    )
