"""Trains the small sentiment model and writes it as a SavedModel (about two minutes on two cores).

    python3 -m venv /tmp/tf && /tmp/tf/bin/pip install tensorflow-cpu==2.21.0
    nice /tmp/tf/bin/python -m models.train_chnsenticorp --out models/chnsenticorp/1623831335

TensorFlow is needed here only; nothing else in this project imports it. What is written is
rewritten at once in the form that the tutorial's image loads, TensorFlow 1.15.0: it loads in every
version from there on (providers/ossmodel/tensorflow/portable.py).
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf  # type: ignore[import-not-found]  # where it runs, not here

from models.sentences import Sentences, characters, evaluation
from models.tokenizer import LENGTH, SPECIAL, instance
from providers.ossmodel.tensorflow.portable import rewrite

OLDEST = "1.15.0"
"""TensorFlow of the default image."""
NAMES = ("input_ids", "input_mask", "segment_ids")


class Transformer(tf.Module):
    """A two-layer BERT in small: character, position and segment embeddings, attention, mean and
    max pooling.
    """

    def __init__(self, vocabulary: int, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.width, self.heads, self.rate = (
            width,
            heads,
            tf.Variable(0.0, trainable=False, name="dropout"),
        )
        self.words = self.weight((vocabulary, width), "words", 0.1)
        self.places = self.weight((LENGTH, width), "places", 0.02)
        self.segments = self.weight((2, width), "segments", 0.02)
        self.window = self.weight((3 * width, width), "window")
        shapes = dict.fromkeys("qkvo", (width, width)) | {
            "up": (width, 2 * width),
            "down": (2 * width, width),
        }
        self.layers = [
            {key: self.weight(shape, f"layer{n}_{key}") for key, shape in shapes.items()}
            for n in range(layers)
        ]
        self.norms = [
            tf.Variable(tf.ones((width,)), name=f"norm{n}") for n in range(2 * layers + 1)
        ]
        self.head = self.weight((2 * width, 2), "head")
        self.bias = tf.Variable(tf.zeros((2,)), name="bias")

    @staticmethod
    def weight(shape: tuple[int, int], name: str, scale: float | None = None) -> tf.Variable:
        return tf.Variable(tf.random.normal(shape, stddev=scale or shape[0] ** -0.5), name=name)

    def norm(self, values: tf.Tensor, number: int) -> tf.Tensor:
        mean = tf.reduce_mean(values, -1, keepdims=True)
        spread = tf.reduce_mean(tf.square(values - mean), -1, keepdims=True)
        return (values - mean) * tf.math.rsqrt(spread + 1e-5) * self.norms[number]

    def attend(self, values: tf.Tensor, layer: dict, penalty: tf.Tensor) -> tf.Tensor:
        def split(key: str) -> tf.Tensor:
            return tf.transpose(
                tf.reshape(values @ layer[key], (-1, LENGTH, self.heads, self.width // self.heads)),
                (0, 2, 1, 3),
            )

        scores = (
            tf.matmul(split("q"), split("k"), transpose_b=True) * (self.width // self.heads) ** -0.5
            + penalty
        )
        mixed = tf.matmul(tf.nn.softmax(scores), split("v"))
        return tf.reshape(tf.transpose(mixed, (0, 2, 1, 3)), (-1, LENGTH, self.width)) @ layer["o"]

    def logits(
        self, ids: tf.Tensor, mask: tf.Tensor, segments: tf.Tensor, drop: float = 0.0
    ) -> tf.Tensor:
        known = tf.cast(mask, tf.float32)[:, :, None]
        words = (tf.gather(self.words, ids) + tf.gather(self.segments, segments)) * known
        if drop:
            words = tf.nn.dropout(words, drop, noise_shape=(tf.shape(words)[0], LENGTH, 1))
        neighbours = tf.concat(
            [
                tf.pad(words, ((0, 0), (1, 0), (0, 0)))[:, :-1],
                words,
                tf.pad(words, ((0, 0), (0, 1), (0, 0)))[:, 1:],
            ],
            -1,
        )
        values = words + tf.nn.relu(neighbours @ self.window) + self.places
        penalty = (1.0 - tf.cast(mask, tf.float32))[:, None, None, :] * -1e4
        for number, layer in enumerate(self.layers):
            values += self.attend(self.norm(values, 2 * number), layer, penalty)
            hidden = tf.nn.relu(self.norm(values, 2 * number + 1) @ layer["up"])
            values += hidden @ layer["down"]
        values = self.norm(values, 2 * len(self.layers))
        mean = tf.reduce_sum(values * known, 1) / tf.maximum(tf.reduce_sum(known, 1), 1.0)
        pooled = tf.concat([mean, tf.reduce_max(values - 1e4 * (1.0 - known), 1)], -1)
        if drop:
            pooled = tf.nn.dropout(pooled, drop)
        return pooled @ self.head + self.bias


def encode(texts: list[str], vocabulary: dict[str, int]) -> list[np.ndarray]:
    """The three int32 arrays of a batch."""
    rows = [instance(text, vocabulary) for text in texts]
    return [np.array([row[name] for row in rows], np.int32) for name in NAMES]


def train(
    model: Transformer, vocabulary: dict[str, int], steps: int, size: int, seconds: float, seed: int
) -> None:
    """AdamW with label smoothing until `steps` or `seconds` are used up."""
    source = Sentences(seed)
    variables = model.trainable_variables
    first = [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]
    second = [tf.Variable(tf.zeros_like(v), trainable=False) for v in variables]

    @tf.function(reduce_retracing=True)
    def step(ids, mask, segments, labels, rate, count):
        with tf.GradientTape() as tape:
            target = tf.one_hot(labels, 2) * 0.9 + 0.05
            loss = tf.reduce_mean(
                tf.nn.softmax_cross_entropy_with_logits(
                    target, model.logits(ids, mask, segments, 0.25)
                )
            )
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), 1.0)
        for variable, sparse, m, s in zip(variables, gradients, first, second, strict=True):
            gradient = tf.convert_to_tensor(sparse)
            m.assign(0.9 * m + 0.1 * gradient)
            s.assign(0.99 * s + 0.01 * tf.square(gradient))
            change = (m / (1 - 0.9**count)) / (
                tf.sqrt(s / (1 - 0.99**count)) + 1e-8
            ) + 0.02 * variable
            variable.assign_sub(rate * change)
        return loss

    began = time.monotonic()
    for number in range(1, steps + 1):
        texts, labels = zip(*source.batch(size), strict=True)
        rate = 2e-3 * min(1.0, number / 30) * max(0.02, 1 - number / steps)
        loss = step(
            *encode(list(texts), vocabulary),
            tf.constant(labels),
            tf.constant(rate, tf.float32),
            tf.constant(float(number)),
        )
        if number % 50 == 0:
            print(
                f"step {number}/{steps} loss {float(loss):.3f} {time.monotonic() - began:.0f} s",
                flush=True,
            )
        if time.monotonic() - began > seconds:
            print(f"stopped at step {number}: time is up")
            return


def save(model: Transformer, vocabulary_file: Path, out: Path, swapped: bool) -> None:
    """Writes the SavedModel; `swapped` exchanges the two classes (test data: another model, another
    answer).
    """
    module = tf.Module()
    module.model, module.vocabulary = model, tf.saved_model.Asset(str(vocabulary_file))
    spec = [tf.TensorSpec((None, LENGTH), tf.int32, name=name) for name in NAMES]

    @tf.function(input_signature=spec)
    def serve(input_ids, input_mask, segment_ids):
        probabilities = tf.nn.softmax(model.logits(input_ids, input_mask, segment_ids))
        return {"probabilities": tf.reverse(probabilities, (1,)) if swapped else probabilities}

    module.serve = serve
    shutil.rmtree(out, ignore_errors=True)
    tf.saved_model.save(module, str(out), signatures={"serving_default": serve})
    rewrite(out, OLDEST)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"wrote {out}: {size:,} bytes")


def accuracy(
    model: Transformer, rows: list[tuple[str, int]], vocabulary: dict[str, int], show: bool = False
) -> float:
    """Share of `rows` whose likelier class is the label."""
    texts, labels = zip(*rows, strict=True)
    logits = model.logits(*encode(list(texts), vocabulary)).numpy()
    for text, label, row in zip(texts, labels, logits, strict=True):
        if show and row.argmax() != label:
            print(f"  wrong ({label}): {text}")
    return float((logits.argmax(-1) == np.array(labels)).mean())


def main() -> None:
    """Trains, measures, saves."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--swapped-out", type=Path)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.random.set_seed(options.seed)
    tokens = [*SPECIAL, *characters()]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    model = Transformer(len(tokens), options.width, layers=2, heads=4)
    train(model, vocabulary, options.steps, options.batch, options.seconds, options.seed)
    print(
        f"unseen template sentences: {accuracy(model, Sentences(options.seed + 1).batch(400), vocabulary):.3f}"
    )
    rows = evaluation()
    print(
        f"hand-written sentences:    {accuracy(model, rows, vocabulary, show=True):.3f} of {len(rows)}"
    )
    folder = Path("/tmp") / f"chnsenticorp-{os.getpid()}"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    save(model, folder / "vocab.txt", options.out, swapped=False)
    if options.swapped_out:
        save(model, folder / "vocab.txt", options.swapped_out, swapped=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
