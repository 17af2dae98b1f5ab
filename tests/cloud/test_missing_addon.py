"""A cluster without ack-node-problem-detector: the user is told before a reclaim goes unnoticed."""

from __future__ import annotations

from types import SimpleNamespace

from lab.alicloud.seed import CLUSTER
from lab.alicloud.services.cs.addons import DETECTOR
from lab.testing import clients
from lab.testing.cloud import CloudDouble
from ops.cloud.client import Cloud
from ops.cloud.credentials import Credentials
from ops.prerequisites import addons

SETTINGS = SimpleNamespace(cluster=SimpleNamespace(id=CLUSTER), entry=SimpleNamespace(kind="nginx"))


def test_make_doctor_tells_that_the_detector_is_missing_what_for_and_what_to_do(
    without_detector: CloudDouble,
) -> None:
    cloud = Cloud("cn-shanghai", Credentials(*clients.keys(without_detector)))
    told = {finding.found: finding for finding in addons(SETTINGS, cloud, {})}
    missing = told[f"{DETECTOR} is not installed"]
    assert (
        not missing.good
        and "preemptible node is about to go" in missing.remedy
        and f"Install {DETECTOR}" in missing.remedy
    )
    assert [finding for finding in told.values() if not finding.good] == [missing]
