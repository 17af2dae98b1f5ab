"""Starts the handler from the directory its files were mounted in, whatever that is called."""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
from pathlib import Path

PACKAGE = "interruption_handler"


def _package(directory: Path) -> None:
    """Make the files beside this one a package: an isolated interpreter looks neither here nor in
    PYTHONPATH.
    """
    spec = importlib.util.spec_from_file_location(
        PACKAGE, directory / "__init__.py", submodule_search_locations=[str(directory)]
    )
    if spec is None or spec.loader is None:
        raise SystemExit(f"no package in {directory}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


def main(arguments: list[str]) -> int:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="interruption-handler",
        description="Moves model server pods off nodes that are about to go.",
    )
    parser.add_argument(
        "--account",
        type=Path,
        required=True,
        help="directory of the service account's token and ca.crt",
    )
    parser.add_argument("--identity", required=True, help="this pod's name")
    parser.add_argument(
        "--address", required=True, help="address to answer the kubelet's probes on"
    )
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args(arguments)
    directory = Path(__file__).absolute().parent
    _package(directory)
    from interruption_handler.health import serve  # pyright: ignore[reportMissingImports]
    from interruption_handler.kube import Api  # pyright: ignore[reportMissingImports]
    from interruption_handler.loop import Loop  # pyright: ignore[reportMissingImports]
    from interruption_handler.model import Config  # pyright: ignore[reportMissingImports]

    host, port = (
        os.environ["KUBERNETES_SERVICE_HOST"],
        int(os.environ.get("KUBERNETES_SERVICE_PORT") or 443),
    )
    loop = Loop(
        Api(host, port, given.account),
        Config.read((directory / "settings.json").read_text()),
        given.identity,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    serve(given.address, given.port, loop.ready, loop.healthy)
    loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
