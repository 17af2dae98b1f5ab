"""What an up waits for and does not get: told, kept in the state with its errors, and healed by the
same command.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.harness import STACK, Lab

MISSING = "tensorflow/serving:2.15.0"
"""A tag that no registry has: 2.15.1 was the first of its line."""


@pytest.fixture
def wrong_image(deployed: Lab) -> Iterator[Lab]:
    """A stack whose next pods can't get their image; whatever the test left is in order again
    afterwards.
    """
    before = deployed.kubectl(
        "get", "deployments", "-n", "inference", "-l", "app=tensorflow-serving"
    )["items"][0]["metadata"]["uid"]
    deployed.config("server.image", MISSING)
    yield deployed
    deployed.config("server.readySeconds", "600")
    deployed.pulumi("config", "rm", "--stack", STACK, "--path", "server.image")
    again = deployed.python("ops.up")
    assert again.returncode == 0, again.stdout + again.stderr
    healed = serving(deployed)
    assert not healed.get("initErrors") and healed["outputs"]["metadata"]["uid"] == before, (
        "healed, not replaced"
    )
    deployed.up("--expect-no-changes")


def serving(lab: Lab) -> dict:
    """The Deployment in the state."""
    (resource,) = [one for one in lab.state() if one["urn"].endswith("::server-deployment")]
    return resource


def test_pods_that_do_not_get_ready_are_told_with_their_reason_while_the_old_ones_go_on_answering(
    wrong_image: Lab,
) -> None:
    wrong_image.config("server.readySeconds", "30")
    failed = wrong_image.python("ops.up")
    told = failed.stdout + failed.stderr
    assert failed.returncode != 0 and "timed out waiting to be Ready" in told, told
    assert MISSING in told and "ImagePull" in told, told
    kept = serving(wrong_image)
    assert kept["initErrors"] and kept["id"].startswith("inference/")
    assert wrong_image.http("/v1/models/chnsenticorp").status_code == 200
