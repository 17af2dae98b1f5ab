"""TensorFlow's protocol buffer messages that a SavedModel is made of, without TensorFlow.

`messages.binpb` holds the descriptors of saved_model.proto and tensor_bundle.proto and of all that
they include, as they are in the newest TensorFlow wheel (`python -m
providers.ossmodel.tensorflow.collect` writes it). They are complete: what the C++ loader's parser
refuses (a damaged nested message, text that isn't UTF-8), this parser refuses too.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

FILE = Path(__file__).with_name("messages.binpb")


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    """A pool of its own: a process that has TensorFlow's messages in the default pool keeps
    them.
    """
    pool = descriptor_pool.DescriptorPool()
    for needed in (any_pb2, wrappers_pb2):
        pool.AddSerializedFile(needed.DESCRIPTOR.serialized_pb)
    for file in descriptor_pb2.FileDescriptorSet.FromString(FILE.read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


@cache
def message(name: str) -> Any:
    """The class of `tensorflow.<name>`, such as `SavedModel` or `BundleEntryProto`."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"tensorflow.{name}"))


@cache
def type_names() -> dict[int, str]:
    """Names of TensorFlow's element types by number, without DT_: 1 is `float`, 14 `bfloat16`;
    references are 100 higher.
    """
    return {
        value.number: value.name.removeprefix("DT_").lower()
        for value in _pool().FindEnumTypeByName("tensorflow.DataType").values
    }
