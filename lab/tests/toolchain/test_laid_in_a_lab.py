"""A lab that runs takes plugins that were found since; what is shown is what runs."""

from pathlib import Path

import pytest

from lab.controlplane import tools
from lab.tests.toolchain.conftest import FakeTool
from lab.tests.toolchain.test_published import FAILS, KUBERNETES, _plugin, _silent
from lab.toolchain import ensure, plugins
from lab.toolchain.specs import SPECS


@pytest.fixture
def home(cache: Path, fake: FakeTool, go: Path, tmp_path: Path) -> Path:
    """A lab's PULUMI_HOME with plugins that were built, on a machine with a CLI that has no
    language host.
    """
    fake("pulumi", FAILS)
    fake("kubectl", "echo v1.37.1")
    ensure([name for name, spec in SPECS.items() if spec.module], _silent)
    tools.lay_plugins(tmp_path / "lab", _silent)
    return tmp_path / "lab"


def test_a_plugin_found_later_is_taken_and_that_is_said(home: Path, path: Path) -> None:
    built = tools.used(home)[KUBERNETES.name]
    assert built["origin"] == "built" and "next" not in built
    place = _plugin(path / KUBERNETES.name, KUBERNETES.version)

    still = tools.used(home)[KUBERNETES.name]
    assert (still["path"], still["origin"], still["next"]) == (
        built["path"],
        "laid earlier",
        f"{place} (PATH)",
    )

    lines: list[str] = []
    tools.lay_plugins(home, lines.append)
    assert lines == [f"{KUBERNETES.name}: {place} is used from now on, so far {built['path']} was"]
    assert tools.used(home)[KUBERNETES.name] == {
        "path": str(place),
        "version": KUBERNETES.version,
        "origin": "PATH",
    }
    tools.lay_plugins(home, lines.append)
    assert len(lines) == 1


def test_the_language_host_that_the_cli_brings_is_the_one_shown(home: Path, fake: FakeTool) -> None:
    assert tools.used(home)["pulumi-language-python"]["origin"] == "built"
    brought = fake("pulumi-language-python", "exit 0")
    assert tools.used(home)["pulumi-language-python"] == {
        "path": str(brought),
        "version": "3.255.0",
        "origin": "PATH",
    }


def test_a_part_that_would_now_be_another_is_told(home: Path, fake: FakeTool) -> None:
    etcd = {"name": "etcd", "version": SPECS["etcd"].version, "origin": "built"}
    running = [etcd, {"name": "region"}, {"name": "node agent", "version": "1", "origin": "built"}]
    assert tools.older_parts(running) == []
    fake("etcd", "echo etcd Version: 3.6.99")
    assert tools.older_parts(running) == [
        f"etcd {etcd['version']} (built) runs on; 3.6.99 (PATH) is used from the lab's next start on"
    ]


def test_plugins_have_a_place_for_every_pinned_one(tmp_path: Path) -> None:
    assert set(plugins.places(tmp_path)) == {
        "pulumi-language-python",
        *(name for name, spec in SPECS.items() if spec.plugin),
    }
