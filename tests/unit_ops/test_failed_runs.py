"""After a failed run: which resource, why, what to do; and creations whose answer was lost are noted for the next run."""

from __future__ import annotations

import itertools
import json
import pathlib
import subprocess
import time
from typing import Any

import pytest

from ops import advice, events, lost, objects, update
from ops.lookup import epoch
from ops.pulumi import CommandFailed, Stack

BUCKET = "urn:pulumi:local::p::inference:storage:ModelStore$alicloud:oss/bucket:Bucket::models-bucket"
ROLE = "urn:pulumi:local::p::inference:storage:ModelAccess$alicloud:ram/role:Role::access-role"
STACK = "urn:pulumi:local::p::pulumi:pulumi:Stack::p-local"
LOST = 'PutBucket Failed!!! Put "https://b.oss-cn-shanghai.aliyuncs.com/": EOF'


def failed(urn: str, message: str, inputs: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """The events of a creation that failed."""
    resource = {"urn": urn, "type": urn.split("$")[-1].split("::")[0], "custom": True, "inputs": inputs or {}}
    metadata = {"op": "create", "urn": urn, "type": resource["type"], "new": resource, "old": None}
    return [
        {"diagnosticEvent": {"urn": urn, "severity": "error", "message": f"\x1b[31m{message}\x1b[0m\n"}},
        {"resOpFailedEvent": {"metadata": metadata, "status": 0, "steps": 0}},
        {"diagnosticEvent": {"urn": STACK, "severity": "error", "message": "update failed"}},
    ]


def log_of(directory: pathlib.Path, *entries: list[dict[str, Any]]) -> pathlib.Path:
    """An event log; its last line was cut off by a kill."""
    path = directory / "events"
    path.write_text("".join(json.dumps(event) + "\n" for entry in entries for event in entry) + '{"sequence": 9, "diag')
    return path


class OneRun(Stack):
    """A stack whose CLI fails with these events."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        super().__init__("local")
        self.entries = entries
        self.refreshed: list[str] = []
        self.state: dict[str, Any] = {"version": 3, "deployment": {"resources": [], "pending_operations": []}}

    def code(self, *arguments: str) -> int:
        """`up` fails; `stack import` takes the state; `refresh` changes nothing."""
        if arguments[0] == "up":
            log_of(pathlib.Path(arguments[arguments.index("--event-log") + 1]).parent, self.entries)
            return 255
        if arguments[0] == "refresh":
            self.refreshed = [urn for word, urn in itertools.pairwise(arguments) if word == "--target"]
        else:
            self.state = json.loads(pathlib.Path(arguments[-1]).read_text())
        return 0

    def saved_state(self) -> None:
        """In no file."""

    def capture(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`stack export`."""
        return subprocess.CompletedProcess(arguments, 0, json.dumps(self.state), "")


@pytest.fixture(autouse=True)
def _no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.recover.release_dead", list)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("StatusCode: 400\n Code: Throttling.User", advice.REFUSED_FOR_NOW),
        ("oss: service returned error: StatusCode=503, ErrorCode=QpsLimitExceeded", advice.REFUSED_FOR_NOW),
        (LOST, advice.UNANSWERED),
        ("read tcp 10.0.0.1:1->10.0.0.2:443: read: connection reset by peer", advice.UNANSWERED),
        ("net/http: request canceled (Client.Timeout exceeded while awaiting headers)", advice.UNANSWERED),
        ("StatusCode: 500\n Code: InternalError", advice.SERVICE),
        ("StatusCode: 409\n Code: EntityAlreadyExists.Role", advice.EXISTS),
        ('The specified bucket name: "b" is not available. The bucket namespace is shared by all users', advice.EXISTS),
        ("StatusCode: 403\n Code: NoPermission", advice.FORBIDDEN),
        (
            '"n/s" failed to fully initialize or become live: Server-Side Apply field conflict detected. See',
            advice.CONFLICT,
        ),
        ('namespaces "inference" already exists\n\nThe resource already exists in the cluster.', advice.EXISTS),
        ("Internal error occurred: etcdserver: leader changed", advice.SERVICE),
        ("Timeout: request did not complete within requested timeout", advice.UNANSWERED),
        ("the server was unable to return a response in the time allotted, but may still be processing", advice.UNANSWERED),
        ("Operation cannot be fulfilled on deployments.apps: the object has been modified; please apply", advice.CHANGED),
        ("Too many requests, please try again later.", advice.REFUSED_FOR_NOW),
        ("invalid vswitch", advice.OTHER),
    ],
)
def test_the_cause_is_told_from_the_message(message: str, cause: str) -> None:
    assert advice.cause(message) == cause


def test_every_failed_resource_is_named_with_its_message_and_what_to_do(tmp_path: pathlib.Path) -> None:
    report = events.read(log_of(tmp_path, failed(BUCKET, LOST), failed(ROLE, "StatusCode: 403\n Code: NoPermission")))
    lines = advice.explanation(report, {BUCKET: advice.TAKEN_OVER})
    assert lines[1] == f"  models-bucket (alicloud:oss/bucket:Bucket), create: {LOST}"
    assert lines[2] == f"    do: {advice.TAKEN_OVER}"
    assert lines[3] == "  access-role (alicloud:ram/role:Role), create: StatusCode: 403 Code: NoPermission"
    assert "may not do this" in lines[4] and len(lines) == 5, "that the update failed is no news"


def test_the_programs_own_message_keeps_its_remedy(tmp_path: pathlib.Path) -> None:
    told = [{"diagnosticEvent": {"urn": STACK, "severity": "error", "message": "can't look up cluster c: EOF\n  remedy: check the keys"}}]
    lines = advice.explanation(events.read(log_of(tmp_path, told)))
    assert lines[1].startswith("  the program: can't look up cluster c") and lines[2] == "    do: run the same command again afterwards"


@pytest.mark.parametrize(("age", "ours"), [(2.0, True), (4000.0, False), (None, False)])
@pytest.mark.parametrize("message", ["StatusCode: 409\n Code: EntityAlreadyExists.Role", LOST])
def test_what_exists_after_a_lost_answer_is_adopted_if_it_was_made_since_the_run_began(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], message: str, age: float | None, ours: bool
) -> None:
    monkeypatch.setattr(lost, "made_at", lambda stack, kind, inputs: None if age is None else time.time() - age)
    stack = OneRun(failed(ROLE, message, {"roleName": "r"}))
    with pytest.raises(CommandFailed) as caught:
        update.run(stack, "up")
    assert caught.value.code == 255
    held = [(one["urn"], one["id"], one["inputs"]) for one in stack.state["deployment"]["resources"]]
    assert held == ([(ROLE, "r", {"roleName": "r"})] if ours else [])
    assert stack.refreshed == ([ROLE] if ours else [])
    assert ("is in the state now" in capsys.readouterr().err) is ours


def test_when_nobody_can_be_asked_the_person_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def no_answer(stack: Stack, kind: str, inputs: dict[str, Any]) -> float:
        raise CommandFailed(["ops.lookup"], 1)

    monkeypatch.setattr(lost, "made_at", no_answer)
    stack = OneRun(failed(BUCKET, LOST, {"bucket": "b"}))
    with pytest.raises(CommandFailed):
        update.run(stack, "up")
    assert "whether it was made is not known" in capsys.readouterr().err


def test_a_refused_creation_is_not_looked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delattr(lost, "made_at")
    stack = OneRun(failed(BUCKET, "StatusCode=403, ErrorCode=AccessDenied", {"bucket": "b"}))
    with pytest.raises(CommandFailed):
        update.run(stack, "up")
    assert stack.state["deployment"]["resources"] == []
    assert "let their RAM user or role do it" in capsys.readouterr().err


INGRESS = "urn:pulumi:local::p::inference:serving:Entry$kubernetes:networking.k8s.io/v1:Ingress::entry-ingress"
OBJECT = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"namespace": "n", "name": "entry-ingress-0a1b2c3d"}}


def object_failed(message: str) -> OneRun:
    """A stack whose Ingress was not answered."""
    return OneRun(failed(INGRESS, message, OBJECT))


@pytest.mark.parametrize(("age", "ours"), [(2.0, True), (4000.0, False), (None, False)])
@pytest.mark.parametrize(
    "message", ['ingresses.networking.k8s.io "entry-ingress-0a1b2c3d" already exists', "error reading from server: EOF"]
)
def test_an_object_of_the_cluster_is_adopted_if_the_plugin_made_it_since_the_run_began(
    monkeypatch: pytest.MonkeyPatch, message: str, age: float | None, ours: bool
) -> None:
    monkeypatch.setattr(objects, "made_at", lambda stack, wanted: [None if age is None else time.time() - age for _ in wanted])
    stack = object_failed(message)
    with pytest.raises(CommandFailed):
        update.run(stack, "up")
    held = [(one["urn"], one["id"]) for one in stack.state["deployment"]["resources"]]
    assert held == ([(INGRESS, "n/entry-ingress-0a1b2c3d")] if ours else [])


def test_one_that_was_to_replace_another_takes_its_place_and_the_other_is_deleted_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "made_at", lambda stack, wanted: [time.time()])
    stack = object_failed("error reading from server: EOF")
    stack.state["deployment"]["resources"] = [{"urn": INGRESS, "type": "kubernetes:networking.k8s.io/v1:Ingress", "id": "n/old"}]
    with pytest.raises(CommandFailed):
        update.run(stack, "up")
    held = [(one["id"], one.get("delete", False)) for one in stack.state["deployment"]["resources"]]
    assert held == [("n/entry-ingress-0a1b2c3d", False), ("n/old", True)]


def test_what_the_state_has_under_this_id_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "made_at", lambda stack, wanted: [time.time()])
    stack = object_failed("error reading from server: EOF")
    known = {"urn": INGRESS, "type": "kubernetes:networking.k8s.io/v1:Ingress", "id": "n/entry-ingress-0a1b2c3d"}
    stack.state["deployment"]["resources"] = [dict(known)]
    with pytest.raises(CommandFailed):
        update.run(stack, "up")
    assert stack.state["deployment"]["resources"] == [known] and stack.refreshed == []


def test_a_cluster_that_does_not_answer_keeps_nothing_of_the_cloud_from_being_adopted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_answer(stack: Stack, wanted: list[dict[str, Any]]) -> list[float | None]:
        raise CommandFailed(["ops.objects"], 1)

    monkeypatch.setattr(objects, "made_at", no_answer)
    monkeypatch.setattr(lost, "made_at", lambda stack, kind, inputs: time.time())
    stack = OneRun([*failed(INGRESS, "error reading from server: EOF", OBJECT), *failed(ROLE, LOST, {"roleName": "r"})])
    with pytest.raises(CommandFailed):
        update.run(stack, "up")
    assert [one["id"] for one in stack.state["deployment"]["resources"]] == ["r"]
    told = capsys.readouterr().err
    assert "whether it was made is not known" in told and "is in the state now" in told


class Answers:
    """An API server with one Ingress and its list of kinds."""

    def __init__(self, *managers: str) -> None:
        self._managers = managers

    def get(self, path: str) -> dict[str, Any]:
        """See ops.teardown.inside.Inside.get."""
        kinds = [
            {"name": "ingresses/status", "kind": "Ingress", "namespaced": True},
            {"name": "ingresses", "kind": "Ingress", "namespaced": True},
        ]
        fields = [{"manager": name} for name in self._managers]
        found = {"metadata": {"creationTimestamp": "2026-11-30T10:00:00Z", "managedFields": fields}}
        group = "/apis/networking.k8s.io/v1"
        return {group: {"resources": kinds}, f"{group}/namespaces/n/ingresses/entry-ingress-0a1b2c3d": found}.get(path, {})


@pytest.mark.parametrize(
    ("managers", "made"),
    [(("pulumi-kubernetes-5b9b4ff1", "traefik"), True), (("pulumi-kubernetes",), True), (("kubectl-client-side-apply",), False)],
)
def test_only_what_the_plugin_made_counts(managers: tuple[str, ...], made: bool) -> None:
    found = objects.made(Answers(*managers), OBJECT)
    assert found == (epoch("2026-11-30T10:00:00Z") if made else None)
    assert objects.made(Answers(*managers), {**OBJECT, "metadata": {"namespace": "n", "name": "another"}}) is None
    assert objects.made(Answers(*managers), {**OBJECT, "kind": "IngressClass"}) is None


@pytest.mark.parametrize("refused", [1, objects.LOOKS])
def test_a_cluster_that_does_not_answer_is_asked_again_before_it_is_given_up(monkeypatch: pytest.MonkeyPatch, refused: int) -> None:
    asked: list[int] = []

    def answer(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        asked.append(1)
        good = len(asked) > refused
        return subprocess.CompletedProcess(command, 0 if good else 1, "[12.0]" if good else "", "" if good else "error: no answer")

    monkeypatch.setattr(objects.subprocess, "run", answer)
    monkeypatch.setattr(objects, "PAUSE", 0.0)
    if refused < objects.LOOKS:
        assert objects.made_at(Stack("local"), [OBJECT]) == [12.0]
    else:
        with pytest.raises(CommandFailed):
            objects.made_at(Stack("local"), [OBJECT])
    assert len(asked) == min(refused + 1, objects.LOOKS)


def test_what_is_adopted_holds_no_secret_that_the_cli_would_have_to_decrypt() -> None:
    """Recorded: the event of a Secret's creation has "[secret]" where the state has the encrypted value, and the CLI refused that state."""
    mark = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}
    inputs = {"data": {**mark, "ciphertext": "[secret]"}, "list": [{"one": mark}], "metadata": {"name": "entry-users-52c93e87"}}
    failure = events.Failure("urn", "EOF", "create", {"urn": "urn", "inputs": inputs, "id": ""})
    hidden = {**mark, "plaintext": '"[secret]"'}
    adopted = lost.as_resource(failure)
    assert adopted == {"urn": "urn", "inputs": {"data": hidden, "list": [{"one": hidden}], "metadata": {"name": "entry-users-52c93e87"}}}
