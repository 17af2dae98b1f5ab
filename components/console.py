"""Links to Alibaba Cloud's consoles.

The tutorial's O&M console (AI Dashboard) takes no new users since January 2025; the pages here show
the same: nodes by charge type, pods, logs, model.
"""

import pulumi
from pulumi import Input

from components.compute.prerequisites import ClusterContext
from settings import Settings


def console_links(
    settings: Settings, cluster: ClusterContext, node_pool_id: Input[str], bucket: Input[str]
) -> dict[str, Input[str]]:
    """Links to node pool, pods, ingress log, model and spot instances, by name."""
    cluster_page = pulumi.Output.concat(
        "https://cs.console.alibabacloud.com/#/k8s/cluster/", cluster.cluster_id
    )
    return {
        "nodePool": pulumi.Output.concat(cluster_page, "/nodepool/", node_pool_id),
        "pods": pulumi.Output.concat(
            cluster_page,
            f"/v2/workload/deployment/detail/{settings.namespace}/{settings.deployment_name}",
        ),
        "ingressLog": pulumi.Output.concat(
            "https://sls.console.alibabacloud.com/lognext/project/",
            cluster.log_project,
            "/overview",
        ),
        "model": pulumi.Output.concat(
            "https://oss.console.alibabacloud.com/bucket/oss-",
            settings.region,
            "/",
            bucket,
            "/object",
        ),
        "spotInstances": f"https://ecs.console.alibabacloud.com/server/region/{settings.region}#/?tag=stack:{settings.stack}",
    }
