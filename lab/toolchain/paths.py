"""Where things are: this repository's tool chain, and the cache of built tools outside any
checkout.
"""

import os
from collections.abc import Iterator
from pathlib import Path

TOOLCHAIN = Path(__file__).resolve().parent
REPOSITORY = TOOLCHAIN.parents[1]
"""The checkout, or the environment that the lab is installed in."""


def cache_root() -> Path:
    """The cache directory: `EI_CACHE`, else `elastic-inference` under the user's cache
    directory.
    """
    if configured := os.environ.get("EI_CACHE"):
        return Path(configured).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "elastic-inference"


def bytes_below(*directories: Path) -> int:
    """Size of all files below the directories, from which files and directories may vanish
    meanwhile.
    """
    return sum(_sizes(directories))


def _sizes(directories: tuple[Path, ...]) -> Iterator[int]:
    for directory in directories:
        for parent, _, names in os.walk(directory):
            for name in names:
                try:
                    yield os.lstat(os.path.join(parent, name)).st_size
                except OSError:
                    continue


def is_ours(path: Path) -> bool:
    """Whether a file belongs to the cache or to this repository (so that finding it on `PATH`
    proves nothing).
    """
    real = path.resolve()
    return real.is_relative_to(cache_root().resolve()) or real.is_relative_to(REPOSITORY)


def pulumi_homes() -> list[Path]:
    """Where a user's Pulumi keeps its programs and plugins: `PULUMI_HOME` and `~/.pulumi`."""
    configured = os.environ.get("PULUMI_HOME")
    return list(
        dict.fromkeys(Path(home).expanduser() for home in (configured, "~/.pulumi") if home)
    )
