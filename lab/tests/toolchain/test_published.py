"""Published plugins: those that a user has are found where users have them, the others are left to
the CLI's own `plugin install`.
"""

import json
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest

from lab import toolchain
from lab.tests.toolchain.conftest import FakeTool
from lab.tests.toolchain.engine import gone, wait_until
from lab.toolchain import ensure, find, onpath, plugin_version, plugins, published
from lab.toolchain.progress import Board
from lab.toolchain.specs import PULUMI_VERSION, SPECS

KUBERNETES, ALICLOUD = SPECS["pulumi-resource-kubernetes"], SPECS["pulumi-resource-alicloud"]
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
SLOW = """
[ "$1" = version ] && { echo v3.255.0; exit 0; }
for part in 1 2 3 4 5 6 7 8; do printf 'some bytes' >> "$TMPDIR/download"; sleep 0.5; done
directory="$PULUMI_HOME/plugins/resource-$4-v$5"
mkdir -p "$directory" && printf '#!/bin/sh\\n' > "$directory/pulumi-resource-$4" && chmod +x "$directory/pulumi-resource-$4"
"""
PLUGIN = f"""#!{sys.executable}
import sys, time
if any(word.startswith("-") for word in sys.argv[1:]):
    print("flag provided but not defined", file=sys.stderr); sys.exit(2)
if not sys.argv[1:]:
    print("fatal: could not connect to host RPC", file=sys.stderr); sys.exit(1)
from concurrent import futures
import grpc
from google.protobuf import wrappers_pb2
answer = grpc.unary_unary_rpc_method_handler(
    lambda request, context: wrappers_pb2.StringValue(value=VERSION),
    response_serializer=wrappers_pb2.StringValue.SerializeToString)
server = grpc.server(futures.ThreadPoolExecutor(1))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("pulumirpc.ResourceProvider", {{"GetPluginInfo": answer}}),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
open(sys.argv[0] + ".pid", "w").write(str(__import__("os").getpid()))
time.sleep(600)
"""
"""A plugin as it is published: knows no flag, tells its port and answers the engine's question."""


def _installs(pulumi: Path) -> int:
    return Path(f"{pulumi}.log").read_text().count("plugin install")


def _silent(_: str) -> None:
    pass


def _plugin(place: Path, version: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(PLUGIN.replace("VERSION", repr(version)))
    place.chmod(0o755)
    return place


@pytest.mark.parametrize("said", [KUBERNETES.version, f"v{KUBERNETES.version}"])
def test_a_plugin_on_path_is_asked_as_the_engine_asks_and_ended(
    cache: Path, path: Path, said: str
) -> None:
    place = _plugin(path / KUBERNETES.name, said)
    tool = find(KUBERNETES.name)
    assert (tool.path, tool.version, tool.origin) == (place, KUBERNETES.version, "PATH")
    pid = int(Path(f"{place}.pid").read_text())
    wait_until(gone(pid), "the plugin that was asked still runs")
    Path(f"{place}.pid").unlink()
    find(KUBERNETES.name)
    assert not Path(f"{place}.pid").exists()  # asked once


def test_a_plugin_of_another_version_on_path_is_not_used_and_that_is_told(
    cache: Path, fake: FakeTool, path: Path, go: Path
) -> None:
    fake("pulumi", FAILS)
    place = _plugin(path / KUBERNETES.name, "4.1.0")
    lines: list[str] = []
    assert ensure([KUBERNETES.name], lines.append)[KUBERNETES.name].origin == "built"
    assert f"    not used: {place} is 4.1.0" in lines


@pytest.mark.parametrize("script", ["exit 2", "echo no port", "echo 1", "exec sleep 0"])
def test_what_is_no_plugin_has_no_version(cache: Path, fake: FakeTool, script: str) -> None:
    assert plugin_version.ask(fake("pulumi-resource-kubernetes", script)) == ""
    assert onpath.find(KUBERNETES) is None


def test_a_plugin_that_says_nothing_in_time_is_asked_again_the_next_time(
    cache: Path, fake: FakeTool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin_version, "START_SECONDS", 0.3)
    fake(KUBERNETES.name, "exec sleep 600")
    assert onpath.find(KUBERNETES) is None
    monkeypatch.undo()
    assert not list((cache / "versions").glob("*"))


def test_the_plugin_that_was_built_answers_the_question() -> None:
    """The real one, where it is there."""
    for spec in (KUBERNETES, ALICLOUD):
        assert plugin_version.ask(toolchain.ensure([spec.name])[spec.name].path) == spec.version


@pytest.mark.parametrize("home", ["pulumi-home", "user/.pulumi"])
def test_a_plugin_that_the_user_s_pulumi_has_is_used(
    cache: Path, path: Path, tmp_path: Path, home: str
) -> None:
    """In PULUMI_HOME and in ~/.pulumi, whichever is set."""
    place = (
        tmp_path / home / "plugins" / f"resource-kubernetes-v{KUBERNETES.version}" / KUBERNETES.name
    )
    place.parent.mkdir(parents=True)
    place.write_text("#!/bin/sh\n")
    assert published.find(KUBERNETES) is None  # not executable
    place.chmod(0o755)
    tool = published.find(KUBERNETES)
    assert tool is not None and tool.path == place
    place.parent.with_name(place.parent.name + ".partial").touch()
    assert published.find(KUBERNETES) is None  # still being unpacked


def test_a_plugin_that_is_a_link_of_the_user_s_own_is_used(
    cache: Path, path: Path, tmp_path: Path
) -> None:
    place = (
        tmp_path
        / "user"
        / ".pulumi"
        / "plugins"
        / f"resource-kubernetes-v{KUBERNETES.version}"
        / KUBERNETES.name
    )
    place.parent.mkdir(parents=True)
    place.symlink_to(_plugin(tmp_path / "store" / "plugin", KUBERNETES.version))
    tool = published.find(KUBERNETES)
    assert tool is not None and tool.path == tmp_path / "store" / "plugin"


def test_a_cli_that_pulumi_s_installer_has_put_into_its_home_is_used(
    cache: Path, fake: FakeTool, tmp_path: Path
) -> None:
    place = tmp_path / "user" / ".pulumi" / "bin" / "pulumi"
    place.parent.mkdir(parents=True)
    fake("pulumi-for-later", "echo v3.300.0").rename(place)
    tool = find("pulumi")
    assert (tool.path, tool.version, tool.origin) == (place, "3.300.0", "installer")


def test_where_downloads_work_the_published_plugins_are_used_and_only_the_control_plane_is_built(
    cache: Path, fake: FakeTool, go: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's CLI, the plugins by its `plugin install`."""
    pulumi = fake("pulumi", INSTALLS)
    fake("pulumi-language-python", "exit 0")
    names = [name for name, spec in SPECS.items() if not spec.wheel]
    lines: list[str] = []
    for _ in range(2):
        tools = ensure(names, lines.append)
        assert {name: tool.origin for name, tool in tools.items()} == {
            "pulumi": "PATH",
            "pulumi-language-python": "PATH",  # which that CLI brings
            "kube-apiserver": "built",
            "kube-controller-manager": "built",
            "kube-scheduler": "built",
            "etcd": "built",
            "pulumi-resource-alicloud": "plugin install",
            "pulumi-resource-kubernetes": "plugin install",
        }
    assert _installs(pulumi) == 2
    assert not [
        line
        for line in lines
        if "to build" not in line and "pulumi" in line and "published" not in line
    ]
    assert len(go.read_text().splitlines()) == 2  # Kubernetes' three programs together, and etcd


def test_a_failed_install_is_told_with_the_way_to_hand_a_plugin_in_and_remembered(
    cache: Path, fake: FakeTool, go: Path
) -> None:
    pulumi = fake("pulumi", FAILS)
    lines: list[str] = []
    assert ensure([KUBERNETES.name], lines.append)[KUBERNETES.name].origin == "built"
    assert _installs(pulumi) == 1
    assert lines[0].startswith(f"{KUBERNETES.name}: not to be downloaded (error: no such host)")
    assert (
        f"pulumi plugin install resource kubernetes {KUBERNETES.version} --file " in lines[0]
        and "PATH" in lines[0]
    )
    published.install(KUBERNETES, pulumi, Board(_silent), threading.Event())
    assert _installs(pulumi) == 1


def test_a_failure_is_forgotten_after_an_hour(cache: Path, fake: FakeTool) -> None:
    published.install(KUBERNETES, fake("pulumi", FAILS), Board(_silent), threading.Event())
    assert published.failed_lately(KUBERNETES)
    memory = cache / "not-published" / f"{KUBERNETES.name}-{KUBERNETES.version}.json"
    memory.write_text(json.dumps({"at": time.time() - 2 * 3600}))
    assert not published.failed_lately(KUBERNETES)
    memory.write_text("broken")
    assert not published.failed_lately(KUBERNETES)


def test_an_install_may_take_its_time_while_bytes_arrive(
    cache: Path, fake: FakeTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "SILENCE_SECONDS", 3.0)
    pulumi = fake(
        "pulumi", SLOW
    )  # takes four seconds and is never silent for more than half of one
    tool = published.install(KUBERNETES, pulumi, Board(_silent), threading.Event())
    assert tool is not None and tool.origin == "plugin install"
    assert not list(cache.glob(".download-*"))


def test_an_install_to_which_nothing_comes_any_more_is_given_up(
    cache: Path, fake: FakeTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "SILENCE_SECONDS", 0.5)
    pulumi = fake("pulumi", 'printf x > "$TMPDIR/download"; sleep 600 & echo $! > "$0.pid"; wait')
    lines: list[str] = []
    assert published.install(KUBERNETES, pulumi, Board(lines.append), threading.Event()) is None
    assert "nothing arrived for 0.5 s, 0 MiB had" in lines[0]
    wait_until(gone(int(Path(f"{pulumi}.pid").read_text())), "what the CLI had started still runs")
    assert published.failed_lately(KUBERNETES) and not list(cache.glob(".download-*"))


def test_a_plugin_is_handed_in_as_the_message_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real CLI: air-gapped, from a file."""
    pulumi = toolchain.ensure(["pulumi"])["pulumi"].path
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi-home"))
    place = _plugin(tmp_path / KUBERNETES.name, KUBERNETES.version)
    archive = tmp_path / f"{KUBERNETES.name}-v{KUBERNETES.version}-linux-amd64.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(place, KUBERNETES.name)
    command = [
        pulumi,
        "plugin",
        "install",
        "resource",
        "kubernetes",
        KUBERNETES.version,
        "--file",
        archive,
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    tool = published.find(KUBERNETES)
    assert tool is not None and tool.path.is_relative_to(tmp_path / "pulumi-home")
    assert plugin_version.ask(tool.path) == KUBERNETES.version


@pytest.fixture
def all_tools(cache: Path, fake: FakeTool, go: Path) -> Path:
    """A CLI without downloads and without a language host of its own; the plugins get "built"."""
    return fake("pulumi", FAILS)


def test_plugins_are_laid_where_the_cli_looks(all_tools: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    tools = plugins.install_into(home, _silent)
    assert {name: tool.origin for name, tool in tools.items()} == {
        "pulumi-resource-alicloud": "built",
        "pulumi-resource-kubernetes": "built",
        "pulumi-language-python": "built",
    }
    for directory, name in (
        (f"resource-alicloud-v{ALICLOUD.version}", ALICLOUD.name),
        (f"resource-kubernetes-v{KUBERNETES.version}", KUBERNETES.name),
        (f"language-python-v{PULUMI_VERSION}", "pulumi-language-python"),
    ):
        assert (home / "plugins" / directory / name).resolve() == tools[name].path.resolve()


def test_a_wrong_link_is_put_right_and_a_right_one_left_alone(
    all_tools: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    place = home / "plugins" / f"resource-kubernetes-v{KUBERNETES.version}" / KUBERNETES.name
    place.parent.mkdir(parents=True)
    place.symlink_to("/nowhere")
    tools = plugins.install_into(home, _silent)
    assert place.resolve() == tools[KUBERNETES.name].path
    before = place.lstat().st_ino
    plugins.install_into(home, _silent)
    assert place.lstat().st_ino == before
    assert [entry.name for entry in place.parent.iterdir()] == [KUBERNETES.name]


def test_links_of_ours_do_not_count_as_published(all_tools: Path, tmp_path: Path) -> None:
    plugins.install_into(tmp_path / "pulumi-home", _silent)
    assert published.find(KUBERNETES) is None


def test_a_cli_that_brings_its_language_host_keeps_it(
    all_tools: Path, fake: FakeTool, tmp_path: Path
) -> None:
    fake("pulumi-language-python", "exit 0")
    plugins.install_into(tmp_path / "home", _silent)
    assert not (tmp_path / "home" / "plugins" / f"language-python-v{PULUMI_VERSION}").exists()
