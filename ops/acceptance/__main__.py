"""`make prove ITEM=A3`: shows by number that a promise holds. Prints one closing line for each
item: number, figure, bound, holds or does not hold.

Exit status: 0 every item holds, 1 one does not, 2 the command line or PROVE_SEEDS is wrong, 130
interrupted.
"""

from __future__ import annotations

import os
import sys

from ops.acceptance.items import ITEMS
from ops.acceptance.runner import prove, seeds_of, sessions
from ops.engine.cli import ROOT


def main(arguments: list[str]) -> int:
    """Proves the items named, or all of them."""
    wanted = [argument.upper() for argument in arguments] or list(ITEMS)
    unknown = [number for number in wanted if number not in ITEMS]
    if unknown:
        print(
            f"error: ITEM={unknown[0]}: there is no such item; expected one of {', '.join(ITEMS)}",
            file=sys.stderr,
        )
        return 2
    wanted = [number for asked in wanted for number in (asked, *ITEMS[asked].parts)]
    try:
        for number in wanted:
            seeds_of(ITEMS[number])
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    os.chdir(ROOT)
    try:
        results = [prove(numbers, ITEMS) for numbers in sessions(wanted, ITEMS)]
    except KeyboardInterrupt:
        print("\ninterrupted: nothing is proved; the same command begins anew", file=sys.stderr)
        return 130
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
