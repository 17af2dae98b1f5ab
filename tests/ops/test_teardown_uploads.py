"""Unfinished uploads of a bucket are aborted before it goes: with one, no bucket can be deleted."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from ops.cloud.errors import CloudError
from ops.cloud.resources import BUCKET
from ops.engine.checkpoint import Resource
from ops.teardown import scan_store
from ops.teardown.plan import Plan, Stage
from ops.teardown.teardown import Teardown


class Bucket:
    """A bucket with unfinished uploads, listed one a page."""

    def __init__(self, *uploads: tuple[str, str]) -> None:
        self.uploads = list(uploads)
        self.refused: CloudError | None = None

    def list_multipart_uploads(self, key_marker: str, upload_id_marker: str) -> Any:
        """The page after the marker."""
        marker = (key_marker, upload_id_marker)
        after = [upload for upload in self.uploads if upload > marker]
        rows = [SimpleNamespace(key=key, upload_id=number) for key, number in after[:1]]
        key, number = after[0] if after else ("", "")
        return SimpleNamespace(
            upload_list=rows,
            is_truncated=len(after) > 1,
            next_key_marker=key,
            next_upload_id_marker=number,
        )

    def abort_multipart_upload(self, key: str, upload_id: str) -> None:
        """Take one out."""
        if self.refused:
            raise self.refused
        self.uploads.remove((key, upload_id))


class Cloud:
    """An account with buckets."""

    def __init__(self, **buckets: Bucket) -> None:
        self.buckets = buckets

    def bucket(self, name: str) -> Bucket:
        """The client of one."""
        return self.buckets[name]

    def object_storage(self, call: str, ask: Callable[[], Any]) -> Any:
        """The answer; an error names the call."""
        try:
            return ask()
        except CloudError as error:
            raise CloudError(f"oss {call}", error.code, "no", error.status) from None


UPLOADS = (("models/a", "1"), ("models/a", "2"), ("other/b", "1"))


def test_every_upload_of_a_bucket_is_aborted_on_every_page() -> None:
    cloud: Any = Cloud(mine=Bucket(*UPLOADS))
    assert scan_store.abort_uploads(cloud, "mine") == ["models/a", "models/a", "other/b"]
    assert cloud.bucket("mine").uploads == []


@pytest.mark.parametrize(("status", "named"), [(404, False), (403, True)])
def test_one_that_is_gone_is_done_and_one_that_may_not_be_aborted_is_named(
    status: int, named: bool
) -> None:
    cloud: Any = Cloud(mine=Bucket(*UPLOADS[:1]))
    cloud.bucket("mine").refused = CloudError("x", "Some", "no", status)
    if not named:
        scan_store.abort_uploads(cloud, "mine")
        return
    with pytest.raises(CloudError, match="unfinished upload of models/a in bucket mine"):
        scan_store.abort_uploads(cloud, "mine")


def test_only_buckets_that_go_lose_theirs(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Resource(f"urn:{name}", BUCKET, name) for name in ("mine", "kept", "adopted")]
    stage = Stage("store", tuple(rows))
    teardown = object.__new__(Teardown)
    cloud: Any = Cloud(**{row.id: Bucket(*UPLOADS) for row in rows})
    teardown.cloud = cloud
    planned = Plan((stage,), adopted=(rows[2],), retained=(rows[1],))
    teardown._abort_uploads(planned, [stage])
    assert [len(bucket.uploads) for bucket in cloud.buckets.values()] == [0, 3, 3]
    assert "unfinished upload of other/b in mine: aborted" in capsys.readouterr().out
