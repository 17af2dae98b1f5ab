"""Scans buckets with their contents, and log projects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ops.cloud.client import Cloud, patiently
from ops.cloud.errors import CloudError, explained
from ops.engine.stack_location import Owner, StackLocation
from ops.teardown.leftovers import Doubtful, Leftover, claimed, leftover

MANY = 10_000
"""Object versions are counted up to here: the report needs to say that there are some, not how many
millions.
"""


def buckets(
    cloud: Cloud, location: StackLocation, kept: frozenset[str] = frozenset()
) -> Iterator[Leftover | Doubtful]:
    """Buckets by name or tags, their object versions and their unfinished uploads. Of a kept one
    only the uploads count.
    """
    for name, why, owner in _claimed_buckets(cloud, location):
        if owner is Owner.UNCLEAR:
            yield Doubtful("bucket", name, why)
            continue
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


def _claimed_buckets(cloud: Cloud, location: StackLocation) -> Iterator[tuple[str, str, Owner]]:
    """(name, reason, whose it is) of the buckets that are the stack's or perhaps the stack's. Its
    own name has a digest of project, stack and cluster; a tag that contradicts it wins.
    """
    for name in list(names(cloud)):
        tags = _tags(cloud, name)
        owner = location.owner(tags)
        if name in location.buckets and not location.contradicted_by(tags):
            yield name, "named as this stack names it", Owner.OURS
        elif owner is not Owner.OTHER:
            yield name, f"tags project={location.tags['project']}, stack={location.stack}", owner


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


def _tags(cloud: Cloud, name: str) -> dict[str, str]:
    answer = _asked(cloud, "GetBucketTagging", cloud.bucket(name).get_bucket_tagging)
    return dict(answer.tag_set.tagging_rule) if answer else {}


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


def log_projects(cloud: Cloud, location: StackLocation) -> Iterator[Leftover | Doubtful]:
    """Log projects by tags, and that of a cluster the stack made."""
    name_of_cluster = f"k8s-log-{location.cluster}"
    if location.cluster_made and location.cluster and name_of_cluster in _projects(cloud, name_of_cluster):  # fmt: skip
        yield leftover("log project", name_of_cluster, f"of cluster {location.cluster}", cloud.region)  # fmt: skip
    why = f"tags project={location.tags['project']}, stack={location.stack}"
    for name, tags in _tagged_projects(cloud, location).items():
        yield from claimed(location, tags, "log project", name, why, cloud.region)


def _tagged_projects(cloud: Cloud, location: StackLocation) -> dict[str, dict[str, str]]:
    """All tags, by name, of the projects with the stack's tags."""
    from alibabacloud_sls20201230.models import ListTagResourcesRequest, ListTagResourcesRequestTags  # noqa: PLC0415 - 0.3 to 0.5 s, needed only once the guard has passed

    filters = [
        ListTagResourcesRequestTags(key=key, value=value) for key, value in location.tags.items()
    ]
    # the package's request has no token: one page it is
    tagged = ListTagResourcesRequest(resource_type="project", tags=filters)
    rows = _logs(cloud, "ListTagResources", tagged).body.tag_resources or []
    found = sorted({row.resource_id for row in rows})
    if not found:
        return {}
    # asked again by name: the answer to a question by tags may have no others than those
    named = ListTagResourcesRequest(resource_type="project", resource_id=found)
    tags_by_project: dict[str, dict[str, str]] = {name: {} for name in found}
    for row in _logs(cloud, "ListTagResources", named).body.tag_resources or []:
        tags_by_project.setdefault(row.resource_id, {})[row.tag_key] = row.tag_value
    return tags_by_project


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
