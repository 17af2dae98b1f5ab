"""`make test`: every rung, on this machine, with progress. Builds first what the tests need, so that no test waits for a compiler."""

from __future__ import annotations

import subprocess
import sys

from ops.lab import TOOLS
from ops.pulumi import ROOT, environment


def main(arguments: list[str]) -> int:
    """Tools, then pytest; a rung whose needs are missing fails with the reason."""
    import toolchain

    toolchain.ensure(TOOLS)
    return subprocess.run([sys.executable, "-m", "pytest", "--durations=15", *arguments], cwd=ROOT, env=environment()).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
