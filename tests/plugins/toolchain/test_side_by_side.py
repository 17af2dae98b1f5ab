"""Several tools at once: in order where one needs another, and nothing left running after a failure."""

import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.plugins.toolchain.conftest import GO, FakeTool
from toolchain import ToolchainError, ensure
from toolchain.parallel import side_by_side
from toolchain.specs import SPECS
from toolchain.tool import Tool

NAMES = ("pulumi", "etcd", "kube-apiserver", "pulumi-resource-alicloud")


def _tool(name: str) -> Tool:
    return Tool(name, Path(name), "1", "built")


def test_two_are_got_at_once_the_first_one_first_then_the_longest() -> None:
    order: list[str] = []
    both = threading.Barrier(2, timeout=10)

    def work(spec, ended, first):  # noqa: ANN001, ANN202
        order.append(spec.name)
        both.wait()  # breaks if two never run side by side
        return _tool(spec.name)

    found = side_by_side([SPECS[name] for name in NAMES], work)
    assert list(found) == ["pulumi", "pulumi-resource-alicloud", "kube-apiserver", "etcd"]
    assert order[0] == "pulumi" and set(order) == set(NAMES)


def test_one_that_needs_the_first_waits_for_it() -> None:
    def work(spec, ended, first):  # noqa: ANN001, ANN202
        if spec.name == "pulumi":
            time.sleep(0.2)
            return _tool("the CLI")
        return _tool(f"{spec.name} after {first().name}")

    found = side_by_side([SPECS[name] for name in NAMES], work)
    assert found["pulumi-resource-alicloud"].name == "pulumi-resource-alicloud after the CLI"


def test_a_failure_ends_the_build_beside_it_and_starts_no_other(
    cache: Path, go: Path, fake: FakeTool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    fake("go", GO.replace("build)", f'build)\n\tcase "$*" in *etcd*) ;; *) echo $$ > {started}; exec sleep 60 ;; esac\n\t'
                                    f"while [ ! -s {started} ]; do sleep 0.05; done; echo broken >&2; exit 1"))  # fmt: skip
    begun = time.monotonic()
    with pytest.raises(ToolchainError, match="etcd"):
        ensure(["etcd", "kube-apiserver", "kube-scheduler"], lambda line: None)
    assert time.monotonic() - begun < 30
    pid = started.read_text().strip()
    assert subprocess.run(["/bin/kill", "-0", pid], capture_output=True).returncode != 0, "the other build still runs"
    assert [entry.name for entry in (cache / "bin").glob("kube-*/*")] == [".lock"]
