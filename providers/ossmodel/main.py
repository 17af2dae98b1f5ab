"""Entry point of the plugin process: puts the repository on the path and serves until the engine is
done.
"""

import sys
from pathlib import Path


def run() -> int:
    """Serve the provider; the exit status tells whether it could start."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from providers.ossmodel.server import serve  # noqa: PLC0415 - the path is set first

    return serve(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
