"""``python -m lab.alicloud --home DIR [--https ADDR:PORT] [--http ADDR:PORT] [--control ADDR:PORT]
[--metadata ADDR:PORT]``.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from lab.alicloud.scenario import ScenarioError
from lab.alicloud.server import serve


def address(text: str) -> tuple[str, int]:
    """`10.0.0.2:443` -> ("10.0.0.2", 443)."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected ADDRESS:PORT, for example 127.0.0.1:18443"
        )
    return host, int(port)


def main() -> int:
    """Run the cloud double until it is told to stop; 0 after an orderly stop, 1 after a mistake in
    its inputs.
    """
    parser = argparse.ArgumentParser(
        prog="python -m lab.alicloud",
        description="Alibaba Cloud's APIs on one machine, for the lab.",
    )
    parser.add_argument(
        "--home", type=Path, required=True, help="directory of the lab's state (LAB_HOME)"
    )
    parser.add_argument(
        "--https",
        type=address,
        default=("10.0.0.2", 443),
        help="where the cloud's APIs answer (default 10.0.0.2:443)",
    )
    parser.add_argument(
        "--http",
        type=address,
        default=None,
        help="the same without TLS (default none; the lab uses 10.0.0.2:80)",
    )
    parser.add_argument(
        "--control",
        type=address,
        default=("10.0.0.2", 9090),
        help="the lab's own control API (default 10.0.0.2:9090)",
    )
    where = "instance metadata, told apart by the caller's address (default none; the lab uses 100.100.100.200:80)"
    parser.add_argument("--metadata", type=address, default=None, help=where)
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(name)s %(levelname)s %(message)s",
    )
    try:
        asyncio.run(
            serve(
                arguments.home,
                arguments.https,
                arguments.http,
                arguments.control,
                arguments.metadata,
            )
        )
    except (ScenarioError, ValueError) as error:
        print(f"region: {error}", file=sys.stderr)
        return 1
    except SystemExit as error:  # uvicorn's answer to an address that can't be bound
        print("region: an address could not be bound; see above", file=sys.stderr)
        return int(error.code or 1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
