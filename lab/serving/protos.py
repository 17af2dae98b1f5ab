"""The protocol buffer messages used here, built at import from the listing below.

They are wire-compatible subsets of TensorFlow's and TensorFlow Serving's messages: field numbers
are theirs, fields that are not read here are left out (the parser keeps or skips them). No code
generator and no TensorFlow are needed.
"""

from __future__ import annotations

import re
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

PACKAGE = "tensorflow.serving"
LISTING = """
Dim: 1 size int64; 2 name string
TensorShape: 2 dim *Dim; 3 unknown_rank bool
CooSparse: 1 values_tensor_name string; 2 indices_tensor_name string; 3 dense_shape_tensor_name string
TensorInfo: 1 name ?string; 4 coo_sparse ?CooSparse; 2 dtype DataType; 3 tensor_shape TensorShape
SignatureDef: 1 inputs {TensorInfo}; 2 outputs {TensorInfo}; 3 method_name string
SignatureDefMap: 1 signature_def {SignatureDef}
MetaInfo: 4 tags *string; 5 tensorflow_version string
MetaGraph: 1 meta_info_def MetaInfo; 5 signature_def {SignatureDef}
Tensor: 1 dtype DataType; 2 tensor_shape TensorShape; 4 tensor_content bytes; 5 float_val *float; 6 double_val *double; \
7 int_val *int32; 8 string_val *bytes; 9 scomplex_val *float; 10 int64_val *int64; 11 bool_val *bool; 12 dcomplex_val *double; \
13 half_val *int32; 16 uint32_val *uint32; 17 uint64_val *uint64
ModelSpec: 1 name string; 2 version ?@google.protobuf.Int64Value; 4 version_label ?string; 3 signature_name string
PredictRequest: 1 model_spec ModelSpec; 2 inputs {Tensor}; 3 output_filter *string
PredictResponse: 2 model_spec ModelSpec; 1 outputs {Tensor}
BytesList: 1 value *bytes
FloatList: 1 value *float
Int64List: 1 value *int64
Feature: 1 bytes_list ?BytesList; 2 float_list ?FloatList; 3 int64_list ?Int64List
Features: 1 feature {Feature}
Example: 1 features Features
ExampleList: 1 examples *bytes
ExampleListWithContext: 1 examples *bytes; 2 context bytes
Input: 1 example_list ?ExampleList; 2 example_list_with_context ?ExampleListWithContext
Class: 1 label bytes; 2 score float
Classifications: 1 classes *Class
ClassificationResult: 1 classifications *Classifications
ClassificationRequest: 1 model_spec ModelSpec; 2 input Input
ClassificationResponse: 2 model_spec ModelSpec; 1 result ClassificationResult
Regression: 1 value float
RegressionResult: 1 regressions *Regression
RegressionRequest: 1 model_spec ModelSpec; 2 input Input
RegressionResponse: 2 model_spec ModelSpec; 1 result RegressionResult
InferenceTask: 1 model_spec ModelSpec; 2 method_name string
InferenceResult: 1 model_spec ModelSpec; 2 classification_result ?ClassificationResult; 3 regression_result ?RegressionResult
MultiInferenceRequest: 1 tasks *InferenceTask; 2 input Input
MultiInferenceResponse: 1 results *InferenceResult
ClassifyLog: 1 request ClassificationRequest
RegressLog: 1 request RegressionRequest
PredictLog: 1 request PredictRequest
MultiInferenceLog: 1 request MultiInferenceRequest
Ignored:
PredictionLog: 2 classify_log ?ClassifyLog; 3 regress_log ?RegressLog; 6 predict_log ?PredictLog; \
4 multi_inference_log ?MultiInferenceLog; 5 session_run_log ?Ignored; 7 predict_streamed_log ?Ignored
StatusProto: 1 error_code ErrorCode; 2 error_message string
ModelVersionStatus: 1 version int64; 2 state State; 3 status StatusProto
GetModelStatusRequest: 1 model_spec ModelSpec
GetModelStatusResponse: 1 model_version_status *ModelVersionStatus
GetModelMetadataRequest: 1 model_spec ModelSpec; 2 metadata_field *string
GetModelMetadataResponse: 1 model_spec ModelSpec; 2 metadata {@google.protobuf.Any}
Latest: 1 num_versions uint32
All:
Specific: 1 versions *int64
VersionPolicy: 100 latest ?Latest; 101 all ?All; 102 specific ?Specific
ModelConfig: 1 name string; 2 base_path string; 4 model_platform string; 7 model_version_policy VersionPolicy; 8 version_labels {int64}
ModelConfigList: 1 config *ModelConfig
ModelServerConfig: 1 model_config_list ModelConfigList
PrometheusConfig: 1 enable bool; 2 path string
MonitoringConfig: 1 prometheus_config PrometheusConfig
BatchingParameters: 1 max_batch_size @google.protobuf.Int64Value; 2 batch_timeout_micros @google.protobuf.Int64Value; \
3 max_enqueued_batches @google.protobuf.Int64Value; \
4 num_batch_threads @google.protobuf.Int64Value; 5 thread_pool_name @google.protobuf.StringValue; \
6 allowed_batch_sizes *int64; 7 pad_variable_length_inputs bool
"""
ENUMS = {
    "DataType": {
        "DT_INVALID": 0, "DT_FLOAT": 1, "DT_DOUBLE": 2, "DT_INT32": 3, "DT_UINT8": 4, "DT_INT16": 5, "DT_INT8": 6, "DT_STRING": 7,
        "DT_COMPLEX64": 8, "DT_INT64": 9, "DT_BOOL": 10, "DT_QINT8": 11, "DT_QUINT8": 12, "DT_QINT32": 13, "DT_BFLOAT16": 14,
        "DT_QINT16": 15, "DT_QUINT16": 16, "DT_UINT16": 17, "DT_COMPLEX128": 18, "DT_HALF": 19, "DT_RESOURCE": 20, "DT_VARIANT": 21,
        "DT_UINT32": 22, "DT_UINT64": 23, "DT_FLOAT8_E5M2": 24, "DT_FLOAT8_E4M3FN": 25, "DT_INT4": 29, "DT_UINT4": 30,
    },
    "State": {"UNKNOWN": 0, "START": 10, "LOADING": 20, "AVAILABLE": 30, "UNLOADING": 40, "END": 50},
    "ErrorCode": {
        "OK": 0, "CANCELLED": 1, "UNKNOWN": 2, "INVALID_ARGUMENT": 3, "DEADLINE_EXCEEDED": 4, "NOT_FOUND": 5, "ALREADY_EXISTS": 6,
        "PERMISSION_DENIED": 7, "RESOURCE_EXHAUSTED": 8, "FAILED_PRECONDITION": 9, "ABORTED": 10, "OUT_OF_RANGE": 11, "UNIMPLEMENTED": 12,
        "INTERNAL": 13, "UNAVAILABLE": 14, "DATA_LOSS": 15, "UNAUTHENTICATED": 16,
    },
}  # fmt: skip
_HOMES = {"State": "ModelVersionStatus"}
"""Enums that live inside a message, so that their value names do not clash."""
_Field = descriptor_pb2.FieldDescriptorProto


def _set_type(field: Any, kind: str) -> None:
    """Fills type and type name of one field."""
    scalar = getattr(_Field, f"TYPE_{kind.upper()}", None)
    if scalar is not None and kind.islower():
        field.type = scalar
    elif kind in ENUMS:
        field.type, field.type_name = (
            _Field.TYPE_ENUM,
            "." + ".".join(filter(None, (PACKAGE, _HOMES.get(kind), kind))),
        )
    elif kind.startswith("@"):
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{kind[1:]}"
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"


def _add_field(message: Any, number: str, name: str, kind: str) -> None:
    """Adds a plain, exclusive (`?`), repeated (`*`) or map (`{}`) field to a message."""
    field = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
    if kind.startswith("{"):
        entry = message.nested_type.add(
            name="".join(part.capitalize() for part in name.split("_")) + "Entry"
        )
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_STRING)
        _set_type(entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL), kind[1:-1])
        field.label, field.type, field.type_name = (
            _Field.LABEL_REPEATED,
            _Field.TYPE_MESSAGE,
            f".{PACKAGE}.{message.name}.{entry.name}",
        )
        return
    if kind.startswith("?"):
        if not message.oneof_decl:
            message.oneof_decl.add(name="choice")
        field.oneof_index, kind = 0, kind[1:]
    elif kind.startswith("*"):
        field.label, kind = _Field.LABEL_REPEATED, kind[1:]
    _set_type(field, kind)


def _file() -> Any:
    """The whole listing as one file description."""
    result = descriptor_pb2.FileDescriptorProto(
        name="lab/serving.proto", package=PACKAGE, syntax="proto3"
    )
    result.dependency.extend([wrappers_pb2.DESCRIPTOR.name, any_pb2.DESCRIPTOR.name])
    for line in re.sub(r"\\\n", "", LISTING).strip().splitlines():
        name, fields = line.split(":", 1)
        message = result.message_type.add(name=name)
        for field in filter(None, (part.strip() for part in fields.split(";"))):
            _add_field(message, *field.split())
    for name, values in ENUMS.items():
        home = next(
            (message for message in result.message_type if message.name == _HOMES.get(name)), result
        )
        enum = home.enum_type.add(name=name)
        for key, number in values.items():
            enum.value.add(name=key, number=number)
    return result


def _build() -> dict[str, Any]:
    pool = descriptor_pool.DescriptorPool()
    for needed in (wrappers_pb2, any_pb2):
        pool.AddSerializedFile(needed.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(_file().SerializeToString())
    names = (line.split(":")[0] for line in re.sub(r"\\\n", "", LISTING).strip().splitlines())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in names
    }


_CLASSES = _build()
DTYPE_NAMES = {number: name for name, number in ENUMS["DataType"].items()}


def new(name: str, **fields: Any) -> Any:
    """A message of the listing."""
    return _CLASSES[name](**fields)


def cls(name: str) -> Any:
    """A message class of the listing."""
    return _CLASSES[name]
