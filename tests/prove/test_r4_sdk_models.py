"""The models that judge the cloud double are what the official SDK packages say, all of them:
fetched anew, and read again.

Not in `make test`: it installs 45 MB of packages.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from lab.alicloud import api_models, sdk_models
from lab.testing.figures import figure


def test_the_data_file_is_what_all_the_packages_say(tmp_path: Path) -> None:
    wanted = [f"{name}=={version}" for name, version in sdk_models.PACKAGES.values()]
    command = [
        str(Path(sys.executable).with_name("uv")),
        "pip",
        "install",
        "-q",
        "--python",
        sys.executable,
        "--no-deps",
    ]
    subprocess.run([*command, "--target", str(tmp_path), *wanted], check=True, timeout=600)
    found, written = sdk_models.extract(tmp_path), json.loads(api_models.FILE.read_text())
    assert (
        found.keys()
        == written.keys()
        == {f"{service}:{action}" for service, action in sdk_models.actions()}
    )
    assert [key for key, model in found.items() if model != written[key]] == []
    figure(
        f"{len(found)} actions read again from {len(wanted)} packages: all as in sdk_models.json"
    )
