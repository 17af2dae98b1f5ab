"""How every command of `python -m ops.…` ends when something goes wrong: with one message instead
of a traceback, and a documented exit status.

A command handles the errors that it can explain itself. The rest comes here: Ctrl-C and SIGTERM at
any moment, also while modules load; errors whose message is complete; files and programs that are
missing or may not be used. Anything else is a fault of the project and keeps its traceback.
docs/operations.md lists the statuses.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType, TracebackType

FAILED, INTERRUPTED, PIPE_CLOSED, TERMINATED = 1, 130, 141, 143
COMPLETE = (
    "lab.environment.LabError",
    "lab.toolchain.errors.ToolchainError",
    "settings.core.problem.SettingsError",
    "ops.cloud.errors.CloudError",
    "settings.core.stack_file.StackFileError",
    "ops.bootstrap.InstallError",
    "ops.offline.workspace.OfflineError",
    "ops.engine.previews.PreviewFormatError",
    "ops.policy_environment.PolicyEnvironmentError",
)
"""Exceptions whose text is the whole message. By name: a command that does not use such a module
need not load it.
"""
EXPLAINED = "ops.engine.cli.CommandFailed"
"""What has told its reason already; it carries the exit status."""


class Terminated(KeyboardInterrupt):
    """The command was ended by SIGTERM. Handled where Ctrl-C is: the programs that it had started
    have received SIGINT by then.
    """


def guard() -> None:
    """Installs the exception hook and, unless one is set, the SIGTERM handler.

    The interpreter gives signals their default effect back while it ends. One that comes then (a
    second Ctrl-C, a supervisor that asks again) would kill the command and take the place of its
    status, so from there on none is heard.
    """
    sys.excepthook = _end
    atexit.register(_on_interrupt, signal.SIG_IGN)
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def _on_interrupt(action: signal.Handlers | Callable[[int, FrameType | None], object]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, action)


def _terminate(*_: object) -> None:
    """A terminal's Ctrl-C reaches every program of the command, a SIGTERM only its first: it is
    passed on, so that the CLI ends its update in order and nothing runs on unseen.
    """
    import psutil  # noqa: PLC0415 - guards before anything is loaded; only a SIGTERM needs it

    for child in psutil.Process().children():
        try:
            child.send_signal(signal.SIGINT)
        except psutil.Error:
            continue
    raise Terminated


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """sys.excepthook. A SystemExit raised here sets the exit status, which stands: who interrupts
    once more gets the whole message, and does not wait for threads.
    """
    _on_interrupt(signal.SIG_IGN)
    text, status = message(error)
    if text is None:
        sys.__excepthook__(kind, error, trace)
        print(
            "error: this is a fault of the project, not of yours; what was done before it is kept",
            file=sys.stderr,
        )
        _on_interrupt(lambda *_: os._exit(FAILED))
        raise SystemExit(FAILED)
    if (
        status == PIPE_CLOSED
    ):  # the reader is gone: the interpreter's last flush must not fail once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if text:
        print(text, file=sys.stderr, flush=True)
    _on_interrupt(lambda *_: os._exit(status))
    raise SystemExit(status)


def message(error: BaseException) -> tuple[str | None, int]:
    """(what the user reads, exit status). "" for nothing more to say, None for the traceback of an
    unexpected error.
    """
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    if isinstance(error, Terminated):
        return (
            "\nended by SIGTERM; what was done is kept, the same command continues from here",
            TERMINATED,
        )
    if isinstance(error, KeyboardInterrupt):
        return (
            "\ninterrupted; what was done is kept, the same command continues from here",
            INTERRUPTED,
        )
    if EXPLAINED in names:
        return "", getattr(error, "code", FAILED) or FAILED
    if names & set(COMPLETE):
        return f"error: {error}", FAILED
    if isinstance(error, BrokenPipeError):
        return "", PIPE_CLOSED
    if isinstance(error, subprocess.TimeoutExpired):
        words = error.cmd if isinstance(error.cmd, str) else " ".join(map(str, error.cmd))
        return (
            f"error: no answer within {error.timeout:g} s from: {words[:200]}. Can what it asks be reached (make status)?",
            FAILED,
        )
    if isinstance(error, OSError) and error.filename is not None:
        return f"error: {error.filename}: {_reason(error)}", FAILED
    return None, FAILED


def _reason(error: OSError) -> str:
    """What the system said, and what to do about it."""
    said = (error.strerror or type(error).__name__).lower()
    remedy = {
        FileNotFoundError: "it is needed here and is not there; check the path, or install the program",
        PermissionError: "this user may not use it; change its owner or rights, or run the command as the user who owns it",
        IsADirectoryError: "a file was expected",
        NotADirectoryError: "a directory was expected",
    }
    return f"{said}: {remedy.get(type(error), 'correct that and run the same command again')}"
