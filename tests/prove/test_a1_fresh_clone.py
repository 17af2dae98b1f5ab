"""A fresh clone with fresh caches: `make up`, an answer, `make test`; then warm, then nothing to do. Takes most of an hour."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import time

import pytest

from tests.e2e.harness import ROOT, free_port


def timed(clone: pathlib.Path, env: dict[str, str], *command: str) -> tuple[float, str]:
    """Runs a command of the README; returns how long it took and what it printed."""
    started = time.monotonic()
    done = subprocess.run(command, cwd=clone, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return time.monotonic() - started, done.stdout + done.stderr


@pytest.mark.timeout(2 * 3600)
def test_two_commands_on_a_fresh_clone_with_fresh_caches(tmp_path: pathlib.Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    fresh = {name: str(tmp_path / name.lower()) for name in ("EI_CACHE", "GOCACHE", "GOMODCACHE", "PIP_CACHE_DIR", "LAB_HOME")}
    ports = {name: str(free_port()) for name in ("LAB_INGRESS_PORT", "LAB_API_PORT", "LAB_REGION_PORT")}
    env = {**{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, **fresh, **ports}
    try:
        cold, printed = timed(clone, env, "make", "up")
        assert "predictions" in printed or "negative" in printed or "positive" in printed
        second, printed = timed(clone, env, "make", "up")
        assert "created" not in printed and "updated" not in printed
        timed(clone, env, "make", "down")
        warm, _ = timed(clone, env, "make", "up")
        timed(clone, env, "make", "down")
        tested, _ = timed(clone, env, "make", "test") if os.environ.get("FRESH_TEST") else (0.0, "")
        print(f"\nfigure: cold {cold / 60:.1f} min, warm {warm:.0f} s, second {second:.1f} s, test {tested / 60:.1f} min")
        assert cold <= 30 * 60 and warm <= 60 and second <= 10
    finally:
        subprocess.run(["make", "down", "FORCE=1"], cwd=clone, env=env, capture_output=True)
        subprocess.run(["chmod", "-R", "u+w", fresh["GOMODCACHE"]], capture_output=True)
        shutil.rmtree(tmp_path, ignore_errors=True)
