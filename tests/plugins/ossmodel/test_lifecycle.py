"""A model's whole life in a bucket: created, unchanged, updated, replaced, imported, deleted, with
nothing left.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import oss2
import pytest

from tests.plugins.ossmodel import savedmodels
from tests.plugins.ossmodel.cloud import Cloud
from tests.plugins.ossmodel.process import Failure, Plugin

PATH = "models/tensorflow/1623831335"
MANIFEST = "models/tensorflow/.ossmodel/1623831335.json"
MIB = 1 << 20


def news(bucket: oss2.Bucket, **more: object) -> dict:
    """Inputs of the model that each test makes in the plugin's working directory."""
    return {
        "bucket": bucket.bucket_name,
        "prefix": "models/tensorflow",
        "source": "1623831335",
        **more,
    }


def keys(bucket: oss2.Bucket) -> list[str]:
    """Every key in the bucket."""
    return sorted(item.key for item in oss2.ObjectIteratorV2(bucket))


def puts(cloud: Cloud, bucket: oss2.Bucket) -> list[str]:
    """Keys that were written, in order (parts count as writes of their object)."""

    calls = [
        call
        for call in cloud.calls(bucket.bucket_name)
        if call["method"] == "PUT" and call["path"] != "/"
    ]
    return [unquote(call["path"].lstrip("/")) for call in calls]


def test_create_uploads_every_file_and_the_manifest_last(
    plugin: Plugin, bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:
    directory = savedmodels.make(tmp_path, assets__vocab=b"words", assets__词表=b"unicode")
    inputs = plugin.checked(news(bucket))
    id_, state = plugin.create(inputs)
    assert id_ == f"oss://{bucket.bucket_name}/{PATH}"
    local = {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }
    assert keys(bucket) == sorted([MANIFEST, *(f"{PATH}/{name}" for name in local)])
    for name, content in local.items():
        assert bucket.get_object(f"{PATH}/{name}").read() == content
    assert puts(cloud, bucket)[-1] == MANIFEST
    assert (
        state["digest"] == inputs["digest"]
        and state["path"] == PATH
        and state["version"] == "1623831335"
    )
    assert (
        state["fileCount"] == len(local) == 5
        and state["bytes"] == sum(map(len, local.values()))
        and state["drift"] == []
    )


def test_the_manifest_says_what_is_there(
    plugin: Plugin, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    _, state = plugin.create(plugin.checked(news(bucket)))
    manifest = json.loads(bucket.get_object(MANIFEST).read())
    assert (
        set(manifest["files"])
        == {
            "saved_model.pb",
            "variables/variables.index",
            "variables/variables.data-00000-of-00001",
        }
        and manifest["digest"] == state["digest"]
        and manifest["path"] == PATH
        and manifest["complete"]
    )
    assert manifest["source"] == "1623831335" and manifest["owner"] == state["owner"]


def test_objects_have_the_type_of_their_file(
    plugin: Plugin, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path, shard=savedmodels.noise(2 * MIB))
    plugin.create(plugin.checked(news(bucket, partSizeMib=1)))
    assert bucket.head_object(f"{PATH}/saved_model.pb").content_type == "application/x-protobuf"
    assert (
        bucket.head_object(f"{PATH}/variables/variables.data-00000-of-00001").content_type
        == "application/octet-stream"
    )
    assert bucket.head_object(MANIFEST).content_type == "application/json"


def test_a_large_file_goes_in_parts_and_leaves_no_record(
    plugin: Plugin, bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:
    data = savedmodels.noise(5 * MIB + 123)
    savedmodels.make(tmp_path, shard=data)
    plugin.create(plugin.checked(news(bucket, partSizeMib=1, parallel=3)))
    manifest = json.loads(bucket.get_object(MANIFEST).read())
    key = f"{PATH}/variables/variables.data-00000-of-00001"
    assert puts(cloud, bucket).count(key) == 6
    head = bucket.head_object(key)
    assert head.object_type == "Multipart"
    assert (
        str(head.server_crc)
        == manifest["files"]["variables/variables.data-00000-of-00001"]["crc64"]
    )
    assert bucket.get_object(key).read() == data
    assert not list((tmp_path / "cache").rglob("*.json"))


def test_reading_back_is_no_difference(plugin: Plugin, bucket: oss2.Bucket, tmp_path: Path) -> None:
    savedmodels.make(tmp_path)
    inputs = plugin.checked(news(bucket))
    id_, state = plugin.create(inputs)
    read_id, read_state, read_inputs = plugin.read(id_, state, inputs)
    assert (read_id, read_state, read_inputs) == (id_, state, inputs)
    answer = plugin.diff(read_state, plugin.checked(news(bucket), inputs))
    assert answer.changes == answer.DIFF_NONE


def test_delete_leaves_nothing_and_can_be_repeated(
    plugin: Plugin, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    bucket.put_object("models/tensorflow/1623831335x/kept", b"a neighbour")
    bucket.put_object(f"{PATH}/", b"")
    id_, state = plugin.create(plugin.checked(news(bucket)))
    plugin.delete(id_, state)
    assert keys(bucket) == [f"{PATH}/", "models/tensorflow/1623831335x/kept"]
    plugin.delete(id_, state)
    assert plugin.read(id_, state) == ("", {}, {})


def test_delete_in_a_versioned_bucket_leaves_no_version_no_marker_and_no_unfinished_upload(
    plugin: Plugin, cloud: Cloud, tmp_path: Path
) -> None:
    bucket = cloud.new_bucket("versioned-models", versioned=True)
    directory = savedmodels.make(tmp_path, assets__old=b"old")
    inputs = plugin.checked(news(bucket))
    id_, state = plugin.create(inputs)
    (directory / "assets/old").unlink()
    (directory / "saved_model.pb").write_bytes(savedmodels.GRAPH * 2)
    state = plugin.update(id_, state, plugin.checked(news(bucket)))
    bucket.init_multipart_upload(f"{PATH}/saved_model.pb")
    listed = bucket.list_object_versions()
    assert len(listed.versions) > 5
    plugin.delete(id_, state)
    listed = bucket.list_object_versions()
    assert (listed.versions, listed.delete_marker) == ([], [])
    assert bucket.list_multipart_uploads().upload_list == []
    bucket.delete_bucket()


def test_deleting_from_a_bucket_that_is_gone_is_done_already(
    plugin: Plugin, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    id_, state = plugin.create(plugin.checked(news(bucket)))
    for key in keys(bucket):
        bucket.delete_object(key)
    bucket.delete_bucket()
    assert plugin.read(id_, state) == ("", {}, {})
    plugin.delete(id_, state)


def test_a_resource_that_was_renamed_does_not_delete_its_successors_objects(
    plugin: Plugin, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    inputs = plugin.checked(news(bucket))
    id_, old = plugin.create(inputs)
    same_id, new = plugin.create(inputs)
    before = keys(bucket)
    plugin.delete(id_, old)
    assert same_id == id_ and keys(bucket) == before and len(before) == 4
    assert "taken over by another resource" in plugin.engine.wait_for("taken over")
    plugin.delete(id_, new)
    assert keys(bucket) == []


def test_another_version_is_created_beside_the_old_one(
    plugin: Plugin, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    savedmodels.make(tmp_path, "1700000000")
    old_inputs = plugin.checked(news(bucket))
    old_id, old = plugin.create(old_inputs)
    inputs = plugin.checked(news(bucket, source="1700000000"), old_inputs)
    assert list(plugin.diff(old, inputs).replaces) == ["version"]
    new_id, state = plugin.create(inputs)
    assert f"{PATH}/saved_model.pb" in keys(
        bucket
    ) and "models/tensorflow/1700000000/saved_model.pb" in keys(bucket)
    plugin.delete(old_id, old)
    assert len(keys(bucket)) == 4 and plugin.read(new_id, state, inputs)[1] == state


def test_import_of_a_model_it_uploaded_needs_no_change(
    plugin: Plugin, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    id_, state = plugin.create(plugin.checked(news(bucket)))
    imported_id, imported, inputs = plugin.read(id_.removeprefix("oss://"))
    signatures = state.pop("signatures")  # the bucket doesn't tell; the next update brings them
    assert signatures == {"serving_default": "nothing -> weights uint8[700]"}
    assert imported_id == id_ and imported == state and inputs["source"] == "1623831335"
    answer = plugin.diff(imported, plugin.checked(news(bucket), inputs))
    assert answer.changes == answer.DIFF_NONE


def test_import_of_a_model_another_tool_uploaded_compares_by_crc(
    plugin: Plugin, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    directory = savedmodels.make(tmp_path)
    for path in directory.rglob("*"):
        if path.is_file():
            bucket.put_object(f"{PATH}/{path.relative_to(directory).as_posix()}", path.read_bytes())
    _, imported, inputs = plugin.read(f"oss://{bucket.bucket_name}/{PATH}")
    assert imported["fileCount"] == 3 and imported["drift"] == []
    checked = plugin.checked(news(bucket), inputs)
    answer = plugin.diff(imported, checked)
    assert answer.changes == answer.DIFF_NONE
    (directory / "saved_model.pb").write_bytes(savedmodels.GRAPH * 2)
    changed = plugin.checked(news(bucket), inputs)
    assert list(plugin.diff(imported, changed).replaces) == ["variant"]


def test_import_of_something_that_is_not_there_finds_nothing(
    plugin: Plugin, bucket: oss2.Bucket
) -> None:
    assert plugin.read(f"oss://{bucket.bucket_name}/{PATH}")[0] == ""


@pytest.mark.parametrize("wrong", ["models", "oss://b/prefix/latest"])
def test_import_with_an_id_of_another_form_says_the_right_one(offline: Plugin, wrong: str) -> None:
    with pytest.raises(Failure) as caught:
        offline.read(wrong)
    assert (
        "oss://<bucket>/<prefix>/<version>" in caught.value.message
        and repr(wrong) in caught.value.message
    )


def test_a_source_changed_since_the_preview_is_not_uploaded(
    plugin: Plugin, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    directory = savedmodels.make(tmp_path)
    inputs = plugin.checked(news(bucket))
    (directory / "saved_model.pb").write_bytes(savedmodels.GRAPH * 2)
    with pytest.raises(Failure) as caught:
        plugin.create(inputs)
    assert "changed while it was read" in caught.value.message and caught.value.partial is None
    assert keys(bucket) == []


def test_a_certificate_file_of_openssl_is_trusted_too(
    start: Callable[..., Plugin], cloud: Cloud, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    env = cloud.environment
    env["SSL_CERT_FILE"] = env.pop("REQUESTS_CA_BUNDLE")
    plugin = start(**env)
    plugin.configure()
    assert plugin.create(plugin.checked(news(bucket)))[0]
