"""The provider's schema, for code generation and `pulumi import`."""

from __future__ import annotations

import json
from typing import Any

from . import MODEL_TYPE, NAME, VERSION
from .settings import BLOCKS, ENVIRONMENT, SECRET

_INPUTS = {
    "bucket": ("string", "Name of the OSS bucket."),
    "prefix": (
        "string",
        "Path inside the bucket under which the versions lie, such as models/tensorflow.",
    ),
    "source": (
        "string",
        "Directory of one SavedModel version; its name is the version. Relative paths count from the project directory.",
    ),
    "tensorflow": (
        "string",
        "TensorFlow of the server that will load it, as in its image's tag: 1.15.0-gpu. Not set: not compared.",
    ),
    "partSizeMib": (
        "integer",
        "Size of the parts of a multipart upload in MiB; smaller files go in one request. Default 10.",
    ),
    "parallel": ("integer", "Requests at one time. Default 4."),
}
_OUTPUTS = {
    "version": ("string", "The version, from the directory's name."),
    "variant": (
        "string",
        "Empty, or sha256-<digest>: the directory of a content that replaces another one of the same version.",
    ),
    "path": ("string", "<prefix>/<version>, or <prefix>/<variant>/<version>."),
    "digest": ("string", "SHA-256 over the sorted lines `<path> <sha256> <size>` of all files."),
    "crcDigest": (
        "string",
        "The same with each file's CRC-64 in place of its SHA-256: what the bucket alone can tell.",
    ),
    "bytes": ("integer", "Size of all files."),
    "fileCount": ("integer", "Number of files."),
    "owner": (
        "string",
        "Drawn once per resource; only the owner named in the manifest deletes the objects.",
    ),
}


def schema_text() -> str:
    """The schema as a JSON text."""
    inputs = {name: {"type": kind, "description": text} for name, (kind, text) in _INPUTS.items()}
    outputs: dict[str, Any] = inputs | {
        name: {"type": kind, "description": text} for name, (kind, text) in _OUTPUTS.items()
    }
    outputs["signatures"] = {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": "Inputs and outputs by signature.",
    }
    outputs["drift"] = {
        "type": "array",
        "items": {"type": "string"},
        "description": "How the bucket differs from what was uploaded.",
    }
    resource = {
        "description": "One SavedModel version directory in an OSS bucket. Import id: oss://<bucket>/<prefix>/<version>.",
        "properties": outputs,
        "required": ["bucket", "prefix", "source", *_OUTPUTS, "drift"],
        "inputProperties": inputs,
        "requiredInputs": ["bucket", "prefix", "source"],
    }
    config = {name: {"type": "string", "secret": name in SECRET} for name in ENVIRONMENT}
    config |= {
        name: {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "secret": name in SECRET,
        }
        for name in BLOCKS
    }
    body = {
        "name": NAME,
        "version": VERSION,
        "config": {"variables": config},
        "provider": {"inputProperties": config},
        "resources": {MODEL_TYPE: resource},
    }
    return json.dumps(body)
