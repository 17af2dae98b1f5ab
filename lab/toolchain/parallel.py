"""Getting several tools at once: much of a build waits for downloads or keeps one core busy."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from lab.toolchain.specs import Spec
from lab.toolchain.tool import Tool

AT_ONCE = 2
Group = Sequence[Spec]
"""Tools that are built together."""
Work = Callable[[Group, threading.Event, dict[str, Tool]], dict[str, Tool]]
"""Gets one group. It ends early when the event is set; the mapping holds what is there already."""


def side_by_side(
    groups: Sequence[Group], work: Work, after: Callable[[Group], str | None] = lambda _: None
) -> dict[str, Tool]:
    """Every tool by its name, two groups at a time in the order given; one that comes `after` a
    tool is left until that is there.

    Raises what the first failure raised. On a failure, Ctrl-C or SIGTERM nothing is left running.
    """
    ended, changed = threading.Event(), threading.Condition()
    waiting, there = list(groups), dict[str, Tool]()
    coming = {spec.name for group in groups for spec in group}
    failures: list[BaseException] = []

    def take() -> Group | None:
        with changed:
            while waiting and not ended.is_set():
                ready = next(
                    (group for group in waiting if after(group) not in coming - set(there)), None
                )
                if ready is not None:
                    waiting.remove(ready)
                    return ready
                changed.wait(0.5)
        return None

    def work_on() -> None:
        while (group := take()) is not None:
            try:
                found = work(group, ended, there)
            except BaseException as error:
                failures.append(
                    error
                )  # the first of them is the cause; the others were ended by it
                ended.set()
                raise
            with changed:
                there.update(found)
                changed.notify_all()

    with ThreadPoolExecutor(AT_ONCE, "tool") as pool:
        try:
            wait([pool.submit(work_on) for _ in range(AT_ONCE)])
        except BaseException:
            ended.set()
            raise
    if failures:
        raise failures[0]
    return there
