"""References to container images, taken apart as container runtimes do."""

from __future__ import annotations

from dataclasses import dataclass

DOCKER_HUB = "registry-1.docker.io"
"""Host of Docker Hub's API; references name it docker.io, or not at all."""


@dataclass(frozen=True)
class Image:
    """An image reference, taken apart."""

    registry: str
    repository: str
    tag: str
    digest: str
    """sha256:…, or "" when the reference has none."""

    @property
    def path(self) -> str:
        """Registry and repository, as people write them."""
        if self.registry == DOCKER_HUB:
            return self.repository.removeprefix("library/")
        return f"{self.registry}/{self.repository}"

    @property
    def name(self) -> str:
        """The reference without a digest, as people write it."""
        return f"{self.path}{':' if self.tag else ''}{self.tag}"


def parse(reference: str) -> Image:
    """Takes a reference apart; what names no registry is Docker Hub's, by its rules."""
    path, _, digest = reference.partition("@")
    repository, colon, tag = path.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = path, ""
    host, slash, rest = repository.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        return Image(DOCKER_HUB if host == "docker.io" else host, rest, tag, digest)
    return Image(DOCKER_HUB, repository if slash else f"library/{repository}", tag, digest)
