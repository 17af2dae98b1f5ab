"""The turn of tests that need the machine to themselves, in a run that begins with others
(`ops.test`).
"""

from __future__ import annotations

import os

TURN = "TESTS_TURN"
"""Environment: the number of a pipe that this process has inherited, and that ends when nothing
else runs any more.
"""


def wait() -> None:
    """Returns when nothing else runs beside this run of tests: at once, where nothing is said of
    others.
    """
    if number := os.environ.pop(TURN, ""):
        pipe = int(number)
        while os.read(pipe, 1):
            pass
        os.close(pipe)
