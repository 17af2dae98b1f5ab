"""A network namespace of a test's own, in which every name of the cloud leads to a double."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lab.dns
from lab.network import bring_up, use_own_names
from lab.testing.session import tied


def in_namespaces(*command: str) -> list[str]:
    """The command in network, mount and pid namespaces of its own; it ends with the thread that
    starts it.
    """
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    namespaces = ("--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child")
    return tied("unshare", *user, *namespaces, *command)


@contextmanager
def names_answered(directory: Path) -> Iterator[None]:
    """In such a namespace: the network is up, and the lab's DNS answers while the body runs.
    `directory` takes the files that resolve names.
    """
    bring_up()
    use_own_names(directory)
    loop = asyncio.new_event_loop()
    answering = loop.run_until_complete(lab.dns.serve())
    threading.Thread(target=loop.run_forever, daemon=True).start()
    try:
        yield
    finally:
        del answering  # held until here: it ends when nothing refers to it
