"""After a failed run: which resource, why, what to do; and creations whose answer was lost are
noted for the next run.
"""

from __future__ import annotations

import itertools
import json
import pathlib
import subprocess
import time
from typing import Any

import pytest

from ops.cloud.resources import epoch_seconds
from ops.engine import (
    cloud_resources,
    cluster_objects,
    events,
    orphaned_creates,
    pending_operations,
    remediation,
)
from ops.engine.cli import CommandFailed, Stack
from ops.engine.run import run_operation

pytestmark = pytest.mark.usefixtures("own_account")

BUCKET = (
    "urn:pulumi:local::p::inference:storage:ModelStore$alicloud:oss/bucket:Bucket::models-bucket"
)
ROLE = "urn:pulumi:local::p::inference:storage:ModelAccess$alicloud:ram/role:Role::access-role"
STACK = "urn:pulumi:local::p::pulumi:pulumi:Stack::p-local"
NEVER_LIVE = (
    'the Kubernetes API server reported that "n/s" failed to fully initialize or become live: '
)
PATCH = 'Patch "https://10.0.0.10:6444/apis/apps/v1/namespaces/n/deployments/s?fieldManager=pulumi-kubernetes-1636ab61&force=false"'
LOST = 'PutBucket Failed!!! Put "https://b.oss-cn-shanghai.aliyuncs.com/": EOF'


def failed(urn: str, message: str, inputs: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The events of a creation that failed."""
    resource = {
        "urn": urn,
        "type": urn.rsplit("$", maxsplit=1)[-1].split("::", maxsplit=1)[0],
        "custom": True,
        "inputs": inputs or {},
    }
    metadata = {"op": "create", "urn": urn, "type": resource["type"], "new": resource, "old": None}
    return [
        {
            "diagnosticEvent": {
                "urn": urn,
                "severity": "error",
                "message": f"\x1b[31m{message}\x1b[0m\n",
            }
        },
        {"resOpFailedEvent": {"metadata": metadata, "status": 0, "steps": 0}},
        {"diagnosticEvent": {"urn": STACK, "severity": "error", "message": "update failed"}},
    ]


def conflict_with(*managers: str) -> str:
    """The plugin's words when it meets fields of others, recorded from 4.25.0."""
    fields = "\n".join(
        f'conflicts with "{name}":\n- .spec.template.spec.terminationGracePeriodSeconds'
        for name in managers
    )
    return (
        "Server-Side Apply field conflict detected. See https://www.pulumi.com/registry for troubleshooting help.\nThe resource managed by "
        f'field manager "pulumi-kubernetes-3e826a5b" had an apply conflict: Apply failed with 7 conflicts: {fields}'
    )


def log_of(directory: pathlib.Path, *entries: list[dict[str, Any]]) -> pathlib.Path:
    """An event log; its last line was cut off by a kill."""
    path = directory / "events"
    path.write_text(
        "".join(json.dumps(event) + "\n" for entry in entries for event in entry)
        + '{"sequence": 9, "diag'
    )
    return path


class OneRun(Stack):
    """A stack whose CLI fails with these events."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        super().__init__("local")
        self.entries = entries
        self.refreshed: list[str] = []
        self.state: dict[str, Any] = {
            "version": 3,
            "deployment": {"resources": [], "pending_operations": []},
        }

    def code(self, *arguments: str) -> int:
        """`up` fails; `stack import` takes the state; `refresh` changes nothing."""
        if arguments[0] == "up":
            log_of(pathlib.Path(arguments[arguments.index("--event-log") + 1]).parent, self.entries)
            return 255
        if arguments[0] == "refresh":
            self.refreshed = [
                urn for word, urn in itertools.pairwise(arguments) if word == "--target"
            ]
        else:
            self.state = json.loads(pathlib.Path(arguments[-1]).read_text())
        return 0

    def _state_in_lab(self) -> None:
        """In no file."""

    def capture(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`stack export`."""
        return subprocess.CompletedProcess(arguments, 0, json.dumps(self.state), "")


@pytest.fixture(autouse=True)
def _no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.engine.pending_operations.release_stale_locks", list)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("StatusCode: 400\n Code: Throttling.User", remediation.REFUSED_FOR_NOW),
        (
            "oss: service returned error: StatusCode=503, ErrorCode=QpsLimitExceeded",
            remediation.REFUSED_FOR_NOW,
        ),
        (LOST, remediation.UNANSWERED),
        (
            "read tcp 10.0.0.1:1->10.0.0.2:443: read: connection reset by peer",
            remediation.UNANSWERED,
        ),
        (
            "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
            remediation.UNANSWERED,
        ),
        ("StatusCode: 500\n Code: InternalError", remediation.SERVICE),
        ("StatusCode: 409\n Code: EntityAlreadyExists.Role", remediation.EXISTS),
        (
            'The specified bucket name: "b" is not available. The bucket namespace is shared by all users',
            remediation.EXISTS,
        ),
        ("StatusCode: 403\n Code: NoPermission", remediation.FORBIDDEN),
        (
            '"n/s" failed to fully initialize or become live: Server-Side Apply field conflict detected. See',
            remediation.CONFLICT,
        ),
        (
            'namespaces "inference" already exists\n\nThe resource already exists in the cluster.',
            remediation.EXISTS,
        ),
        ("Internal error occurred: etcdserver: leader changed", remediation.SERVICE),
        ("Timeout: request did not complete within requested timeout", remediation.UNANSWERED),
        (
            "the server was unable to return a response in the time allotted, but may still be processing",
            remediation.UNANSWERED,
        ),
        (
            "Operation cannot be fulfilled on deployments.apps: the object has been modified; please apply",
            remediation.CHANGED,
        ),
        ("Too many requests, please try again later.", remediation.REFUSED_FOR_NOW),
        ("invalid vswitch", remediation.OTHER),
        (NEVER_LIVE + f"{PATCH}: EOF", remediation.UNANSWERED),
        (NEVER_LIVE + "Internal error occurred: etcdserver: leader changed", remediation.SERVICE),
        (NEVER_LIVE + "Too many requests, please try again later.", remediation.REFUSED_FOR_NOW),
        (
            NEVER_LIVE
            + "Operation cannot be fulfilled on deployments.apps: the object has been modified; please apply",
            remediation.CHANGED,
        ),
        (
            NEVER_LIVE
            + 'deployments.apps "s" is forbidden: User "u" cannot patch resource "deployments"',
            remediation.FORBIDDEN,
        ),
        (
            NEVER_LIVE
            + "2 errors occurred:\n\t* 's' timed out waiting to be Ready\n\t* [Pod p]: Get \"https://r/v2/\": EOF",
            remediation.NOT_READY,
        ),
        (NEVER_LIVE + "'hpa' timed out waiting to be Ready", remediation.NOT_READY),
        (NEVER_LIVE + "timed out waiting for the condition", remediation.NOT_READY),
        (NEVER_LIVE + conflict_with("pulumi-kubernetes-7d708dd8"), remediation.OWN_CONFLICT),
        (
            NEVER_LIVE + conflict_with("pulumi-kubernetes-7d708dd8", "kubectl-edit"),
            remediation.CONFLICT,
        ),
        (NEVER_LIVE + conflict_with("kubectl-edit"), remediation.CONFLICT),
        (
            'Apply failed with 1 conflict: conflict with "pulumi-kubernetes-7d708dd8": .spec.replicas',
            remediation.OWN_CONFLICT,
        ),
        (
            'Apply failed with 1 conflict: conflict with "helm" using apps/v1: .spec.replicas',
            remediation.CONFLICT,
        ),
    ],
)
def test_the_cause_is_told_from_the_message(message: str, cause: str) -> None:
    assert remediation.cause(message) == cause


def test_every_failed_resource_is_named_with_its_message_and_what_to_do(
    tmp_path: pathlib.Path,
) -> None:
    report = events.read_log(
        log_of(tmp_path, failed(BUCKET, LOST), failed(ROLE, "StatusCode: 403\n Code: NoPermission"))
    )
    lines = remediation.explanation(report, {BUCKET: remediation.ADOPTED})
    assert lines[1] == f"  models-bucket (alicloud:oss/bucket:Bucket), create: {LOST}"
    assert lines[2] == f"    do: {remediation.ADOPTED}"
    assert (
        lines[3]
        == "  access-role (alicloud:ram/role:Role), create: StatusCode: 403 Code: NoPermission"
    )
    assert "may not do this" in lines[4] and len(lines) == 5, "that the update failed is no news"


@pytest.mark.parametrize(
    ("step", "message", "told"),
    [
        ("create", LOST, "the service did not answer: check"),
        ("update", LOST, "whether it was changed is not known"),
        ("delete", LOST, "whether it was deleted is not known"),
        ("refresh", LOST, "the service did not answer: check"),
        ("create", f"{PATCH}: EOF", "the service did not answer: check"),
        ("create", "error reading from server: EOF", "the plugin ended in the middle of it"),
        (
            "delete",
            "error reading from server: connection reset by peer",
            "the plugin ended in the middle of it",
        ),
        (
            "update",
            'connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:3: connect: connection refused"',
            "plugin ended",
        ),
        (
            "update",
            f"{NEVER_LIVE}Operation cannot be fulfilled: the object has been modified",
            "something else changed it at the same moment",
        ),
        (
            "create",
            conflict_with().replace("Apply failed", "the object has been modified"),
            "something else changed it at the same moment",
        ),
        ("update", f"{NEVER_LIVE}{PATCH}: EOF", "whether it was changed is not known"),
        (
            "delete",
            'Delete "https://10.0.0.10:6444/api/v1/namespaces/n": EOF',
            "whether it was deleted is not known",
        ),
        (
            "delete-replaced",
            'Delete "https://10.0.0.10:6444/api/v1/namespaces/n": EOF',
            "whether it was deleted is not known",
        ),
        (
            "update",
            f"{NEVER_LIVE}Internal error occurred: etcdserver: leader changed",
            "the service failed, not the settings",
        ),
        (
            "delete",
            "timed out waiting for the condition",
            "its deletion is ordered, and something holds it",
        ),
        (
            "update",
            f"{NEVER_LIVE}'s' timed out waiting to be Ready",
            "the cluster's own reason is below",
        ),
        (
            "update",
            NEVER_LIVE + conflict_with("pulumi-kubernetes-7d708dd8"),
            "another Pulumi program, or by this one under a state that is",
        ),
        (
            "update",
            NEVER_LIVE + conflict_with("pulumi-kubernetes-7d708dd8", "kubectl"),
            "somebody changed this with another tool",
        ),
    ],
)
def test_what_to_do_is_told_by_what_was_being_done(step: str, message: str, told: str) -> None:
    lines = remediation.explanation(events.Report([events.Failure(ROLE, message, step)], []))
    assert told in lines[2] and NEVER_LIVE not in lines[1]


def test_the_programs_own_message_keeps_its_remedy(tmp_path: pathlib.Path) -> None:
    told = [
        {
            "diagnosticEvent": {
                "urn": STACK,
                "severity": "error",
                "message": "can't look up cluster c: EOF\n  remedy: check the keys",
            }
        }
    ]
    lines = remediation.explanation(events.read_log(log_of(tmp_path, told)))
    assert (
        lines[1].startswith("  the program: can't look up cluster c")
        and lines[2] == "    do: run the same command again afterwards"
    )


@pytest.mark.parametrize(("age", "ours"), [(2.0, True), (4000.0, False), (None, False)])
@pytest.mark.parametrize("message", ["StatusCode: 409\n Code: EntityAlreadyExists.Role", LOST])
def test_what_exists_after_a_lost_answer_is_adopted_if_it_was_made_since_the_run_began(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    message: str,
    age: float | None,
    ours: bool,
) -> None:
    monkeypatch.setattr(
        cloud_resources,
        "created_at",
        lambda stack, kind, inputs: None if age is None else time.time() - age,
    )
    stack = OneRun(failed(ROLE, message, {"roleName": "r"}))
    with pytest.raises(CommandFailed) as caught:
        run_operation(stack, "up")
    assert caught.value.code == 255
    held = [
        (one["urn"], one["id"], one["inputs"]) for one in stack.state["deployment"]["resources"]
    ]
    assert held == ([(ROLE, "r", {"roleName": "r"})] if ours else [])
    assert stack.refreshed == ([ROLE] if ours else [])
    assert ("is in the state now" in capsys.readouterr().err) is ours


def test_when_nobody_can_be_asked_the_person_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_answer(stack: Stack, kind: str, inputs: dict[str, Any]) -> float:
        raise CommandFailed(["ops.cloud.resources"], 1)

    monkeypatch.setattr(cloud_resources, "created_at", no_answer)
    stack = OneRun(failed(BUCKET, LOST, {"bucket": "b"}))
    with pytest.raises(CommandFailed):
        run_operation(stack, "up")
    assert "whether it was made is not known" in capsys.readouterr().err


def test_a_refused_creation_is_not_looked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(cloud_resources, "created_at")
    stack = OneRun(failed(BUCKET, "StatusCode=403, ErrorCode=AccessDenied", {"bucket": "b"}))
    with pytest.raises(CommandFailed):
        run_operation(stack, "up")
    assert stack.state["deployment"]["resources"] == []
    assert "let their RAM user or role do it" in capsys.readouterr().err


INGRESS = "urn:pulumi:local::p::inference:serving:IngressEndpoint$kubernetes:networking.k8s.io/v1:Ingress::entry-ingress"
OBJECT = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"namespace": "n", "name": "entry-ingress-0a1b2c3d"},
}


def object_failed(message: str) -> OneRun:
    """A stack whose Ingress was not answered."""
    return OneRun(failed(INGRESS, message, OBJECT))


@pytest.mark.parametrize(("age", "ours"), [(2.0, True), (4000.0, False), (None, False)])
@pytest.mark.parametrize(
    "message",
    [
        'ingresses.networking.k8s.io "entry-ingress-0a1b2c3d" already exists',
        "error reading from server: EOF",
    ],
)
def test_an_object_of_the_cluster_is_adopted_if_the_plugin_made_it_since_the_run_began(
    monkeypatch: pytest.MonkeyPatch, message: str, age: float | None, ours: bool
) -> None:
    found = (
        None
        if age is None
        else cluster_objects.CreatedObject(time.time() - age, "pulumi-kubernetes-5b9b4ff1")
    )
    monkeypatch.setattr(cluster_objects, "look_up", lambda stack, wanted: [found for _ in wanted])
    stack = object_failed(message)
    with pytest.raises(CommandFailed):
        run_operation(stack, "up")
    held = [
        (one["urn"], one["id"], one["outputs"]) for one in stack.state["deployment"]["resources"]
    ]
    known = {**OBJECT, "__fieldManager": "pulumi-kubernetes-5b9b4ff1"}
    assert held == ([(INGRESS, "n/entry-ingress-0a1b2c3d", known)] if ours else [])


@pytest.mark.parametrize("there", [True, False, None])
def test_one_that_a_killed_run_was_making_keeps_the_name_under_which_it_was_made(
    monkeypatch: pytest.MonkeyPatch, there: bool | None
) -> None:
    """Whether it is there or nobody can be asked: the refresh, which follows, decides on what
    stays.
    """

    def look(
        stack: Stack, wanted: list[dict[str, Any]]
    ) -> list[cluster_objects.CreatedObject | None]:
        if there is None:
            raise CommandFailed(["ops.engine.cluster_objects"], 1)
        return [
            cluster_objects.CreatedObject(1.0, "pulumi-kubernetes-5b9b4ff1") if there else None
            for _ in wanted
        ]

    monkeypatch.setattr(cluster_objects, "look_up", look)
    stack = OneRun([])
    resource = {
        "urn": INGRESS,
        "type": "kubernetes:networking.k8s.io/v1:Ingress",
        "custom": True,
        "inputs": OBJECT,
    }
    stack.state["deployment"]["pending_operations"] = [{"type": "creating", "resource": resource}]
    pending_operations.settle_pending(stack)
    (held,) = stack.state["deployment"]["resources"]
    assert held["id"] == "n/entry-ingress-0a1b2c3d" and stack.refreshed == [INGRESS]
    assert held["outputs"] == (
        {**OBJECT, "__fieldManager": "pulumi-kubernetes-5b9b4ff1"} if there else OBJECT
    )


def test_one_that_was_to_replace_another_takes_its_place_and_the_other_is_deleted_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        cluster_objects,
        "look_up",
        lambda stack, wanted: [cluster_objects.CreatedObject(time.time())],
    )
    stack = object_failed("error reading from server: EOF")
    stack.state["deployment"]["resources"] = [
        {"urn": INGRESS, "type": "kubernetes:networking.k8s.io/v1:Ingress", "id": "n/old"}
    ]
    with pytest.raises(CommandFailed):
        run_operation(stack, "up")
    held = [(one["id"], one.get("delete", False)) for one in stack.state["deployment"]["resources"]]
    assert held == [("n/entry-ingress-0a1b2c3d", False), ("n/old", True)]


def test_what_the_state_has_under_this_id_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        cluster_objects,
        "look_up",
        lambda stack, wanted: [cluster_objects.CreatedObject(time.time())],
    )
    stack = object_failed("error reading from server: EOF")
    known = {
        "urn": INGRESS,
        "type": "kubernetes:networking.k8s.io/v1:Ingress",
        "id": "n/entry-ingress-0a1b2c3d",
    }
    stack.state["deployment"]["resources"] = [dict(known)]
    with pytest.raises(CommandFailed):
        run_operation(stack, "up")
    assert stack.state["deployment"]["resources"] == [known] and stack.refreshed == []


def test_a_cluster_that_does_not_answer_keeps_nothing_of_the_cloud_from_being_adopted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_answer(
        stack: Stack, wanted: list[dict[str, Any]]
    ) -> list[cluster_objects.CreatedObject | None]:
        raise CommandFailed(["ops.engine.cluster_objects"], 1)

    monkeypatch.setattr(cluster_objects, "look_up", no_answer)
    monkeypatch.setattr(cloud_resources, "created_at", lambda stack, kind, inputs: time.time())
    stack = OneRun(
        [
            *failed(INGRESS, "error reading from server: EOF", OBJECT),
            *failed(ROLE, LOST, {"roleName": "r"}),
        ]
    )
    with pytest.raises(CommandFailed):
        run_operation(stack, "up")
    assert [one["id"] for one in stack.state["deployment"]["resources"]] == ["r"]
    told = capsys.readouterr().err
    assert "whether it was made is not known" in told and "is in the state now" in told


class Answers:
    """An API server with one Ingress and its list of kinds."""

    def __init__(self, *fields: dict[str, str]) -> None:
        self._fields = fields

    def get(self, path: str) -> dict[str, Any]:
        """See ops.cloud.cluster_reader.Inside.get."""
        kinds = [
            {"name": "ingresses/status", "kind": "Ingress", "namespaced": True},
            {"name": "ingresses", "kind": "Ingress", "namespaced": True},
        ]
        found = {
            "metadata": {
                "creationTimestamp": "2026-11-30T10:00:00Z",
                "managedFields": list(self._fields),
            }
        }
        group = "/apis/networking.k8s.io/v1"
        return {
            group: {"resources": kinds},
            f"{group}/namespaces/n/ingresses/entry-ingress-0a1b2c3d": found,
        }.get(path, {})


def wrote(manager: str, operation: str = "Apply", second: int = 0) -> dict[str, str]:
    """Whose some fields are, by the object itself."""
    return {"manager": manager, "operation": operation, "time": f"2026-11-30T10:00:{second:02}Z"}


@pytest.mark.parametrize(
    ("fields", "manager"),
    [
        (
            [wrote("traefik", "Update", 1), wrote("pulumi-kubernetes-5b9b4ff1")],
            "pulumi-kubernetes-5b9b4ff1",
        ),
        (
            [wrote("pulumi-kubernetes-aaaaaaaa", second=9), wrote("pulumi-kubernetes-5b9b4ff1")],
            "pulumi-kubernetes-5b9b4ff1",
        ),
        ([wrote("pulumi-kubernetes", "Update")], ""),
        ([wrote("kubectl-client-side-apply", "Update")], None),
    ],
)
def test_only_what_the_plugin_made_counts_and_under_which_name_it_made_it(
    fields: list[dict[str, str]], manager: str | None
) -> None:
    """An apply by another stack of the same object comes later; a creation since 4.29.0 has the
    name that all have.
    """
    assert cluster_objects.find(Answers(*fields), OBJECT) == (
        None
        if manager is None
        else cluster_objects.CreatedObject(epoch_seconds("2026-11-30T10:00:00Z"), manager)
    )
    assert (
        cluster_objects.find(
            Answers(*fields), {**OBJECT, "metadata": {"namespace": "n", "name": "another"}}
        )
        is None
    )
    assert cluster_objects.find(Answers(*fields), {**OBJECT, "kind": "IngressClass"}) is None


ANSWER = json.dumps([cluster_objects.CreatedObject(12.0, "pulumi-kubernetes-5b9b4ff1"), None])


@pytest.mark.parametrize("refused", [1, cluster_objects.ATTEMPTS])
def test_a_cluster_that_does_not_answer_is_asked_again_before_it_is_given_up(
    monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    asked: list[int] = []

    def answer(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        asked.append(1)
        good = len(asked) > refused
        return subprocess.CompletedProcess(
            command, 0 if good else 1, ANSWER if good else "", "" if good else "error: no answer"
        )

    monkeypatch.setattr("ops.engine.cli.subprocess.run", answer)
    monkeypatch.setattr(cluster_objects, "PAUSE", 0.0)
    if refused < cluster_objects.ATTEMPTS:
        assert cluster_objects.look_up(Stack("local"), [OBJECT, OBJECT]) == [
            cluster_objects.CreatedObject(12.0, "pulumi-kubernetes-5b9b4ff1"),
            None,
        ]
    else:
        with pytest.raises(CommandFailed):
            cluster_objects.look_up(Stack("local"), [OBJECT])
    assert len(asked) == min(refused + 1, cluster_objects.ATTEMPTS)


def test_what_is_adopted_holds_no_secret_that_the_cli_would_have_to_decrypt() -> None:
    """Recorded: the event of a Secret's creation has "[secret]" where the state has the encrypted
    value, and the CLI refused that state.
    """
    mark = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
    inputs = {
        "data": {**mark, "ciphertext": "[secret]"},
        "list": [{"one": mark}],
        "metadata": {"name": "entry-users-52c93e87"},
    }
    failure = events.Failure("urn", "EOF", "create", {"urn": "urn", "inputs": inputs, "id": ""})
    hidden = {**mark, "plaintext": '"[secret]"'}
    adopted = orphaned_creates.as_resource(failure)
    assert adopted == {
        "urn": "urn",
        "inputs": {
            "data": hidden,
            "list": [{"one": hidden}],
            "metadata": {"name": "entry-users-52c93e87"},
        },
    }


MATRIX = "tests/prove/test_c3_fault_matrix.py"
"""Each failed run has to say what to do, and the same command again ends well."""
TRIED = {
    remediation.FORBIDDEN: "tests/e2e/test_advice.py",
    remediation.CONFLICT: "tests/e2e/test_drift.py",
    remediation.NOT_READY: "tests/e2e/test_waits.py",
    remediation.UNANSWERED: "tests/plugins/engine/test_faults.py",
    remediation.REFUSED_FOR_NOW: MATRIX,
    remediation.SERVICE: MATRIX,
    remediation.CHANGED: MATRIX,
    remediation.PLUGIN_ENDED: MATRIX,
}
"""Which test brings a cause about and follows its advice to the end."""
UNTRIED = {
    remediation.EXISTS,
    remediation.OTHER,
    remediation.NOT_GONE,
    remediation.OWN_CONFLICT,
    remediation.HELM_PENDING,
}
"""Causes whose advice no test follows yet."""


def test_every_cause_names_the_test_that_follows_its_advice_or_that_there_is_none() -> None:
    assert TRIED.keys() | UNTRIED == remediation._ADVICE.keys() and not TRIED.keys() & UNTRIED
    root = pathlib.Path(__file__).resolve().parents[2]
    assert [path for path in TRIED.values() if not (root / path).is_file()] == []
