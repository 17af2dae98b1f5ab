"""TensorFlow by its C API, in every pinned version: loads, computes every type, refuses in its own
words, keeps no memory.
"""

from __future__ import annotations

import ctypes
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lab.serving import tensorflow
from lab.serving.errors import StatusError
from lab.serving.tensorflow import bfloat16_to_float, float_to_bfloat16
from lab.testing.graphs import Graph
from lab.testing.models import GOOD, MODEL, instance
from lab.testing.saved_models import VALUES, echoes, vocabulary
from lab.testing.tensorflow_process import TensorFlowProcess
from lab.toolchain import tensorflow as libraries


@pytest.fixture(scope="module", params=libraries.TESTED)
def apart(request: pytest.FixtureRequest) -> Iterator[TensorFlowProcess]:
    """TensorFlow of each pinned version."""
    libraries.ensure(request.param)
    process = TensorFlowProcess(request.param)
    yield process
    process.end()


def sample() -> dict[str, np.ndarray]:
    return {name: np.array([values], np.int32) for name, values in instance(GOOD).items()}


def test_the_sample_model_loads_and_answers_the_same_in_every_version(
    apart: TensorFlowProcess,
) -> None:
    assert apart.reported_version() == apart.version
    assert "serving_default" in apart.load(MODEL)
    answer = apart.predict(MODEL, sample())["probabilities"]
    assert answer.shape == (1, 2)
    assert answer[0].tolist() == pytest.approx([0.0556743, 0.9443257], abs=1e-5)


def test_every_type_goes_in_and_comes_out_unchanged(
    apart: TensorFlowProcess, tmp_path: Path
) -> None:
    folder = echoes(tmp_path / "m")
    apart.load(folder)
    for name, values in VALUES.items():
        given = float_to_bfloat16(values) if name == "bfloat16" else values
        got = apart.predict(folder, {name: values}, name)[name]
        assert got.dtype == values.dtype, name
        assert np.array_equal(
            float_to_bfloat16(got) if name == "bfloat16" else got,
            given,
            equal_nan=got.dtype.kind == "f",
        ), name
        empty = apart.predict(folder, {name: values[:0]}, name)[name]
        assert (empty.dtype, empty.shape) == (values.dtype, (0,)), name


def test_structures_of_strings_are_written_and_read_without_tensorflows_functions() -> None:
    """TensorFlow 2.4 exports none; R3 feeds strings to it."""
    strings = tensorflow._Strings()
    memory = ctypes.create_string_buffer(tensorflow._TSTRING_BYTES)
    at = ctypes.addressof(memory)
    for text in (b"", b"a", b"x" * 22, b"x" * 23, b"zeros\0\0", "长".encode() * 50_000):
        strings.TF_StringInit(at)
        strings.TF_StringCopy(at, text, len(text))
        assert (
            ctypes.string_at(strings.TF_StringGetDataPointer(at), strings.TF_StringGetSize(at))
            == text
        )
        assert memory.raw[0] & 3 == (tensorflow._SMALL if len(text) <= 22 else tensorflow._LARGE)
        strings.TF_StringDealloc(at)
        assert strings.TF_StringGetSize(at) == 0
    elsewhere = ctypes.create_string_buffer(b"text")
    memory[:] = struct.pack("<QQQ", 4 << 2 | tensorflow._VIEW, ctypes.addressof(elsewhere), 0)
    assert (
        ctypes.string_at(strings.TF_StringGetDataPointer(at), strings.TF_StringGetSize(at))
        == b"text"
    )


def test_strings_of_any_shape_keep_their_places(apart: TensorFlowProcess, tmp_path: Path) -> None:
    graph = Graph()
    text = graph.placeholder("text", "DT_STRING", [-1, 2])
    joined = graph.node(
        "ReduceJoin",
        text,
        graph.constant(np.array([1], np.int32)),
        output="DT_STRING",
        separator="+",
    )
    graph.signature(
        "serving_default",
        {"text": text},
        {"joined": joined, "text": graph.node("Identity", text, T="DT_STRING")},
    )
    folder = graph.save(tmp_path / "m")
    apart.load(folder)
    values = np.array([[b"a", b"b"], ["长".encode() * 30, b""], [b"1", b"2"]], object)
    answer = apart.predict(folder, {"text": values})
    assert answer["text"].tolist() == values.tolist()
    assert answer["joined"].tolist() == [b"a+b", "长".encode() * 30 + b"+", b"1+2"]


def test_an_asset_is_found_and_the_table_is_filled_when_the_model_is_loaded(
    apart: TensorFlowProcess, tmp_path: Path
) -> None:
    folder = vocabulary(tmp_path / "m")
    apart.load(folder)
    assert apart.predict(folder, {"word": np.array([b"good", b"never seen", b"bad"], object)})[
        "id"
    ].tolist() == [1, -1, 0]


def refused(
    apart: TensorFlowProcess, folder: Path, tags: tuple[str, ...] = ("serve",)
) -> StatusError:
    with pytest.raises(StatusError) as caught:
        apart.load(folder, tags)
    return caught.value


def test_what_the_loader_refuses_carries_its_code_and_words(
    apart: TensorFlowProcess, tmp_path: Path
) -> None:
    assert refused(apart, tmp_path / "nothing").code == "NOT_FOUND"
    assert "supplied tags: { train }" in refused(apart, MODEL, ("train",)).message
    (tmp_path / "noise").mkdir()
    (tmp_path / "noise" / "saved_model.pb").write_bytes(b"\xff" * 100)
    assert "Can't parse" in refused(apart, tmp_path / "noise").message
    graph = Graph()
    graph.node("NoSuchOperation", output="DT_FLOAT")
    assert "NoSuchOperation" in refused(apart, graph.save(tmp_path / "unknown")).message
    shutil.copytree(MODEL, tmp_path / "short")
    shard = tmp_path / "short" / "variables" / "variables.data-00000-of-00001"
    shard.write_bytes(shard.read_bytes()[:-1000])
    assert refused(apart, tmp_path / "short").code in ("OUT_OF_RANGE", "DATA_LOSS")
    lost = vocabulary(tmp_path / "lost")
    (lost / "assets" / "words.txt").unlink()
    assert refused(apart, lost).code == "NOT_FOUND"


def test_without_variables_it_loads_and_every_run_fails(
    apart: TensorFlowProcess, tmp_path: Path
) -> None:
    shutil.copytree(MODEL, tmp_path / "m", ignore=shutil.ignore_patterns("variables"))
    apart.load(tmp_path / "m")
    with pytest.raises(StatusError) as caught:
        apart.predict(tmp_path / "m", sample())
    assert caught.value.code == "FAILED_PRECONDITION"


def test_a_run_that_fails_says_why_and_the_next_one_works(
    apart: TensorFlowProcess, tmp_path: Path
) -> None:
    folder = echoes(tmp_path / "m")
    apart.load(folder)
    with pytest.raises(StatusError, match="no such tensor") as caught:
        apart.predict(folder, {"nope": np.zeros(1, np.float32)}, "float")
    assert caught.value.code == "INVALID_ARGUMENT"
    with pytest.raises(StatusError, match="not found") as caught:
        apart.predict(folder, {}, "nope")
    assert caught.value.code == "FAILED_PRECONDITION"
    apart.load(MODEL)
    with pytest.raises(StatusError) as caught:
        apart.predict(MODEL, {**sample(), "input_ids": np.zeros((1, 64), np.int32)})
    assert caught.value.code == "INVALID_ARGUMENT"
    with pytest.raises(StatusError, match=r"must feed a value|input_mask") as caught:
        apart.predict(MODEL, {"input_ids": np.zeros((1, 128), np.int32)})
    assert apart.predict(MODEL, sample())["probabilities"].shape == (1, 2)


def test_runs_of_many_threads_do_not_mix(apart: TensorFlowProcess, tmp_path: Path) -> None:
    folder = echoes(tmp_path / "m")
    apart.load(folder)
    words = np.array([b"a", b"b" * 50], object)
    answers = apart.at_once(folder, 8, 50, {"string": words}, "string")
    assert len(answers) == 400
    assert all(answer["string"].tolist() == words.tolist() for answer in answers)


def test_models_and_tensors_are_freed(apart: TensorFlowProcess, tmp_path: Path) -> None:
    folder = echoes(tmp_path / "m")
    megabyte = {"string": np.array([b"z" * 2**20], object)}
    # 300 runs move 600 MB of strings in and out: what was not freed would show at once.
    assert apart.memory(folder, 30, megabyte, "string") < 60 * 2**20


def test_bfloat16_is_rounded_to_the_nearest_and_exact_values_come_back() -> None:
    bits = np.arange(2**16, dtype=np.uint16)
    values = bfloat16_to_float(bits)
    finite = np.isfinite(values)
    assert np.array_equal(float_to_bfloat16(values)[finite], bits[finite])
    assert float_to_bfloat16(np.array([1.0 + 2**-8, 1.0 + 3 * 2**-8], np.float32)).tolist() == [
        0x3F80,
        0x3F82,
    ]
    assert np.isnan(bfloat16_to_float(float_to_bfloat16(np.array([np.nan], np.float32))))[0]
