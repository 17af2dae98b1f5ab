"""Inputs of components that are put together from several groups of settings."""

from typing import Any

from settings import names
from settings.cluster import ADDON_VERSIONS
from settings.cluster import CreateSettings as Create
from settings.root import Settings


def network(settings: Settings, create: Create) -> dict[str, Any]:
    """Inputs of the network that is made."""
    own = {
        "name": settings.cluster_name,
        "vswitches": create.vswitches,
        "cidr": create.vpc_cidr,
        "tags": settings.all_tags,
    }
    return {**own, "protect": create.protect}


def managed_cluster(settings: Settings, create: Create) -> dict[str, Any]:
    """Inputs of the cluster that is made."""
    own = {
        "name": settings.cluster_name,
        "terway_version": create.addon_version("terway-eniip"),
        "tags": settings.all_tags,
    }
    return {
        **own,
        **{
            key: getattr(create, key)
            for key in ("version", "spec", "service_cidr", "nat_gateway", "public_api", "protect")
        },
    }


def system_pool(settings: Settings, create: Create) -> dict[str, Any]:
    """Inputs of the system nodes."""
    own = {
        "size": create.system_size,
        "instance_types": create.system_instance_types,
        "disk_size": create.system_disk_size,
    }
    return {**own, "tags": settings.all_tags}


def addons(settings: Settings, create: Create) -> dict[str, Any]:
    """Inputs of the add-ons."""
    own = {
        "kind": settings.entry.kind,
        "metrics_addon": create.metrics_adapter == "addon",
        "policy_name": settings.ram_name("metrics"),
    }
    return {
        **own,
        "versions": {name: create.addon_version(name) for name in ADDON_VERSIONS},
        "tags": settings.all_tags,
    }


def metrics_adapter(settings: Settings, create: Create) -> dict[str, Any]:
    """Inputs of the metrics adapter's release."""
    version = create.addon_version("ack-alibaba-cloud-metrics-adapter")
    return {"region": settings.region, "version": version, "chart": create.metrics_adapter_chart}


def pool(settings: Settings) -> dict[str, Any]:
    """Inputs of the GPU node pool."""
    own = {"stack": settings.stack, "tags": settings.all_tags}
    return {
        **settings.node_pool.plain("vswitch_ids"),
        **own,
        **_adopted(settings, settings.adopted_pool),
    }


def store(settings: Settings) -> dict[str, Any]:
    """Inputs of the model's bucket and the model in it."""
    model = settings.model
    own = {
        "bucket": settings.bucket_name,
        "source": model.source,
        "prefix": model.key_prefix,
        "tags": settings.all_tags,
    }
    own["tensorflow"] = settings.server.tensorflow_version
    redundancy = settings.model_store.redundancy_in(settings.region)
    return {
        **settings.model_store.plain(),
        "redundancy": redundancy,
        **own,
        **_adopted(settings, settings.adopt.bucket),
    }


def access(settings: Settings) -> dict[str, Any]:
    """Inputs of the role and the policy the volume reads with."""
    adopted = settings.adopt.role_name
    own = {
        "role_name": adopted or settings.ram_name("reader"),
        "policy_name": settings.ram_name("read"),
        "tags": settings.all_tags,
    }
    return {**own, "prefix": settings.model.volume_prefix, **_adopted(settings, adopted)}


def namespace(settings: Settings) -> dict[str, Any]:
    """Inputs of the namespace."""
    return _adopted(settings, settings.namespace if settings.adopt.namespace else None)


def _adopted(settings: Settings, resource_id: str | None) -> dict[str, Any]:
    return {"adopt": resource_id, "change_adopted": settings.adopt.change}


def volume(settings: Settings) -> dict[str, Any]:
    """Inputs of the model's volume."""
    model = settings.model
    return {
        "region": settings.region,
        "path": model.mount_path,
        "options": model.volume_options,
        "size": model.volume_size,
    }


def server(settings: Settings) -> dict[str, Any]:
    """Inputs of the model server."""
    model = settings.model
    return {
        **settings.server.plain(),
        "model_name": model.name,
        "model_path": model.path,
        "mount_path": model.mount_path,
        "model_version": model.version,
        "timeout_seconds": settings.entry.timeout_seconds,
        "instance_types": settings.node_pool.instance_types,
    }


def hpa(settings: Settings) -> dict[str, Any]:
    """Inputs of the autoscaler."""
    moved = ("log_project", "floors", "outage_replicas", "outage_seconds")
    return {
        **settings.autoscaler.plain(*moved),
        "name": settings.hpa_name,
        "kind": settings.entry.kind,
        "route": settings.route,
        "minimum_moves": settings.autoscaler.minimum_moves,
    }


def entry(settings: Settings) -> dict[str, Any]:
    """Inputs of the entry; those who may call it are the network policy's."""
    return {
        **settings.entry.plain("controller_namespace", "source_cidrs"),
        **settings.entry_secrets,
        "model_name": settings.model.name,
    }


def headroom(settings: Settings) -> dict[str, Any]:
    """Inputs of the headroom."""
    server = settings.server
    size = {"gpus": server.gpus, "cpu": server.cpu, "memory": server.memory}
    return {
        **settings.headroom.plain(),
        **size,
        "name": server.name,
        "pods_per_node": settings.pods_per_node,
    }


def herald(settings: Settings) -> dict[str, Any]:
    """Inputs of the herald; only the cluster-autoscaler has the wait it ends."""
    scaler = settings.node_scaler
    wanted = scaler.skip_gpu_wait and scaler.mode == "cluster-autoscaler"
    return {"enabled": wanted, "name": settings.server.name, "image": settings.headroom.image}


def handler(settings: Settings) -> dict[str, Any]:
    """Inputs of the interruption handler: its settings, and the names and labels by which it knows
    what it looks after.
    """
    server = settings.server
    return {
        **settings.interruption.plain(),
        "name": server.name,
        "deployment": settings.deployment_name,
        "hpa": settings.hpa_name,
        "selector": names.serving_labels(server.name, server.version),
        "node_labels": settings.node_pool.labels
        | ({} if settings.adopt.node_pool_id else {names.STACK_LABEL: settings.stack}),
        "mix": _mix(settings),
        "floors": _floors(settings),
    }


def _mix(settings: Settings) -> dict[str, Any] | None:
    pool = settings.node_pool
    if not settings.mix.enabled or pool.spot_strategy == "NoSpot":
        return None
    wanted = {
        "base": pool.on_demand_base,
        "percent": pool.on_demand_percent,
        "max_nodes": pool.max_size,
    }
    return {**settings.mix.plain("enabled"), **wanted}


def _floors(settings: Settings) -> dict[str, Any] | None:
    if not settings.autoscaler.minimum_moves:
        return None
    scaler = settings.autoscaler
    return {
        "base": scaler.min_replicas,
        "schedules": [floor.plain() for floor in scaler.floors],
        "outage_replicas": scaler.outage_replicas,
        "outage_seconds": scaler.outage_seconds,
    }
