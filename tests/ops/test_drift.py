"""Drift, from the CLI's events: what is told as whose, and what no line ever says."""

import json
import pathlib
from typing import Any

import pytest

from ops.cloud.cluster_reader import ClusterError
from ops.drift import __main__ as command
from ops.drift import look, put_back
from ops.drift.__main__ import report
from ops.drift.compare import Difference, differences, is_real, is_settled, without_program
from ops.drift.events import events
from ops.drift.owners import reported
from ops.engine.cli import Stack
from ops.engine.previews import PreviewFormatError
from ops.preview_comment.redact import SENTINEL
from tests.ops.drift_recordings import read as read_recording

URN = "urn:pulumi:local::elastic-inference::"
POOL, DEPLOYMENT, HPA = (
    "alicloud:cs/nodePool:NodePool",
    "kubernetes:apps/v1:Deployment",
    "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
)
State = dict[str, Any]


def state(inputs: State, outputs: State | None = None) -> State:
    """One side of an event's metadata."""
    return {"inputs": inputs, "outputs": outputs if outputs is not None else inputs}


def read(kind: str, was: State, now: State | None) -> str:
    """The event of a resource that was asked for."""
    metadata = {"op": "refresh", "urn": f"{URN}{kind}::it", "old": was, "new": now}
    return json.dumps({"sequence": 1, "resOutputsEvent": {"metadata": metadata}})


def step(kind: str, op: str, old: State | None, new: State | None, *paths: str) -> str:
    """The event of what up would do."""
    detailed = {path: {"kind": "update", "inputDiff": True} for path in paths}
    metadata = {
        "op": op,
        "urn": f"{URN}{kind}::it",
        "old": old,
        "new": new,
        "detailedDiff": detailed or None,
    }
    return json.dumps({"sequence": 2, "resourcePreEvent": {"metadata": metadata}})


def found(*lines: str) -> list[Difference]:
    """The differences that these events tell."""
    return differences(events("\n".join(lines)))


@pytest.mark.parametrize(
    ("kind", "path", "owner"),
    [
        (POOL, ("desiredSize",), "the node scaler"),
        (DEPLOYMENT, ("spec", "replicas"), "the HPA"),
        (HPA, ("spec", "minReplicas"), "the interruption handler (autoscaler.floors)"),
    ],
)
def test_what_an_autoscaler_moves_is_its_own_where_up_leaves_it(
    kind: str, path: tuple[str, ...], owner: str
) -> None:
    def sized(size: int) -> State:
        value: Any = size
        for key in reversed(path):
            value = {key: value}
        return value

    was, now = state({}, sized(1)), state({}, sized(4))
    (one,) = found(read(kind, was, now), step(kind, "same", now, now))
    assert (one.sort, [(part.was, part.now, part.owner) for part in one.properties]) == (
        "owned",
        [("1", "4", owner)],
    )
    assert not is_real(one)
    said = report("local", 1, [one])
    assert f"{'.'.join(path)}: 1, is now 4 ({owner})" in said and said.endswith(
        "local: 1 resources looked at, 1 moved by autoscalers"
    )


def test_the_same_property_is_nobody_s_where_the_program_sends_it() -> None:
    was, now = state({"spec": {"replicas": 1}}), state({"spec": {"replicas": 3}})
    (one,) = found(
        read(DEPLOYMENT, was, now), step(DEPLOYMENT, "update", now, was, "spec.replicas")
    )
    assert (one.sort, one.op, one.properties[0].was, one.properties[0].now) == (
        "changed",
        "update",
        "3",
        "1",
    )
    assert is_real(one)


def test_a_change_by_hand_is_shown_with_what_is_and_what_the_program_says() -> None:
    was, now = state({"tags": {"owner": "ml"}}), state({"tags": {"owner": "me"}})
    (one,) = found(read(POOL, was, now), step(POOL, "update", now, was, "tags.owner"))
    assert one.sort == "changed" and '    tags.owner: "me", the program says "ml"' in report(
        "dev", 1, [one]
    )
    assert "make up STACK=dev REFRESH=1" in report("dev", 1, [one])


def test_what_is_gone_is_real_though_up_would_only_create() -> None:
    (one,) = found(read(POOL, state({}), None), step(POOL, "create", None, state({})))
    assert (one.sort, one.op, is_real(one)) == ("gone", "create", True)


def test_a_change_of_the_program_is_no_drift_but_told() -> None:
    old, new = state({"maxSize": 5}), state({"maxSize": 7})
    (one,) = found(read(POOL, old, old), step(POOL, "update", old, new, "maxSize"))
    assert one.sort == "undeployed" and is_real(one)


def test_what_the_program_does_not_set_is_told_and_asks_nothing_of_anybody() -> None:
    was, now = state({}, {"spec": {"paused": False}}), state({}, {"spec": {"paused": True}})
    (one,) = found(read(DEPLOYMENT, was, now), step(DEPLOYMENT, "same", now, now))
    assert one.sort == "other" and not is_real(one)


@pytest.mark.parametrize("path", [
    "status", "status.readyReplicas", "status.conditions[0].reason", "metadata.resourceVersion", "metadata.generation",
    "metadata.managedFields[2].time", 'metadata.annotations["deployment.kubernetes.io/revision"]', "__meta", "__inputs.spec",
])  # fmt: skip
def test_what_servers_count_up_is_no_difference(path: str) -> None:
    assert reported(DEPLOYMENT, path)


@pytest.mark.parametrize(
    "path",
    [
        "spec.replicas",
        "metadata.labels.status",
        'metadata.annotations["team"]',
        "statusCode",
        "desiredSize",
    ],
)
def test_everything_else_is_one(path: str) -> None:
    assert not reported(DEPLOYMENT, path)


def test_no_secret_is_told() -> None:
    secret = {SENTINEL: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}
    was, now = (
        state({"password": "hunter2", "data": secret}),
        state({"password": "hunter3", "data": "plain"}),
    )
    text = report("dev", 1, found(read(POOL, was, now), step(POOL, "same", now, now)))
    assert "hunter" not in text and 'password: "[secret]", is now "[secret]"' in text


def test_a_failed_reading_is_an_error_and_no_clean_bill() -> None:
    line = json.dumps(
        {"sequence": 1, "diagnosticEvent": {"severity": "error", "message": "no route to host"}}
    )
    assert [message.text for message in events(line).errors] == ["no route to host"]


def test_a_preview_that_asked_for_nothing_is_refused() -> None:
    with pytest.raises(PreviewFormatError, match="--refresh"):
        events(step(POOL, "same", state({}), state({})))


def recorded(name: str) -> list[Difference]:
    """The differences of a recorded stream."""
    return differences(events(read_recording(name)))


def test_the_recorded_autoscalers_work_is_no_drift() -> None:
    assert {(one.sort, one.name) for one in recorded("autoscaled")} == {
        ("owned", "server-deployment"),
        ("owned", "pool-pool"),
    }


def test_the_recorded_change_by_hand_is() -> None:
    result = {(one.sort, one.name): one for one in recorded("changed-by-hand")}
    assert {key for key, one in result.items() if is_real(one)} == {
        ("changed", "server-service"),
        ("gone", "server-budget"),
    }
    assert ("owned", "server-deployment") in result


def result(kind: str, op: str, was: State, now: State | None) -> str:
    """The two events of a resource that `pulumi refresh` read; the second has what it came to."""
    metadata = {"op": "refresh", "urn": f"{URN}{kind}::it", "old": was, "new": None}
    ended = {**metadata, "op": op, "new": now}
    return "\n".join(
        json.dumps({"sequence": 1, name: {"metadata": one}})
        for name, one in (("resourcePreEvent", metadata), ("resOutputsEvent", ended))
    )


@pytest.mark.parametrize(
    ("op", "was", "now", "sort"),
    [
        ("same", state({"a": 1}), state({"a": 1}), ""),
        ("update", state({"a": 1}), state({"a": 2}), "changed"),
        ("update", state({"a": 1}), state({"a": 1}, {"a": 1, "b": 2}), "other"),
        ("update", state({}, {"desiredSize": 1}), state({}, {"desiredSize": 4}), "owned"),
        ("update", state({"desiredSize": 1}), state({"desiredSize": 4}), "changed"),
        ("delete", state({"a": 1}), None, "gone"),
    ],
)
def test_the_resources_alone_tell_what_the_program_as_it_was_deployed_did_not_send(
    op: str, was: State, now: State | None, sort: str
) -> None:
    read_alone = events(result(POOL, op, was, now))
    assert [one.sort for one in without_program(read_alone)] == ([sort] if sort else [])
    assert is_settled(read_alone) == (sort not in ("changed", "gone"))


def test_one_resource_may_differ_in_what_is_sent_and_in_what_is_not() -> None:
    read_alone = events(
        result(
            POOL, "update", state({"a": 1}, {"desiredSize": 1}), state({"a": 2}, {"desiredSize": 4})
        )
    )
    assert [
        (one.sort, [part.path for part in one.properties]) for one in without_program(read_alone)
    ] == [
        ("owned", ["desiredSize"]),
        ("changed", ["a"]),
    ]


ALONE = result(POOL, "update", state({"a": 1}), state({"a": 2}))
FAILURE = json.dumps(
    {
        "sequence": 1,
        "diagnosticEvent": {"severity": "error", "message": "error: Preview failed: no"},
    }
)


@pytest.mark.parametrize(
    ("answers", "arguments", "status", "said"),
    [
        ([result(POOL, "same", state({"a": 1}), state({"a": 1}))], [], 0, "none differs"),
        ([ALONE, FAILURE], [], 7, "1 changed"),
        ([FAILURE], [], 1, "what differs is not known"),
        ([FAILURE, FAILURE], ["--program"], 1, "what differs is not known"),
        ([FAILURE, ALONE], ["--program"], 7, "not known what `up` would do"),
        (
            [FAILURE, result(POOL, "same", state({"a": 1}), state({"a": 1}))],
            ["--program"],
            1,
            "none differs",
        ),
        (
            [
                ALONE,
                f"{read(POOL, state({'a': 1}), state({'a': 2}))}\n{step(POOL, 'update', state({'a': 2}), state({'a': 1}), 'a')}",
            ],
            [],
            7,
            "up would",
        ),
    ],
)
def test_the_program_runs_only_where_something_differs(
    answers: list[str],
    arguments: list[str],
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    waiting = iter(answers)
    for name in ("require_good", "require_account"):
        monkeypatch.setattr(command, name, lambda stack: None)
    monkeypatch.setattr(command, "require_cli", lambda: None)
    for module in (command, look):
        monkeypatch.setattr(module, "is_temporary", lambda stack: False)
    monkeypatch.setattr(look, "ask", lambda stack, *words: events(next(waiting)))
    assert command.main(["--stack", "dev", *arguments]) == status
    assert said in "".join(capsys.readouterr()) and not list(waiting)


KUBERNETES = "pulumi:providers:kubernetes"


HIDDEN = {"kubeconfig": "[secret]"}
"""How the CLI's events show it, whatever it is."""


@pytest.mark.parametrize(
    ("was", "now", "paths"),
    [
        ({"kubeconfig": "old"}, {"kubeconfig": "new"}, ["kubeconfig"]),
        (HIDDEN, HIDDEN, ["kubeconfig"]),
        (HIDDEN, HIDDEN, []),
    ],
)
def test_of_a_stack_whose_kubeconfig_has_run_out_the_program_asks_for_another_first(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    was: State,
    now: State,
    paths: list[str],
) -> None:
    asked: list[tuple[str, ...]] = []
    told = "\n".join(
        [
            read(POOL, state({"a": 1}), state({"a": 1})),
            step(
                KUBERNETES,
                "update",
                state(was),
                state(now),
                *paths,
            ),
        ]
    )

    def ask(stack: Any, *words: str) -> Any:
        asked.append(words)
        return events(told)

    for name in ("require_good", "require_account"):
        monkeypatch.setattr(command, name, lambda stack: None)
    monkeypatch.setattr(command, "require_cli", lambda: None)
    monkeypatch.setattr(look, "ask", ask)
    assert command.main(["--stack", "dev"]) == 0, "each run's own credential is nobody's drift"
    assert asked == [("preview", "--refresh", "--run-program")]
    assert "old" not in (said := capsys.readouterr().out) and "each run" in said


def test_a_provider_that_changes_otherwise_is_told() -> None:
    sides = state({"kubeconfig": "a", "cluster": "c"}), state({"kubeconfig": "b", "cluster": "d"})
    (difference,) = found(
        read(POOL, state({"a": 1}), state({"a": 1})),
        step(KUBERNETES, "update", *sides, "kubeconfig", "cluster"),
    )
    assert difference.sort == "undeployed" and difference.op == "update"


def test_with_the_keys_of_another_account_nothing_is_reported_as_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(stack: Any) -> None:
        raise SystemExit("error: account: these credentials belong to somebody else")

    monkeypatch.setattr(command, "require_good", lambda stack: None)
    monkeypatch.setattr(command, "require_cli", lambda: None)
    monkeypatch.setattr(command, "require_account", refuse)
    monkeypatch.setattr(look, "ask", lambda *words: pytest.fail("the CLI is asked"))
    with pytest.raises(SystemExit, match="somebody else"):
        command.main(["--stack", "dev"])


def test_the_recorded_refresh_by_the_released_bridge_which_drops_its_own_keys_is_no_drift() -> None:
    """Bridge 3.134.0: `labels: [{"__defaults": [], …}]` in the state, `labels: [{…}]` when read."""
    assert '"__defaults"' in read_recording("released-bridge")
    assert {(one.sort, one.name) for one in recorded("released-bridge")} == {("owned", "pool-pool")}


BRIDGED = {
    "__defaults": ["a"],
    "__meta": "{}",
    "labels": [{"__defaults": [], "key": "k", "more": {"__defaults": ["b"], "x": 1}}],
}
PLAIN = {"labels": [{"key": "k", "more": {"x": 1}}]}


@pytest.mark.parametrize(("was", "now"), [(BRIDGED, PLAIN), (PLAIN, BRIDGED)])
def test_the_bridge_s_own_keys_differ_at_no_depth(was: State, now: State) -> None:
    assert (
        found(read(POOL, state(was), state(now)), step(POOL, "same", state(now), state(now))) == []
    )


def test_what_differs_beside_the_bridge_s_own_keys_is_told_without_them() -> None:
    now = {"labels": [{"key": "other", "more": {"x": 1}}]}
    (one,) = found(
        read(POOL, state(BRIDGED), state(now)),
        step(POOL, "update", state(now), state(BRIDGED), "labels[0].key", "labels[0].__defaults"),
    )
    assert one.sort == "changed" and "__defaults" not in report("dev", 1, [one])
    assert [part.path for part in one.properties] == ["labels[0].key"]


def test_a_key_of_that_name_is_somebody_s_own_where_no_bridge_is() -> None:
    kind = "kubernetes:core/v1:ConfigMap"
    was, now = state({"data": {"__meta": "a"}}), state({"data": {"__meta": "b"}})
    (one,) = found(read(kind, was, now), step(kind, "update", now, was, "data.__meta"))
    assert is_real(one)


def pods(*containers: State, **spec: Any) -> State:
    """A Deployment with these containers."""
    return {"spec": {"template": {"spec": {"containers": list(containers), **spec}}}}


SERVING = {"name": "serving", "image": "tensorflow/serving:1"}
EVIL = {"name": "evil", "image": "evil:1", "securityContext": {"privileged": True}}
NGINX = "nginx.ingress.kubernetes.io"
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
RBAC = "kubernetes:rbac.authorization.k8s.io/v1:"
ADDED: list[tuple[str, State, State, str]] = [
    (DEPLOYMENT, pods(SERVING), pods(SERVING, EVIL), "spec.template.spec.containers[1]: nothing, is now"),
    (DEPLOYMENT, pods(SERVING), pods(EVIL, SERVING), "spec.template.spec.containers[0]: nothing, is now"),
    (DEPLOYMENT, pods(SERVING), pods(SERVING, initContainers=[EVIL]), "initContainers[0]: nothing, is now"),
    (DEPLOYMENT, pods(SERVING), pods(SERVING, hostNetwork=True), "hostNetwork: nothing, is now true"),
    (DEPLOYMENT, pods(SERVING), pods(SERVING, volumes=[{"name": "host", "hostPath": {"path": "/"}}]), "volumes[0]"),
    (DEPLOYMENT, pods(SERVING), pods({**SERVING, "env": [{"name": "LD_PRELOAD", "value": "x"}]}), "containers[0].env[0]"),
    (DEPLOYMENT, pods(SERVING), pods({**SERVING, "securityContext": {"privileged": True}}), "containers[0].securityContext.privileged"),
    (DEPLOYMENT, pods(SERVING), pods(SERVING, serviceAccountName="admin"), "serviceAccountName"),
    (INGRESS, {"metadata": {"annotations": {f"{NGINX}/auth-type": "basic"}}}, {"metadata": {"annotations": {f"{NGINX}/auth-type": "basic", f"{NGINX}/satisfy": "any"}}}, "satisfy"),
    (INGRESS, {"spec": {"rules": [{"host": "a"}]}}, {"spec": {"rules": [{"host": "a"}, {"host": "evil"}]}}, "spec.rules[1]"),
    (f"{RBAC}Role", {"rules": [{"verbs": ["get"]}]}, {"rules": [{"verbs": ["get"]}, {"verbs": ["*"]}]}, "rules[1]"),
    (f"{RBAC}RoleBinding", {"subjects": [{"name": "a"}]}, {"subjects": [{"name": "a"}, {"name": "evil"}]}, "subjects[1]"),
    ("kubernetes:networking.k8s.io/v1:NetworkPolicy", {"spec": {"ingress": []}}, {"spec": {"ingress": [{}]}}, "spec.ingress"),
    ("kubernetes:core/v1:Service", {"spec": {"type": "ClusterIP"}}, {"spec": {"type": "ClusterIP", "externalIPs": ["192.0.2.1"]}}, "externalIPs"),
    ("kubernetes:core/v1:Namespace", {"metadata": {"labels": {}}}, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}, "enforce"),
    ("kubernetes:core/v1:ConfigMap", {"data": {"a": "1"}}, {"data": {"a": "1", "sitecustomize.py": "x"}}, "sitecustomize"),
    (POOL, {"nodePoolName": "p"}, {"nodePoolName": "p", "userData": "ZXZpbA=="}, "userData"),
    (POOL, {"nodePoolName": "p"}, {"nodePoolName": "p", "securityGroupIds": ["sg-evil"]}, "securityGroupIds"),
    ("alicloud:ram/role:Role", {"roleName": "r"}, {"roleName": "r", "assumeRolePolicyDocument": "{}x"}, "assumeRolePolicyDocument"),
]  # fmt: skip
"""Type, deployed, as it is now, and what is said of it."""


@pytest.mark.parametrize("program", [True, False], ids=["with the program", "without it"])
@pytest.mark.parametrize("number", range(len(ADDED)))
def test_what_others_added_where_it_matters_is_real(number: int, program: bool) -> None:
    """The inputs stay those of the program: the provider cuts what it reads to their shape."""
    kind, inputs, live, said = ADDED[number]
    was, now = state(inputs), state(inputs, live)
    lines = (read(kind, was, now), *([step(kind, "same", now, now)] if program else []))
    results = found(*lines) if program else without_program(events(lines[0]))
    assert any(is_real(one) and one.sort == "security" for one in results), results
    text = report("dev", 1, results)
    assert said in text and "security-relevant and not ours" in text


HARMLESS: list[tuple[str, State, State]] = [
    (DEPLOYMENT, pods(SERVING), pods({**SERVING, "terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "IfNotPresent"})),
    (DEPLOYMENT, {"metadata": {"annotations": {"a": "b"}}}, {"metadata": {"annotations": {"a": "b", "team": "ml"}}}),
    (INGRESS, {"metadata": {"labels": {"a": "b"}}}, {"metadata": {"labels": {"a": "b", "team": "ml"}}}),
    (POOL, {"nodePoolName": "p"}, {"nodePoolName": "p", "resourceGroupId": "rg"}),
    ("alicloud:ram/role:Role", {"roleName": "r"}, {"roleName": "r", "arn": "acs:ram::1:role/r"}),
    ("kubernetes:core/v1:Service", {"spec": {"type": "ClusterIP"}}, {"spec": {"type": "ClusterIP", "internalTrafficPolicy": "Cluster"}}),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(HARMLESS)))
def test_what_others_added_where_it_does_not_matter_asks_nothing_of_anybody(number: int) -> None:
    kind, inputs, live = HARMLESS[number]
    was, now = state(inputs), state(inputs, live)
    (one,) = found(read(kind, was, now), step(kind, "same", now, now))
    assert one.sort == "other" and not is_real(one)


def test_an_added_container_is_told_beside_what_up_puts_back() -> None:
    was = state({**pods(SERVING), "metadata": {"labels": {"team": "ml"}}})
    changed = {**pods(SERVING), "metadata": {"labels": {"team": "me"}}}
    now = state(changed, {**changed, **pods(SERVING, EVIL)})
    results = found(
        read(DEPLOYMENT, was, now), step(DEPLOYMENT, "update", now, was, "metadata.labels.team")
    )
    assert [(one.sort, [part.path for part in one.properties]) for one in results] == [
        ("changed", ["metadata.labels.team"]),
        ("security", ["spec.template.spec.containers[1]"]),
    ]


def test_a_changed_field_of_a_container_is_put_back_by_up_and_told_once() -> None:
    was, now = state(pods(SERVING)), state(pods({**SERVING, "image": "other:1"}))
    path = "spec.template.spec.containers[0].image"
    (one,) = found(read(DEPLOYMENT, was, now), step(DEPLOYMENT, "update", now, was, path))
    assert (one.sort, [part.path for part in one.properties]) == ("changed", [path])
    (alone,) = without_program(events(read(DEPLOYMENT, was, now)))
    assert (alone.sort, [part.path for part in alone.properties]) == ("changed", [path])


def test_a_removed_container_is_told_with_what_it_was() -> None:
    was, now = state(pods(SERVING, EVIL)), state(pods(SERVING))
    (one,) = without_program(events(read(DEPLOYMENT, was, now)))
    assert one.sort == "changed" and one.properties[0].path == "spec.template.spec.containers[1]"
    assert '"evil"' in one.properties[0].was and one.properties[0].now == "nothing"


def test_containers_in_another_order_are_told_as_that() -> None:
    other = {"name": "other", "image": "other:1"}
    was = state(pods(SERVING, other))
    now = state(pods(SERVING, other), pods(other, SERVING))
    (one,) = found(read(DEPLOYMENT, was, now), step(DEPLOYMENT, "same", now, now))
    assert [part.path for part in one.properties] == ["spec.template.spec.containers"]
    assert is_real(one)


def test_a_secret_in_the_environment_that_somebody_changed_is_not_told() -> None:
    def env(value: str) -> State:
        return pods({**SERVING, "env": [{"name": "API_TOKEN", "value": value}]})

    was, now = state(env("hunter2")), state(env("hunter3"))
    results = without_program(events(read(DEPLOYMENT, was, now)))
    text = report("dev", 1, results)
    assert "containers[0].env[0]" in text and "hunter" not in text


def test_drift_of_another_s_container_ends_with_status_7(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    was, now = state(pods(SERVING)), state(pods(SERVING), pods(SERVING, EVIL))
    monkeypatch.setattr(command, "require_good", lambda stack: None)
    monkeypatch.setattr(command, "require_cli", lambda: None)
    monkeypatch.setattr(command, "require_account", lambda stack: None)
    answers = iter(
        [
            result(DEPLOYMENT, "update", was, now),
            "\n".join((read(DEPLOYMENT, was, now), step(DEPLOYMENT, "same", now, now))),
        ]
    )
    monkeypatch.setattr(look, "ask", lambda stack, *words: events(next(answers)))
    assert command.main(["--stack", "dev"]) == 7
    assert "make up STACK=dev REFRESH=1` takes it away" in capsys.readouterr().out


def test_what_was_added_in_the_cloud_or_to_an_adopted_object_is_taken_away_by_hand() -> None:
    added = [row for row in ADDED if row[0].startswith("alicloud:")]
    assert added
    for kind, inputs, live, _ in added:
        (one,) = found(
            read(kind, state(inputs), state(inputs, live)),
            step(kind, "same", state(inputs, live), state(inputs, live)),
        )
        assert "remove it by hand" in report("dev", 1, [one])
    kind, inputs, live = INGRESS, {"spec": {"rules": []}}, {"spec": {"rules": [{"host": "evil"}]}}
    was = {**state(inputs), "retainOnDelete": True}
    results = without_program(events(read(kind, was, state(inputs, live))))
    assert "remove it by hand" in report("dev", 1, results)
    assert (
        put_back.altered_objects(events(read(kind, was, state(inputs, live))).reads, results) == []
    )


def of_the_cluster(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Those that are objects in the cluster."""
    return [row for row in rows if row[0].startswith("kubernetes:")]


SERVER_FILLS_IN = {"metadata": {"uid": "u", "resourceVersion": "7"}, "status": {"x": 1}}


@pytest.mark.parametrize("number", range(len(of_the_cluster(ADDED))))
def test_a_refreshing_up_writes_the_object_as_it_was_deployed(number: int) -> None:
    kind, inputs, live, _ = of_the_cluster(ADDED)[number]
    told = events(read(kind, state(inputs), state(inputs, live)))
    (one,) = put_back.altered_objects(told.reads, without_program(told))
    current = {**live, "metadata": {**live.get("metadata", {}), **SERVER_FILLS_IN["metadata"]}}
    wanted = put_back.restored(kind, one.deployed, {**current, "status": {"x": 1}})
    assert wanted["metadata"] == {
        **inputs.get("metadata", {}),
        **SERVER_FILLS_IN["metadata"],
    }
    assert wanted["status"] == {"x": 1}, "what a server counts stays"
    for part in ("spec", "rules", "subjects", "data"):
        if inputs.get(part):
            assert wanted[part] == inputs[part]


@pytest.mark.parametrize("number", range(len(of_the_cluster(HARMLESS))))
def test_what_does_not_matter_is_left_where_it_is(number: int) -> None:
    kind, inputs, live = of_the_cluster(HARMLESS)[number]
    told = events(read(kind, state(inputs), state(inputs, live)))
    assert put_back.altered_objects(told.reads, without_program(told)) == []


def test_what_an_autoscaler_moved_what_is_secret_and_a_restart_survive_the_putting_back() -> None:
    restarted = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}
    was, live = pods(SERVING), pods(SERVING, EVIL)
    was["spec"]["replicas"], live["spec"]["replicas"] = 1, 9
    live["spec"]["template"] |= restarted
    wanted = put_back.restored(DEPLOYMENT, was, live)
    assert wanted["spec"]["replicas"] == 9
    assert wanted["spec"]["template"] == {**pods(SERVING)["spec"]["template"], **restarted}
    kind = "kubernetes:core/v1:Secret"
    live = {"data": {"auth": "aHVudGVy"}, "type": "Opaque"}
    assert put_back.restored(kind, {"data": "[secret]", "type": "Opaque"}, live) == live
    hidden = {"data": {SENTINEL: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "x"}}
    assert put_back.restored(kind, hidden, live)["data"] == live["data"]


def variable(**said: Any) -> State:
    """A Deployment whose container has one environment variable."""
    return pods({**SERVING, "env": [{"name": "POD_IP", **said}]})


def test_another_member_of_a_union_is_put_back_with_the_one_that_it_drove_out() -> None:
    """Server-side apply asks for both, and the cluster refuses that."""
    was, live = variable(valueFrom={"fieldRef": {"fieldPath": "status.podIP"}}), variable(value="x")
    told = events(read(DEPLOYMENT, state(was), state(live)))
    (one,) = put_back.altered_objects(told.reads, without_program(told))
    assert put_back.restored(DEPLOYMENT, one.deployed, live) == was


def test_one_value_in_place_of_another_is_left_to_the_update() -> None:
    was, live = pods(SERVING), pods({**SERVING, "image": "other:1"})
    told = events(read(DEPLOYMENT, state(was), state(live)))
    assert put_back.altered_objects(told.reads, without_program(told)) == []


def test_the_stack_owns_what_was_put_back_as_it_owned_it_before() -> None:
    own = {
        "manager": "pulumi-kubernetes-1",
        "operation": "Apply",
        "fieldsV1": {"f:spec": {"f:a": {}}},
    }
    given = {
        "manager": put_back.MANAGER,
        "operation": "Update",
        "fieldsV1": {"f:spec": {"f:rules": {}}},
    }
    other = {"manager": "console", "operation": "Update", "fieldsV1": {"f:spec": {"f:b": {}}}}
    assert put_back.with_fields_handed_over([own, given, other], "pulumi-kubernetes-1") == [
        {**own, "fieldsV1": {"f:spec": {"f:a": {}, "f:rules": {}}}},
        other,
    ]
    assert put_back.with_fields_handed_over([given, other], "pulumi-kubernetes-1") is None


class Cluster:
    """An API server with one object, which somebody writes in between so many times."""

    def __init__(self, live: State, races: int = 0, refusal: str = "") -> None:
        self.live, self.races, self.refusal = live, races, refusal
        self.writes: list[State] = []

    def get(self, path: str) -> State:
        """The list of kinds, or the object."""
        if path.endswith("/v1"):
            return {"resources": [{"kind": "Role", "name": "roles", "namespaced": True}]}
        return json.loads(json.dumps(self.live))

    def replace(self, path: str, document: State, manager: str) -> State:
        """Takes the object, unless somebody was quicker or it is refused."""
        if self.refusal:
            raise ClusterError(f"{path}: {self.refusal}")
        if self.races:
            self.races -= 1
            raise ClusterError(f"{path}: 409 Conflict: the object has been modified")
        self.writes.append(document)
        self.live = document
        return json.loads(json.dumps(document))


@pytest.mark.parametrize(
    ("races", "refusal", "why", "writes"),
    [(0, "", "", 1), (3, "", "", 1), (9, "", "409", 0), (0, "403 Forbidden", "403", 0)],
)
def test_a_race_is_run_again_and_a_refusal_is_told(
    races: int, refusal: str, why: str, writes: int
) -> None:
    rule, evil = {"verbs": ["get"]}, {"verbs": ["*"]}
    about = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "r", "namespace": "n"},
    }
    cluster = Cluster({**about, "rules": [rule, evil]}, races, refusal)
    one = put_back.Altered("r", f"{RBAC}Role", ("rules[1]",), {**about, "rules": [rule]})
    cause = put_back.put_back_one(cluster, one)  # type: ignore[arg-type]
    assert (why in cause) if why else (cause == "")
    assert len(cluster.writes) == writes
    if writes:
        assert cluster.live["rules"] == [rule]


def test_a_controller_that_writes_between_the_two_writes_stops_neither() -> None:
    own = {"manager": "pulumi-kubernetes-1", "operation": "Apply", "fieldsV1": {"f:a": {}}}
    given = {"manager": put_back.MANAGER, "operation": "Update", "fieldsV1": {"f:b": {}}}
    metadata = {"name": "r", "managedFields": [own, given]}
    cluster = Cluster({"metadata": metadata, "status": 2}, races=1)
    put_back._hand_over(cluster, "/r", {"metadata": metadata, "status": 1}, "pulumi-kubernetes-1")  # type: ignore[arg-type]
    assert cluster.live["metadata"]["managedFields"] == [
        {**own, "fieldsV1": {"f:a": {}, "f:b": {}}}
    ]
    assert cluster.live["status"] == 2, "what the controller wrote stays"


@pytest.mark.parametrize(
    ("agrees", "cause", "said"),
    [(True, "", ""), (True, "403", "was not put back: 403"), (False, "", "left as it is")],
)
def test_what_others_added_is_told_and_taken_away_when_agreed(
    agrees: bool,
    cause: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = events(read(DEPLOYMENT, state(pods(SERVING)), state(pods(SERVING), pods(SERVING, EVIL))))
    asked: list[tuple[Any, ...]] = []

    def answer(stack: Any, *words: str, timeout: float) -> list[str]:
        asked.append(words)
        return [cause]

    monkeypatch.setattr(put_back, "read_all", lambda stack: look.Look(told))
    monkeypatch.setattr(Stack, "ask", answer)
    put_back.put_back(Stack("dev"), lambda: agrees)
    out = capsys.readouterr()
    assert "it (kubernetes:apps/v1:Deployment): spec.template.spec.containers[1]" in out.out
    assert said in out.out + out.err and bool(asked) == agrees


ROLE = "alicloud:ram/role:Role"


def failing(kind: str, message: str) -> str:
    """What the engine tells of a resource that it could not read."""
    said = {"severity": "error", "urn": f"{URN}{kind}::it", "message": f"Preview failed: {message}"}
    return json.dumps({"sequence": 1, "diagnosticEvent": said})


DENIED = failing(ROLE, "refreshing: StatusCode: 403 Code: NoPermission")
CLEAN = result(POOL, "same", state({"a": 1}), state({"a": 1}))


@pytest.mark.parametrize(
    ("answers", "arguments", "status", "said"),
    [
        ([f"{CLEAN}\n{DENIED}", CLEAN], [], 1, ["none differs, 1 could not be read"]),
        ([DENIED, ALONE], [], 7, ["1 changed, 1 could not be read"]),
        ([DENIED, DENIED, ALONE], ["--program"], 7, ["1 changed, 1 could not be read"]),
        (
            [DENIED, failing(POOL, "EOF"), result(HPA, "same", state({}), state({}))],
            [],
            1,
            ["2 could not be read", "did not answer"],
        ),
    ],
)
def test_a_resource_that_can_not_be_read_is_named_and_hides_no_other(
    answers: list[str],
    arguments: list[str],
    status: int,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
) -> None:
    waiting = iter(answers)
    asked: list[tuple[str, ...]] = []

    def ask(stack: Any, *words: str) -> Any:
        asked.append(words)
        return events(next(waiting))

    for name in ("require_good", "require_account"):
        monkeypatch.setattr(command, name, lambda stack: None)
    monkeypatch.setattr(command, "require_cli", lambda: None)
    for module in (command, look):
        monkeypatch.setattr(module, "is_temporary", lambda stack: False)
    monkeypatch.setattr(look, "ask", ask)
    file = tmp_path / "drift.json"
    assert command.main(["--stack", "dev", "--json", str(file), *arguments]) == status
    out = capsys.readouterr().out
    for text in (*said, f"it ({ROLE}): refreshing: StatusCode: 403", "let their RAM user or role"):
        assert text in out, out
    assert not list(waiting) and f"{URN}{ROLE}::it" in asked[-1], "the rest is read without it"
    (row,) = [
        one
        for one in json.loads(file.read_text())
        if one["sort"] == "unknown" and one["kind"] == ROLE
    ]
    assert "NoPermission" in row["cause"] and row["remedy"]


def test_what_was_not_asked_for_before_the_end_is_named_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ask(stack: Any, *words: str) -> Any:
        number = sum(word == "--exclude" for word in words)
        kind = f"alicloud:x/r{number}:R"
        return events(f"{failing(kind, 'EOF')}\n{CLEAN if not number else ''}")

    rows = [
        {"urn": f"{URN}{kind}::it", "type": kind, "custom": True}
        for kind in (POOL, HPA, "pulumi:providers:alicloud")
    ]
    monkeypatch.setattr(look, "ask", ask)
    monkeypatch.setattr(look, "is_temporary", lambda stack: False)
    monkeypatch.setattr(Stack, "export_state", lambda self: {"deployment": {"resources": rows}})
    found = look.read_all(Stack("dev"))
    assert len([one for one in found.unread if one.cause != look.NOT_ASKED]) == look.ROUNDS
    assert [one.urn for one in found.unread if one.cause == look.NOT_ASKED] == [f"{URN}{HPA}::it"]


def test_an_object_that_is_empty_is_not_none_in_the_cluster() -> None:
    """`namespaceSelector: {}` beside `podSelector` opens a policy to every namespace."""
    kind = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
    pod = {"podSelector": {"matchLabels": {"a": "b"}}}
    was = {"spec": {"ingress": [{"from": [pod]}]}}
    now = {"spec": {"ingress": [{"from": [{**pod, "namespaceSelector": {}}]}]}}
    results = without_program(events(read(kind, state(was), state(was, now))))
    assert any(map(is_real, results)), results


def test_of_a_list_of_texts_what_was_added_is_told_and_not_the_whole() -> None:
    was = pods({**SERVING, "args": [f"--long-option-{number}=value" for number in range(20)]})
    now = json.loads(json.dumps(was))
    now["spec"]["template"]["spec"]["containers"][0]["args"].append("--evil")
    (one,) = without_program(events(read(DEPLOYMENT, state(was), state(was, now))))
    assert [(part.path, part.was, part.now) for part in one.properties] == [
        ("spec.template.spec.containers[0].args[20]", "nothing", '"--evil"')
    ]
    assert one.sort == "security"
