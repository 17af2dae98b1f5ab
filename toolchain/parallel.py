"""Getting several tools at once: much of a build waits for downloads or keeps one core busy."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait

from toolchain.specs import Spec
from toolchain.tool import Tool

AT_ONCE = 2
Work = Callable[[Spec, threading.Event, Callable[[], Tool]], Tool]
"""Gets one tool. It ends early when the event is set, and may wait for the first tool of the sequence."""


def side_by_side(specs: Sequence[Spec], work: Work) -> dict[str, Tool]:
    """Every tool by its name: the first one first, then the longest builds.

    Raises what the first failure raised. On a failure, Ctrl-C or SIGTERM nothing is left running.
    """
    ended = threading.Event()
    first, *others = specs
    others.sort(key=lambda spec: -spec.module.minutes if spec.module else 0)
    futures: dict[str, Future[Tool]] = {}
    failures: list[BaseException] = []

    def get(spec: Spec) -> Tool:
        if ended.is_set():
            raise CancelledError
        try:
            return work(spec, ended, lambda: futures[first.name].result())
        except BaseException as error:
            failures.append(error)  # the first of them is the cause; the others were ended by it
            ended.set()
            raise

    with ThreadPoolExecutor(AT_ONCE, "tool") as pool:
        try:
            for spec in (first, *others):
                futures[spec.name] = pool.submit(get, spec)
            wait(futures.values())
        except BaseException:
            ended.set()
            raise
    if failures:
        raise failures[0]
    return {name: future.result() for name, future in futures.items()}
