"""Debug messages on their way while the program goes on.

The SDK sends every debug message with a blocking call on the program's own thread, several for each resource: a fifth of the time that
a preview of a large program takes. Here one thread sends them, in their order; other severities still wait until theirs has arrived.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

_Log = Callable[[Any], Any]


class LaterDebug:
    """In place of the engine stub's `Log`."""

    def __init__(self, log: _Log, debug: int) -> None:
        self._log, self._debug = log, debug
        self._waiting: queue.SimpleQueue[tuple[Any, Future[Any]]] = queue.SimpleQueue()
        threading.Thread(target=self._send, daemon=True).start()

    def __call__(self, request: Any) -> Any:
        """Sends in order; only a debug message is not waited for."""
        answer: Future[Any] = Future()
        self._waiting.put((request, answer))
        return None if request.severity == self._debug else answer.result()

    def flush(self, seconds: float) -> None:
        """Waits until everything has been sent, at most so long."""
        answer: Future[Any] = Future()
        self._waiting.put((None, answer))
        answer.exception(timeout=seconds)

    def _send(self) -> None:
        while True:
            request, answer = self._waiting.get()
            try:
                answer.set_result(None if request is None else self._log(request))
            except Exception as error:  # for the one who waits; nobody waits for a debug message
                answer.set_exception(error)


def install(engine: Any, debug: int) -> LaterDebug:
    """Puts it into an engine stub."""
    engine.Log = LaterDebug(engine.Log, debug)
    return engine.Log
