"""The benchmark's ratios hold. Not part of `make test`: a benchmark is not a test; `make prove
ITEM=A10` runs it.
"""

from __future__ import annotations

import json
import subprocess
import sys

from lab.testing.figures import figure
from tests.e2e.harness import ROOT


def test_preview_and_upload_keep_their_ratios() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops.bench", "--full", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    ratios = f"preview {figures['preview_ratio']:.2f}x, upload {figures['upload_ratio']:.2f}x"
    figure(f"{ratios}, no-op up {figures['noop_up_s']:.1f} s, warm up {figures['warm_up_s']:.1f} s")
    assert figures["preview_ratio"] <= 1.5
    assert figures["upload_ratio"] >= 0.95
