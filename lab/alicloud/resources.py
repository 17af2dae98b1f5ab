"""Everything that exists in the region, by kind: what a teardown must leave as it was."""

from __future__ import annotations

from lab.alicloud.documents import all_instances
from lab.alicloud.state import Region

KINDS = {
    "vpc": "vpc",
    "vswitch": "vswitch",
    "security_group": "security_group",
    "cluster": "cluster",
    "node_pool": "nodepool",
    "addon": "addon",
    "ram_role": "ram_role",
    "ram_policy": "ram_policy",
    "ram_attachment": "ram_attachment",
    "ram_user": "ram_user",
    "ram_access_key": "ram_access_key",
    "oidc_provider": "oidc_provider",
    "bucket": "bucket",
    "multipart_upload": "upload",
    "log_project": "log_project",
    "logstore": "logstore",
    "load_balancer": "load_balancer",
    "eip": "eip",
    "disk": "disk",
    "nat_gateway": "nat_gateway",
    "scaling_group": "scaling_group",
}


def listing(region: Region) -> dict[str, list[str]]:
    """Ids of all resources by kind, sorted. Tasks, timers, temporary keys and released instances
    are no resources.
    """
    found = {name: sorted(region.store.ids(kind)) for name, kind in KINDS.items()}
    found["instance"] = sorted(
        i["instance_id"] for i in all_instances(region) if i["status"] != "Deleted"
    )
    rows = region.store.sql("SELECT bucket, key, version FROM object ORDER BY bucket, key, seq")
    found["object_version"] = [
        f"{row['bucket']}/{row['key']}?versionId={row['version']}" for row in rows
    ]
    return found


def compare(
    fresh: dict[str, list[str]], now: dict[str, list[str]]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """(what there is more than in the fresh lab, what is missing), empty kinds left out."""
    extra, missing = {}, {}
    for kind in sorted(set(fresh) | set(now)):
        more = sorted(set(now.get(kind, [])) - set(fresh.get(kind, [])))
        less = sorted(set(fresh.get(kind, [])) - set(now.get(kind, [])))
        if more:
            extra[kind] = more
        if less:
            missing[kind] = less
    return extra, missing
