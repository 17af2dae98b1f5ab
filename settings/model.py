"""Group `model`: the SavedModel to serve, its volume, and the request that asks it for an answer
(tutorial steps 2 and 3).
"""

import json
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from settings.core.field import Group, Text, setting
from settings.core.problem import Problem, remove_command, set_command
from settings.core.rule import rule

REQUEST_KEYS = ("instances", "inputs", "examples")
"""A request body of TensorFlow Serving's REST API has exactly one of them: rows or columns for
predict, tf.Example features for classify and regress.
"""
EXPECTED_REQUEST = (
    "a file below the project with a JSON object that has one of the keys "
    + ", ".join(REQUEST_KEYS)
)
SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt", "saved_model.cpb")
TRAIN = "python -m models.train_chnsenticorp, or copy a SavedModel there, or: "


class ModelSettings(Group):
    """The model to serve."""

    name: Text = setting(
        "chnsenticorp",
        "Name of the model in the URL: /v1/models/<name>.",
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$",
        expected="1 to 63 letters, digits, dots, hyphens and underscores, a letter or digit at either end",
        consequence="the name is a label of the pods as well: Kubernetes refuses the Deployment, after the nodes are ordered",
        example="chnsenticorp",
    )
    source: Text = setting(
        "models/chnsenticorp/1623831335",
        "Directory of one SavedModel version. The directory's name is the version.",
        expected="a readable directory below the project with a numeric name and a saved_model.pb",
        consequence="there is nothing to upload, or TensorFlow Serving ignores what is uploaded",
        example="models/chnsenticorp/1623831335",
    )
    request: Text | None = setting(
        None,
        "JSON file with the request that `make up`, `make smoke` and `make load` send. Unset: a sample sentence, or zeros in the shape "
        "that the model's signature asks for.",
        min_length=1,
        expected=EXPECTED_REQUEST,
        consequence="the model can't read the request, and whether it answers stays unknown",
        example="models/mine/request.json",
    )
    path: Text = setting(
        "/models/tensorflow",
        "Base path of the model in the container and, without the leading slash, in the bucket.",
        pattern=r"^(/[A-Za-z0-9_.-]+)+$",
        expected="an absolute path below mountPath",
        consequence="the server looks for the model outside of the volume",
        example="/models/tensorflow",
    )
    mount_path: Text = setting(
        "/models",
        "Directory at which the volume is mounted in the container.",
        pattern=r"^(/[A-Za-z0-9_.-]+)+$",
        expected="an absolute path",
        consequence="the server looks for the model outside of the volume",
        example="/models",
    )
    volume_size: Text = setting(
        "5Gi",
        "Capacity stated on volume and claim. OSS does not enforce it.",
        pattern=r"^[1-9][0-9]*(Mi|Gi|Ti)$",
        expected="a size such as 5Gi",
        consequence="Kubernetes refuses the volume",
        example="5Gi",
    )
    volume_options: Text = setting(
        "-o close_to_open=false",
        "Mount options of ossfs 2.0, the OSS client of the CSI driver.",
        pattern=r"^-o [^\s=]+(=\S+)?( -o [^\s=]+(=\S+)?)*$",
        expected="-o a -o b=c, nothing else",
        consequence="the CSI driver refuses to mount the volume",
        example="'-o close_to_open=false'",
    )

    @property
    def version(self) -> str:
        """Version of the model: the name of the source directory."""
        return PurePath(self.source).name

    @property
    def key_prefix(self) -> str:
        """Prefix of the model's object keys in the bucket. Keys mirror the paths in the
        container.
        """
        return self.path.strip("/")

    @property
    def volume_prefix(self) -> str:
        """Prefix of all object keys that the volume shows."""
        return self.mount_path.strip("/")


class InvalidRequestError(ValueError):
    """The file holds no request body; the message says what it holds instead."""


def read_request(path: Path) -> dict[str, Any]:
    """The request body in a JSON file. Raises InvalidRequestError."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRequestError(f"it can't be read ({error.strerror})") from None
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise InvalidRequestError(f"it is not JSON ({error})") from None
    if not isinstance(body, dict):
        raise InvalidRequestError(f"it holds a {type(body).__name__}")
    keys = [key for key in REQUEST_KEYS if key in body]
    if len(keys) != 1:
        raise InvalidRequestError(f"it has {' and '.join(keys) or 'none of these keys'}")
    return body


def is_saved_model(directory: Path) -> bool:
    """Whether the directory holds a SavedModel."""
    return any((directory / name).is_file() for name in SAVED_MODEL_FILES)


@rule("model.source")
def _model_directory(model: ModelSettings) -> Iterator[Problem]:
    source = Path(model.source)
    point = set_command("model.source", "models/chnsenticorp/1623831335")
    if (
        not source.name.isdecimal()
        or int(source.name or 0) < 1
        or str(int(source.name)) != source.name
    ):
        yield Problem(
            "model.source",
            model.source,
            "a directory whose name is the version: digits only, no leading zero",
            "TensorFlow Serving ignores directories that aren't numbers",
            point,
        )
    elif not source.is_dir():
        found = "a file" if source.exists() else "not there"
        yield Problem(
            "model.source",
            model.source,
            f"an existing directory below the project; it is {found}",
            "there is nothing to upload",
            TRAIN + point,
        )
    elif not is_saved_model(source):
        yield Problem(
            "model.source",
            model.source,
            "a SavedModel: a directory with saved_model.pb and variables/",
            "TensorFlow Serving finds no servable and the pod never becomes ready",
            TRAIN + point,
        )


@rule("model.request")
def _request_can_be_sent(model: ModelSettings) -> Iterator[Problem]:
    if model.request is None:
        return
    try:
        read_request(Path(model.request))
    except InvalidRequestError as error:
        yield Problem(
            "model.request",
            model.request,
            f"{EXPECTED_REQUEST}; {error}",
            "the model can't read the request, and whether it answers stays unknown",
            remove_command("model.request") + ", or correct the file",
        )


@rule("model.path", "model.mountPath")
def _path_lies_in_the_volume(model: ModelSettings) -> Iterator[Problem]:
    if not model.path.startswith(f"{model.mount_path}/"):
        yield Problem(
            "model.path",
            model.path,
            f"a path below model.mountPath, which is {model.mount_path}",
            "the server looks for the model outside of the volume",
            set_command("model.path", f"{model.mount_path}/tensorflow"),
        )


@rule("model.volumeOptions")
def _cache_is_on(model: ModelSettings) -> Iterator[Problem]:
    if "max_stat_cache_size=0" in model.volume_options:
        yield Problem(
            "model.volumeOptions",
            model.volume_options,
            "no max_stat_cache_size=0",
            "every look at a file goes to OSS and the model loads many times slower",
            set_command("model.volumeOptions", "'-o close_to_open=false'"),
        )


@rule("model.volumeOptions")
def _volume_is_read_only(model: ModelSettings) -> Iterator[Problem]:
    if "-o rw" in model.volume_options or "allow_write" in model.volume_options:
        yield Problem(
            "model.volumeOptions",
            model.volume_options,
            "a read-only mount",
            "a pod can overwrite the model of all others",
            set_command("model.volumeOptions", "'-o close_to_open=false'"),
        )
