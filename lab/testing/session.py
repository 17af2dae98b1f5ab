"""What holds for every run of tests that starts labs, however the run was started and however it
ends.

A `conftest.py` takes it over: `from lab.testing.session import pytest_configure`.
"""

from __future__ import annotations

import ctypes
import os
import signal

STARTER = "TESTS_END_WITH"
"""Environment: the process id of what has started this run of pytest, and that it ends with."""
PR_SET_PDEATHSIG = 1  # prctl(2)


def end_with(starter: int) -> None:
    """From now on this process gets SIGINT when the process that started it is gone; at once, when
    `starter` is gone already.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != starter:
        raise KeyboardInterrupt


def pytest_configure() -> None:
    """Labs end with this process, whatever ends it. What tests start can be interrupted, even if a
    shell has this process ignore SIGINT.
    """
    os.environ.pop(
        "PYTHONDONTWRITEBYTECODE", None
    )  # of a hundred commands that tests run, each would compile all that it imports
    os.environ["LAB_OWNER_PID"] = str(os.getpid())
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if starter := os.environ.pop(STARTER, ""):
        end_with(int(starter))


def inherited() -> dict[str, str]:
    """A copy of this process's environment, for what a thread starts.

    pytest sets and drops a variable of its own at every step of a test; `dict(os.environ)` in
    another thread raises KeyError when that falls between its look at the names and at the values.
    """
    return {name: value for name in list(os.environ) if (value := os.environ.get(name)) is not None}


def tied(*command: str) -> list[str]:
    """The command, killed by the kernel when the thread that starts it has ended (for what watches
    no LAB_OWNER_PID: parts of a lab that a test starts alone).
    """
    return ["setpriv", "--pdeathsig", "KILL", *command]
