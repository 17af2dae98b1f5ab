"""Where things are: this repository's tool chain, and the cache of built tools outside any checkout."""

import os
from pathlib import Path

TOOLCHAIN = Path(__file__).resolve().parent
REPOSITORY = TOOLCHAIN.parent


def cache_root() -> Path:
    """The cache directory: `EI_CACHE`, else `elastic-inference` under the user's cache directory."""
    if configured := os.environ.get("EI_CACHE"):
        return Path(configured).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "elastic-inference"


def is_ours(path: Path) -> bool:
    """Whether a file belongs to the cache or to this repository (so that finding it on `PATH` proves nothing)."""
    real = path.resolve()
    return real.is_relative_to(cache_root().resolve()) or real.is_relative_to(REPOSITORY)


def pulumi_homes() -> list[Path]:
    """Where a user's Pulumi keeps its programs and plugins: `PULUMI_HOME` and `~/.pulumi`."""
    configured = os.environ.get("PULUMI_HOME")
    return list(dict.fromkeys(Path(home).expanduser() for home in (configured, "~/.pulumi") if home))
