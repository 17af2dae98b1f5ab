"""The model's bytes are the checked ones, lie where nobody else's do, and nobody else's are
touched. The provider's parts are called in this process, against the cloud double.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oss2
import pytest

from providers.ossmodel import diff, digest, inputs, savedmodel, settings, sync
from providers.ossmodel.connect import connect
from providers.ossmodel.control import Control
from providers.ossmodel.engine import Reporter
from providers.ossmodel.errors import ModelError
from providers.ossmodel.remote import Remote
from providers.ossmodel.transfer import TransferBucket
from tests.plugins.ossmodel import savedmodels
from tests.plugins.ossmodel.cloud import Cloud
from tests.plugins.ossmodel.test_lifecycle import MANIFEST, MIB, PATH, keys, puts

URN = "urn:pulumi:dev::project::ossmodel:index:Model::model"
SHARD = "variables/variables.data-00000-of-00001"


class Log:
    """Keeps what the user is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def send(self, severity: str, message: str, urn: str = "", ephemeral: bool = False) -> None:
        """See `engine.Log`."""
        self.said.append(message)


class Model:
    """One resource, as the engine would drive it: its checked inputs and its state."""

    def __init__(
        self, cloud: Cloud, bucket: oss2.Bucket, directory: Path, urn: str = URN, **more: Any
    ) -> None:
        self._keys, self._urn = cloud.keys, urn
        self.news = {
            "bucket": bucket.bucket_name,
            "prefix": "models/tensorflow",
            "source": str(directory),
            **more,
        }
        self.inputs: dict[str, Any] = {}
        self.state: dict[str, Any] | None = None
        self.log = Log()

    def check(self) -> dict[str, Any]:
        """Inputs as the directory is now, with those of the last run beside them."""
        found = inputs.check(self.news, self.inputs)
        assert not found.failures, found.failures
        self.log.said += found.notes
        return found.inputs

    def remote(self, checked: dict[str, Any]) -> Remote:
        """The model's place in the bucket."""
        plain = {
            "region": Cloud.REGION,
            "accessKey": self._keys["access_key"],
            "secretKey": self._keys["secret_key"],
        }
        opened = connect(settings.load(plain), inputs.layout_of(checked), 4)
        return opened(Control())

    def sync(
        self, checked: dict[str, Any], state: dict[str, Any] | None, remote: Remote | None = None
    ) -> sync.Sync:
        """The work of a create or update."""
        root, files = inputs.read_again(checked)
        return sync.Sync(
            remote or self.remote(checked),
            checked,
            root,
            files,
            Reporter(self.log, ""),
            self._urn,
            state,
        )

    def up(self) -> dict[str, Any]:
        """What an up does: a create, an update in place, or a replacement made before the old one
        goes.
        """
        checked = self.check()
        change = diff.compare(self.state, checked, []) if self.state else None
        if change is None:
            self.state = self.sync(checked, None).run()
        elif change.replaces:
            old, before = self.state, self.inputs
            self.state = self.sync(checked, None).run()
            sync.delete(self.remote(before), old or {}, Reporter(self.log, ""))
        elif change.changes:
            self.state = self.sync(checked, self.state).run()
        self.inputs = checked
        return self.state or {}

    def refresh(self) -> dict[str, Any] | None:
        """What a refresh does."""
        self.state = sync.read(self.remote(self.inputs), self.state or {}, Reporter(self.log, ""))
        return self.state

    def destroy(self) -> None:
        """What a destroy does."""
        sync.delete(self.remote(self.inputs), self.state or {}, Reporter(self.log, ""))
        self.state = None


@pytest.fixture
def made(cloud: Cloud, bucket: oss2.Bucket, tmp_path: Path) -> Model:
    """A model that is not uploaded yet."""
    return Model(cloud, bucket, savedmodels.make(tmp_path))


def content(bucket: oss2.Bucket, below: str) -> dict[str, Any]:
    """Objects below a prefix."""
    return {key: bucket.get_object(key).read() for key in keys(bucket) if key.startswith(below)}


def other_shard(directory: Path) -> None:
    """Another model under the same version."""
    savedmodels.make(directory.parent, directory.name, shard=b"WEIGHTS" * 100)


# Content changed under an unchanged version number.


def test_other_content_of_the_same_version_lies_beside_the_old_one_until_that_goes(
    made: Model, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    first = made.up()
    before = content(bucket, PATH)
    other_shard(tmp_path / "1623831335")
    checked = made.check()
    change = diff.compare(first, checked, [])
    assert change.replaces == ["variant"] and not change.delete_before_replace
    second = made.sync(checked, None).run()
    assert second["path"] == f"models/tensorflow/sha256-{second['digest'][:12]}/1623831335"
    assert content(bucket, PATH + "/") == {k: v for k, v in before.items() if k != MANIFEST}, (
        "pods that start meanwhile mount the old model whole"
    )
    sync.delete(made.remote(made.inputs), first, Reporter(made.log, ""))
    assert {key.rpartition("/")[0].split("/")[2] for key in keys(bucket)} == {
        f"sha256-{second['digest'][:12]}"
    }


def test_back_to_the_first_content_is_another_place_again_and_then_stays(
    made: Model, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    first = made.up()
    other_shard(tmp_path / "1623831335")
    second = made.up()
    savedmodels.make(tmp_path)
    third = made.up()
    assert third["digest"] == first["digest"]
    assert len({first["path"], second["path"], third["path"]}) == 3
    assert made.up() == third and made.refresh() == third and made.up() == third
    made.destroy()
    assert keys(bucket) == []


def test_an_update_that_fails_leaves_the_old_content_and_the_next_one_goes_on_in_the_same_place(
    made: Model, bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:
    made.up()
    before = content(bucket, PATH)
    other_shard(tmp_path / "1623831335")
    cloud.fault(
        match={"host": bucket.bucket_name, "path": r"sha256.*variables\.index"},
        times=1000,
        status=403,
        code="AccessDenied",
    )
    checked = made.check()
    failed = made.sync(checked, None)
    with pytest.raises(oss2.exceptions.AccessDenied):
        failed.run()
    assert failed.claimed and failed.partial()["drift"] == ["unfinished: 2 of 3 files are there"]
    assert content(bucket, PATH) == before
    cloud.control("DELETE", "/_lab/faults")
    made.inputs, made.state = checked, failed.partial()
    assert made.check()["variant"] == checked["variant"]
    assert made.up()["drift"] == []
    made.destroy()
    assert content(bucket, PATH) == before


def test_a_raised_version_lies_at_its_plain_path(
    made: Model, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    made.up()
    other_shard(tmp_path / "1623831335")
    assert made.up()["variant"]
    shutil.copytree(tmp_path / "1623831335", tmp_path / "1700000000")
    made.news["source"] = str(tmp_path / "1700000000")
    assert made.up()["path"] == "models/tensorflow/1700000000"


# Files that change while they are uploaded.


def test_a_file_changed_between_hashing_and_upload_is_not_stored_under_the_old_digest(
    made: Model, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    checked = made.check()
    work = made.sync(checked, None)
    (tmp_path / "1623831335" / SHARD).write_bytes(b"changed" * 100)
    with pytest.raises(ModelError, match="changed while it was read"):
        work.run()
    assert f"{PATH}/{SHARD}" not in keys(bucket)


def test_bytes_that_are_not_the_hashed_ones_are_removed_even_if_the_file_looks_untouched(
    made: Model, bucket: oss2.Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network file system shows old time stamps for a while."""
    checked = made.check()
    work = made.sync(checked, None)
    _, files = inputs.read_again(checked)
    (tmp_path / "1623831335" / SHARD).write_bytes(b"changed" * 100)
    monkeypatch.setattr(digest, "of_file", lambda _, name, progress=None: files[name])
    with pytest.raises(ModelError, match=r"variables\.data.*changed while it was read"):
        work.run()
    assert f"{PATH}/{SHARD}" not in keys(bucket)
    assert not json.loads(bucket.get_object(MANIFEST).read())["complete"]


def test_a_file_that_grows_during_its_multipart_upload_is_sent_once_and_told_as_that(
    cloud: Cloud,
    bucket: oss2.Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directory = savedmodels.make(tmp_path, shard=savedmodels.noise(3 * MIB))
    model = Model(cloud, bucket, directory, partSizeMib=1)
    upload = TransferBucket.upload_part
    monkeypatch.setenv("EI_CACHE", str(tmp_path / "cache"))

    def growing(self: TransferBucket, key: str, *arguments: Any, **more: Any) -> Any:
        with open(directory / SHARD, "ab") as stream:
            stream.write(b"more")
        return upload(self, key, *arguments, **more)

    monkeypatch.setattr(TransferBucket, "upload_part", growing)
    with pytest.raises(ModelError, match=r"variables\.data.*changed while it was read"):
        model.up()
    assert puts(cloud, bucket).count(f"{PATH}/{SHARD}") <= 3
    assert bucket.list_multipart_uploads().upload_list == []


# What file managers leave, and files without content.


def test_what_file_managers_and_notebooks_leave_neither_counts_nor_is_sent_and_is_told_once(
    made: Model, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    before = made.up()
    junk = (
        ".DS_Store",
        "variables/._variables.index",
        "assets/Thumbs.db",
        ".ipynb_checkpoints/a.txt",
    )
    for name in junk:
        path = tmp_path / "1623831335" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    assert made.up() == before
    assert not [key for key in keys(bucket) if key.endswith(junk)]
    (told,) = [line for line in made.log.said if "not part of the model" in line]
    assert all(name in told for name in junk)


def test_a_file_that_only_resembles_them_counts(made: Model, tmp_path: Path) -> None:
    before = made.check()["digest"]
    (tmp_path / "1623831335" / "assets").mkdir()
    (tmp_path / "1623831335" / "assets" / "_.DS_Store.txt").write_bytes(b"x")
    assert made.check()["digest"] != before


def test_a_state_that_counted_them_is_no_other_content(made: Model, tmp_path: Path) -> None:
    checked = made.check()
    _, files = inputs.read_again(checked)
    with_junk = {**files, ".DS_Store": digest.FileEntry(1, "s", "1")}
    place = {name: checked[name] for name in ("bucket", "prefix", "version", "source")}
    made.inputs = {
        **place,
        "digest": digest.of_entries(with_junk),
        "files": {path: entry.plain() for path, entry in with_junk.items()},
    }
    assert made.check()["variant"] == ""
    made.inputs["files"].pop("saved_model.pb")
    assert made.check()["variant"] != ""


def test_a_file_without_content_is_stored(made: Model, bucket: oss2.Bucket, tmp_path: Path) -> None:
    extra = tmp_path / "1623831335" / "assets.extra"
    extra.mkdir()
    (extra / "saved_model_config.pb").touch()
    state = made.up()
    assert bucket.head_object(f"{PATH}/assets.extra/saved_model_config.pb").content_length == 0
    assert made.refresh() == state


def _reading(directory: Path, table: bool) -> None:
    """An empty vocabulary that is opened when the model is loaded, by a table or by ReadFile."""
    model = savedmodels.graph(700)
    meta = model.meta_graphs[0]
    nodes = meta.graph_def.node
    path = nodes.add()
    path.CopyFrom(next(node for node in nodes if node.name == "save/Const"))
    path.name = "asset_path"
    if table:
        made = nodes.add(name="table", op="HashTableV2")
        made.attr["key_dtype"].type, made.attr["value_dtype"].type = savedmodels.STRING, 9
        reader = nodes.add(
            name="read", op="InitializeTableFromTextFileV2", input=["table", "asset_path"]
        )
        reader.attr["key_index"].i, reader.attr["value_index"].i = -2, -1
    else:
        nodes.add(name="read", op="ReadFile", input=["asset_path"])
    nodes.add(name="init", op="NoOp", input=["^read"])
    meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "init"
    meta.asset_file_def.add(filename="vocab.txt").tensor_info.name = "asset_path:0"
    (directory / "saved_model.pb").write_bytes(model.SerializeToString())
    (directory / "assets").mkdir()
    (directory / "assets" / "vocab.txt").touch()


@pytest.mark.parametrize("table", [False, True])
def test_a_file_without_content_is_refused_only_where_loading_fails_on_it(
    tmp_path: Path, table: bool
) -> None:
    """ReadFile gives an empty string; a table without entries can't be initialized."""
    directory = savedmodels.make(tmp_path)
    _reading(directory, table)
    faults = savedmodel.examine(directory, "m", "1.15.0").faults
    assert [fault for fault in faults if "a file with content" in fault] == faults
    assert bool(faults) == table


# What is not ours.


def _objects(bucket: oss2.Bucket) -> None:
    bucket.put_object(f"{PATH}/saved_model.pb", b"another team's")


def _one_beside(bucket: oss2.Bucket) -> None:
    bucket.put_object(f"{PATH}/notes.txt", b"another team's")


def _newer_manifest(bucket: oss2.Bucket) -> None:
    bucket.put_object(MANIFEST, json.dumps({"schema": 2, "files": {}}))


def _no_manifest(bucket: oss2.Bucket) -> None:
    bucket.put_object(MANIFEST, b"{}")


@pytest.mark.parametrize(
    ("put", "said"),
    [
        (_objects, "did not put there"),
        (_one_beside, "did not put there"),
        (_newer_manifest, "has schema 2"),
        (_no_manifest, "not a manifest that this provider wrote"),
    ],
)
def test_a_create_refuses_a_place_that_is_not_its_own(
    made: Model, bucket: oss2.Bucket, put: Callable[[oss2.Bucket], None], said: str
) -> None:
    put(bucket)
    before = content(bucket, "")
    with pytest.raises(ModelError, match=said):
        made.up()
    assert content(bucket, "") == before


def test_a_model_of_another_resource_is_not_taken_over_even_with_the_same_content(
    made: Model, bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:
    state = made.up()
    before = content(bucket, "")
    other = Model(cloud, bucket, tmp_path / "1623831335", URN.replace("dev", "dev-2"))
    with pytest.raises(ModelError, match="another resource uploaded"):
        other.up()
    assert content(bucket, "") == before and made.refresh() == state


def test_a_create_whose_answer_was_lost_goes_on_and_one_with_other_content_does_not(
    made: Model, bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:
    first = made.up()
    again = Model(cloud, bucket, tmp_path / "1623831335")
    second = again.up()
    assert second["digest"] == first["digest"] and second["owner"] != first["owner"]
    other_shard(tmp_path / "1623831335")
    before = content(bucket, "")
    with pytest.raises(ModelError, match="holds other content"):
        Model(cloud, bucket, tmp_path / "1623831335").up()
    assert content(bucket, "") == before
    made.destroy()
    assert content(bucket, "") == before, "the manifest names the later one"


def test_a_destroy_removes_its_own_and_nothing_else(
    made: Model, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    made.up()
    bucket.put_object(f"{PATH}/assets/notes.txt", b"a colleague's")
    bucket.put_object(f"{PATH}/", b"")
    bucket.init_multipart_upload(f"{PATH}/assets/large")
    bucket.init_multipart_upload(f"{PATH}/{SHARD}")
    made.refresh()
    assert made.state and made.state["drift"] == []
    made.destroy()
    assert keys(bucket) == [f"{PATH}/", f"{PATH}/assets/notes.txt"]
    uploads = bucket.list_multipart_uploads().upload_list
    assert [upload.key for upload in uploads] == [f"{PATH}/assets/large"]
    assert [line for line in made.log.said if "left alone: assets/notes.txt" in line]


@pytest.mark.parametrize("meddled", [False, True])
def test_without_its_manifest_a_model_is_known_by_the_states_checksum_or_left(
    made: Model, bucket: oss2.Bucket, meddled: bool
) -> None:
    made.up()
    bucket.delete_object(MANIFEST)
    if meddled:
        bucket.put_object(f"{PATH}/notes.txt", b"a colleague's")
    made.destroy()
    assert len(keys(bucket)) == (4 if meddled else 0)


def test_a_state_of_0_1_0_names_its_files_itself(made: Model, bucket: oss2.Bucket) -> None:
    state = made.up()
    _, files = inputs.read_again(made.inputs)
    old = {name: value for name, value in state.items() if name not in ("crcDigest", "variant")}
    old["files"] = {path: entry.plain() for path, entry in files.items()}
    made.state = dict(old)
    assert made.up() == old, "no difference"
    assert made.refresh() == state, "a refresh brings the new form"
    made.state = dict(old)
    bucket.delete_object(MANIFEST)
    bucket.put_object(f"{PATH}/notes.txt", b"a colleague's")
    made.destroy()
    assert keys(bucket) == [f"{PATH}/notes.txt"]


def test_a_manifest_of_a_newer_provider_stops_read_update_and_destroy(
    made: Model, bucket: oss2.Bucket
) -> None:
    made.up()
    _newer_manifest(bucket)
    before = content(bucket, "")
    for step in (made.refresh, lambda: made.sync(made.inputs, made.state).run(), made.destroy):
        with pytest.raises(ModelError, match="has schema 2"):
            step()
    assert content(bucket, "") == before


# Many files.


def test_many_files_are_compared_by_lists_and_the_state_does_not_grow_with_them(
    made: Model, bucket: oss2.Bucket, cloud: Cloud, tmp_path: Path
) -> None:
    one = len(json.dumps(made.check()))
    (tmp_path / "1623831335" / "assets").mkdir()
    for number in range(60):
        (tmp_path / "1623831335" / "assets" / f"{number:05d}").write_bytes(b"%d" % number)
    state = made.up()
    assert abs(len(json.dumps(made.inputs)) - one) < 10 and len(json.dumps(state)) < 2000
    before = len(cloud.calls(bucket.bucket_name))
    assert made.refresh() == state
    asked = [call["method"] for call in cloud.calls(bucket.bucket_name)[before:]]
    assert asked == ["GET", "GET"], "one list, one manifest"
    for number in range(60):
        bucket.delete_object(f"{PATH}/assets/{number:05d}")
    drifted = made.refresh()
    assert drifted and len(drifted["drift"]) == sync.MOST_NOTES + 1
    assert made.up() == state


def test_an_object_written_again_with_the_same_bytes_is_asked_for_its_checksum(
    cloud: Cloud, bucket: oss2.Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EI_CACHE", str(tmp_path / "cache"))
    shard = savedmodels.noise(2 * MIB)
    model = Model(cloud, bucket, savedmodels.make(tmp_path, shard=shard), partSizeMib=1)
    state = model.up()
    bucket.put_object(f"{PATH}/{SHARD}", shard)  # no longer in parts: another ETag
    assert model.refresh() == state
    bucket.put_object(f"{PATH}/{SHARD}", bytes(reversed(shard)))
    assert (model.refresh() or {})["drift"] == [f"changed: {SHARD}"]


def test_a_versioned_bucket_keeps_nothing_of_an_earlier_content_of_an_unfinished_upload(
    cloud: Cloud, tmp_path: Path
) -> None:
    bucket = cloud.new_bucket(f"versioned-{uuid.uuid4().hex[:8]}", versioned=True)
    model = Model(cloud, bucket, savedmodels.make(tmp_path, assets__old=b"old"))
    state = model.up()
    os.remove(tmp_path / "1623831335/assets/old")
    model.state = model.sync({**model.check(), "variant": ""}, state).run()
    listed = bucket.list_object_versions()
    assert not [item.key for item in [*listed.versions, *listed.delete_marker] if "old" in item.key]
    model.destroy()
    listed = bucket.list_object_versions()
    assert (listed.versions, listed.delete_marker) == ([], [])
