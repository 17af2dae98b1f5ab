"""`python -m lab.toolchain …` as the user runs it."""

import os
import resource
import subprocess
import sys
from pathlib import Path

from lab.toolchain import TOOL_NAMES, ensure, tensorflow

_ROOT = Path(__file__).resolve().parents[3]


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab.toolchain", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=_ROOT,
        env={**os.environ, **environment},
        check=False,
    )


def test_list_shows_every_tool_even_those_that_are_not_there(tmp_path: Path) -> None:
    done = _run("list", EI_CACHE=str(tmp_path))
    assert done.returncode == 0
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert set(lines) == {
        *TOOL_NAMES,
        *(tensorflow.PREFIX + version for version in tensorflow.TESTED),
    }
    assert "wheel" in lines["traefik"]


def test_path_prints_one_path() -> None:
    done = _run("path", "kubectl")
    assert done.returncode == 0 and Path(done.stdout.strip()).name == "kubectl"


def test_a_mistake_is_one_line_without_traceback() -> None:
    done = _run("path", "kubectll")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: kubectll: no such tool") and done.stderr.count("\n") == 1


def test_asking_for_what_is_there_takes_no_time() -> None:
    ensure(TOOL_NAMES)
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert _run("ensure").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert (
        min(times) < 1.0
    )  # processor seconds, of which a busy machine takes hardly more; idle it is below 0.3
