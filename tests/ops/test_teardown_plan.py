"""The plan of a teardown: the order, what stays and why, what is refused, what it says."""

from __future__ import annotations

import pytest

from ops.cloud.resources import BUCKET
from ops.engine import stack_location
from ops.engine.checkpoint import Checkpoint
from ops.teardown import plan
from ops.teardown.guard import RefusedError
from ops.teardown.teardown import pools_of
from tests.ops import teardown_state as states

CASES = {
    "local": states.local,
    "prod": states.prod,
    "adopting": states.adopting,
    "own cluster": states.with_own_cluster,
}
COSTS = plan.Costs("cn-shanghai", lambda bucket: (31, 42 * 2**20, False))


def stage_names(state: Checkpoint) -> dict[str, str]:
    """Logical name: stage."""
    return {one.name: stage.name for stage in plan.stages(state) for one in stage.resources}


@pytest.mark.parametrize("name", CASES)
def test_nothing_goes_before_what_needs_it(name: str) -> None:
    state = CASES[name]()
    numbers = plan.stage_of(state)
    pairs = [(one.urn, need) for one in state.resources for need in one.needs if need in numbers]
    assert len(pairs) > 50 and all(numbers[one] <= numbers[need] for one, need in pairs)


@pytest.mark.parametrize("name", CASES)
def test_everything_goes_in_some_stage_and_once(name: str) -> None:
    state = CASES[name]()
    going = [one.urn for stage in plan.stages(state) for one in stage.resources]
    assert sorted(going) == sorted(one.urn for one in state.resources)


def test_the_order_is_entry_server_volume_pool_store_cluster() -> None:
    found = stage_names(states.local())
    assert found["entry-ingress"] == "entry"
    assert found["server-deployment"] == found["autoscaler-hpa"] == "server"
    assert found["volume-pvc"] == found["volume-pv"] == found["namespace"] == "volume"
    assert found["pool-pool"] == "node pool"
    assert found["models-bucket"] == found["models-model"] == found["access-role"] == "store"
    assert found["cluster-scaler"] == found["ack"] == "cluster"
    assert [stage.name for stage in plan.stages(states.local())] == list(plan.STAGES)


def test_a_created_cluster_s_own_nodes_outlive_the_gpu_pool() -> None:
    found = stage_names(states.with_own_cluster())
    assert found["pool-pool"] == "node pool"
    assert found["managed-ack"] == found["network-vpc"] == "cluster"
    assert [stage for name, stage in found.items() if name.startswith("system-")] == ["cluster"]


def test_what_goes_later_is_not_waited_for_with_the_gpu_pool() -> None:
    made = states.with_own_cluster()
    wanted = plan.stages(made)
    at = [stage.name for stage in wanted].index("node pool")
    later = pools_of(wanted[at + 1 :])
    own = stack_location.locate("local", made, {})
    remaining = stack_location.without(own, later)
    assert {kind for kind, _ in later} == {"node pool", "scaling group"}
    assert own.pools == {"np-pool-pool", "np-system-pool"} and remaining.pools == {"np-pool-pool"}


def test_keep_model_keeps_bucket_guards_model_and_what_they_need_in_the_state() -> None:
    state = states.local()
    wanted = plan.make(state, keep_model=True)
    kept = {one.name for one in state.resources if one.urn in wanted.kept}
    assert kept == {
        "models", "models-bucket", "models-acl", "models-access-block", "models-versioning", "models-encryption", "models-tls-only",
        "models-model", "default_3_105_0", "elastic-inference-local",
    }  # fmt: skip
    going = {one.urn for stage in wanted.stages for one in stage.resources}
    assert going == {one.urn for one in state.resources} - wanted.kept
    assert (
        "bucket",
        stack_location.locate("local", state, {}).buckets.__iter__().__next__(),
    ) in wanted.kept_ids


def test_a_protected_bucket_stops_the_plan_until_something_says_what_becomes_of_it() -> None:
    with pytest.raises(
        RefusedError,
        match=r"(?s)protected.*Bucket elastic-inference-prod-.*Nothing was touched.*--keep-protected",
    ):
        plan.make(states.prod())
    assert any(
        one.kind == BUCKET for one in plan.make(states.prod(), keep_model=True).kept_resources
    )
    assert any(
        one.kind == BUCKET for one in plan.make(states.prod(), keep_protected=True).kept_resources
    )
    given_up = plan.make(states.prod(), unprotect=True)
    assert {one.kind for one in given_up.unprotect} == {BUCKET} and given_up.kept == frozenset()


def test_what_was_adopted_is_left_in_place_without_being_asked_for() -> None:
    wanted = plan.make(states.adopting())
    assert {one.name for one in wanted.adopted} >= {
        "pool-pool",
        "models-bucket",
        "access-role",
        "namespace",
    }
    assert wanted.kept_ids >= {
        ("bucket", "team-models"),
        ("RAM role", "model-reader"),
        ("Namespace", "inference"),
    }
    assert not {one.urn for one in wanted.adopted} & {one.urn for one in wanted.to_delete}


def test_the_plan_says_what_goes_what_is_lost_and_what_ends_to_cost() -> None:
    state = states.local()
    where = stack_location.locate("local", state, {})
    text = plan.show(plan.make(state), where, "cn-shanghai", states.ACCOUNT, COSTS)
    assert (
        f"Stack local: account {states.ACCOUNT}, region cn-shanghai, cluster {states.CLUSTER} (given to the stack, stays)"
        in text
    )
    rows = [line.split()[1] for line in text.splitlines() if line[:4].strip().isdigit()]
    assert rows == ["entry", "server", "volume", "node", "store", "cluster"]
    assert (
        "every object in bucket elastic-inference-local-" in text
        and "31 object versions, 42.0 MiB" in text
    )
    assert "CNY an hour (1 to 10 nodes)" in text and "`" not in text


def test_the_plan_says_what_stays_and_what_it_costs() -> None:
    state = states.local()
    text = plan.show(
        plan.make(state, keep_model=True),
        stack_location.locate("local", state, {}),
        "cn-shanghai",
        states.ACCOUNT,
        COSTS,
    )
    assert "Stays, in the state as well (--keep-model):" in text
    assert "about 0.01 CNY a month for storage" in text


def test_a_bucket_nobody_can_look_into_is_no_reason_to_fail() -> None:
    def refused(bucket: str) -> tuple[int, int, bool]:
        raise PermissionError(bucket)

    state = states.local()
    text = plan.show(
        plan.make(state, keep_model=True),
        stack_location.locate("local", state, {}),
        "cn-shanghai",
        "1",
        plan.Costs("cn-shanghai", refused),
    )
    assert "could not be looked up" in text


def test_an_empty_state_has_nothing_to_go() -> None:
    wanted = plan.make(Checkpoint())
    assert wanted.stages == () and "nothing that could go" in plan.show(
        wanted, stack_location.StackLocation("local"), "cn-shanghai", "1", COSTS
    )


def test_the_names_to_look_for_come_from_state_and_settings() -> None:
    known = stack_location.locate("local", states.local(), stack_location.config_of("local"))
    alone = stack_location.locate("local", Checkpoint(), stack_location.config_of("local"))
    assert (
        known.accounts == alone.accounts == {states.ACCOUNT}
        and known.region == alone.region == "cn-shanghai"
    )
    assert known.cluster == alone.cluster == states.CLUSTER and not known.cluster_made
    assert known.buckets == alone.buckets and known.roles == alone.roles and len(known.buckets) == 1
    assert known.pools and known.volumes and not alone.pools, "ids are known to the state only"


def test_what_becomes_somebody_else_s_is_neither_waited_for_nor_taken_for_left_behind() -> None:
    state = states.adopting()
    wanted = plan.make(state)
    where = stack_location.locate("local", state, {})
    own = stack_location.without(where, wanted.forgotten_ids)
    assert where.pools and where.buckets == {"team-models"} and "model-reader" in where.roles
    assert (
        own.pools == own.groups == own.buckets == own.roles == frozenset()
        and own.policies == where.policies
    )
    assert stack_location.without(where, ()) == where


def test_the_engine_runs_once_again_after_load_balancers_and_again_for_a_cluster_that_the_stack_made() -> (
    None
):
    given = plan.runs(plan.stages(states.local()), cluster_made=False, unseen=False)
    assert [[stage.name for stage in part] for part in given] == [list(plan.STAGES)]
    balanced = plan.runs(plan.stages(states.local()), cluster_made=False, unseen=True)
    assert [[stage.name for stage in part] for part in balanced] == [
        ["entry", "server", "volume"],
        ["node pool", "store", "cluster"],
    ]
    made = plan.runs(plan.stages(states.local()), cluster_made=True, unseen=False)
    assert [[stage.name for stage in part] for part in made] == [
        ["entry", "server", "volume"],
        ["node pool", "store"],
        ["cluster"],
    ]
    assert plan.runs(plan.stages(states.local())[3:5], cluster_made=True, unseen=True) == [
        tuple(plan.stages(states.local())[3:5])
    ]
