"""The command line of `tensorflow_model_server`: its flags, its usage text, its way of reading
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

FLAGS: dict[str, tuple[Any, str]] = {
    "port": (8500, "TCP port to listen on for gRPC/HTTP API. Disabled if port set to zero."),
    "grpc_socket_path": (
        "",
        "If non-empty, listen to a UNIX socket for gRPC API on the given path.",
    ),
    "rest_api_port": (
        0,
        "Port to listen on for HTTP/REST API. If set to zero HTTP/REST API will not be exported.",
    ),
    "rest_api_num_threads": (16, "Number of threads for HTTP/REST API processing."),
    "rest_api_timeout_in_ms": (30000, "Timeout for HTTP/REST API calls."),
    "rest_api_enable_cors_support": (False, "Enable CORS headers in response"),
    "enable_batching": (False, "enable batching"),
    "allow_version_labels_for_unavailable_models": (
        False,
        "If true, allows assigning unused version labels to models not available yet.",
    ),
    "batching_parameters_file": (
        "",
        "If non-empty, read an ascii BatchingParameters protobuf from the supplied file name.",
    ),
    "enable_per_model_batching_parameters": (False, "Enables model specific batching params."),
    "model_config_file": (
        "",
        "If non-empty, read an ascii ModelServerConfig protobuf from the supplied file name.",
    ),
    "model_config_file_poll_wait_seconds": (
        0,
        "Interval in seconds between each poll of the filesystem for model_config_file.",
    ),
    "model_name": ("default", "name of model (ignored if --model_config_file flag is set)"),
    "model_base_path": (
        "",
        "path to export (ignored if --model_config_file flag is set, otherwise required)",
    ),
    "num_load_threads": (0, "The number of threads in the thread-pool used to load servables."),
    "num_unload_threads": (0, "The number of threads in the thread-pool used to unload servables."),
    "max_num_load_retries": (
        5,
        "maximum number of times it retries loading a model after the first failure, before giving up.",
    ),
    "load_retry_interval_micros": (
        60_000_000,
        "The interval, in microseconds, between each servable load retry.",
    ),
    "file_system_poll_wait_seconds": (
        1,
        "Interval in seconds between each poll of the filesystem for new model version.",
    ),
    "flush_filesystem_caches": (
        True,
        "If true, filesystem caches will be flushed after the initial load of all servables.",
    ),
    "tensorflow_session_parallelism": (
        0,
        "Number of threads to use for running a Tensorflow session.",
    ),
    "tensorflow_session_config_file": (
        "",
        "If non-empty, read an ascii TensorFlow Session ConfigProto protobuf.",
    ),
    "tensorflow_intra_op_parallelism": (
        0,
        "Number of threads to use to parallelize the execution of an individual op.",
    ),
    "tensorflow_inter_op_parallelism": (
        0,
        "Controls the number of operators that can be executed simultaneously.",
    ),
    "use_alts_credentials": (False, "Use Google ALTS credentials"),
    "ssl_config_file": (
        "",
        "If non-empty, read an ascii SSLConfig protobuf and set up a secure gRPC channel",
    ),
    "platform_config_file": (
        "",
        "If non-empty, read an ascii PlatformConfigMap protobuf from the supplied file name.",
    ),
    "per_process_gpu_memory_fraction": (
        0.0,
        "Fraction that each process occupies of the GPU memory space.",
    ),
    "saved_model_tags": (
        "serve",
        "Comma-separated set of tags corresponding to the meta graph def to load from SavedModel.",
    ),
    "grpc_channel_arguments": (
        "",
        "A comma separated list of arguments to be passed to the grpc server.",
    ),
    "grpc_max_threads": (16, "Max grpc server threads to handle grpc messages."),
    "enable_model_warmup": (
        True,
        "Enables model warmup, which triggers lazy initializations at load time.",
    ),
    "num_request_iterations_for_warmup": (
        0,
        "Number of times a request is iterated during warmup replay.",
    ),
    "version": (False, "Display version"),
    "monitoring_config_file": (
        "",
        "If non-empty, read an ascii MonitoringConfig protobuf from the supplied file name",
    ),
    "remove_unused_fields_from_bundle_metagraph": (
        True,
        "Removes unused fields from MetaGraphDef proto message to save memory.",
    ),
    "prefer_tflite_model": (
        False,
        "EXPERIMENTAL; Prefer TensorFlow Lite model from `model.tflite` file.",
    ),
    "num_tflite_pools": (1, "EXPERIMENTAL; Number of TFLite interpreters in an interpreter pool."),
    "num_tflite_interpreters_per_pool": (
        1,
        "EXPERIMENTAL; Number of TFLite interpreters per pool.",
    ),
    "enable_signature_method_name_check": (False, "Enable method_name check for SignatureDef."),
    "xla_cpu_compilation_enabled": (
        False,
        "EXPERIMENTAL; Enable XLA:CPU JIT (default is disabled).",
    ),
    "xla_gpu_compilation_enabled": (
        False,
        "EXPERIMENTAL; Enable both XLA:CPU JIT and XLA:GPU JIT (default is disabled).",
    ),
    "enable_profiler": (True, "Enable profiler service."),
    "thread_pool_factory_config_file": (
        "",
        "If non-empty, read an ascii ThreadPoolConfig protobuf from the supplied file name.",
    ),
    "mixed_precision": ("", "specify mixed_precision mode"),
    "skip_initialize_tpu": (False, "Whether to skip auto initializing TPU."),
    "enable_grpc_healthcheck_service": (False, "Enable the standard gRPC healthcheck service."),
    "enable_serialization_as_tensor_content": (
        False,
        "Enable serialization of predict response as tensor content.",
    ),
}
_KINDS = {bool: "bool", int: "int32", float: "float", str: "string"}


@dataclass
class Flags:
    """The flags' values; `ok` is False when one could not be read, `unknown` holds what was not
    understood.
    """

    values: dict[str, Any]
    ok: bool = True
    unknown: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def _convert(text: str, default: Any) -> Any:
    """The value of one flag; ValueError if it is not of the default's type."""
    if isinstance(default, bool):
        lowered = text.lower()
        if lowered not in ("true", "1", "false", "0"):
            raise ValueError(text)
        return lowered in ("true", "1")
    return type(default)(text)


def parse(arguments: Sequence[str]) -> Flags:
    """Reads `--name=value` (and `--name` for booleans), as the server does: what it does not know
    stays behind.
    """
    result = Flags({name: default for name, (default, _) in FLAGS.items()})
    for argument in arguments:
        name, sign, text = (
            argument[2:].partition("=") if argument.startswith("--") else ("", "", "")
        )
        default = FLAGS.get(name, (None, ""))[0]
        if default is None or not (sign or isinstance(default, bool)):
            result.unknown.append(argument)
            continue
        try:
            result.values[name] = _convert(text, default) if sign else True
        except ValueError:
            print(f"Couldn't interpret value {text} for flag {name}.", flush=True)
            result.ok = False
    return result


def usage(program: str = "tensorflow_model_server") -> str:
    """The text that `--help` and an unknown flag print."""
    lines = [f"usage: {program}", "Flags:"]
    for name, (default, text) in FLAGS.items():
        shown = (
            str(default).lower()
            if isinstance(default, bool)
            else f'"{default}"'
            if isinstance(default, str)
            else str(default)
        )
        lines.append(f"\t{'--' + name + '=' + shown:<50}\t{_KINDS[type(default)]}\t{text}")
    return "\n".join(lines) + "\n"
