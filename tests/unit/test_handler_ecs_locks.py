"""ECS' operation locks as notices: which instances count, since when, and what an outage means."""

import json
from typing import Any

import pytest

from interruption_handler import alarms, ecs_locks, loop
from interruption_handler.actions import SaveNote
from interruption_handler.config import Config
from interruption_handler.ecs_locks import CloudError, EcsLocks, Role
from interruption_handler.events import of_action
from interruption_handler.snapshot import node_of
from tests.unit.cluster_objects import NOW, config, node, pod, snapshot, steps
from tests.unit.program import ISSUER, PROVIDER_ARN, run
from tests.unit.test_handler_actions import Server
from tests.unit.test_handler_events import OBJECTS, act, changed

BLIND = {"detector_reports": False}


class Ecs(EcsLocks):
    """A source whose answers are given."""

    def __init__(self, *answers: Any) -> None:
        super().__init__("cn-shanghai", Role("r", "p", None), "first")  # type: ignore[arg-type]  # no token is read
        self.answers, self.asked = list(answers), []

    def _call(
        self, service: str, action: str, version: str, parameters: Any, credentials: Any
    ) -> Any:
        self.asked.append((service, action, version, parameters, credentials))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _current_credentials(self) -> Any:
        return None


def instance(name: str, *reasons: str, spot: str = "SpotAsPriceGo") -> dict[str, Any]:
    """An instance as DescribeInstances has it."""
    locks = [{"LockReason": reason} for reason in reasons]
    return {"InstanceId": name, "SpotStrategy": spot, "OperationLocks": {"LockReason": locks}}


def answer(*instances: dict[str, Any]) -> dict[str, Any]:
    """An answer of DescribeInstances."""
    return {"Instances": {"Instance": list(instances)}}


def test_only_a_preemptible_instance_that_is_recycled_counts() -> None:
    locks = Ecs(
        answer(
            instance("i-1", "Recycling"),
            instance("i-2", "financial"),
            instance("i-3", "security"),
            instance("i-4", "Recycling", spot="NoSpot"),
            instance("i-5", "financial", "recycling"),
            instance("i-6"),
        )
    )
    locks.look(f"i-{n}" for n in range(1, 7))
    assert set(locks.seen or {}) == {"i-1", "i-5"}, "nothing that ends with its subscription"


def test_a_thousand_instances_are_asked_about_in_ten_requests_and_none_in_none() -> None:
    locks = Ecs(*[answer()] * 10)
    locks.look(f"i-{n}" for n in range(1000))
    assert [len(json.loads(parameters["InstanceIds"])) for *_, parameters, _ in locks.asked] == [100] * 10  # fmt: skip
    locks.look([])
    assert len(locks.asked) == 10


@pytest.mark.parametrize(
    "broken", [CloudError("403"), {}, {"Instances": []}, answer({"InstanceId": "i-1"})], ids=repr
)
def test_an_answer_that_is_none_changes_nothing(broken: Any) -> None:
    locks = Ecs(answer(instance("i-1", "Recycling")), broken)
    locks.look(["i-1"])
    seen, age = dict(locks.seen or {}), locks._looked
    with pytest.raises(CloudError):
        locks.look(["i-1"])
    assert locks.seen == seen and locks._looked == age


def test_a_node_names_its_instance() -> None:
    for provider in ("cn-shanghai.i-uf6x", "alicloud://cn-shanghai.i-uf6x", "i-uf6x"):
        raw = {"metadata": {"name": "n"}, "spec": {"providerID": provider}}
        assert node_of(raw).instance == "i-uf6x"
    assert node_of({"metadata": {"name": "n"}}).instance == ""


def test_a_lock_is_a_notice_of_preemptible_nodes_and_an_earlier_one_stays() -> None:
    nodes = {
        "spot": node("spot", instance="i-1"),
        "paid": node("paid", instance="i-2", spot=False),
        "told": node("told", instance="i-3", notice_at=NOW - 50),
        "late": node("late", instance="i-4", notice_at=NOW + 50),
        "free": node("free", instance="i-5"),
        "bare": node("bare"),
    }
    locks = {f"i-{n}": NOW for n in range(1, 5)} | {"": NOW}
    notices = {name: each.notice_at for name, each in ecs_locks.with_notices(nodes, locks).items()}
    assert notices == {
        "spot": NOW, "paid": None, "told": NOW - 50, "late": NOW, "free": None, "bare": None,
    }  # fmt: skip


def test_the_next_leader_takes_no_old_notice_for_a_new_one() -> None:
    notes = {ecs_locks.NOTE: json.dumps({"i-1": NOW - 200, "i-9": NOW - 300})}
    assert ecs_locks.known(None, notes) == {"i-1": NOW - 200, "i-9": NOW - 300}
    assert ecs_locks.known({"i-1": NOW, "i-2": NOW}, notes) == {"i-1": NOW - 200, "i-2": NOW}
    for spoilt in ("", "[]", "nonsense", '{"i-1": "x"}', '{"i-1": null}'):
        assert ecs_locks.known({"i-1": NOW}, {ecs_locks.NOTE: spoilt}) == {"i-1": NOW}


def test_what_is_seen_is_noted_once_and_taken_back_when_it_is_over() -> None:
    def noted(locks: Any, notes: dict[str, str]) -> list[SaveNote]:
        seen = snapshot([], [], 1, locks=locks, notes=notes)
        return list(ecs_locks.decide(seen, config(), NOW))  # type: ignore[arg-type]  # only notes are saved

    (first,) = noted({"i-1": NOW + 0.5}, {})
    assert json.loads(first.value or "") == {"i-1": int(NOW)}
    kept = {ecs_locks.NOTE: first.value or ""}
    assert noted({"i-1": NOW + 0.5}, kept) == [] == noted(None, kept) == noted({}, {})
    (over,) = noted({}, kept)
    assert over.value is None
    assert of_action(first, "done", "", OBJECTS) is None, "no Event: nothing happened to an object"


def test_the_leader_cordons_and_detaches_what_ecs_locks_without_any_detector() -> None:
    server = Server()
    locks = Ecs(answer(instance("i-1", "Recycling")), answer())
    led = loop.Loop(server, config(ecs_region="cn-shanghai"), "first", locks=locks)  # type: ignore[arg-type]  # a stand-in for the API server
    led._nodes._objects = {
        "n1": node("n1", instance="i-1", **BLIND),
        "n2": node("n2", instance="i-2", spot=False, **BLIND),
        "n3": node("n3", **BLIND),
    }
    led._pods._objects = {"a": pod("a", "n1"), "b": pod("b", "n2")}
    led._deployments._objects = {"bert": {"uid": "d", "spec": {"replicas": 2}}}
    assert led._preemptible() is None, "it does not lead"
    led._lease._attempt()
    assert led._preemptible() == ["i-1"]
    act(led)
    assert changed(server) == []
    locks.look(led._preemptible() or [])
    act(led)
    assert changed(server) == ["n1", "a"]
    assert led.snapshot().notes[ecs_locks.NOTE]
    led._nodes._objects["n1"] = node(
        "n1", instance="i-1", cordon_reason="notice", unschedulable=True
    )
    locks.look(["i-1"])
    undone = steps(loop.decide(led.snapshot(), led._config, NOW))
    assert ("Uncordon", "n1") in undone, "the lock is gone: the notice is withdrawn"


def test_a_missing_detector_is_no_alarm_while_ecs_answers_and_an_error_when_neither_does() -> None:
    def told(**more: Any) -> list[tuple[str, str]]:
        seen = snapshot([node("n1", **BLIND)], [], 1, **more)
        return [(alarm.key, alarm.level) for alarm in alarms.decide(seen, config(), NOW)]

    assert told(locks_age=30.0) == []
    assert told(locks_age=121.0) == [("ecs silent", "error"), ("no detector", "error")]
    assert told() == [("no detector", "error")]
    watched = snapshot([node("n1")], [], 1, locks_age=121.0)
    assert [a.level for a in alarms.decide(watched, config(), NOW)] == ["warning"]


def test_the_stack_gives_the_handlers_account_a_role_only_where_it_is_asked_for() -> None:
    plain, asking = run(), run(changes={"interruption": {"noticeSource": "ecs"}})
    settings = [
        Config.read(one.named("interruption-code").inputs["data"]["settings.json"])
        for one in (plain, asking)
    ]
    assert [each.ecs_region for each in settings] == ["", "cn-shanghai"]
    assert not [one for one in plain.resources if "NoticeAccess" in one.urn]
    role = asking.named("interruption-ecs-role").inputs
    (statement,) = json.loads(role["assumeRolePolicyDocument"])["Statement"]
    account = asking.named("interruption-account").inputs["metadata"]
    assert statement["Condition"]["StringEquals"] == {
        "oidc:aud": "sts.aliyuncs.com",
        "oidc:iss": ISSUER,
        "oidc:sub": f"system:serviceaccount:{account['namespace']}:interruption-account-0a1b2c3d",
    }
    (granted,) = json.loads(asking.named("interruption-ecs-policy").inputs["policyDocument"])["Statement"]  # fmt: skip
    assert granted["Action"] == ["ecs:DescribeInstances"]
    spec = asking.named("interruption-deployment").inputs["spec"]["template"]["spec"]
    environment = {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}
    assert environment["ALIBABA_CLOUD_OIDC_PROVIDER_ARN"] == PROVIDER_ARN
    token = environment["ALIBABA_CLOUD_OIDC_TOKEN_FILE"].rpartition("/")[0]
    assert token in [mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]]
    (projected,) = (v["projected"]["sources"] for v in spec["volumes"] if "projected" in v)
    assert projected[0]["serviceAccountToken"]["audience"] == "sts.aliyuncs.com"
