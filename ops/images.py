"""`make images STACK=prod`: which bytes the tags of the stack's images mean today, asked of their
registries, and the settings that fix them by digest. Changes nothing.

A tag is a name that whoever can push to the registry may give to another image; a digest is the
image's own checksum. An image that has both is compared: a tag that has moved is told.

Exit status: 0 every digest is known (and no tag has moved), 7 a tag has moved, 1 a registry did not
say. Credentials are those of `docker login` (~/.docker/config.json, credential helpers included).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Mapping

import requests
from oras.container import Container
from oras.defaults import default_manifest_accepted_media_types
from oras.provider import Registry

from ops.check import require_good
from ops.engine.cli import LAB_STACK, ROOT
from ops.image_reference import Image, parse
from settings.core.problem import set_command
from settings.core.stack_file import read

MOVED = 7
WAIT = 30.0
"""Seconds without an answer of a registry."""
LOCAL = re.compile(r"^(localhost|127\.\d+\.\d+\.\d+)(:\d+)?$")
"""Registries that are asked without TLS, as container runtimes do."""


class ImageError(Exception):
    """A registry did not say which digest a tag has; the text says why and what to do."""


def digest_of(image: Image) -> str:
    """The digest that a tag has now, of the whole index where there is one. Raises ImageError."""
    insecure = bool(LOCAL.match(image.registry))
    registry = Registry(hostname=image.registry, insecure=insecure)
    place = Container(f"{image.repository}:{image.tag}", registry=image.registry)
    url = f"{registry.prefix}://{place.manifest_url()}"
    headers = {"Accept": ", ".join(default_manifest_accepted_media_types)}
    try:
        answer = registry.session.get(url, headers=headers, timeout=WAIT)
        if answer.status_code == requests.codes.unauthorized:
            registry.auth.load_configs(place)
            headers, _ = registry.auth.authenticate_request(answer, headers)
            answer = registry.session.get(url, headers=headers, timeout=WAIT)
    except requests.RequestException as error:
        raise ImageError(
            f"{image.registry} can't be reached ({_cause(error)}); ask again from where the cluster pulls its images"
        ) from None
    if answer.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
        raise ImageError(
            f"{image.registry} lets nobody read it with these credentials; docker login {image.registry}, then ask again"
        )
    if answer.status_code == requests.codes.not_found:
        raise ImageError(f"{image.registry} has no such image; correct the name or the tag")
    if not answer.ok:
        raise ImageError(f"{image.registry} answers {answer.status_code} {answer.reason}")
    computed = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    if answer.headers.get("Docker-Content-Digest", computed) != computed:
        raise ImageError(
            f"{image.registry} names another digest than its answer has: a proxy between here and there changes what it hands on"
        )
    return computed


def _cause(error: BaseException) -> str:
    """The innermost reason, without the addresses of objects."""
    while error.__context__ is not None:
        error = error.__context__
    return re.sub(r"<[^>]* object at 0x[0-9a-f]+>: ", "", str(error)) or type(error).__name__


def report(references: Mapping[str, str]) -> int:
    """Prints a line for each setting and the commands that fix images by digest; the exit
    status.
    """
    commands, failed, moved = [], False, False
    for field, reference in references.items():
        image = parse(reference)
        if not image.tag:
            print(f"{field}: {reference}: by digest")
            continue
        try:
            digest = digest_of(image)
        except ImageError as error:
            print(f"error: {field}: {reference}: {error}", file=sys.stderr)
            failed = True
            continue
        if not image.digest:
            print(f"{field}: {reference} is {digest}")
            commands.append(set_command(field, f"{image.name}@{digest}"))
        elif image.digest == digest:
            print(f"{field}: {reference}: the tag still has this digest")
        else:
            moved = True
            print(
                f"{field}: {image.name} is {digest} now; the stack stays with {image.digest}. Somebody has pushed another image under "
                "this tag: look at it, and take it or not"
            )
            commands.append(set_command(field, f"{image.name}@{digest}"))
    if commands:
        print("\nTo fix these:\n" + "\n".join(f"  {command}" for command in commands))
    return 1 if failed else MOVED if moved else 0


def main(arguments: list[str] | None = None) -> int:
    """Asks the registries of a stack's images. Returns the exit status above."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.images",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--stack", default=LAB_STACK)
    options = parser.parse_args(arguments)
    require_good(options.stack)
    settings = read(ROOT, options.stack).settings(os.environ)
    return report(
        {
            "server.image": settings.server.image,
            "interruption.image": settings.interruption.image,
            "headroom.image": settings.headroom.image,
        }
    )


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
