"""The control API, restarts, scenarios: faults, recorded calls, what is left, stock that runs
out.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aliyunsdkcore.acs_exception.exceptions import ClientException, ServerException

from lab.alicloud.scenario import ScenarioError, load
from lab.testing import clients
from lab.testing.cloud import CLUSTER, ROOT, CloudDouble, new_lab, wait_for
from lab.testing.node_pools import BASE, create, running, wanted


def test_calls_are_recorded_with_their_answers_and_without_secrets(lab: CloudDouble) -> None:
    before = lab.last_call()
    clients.roa(lab, "GET", f"{BASE}")
    clients.ram(lab, "CreateUser", UserName="recorded")
    key = clients.ram(lab, "CreateAccessKey", UserName="recorded")["AccessKey"]
    own = clients.bucket(lab, "recorded")
    own.create_bucket()
    own.put_object("m/x", b"12345")
    pools, user, made, put, written = lab.ask(f"calls?since={before}")["calls"]
    assert (pools["method"], pools["path"], pools["auth_scheme"], pools["status"]) == (
        "GET",
        BASE,
        "acs",
        200,
    )
    assert (user["query"]["Action"], user["call"], user["service"]) == (
        "CreateUser",
        "CreateUser",
        "ram",
    )
    assert (
        key["AccessKeySecret"] not in str(made)
        and made["response_body"]["AccessKey"]["AccessKeySecret"] == "<secret>"
    )
    assert (
        put["host"] == "recorded.oss-cn-shanghai.aliyuncs.com"
        and put["auth_scheme"] == "OSS4-HMAC-SHA256"
    )
    assert (written["path"], written["body"], written["call"]) == (
        "/m%2Fx",
        "(5 bytes)",
        "PutObject",
    )
    assert lab.own["secret_key"] not in str(lab.ask("calls?since=0"))


@pytest.mark.parametrize("kind", ["reset", "timeout", "answered-but-lost"])
def test_faults_cut_the_connection_and_only_one_of_them_after_the_work_is_done(
    lab: CloudDouble, kind: str
) -> None:
    lab.ask(
        "faults",
        {"match": {"service": "ram", "action": "CreateUser"}, "kind": kind, "seconds": 0.1},
    )
    with pytest.raises(ClientException):
        clients.ram(lab, "CreateUser", UserName=f"cut-{kind}")
    names = [u["UserName"] for u in clients.ram(lab, "ListUsers")["Users"]["User"]]
    assert (f"cut-{kind}" in names) == (kind == "answered-but-lost")
    clients.ram(lab, "DeleteUser", UserName=f"cut-{kind}") if f"cut-{kind}" in names else None


def test_an_error_fault_is_used_up_after_its_times_and_looks_like_the_services_own(
    lab: CloudDouble,
) -> None:
    fault = {
        "match": {"service": "cs", "method": "GET", "path": "/nodepools$"},
        "times": 2,
        "status": 429,
        "code": "Throttling.User",
        "message": "slow down",
    }
    lab.ask("faults", fault)
    for _ in range(2):
        with pytest.raises(ServerException) as caught:
            clients.roa(lab, "GET", BASE)
        assert caught.value.http_status == 429 and "Throttling.User" in str(
            lab.ask("calls?since=0")["calls"][-1]["response_body"]
        )
    assert clients.roa(lab, "GET", BASE)["nodepools"]


def test_a_delay_fault_only_delays(lab: CloudDouble) -> None:
    lab.ask("faults", {"match": {"service": "sts"}, "kind": "delay", "seconds": 0.4})
    start = time.monotonic()
    assert clients.rpc(lab, "sts.cn-shanghai.aliyuncs.com", "2015-04-01", "GetCallerIdentity")[
        "AccountId"
    ]
    assert time.monotonic() - start >= 0.4


def test_a_fault_that_can_not_be_understood_is_refused(lab: CloudDouble) -> None:
    for wrong in ({"kind": "explode"}, {"match": {"servise": "cs"}}, {"match": {"path": "("}}):
        with pytest.raises(Exception, match="400"):
            lab.ask("faults", wrong)
    assert lab.ask("faults")["faults"] == []


def test_what_is_left_is_compared_with_the_fresh_lab(lab: CloudDouble) -> None:
    own = clients.bucket(lab, "left-over")
    own.create_bucket()
    own.put_object("a", b"x")
    found = lab.ask("resources")
    assert (
        "left-over" in found["extra"]["bucket"]
        and "left-over/a?versionId=null" in found["extra"]["object_version"]
    )
    assert found["missing"] == {} and found["resources"]["cluster"][0] == CLUSTER
    lab.ask("reset", {})
    assert lab.ask("resources")["extra"] == {} and lab.ask("resources")["missing"] == {}


def test_a_kubeconfig_without_certificates_is_an_error_never_an_empty_answer(
    lab: CloudDouble,
) -> None:
    path = lab.home / "kubeconfig"
    for text in (None, "", "apiVersion: v1\nusers: []\n"):
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)
        with pytest.raises(ServerException) as caught:
            clients.roa(lab, "GET", f"/k8s/{CLUSTER}/user_config", PrivateIpAddress="false")
        assert caught.value.http_status == 400
    good = "\n".join(
        f"{n}: eA=="
        for n in ("certificate-authority-data", "client-certificate-data", "client-key-data")
    )
    path.write_text(good)
    assert (
        clients.roa(lab, "GET", f"/k8s/{CLUSTER}/user_config", PrivateIpAddress="false")["config"]
        == good
    )


def test_another_cluster_can_be_ordered_and_deleted(lab: CloudDouble) -> None:
    body = {
        "name": "second",
        "cluster_type": "ManagedKubernetes",
        "region_id": "cn-shanghai",
        "vpcid": "vpc-lab",
        "vswitch_ids": ["vsw-labe"],
    }
    answer = clients.roa(
        lab, "POST", "/clusters", {**body, "enable_rrsa": True, "deletion_protection": True}
    )
    cluster = answer["cluster_id"]
    assert clients.roa(lab, "GET", f"/clusters/{cluster}")["state"] == "initial"
    wait_for(lambda: clients.roa(lab, "GET", f"/clusters/{cluster}")["state"] == "running")
    read = clients.roa(lab, "GET", f"/clusters/{cluster}")
    assert (
        "auto_mode" not in read and "timezone" not in read and read["deletion_protection"] is True
    )
    with pytest.raises(ServerException, match="ErrorDeletionProtection"):
        clients.roa(lab, "DELETE", f"/clusters/{cluster}")
    clients.roa(lab, "PUT", f"/api/v2/clusters/{cluster}", {"deletion_protection": False})
    wait_for(lambda: clients.roa(lab, "GET", f"/clusters/{cluster}")["state"] == "running")
    clients.roa(lab, "DELETE", f"/clusters/{cluster}")

    def gone() -> bool:
        return cluster not in [c["cluster_id"] for c in clients.roa(lab, "GET", "/clusters")]

    wait_for(gone)
    left = lab.ask("resources")
    assert left["missing"] == {} and left["extra"].get("oidc_provider") is None


def _own_lab(
    home: Path, monkeypatch: pytest.MonkeyPatch, scenario: str = "", clock: float = 20.0
) -> CloudDouble:
    if scenario:
        (home / "scenario.yaml").write_text(scenario)
    own = new_lab(home, clock)
    own.start()
    resolve = socket.getaddrinfo

    def there(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        if isinstance(host, str) and host.endswith(".aliyuncs.com"):
            return resolve("127.0.0.1", own.https, *rest, **options)
        return resolve(host, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", there)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", own.ca)
    return own


def test_a_killed_region_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = _own_lab(tmp_path, monkeypatch, "delays: {instance_starting: 30, task: 60}")
    try:
        made = clients.roa(own, "POST", BASE, wanted("restart", low=1))
        pool, task = made["nodepool_id"], f"/tasks/{made['task_id']}"
        assert clients.roa(own, "GET", task)["state"] == "running"
        clients.bucket(own, "kept").create_bucket()
        clients.bucket(own, "kept").put_object("k", b"still here")
        wait_for(lambda: [i["status"] for i in own.instances(pool)] == ["Starting"])
        own.stop(kill=True)
        own.start()
        assert [i["status"] for i in running(own, pool, 1)] == ["Running"]
        assert clients.bucket(own, "kept").get_object("k").read() == b"still here"
        assert clients.roa(own, "GET", f"{BASE}/{pool}")["nodepool_info"]["name"] == "restart"
        wait_for(lambda: clients.roa(own, "GET", task)["state"] == "success")
        assert own.ask("calls?since=0")["calls"][0]["call"] == "CreateClusterNodePool"
    finally:
        own.stop()


def test_stock_that_runs_out_is_supplemented_or_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = "rounding: floor\nstock:\n- {market: spot, count: 1}\n- {market: on_demand, instance_type: ecs.gn7i-c8g1.2xlarge, count: 2}\n"
    own = _own_lab(tmp_path, monkeypatch, scenario)
    try:
        pool = create(own, wanted("short", instance_types=["ecs.gn7i-c8g1.2xlarge"]))
        own.ask(f"nodepools/{pool}/scale", {"delta": 5})
        nodes = running(own, pool, 3)
        assert sorted(n["spot_strategy"] for n in nodes) == ["NoSpot", "NoSpot", "SpotAsPriceGo"]
        activity = own.ask("activities")["activities"][-1]
        assert (
            activity["StatusCode"] == "Warning"
            and "OperationDenied.NoStock" in activity["StatusMessage"]
        )
    finally:
        own.stop()


@pytest.mark.parametrize(
    "scenario, message",
    [
        ("rounding: up", "rounding: 'up': expected one of ceil, round, floor"),
        ("delay: {}", "delay: unknown; known are delays"),
        ("delays: {instance_startin: 1}", "did you mean delays.instance_starting?"),
        ("delays: {task: -1}", "delays.task: -1: expected seconds, 0 or more"),
        (
            "stock: [{market: spot}]",
            "stock[0]: expected market spot or on_demand and a whole number as count",
        ),
        ("- list", "expected a mapping"),
        ("a: [", "not YAML"),
    ],
)
def test_a_wrong_scenario_is_told_by_key_and_remedy(
    tmp_path: Path, scenario: str, message: str
) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(scenario)
    with pytest.raises(ScenarioError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ") and message in str(caught.value)


def test_a_wrong_scenario_stops_the_start_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text("rounding: up")
    command = [
        sys.executable,
        "-m",
        "lab.alicloud",
        "--home",
        str(tmp_path),
        "--https",
        "127.0.0.1:0",
        "--control",
        "127.0.0.1:0",
    ]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=1500, cwd=ROOT, check=False
    )
    assert (
        ended.returncode == 1
        and "expected one of ceil" in ended.stderr
        and "Traceback" not in ended.stderr
    )
