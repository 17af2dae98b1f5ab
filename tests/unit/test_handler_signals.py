"""A signal ends a program at whatever step it is."""

import subprocess
import sys

from ops.engine.cli import ROOT

AT_THE_WORST_STEP = """
import os, signal, threading, time
from interruption_handler.signals import on_signal
ended = threading.Event()
on_signal([signal.SIGTERM], ended.set)
with ended._cond:  # as wait() holds it for a moment
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.2)
print(ended.wait(1500))
"""


def test_a_signal_that_comes_while_the_main_thread_holds_the_event_s_lock_is_not_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_THE_WORST_STEP], cwd=ROOT, capture_output=True, text=True, timeout=1500,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
