"""Child processes that end with the host, and only by the host's will."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence

GRACE_SECONDS = 5.0
LIFELINE = "PULUMI_LANGUAGE_PYTHON_LIFELINE"
"""Environment variable with the file descriptor whose end of file tells a program that the host is gone."""


def start(command: Sequence[str], directory: str, environment: Mapping[str, str], captured: bool = False) -> subprocess.Popen[bytes]:
    """Starts a process in its own group, so that no signal meant for the host or the engine reaches it.

    The engine decides: after a Ctrl-C it lets running operations finish and cancels the host, which calls `stop`.
    The output goes where ours goes, or with `captured` to `output`.
    """
    reader, writer = os.pipe()  # the writing end stays open here until this process ends, however it ends
    try:
        return subprocess.Popen(
            command,
            cwd=directory or None,
            env={**environment, LIFELINE: str(reader)},
            stdin=subprocess.DEVNULL,
            pass_fds=(reader,),
            process_group=0,
            stdout=subprocess.PIPE if captured else None,
            stderr=subprocess.PIPE if captured else None,
        )
    except BaseException:
        os.close(writer)
        raise
    finally:
        os.close(reader)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Asks a process to end (as Ctrl-C would) and kills its group if it doesn't within `GRACE_SECONDS`."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    timer = threading.Timer(GRACE_SECONDS, _kill, (process,))
    timer.daemon = True
    timer.start()


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def output(process: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yields ("stdout" | "stderr", bytes) as a process writes them, until it has closed both."""
    import selectors

    with selectors.DefaultSelector() as selector:
        for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ, name)
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, 65536)
                if data:
                    yield key.data, data
                else:
                    selector.unregister(key.fileobj)
