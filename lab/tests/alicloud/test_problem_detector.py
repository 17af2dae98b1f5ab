"""A cluster without ack-node-problem-detector: no node tells of a reclaim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.alicloud.auth.credentials import ensure_credentials
from lab.alicloud.clock import Clock
from lab.alicloud.seed import CLUSTER, seed
from lab.alicloud.services.cs.addons import DETECTOR, VERSIONS, detecting
from lab.alicloud.state import Region
from lab.kubelet.nodes import conditions
from lab.pki import ensure_service_account_keys
from lab.testing import clients
from lab.testing.cloud import CloudDouble


def test_a_scenario_has_a_cluster_without_the_detector(tmp_path: Path) -> None:
    ensure_credentials(tmp_path)
    ensure_service_account_keys(tmp_path)
    (tmp_path / "scenario.yaml").write_text(f"without_addons: [{DETECTOR}]\n")
    region = Region(tmp_path, Clock(1))
    seed(region)
    assert detecting(region) == set()
    assert {addon["name"] for addon in region.store.all("addon", cluster_id=CLUSTER)} >= {
        "csi-plugin",
        "loongcollector",
    }
    region.store.close()


def own(lab: CloudDouble) -> list[dict[str, Any]]:
    """The cluster's instances, as the node agent sees them."""
    return [one for one in lab.ask("instances")["instances"] if one["cluster_id"] == CLUSTER]


def test_the_node_agent_learns_at_once_that_the_detector_is_gone_and_sets_no_condition(
    without_detector: CloudDouble,
) -> None:
    found = own(without_detector)
    assert found and not any(one["problem_detector"] for one in found)
    for one in found:
        told = conditions({**one, "lock_reason": "Recycling"})
        assert "InstanceExpired" not in {condition["type"] for condition in told}


def test_a_change_of_the_detector_answers_the_agent_s_long_poll(lab: CloudDouble) -> None:
    before = lab.ask("instances")["rev"]
    clients.roa(lab, "POST", f"/clusters/{CLUSTER}/components/uninstall", [{"name": DETECTOR}])
    gone = lab.ask(f"instances?since={before}&wait=30")
    clients.roa(
        lab,
        "POST",
        f"/clusters/{CLUSTER}/components/install",
        [{"name": DETECTOR, "version": VERSIONS[DETECTOR]}],
    )
    again = lab.ask(f"instances?since={gone['rev']}&wait=30")
    assert before < gone["rev"] < again["rev"]
    assert all(
        one["problem_detector"] for one in again["instances"] if one["cluster_id"] == CLUSTER
    )
