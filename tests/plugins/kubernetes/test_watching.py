"""Watches go on over broken streams, and nothing that happens in between is lost."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

from lab.kubernetes_plugin.awaits.source import Event, Sources, Wanted
from lab.kubernetes_plugin.cluster import Unreachable


def thing(uid: str) -> dict:
    """An object."""
    return {"kind": "Thing", "metadata": {"uid": uid, "name": uid}}


class Scripted:
    """A cluster whose lists and streams are given; it blocks when the script is over."""

    def __init__(self, lists: list[Any], streams: list[list[dict]]) -> None:
        self._lists, self._streams, self.over = iter(lists), iter(streams), threading.Event()

    def list_for_watch(self, *_: Any) -> tuple[list[dict], str]:
        """The next list, or the next trouble."""
        found = next(self._lists, None)
        if found is None:
            self.over.wait(10)
            raise Unreachable("over")
        if isinstance(found, Exception):
            raise found
        return found, "1"

    def watch(self, *_: Any) -> Iterator[dict]:
        """The next stream."""
        yield from next(self._streams, [])


def told(cluster: Scripted, count: int) -> list[tuple[str, str]]:
    """The first events about things."""
    inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
    found: list[tuple[str, str]] = []
    with Sources(cluster, "n", [Wanted("v1", "Thing")], inbox):  # type: ignore[arg-type]
        while len(found) < count:
            event = inbox.get(timeout=10)
            if event.type != "LISTED":
                found.append((event.type, event.obj["metadata"]["uid"]))
        cluster.over.set()
    return found


def test_a_stream_that_ends_is_followed_by_a_list_that_tells_what_was_missed() -> None:
    stream = [{"type": "MODIFIED", "object": thing("a")}, {"type": "BOOKMARK", "object": {}}]
    cluster = Scripted([[thing("a"), thing("b")], [thing("a"), thing("c")]], [stream])
    expected = [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b"), ("MODIFIED", "a"), ("ADDED", "c")]
    assert told(cluster, 6) == expected


def test_an_error_in_the_stream_or_an_unreachable_server_is_waited_out() -> None:
    gone = [{"type": "ERROR", "object": {"code": 410}}]
    cluster = Scripted([[thing("a")], Unreachable("restarting"), [thing("b")]], [gone])
    assert told(cluster, 3) == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "b")]
