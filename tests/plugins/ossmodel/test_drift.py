"""What others do to the objects is seen by a refresh, shown, and repaired by the next update."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import oss2
import pytest

from tests.plugins.ossmodel import savedmodels
from tests.plugins.ossmodel.process import Plugin
from tests.plugins.ossmodel.test_lifecycle import MANIFEST, PATH, keys, news


def _missing(bucket: oss2.Bucket) -> None:
    bucket.delete_object(f"{PATH}/saved_model.pb")


def _same_size(bucket: oss2.Bucket) -> None:
    bucket.put_object(f"{PATH}/saved_model.pb", bytes(reversed(savedmodels.GRAPH)))


def _other_size(bucket: oss2.Bucket) -> None:
    bucket.put_object(f"{PATH}/saved_model.pb", b"short")


def _no_manifest(bucket: oss2.Bucket) -> None:
    bucket.delete_object(MANIFEST)


def _foreign_manifest(bucket: oss2.Bucket) -> None:
    bucket.put_object(MANIFEST, b"{}")


DRIFT: list[tuple[Callable[[oss2.Bucket], None], str]] = [
    (_missing, "missing: saved_model.pb"),
    (_same_size, "changed: saved_model.pb"),
    (_other_size, "changed: saved_model.pb"),
    (_no_manifest, "missing: the manifest"),
    (_foreign_manifest, "missing: the manifest"),
]


@pytest.mark.parametrize(
    ("meddle", "note"), DRIFT, ids=[entry[0].__name__.strip("_") for entry in DRIFT]
)
def test_drift_is_seen_shown_and_repaired(
    plugin: Plugin,
    bucket: oss2.Bucket,
    tmp_path: Path,
    meddle: Callable[[oss2.Bucket], None],
    note: str,
) -> None:
    savedmodels.make(tmp_path)
    inputs = plugin.checked(news(bucket))
    id_, state = plugin.create(inputs)
    meddle(bucket)
    read_id, drifted, read_inputs = plugin.read(id_, state, inputs)
    assert read_id == id_ and read_inputs == inputs
    assert drifted["drift"] == [note]
    assert drifted["digest"] == state["digest"]
    answer = plugin.diff(drifted, plugin.checked(news(bucket), read_inputs))
    assert set(answer.detailedDiff) == {"drift"} and not answer.replaces
    repaired = plugin.update(id_, drifted, inputs)
    assert repaired == state
    assert plugin.read(id_, repaired, inputs)[1] == state
    assert len(keys(bucket)) == 4


def test_an_object_rewritten_with_the_same_bytes_is_no_drift(
    plugin: Plugin, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    inputs = plugin.checked(news(bucket))
    id_, state = plugin.create(inputs)
    bucket.put_object(
        f"{PATH}/saved_model.pb", savedmodels.GRAPH, headers={"Content-Type": "text/html"}
    )
    assert plugin.read(id_, state, inputs)[1] == state


def test_a_placeholder_of_a_directory_is_no_drift(
    plugin: Plugin, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    inputs = plugin.checked(news(bucket))
    id_, state = plugin.create(inputs)
    bucket.put_object(f"{PATH}/variables/", b"")
    assert plugin.read(id_, state, inputs)[1] == state


def test_a_model_deleted_by_hand_is_gone_and_can_be_created_again(
    plugin: Plugin, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path)
    inputs = plugin.checked(news(bucket))
    id_, state = plugin.create(inputs)
    for key in keys(bucket):
        if key.startswith(f"{PATH}/"):
            bucket.delete_object(key)
    assert plugin.read(id_, state, inputs)[0] == ""
    assert plugin.create(inputs)[0] == id_


def test_many_files_are_listed_over_several_pages(
    plugin: Plugin, bucket: oss2.Bucket, tmp_path: Path
) -> None:
    directory = savedmodels.make(tmp_path)
    (directory / "assets").mkdir()
    for number in range(1050):
        (directory / "assets" / f"{number:05d}").write_bytes(b"%d" % number)
    inputs = plugin.checked(news(bucket, parallel=8))
    id_, state = plugin.create(inputs)
    assert state["fileCount"] == 1053
    assert plugin.read(id_, state, inputs)[1]["drift"] == []
    plugin.delete(id_, state)
    assert keys(bucket) == []
