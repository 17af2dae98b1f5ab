"""A container's file tree: a directory in which every mount path leads to its volume's
directory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.kubelet.images import expand

Object = dict[str, Any]


def _open_up(place: Path) -> None:
    """Turns a link to a directory into a directory of links, so that something can be mounted
    inside it.
    """
    target = place.resolve()
    place.unlink()
    place.mkdir()
    for entry in target.iterdir():
        (place / entry.name).symlink_to(entry)


def _clear(place: Path) -> None:
    if place.is_symlink() or place.is_file():
        place.unlink()


def mount(root: Path, path: str, source: Path) -> None:
    """Makes `path` of the tree lead to `source`, opening up mounts that lie above it."""
    place = root
    for part in Path(path).parts[1:-1]:
        place = place / part
        if place.is_symlink():
            _open_up(place)
        place.mkdir(exist_ok=True)
    final = root / path.lstrip("/")
    _clear(final)
    if final.is_dir():
        for entry in source.iterdir():
            _clear(final / entry.name)
            (final / entry.name).symlink_to(entry)
        return
    final.symlink_to(source)


def build(root: Path, container: Object, volumes: dict[str, Path], env: dict[str, str]) -> None:
    """The tree of one container; KeyError names a volume that the pod does not have."""
    root.mkdir(parents=True, exist_ok=True)
    for place in ("tmp", "etc", "var"):
        (root / place).mkdir(exist_ok=True)
    for entry in sorted(
        container.get("volumeMounts") or [], key=lambda mounted: mounted["mountPath"].count("/")
    ):
        source = volumes[entry["name"]]
        inside = expand(entry.get("subPathExpr") or "", env) or entry.get("subPath") or ""
        if inside:
            source = source / inside
            if not source.exists():
                source.mkdir(parents=True)
        mount(root, entry["mountPath"].rstrip("/") or "/", source)
