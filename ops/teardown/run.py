"""Runs the CLI for one part of a destroy: again if it fails once, cleanly interrupted when we
are.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from types import FrameType

from ops import advice, events
from ops.pulumi import ROOT, CommandFailed, Stack, environment, removed_afterwards
from ops.teardown.checkpoint import Resource

ATTEMPTS = 3
"""Of one part: clouds throttle and fail for moments, and deleting what is gone already is no
error.
"""
PAUSE = 2.0
UNREACHABLE = {"PULUMI_K8S_DELETE_UNREACHABLE": "true", "PULUMI_K8S_CLIENT_TIMEOUT": "10"}
"""Has the Kubernetes plugin forget objects of a cluster that does not answer, and find that out
within seconds.
"""
_PR_SET_PDEATHSIG = 1


class Interrupted(Exception):
    """Somebody pressed Ctrl-C; the CLI has ended its update by then."""


def destroy(
    stack: Stack,
    targets: Iterable[Resource] | None,
    extra: Mapping[str, str],
    settle: Callable[[], None],
) -> None:
    """Deletes the targets, or everything for None. `settle` runs before another attempt. Raises
    CommandFailed or Interrupted.
    """
    targeted = [word for one in targets or () for word in ("--target", one.urn)]
    for attempt in range(1, ATTEMPTS + 1):
        with events.recorded() as (options, log):
            words = [
                "destroy",
                "--stack",
                stack.name,
                "--yes",
                "--skip-preview",
                "--suppress-outputs",
                *targeted,
                *options,
            ]
            code = _run(stack.command(*words), {**extra, **events.KNOWN})
            if code == 0:
                return
            for line in advice.explanation(events.read(log)):
                print(line, file=sys.stderr)
        if attempt == ATTEMPTS:
            raise CommandFailed(["pulumi", "destroy"], code)
        print(
            f"That did not finish; once more ({attempt + 1} of {ATTEMPTS}).",
            file=sys.stderr,
            flush=True,
        )
        time.sleep(PAUSE)
        settle()


def _run(command: list[str], extra: Mapping[str, str]) -> int:
    """The CLI's exit status. Raises Interrupted, once the CLI is done with what it was about."""
    interrupted = False
    with removed_afterwards() as location:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**environment(), **extra, **location}, preexec_fn=_end_with_us
        )
        while True:
            try:
                code = process.wait()
                break
            except KeyboardInterrupt:
                interrupted = True
                if not os.isatty(0):  # on a terminal the CLI has got it too
                    process.send_signal(signal.SIGINT)
    if interrupted:
        raise Interrupted
    return code


def _end_with_us() -> None:
    """In the child: a CLI whose teardown was killed ends its update in order and gives its lock
    back.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def take_terminate_as_interrupt() -> None:
    """SIGTERM ends a run like Ctrl-C: in order."""

    def raise_it(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, raise_it)
