"""The protocol's generated stubs, without the SDK around them.

They live in `pulumi.runtime.proto`, and importing a package runs its parents first: all of the SDK, four times the cost of the stubs.
A plugin that is started by every command needs none of it, so the two parents are put in place empty. Only for a process that uses
nothing else of `pulumi`.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType


def prepare() -> None:
    """Make `pulumi.runtime.proto` importable on its own; does nothing when the SDK is loaded already."""
    if "pulumi" in sys.modules:
        return
    found = importlib.util.find_spec("pulumi")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("No module named 'pulumi': install requirements.txt", name="pulumi")
    root = Path(found.origin).parent
    for name, place in (("pulumi", root), ("pulumi.runtime", root / "runtime")):
        package = ModuleType(name)
        package.__spec__ = ModuleSpec(name, None, is_package=True)
        package.__path__ = [str(place)]
        sys.modules[name] = package
