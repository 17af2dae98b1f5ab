"""Several tools at once: in order where one needs another, and nothing left running after a
failure.
"""

import subprocess
import threading
from pathlib import Path

import pytest

from lab.tests.toolchain.conftest import GO, FakeTool
from lab.toolchain import ToolchainError, ensure
from lab.toolchain.parallel import side_by_side
from lab.toolchain.specs import SPECS
from lab.toolchain.tool import Tool

GROUPS = [
    [SPECS[name]] for name in ("kube-apiserver", "etcd", "pulumi-resource-alicloud", "pulumi")
]


def _tools(group) -> dict[str, Tool]:
    return {spec.name: Tool(spec.name, Path(spec.name), "1", "built") for spec in group}


def test_two_are_got_at_once_in_the_order_given() -> None:
    order: list[str] = []
    both = threading.Barrier(2, timeout=60)

    def work(group, ended, there):
        order.append(group[0].name)
        both.wait()  # breaks if two never run side by side
        return _tools(group)

    assert set(side_by_side(GROUPS, work)) == {group[0].name for group in GROUPS}
    assert set(order[:2]) == {"kube-apiserver", "etcd"} and set(order[2:]) == {
        "pulumi-resource-alicloud",
        "pulumi",
    }


def test_one_that_comes_after_another_waits_and_holds_up_nobody() -> None:
    order: list[str] = []

    def work(group, ended, there):
        order.append(group[0].name)
        assert group[0].name != "pulumi-resource-alicloud" or "pulumi" in there
        return _tools(group)

    def after(group):
        return "pulumi" if group[0].plugin else None

    assert len(side_by_side(GROUPS, work, after)) == 4
    assert order.index("pulumi") < order.index("pulumi-resource-alicloud") == 3


def test_a_tool_that_is_not_among_those_to_come_is_not_waited_for() -> None:
    assert set(
        side_by_side(GROUPS[:1], lambda group, ended, there: _tools(group), lambda group: "pulumi")
    ) == {"kube-apiserver"}


def test_the_language_host_is_built_from_what_the_cli_has_compiled(
    cache: Path, go: Path, fake: FakeTool
) -> None:
    ended = cache.with_name("cli-built")
    fake(
        "go",
        GO.replace(
            "build)",
            f'build)\n\tcase "$*" in *cmd/pulumi) sleep 1; echo > {ended} ;; *) [ -e {ended} ] || exit 1 ;; esac',
        ),
    )
    ensure(["pulumi-language-python", "pulumi"], lambda line: None)
    assert ended.exists()


def test_a_failure_ends_the_build_beside_it_and_starts_no_other(
    cache: Path, go: Path, fake: FakeTool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    fake("go", GO.replace("build)", f'build)\n\tcase "$*" in *etcd*) ;; *) echo $$ > {started}; exec sleep 3600 ;; esac\n\t'
                                    f"while [ ! -s {started} ]; do sleep 0.05; done; echo broken >&2; exit 1"))  # fmt: skip
    with pytest.raises(ToolchainError, match="etcd"):
        ensure(["etcd", "kube-apiserver"], lambda line: None)
    pid = started.read_text().strip()
    assert (
        subprocess.run(["/bin/kill", "-0", pid], capture_output=True, check=False).returncode != 0
    ), "the other build still runs"
    assert [entry.name for entry in (cache / "bin").glob("kube-*/*")] == [".lock"]
