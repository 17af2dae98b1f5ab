"""One package, or one file, per service. What several services share stands beside them: `tagging`,
`lists`, `load_balancers`.

A module declares its calls with the decorators of `registry`; `load_services` imports all of them,
which fills its tables.
"""

from __future__ import annotations

import importlib
import pkgutil


def load_services() -> None:
    """Import every service, so that `registry` has all calls."""
    for module in pkgutil.walk_packages(__path__, __name__ + "."):
        importlib.import_module(module.name)
