"""Uploads that are interrupted: by faults, by the clock, by a cancellation, by a kill. The next run
takes them up again.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import oss2
import pytest
from google.protobuf import empty_pb2

from tests.plugins.ossmodel import savedmodels
from tests.plugins.ossmodel.cloud import Cloud
from tests.plugins.ossmodel.process import Failure, Plugin
from tests.plugins.ossmodel.test_lifecycle import MANIFEST, MIB, PATH, news, puts

SHARD = "variables/variables.data-00000-of-00001"
KEY = f"{PATH}/{SHARD}"
BIG = savedmodels.noise(8 * MIB)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ({"status": 500}, "partNumber=3"),
        ({"status": 503, "code": "ServiceUnavailable"}, "partNumber=1&|partNumber=1$"),
        ({"kind": "reset"}, "partNumber=5"),
        ({"status": 500}, r"uploads"),
        ({"status": 500}, r"saved_model\.pb"),
        ({"kind": "reset"}, r"\.ossmodel"),
        ({"kind": "answered-but-lost"}, "partNumber=2"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_passing_fault_is_repeated_without_anyone_noticing(
    plugin: Plugin, bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path, kind: dict, path: str
) -> None:
    savedmodels.make(tmp_path, shard=BIG)
    cloud.fault(match={"host": bucket.bucket_name, "path": path}, times=1, **kind)
    _, state = plugin.create(plugin.checked(news(bucket, partSizeMib=1)))
    assert state["fileCount"] == 3
    assert bucket.get_object(KEY).read() == BIG
    assert bucket.list_multipart_uploads().upload_list == []


def test_an_answer_to_the_last_step_that_was_lost_is_not_an_upload_from_the_beginning(
    plugin: Plugin, bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path, shard=BIG)
    match = {"host": bucket.bucket_name, "method": "POST", "path": "uploadId="}
    cloud.fault(match=match, times=1, kind="answered-but-lost")
    plugin.create(plugin.checked(news(bucket, partSizeMib=1)))
    assert puts(cloud, bucket).count(KEY) == 8
    assert not list((tmp_path / "cache").rglob("*.json"))


def _fail_for_good(cloud: Cloud, bucket: oss2.Bucket, path: str, skip: int = 0) -> None:
    match = {"host": bucket.bucket_name, "path": path}
    cloud.fault(
        match=match, times=1000, skip=skip, status=403, code="AccessDenied", message="not now"
    )


def test_a_create_that_failed_half_way_is_kept_with_what_it_has_and_goes_on(
    plugin: Plugin, bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path, shard=BIG)
    inputs = plugin.checked(news(bucket, partSizeMib=1, parallel=2))
    _fail_for_good(cloud, bucket, "partNumber", skip=5)
    with pytest.raises(Failure) as caught:
        plugin.create(inputs)
    failure = caught.value
    assert (
        failure.partial is not None and failure.partial.id == f"oss://{bucket.bucket_name}/{PATH}"
    )
    assert failure.state["drift"] == ["unfinished: 2 of 3 files are there"]
    assert failure.state["owner"]
    assert not json.loads(bucket.get_object(MANIFEST).read())["complete"]
    cloud.control("DELETE", "/_lab/faults")
    before = puts(cloud, bucket)
    state = plugin.update(failure.partial.id, failure.state, inputs)
    written = puts(cloud, bucket)[len(before) :]
    assert 0 < written.count(KEY) <= 4 and f"{PATH}/saved_model.pb" not in written
    assert bucket.get_object(KEY).read() == BIG and state["digest"] == inputs["digest"]


def test_a_failed_create_can_be_destroyed_without_a_trace(
    plugin: Plugin, bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path, shard=BIG)
    _fail_for_good(cloud, bucket, "partNumber", skip=3)
    with pytest.raises(Failure) as caught:
        plugin.create(plugin.checked(news(bucket, partSizeMib=1)))
    cloud.control("DELETE", "/_lab/faults")
    assert bucket.list_multipart_uploads().upload_list
    assert caught.value.partial
    plugin.delete(caught.value.partial.id, caught.value.state)
    bucket.delete_bucket()


def test_a_file_changed_between_two_attempts_starts_anew_and_its_old_parts_go(
    plugin: Plugin, bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:

    directory = savedmodels.make(tmp_path, shard=BIG)
    shard = directory / SHARD
    info = shard.stat()
    _fail_for_good(cloud, bucket, "partNumber", skip=5)
    with pytest.raises(Failure):
        plugin.create(plugin.checked(news(bucket, partSizeMib=1)))
    cloud.control("DELETE", "/_lab/faults")
    other = savedmodels.noise(8 * MIB, seed=2)
    savedmodels.make(tmp_path, shard=other)
    os.utime(shard, ns=(info.st_atime_ns, info.st_mtime_ns))
    plugin.create(plugin.checked(news(bucket, partSizeMib=1)))
    assert bucket.get_object(KEY).read() == other
    assert bucket.list_multipart_uploads().upload_list == []


def test_damage_on_the_way_is_found_and_repaired(
    plugin: Plugin, bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path, shard=BIG)
    inputs = plugin.checked(news(bucket, partSizeMib=1))
    _fail_for_good(cloud, bucket, "partNumber", skip=5)
    with pytest.raises(Failure) as caught:
        plugin.create(inputs)
    cloud.control("DELETE", "/_lab/faults")
    (upload,) = bucket.list_multipart_uploads().upload_list
    part = bucket.list_parts(KEY, upload.upload_id).parts[0]
    bucket.upload_part(KEY, upload.upload_id, part.part_number, b"damaged!" * (MIB // 8))
    assert caught.value.partial
    plugin.update(caught.value.partial.id, caught.value.state, inputs)
    assert bucket.get_object(KEY).read() == BIG
    assert bucket.list_multipart_uploads().upload_list == []


def _slow(
    cloud: Cloud, bucket: oss2.Bucket, path: str, seconds: float = 3600, times: int = 100
) -> None:
    cloud.fault(
        match={"host": bucket.bucket_name, "path": path}, times=times, kind="delay", seconds=seconds
    )


def _create_in_background(plugin: Plugin, inputs: dict) -> tuple[threading.Thread, list]:
    result: list = []

    def run() -> None:
        try:
            result.append(plugin.create(inputs))
        except Failure as failure:
            result.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, result


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 1500
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


def test_a_cancellation_waits_for_no_part_under_way_and_the_next_run_goes_on(
    plugin: Plugin, start: Callable[..., Plugin], bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:

    savedmodels.make(tmp_path, shard=BIG)
    inputs = plugin.checked(news(bucket, partSizeMib=1, parallel=2))
    _slow(cloud, bucket, "partNumber=[4-8]", seconds=3600)
    thread, result = _create_in_background(plugin, inputs)
    _until(lambda: puts(cloud, bucket).count(KEY) >= 3, "the third part")
    plugin.call("Cancel", empty_pb2.Empty())
    thread.join(1500)
    [failure] = result
    assert "cancelled" in failure.message
    assert failure.state["drift"] == ["unfinished: 2 of 3 files are there"]
    plugin.close()
    cloud.control("DELETE", "/_lab/faults")
    before = puts(cloud, bucket)
    again = start(**cloud.environment)
    again.configure()
    again.update(failure.partial.id, failure.state, inputs)
    assert 0 < puts(cloud, bucket)[len(before) :].count(KEY) <= 6
    assert bucket.get_object(KEY).read() == BIG


def test_a_kill_in_the_middle_leaves_what_the_next_create_goes_on_with(
    plugin: Plugin, start: Callable[..., Plugin], bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path, shard=BIG)
    inputs = plugin.checked(news(bucket, partSizeMib=1, parallel=1))
    _slow(cloud, bucket, "partNumber=6")
    thread, _ = _create_in_background(plugin, inputs)
    _until(lambda: puts(cloud, bucket).count(KEY) >= 5, "the fifth part")
    plugin.process.kill()
    thread.join(1500)
    cloud.control("DELETE", "/_lab/faults")
    before = puts(cloud, bucket)
    again = start(**cloud.environment)
    again.configure()
    _, state = again.create(inputs)
    assert 0 < puts(cloud, bucket)[len(before) :].count(KEY) <= 4
    assert bucket.get_object(KEY).read() == BIG and state["digest"] == inputs["digest"]
    assert bucket.list_multipart_uploads().upload_list == []


def test_a_time_limit_ends_the_upload_and_keeps_what_is_there(
    plugin: Plugin, bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path, shard=BIG)
    inputs = plugin.checked(news(bucket, partSizeMib=1, parallel=1))
    _slow(cloud, bucket, "partNumber", seconds=0.5)
    with pytest.raises(Failure) as caught:
        plugin.create(inputs, timeout=2)
    assert "time limit" in caught.value.message and caught.value.partial is not None


def test_a_record_directory_that_cannot_be_written_stops_before_the_upload_and_works_after_it_is_free(
    start: Callable[..., Plugin], bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path, shard=BIG)
    (tmp_path / "full").write_text("a file where a directory should be")
    plugin = start(**{**cloud.environment, "EI_CACHE": str(tmp_path / "full")})
    plugin.configure()
    inputs = plugin.checked(news(bucket, partSizeMib=1))
    with pytest.raises(Failure) as caught:
        plugin.create(inputs)
    assert "EI_CACHE" in caught.value.message and "same command again" in caught.value.message
    (tmp_path / "full").unlink()
    assert caught.value.partial
    state = plugin.update(caught.value.partial.id, caught.value.state, inputs)
    assert state["digest"] == inputs["digest"]


def test_a_long_upload_tells_how_far_it_is(
    plugin: Plugin, bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path, shard=BIG)
    _slow(cloud, bucket, "partNumber=[2-6]", seconds=0.8)
    plugin.create(plugin.checked(news(bucket, partSizeMib=1, parallel=1)))
    message = plugin.engine.wait_for("uploading")
    assert "of 3 files" in message and "of 8.0 MiB" in message and "MiB/s" in message
    assert all(ephemeral for _, text, ephemeral in plugin.engine.messages if "uploading" in text)
