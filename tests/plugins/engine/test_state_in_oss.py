"""Pulumi's state in an OSS bucket, through OSS's S3-compatible hosts: what the CLI's own S3 client
can do there, against the cloud double.

3.255.0 could only read there: it sent every upload as aws-chunked with a checksum behind it,
whatever it was told, and OSS refuses that (gocloud.dev 0.46.0, google/go-cloud#3735). The engine
that is pinned now writes too.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.plugins.engine.region import Region

BUCKET = "engine-state"
BARE = f"s3://{BUCKET}?region=cn-shanghai&endpoint=https://s3.oss-cn-shanghai.aliyuncs.com"
URL = (
    f"{BARE}&request_checksum_calculation=when_required&response_checksum_validation=when_required"
)
PROGRAM = "import pulumi\npulumi.Stash('kept', input=pulumi.Output.secret('hunter2'))\n"
COPY = f"""
import os, pathlib, urllib.parse, oss2
keys = oss2.AuthV4(os.environ["ALICLOUD_ACCESS_KEY"], os.environ["ALICLOUD_SECRET_KEY"])
bucket = oss2.Bucket(keys, "https://oss-cn-shanghai.aliyuncs.com", "{BUCKET}", region="cn-shanghai")
bucket.create_bucket()
root = pathlib.Path(urllib.parse.urlsplit(os.environ["PULUMI_BACKEND_URL"]).path)
for path in root.rglob("*"):
    if path.is_file():
        bucket.put_object(str(path.relative_to(root)), path.read_bytes())
"""
KEYS = 'export AWS_ACCESS_KEY_ID="$ALICLOUD_ACCESS_KEY" AWS_SECRET_ACCESS_KEY="$ALICLOUD_SECRET_KEY" PULUMI_BACKEND_URL'


def pulumi(
    region: Region, *words: str, url: str = URL, more: str = ""
) -> subprocess.CompletedProcess[str]:
    """The CLI with its state in the bucket; `more` are variables."""
    command = f'{KEYS}="{url}" {more}; exec pulumi "$@" --non-interactive --color never'
    return region.lab.run("sh", "-c", command, "pulumi", *words, check=False, timeout=1500)


@pytest.fixture(scope="module")
def stored(region: Region) -> Region:
    """A region with a bucket in which the state of a stack lies, put there as files."""
    region.program(PROGRAM)
    region.pulumi("stack", "init", "kept")
    region.up()
    region.lab.run("python", "-c", COPY)
    return region


def test_a_state_in_the_bucket_is_read(stored: Region) -> None:
    listed = pulumi(stored, "stack", "ls", "--all", "--json")
    assert listed.returncode == 0 and [one["name"] for one in json.loads(listed.stdout)] == [
        "kept"
    ], listed.stderr
    exported = pulumi(stored, "stack", "export", "--stack", "kept")
    assert exported.returncode == 0, exported.stderr
    assert json.loads(exported.stdout) == json.loads(
        stored.lab.run("pulumi", "stack", "export", "--stack", "kept").stdout
    )
    assert "hunter2" not in exported.stdout


def test_a_wrong_key_is_refused(stored: Region) -> None:
    done = pulumi(stored, "stack", "ls", more="AWS_SECRET_ACCESS_KEY=wrong")
    assert done.returncode != 0 and "SignatureDoesNotMatch" in done.stderr


def test_a_path_instead_of_a_host_for_the_bucket_is_refused(stored: Region) -> None:
    done = pulumi(stored, "stack", "ls", url=f"{URL}&s3ForcePathStyle=true")
    assert done.returncode != 0 and "SecondLevelDomainForbidden" in done.stderr


@pytest.mark.parametrize("url", [BARE, URL])
def test_a_stack_lives_in_the_bucket(stored: Region, url: str) -> None:
    name = "lives-plainly" if url == BARE else "lives"
    quick = ("--yes", "--skip-preview", "--stack")
    for words in (
        ["stack", "init", name],
        ["up", *quick, name],
        ["up", "--expect-no-changes", *quick, name],
    ):
        done = pulumi(stored, *words, url=url)
        assert done.returncode == 0, done.stdout + done.stderr
    exported = pulumi(stored, "stack", "export", "--stack", name, url=url)
    kinds = [one["type"] for one in json.loads(exported.stdout)["deployment"]["resources"]]
    assert "pulumi:index:Stash" in kinds and "hunter2" not in exported.stdout
    for words in (["destroy", *quick, name], ["stack", "rm", "--yes", name]):
        done = pulumi(stored, *words, url=url)
        assert done.returncode == 0, done.stdout + done.stderr
    listed = pulumi(stored, "stack", "ls", "--all", "--json", url=url)
    assert [one["name"] for one in json.loads(listed.stdout)] == ["kept"]
