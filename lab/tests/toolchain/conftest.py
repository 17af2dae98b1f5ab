"""A machine of one's own: empty cache, empty PATH, fake tools."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.tests.toolchain.engine import Session
from lab.toolchain import versions
from lab.toolchain.specs import GoModule, Spec

FakeTool = Callable[[str, str], Path]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of built tools."""
    directory = tmp_path / "cache"
    monkeypatch.setenv("EI_CACHE", str(directory))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi-home"))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return directory


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is all of PATH, with the few commands that fake tools need; no Go in the
    Python environment either.
    """
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in ("sh", "chmod", "mkdir", "mv", "sleep"):
        command = shutil.which(name)
        assert command is not None
        (directory / name).symlink_to(command)
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "no-environment"))
    return directory


@pytest.fixture
def fake(path: Path) -> FakeTool:
    """Puts a shell script onto PATH."""

    def put(name: str, script: str) -> Path:
        file = path / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return file

    return put


GO = """
case "$1" in
version) echo "go version go1.26.8 linux/amd64" ;;
env) echo /go/cache; echo /go/modules ;;
list)
	echo "go: downloading example.org/a v1.0.0" >&2
	echo example.org/a; echo example.org/b ;;
build)
	echo "$@" >> "$FAKE_GO_LOG"
	echo "example.org/a" >&2
	while [ "$1" != "-o" ]; do shift; done
	output="$2"; shift 2
	for package in "$@"; do
		file="$output"; [ -d "$output" ] && file="$output/${package##*/}"
		printf '#!/bin/sh\\necho tool version 1.2.3\\n' > "$file"; chmod +x "$file"
	done ;;
esac
"""


@pytest.fixture
def go(fake: FakeTool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake Go 1.26.8 that "builds" a script; returns the log of its builds."""
    log = tmp_path / "go.log"
    log.touch()
    monkeypatch.setenv("FAKE_GO_LOG", str(log))
    fake("go", GO)
    return log


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    """A tool `mytool` 1.2.3 that is built from a module."""
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module mytool\n")
    (module / "go.sum").write_text("")
    (module / "main.go").write_text("package main\n")
    return Spec("mytool", "1.2.3", versions.same_minor("1.2.3"), module=GoModule(module, "."))


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """A language host for the tests of one file."""
    with Session() as running:
        yield running
