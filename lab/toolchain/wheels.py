"""Tools that come as Python wheels of this environment."""

import os
import sys
from importlib import metadata
from pathlib import Path

from lab.toolchain.specs import Spec
from lab.toolchain.tool import Tool


def find(spec: Spec) -> Tool | None:
    """The executable that the wheel installed into this environment, or None."""
    if spec.wheel is None:
        return None
    try:
        version = metadata.version(spec.wheel)
    except metadata.PackageNotFoundError:
        return None
    path = Path(sys.prefix) / "bin" / spec.name
    return Tool(spec.name, path, version, "wheel") if os.access(path, os.X_OK) else None
