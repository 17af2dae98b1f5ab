"""What to serve: from `--model_name/--model_base_path` or from a model config file (text protocol
buffer).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from google.protobuf import text_format

from lab.serving import protos
from lab.serving.errors import StatusError, invalid, not_found
from lab.serving.flags import Flags
from lab.serving.model import container_path


@dataclass(frozen=True)
class ModelConfig:
    """One model: where it lies, which versions (`latest` n, `all`, or the listed ones), labels."""

    name: str
    base_path: str
    latest: int = 1
    every: bool = False
    specific: tuple[int, ...] | None = None
    labels: dict[str, int] = field(default_factory=dict)


def read_text_proto(path: str, message: str) -> Any:
    """A text protocol buffer file of the container; NOT_FOUND or INVALID_ARGUMENT as the server
    words them.
    """
    try:
        text = container_path(path).read_text(encoding="utf-8")
    except OSError as reason:
        raise not_found(f"{path}; {reason.strerror}") from None
    try:
        return text_format.Parse(text, protos.new(message))
    except text_format.ParseError as reason:
        print(f"[libprotobuf ERROR] Error parsing text-format {message}: {reason}", flush=True)
        raise invalid(f"Invalid protobuf file: '{path}'") from None


def _one(config: Any) -> ModelConfig:
    policy = config.model_version_policy
    choice = policy.WhichOneof("choice")
    if config.model_platform not in ("", "tensorflow"):
        raise invalid(f"Unknown model platform: {config.model_platform}")
    if not config.model_platform:
        raise invalid(
            f"Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform. {config.name}"
        )
    return ModelConfig(
        name=config.name,
        base_path=config.base_path,
        latest=policy.latest.num_versions or 1,
        every=choice == "all",
        specific=tuple(policy.specific.versions) if choice == "specific" else None,
        labels=dict(config.version_labels),
    )


def read_models(flags: Flags) -> list[ModelConfig]:
    """The models that the flags ask for."""
    if not flags["model_config_file"]:
        return [ModelConfig(flags["model_name"], flags["model_base_path"])]
    parsed = read_text_proto(flags["model_config_file"], "ModelServerConfig")
    models = [_one(config) for config in parsed.model_config_list.config]
    names = [model.name for model in models]
    if len(set(names)) != len(names):
        raise invalid("Illegal to list model name multiple times in config list. ")
    for model in models:
        if not model.base_path.startswith("/"):
            raise invalid(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
            )
    return models


def check_flags(flags: Flags) -> None:
    """The contradictions that the server refuses before anything else."""
    if flags["port"] == 0 and not flags["grpc_socket_path"]:
        raise invalid(
            "At least one of server_options.grpc_port or server_options.grpc_socket_path must be set."
        )
    if not flags["model_base_path"] and not flags["model_config_file"]:
        raise invalid(
            "Both server_options.model_base_path and server_options.model_config_file are empty!"
        )
    if flags["enable_batching"]:
        if flags["batching_parameters_file"]:
            read_text_proto(flags["batching_parameters_file"], "BatchingParameters")
    elif flags["batching_parameters_file"]:
        raise invalid(
            "server_options.batching_parameters_file is set without setting server_options.enable_batching to true."
        )


def monitoring_path(flags: Flags) -> str | None:
    """The path of the metrics page, or None if it is off."""
    if not flags["monitoring_config_file"]:
        return None
    prometheus = read_text_proto(
        flags["monitoring_config_file"], "MonitoringConfig"
    ).prometheus_config
    return (prometheus.path or "/monitoring/prometheus/metrics") if prometheus.enable else None


def check_labels(
    labels: dict[str, int], name: str, available: set[int], allow_unavailable: bool
) -> None:
    """A label may point at an available version only, unless the flag says otherwise."""
    for version in labels.values():
        if version not in available and not allow_unavailable:
            raise StatusError(
                "FAILED_PRECONDITION",
                f"Request to assign label to version {version} of model {name}, which is not currently available for inference",
            )
