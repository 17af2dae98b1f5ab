"""Published plugins are left to the CLI's own `plugin install`; a failure costs time once a day at most."""

import json
import time
from pathlib import Path

import pytest

from tests.plugins.toolchain.conftest import FakeTool
from toolchain import ToolchainError, ensure, plugins, published
from toolchain.specs import SPECS

KUBERNETES = SPECS["pulumi-resource-kubernetes"]
INSTALLS = """
echo "$@" >> "$0.log"
[ "$1" = version ] && { echo v3.255.0; exit 0; }
directory="$PULUMI_HOME/plugins/resource-$4-v$5"
mkdir -p "$directory" && printf '#!/bin/sh\\n' > "$directory/pulumi-resource-$4" && chmod +x "$directory/pulumi-resource-$4"
"""
FAILS = """
echo "$@" >> "$0.log"
[ "$1" = version ] && { echo v3.255.0; exit 0; }
echo "error: no such host" >&2; exit 1
"""


def _installs(pulumi: Path) -> int:
    return Path(f"{pulumi}.log").read_text().count("plugin install")


def test_the_published_plugin_is_installed_by_the_cli_and_found_again(cache: Path, fake: FakeTool) -> None:
    pulumi = fake("pulumi", INSTALLS)
    for _ in range(2):
        tool = ensure([KUBERNETES.name])[KUBERNETES.name]
        assert tool.origin == "plugin install" and tool.version == KUBERNETES.version
    assert _installs(pulumi) == 1


def test_a_failed_install_is_remembered_and_the_stand_in_used(cache: Path, fake: FakeTool) -> None:
    pulumi = fake("pulumi", FAILS)
    lines: list[str] = []
    for _ in range(2):
        assert ensure([KUBERNETES.name], lines.append)[KUBERNETES.name].origin == "repository"
    assert _installs(pulumi) == 1
    assert lines[-1] == f"{KUBERNETES.name}: not to be had from there (error: no such host)"


def test_a_failure_is_forgotten_after_a_day(cache: Path, fake: FakeTool) -> None:
    pulumi = fake("pulumi", FAILS)
    published.install(KUBERNETES, pulumi, lambda _: None)
    memory = cache / "not-published" / f"{KUBERNETES.name}-{KUBERNETES.version}.json"
    memory.write_text(json.dumps({"at": time.time() - 25 * 3600}))
    assert not published.failed_lately(KUBERNETES)
    memory.write_text("broken")
    assert not published.failed_lately(KUBERNETES)


def test_a_slow_install_is_given_up(cache: Path, fake: FakeTool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "TIMEOUT_SECONDS", 0.5)
    pulumi = fake("pulumi", "exec sleep 30")
    started = time.monotonic()
    assert published.install(KUBERNETES, pulumi, lambda _: None) is None
    assert time.monotonic() - started < 10
    assert published.failed_lately(KUBERNETES)


def test_a_plugin_that_the_user_s_pulumi_has_is_used(cache: Path, path: Path, tmp_path: Path) -> None:
    place = tmp_path / "pulumi-home" / "plugins" / f"resource-kubernetes-v{KUBERNETES.version}" / KUBERNETES.name
    place.parent.mkdir(parents=True)
    place.write_text("#!/bin/sh\n")
    assert published.find(KUBERNETES) is None  # not executable
    place.chmod(0o755)
    tool = published.find(KUBERNETES)
    assert tool is not None and tool.path == place
    place.parent.with_name(place.parent.name + ".partial").touch()
    assert published.find(KUBERNETES) is None  # still being unpacked


@pytest.fixture
def all_tools(cache: Path, fake: FakeTool, go: Path) -> Path:
    """A CLI without downloads and without a language host of its own; the alicloud plugin gets "built"."""
    return fake("pulumi", FAILS)


def test_plugins_are_laid_where_the_cli_looks(all_tools: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    tools = plugins.install_into(home, lambda _: None)
    assert {name: tool.origin for name, tool in tools.items()} == {
        "pulumi-resource-alicloud": "built",
        "pulumi-resource-kubernetes": "repository",
        "pulumi-language-python": "repository",
    }
    for directory, name in (
        ("resource-alicloud-v3.105.0", "pulumi-resource-alicloud"),
        ("resource-kubernetes-v4.32.0", "pulumi-resource-kubernetes"),
        ("language-python-v3.274.1", "pulumi-language-python"),
    ):
        assert (home / "plugins" / directory / name).resolve() == tools[name].path.resolve()


def test_a_wrong_link_is_put_right_and_a_right_one_left_alone(all_tools: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    place = home / "plugins" / "resource-kubernetes-v4.32.0" / KUBERNETES.name
    place.parent.mkdir(parents=True)
    place.symlink_to("/nowhere")
    tools = plugins.install_into(home, lambda _: None)
    assert place.resolve() == tools[KUBERNETES.name].path
    before = place.lstat().st_ino
    plugins.install_into(home, lambda _: None)
    assert place.lstat().st_ino == before
    assert [entry.name for entry in place.parent.iterdir()] == [KUBERNETES.name]


def test_links_of_ours_do_not_count_as_published(all_tools: Path, tmp_path: Path) -> None:
    plugins.install_into(tmp_path / "pulumi-home", lambda _: None)
    assert published.find(KUBERNETES) is None


def test_a_cli_that_brings_its_language_host_keeps_it(all_tools: Path, fake: FakeTool, tmp_path: Path) -> None:
    fake("pulumi-language-python", "exit 0")
    plugins.install_into(tmp_path / "home", lambda _: None)
    assert not (tmp_path / "home" / "plugins" / "language-python-v3.274.1").exists()


def test_a_missing_stand_in_says_how_to_restore_it(cache: Path, fake: FakeTool, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    fake("pulumi", FAILS)
    gone = replace(KUBERNETES, repository=Path("/nowhere/pulumi-resource-kubernetes"))
    monkeypatch.setattr("toolchain.resolve.SPECS", {**SPECS, KUBERNETES.name: gone})
    with pytest.raises(ToolchainError, match="missing or not executable. Restore it with `git checkout"):
        ensure([KUBERNETES.name])
