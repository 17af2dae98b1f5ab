"""Settings that must not pass are refused by an offline preview, with the real CLI and before
anything is planned; what the CLI writes when a printed remedy is followed is taken by it.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
from typing import Any

import pytest
import yaml

from ops.offline import run
from ops.offline.workspace import Workspace
from settings.core import stack_file
from settings.core.problem import set_command
from tests.unit.cli_config import follow

PROJECT = "elastic-inference"
TYPE = "ecs.gn8is-2x.8xlarge"
LONG = "s" * 47


def source(directory: pathlib.Path, stack: str, changes: dict[str, Any]) -> pathlib.Path:
    """The checkout with one more stack, which is `dev` with changes by full key: merged into a
    group, None removes a key.
    """
    tree = directory / "source"
    tree.mkdir()
    for entry in run.ROOT.iterdir():
        if entry.name != ".git":
            (tree / entry.name).symlink_to(entry)
    config = dict(stack_file.read(run.ROOT, "dev").config)
    for key, value in changes.items():
        config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
    for value in config.values():
        for inner in (
            [name for name in value if value[name] is None] if isinstance(value, dict) else ()
        ):
            del value[inner]
    (tree / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump({"config": config}))
    return tree


def test_a_preview_refuses_at_once_what_would_fail_after_it_was_paid_for(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {
        "elastic_inference:headroom": {"nodes": 1},
        "server:image": "x",
        f"{PROJECT}:namespace": "kube-system",
        f"{PROJECT}:tags": {"Aliyun-team": "x", "k" * 65: "x"},
        f"{PROJECT}:model": {"name": "bert-"},
        f"{PROJECT}:server": {"image": "nvcr.io/nvidia/tritonserver:23.10-py3", "memory": "64Gi"},
        f"{PROJECT}:nodePool": {
            "instanceTypes": ["ecs.gn6i-c4g1.xlarge", "ecs.gn6i-c5g1.xlarge"],
            "gpuSchedule": "share",
        },
        f"{PROJECT}:entry": {"kind": "alb", "bodyMib": 16, "sourceCidrs": ["999.0.0.0/8"]},
    }
    # A region that does not exist is not among them: there the provider itself ends the preview
    # before the program runs, and tests/unit has the message of `make check`, which comes first.
    monkeypatch.setattr(run, "ROOT", source(tmp_path, LONG, wrong))
    found = run.preview(LONG)
    said = found.document + found.log
    assert found.code != 0
    for field in (
        "stack is", "elastic_inference:headroom is", "server:image is", "namespace is", "tags.Aliyun-team is",
        f"tags.{'k' * 65} is", "model.name is", "server.image is", "server.memory is", "nodePool.instanceTypes[1] is",
        "nodePool.gpuSchedule is", "entry.bodyMib is", "entry.sourceCidrs[0] is",
    ):  # fmt: skip
        assert field in said, f"{field} is not named in {said}"
    assert "Traceback" not in said
    planned = json.loads(found.document).get("steps") or []
    assert {step["newState"]["type"] for step in planned} <= {"pulumi:pulumi:Stack"}


def test_what_the_cli_writes_when_a_remedy_is_followed_can_be_previewed(
    tmp_path: pathlib.Path,
) -> None:
    stack = "gov"
    right = {
        "alicloud:region": "cn-north-2-gov-1",
        "ossmodel:region": "cn-north-2-gov-1",
        f"{PROJECT}:modelStore": {"redundancy": None},
        f"{PROJECT}:server": {"gpus": 2},
        f"{PROJECT}:nodePool": {"instanceTypes": [TYPE]},
    }
    commands = [
        set_command("nodeScaler.utilizationThreshold", "0.4"),
        set_command("autoscaler.scaleUpTolerance", "0.05"),
        set_command("nodePool.driverVersion", "550.144.03"),
        set_command("nodePool.taint.value", "true"),
        set_command("nodePool.spotStrategy", "SpotWithPriceLimit"),
        set_command(f'nodePool.spotPriceLimits["{TYPE}"]', "9.5"),
        set_command("nodePool.securityGroupIds[0]", "sg-uf6abc"),
        set_command("server.cpu", "3"),
        set_command("model.volumeOptions", "'-o close_to_open=false'"),
    ]
    work = Workspace(tmp_path, stack)
    work.lay_plugins()
    program = work.lay_tree(source(tmp_path, stack, right), "head")
    expected = stack_file.read(program, stack).values()
    for command in commands:
        follow(command, expected)
    done = subprocess.run(
        ["sh", "-ec", "\n".join(commands)],
        cwd=program,
        env=work._environment(program),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    written = stack_file.read(program, stack).values()
    assert {key: json.loads(text) for key, text in written.items() if text.startswith("{")} == {
        key: json.loads(text) for key, text in expected.items() if text.startswith("{")
    }, "tests/unit/cli_config.py does not do what the CLI does"
    preview = work.pulumi(program, *run.PREVIEW, "--stack", stack)
    assert preview.returncode == 0, preview.stdout[-3000:] + preview.stderr
    planned = [step["newState"] for step in json.loads(preview.stdout)["steps"]]

    def inputs(kind: str) -> dict[str, Any]:
        return next(one["inputs"] for one in planned if one["type"].endswith(kind))

    pool = inputs("cs/nodePool:NodePool")
    assert pool["spotInstancePools"] == 1
    assert pool["spotPriceLimits"][0]["priceLimit"] == "9.5"
    assert inputs("oss/bucket:Bucket").get("redundancyType") == "LRS"
    server = next(one["inputs"] for one in planned if one["urn"].endswith("::server-deployment"))[
        "spec"
    ]["template"]["spec"]
    assert server["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert server["containers"][0]["resources"]["requests"]["cpu"] == "3"
