"""Scans buckets with their contents, and log projects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ops.cloud.client import Cloud, patiently
from ops.cloud.errors import CloudError, explained
from ops.engine.stack_location import StackLocation
from ops.teardown.leftovers import Leftover, leftover

MANY = 10_000
"""Object versions are counted up to here: the report needs to say that there are some, not how many
millions.
"""


def buckets(
    cloud: Cloud, location: StackLocation, kept: frozenset[str] = frozenset()
) -> Iterator[Leftover]:
    """Buckets by name or tags, their object versions and their unfinished uploads. Of a kept one
    only the uploads count.
    """
    for name, why in _ours(cloud, location).items():
        if name not in kept:
            number, size, more = contents(cloud, name)
            if number:
                shown = f"{number:,}{' or more' if more else ''} in {name}, {size / 2**20:,.1f} MiB"
                yield leftover("object versions", name, shown, cloud.region)
        uploads = sum(1 for _ in _uploads(cloud, name))
        if uploads:
            yield leftover("unfinished uploads", name, f"{uploads} in {name}", cloud.region)
        if name not in kept:
            yield leftover("bucket", name, why, cloud.region)


def abort_uploads(cloud: Cloud, name: str) -> list[str]:
    """Aborts every unfinished upload of a bucket; returns their keys.

    They are no objects: OSS refuses to delete a bucket that has one, and the provider's emptying of
    the bucket (`forceDestroy`) then deletes an empty list of objects, which OSS answers with
    MalformedXML at each attempt. Raises CloudError that names the upload.
    """
    aborted = []
    for upload in list(_uploads(cloud, name)):
        _asked(
            cloud,
            f"AbortMultipartUpload of the unfinished upload of {upload.key} in bucket {name}",
            cloud.bucket(name).abort_multipart_upload,
            key=upload.key,
            upload_id=upload.upload_id,
        )
        aborted.append(upload.key)
    return aborted


def contents(cloud: Cloud, name: str) -> tuple[int, int, bool]:
    """(number, bytes, whether there are more) of the object versions and delete markers in a
    bucket; zeros for one that is gone.
    """
    number = size = 0
    key = version = ""
    while True:
        page = _asked(
            cloud,
            "ListObjectVersions",
            cloud.bucket(name).list_object_versions,
            key_marker=key,
            versionid_marker=version,
        )
        if page is None:
            return 0, 0, False
        number += len(page.versions) + len(page.delete_marker)
        size += sum(object_version.size or 0 for object_version in page.versions)
        if not page.is_truncated or number >= MANY:
            return number, size, bool(page.is_truncated)
        key, version = page.next_key_marker, page.next_versionid_marker


def _ours(cloud: Cloud, location: StackLocation) -> dict[str, str]:
    listed = list(names(cloud))
    named = {name: "named as this stack names it" for name in listed if name in location.buckets}
    tagged = {
        name: f"tags project={location.tags['project']}, stack={location.stack}"
        for name in listed
        if _has_tags(cloud, name, location)
    }
    return {**tagged, **named}


def names(cloud: Cloud) -> Iterator[str]:
    """Names of the account's buckets in this region."""
    service, marker = cloud.bucket_service(), ""
    while True:
        page = _asked(cloud, "ListBuckets", service.list_buckets, marker=marker)
        for one in page.buckets if page else ():
            if one.location in (None, "", f"oss-{cloud.region}"):
                yield one.name
        if not page or not page.is_truncated:
            return
        marker = page.next_marker


def _has_tags(cloud: Cloud, name: str, location: StackLocation) -> bool:
    answer = _asked(cloud, "GetBucketTagging", cloud.bucket(name).get_bucket_tagging)
    held = answer.tag_set.tagging_rule if answer else {}
    return location.tags.items() <= held.items()


def _uploads(cloud: Cloud, name: str) -> Iterator[Any]:
    key = upload = ""
    while True:
        page = _asked(
            cloud,
            "ListMultipartUploads",
            cloud.bucket(name).list_multipart_uploads,
            key_marker=key,
            upload_id_marker=upload,
        )
        if page is None:
            return
        yield from page.upload_list
        if not page.is_truncated:
            return
        key, upload = page.next_key_marker, page.next_upload_id_marker


def _asked(cloud: Cloud, call: str, ask: Callable[..., Any], **parameters: Any) -> Any:
    """The answer; None for a bucket that is gone, or, of tags, that others own."""
    try:
        return cloud.object_storage(call, lambda: ask(**parameters))
    except CloudError as error:
        if error.status == 404 or (error.status == 403 and call == "GetBucketTagging"):
            return None
        raise


def log_projects(cloud: Cloud, location: StackLocation) -> Iterator[Leftover]:
    """Log projects by tags, and that of a cluster the stack made."""
    names = dict.fromkeys(
        _tagged_projects(cloud, location),
        f"tags project={location.tags['project']}, stack={location.stack}",
    )
    if location.cluster_made and location.cluster:
        name_of_cluster = f"k8s-log-{location.cluster}"
        names |= (
            {name_of_cluster: f"of cluster {location.cluster}"}
            if name_of_cluster in _projects(cloud, name_of_cluster)
            else {}
        )
    for name, why in names.items():
        yield leftover("log project", name, why, cloud.region)


def _tagged_projects(cloud: Cloud, location: StackLocation) -> list[str]:
    from alibabacloud_sls20201230.models import ListTagResourcesRequest, ListTagResourcesRequestTags  # noqa: PLC0415 - 0.3 to 0.5 s, needed only once the guard has passed

    filters = [
        ListTagResourcesRequestTags(key=key, value=value) for key, value in location.tags.items()
    ]
    tags_by_project: dict[str, dict[str, str]] = {}
    request = ListTagResourcesRequest(
        resource_type="project", tags=filters
    )  # the package's request has no token: one page it is
    for row in _logs(cloud, "ListTagResources", request).body.tag_resources or []:
        tags_by_project.setdefault(row.resource_id, {})[row.tag_key] = row.tag_value
    return [
        name
        for name, tags in sorted(tags_by_project.items())
        if location.tags.items() <= tags.items()
    ]


def _projects(cloud: Cloud, name: str) -> list[str]:
    from alibabacloud_sls20201230.models import ListProjectRequest  # noqa: PLC0415 - 0.3 to 0.5 s, needed only once the guard has passed

    request = ListProjectRequest(project_name=name, size=100)
    return [
        project.project_name for project in _logs(cloud, "ListProject", request).body.projects or []
    ]


def _logs(cloud: Cloud, call: str, request: Any) -> Any:
    """One question to the log service."""
    from alibabacloud_sls20201230.client import Client  # noqa: PLC0415 - 0.3 to 0.5 s, needed only once the guard has passed

    client = Client(cloud.config(f"{cloud.region}.log.aliyuncs.com"))
    asked = {"ListTagResources": client.list_tag_resources, "ListProject": client.list_project}[
        call
    ]

    def once() -> Any:
        with explained(f"sls {call}"):
            return asked(request)

    return patiently(once)


__all__ = ["abort_uploads", "buckets", "contents", "log_projects"]
