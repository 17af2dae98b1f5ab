"""Stopping and retrying: one token per operation, asked between all steps and while data flows."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from .errors import Cancelled, ModelError

T = TypeVar("T")
RETRIES = 6
_GIVEN = os.environ.get("OSSMODEL_RETRY_WAIT", "")
FIRST_WAIT = float(_GIVEN) if _GIVEN.replace(".", "", 1).isdecimal() else 0.4
"""Seconds before the second attempt; each further pause is twice as long."""
LONGEST_WAIT = 15.0


class Control:
    """Tells an operation to stop: the engine's cancellation, or the operation's own time limit
    (seconds, 0 = none).
    """

    def __init__(self, cancelled: threading.Event | None = None, timeout: float = 0) -> None:
        self._cancelled = cancelled or threading.Event()
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout if timeout else None

    def cancel(self) -> None:
        """Stop the operation at its next step."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise `Cancelled`, or `ModelError` when the time is over; else return at once."""
        if self._cancelled.is_set():
            raise Cancelled(
                "the update was cancelled; what is uploaded stays, and the same command continues from there"
            )
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise ModelError(
                f"the operation is not done after {self._timeout:g} s, the time limit set for it (customTimeouts). "
                "What is uploaded stays. Run the same command again to continue, or raise the limit."
            )

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than until the operation is to stop."""
        if self._deadline is not None:
            seconds = min(seconds, max(0.0, self._deadline - time.monotonic()) + 0.001)
        self._cancelled.wait(seconds)
        self.check()


def is_transient(error: Exception) -> bool:
    """Whether the same request may succeed a moment later: transport faults, 5xx, throttling, a
    damaged transfer.
    """
    from oss2 import exceptions  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call

    if isinstance(error, exceptions.RequestError):
        return not _is_certificate_fault(error)
    if isinstance(error, exceptions.InconsistentError):
        return True
    if isinstance(error, exceptions.ServerError):
        return (
            error.status >= 500
            or error.status == 429
            or error.code in ("RequestTimeout", "Throttling", "OperationAborted")
        )
    return False


def retrying(
    call: Callable[[], T],
    control: Control,
    on_retry: Callable[[Exception, int], None] | None = None,
) -> T:
    """`call()`, repeated after transient faults with growing, jittered pauses; oss2 itself repeats
    nothing.
    """
    for attempt in range(1, RETRIES + 1):
        control.check()
        try:
            return call()
        except Exception as error:
            if attempt == RETRIES or not is_transient(error):
                raise
            if on_retry:
                on_retry(error, attempt)
            control.wait(
                min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1)) * random.uniform(0.7, 1.3)
            )
    raise AssertionError("unreachable")


def _is_certificate_fault(error: Exception) -> bool:
    from requests.exceptions import SSLError  # noqa: PLC0415 - the plugin starts with every run of the engine: what a call needs is loaded by that call

    cause = getattr(error, "exception", None)
    return isinstance(cause, SSLError) and "CERTIFICATE" in str(cause).upper()
