"""Entry point: starts the handler from the directory its files are mounted in."""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

PACKAGE = "interruption_handler"


def _load_package(directory: Path) -> None:
    """Make the files in `directory` importable as `interruption_handler`: an isolated interpreter
    searches neither the script's directory nor PYTHONPATH.
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
    """Run until SIGTERM or SIGINT. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="interruption-handler",
        description="Moves model server pods off nodes that are about to be reclaimed.",
    )
    parser.add_argument(
        "--account",
        type=Path,
        required=True,
        help="directory with the service account's token and ca.crt",
    )
    parser.add_argument("--identity", required=True, help="this pod's name, for the Lease")
    parser.add_argument(
        "--address", required=True, help="address on which the kubelet's probes are answered"
    )
    parser.add_argument("--port", type=int, required=True, help="port for the kubelet's probes")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="say in the log and in Events what would be done, and write nothing but the Lease",
    )
    directory = Path(__file__).absolute().parent
    parser.add_argument(
        "--settings",
        type=Path,
        default=directory / "settings.json",
        help="the handler's settings (default: settings.json beside this file)",
    )
    options = parser.parse_args(arguments)
    if PACKAGE not in sys.modules:
        _load_package(directory)
    # These imports work only now that the package is loaded.
    from interruption_handler.config import Config  # noqa: PLC0415 - see above
    from interruption_handler.ecs_locks import EcsLocks, Role  # noqa: PLC0415 - see above
    from interruption_handler.health import serve  # noqa: PLC0415 - see above
    from interruption_handler.kube import Api  # noqa: PLC0415 - see above
    from interruption_handler.loop import Loop  # noqa: PLC0415 - see above
    from interruption_handler.signals import on_signal  # noqa: PLC0415 - see above

    host = os.environ.get("KUBERNETES_SERVICE_HOST")
    if not host:
        parser.error(
            "KUBERNETES_SERVICE_HOST is not set: expected the address of the API server, which every pod is told; without it nothing can be watched"
        )
    port = int(os.environ.get("KUBERNETES_SERVICE_PORT") or 443)
    config = Config.read(options.settings.read_text())
    config = replace(config, dry_run=config.dry_run or options.dry_run)
    try:
        role = Role.of(os.environ) if config.ecs_region else None
    except KeyError as missing:
        parser.error(
            f"{missing.args[0]} is not set: expected what RRSA gives the pod (interruption.noticeSource: ecs); without it ECS can't be asked"
        )
    locks = EcsLocks(config.ecs_region, role, options.identity) if role else None
    loop = Loop(Api(host, port, options.account), config, options.identity, locks=locks)
    on_signal((signal.SIGTERM, signal.SIGINT), loop.stop)
    serve(options.address, options.port, loop.ready, loop.healthy)
    loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
