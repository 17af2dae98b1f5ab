"""Going into the lab's namespaces: run a command there as if it had been started there.

Signals, standard streams and the exit status pass through. The command dies with the process that
entered.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.environment import ROOT, lab_home
from lab.errors import LabError
from lab.inside import for_command
from lab.state import is_running, read_state, start_ticks

_KINDS = {"user": 0x10000000, "mnt": 0x00020000, "net": 0x40000000, "pid": 0x20000000}
_PASSED_ON = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
    signal.SIGCONT,
)
INSIDE = "LAB_INSIDE"
"""Environment variable of every command inside: the home of the lab it is in."""
_SI_KERNEL = 0x80  # sent by the terminal: the whole foreground group has it already
_PR_SET_PDEATHSIG = 1


def supervisor_pid(home: Path) -> int:
    """The supervisor's pid as seen from here; raises `LabError` when the lab does not run."""
    known = read_state(home).get("supervisor") or {}
    if is_running(home) and known.get("pid") and start_ticks(known["pid"]) == known["start_ticks"]:
        return known["pid"]
    raise LabError(f"the lab in {home} does not run: start it with `python -m lab up`")


def command(argv: Sequence[str], home: Path | None = None) -> list[str]:
    """The command line that runs `argv` inside, from any directory and for any way of starting
    processes.
    """
    boot = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from lab.namespace import main; main()"
    return [sys.executable, "-c", boot, str(home or lab_home()), *argv]


def run(
    argv: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    home: Path | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """`subprocess.run` inside the lab. `env` is added to the lab's own environment; `options` go to
    `subprocess.run`.
    """
    options.setdefault("check", False)
    return subprocess.run(command(argv, home), env={**os.environ, **(env or {})}, **options)  # noqa: PLW1510 - set above, as the caller says


def enter(home: Path, argv: Sequence[str], env: Mapping[str, str] | None = None) -> int:
    """Run `argv` inside and wait; returns its exit status (128 + signal when a signal ended it).

    This process itself changes namespaces: call it only where nothing else runs afterwards.
    """
    environment = {**for_command(home), **(env or {}), INSIDE: str(home)}
    _join(supervisor_pid(home))
    own_group = not os.isatty(
        0
    )  # without a terminal a signal to our group must reach the command once, not twice
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {*_PASSED_ON, signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        _become(argv, environment, previous, own_group)
    return _attend(child, own_group)


def _join(pid: int) -> None:
    """Join the namespaces of process `pid` that differ from ours; keeps the working directory."""
    libc = ctypes.CDLL(None, use_errno=True)
    directory = os.getcwd()
    wanted = []
    for kind, flag in _KINDS.items():
        try:
            if os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}"):
                wanted.append(
                    (os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC), kind, flag)
                )
        except PermissionError:
            raise LabError(
                f"the lab belongs to another user (process {pid}): run the command as that user or as root"
            ) from None
    for descriptor, kind, flag in wanted:
        if libc.setns(descriptor, flag) != 0:
            raise LabError(
                f"cannot enter the lab's {kind} namespace: {os.strerror(ctypes.get_errno())}; run the command as the lab's user"
            )
        os.close(descriptor)
    try:
        os.chdir(directory)
    except OSError:
        os.chdir("/")


def _become(
    argv: Sequence[str], env: Mapping[str, str], mask: Iterable[int], own_group: bool
) -> None:
    """In the child: turn into the command."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if own_group:
            os.setpgid(0, 0)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.execvpe(argv[0], list(argv), dict(env))
    except FileNotFoundError:
        os.write(2, f"lab: {argv[0]}: no such command inside the lab\n".encode())
        os._exit(127)
    except OSError as error:
        os.write(2, f"lab: {argv[0]}: {error.strerror}\n".encode())
        os._exit(126)


def _attend(child: int, own_group: bool) -> int:
    """Pass signals on to the command until it ends."""
    while True:
        got = signal.sigwaitinfo({*_PASSED_ON, signal.SIGCHLD})
        if got.si_signo != signal.SIGCHLD:
            if own_group or got.si_code != _SI_KERNEL:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, got.si_signo)
            continue
        ended, status = os.waitpid(child, os.WNOHANG | os.WUNTRACED)
        if ended == 0:
            continue
        if os.WIFSTOPPED(status):
            os.kill(
                os.getpid(), signal.SIGSTOP
            )  # the shell sees us stopped, as it would see the command
            os.kill(child, signal.SIGCONT)
            continue
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def main() -> None:
    """Entry point of `command`: arguments are the lab's home and the command."""
    try:
        sys.exit(enter(Path(sys.argv[1]), sys.argv[2:]))
    except LabError as error:
        sys.exit(f"lab: {error}")
