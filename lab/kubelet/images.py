"""What runs for an image: a table of the images this lab knows, and the command a container
becomes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.kubelet import registry
from lab.toolchain import tensorflow
from lab.toolchain.paths import cache_root

REPOSITORY = Path(__file__).resolve().parents[2]
Object = dict[str, Any]


class UnknownImageError(Exception):
    """The image cannot be had here; the text is a container runtime's, `reason` the state in which
    the container waits.
    """

    def __init__(self, text: str, reason: str = "ErrImagePull") -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Image:
    """`entrypoint` and `arguments` as the image's own; `program` None means a container without a
    process (pause).
    """

    kind: str
    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


_SERVER = "/usr/bin/tensorflow_model_server"
TENSORFLOW_ANNOTATION = "elastic-inference/tensorflow"
"""On a pod: the TensorFlow version in an image whose tag does not tell it."""
TABLE: list[tuple[str, Image]] = [
    (r"(.*/)?tensorflow[/-]serving", Image("serving", ("/usr/bin/tf_serving_entrypoint.sh",))),
    (r"(.*/)?(pause|pause-amd64)", Image("pause")),
    (r"(.*/)?(busybox|alpine|debian|ubuntu|bash)", Image("shell", (), ("sh",))),
    (r"(.*/)?python", Image("shell", (), ("python3",))),
]
"""Names under which an image is known, whatever registry holds it: a copy in a registry of the
user's own has any tag.
"""
KNOWN: Object = json.loads((Path(__file__).parent / "known_images.json").read_text())
_NAME = re.compile(
    r"^(?P<name>[a-z0-9]+(?:[._/:-]+[a-z0-9]+)*?)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@sha256:[0-9a-f]{64})?$"
)


def split(reference: str) -> tuple[str, str]:
    """(full name with registry, tag) as a container runtime completes them."""
    found = _NAME.match(reference)
    if not found:
        return "", ""
    name = found["name"]
    first = name.split("/")[0]
    if "/" not in name:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"docker.io/{name}"
    return name, found["tag"] or "latest"


def declared(pod: Object, container: Object) -> str:
    """The TensorFlow that the pod says a container's image has; "" if it says none, or the
    container runs something else.
    """
    program = (container.get("command") or [_SERVER])[0].rpartition("/")[2]
    runs_it = program in ("tensorflow_model_server", "tf_serving_entrypoint.sh")
    return (
        ((pod["metadata"].get("annotations") or {}).get(TENSORFLOW_ANNOTATION) or "")
        if runs_it
        else ""
    )


def resolve(reference: str, tensorflow: str = "") -> Image:
    """What runs for the image; UnknownImageError with the words of containerd where no registry has
    it.

    A public image has the tags of its registry (known_images.json). A copy elsewhere is taken to be
    there, and so is an image of which the pod says its TensorFlow. Anything else is not: the
    well-known registries say so, and an unknown one has no address.
    """
    name, tag = split(reference)
    if not name:
        raise UnknownImageError(
            f'Failed to apply default image tag "{reference}": couldn\'t parse image name "{reference}": invalid reference format',
            "InvalidImageName",
        )
    public = KNOWN["images"].get(name)
    if public and "@" not in reference and not has_tag(public, tag):
        raise UnknownImageError(registry.words("not_found", reference, name, tag))
    for pattern, image in TABLE:
        if re.fullmatch(pattern, name):
            return image
    if tensorflow:
        return TABLE[0][1]
    raise UnknownImageError(
        registry.words("denied" if registry.known(name) else "no_such_host", reference, name, tag)
    )


def has_tag(public: Object, tag: str) -> bool:
    """Whether a public image has a tag, as far as the list goes: a release of the same major
    version after its end is taken to be there.
    """
    if re.fullmatch(public["tags"], tag) is None:
        return False
    release = re.match(r"(\d+)\.(\d+)\.(\d+)", tag)
    if "releases" not in public or release is None:
        return True
    ordered = sorted(tuple(map(int, one.split("."))) for one in public["releases"])
    asked = tuple(map(int, release.groups()))
    return asked in ordered or (asked > ordered[-1] and asked[0] == ordered[-1][0])


def require_libraries(reference: str, declared_version: str = "") -> None:
    """UnknownImageError if what computes for a serving image of this tag, or of the declared
    version, is not on this machine: the lab is sealed and can't fetch it.
    """
    name, tag = split(reference)
    version = tensorflow.choose(declared_version or tag).version
    if version not in tensorflow.there():
        raise UnknownImageError(
            f'failed to pull and unpack image "{name}:{tag}": in the lab it runs on TensorFlow {version}, whose libraries are not on this '
            f"machine yet. Get them with `python -m lab.toolchain ensure {tensorflow.PREFIX}{version}`; the pod then starts by itself"
        )


def serving_environment(reference: str, declared_version: str = "") -> dict[str, str]:
    """What lab.serving is told of its image, and where this machine keeps TensorFlow's
    libraries.
    """
    return {
        "LAB_IMAGE_TAG": declared_version or split(reference)[1],
        "EI_CACHE": str(cache_root()),
        "PYTHONPATH": str(REPOSITORY),
    }


def image_id(reference: str) -> str:
    """A digest reference that is stable for a name."""
    name, tag = split(reference)
    return f"{name}@sha256:{hashlib.sha256(f'{name}:{tag}'.encode()).hexdigest()}"


def expand(text: str, env: dict[str, str]) -> str:
    """Kubernetes' $(NAME) in command and args: unknown names stay, $$ is a dollar sign."""
    return re.sub(
        r"\$\$|\$\(([^()]*)\)", lambda m: "$" if m[0] == "$$" else env.get(m[1], m[0]), text
    )


def _serving(words: list[str]) -> list[str]:
    """The command line for lab.serving of what the TF Serving image would run."""
    program, rest = words[0], words[1:]
    run = [sys.executable, "-m", "lab.serving"]
    if program.endswith("tf_serving_entrypoint.sh"):
        base, name = os.path.join("/", "models"), "model"
        defaults = [
            f"--model_name=${{MODEL_NAME:-{name}}}",
            f"--model_base_path=${{MODEL_BASE_PATH:-{base}}}/${{MODEL_NAME:-{name}}}",
        ]
        script = " ".join(
            [
                *map(shlex.quote, run),
                "--port=8500",
                "--rest_api_port=8501",
                *(f'"{item}"' for item in defaults),
                '"$@"',
            ]
        )
        return ["/bin/sh", "-c", f"exec {script}", "tf_serving_entrypoint.sh", *rest]
    if program.rsplit("/", 1)[-1] == "tensorflow_model_server":
        return [*run, *rest]
    if program.rsplit("/", 1)[-1] in ("sh", "bash") and "-c" in rest:
        place = rest.index("-c") + 1
        rest[place] = re.sub(
            r"(?:/usr/bin/)?\btensorflow_model_server\b",
            " ".join(map(shlex.quote, run)),
            rest[place],
        )
        return ["/bin/sh", *rest]
    return words


def command_line(image: Image, container: Object, env: dict[str, str]) -> list[str]:
    """What to execute for a container; [] for a container without a process."""
    command = [expand(word, env) for word in container.get("command") or []]
    arguments = [expand(word, env) for word in container.get("args") or []]
    if image.kind == "pause":
        return []
    words = [*(command or image.entrypoint), *(arguments or ([] if command else image.arguments))]
    if image.kind == "serving":
        return _serving(words)
    if words[0] in ("python", "python3"):
        words[0] = sys.executable
    return words


def located(words: list[str], container: Object, root: Path) -> list[str]:
    """The command line with the container's mount paths, alone or behind a `=`, as they are on this
    machine.
    """
    mounts = sorted(
        (entry["mountPath"].rstrip("/") for entry in container.get("volumeMounts") or []),
        key=len,
        reverse=True,
    )
    return [_located(word, mounts, root) for word in words]


def _located(word: str, mounts: list[str], root: Path) -> str:
    option, equals, value = word.rpartition("=")
    inside = next((path for path in mounts if value == path or value.startswith(path + "/")), None)
    return f"{option}{equals}{root}{value}" if inside else word
