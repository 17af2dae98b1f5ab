"""Exports SavedModels of many kinds, each with a request and the exporter's own answers. Runs where
TensorFlow is, not in this project's environment: `python models/make_savedmodels.py OUT`
(tests/prove/test_r2_savedmodels.py installs that place and calls this).

OUT/<name>/1 is the model, OUT/<name>/request.json the signatures with inputs and outputs: type,
shape, and base64 of each value's bytes. A kind that this TensorFlow can't export is left out with
its reason in OUT/left_out.json.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf  # type: ignore[import-not-found]  # where it runs, not here

keras, v1 = tf.keras, tf.compat.v1
SPEC = tf.TensorSpec
KINDS = {}


def kind(make):
    """Register a function that exports to a directory and gives {signature: inputs}."""
    KINDS[make.__name__] = make
    return make


def export(model, directory, requests):
    """A Keras model, by whichever way this Keras has."""
    if hasattr(model, "export"):
        model.export(directory)
    else:
        tf.saved_model.save(model, directory)
    return requests


def module(directory, function, specs, requests, **tracked):
    """A function as the signature serving_default of a tf.Module."""
    holder = tf.Module()
    for name, value in tracked.items():
        setattr(holder, name, value)
    holder.serve = tf.function(function, input_signature=specs)
    tf.saved_model.save(holder, directory, signatures={"serving_default": holder.serve})
    return {"serving_default": requests}


def numbers(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def only_input(directory, value):
    """{signature: inputs} of a model with one input of whatever name."""
    signature = tf.saved_model.load(directory).signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    return {"serving_default": {name: value}}


def sequential(directory, layers, value):
    model = keras.Sequential([keras.Input(value.shape[1:], dtype=value.dtype), *layers])
    export(model, directory, None)
    return only_input(directory, value)


@kind
def keras_dense(d):
    return sequential(
        d,
        [keras.layers.Dense(4, activation="relu"), keras.layers.Dense(2, activation="softmax")],
        numbers(3, 5),
    )


@kind
def keras_convolution(d):
    layers = keras.layers
    return sequential(
        d,
        [
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3),
        ],
        numbers(2, 12, 12, 3),
    )


@kind
def keras_lstm(d):
    return sequential(d, [keras.layers.LSTM(6), keras.layers.Dense(2)], numbers(2, 7, 3))


@kind
def keras_gru_bidirectional(d):
    return sequential(
        d,
        [keras.layers.Bidirectional(keras.layers.GRU(4)), keras.layers.Dense(1)],
        numbers(2, 5, 3),
    )


@kind
def keras_attention(d):
    value = keras.Input((6, 8))
    model = keras.Model(
        value,
        keras.layers.LayerNormalization()(keras.layers.MultiHeadAttention(2, 4)(value, value)),
    )
    export(model, d, None)
    return only_input(d, numbers(2, 6, 8))


@kind
def keras_embedding(d):
    return sequential(
        d,
        [
            keras.layers.Embedding(50, 8),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(2),
        ],
        np.array([[1, 2, 3]], np.int32),
    )


@kind
def bert_like(d):
    rng = np.random.default_rng(2)
    words, types, dense = (
        tf.Variable(rng.normal(size=shape).astype(np.float32))
        for shape in ((100, 8), (2, 8), (8, 2))
    )

    def serve(input_ids, input_mask, segment_ids):
        mask = tf.cast(input_mask, tf.float32)[:, :, None]
        values = (tf.gather(words, input_ids) + tf.gather(types, segment_ids)) * mask
        scores = tf.nn.softmax(
            tf.matmul(values, values, transpose_b=True) + (1 - tf.transpose(mask, (0, 2, 1))) * -1e4
        )
        return {
            "probabilities": tf.nn.softmax(tf.reduce_mean(tf.matmul(scores, values), 1) @ dense)
        }

    specs = [
        SPEC((None, 16), tf.int32, name=name) for name in ("input_ids", "input_mask", "segment_ids")
    ]
    row = rng.integers(0, 2, (2, 16)).astype(np.int32)
    return module(
        d,
        serve,
        specs,
        {"input_ids": row * 7, "input_mask": row, "segment_ids": row * 0},
        words=words,
        types=types,
        dense=dense,
    )


@kind
def text_vectorization(d):
    layer = keras.layers.TextVectorization(max_tokens=20, output_sequence_length=6)
    layer.adapt(["good room", "bad food"])
    model = tf.Module()
    model.layer = layer
    model.serve = tf.function(
        lambda text: {"ids": layer(text)}, input_signature=[SPEC([None], tf.string, name="text")]
    )
    tf.saved_model.save(model, d, signatures={"serving_default": model.serve})
    return {"serving_default": {"text": np.array([b"good food", b"what"], object)}}


def table_of(directory, content):
    path = Path(directory).parent / "words.txt"
    path.write_text(content)
    source = tf.lookup.TextFileInitializer(
        str(path),
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    return tf.lookup.StaticHashTable(source, -1)


@kind
def vocabulary(d):
    table = table_of(d, "red\ngreen\nblue\n")
    words = {"word": np.array([b"green", b"pink"], object)}
    return module(
        d,
        lambda word: {"id": table.lookup(word)},
        [SPEC([None], tf.string, name="word")],
        words,
        table=table,
    )


@kind
def empty_vocabulary(d):
    table = table_of(d, "")
    words = {"word": np.array([b"green"], object)}
    return module(
        d,
        lambda word: {"id": table.lookup(word)},
        [SPEC([None], tf.string, name="word")],
        words,
        table=table,
    )


@kind
def asset_that_nothing_reads(d):
    path = Path(d).parent / "note.txt"
    path.write_text("x")
    return module(
        d,
        lambda x: {"y": x + 1},
        [SPEC([None], tf.float32, name="x")],
        {"x": numbers(3)},
        note=tf.saved_model.Asset(str(path)),
    )


@kind
def several_signatures(d):
    holder = tf.Module()
    holder.w = tf.Variable(3.0)
    spec = [SPEC([None], tf.float32, name="x")]
    holder.times = tf.function(lambda x: {"y": x * holder.w}, input_signature=spec)
    holder.plus = tf.function(lambda x: {"y": x + holder.w, "twice": 2 * x}, input_signature=spec)
    tf.saved_model.save(
        holder, d, signatures={"serving_default": holder.times, "plus": holder.plus}
    )
    return {"serving_default": {"x": numbers(4)}, "plus": {"x": numbers(4)}}


@kind
def ragged(d):
    def serve(text):
        return {
            "lengths": tf.strings.split(text).row_lengths(),
            "words": tf.strings.split(text).to_tensor(),
        }

    return module(
        d,
        serve,
        [SPEC([None], tf.string, name="text")],
        {"text": np.array([b"a b c", b"d"], object)},
    )


@kind
def jpeg(d):
    def serve(image):
        decoded = tf.map_fn(
            lambda data: tf.image.decode_jpeg(data, 3), image, fn_output_signature=tf.uint8
        )
        return {"mean": tf.reduce_mean(tf.cast(decoded, tf.float32), (1, 2))}

    data = tf.io.encode_jpeg(
        np.tile(np.arange(16, dtype=np.uint8)[:, None, None] * 10, (1, 16, 3)), quality=95
    ).numpy()
    return module(
        d,
        serve,
        [SPEC([None], tf.string, name="image_bytes")],
        {"image_bytes": np.array([data, data], object)},
    )


@kind
def while_loop(d):
    def serve(x):
        return {"y": tf.while_loop(lambda i, v: i < 5, lambda i, v: (i + 1, v * 1.5), (0, x))[1]}

    return module(d, serve, [SPEC([None], tf.float32, name="x")], {"x": numbers(3)})


@kind
def conditional(d):
    def serve(x):
        return {"y": tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: -x)}

    return module(d, serve, [SPEC([None], tf.float32, name="x")], {"x": numbers(3)})


def typed(kind_of):
    def make(d):
        def serve(x):
            return {"y": tf.cast(x, kind_of) * tf.constant(1.5, kind_of)}

        return module(
            d, serve, [SPEC([None], tf.float32, name="x")], {"x": np.array([1, 2, -4], np.float32)}
        )

    return make


for _kind in (tf.bfloat16, tf.half, tf.double):
    KINDS[_kind.name] = typed(_kind)


@kind
def bfloat16_variable(d):
    w = tf.Variable(tf.constant([1.5, -3.0], tf.bfloat16))
    return module(
        d,
        lambda x: {"y": tf.cast(x, tf.bfloat16) * w},
        [SPEC([None, 2], tf.float32, name="x")],
        {"x": np.ones((1, 2), np.float32)},
        w=w,
    )


@kind
def einsum(d):
    return module(
        d,
        lambda x: {"y": tf.einsum("bij,bjk->bik", x, x)},
        [SPEC([None, 3, 3], tf.float32, name="x")],
        {"x": numbers(2, 3, 3)},
    )


@kind
def strings_joined(d):
    return module(
        d,
        lambda s: {"o": tf.strings.join([s, "!"])},
        [SPEC([None], tf.string, name="s")],
        {"s": np.array(["词".encode(), b""], object)},
    )


@kind
def without_variables(d):
    return module(
        d, lambda x: {"y": x / 2 + 2}, [SPEC([None], tf.float32, name="x")], {"x": numbers(3)}
    )


@kind
def partly_known_shapes(d):
    return module(
        d,
        lambda x: {"y": tf.reduce_sum(x)},
        [SPEC(None, tf.float32, name="x")],
        {"x": numbers(2, 2)},
    )


def graph_model(directory, build, assets=None, table=False):
    """A TF1 graph with its session, by the builder of the time."""
    with v1.Graph().as_default(), v1.Session() as session:
        signatures, requests = build()
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        builder = v1.saved_model.Builder(directory)
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signatures,
            main_op=v1.tables_initializer() if table else None,
            strip_default_attrs=True,
        )
        builder.save()
    return requests


def signature(inputs, outputs, method="predict"):
    infos = (
        {name: v1.saved_model.build_tensor_info(value) for name, value in side.items()}
        for side in (inputs, outputs)
    )
    return v1.saved_model.signature_def_utils.build_signature_def(
        *infos, f"tensorflow/serving/{method}"
    )


def half_plus_two_graph(resource):
    def build():
        a = v1.get_variable("a", initializer=0.5, use_resource=resource)
        b = v1.get_variable("b", initializer=2.0, use_resource=resource)
        serialized = v1.placeholder(tf.string, [None], name="tf_example")
        parsed = v1.parse_example(serialized, {"x": v1.FixedLenFeature([1], tf.float32)})
        x = v1.identity(parsed["x"], name="x")
        y = v1.add(v1.multiply(a, x), b, name="y")
        signatures = {
            "serving_default": signature({"x": x}, {"y": y}),
            "regress_x_to_y": signature({"inputs": serialized}, {"outputs": y}, "regress"),
            "classify_x_to_y": signature({"inputs": serialized}, {"scores": y}, "classify"),
        }
        example = tf.train.Example(
            features=tf.train.Features(
                feature={"x": tf.train.Feature(float_list=tf.train.FloatList(value=[4]))}
            )
        )
        data = np.array([example.SerializeToString()], object)
        return signatures, {
            "serving_default": {"x": numbers(3, 1)},
            "regress_x_to_y": {"inputs": data},
            "classify_x_to_y": {"inputs": data},
        }

    return build


@kind
def graph_half_plus_two(d):
    return graph_model(d, half_plus_two_graph(False))


@kind
def graph_half_plus_two_resource(d):
    return graph_model(d, half_plus_two_graph(True))


@kind
def graph_without_variables(d):
    def build():
        x = v1.placeholder(tf.float32, [None], name="x")
        return {"serving_default": signature({"x": x}, {"y": x * 3})}, {
            "serving_default": {"x": numbers(3)}
        }

    return graph_model(d, build)


@kind
def graph_partitioned(d):
    def build():
        w = v1.get_variable(
            "w",
            [6, 2],
            initializer=v1.random_normal_initializer(seed=4),
            partitioner=v1.fixed_size_partitioner(3),
            use_resource=False,
        )
        x = v1.placeholder(tf.float32, [None, 6], name="x")
        return {
            "serving_default": signature({"x": x}, {"y": v1.matmul(x, tf.convert_to_tensor(w))})
        }, {"serving_default": {"x": numbers(2, 6)}}

    return graph_model(d, build)


@kind
def graph_while(d):
    def build():
        v1.disable_control_flow_v2()
        x = v1.placeholder(tf.float32, [None], name="x")
        y = v1.while_loop(lambda i, v: i < 4, lambda i, v: (i + 1, v + 1), (0, x))[1]
        return {"serving_default": signature({"x": x}, {"y": y})}, {
            "serving_default": {"x": numbers(3)}
        }

    return graph_model(d, build)


@kind
def graph_on_a_gpu(d):
    def build():
        with v1.device("/device:GPU:0"):
            x = v1.placeholder(tf.float32, [None], name="x")
            y = x * 3
        return {"serving_default": signature({"x": x}, {"y": y})}, {
            "serving_default": {"x": numbers(3)}
        }

    with (
        v1.Graph().as_default(),
        v1.Session(config=v1.ConfigProto(allow_soft_placement=True)) as session,
    ):
        signatures, _ = build()
        builder = v1.saved_model.Builder(d)
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()
    return {}


@kind
def estimator(d):
    column = tf.feature_column.numeric_column("x")
    model = tf.estimator.LinearClassifier([column], model_dir=str(Path(d).parent / "checkpoints"))
    model.train(
        lambda: tf.data.Dataset.from_tensors(({"x": [[1.0], [2.0]]}, [[0], [1]])).repeat(20),
        steps=20,
    )
    receiver = tf.estimator.export.build_parsing_serving_input_receiver_fn(
        tf.feature_column.make_parse_example_spec([column])
    )
    exported = model.export_saved_model(str(Path(d).parent / "exported"), receiver)
    os.rename(exported, d)
    example = tf.train.Example(
        features=tf.train.Features(
            feature={"x": tf.train.Feature(float_list=tf.train.FloatList(value=[1.5]))}
        )
    )
    data = np.array([example.SerializeToString()], object)
    return {
        "predict": {"examples": data},
        "classification": {"inputs": data},
        "regression": {"inputs": data},
    }


def plain(values):
    """One tensor as JSON."""
    values = np.asarray(values)
    if values.dtype == object or values.dtype.kind == "S":
        data = [base64.b64encode(bytes(value)).decode() for value in values.ravel()]
        return {"type": "string", "shape": values.shape, "data": data}
    if values.dtype.name == "bfloat16":
        values = values.astype(np.float32)
    return {
        "type": values.dtype.name,
        "shape": values.shape,
        "data": base64.b64encode(np.ascontiguousarray(values).tobytes()).decode(),
    }


def answers(directory, requests):
    """The exporter's own answers."""
    if not requests:
        return {}
    loaded, result = tf.saved_model.load(directory), {}
    for name, inputs in requests.items():
        tensors = {
            key: tf.constant([bytes(v) for v in value] if value.dtype == object else value)
            for key, value in inputs.items()
        }
        outputs = loaded.signatures[name](**tensors)
        sides = (inputs, {key: value.numpy() for key, value in outputs.items()})
        result[name] = {
            side: {key: plain(value) for key, value in values.items()}
            for side, values in zip(("inputs", "outputs"), sides, strict=True)
        }
    return result


def main():
    """Export everything."""
    out, left_out = Path(sys.argv[1]), {}
    for number, (name, make) in enumerate(KINDS.items(), 1):
        directory = out / name / "1"
        directory.parent.mkdir(parents=True, exist_ok=True)
        try:
            tf.keras.utils.set_random_seed(3)
            requests = make(str(directory))
            (out / name / "request.json").write_text(json.dumps(answers(str(directory), requests)))
        except Exception as error:
            left_out[name] = (
                f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
            )
        print(f"{number} of {len(KINDS)}: {name} {left_out.get(name, '')}", flush=True)
    (out / "left_out.json").write_text(json.dumps(left_out, indent=1))


if __name__ == "__main__":
    main()
