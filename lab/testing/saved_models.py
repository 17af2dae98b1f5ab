"""SavedModels written by hand, each for something that a server must be able to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lab.testing.graphs import Graph


def text(folder: Path) -> Path:
    """Strings in and out: `echo` and `echo_bytes` (the name that REST writes as base64), and how
    many bytes each has.
    """
    graph = Graph()
    given = graph.placeholder("text", "DT_STRING", [-1])
    echo = graph.node("Identity", given, T="DT_STRING")
    length = graph.node("StringLength", given, output="DT_INT32")
    graph.signature(
        "serving_default", {"text": given}, {"echo": echo, "echo_bytes": echo, "length": length}
    )
    graph.signature("length", {"text": given}, {"length": length})
    return graph.save(folder)


def numbers(folder: Path) -> Path:
    """A signature for each kind of number: x in, twice x out; `both` halves and doubles at once."""
    graph = Graph()
    two = graph.constant(np.array(2, np.float32))
    for kind in (
        "DT_FLOAT",
        "DT_DOUBLE",
        "DT_INT64",
        "DT_UINT8",
        "DT_HALF",
        "DT_BFLOAT16",
        "DT_BOOL",
    ):
        name = kind[3:].lower()
        x = graph.placeholder(f"x_{name}", kind, [-1])
        single = graph.node("Cast", x, SrcT=kind, DstT="DT_FLOAT")
        y = graph.node(
            "Cast", graph.node("Mul", single, two, T="DT_FLOAT"), SrcT="DT_FLOAT", DstT=kind
        )
        graph.signature(name, {"x": x}, {"y": y})
        if kind == "DT_FLOAT":
            half = graph.node("Cast", y, SrcT="DT_FLOAT", DstT="DT_HALF")
            graph.signature("both", {"x": x}, {"half": half, "twice": y})
            graph.signature("serving_default", {"x": x}, {"y": y})
    return graph.save(folder)


def vocabulary(folder: Path) -> Path:
    """Words to line numbers of an asset file."""
    graph = Graph()
    file = graph.asset("words.txt", b"bad\ngood\n")
    table = graph.node(
        "HashTableV2", key_dtype="DT_STRING", value_dtype="DT_INT64", shared_name="words"
    )
    filled = graph.node(
        "InitializeTableFromTextFileV2",
        table,
        file,
        key_index=-2,
        value_index=-1,
        vocab_size=-1,
        delimiter="\t",
    )
    graph.initial(filled)
    word = graph.placeholder("word", "DT_STRING", [-1])
    unknown = graph.constant(np.array(-1, np.int64))
    found = graph.node(
        "LookupTableFindV2",
        table,
        word,
        unknown,
        output="DT_INT64",
        Tin="DT_STRING",
        Tout="DT_INT64",
    )
    graph.signature("serving_default", {"word": word}, {"id": found})
    return graph.save(folder)


def examples(folder: Path) -> Path:
    """tf.Examples with a float feature x: `classify` gives the scores x and 1-x with their texts as
    labels, `regress` gives 2x.
    """
    graph = Graph()
    serialized = graph.placeholder("serialized", "DT_STRING", [-1])
    x = graph.node(
        "ParseExample", serialized, graph.constant(np.empty(0, object)), graph.constant("x"), graph.constant(np.empty(0, np.float32)),
        output="DT_FLOAT", shape=[-1, 1], Nsparse=0, Ndense=1, sparse_types=(), Tdense=("DT_FLOAT",), dense_shapes=([1],),
    )  # fmt: skip
    rest = graph.node(
        "Sub", graph.constant(np.array(1, np.float32)), x, T="DT_FLOAT", shape=[-1, 1]
    )
    axis = graph.constant(np.array(1, np.int32))
    scores = graph.node(
        "ConcatV2", x, rest, axis, T="DT_FLOAT", Tidx="DT_INT32", N=2, shape=[-1, 2]
    )
    labels = graph.node(
        "AsString", scores, T="DT_FLOAT", precision=2, output="DT_STRING", shape=[-1, 2]
    )
    twice = graph.node("Add", x, x, T="DT_FLOAT", shape=[-1, 1])
    graph.signature(
        "serving_default", {"inputs": serialized}, {"classes": labels, "scores": scores}, "classify"
    )
    graph.signature("scores", {"inputs": serialized}, {"scores": scores}, "classify")
    graph.signature("twice", {"inputs": serialized}, {"outputs": twice}, "regress")
    graph.signature("wide", {"inputs": serialized}, {"outputs": scores}, "regress")
    return graph.save(folder)


def picture(folder: Path) -> Path:
    """A JPEG as one string, to height, width and channels; `encode` makes one of pixels."""
    graph = Graph()
    content = graph.placeholder("jpeg_bytes", "DT_STRING", [])
    image = graph.node("DecodeJpeg", content, output="DT_UINT8", channels=3)
    pixels = graph.placeholder("pixels", "DT_UINT8", [-1, -1, 3])
    graph.signature(
        "encode",
        {"pixels": pixels},
        {"jpeg_bytes": graph.node("EncodeJpeg", pixels, output="DT_STRING")},
    )
    graph.signature(
        "serving_default",
        {"jpeg_bytes": content},
        {"shape": graph.node("Shape", image, T="DT_UINT8", out_type="DT_INT32")},
    )
    return graph.save(folder)


def stuck(folder: Path) -> Path:
    """Waits for an element of a queue that nobody fills: never answers."""
    graph = Graph()
    queue = graph.node("FIFOQueueV2", component_types=("DT_FLOAT",), shapes=([1],))
    x = graph.placeholder("x", "DT_FLOAT", [-1])
    waited = graph.node("QueueDequeueV2", queue, output="DT_FLOAT", component_types=("DT_FLOAT",))
    graph.signature("serving_default", {"x": x}, {"y": graph.node("Add", x, waited, T="DT_FLOAT")})
    return graph.save(folder)


def echoes(folder: Path) -> Path:
    """A model that gives back what it gets, in each of several types."""
    graph = Graph()
    kinds = [
        "DT_FLOAT",
        "DT_DOUBLE",
        "DT_INT32",
        "DT_UINT8",
        "DT_STRING",
        "DT_INT64",
        "DT_BOOL",
        "DT_BFLOAT16",
        "DT_HALF",
    ]
    inputs = {kind[3:].lower(): graph.placeholder(kind[3:].lower(), kind, [-1]) for kind in kinds}
    outputs = {name: graph.node("Identity", ref, T=ref.kind) for name, ref in inputs.items()}
    graph.signature("serving_default", inputs, outputs)
    for name, ref in inputs.items():
        graph.signature(name, {name: ref}, {name: outputs[name]})
    return graph.save(folder)


VALUES = {
    "float": np.array([1.5, -np.inf, np.nan], np.float32), "double": np.array([1e300, 0.1], np.float64),
    "int32": np.array([-(2**31), 7], np.int32), "uint8": np.array([0, 255], np.uint8), "int64": np.array([2**63 - 1], np.int64),
    "bool": np.array([True, False]), "bfloat16": np.array([1.5, -3.0, 1e30, np.inf], np.float32).view(np.float32),
    "half": np.array([1.5, 65504.0], np.float16),
    "string": np.array(["中文".encode(), b"", b"zeros\0\0", b"x" * 23, b"y" * 100_000], object),
}  # fmt: skip
"""Values of each type that `echoes` takes, by the name of its signature."""
