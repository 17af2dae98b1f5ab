"""The Go tests of our OSS gateway package."""

import os
import subprocess
from pathlib import Path

from lab.toolchain.cache import BUILD_ENVIRONMENT
from lab.toolchain.golang import require_go

_GATEWAY = Path(__file__).resolve().parents[2] / "toolchain" / "alicloud" / "ossgateway"


def test_the_go_tests_of_the_oss_gateway_pass() -> None:
    go = require_go("the OSS gateway's tests")
    done = subprocess.run(
        [go.command, "test", "-v", "./..."],
        cwd=_GATEWAY,
        env={**os.environ, **BUILD_ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("--- PASS") >= 10
