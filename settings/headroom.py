"""Group `headroom`: over-provisioning with placeholder pods, so that a rise of the load finds warm
nodes.
"""

from collections.abc import Iterator

from settings.autoscaler import AutoscalerSettings
from settings.core.field import Group, Text, setting
from settings.core.problem import Problem, set_command
from settings.core.rule import rule
from settings.core.types import IMAGE
from settings.node_pool import NodePoolSettings, nodes_for
from settings.server import ServerSettings


class HeadroomSettings(Group):
    """Over-provisioning: placeholder pods hold warm GPU nodes and give way to serving pods."""

    nodes: int = setting(
        0,
        "Number of GPU nodes kept warm beyond those that serve. A load that rises by their capacity is served as soon as the model is loaded.",
        ge=0,
        le=100,
        expected="0 to 100",
        consequence="every rise of the load waits for a new instance to boot",
        example="1",
    )
    image: Text = setting(
        "registry-cn-hangzhou.ack.aliyuncs.com/acs/pause:3.9",
        "Image of the placeholder pods (headroom, and the GPU scale-up trigger of nodeScaler.skipGpuWait).",
        pattern=IMAGE,
        expected="an image with a fixed tag (not latest) or digest",
        consequence="the placeholder pods don't start and hold no node",
        example="registry-cn-hangzhou.ack.aliyuncs.com/acs/pause:3.9",
    )


@rule(
    "headroom.nodes",
    "nodePool.maxSize",
    "nodePool.instanceTypes",
    "autoscaler.minReplicas",
    "server.gpus",
)
def _headroom_has_room(
    headroom: HeadroomSettings,
    node_pool: NodePoolSettings,
    autoscaler: AutoscalerSettings,
    server: ServerSettings,
) -> Iterator[Problem]:
    warm, maximum = headroom.nodes, node_pool.max_size
    fewest = nodes_for(autoscaler.min_replicas, node_pool, server)
    most = nodes_for(autoscaler.max_replicas, node_pool, server)
    if warm and warm + fewest > maximum:
        yield Problem(
            "headroom.nodes",
            warm,
            f"at most {max(0, maximum - fewest)}: nodePool.maxSize is {maximum}, and {fewest} serve at least",
            "the nodes are never warm: there is no room for them even at the lowest load",
            set_command("nodePool.maxSize", str(warm + most)),
        )
