"""Check, diff and previews: what will be is known from the directory alone, without the network."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from pulumi.runtime.proto import provider_pb2

from providers.ossmodel.values import UNKNOWN
from tests.plugins.ossmodel import savedmodels
from tests.plugins.ossmodel.process import Plugin


@pytest.fixture
def news(tmp_path: Path) -> dict[str, str]:
    """Inputs of the model that each test makes in its directory."""
    return {
        "bucket": "models-1",
        "prefix": "models/tensorflow",
        "source": str(tmp_path / "1623831335"),
    }


def state_of(inputs: dict) -> dict:
    """The state a finished create leaves."""
    return {**inputs, "owner": "o", "drift": [], "path": "p"}


def test_the_digest_is_the_documented_one(
    offline: Plugin, tmp_path: Path, news: dict[str, str]
) -> None:
    directory = savedmodels.make(tmp_path)
    inputs = offline.checked(news)
    lines = ""
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            lines += f"{path.relative_to(directory).as_posix()} {hashlib.sha256(data).hexdigest()} {len(data)}\n"
    assert lines.count("\n") == 3
    assert inputs["digest"] == hashlib.sha256(lines.encode()).hexdigest()
    assert inputs["version"] == "1623831335"


def test_a_preview_of_a_create_knows_everything_but_the_owner(
    offline: Plugin, tmp_path: Path, news: dict[str, str]
) -> None:
    savedmodels.make(tmp_path)
    inputs = offline.checked(news)
    id_, state = offline.create(inputs, preview=True)
    assert id_ == ""
    assert state["path"] == "models/tensorflow/1623831335" and state["digest"] == inputs["digest"]
    assert state["fileCount"] == 3
    files = (tmp_path / "1623831335").rglob("*")
    assert state["bytes"] == sum(path.stat().st_size for path in files if path.is_file())
    assert state["owner"] == UNKNOWN


def test_a_bucket_that_is_not_known_yet_is_no_mistake(
    offline: Plugin, tmp_path: Path, news: dict[str, str]
) -> None:
    savedmodels.make(tmp_path)
    inputs = offline.checked({**news, "bucket": UNKNOWN})
    _, state = offline.create(inputs, preview=True)
    assert state["bucket"] == UNKNOWN and state["path"] == "models/tensorflow/1623831335"


def test_a_source_that_is_not_known_yet_leaves_the_rest_unknown(
    offline: Plugin, news: dict[str, str]
) -> None:
    inputs = offline.checked({**news, "source": UNKNOWN})
    _, state = offline.create(inputs, preview=True)
    assert (
        state["digest"]
        == state["version"]
        == state["path"]
        == state["bytes"]
        == state["fileCount"]
        == UNKNOWN
    )


def test_other_time_stamps_and_another_path_are_no_difference(
    offline: Plugin, tmp_path: Path, news: dict[str, str]
) -> None:
    directory = savedmodels.make(tmp_path)
    state = state_of(offline.checked(news))
    shutil.copytree(directory, tmp_path / "copy" / directory.name)
    for path in (tmp_path / "copy" / directory.name).rglob("*"):
        os.utime(path, (1, 1))
    answer = offline.diff(
        state, offline.checked({**news, "source": str(tmp_path / "copy/1623831335"), "parallel": 2})
    )
    assert answer.changes == answer.DIFF_NONE and not answer.detailedDiff


def test_same_size_and_time_stamp_with_other_content_is_another_place(
    offline: Plugin, tmp_path: Path, news: dict[str, str]
) -> None:
    directory = savedmodels.make(tmp_path)
    before = offline.checked(news)
    shard = directory / "variables/variables.data-00000-of-00001"
    info = shard.stat()
    savedmodels.make(tmp_path, shard=b"WEIGHTS" * 100)
    os.utime(shard, ns=(info.st_atime_ns, info.st_mtime_ns))
    inputs = offline.checked(news, before)
    answer = offline.diff(state_of(before), inputs)
    assert list(answer.replaces) == ["variant"] and not answer.deleteBeforeReplace
    assert {"variant", "digest"} <= set(answer.detailedDiff)
    _, planned = offline.create(inputs, preview=True)
    assert planned["path"] == f"models/tensorflow/sha256-{inputs['digest'][:12]}/1623831335"


def test_another_place_is_a_replacement_made_before_the_old_one_goes(
    offline: Plugin, tmp_path: Path, news: dict[str, str]
) -> None:
    savedmodels.make(tmp_path)
    savedmodels.make(tmp_path, "1700000000")
    state = state_of(offline.checked(news))
    other = {"source": str(tmp_path / "1700000000")}
    for change, name in (
        ({"bucket": "models-2"}, "bucket"),
        ({"prefix": "m"}, "prefix"),
        (other, "version"),
    ):
        answer = offline.diff(state, offline.checked({**news, **change}))
        assert list(answer.replaces) == [name] and not answer.deleteBeforeReplace
    assert list(offline.diff(state, {**offline.checked(news), "bucket": UNKNOWN}).replaces) == [
        "bucket"
    ]


def test_drift_alone_is_a_difference(offline: Plugin, tmp_path: Path, news: dict[str, str]) -> None:
    savedmodels.make(tmp_path)
    inputs = offline.checked(news)
    answer = offline.diff({**state_of(inputs), "drift": ["missing: the manifest"]}, inputs)
    assert answer.changes == answer.DIFF_SOME and list(answer.diffs) == ["drift"]


def test_a_link_inside_the_directory_counts_as_its_content(
    offline: Plugin, tmp_path: Path, news: dict[str, str]
) -> None:
    directory = savedmodels.make(tmp_path, assets__vocab=b"words")
    (directory / "assets/alias").symlink_to("vocab")
    by_link = offline.checked(news)["digest"]
    (directory / "assets/alias").unlink()
    (directory / "assets/alias").write_bytes(b"words")
    assert offline.checked(news)["digest"] == by_link


def test_a_text_graph_and_a_model_without_variables_are_accepted(
    offline: Plugin, tmp_path: Path, news: dict[str, str]
) -> None:
    directory = tmp_path / "5"
    directory.mkdir()
    (directory / "saved_model.pbtxt").write_text(
        'saved_model_schema_version: 1 meta_graphs { meta_info_def { tags: "serve" } }'
    )
    assert offline.checked({**news, "source": str(tmp_path / "5")})["version"] == "5"


def test_the_schema_describes_every_input_and_output(
    offline: Plugin, tmp_path: Path, news: dict[str, str]
) -> None:

    savedmodels.make(tmp_path)
    schema = json.loads(offline.call("GetSchema", provider_pb2.GetSchemaRequest()).schema)
    resource = schema["resources"]["ossmodel:index:Model"]
    _, state = offline.create(
        offline.checked({**news, "parallel": 2, "partSizeMib": 1, "tensorflow": "1.15.0"}),
        preview=True,
    )
    assert set(resource["inputProperties"]) == {
        "bucket",
        "prefix",
        "source",
        "tensorflow",
        "partSizeMib",
        "parallel",
    }
    assert set(resource["properties"]) == set(state)


def test_a_preview_shows_the_signatures_and_that_they_change(
    offline: Plugin, tmp_path: Path, news: dict[str, str]
) -> None:
    directory = savedmodels.make(tmp_path)
    inputs = offline.checked(news)
    assert inputs["signatures"] == {"serving_default": "nothing -> weights uint8[700]"}
    state = state_of(inputs)
    model = savedmodels.graph(700)
    meta = model.meta_graphs[0]
    meta.signature_def["classes"].CopyFrom(meta.signature_def["serving_default"])
    meta.signature_def["classes"].method_name = "tensorflow/serving/classify"
    (directory / "saved_model.pb").write_bytes(model.SerializeToString())
    inputs = offline.checked(news, inputs)
    assert inputs["signatures"]["classes"] == "classify: nothing -> weights uint8[700]"
    assert "signatures" in offline.diff(state, inputs).detailedDiff
