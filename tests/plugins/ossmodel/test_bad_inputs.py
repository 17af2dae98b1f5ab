"""Every mistake in a model's inputs gives one message: field, value, what was expected, what would
happen, what to do.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.ossmodel import savedmodels
from tests.plugins.ossmodel.process import Plugin

GOOD = {"bucket": "models-1", "prefix": "models/tensorflow"}


def good(root: Path) -> dict[str, Any]:
    """Inputs that are right, with a model below `root`."""
    return {**GOOD, "source": str(savedmodels.make(root))}


BAD_VALUES = [
    ("bucket", None, ["bucket is not set", "3 to 63 lower-case"]),
    (
        "bucket",
        "My_Bucket",
        [
            "bucket is 'My_Bucket'",
            "lower-case letters, digits and hyphens",
            "Give the name of the bucket",
        ],
    ),
    ("bucket", "oss://models", ["bucket is 'oss://models'", "without oss://"]),
    ("bucket", "ab", ["bucket is 'ab'", "3 to 63"]),
    ("bucket", "-models", ["bucket is '-models'", "at both ends"]),
    ("bucket", 7, ["bucket is 7", "No such bucket can exist"]),
    ("prefix", None, ["prefix is not set", "a path inside the bucket"]),
    ("prefix", "", ["prefix is ''", "models/tensorflow"]),
    ("prefix", "/models", ["prefix is '/models'", "no slash at its ends", "Write 'models'"]),
    ("prefix", "models/", ["prefix is 'models/'", "Write 'models'"]),
    (
        "prefix",
        "models//tensorflow",
        ["prefix is 'models//tensorflow'", "segments that are not empty"],
    ),
    (
        "prefix",
        "models/../secret",
        ["prefix is 'models/../secret'", "'..'", "would not lie where the volume"],
    ),
    ("prefix", "a\\b", ["prefix is", "no backslashes"]),
    ("prefix", "a\nb", ["prefix is 'a\\nb'", "control characters"]),
    ("prefix", "p" * 1024, ["at most 1023 bytes", "OSS refuses longer keys"]),
    ("prefix", "p" * 1000, ["every key has at most 1023 bytes", "Shorten the prefix"]),
    ("prefix", ["models"], ["prefix is ['models']", "a path inside the bucket"]),
    (
        "source",
        None,
        ["source is not set", "SavedModel version directory", "There is nothing to upload"],
    ),
    ("source", 5, ["source is 5", "the path of a SavedModel version directory"]),
    ("source", "nowhere/1", ["source is 'nowhere/1'", "does not exist", "project directory"]),
    ("partSizeMib", 0, ["partSizeMib is 0", "a whole number from 1 to 5120", "default 10"]),
    ("partSizeMib", "10", ["partSizeMib is '10'", "a whole number"]),
    ("partSizeMib", 1.5, ["partSizeMib is 1.5", "a whole number"]),
    ("parallel", 33, ["parallel is 33", "a whole number from 1 to 32", "default 4"]),
    ("parallel", True, ["parallel is True", "a whole number"]),
]


@pytest.mark.parametrize(("name", "value", "parts"), BAD_VALUES, ids=lambda value: str(value)[:24])
def test_a_bad_value_is_refused_by_name(
    offline: Plugin, tmp_path: Path, name: str, value: Any, parts: list[str]
) -> None:
    news = {**good(tmp_path), name: value}
    news = {key: item for key, item in news.items() if item is not None}
    _, failures = offline.check(news)
    assert [prop for prop, _ in failures if prop == name], failures
    text = "\n".join(reason for prop, reason in failures if prop == name)
    for part in parts:
        assert part in text


def test_all_mistakes_are_told_at_once(offline: Plugin) -> None:
    _, failures = offline.check(
        {"bucket": "B", "prefix": "/x", "source": "missing", "parallel": 0, "prefx": "y"}
    )
    assert {"bucket", "prefix", "source", "parallel", "prefx"} <= {prop for prop, _ in failures}


MISSPELT = [
    ("prefx", "prefix"),
    ("buckett", "bucket"),
    ("part_size_mib", "partSizeMib"),
    ("sources", "source"),
    ("PARALLEL", "parallel"),
]


@pytest.mark.parametrize(("wrong", "meant"), MISSPELT)
def test_a_misspelt_input_is_answered_with_the_nearest_one(
    offline: Plugin, tmp_path: Path, wrong: str, meant: str
) -> None:
    _, failures = offline.check({**good(tmp_path), wrong: "x"})
    assert failures == [(wrong, failures[0][1])]
    assert (
        f"{wrong!r} is not a property" in failures[0][1]
        and f"did you mean {meant!r}?" in failures[0][1]
    )


def test_an_input_like_no_other_is_told_to_be_removed(offline: Plugin, tmp_path: Path) -> None:
    _, failures = offline.check({**good(tmp_path), "zzz": 1})
    assert (
        "remove it" in failures[0][1]
        and "bucket, parallel, partSizeMib, prefix, source" in failures[0][1]
    )


def _file(root: Path) -> str:
    (root / "file").write_text("x")
    return "file"


def _below_a_file(root: Path) -> str:
    (root / "file").write_text("x")
    return "file/1"


def _not_numeric(root: Path) -> str:
    return savedmodels.make(root, "v1").name


def _leading_zero(root: Path) -> str:
    return savedmodels.make(root, "007").name


def _too_big(root: Path) -> str:
    return savedmodels.make(root, str(2**63)).name


def _negative(root: Path) -> str:
    return savedmodels.make(root, "-3").name


def _no_graph(root: Path) -> str:
    (savedmodels.make(root) / "saved_model.pb").unlink()
    return "1623831335"


def _parent(root: Path) -> str:
    savedmodels.make(root / "77")
    return "77"


def _cut_graph(root: Path) -> str:
    (savedmodels.make(root) / "saved_model.pb").write_bytes(savedmodels.GRAPH[:-3])
    return "1623831335"


def _text_as_graph(root: Path) -> str:
    (savedmodels.make(root) / "saved_model.pb").write_bytes(
        b"version https://git-lfs.github.com/spec/v1\n"
    )
    return "1623831335"


def _no_shard(root: Path) -> str:
    (savedmodels.make(root) / "variables/variables.data-00000-of-00001").unlink()
    return "1623831335"


def _missing_shard(root: Path) -> str:
    index = savedmodels.index({"weights": (savedmodels.UINT8, [700], b"weights" * 100)}, shards=3)
    savedmodels.make(root, variables__variables_index=b"")
    (root / "1623831335/variables/variables_index").unlink()
    (root / "1623831335/variables/variables.index").write_bytes(index)
    return "1623831335"


def _cut_shard(root: Path) -> str:
    (savedmodels.make(root) / "variables/variables.data-00000-of-00001").write_bytes(
        b"weights" * 50
    )
    return "1623831335"


def _damaged_shard(root: Path) -> str:
    (savedmodels.make(root) / "variables/variables.data-00000-of-00001").write_bytes(
        b"Weights" + b"weights" * 99
    )
    return "1623831335"


def _damaged_index(root: Path) -> str:
    path = savedmodels.make(root) / "variables/variables.index"
    path.write_bytes(path.read_bytes().replace(b"weights", b"Weights"))
    return "1623831335"


def _variables_of_another_model(root: Path) -> str:
    index = savedmodels.index({"other": (savedmodels.UINT8, [700], b"weights" * 100)})
    (savedmodels.make(root) / "variables/variables.index").write_bytes(index)
    return "1623831335"


def _only_for_training(root: Path) -> str:
    (savedmodels.make(root) / "saved_model.pb").write_bytes(
        savedmodels.GRAPH.replace(b"serve", b"train", 1)
    )
    return "1623831335"


def _empty_directory(root: Path) -> str:
    (root / "12").mkdir()
    return "12"


def _link_out(root: Path) -> str:
    directory = savedmodels.make(root)
    (root / "outside").write_text("secret")
    (directory / "vocab").symlink_to(root / "outside")
    return "1623831335"


def _dangling(root: Path) -> str:
    (savedmodels.make(root) / "vocab").symlink_to("nowhere")
    return "1623831335"


def _directory_link(root: Path) -> str:
    (savedmodels.make(root) / "assets").symlink_to("variables")
    return "1623831335"


def _pipe(root: Path) -> str:
    os.mkfifo(savedmodels.make(root) / "pipe")
    return "1623831335"


def _bad_name(root: Path) -> str:
    directory = savedmodels.make(root)
    (directory / os.fsdecode(b"a\xff.txt")).write_bytes(b"x")
    return "1623831335"


def _control_name(root: Path) -> str:
    (savedmodels.make(root) / "a\nb").write_bytes(b"x")
    return "1623831335"


BAD_SOURCES: list[tuple[Callable[[Path], str], list[str]]] = [
    (_file, ["a SavedModel directory, not a file", "Give the directory that holds the file"]),
    (_below_a_file, ["lies below a file"]),
    (_not_numeric, ["an integer version, not 'v1'", "TensorFlow Serving serves only", "mv "]),
    (_leading_zero, ["without leading zeros, 7 instead of 007"]),
    (_too_big, ["at most 9223372036854775807"]),
    (_negative, ["an integer version, not '-3'"]),
    (_no_graph, ["saved_model.pb (or .pbtxt)", "tf.saved_model.save"]),
    (_parent, ["Give the version directory", "77/1623831335"]),
    (_cut_graph, ["saved_model.pb", "cut off, damaged or not a protobuf"]),
    (_text_as_graph, ["cut off, damaged or not a protobuf"]),
    (
        _no_shard,
        [
            "variables.data-00000-of-00001",
            "the file that holds the variable 'weights'",
            "never becomes ready",
        ],
    ),
    (
        _missing_shard,
        ["variables.data-00000-of-00003", "the file that holds the variable 'weights'"],
    ),
    (
        _cut_shard,
        [
            "variables.data-00000-of-00001",
            "at least 700 bytes, as the index says, not 350",
            "Copy the whole variables directory",
        ],
    ),
    (_damaged_shard, ["the variable 'weights' with the checksum that the index gives"]),
    (_damaged_index, ["variables/variables.index", "a whole index", "checksum doesn't match"]),
    (
        _variables_of_another_model,
        ["the variable 'weights', which the graph restores; the index has 1 others"],
    ),
    (_only_for_training, ["a graph whose only tag is 'serve'; the model has {train}"]),
    (_empty_directory, ["saved_model.pb"]),
    (_link_out, ["vocab", "a link to a file outside it", "Replace the link by a copy"]),
    (_dangling, ["a link that leads nowhere"]),
    (_directory_link, ["assets", "a link to a directory"]),
    (_pipe, ["not a device, pipe or socket"]),
    (_bad_name, ["file names in UTF-8"]),
    (_control_name, ["without control characters", "Rename the file"]),
]


@pytest.mark.parametrize(
    ("build", "parts"), BAD_SOURCES, ids=[build.__name__.strip("_") for build, _ in BAD_SOURCES]
)
def test_a_directory_that_cannot_be_served_is_refused(
    offline: Plugin, tmp_path: Path, build: Callable[[Path], str], parts: list[str]
) -> None:
    source = str(tmp_path / build(tmp_path))
    _, failures = offline.check({**GOOD, "source": source})
    text = "\n".join(reason for prop, reason in failures if prop == "source")
    assert f"source is {source!r}" in text or f"{source}: " in text
    for part in parts:
        assert part in text


def _no_index(directory: Path) -> None:
    (directory / "variables/variables.index").unlink()


def _no_variables(directory: Path) -> None:
    shutil.rmtree(directory / "variables")


def _empty_asset(directory: Path) -> None:
    (directory / "assets").mkdir()
    (directory / "assets/vocab").touch()


WARNED: list[tuple[Callable[[Path], None], list[str]]] = [
    (
        _no_index,
        [
            "the variable 'weights' in it; nothing sets it",
            "each request to the signature 'serving_default' fails",
        ],
    ),
    (
        _no_variables,
        ["the variable 'weights' in it; nothing sets it", "Copy the whole variables directory"],
    ),
    (_empty_asset, ["assets/vocab has 0 bytes", "interrupted export"]),
]


@pytest.mark.parametrize(
    ("damage", "parts"), WARNED, ids=[damage.__name__.strip("_") for damage, _ in WARNED]
)
def test_what_tensorflow_loads_is_not_refused_but_warned_of(
    offline: Plugin, tmp_path: Path, damage: Callable[[Path], None], parts: list[str]
) -> None:
    directory = savedmodels.make(tmp_path / damage.__name__)
    damage(directory)
    inputs, failures = offline.check({**GOOD, "source": str(directory)})
    assert not failures and inputs["digest"]
    message = offline.engine.wait_for(f"{directory}: ")
    for part in parts:
        assert part in message


def test_an_empty_file_that_serving_reads_as_its_default_is_accepted(
    offline: Plugin, tmp_path: Path
) -> None:
    """TensorFlow Serving takes an empty assets.extra/saved_model_config.pb for a configuration
    without settings.
    """
    directory = savedmodels.make(tmp_path)
    (directory / "assets.extra").mkdir()
    (directory / "assets.extra" / "saved_model_config.pb").touch()
    assert offline.check({**GOOD, "source": str(directory)})[1] == []


NEWER = "NodeWithAnOpOf2.12"


def test_the_servers_tensorflow_decides_and_the_message_names_op_version_and_remedy(
    offline: Plugin, tmp_path: Path
) -> None:
    directory = savedmodels.make(tmp_path)
    model = savedmodels.graph(700)
    node = model.meta_graphs[0].graph_def.node.add(name=NEWER, op="DisableCopyOnRead")
    node.input.append("handle")
    model.meta_graphs[0].graph_def.node.add(name="handle", op="VarHandleOp").attr[
        "dtype"
    ].type = savedmodels.UINT8
    model.meta_graphs[0].graph_def.node[-1].attr["shape"].shape.SetInParent()
    (directory / "saved_model.pb").write_bytes(model.SerializeToString())
    source = {**GOOD, "source": str(directory)}
    _, failures = offline.check({**source, "tensorflow": "1.15.0-gpu"})
    for part in (
        f"source is '{directory}: op DisableCopyOnRead (node {NEWER})'",
        "expected an op that TensorFlow 1.15 has; TensorFlow 2.10 is the first that has it",
        "refuses to load the model and the pod never becomes ready",
        "Serve with an image of TensorFlow 2.10 or newer; or export the model with TensorFlow 1.15.0",
    ):
        assert part in failures[0][1]
    assert len(failures) == 1
    assert offline.check({**source, "tensorflow": "2.15.1"})[1] == []
    assert offline.check(source)[1] == []  # the server's version isn't known


@pytest.mark.parametrize("version", ["latest", "1", "1.15.0-cpu", 2.15, ""])
def test_a_tensorflow_version_of_another_form_is_refused(
    offline: Plugin, tmp_path: Path, version: Any
) -> None:
    failures = dict(offline.check({**good(tmp_path), "tensorflow": version})[1])
    assert "such as 1.15.0 or 2.15.1-gpu" in failures["tensorflow"]


def test_a_near_by_version_is_named_when_the_one_asked_for_is_missing(
    offline: Plugin, tmp_path: Path
) -> None:
    savedmodels.make(tmp_path / "bert")
    _, failures = offline.check({**GOOD, "source": str(tmp_path / "bert/1623831336")})
    assert "bert/1623831335" in failures[0][1]


def test_a_refused_model_carries_no_digest(offline: Plugin) -> None:
    inputs, _ = offline.check({**GOOD, "source": "nowhere/1"})
    assert "digest" not in inputs and "files" not in inputs
