"""The kubernetes plugin in the lab is the published provider's own package, and nothing of the
stand-in for it is left.
"""

from __future__ import annotations

import re
import subprocess

from lab.testing.figures import figure
from lab.toolchain.specs import SPECS
from ops.engine.cli import ROOT
from ops.lab import TOOLS

MODULE = "github.com/pulumi/pulumi-kubernetes/provider/v4"
GONE = ("lab/kubernetes_plugin", "lab/tests/kubernetes_plugin", "tests/plugins/kubernetes")
STATED = "stand-in deleted: 9,538 lines of 64 files (commit eed2c20)"


def test_nothing_of_the_stand_in_is_left() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert not [name for name in listed if name.startswith(GONE)]
    texts = [
        name
        for name in listed
        if name.endswith((".py", ".md", ".yaml", ".toml"))
        and not name.endswith("test_r1_published_plugin.py")
    ]
    assert not [
        name for name in texts if re.search(r"lab[./]kubernetes_plugin", (ROOT / name).read_text())
    ]
    figure(STATED)


def test_the_plugin_is_built_from_the_published_module() -> None:
    assert "pulumi-resource-kubernetes" in TOOLS
    module = SPECS["pulumi-resource-kubernetes"].module
    assert module is not None
    required = (module.directory / "go.mod").read_text()
    assert re.search(rf"require {re.escape(MODULE)} v", required)
    assert not re.search(rf"replace {re.escape(MODULE)} ", required), "it is the module's own code"
