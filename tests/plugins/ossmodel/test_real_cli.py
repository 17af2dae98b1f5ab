"""The plugin under the real Pulumi CLI, registered by path as in this project's Pulumi.yaml,
against the cloud double.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import oss2
import pytest

from lab import toolchain
from lab.inside import without_logs
from tests.plugins.ossmodel import savedmodels
from tests.plugins.ossmodel.cloud import Cloud
from tests.plugins.ossmodel.process import HOOKS, PLUGIN, ROOT
from tests.plugins.ossmodel.test_lifecycle import MIB, PATH, keys, puts

PROGRAM = """
import pulumi
from components.storage.ossmodel import Model
config = pulumi.Config()
model = Model({name!r}, bucket=config.require("bucket"), prefix="models/tensorflow", source={source!r}, part_size_mib=1,
              opts=pulumi.ResourceOptions({options}))
pulumi.export("digest", model.digest)
pulumi.export("path", model.path)
pulumi.export("files", model.file_count)
"""
URN = "urn:pulumi:dev::ossmodel-test::ossmodel:index:Model::model"


@dataclass
class Stack:
    """One project with its own state and a bucket of its own."""

    directory: Path
    environment: dict[str, str]
    cli: str

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        return [self.cli, *arguments, "--non-interactive", "--color", "never"]

    def run(self, *arguments: str, expect: int = 0) -> str:
        """All that the CLI printed; checks how it ended."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=1500,
            check=False,
        )
        assert done.returncode == expect, (
            f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout + done.stderr

    def up(self, *arguments: str, expect: int = 0) -> str:
        """`pulumi up` without a preview."""
        return self.run("up", "--yes", "--skip-preview", *arguments, expect=expect)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The CLI in the background."""
        log = open(self.directory / "background.log", "w")  # noqa: SIM115 (kept for the message of a failure)
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.directory,
            env=self.environment,
            stdout=log,
            stderr=log,
            text=True,
        )

    def outputs(self) -> dict:
        """The stack's outputs."""
        return json.loads(self.run("stack", "output", "--json"))

    def program(self, source: str = "1623831335", name: str = "model", options: str = "") -> None:
        """Write the program."""
        (self.directory / "__main__.py").write_text(
            PROGRAM.format(source=source, name=name, options=options)
        )


@pytest.fixture
def stack(cloud: Cloud, tmp_path: Path, bucket: oss2.Bucket) -> Iterator[Stack]:
    """A stack whose program has one model."""
    tools = toolchain.ensure(["pulumi", "pulumi-language-python"])
    for part in ("home", "state"):
        (tmp_path / part).mkdir()
    without_logs(tmp_path / "home")
    places = [
        str(tools["pulumi-language-python"].path.parent),
        str(Path(sys.executable).parent),
        os.environ["PATH"],
    ]
    environment = {
        **cloud.environment,
        "PATH": os.pathsep.join(places),
        "HOME": str(tmp_path),
        "EI_CACHE": str(tmp_path / "cache"),
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_PYTHON_CMD": sys.executable,
        "PYTHONPATH": f"{HOOKS}{os.pathsep}{ROOT}",
        "OSSMODEL_RETRY_WAIT": "0.02",
    }
    (tmp_path / "Pulumi.yaml").write_text(
        f"name: ossmodel-test\nruntime:\n  name: python\n  options:\n    virtualenv: {sys.prefix}\n"
        f"plugins:\n  providers:\n    - name: ossmodel\n      path: {PLUGIN.parent}\n"
    )
    savedmodels.make(tmp_path)
    made = Stack(tmp_path, environment, str(tools["pulumi"].path))
    made.program()
    made.run("stack", "init", "dev")
    made.run("config", "set", "bucket", bucket.bucket_name)
    yield made


def test_up_no_op_change_and_destroy(stack: Stack, bucket: oss2.Bucket, cloud: Cloud) -> None:
    preview = stack.run("preview", "--diff")
    assert "digest" in preview and keys(bucket) == []
    stack.up()
    assert stack.outputs()["path"] == PATH and stack.outputs()["files"] == 3
    before = len(cloud.calls(bucket.bucket_name))
    stack.up("--expect-no-changes")
    assert len(cloud.calls(bucket.bucket_name)) == before
    stack.up("--refresh", "--expect-no-changes")
    digest = stack.outputs()["digest"]
    (stack.directory / "1623831335/saved_model.pb").write_bytes(savedmodels.GRAPH * 2)
    shown = stack.run("preview", "--diff")
    assert "variant" in shown and "sha256-" in shown, shown
    assert "1 replaced" in stack.up()
    assert stack.outputs()["digest"] != digest
    path = stack.outputs()["path"]
    assert path != PATH and bucket.get_object(f"{path}/saved_model.pb").read() == (
        savedmodels.GRAPH * 2
    )
    assert len(keys(bucket)) == 4, "the old content goes last"
    stack.up("--refresh", "--expect-no-changes")
    stack.run("destroy", "--yes", "--skip-preview")
    bucket.delete_bucket()


def test_a_new_version_is_there_before_the_old_one_goes(
    stack: Stack, bucket: oss2.Bucket, cloud: Cloud
) -> None:
    stack.up()
    savedmodels.make(stack.directory, "1700000000")
    stack.program("1700000000")
    seen = len(cloud.calls(bucket.bucket_name))
    assert "1 replaced" in stack.up()
    methods = [(call["method"], call["call"]) for call in cloud.calls(bucket.bucket_name)[seen:]]
    last_put = max(index for index, call in enumerate(methods) if call[0] == "PUT")
    first_delete = min(index for index, call in enumerate(methods) if call[1].startswith("Delete"))
    assert last_put < first_delete
    assert [key for key in keys(bucket) if "1623831335" in key] == [] and len(keys(bucket)) == 4


def test_drift_is_repaired_by_up_with_refresh(stack: Stack, bucket: oss2.Bucket) -> None:
    stack.up()
    bucket.delete_object(f"{PATH}/saved_model.pb")
    bucket.put_object(f"{PATH}/variables/extra", b"x")
    stack.up("--refresh")
    assert f"{PATH}/saved_model.pb" in keys(bucket)
    assert f"{PATH}/variables/extra" in keys(bucket), "it is not ours"
    for key in keys(bucket):
        bucket.delete_object(key)
    stack.up("--refresh")
    assert len(keys(bucket)) == 4
    stack.up("--refresh", "--expect-no-changes")


def test_a_renamed_resource_keeps_the_model(stack: Stack, bucket: oss2.Bucket) -> None:
    stack.up()
    stack.program(name="renamed")
    assert "another resource uploaded" in stack.up(expect=1)
    assert len(keys(bucket)) == 4
    stack.program(name="renamed", options="aliases=[pulumi.Alias(name='model')]")
    stack.up("--expect-no-changes")
    assert len(keys(bucket)) == 4


def test_a_model_is_imported_by_the_program_and_by_command(
    stack: Stack, bucket: oss2.Bucket
) -> None:
    stack.up()
    for key in (key for key in keys(bucket) if ".ossmodel" in key):
        bucket.delete_object(key)
    stack.run("state", "delete", URN, "--yes")
    model_id = f"oss://{bucket.bucket_name}/{PATH}"
    stack.program(options=f"import_={model_id!r}")
    assert "1 imported" in stack.up()
    stack.program()
    stack.up("--refresh")
    stack.run("state", "delete", URN, "--yes")
    stack.run(
        "import",
        "ossmodel:index:Model",
        "model",
        model_id,
        "--yes",
        "--skip-preview",
        "--protect=false",
        "--generate-code=false",
    )
    stack.up("--expect-no-changes")


def test_bad_inputs_are_told_together_and_without_the_plugins_own_stack(stack: Stack) -> None:
    stack.run("config", "set", "bucket", "Not_A_Bucket")
    stack.program("missing/latest")
    told = stack.run("preview", expect=1)
    assert "bucket is 'Not_A_Bucket'" in told and "source is 'missing/latest'" in told
    assert "providers/ossmodel" not in told  # no stack frame of the plugin


def test_a_failed_create_is_taken_up_again_and_a_failed_one_can_be_destroyed(
    stack: Stack, bucket: oss2.Bucket, cloud: Cloud
) -> None:
    savedmodels.make(stack.directory, shard=savedmodels.noise(8 * MIB))
    denied = {"host": bucket.bucket_name, "path": "partNumber"}
    cloud.fault(
        match=denied, skip=5, times=1000, status=403, code="AccessDenied", message="not now"
    )
    assert "oss:PutObject" in stack.up(expect=1)
    stack.run("destroy", "--yes", "--skip-preview")
    assert keys(bucket) == [] and bucket.list_multipart_uploads().upload_list == []
    cloud.control("DELETE", "/_lab/faults")
    cloud.fault(
        match=denied, skip=5, times=1000, status=403, code="AccessDenied", message="not now"
    )
    stack.up(expect=1)
    cloud.control("DELETE", "/_lab/faults")
    before = len(puts(cloud, bucket))
    stack.up()
    assert len([key for key in puts(cloud, bucket)[before:] if "data-00000" in key]) <= 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["interrupt", "kill"])
def test_an_interrupted_up_goes_on_where_it_was(
    stack: Stack, bucket: oss2.Bucket, cloud: Cloud, number: signal.Signals
) -> None:
    data = savedmodels.noise(8 * MIB)
    savedmodels.make(stack.directory, shard=data)
    cloud.fault(
        match={"host": bucket.bucket_name, "path": "partNumber=[6-8]"},
        times=100,
        kind="delay",
        seconds=3600,
    )
    running = stack.start("up", "--yes", "--skip-preview")
    deadline = time.monotonic() + 1500
    while len([key for key in puts(cloud, bucket) if "data-00000" in key]) < 5:
        assert time.monotonic() < deadline and running.poll() is None, (
            stack.directory / "background.log"
        ).read_text()
        time.sleep(0.1)
    running.send_signal(number)
    running.wait(1500)  # the parts under way would take an hour
    cloud.control("DELETE", "/_lab/faults")
    if number == signal.SIGKILL:
        stack.run("cancel", "--yes", "dev")
    before = len(puts(cloud, bucket))
    stack.up()
    assert len([key for key in puts(cloud, bucket)[before:] if "data-00000" in key]) <= 4
    assert bucket.get_object(f"{PATH}/variables/variables.data-00000-of-00001").read() == data
    stack.run("destroy", "--yes", "--skip-preview")
    bucket.delete_bucket()


def test_the_state_holds_no_key_and_the_provider_needs_none_in_the_program(
    stack: Stack, cloud: Cloud
) -> None:
    stack.run("config", "set", "--secret", "ossmodel:secretKey", cloud.keys["secret_key"])
    stack.run("config", "set", "--secret", "ossmodel:accessKey", cloud.keys["access_key"])
    stack.run("config", "set", "ossmodel:region", "cn-shanghai")
    for name in ("ALICLOUD_ACCESS_KEY", "ALICLOUD_SECRET_KEY", "ALICLOUD_REGION"):
        del stack.environment[name]
    stack.up()
    exported = stack.run("stack", "export")
    assert cloud.keys["secret_key"] not in exported and cloud.keys["access_key"] not in exported
    assert uuid.UUID(json.loads(exported)["deployment"]["resources"][2]["outputs"]["owner"])
    stack.run("refresh", "--yes", "--skip-preview", "--expect-no-changes")
