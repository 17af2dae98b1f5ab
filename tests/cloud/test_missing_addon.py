"""A cluster without ack-node-problem-detector: the user is told before a reclaim goes unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from lab.alicloud.seed import CLUSTER
from lab.alicloud.services.cs.addons import DETECTOR, VERSIONS
from lab.testing import clients
from lab.testing.cloud import CloudDouble
from ops.cloud.client import Cloud
from ops.cloud.credentials import Credentials
from ops.prerequisites import addons

SETTINGS = SimpleNamespace(cluster=SimpleNamespace(id=CLUSTER), entry=SimpleNamespace(kind="nginx"))


@pytest.fixture
def without(lab: CloudDouble) -> Iterator[CloudDouble]:
    """The cluster without the detector; it has it again afterwards."""
    clients.roa(lab, "POST", f"/clusters/{CLUSTER}/components/uninstall", [{"name": DETECTOR}])
    yield lab
    clients.roa(
        lab,
        "POST",
        f"/clusters/{CLUSTER}/components/install",
        [{"name": DETECTOR, "version": VERSIONS[DETECTOR]}],
    )


def test_make_doctor_tells_that_the_detector_is_missing_what_for_and_what_to_do(
    without: CloudDouble,
) -> None:
    cloud = Cloud("cn-shanghai", Credentials(*clients.keys(without)))
    told = {finding.found: finding for finding in addons(SETTINGS, cloud, {})}
    missing = told[f"{DETECTOR} is not installed"]
    assert (
        not missing.good
        and "preemptible node is about to go" in missing.remedy
        and f"Install {DETECTOR}" in missing.remedy
    )
    assert [finding for finding in told.values() if not finding.good] == [missing]
