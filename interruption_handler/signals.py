"""What is to be done when a signal comes, done in a thread of its own.

Python runs a signal handler in the main thread, between two of its steps. If that thread is just
waiting for an Event, and the handler sets the Event, both want the same lock and neither goes on.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable


def on_signal(numbers: Iterable[signal.Signals], act: Callable[[], object]) -> None:
    """Calls `act` once, when the first of the signals comes; later ones do nothing.

    For programs that start no other program: what is started would not hear these signals either.
    """
    awaited = set(numbers)
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)  # threads that are started later block, too

    def wait() -> None:
        signal.sigwait(awaited)
        act()

    threading.Thread(target=wait, name="signals", daemon=True).start()
