"""What the interruption handler's token may do and what it may not, told by the API server itself.

Every act is a dry run: it passes authorization and admission, and changes nothing. What is refused
to the handler is tried by the administrator as well: an act that nobody could do would prove
nothing.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
import yaml

from interruption_handler import actions, metrics
from interruption_handler.config import Config
from interruption_handler.events import CONTROLLER, Event, Recorder
from interruption_handler.kube import Api
from interruption_handler.snapshot import Node, Pod, node_of, pod_of
from lab.kube import JSON, MERGE, BlockingKube, KubeError, Object
from lab.testing.figures import figure
from ops.prerequisites import system_nodes
from tests.e2e.harness import HANG, Lab
from tests.unit.program import run
from tests.unit.test_handler_events import OBJECTS

OWN = "inference-interruption"
PODS = "/api/v1/namespaces/inference/pods"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{}/leases"
EVENTS = "/apis/events.k8s.io/v1/namespaces/{}/events"
RIGHTS = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
POLICY, RBAC = "ValidatingAdmissionPolicy", "cannot"
"""What stands in the refusal of either."""
NOWHERE = {"no-such-label": "true"}
"""Selects no node: the pod waits for ever."""


class DryRun(Api):
    """The handler's own client; its writes change nothing."""

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = JSON
    ) -> dict[str, Any]:
        if method == "DELETE":  # a body's options replace those of the address
            return super().call(method, path, {**body, "dryRun": ["All"]}, content_type)
        return super().call(method, dry(method, path), body, content_type)


@dataclass
class Rights:
    """The cluster as the administrator and as the handler's account see it."""

    lab: Lab
    admin: BlockingKube
    handler: BlockingKube
    api: DryRun
    config: Config
    account: str
    node: Object
    """A node of the stack's pool."""
    other_node: Object
    """A node of another pool."""
    pod: Object
    """A pod of the model server."""
    detached: Object
    """A pod of the model server, as it is when the handler has detached it."""
    stranger: Object
    """A pod of another application in the stack's namespace."""
    events: dict[str, str]
    """Paths of two Events: `own`, and one `of another` reporter."""
    undo: list[str] = field(default_factory=list)

    def refusal(self, who: BlockingKube, act: Act) -> str:
        """The message of a refusal for want of a right; "" for every other answer."""
        try:
            who.request(act.method, dry(act.method, act.path), act.body, act.content_type)
        except KubeError as error:
            return error.message if error.status == 403 else ""
        return ""

    def make(self, path: str, document: Object) -> Object:
        """Creates an object that `close` deletes."""
        made = self.admin.request("POST", path, document)
        self.undo.append(f"{path}/{made['metadata']['name']}")
        return made

    def close(self) -> None:
        """Deletes what `make` made, and the connections."""
        for path in reversed(self.undo):
            self.admin.request("DELETE", path, {"gracePeriodSeconds": 0})
        for client in (self.admin, self.handler):
            client.close()


@dataclass(frozen=True)
class Act:
    """One request, and who has to refuse it."""

    what: str
    refuses: str
    method: str
    path: str
    body: Any = None

    @property
    def content_type(self) -> str:
        return MERGE if self.method == "PATCH" else JSON


def dry(method: str, path: str) -> str:
    """The path of a request that changes nothing."""
    if method == "GET":
        return path
    return f"{path}{'&' if '?' in path else '?'}dryRun=All"


def kubeconfig(lab: Lab, token: str, directory: Path) -> Path:
    """The host's kubeconfig with another identity."""
    document = yaml.safe_load((lab.home / "kubeconfig-host").read_text())
    document["users"] = [{**document["users"][0], "user": {"token": token}}]
    path = directory / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


def waiting_pod(name: str, **metadata: Any) -> Object:
    """A pod that is never placed."""
    container = {
        "name": "wait",
        "image": "registry.cn-shanghai.aliyuncs.com/none/none:1",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **metadata},
        "spec": {
            "nodeSelector": NOWHERE,
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        },
    }


def token_of(admin: BlockingKube, account: str) -> str:
    """A token as the kubelet asks for it for the account's pods."""
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 3600},
    }
    path = f"/api/v1/namespaces/{OWN}/serviceaccounts/{account}/token"
    return admin.request("POST", path, body)["status"]["token"]


@pytest.fixture
def rights(deployed: Lab, tmp_path: Path) -> Iterator[Rights]:
    """The deployed handler's account, and objects for it to try its rights on. Afterwards the stack
    is as it was.
    """
    settled = deployed.settled
    admin = BlockingKube(deployed.home / "kubeconfig-host", timeout=HANG)
    (account,) = (
        item["metadata"]["name"]
        for item in admin.get(f"/api/v1/namespaces/{OWN}/serviceaccounts")["items"]
        if (item["metadata"].get("labels") or {}).get("app") == "interruption-handler"
    )
    token = token_of(admin, account)
    path = kubeconfig(deployed, token, tmp_path)
    config = deployed_config(admin)
    nodes = admin.get("/api/v1/nodes")["items"]
    own, others = (
        [n for n in nodes if (n["metadata"]["labels"].get("inference-stack") == "local") is ours]
        for ours in (True, False)
    )
    serving = [
        one
        for one in admin.get(PODS)["items"]
        if (pod := pod_of(one, config.selector))
        and pod.role == "serving"
        and pod.ready
        and pod.template_hash
    ]
    rights = Rights(
        lab=deployed,
        admin=admin,
        handler=BlockingKube(path, timeout=HANG),
        api=DryRun(*address(path), the_account(path, token, tmp_path), timeout=HANG),
        config=config,
        account=account,
        node=own[0],
        other_node=others[0],
        pod=serving[0],
        detached={},
        stranger={},
        events={},
    )
    try:
        rights.stranger = rights.make(PODS, waiting_pod("rights-stranger", labels={"app": "other"}))
        rights.detached = rights.make(
            PODS,
            waiting_pod(
                "bert-tfserving-rights-detached",
                labels={**config.selector, "elastic-inference/detached": "notice"},
                annotations={
                    "elastic-inference/template-hash": "abc",
                    "elastic-inference/detached-by": config.name,
                },
            ),
        )
        for whose, reporter in (("own", CONTROLLER), ("of another", "kubelet")):
            path = EVENTS.format("default")
            made = rights.make(path, event(rights.node, f"rights.{whose[-1]}", reporter))
            rights.events[whose] = f"{path}/{name(made)}"
        yield rights
    finally:
        rights.close()
        deployed.settled = settled


def deployed_config(admin: BlockingKube) -> Config:
    """What the deployed handler was told."""
    (config,) = (
        item["data"]["settings.json"]
        for item in admin.get(f"/api/v1/namespaces/{OWN}/configmaps")["items"]
        if "settings.json" in (item.get("data") or {})
    )
    return Config.read(config)


def address(kubeconfig: Path) -> tuple[str, int]:
    """Host and port of the API server."""
    server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    host, _, port = server.removeprefix("https://").partition(":")
    return host, int(port)


def the_account(kubeconfig: Path, token: str, directory: Path) -> Path:
    """The directory that a pod finds its account in."""
    cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
    account = directory / "account"
    account.mkdir()
    (account / "ca.crt").write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    (account / "token").write_text(token)
    return account


def event(node: Object, called: str, reporter: str, place: str = "default") -> Object:
    """An Event about a node."""
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": called, "namespace": place},
        "eventTime": moment,
        "reportingController": reporter,
        "reportingInstance": "test",
        "action": "Cordon",
        "reason": "Cordoned",
        "regarding": {"kind": "Node", "apiVersion": "v1", "name": name(node)},
        "note": "a test",
        "type": "Normal",
    }


SERIES = {"series": {"count": 2, "lastObservedTime": "2027-01-15T08:00:00.000000Z"}}


def forbidden(rights: Rights) -> list[Act]:
    """Acts that would harm others, and those that RBAC alone would let pass."""
    config = rights.config
    node, pod = f"/api/v1/nodes/{name(rights.node)}", f"{PODS}/{name(rights.pod)}"
    other_node, stranger = f"/api/v1/nodes/{name(rights.other_node)}", f"{PODS}/rights-stranger"
    mark = {"annotations": {"elastic-inference/cordoned": "notice"}}
    cordon = {"metadata": mark, "spec": {"unschedulable": True}}
    taint = {"key": "mine", "value": "x", "effect": "NoExecute"}
    evict = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "rights-stranger", "namespace": "inference"},
    }
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "another"},
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "mine"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "cluster-admin",
        },
        "subjects": [{"kind": "ServiceAccount", "name": rights.account, "namespace": OWN}],
    }
    (role,) = (
        name(one)
        for one in rights.admin.get(f"{RIGHTS}/clusterroles")["items"]
        if name(one).startswith("interruption-nodes")
    )
    (limits,) = (
        name(one)
        for one in rights.admin.get(f"{ADMISSION}/validatingadmissionpolicybindings")["items"]
        if name(one).startswith("interruption-limits")
    )
    container = rights.pod["spec"]["containers"][0]["name"]
    image = {"spec": {"containers": [{"name": container, "image": "evil:1"}]}}
    system = admin_pod(rights)
    return [
        Act("cordon a node of another pool", POLICY, "PATCH", other_node, cordon),
        Act("cordon without saying so", POLICY, "PATCH", node, {"spec": cordon["spec"]}),
        Act("label a node", POLICY, "PATCH", node, {"metadata": {"labels": {"mine": "x"}}}),
        Act("take a node out of its pool", POLICY, "PATCH", node,
            {"metadata": {"labels": {"inference-stack": None}}}),
        Act("taint a node", POLICY, "PATCH", node, {"spec": {"taints": [taint]}}),
        Act("annotate a node", POLICY, "PATCH", node, {"metadata": {"annotations": {"mine": "x"}}}),
        Act("hold a node by a finalizer", POLICY, "PATCH", node,
            {"metadata": {"finalizers": ["example.com/mine"]}}),
        Act("delete a node", RBAC, "DELETE", node),
        Act("write a node's status", RBAC, "PATCH", f"{node}/status",
            {"status": {"nodeInfo": {"kubeletVersion": "v0"}}}),
        Act("change a pod's image", POLICY, "PATCH", pod, strategic(rights.pod, image)),
        Act("take a pod off its Service", POLICY, "PATCH", pod,
            {"metadata": {"labels": {"app": "mine"}}}),
        Act("annotate a pod", POLICY, "PATCH", pod, {"metadata": {"annotations": {"mine": "x"}}}),
        Act("take a pod from its owner", POLICY, "PATCH", pod,
            {"metadata": {"ownerReferences": None}}),
        Act("give a pod to another ReplicaSet", POLICY, "PATCH",
            f"{PODS}/{name(rights.detached)}",
            {"metadata": {"labels": {"pod-template-hash": "other"}}}),
        Act("note a false ReplicaSet on a pod", POLICY, "PATCH", pod,
            {"metadata": {"annotations": {"elastic-inference/template-hash": "other"}}}),
        Act("detach a pod of another application", POLICY, "PATCH", stranger,
            {"metadata": {"labels": {"elastic-inference/detached": "notice"}}}),
        Act("make another application's pod its own", POLICY, "PATCH", stranger,
            {"metadata": {"annotations": {"elastic-inference/detached-by": config.name}}}),
        Act("delete a pod of another application", POLICY, "DELETE", stranger),
        Act("evict a pod of another application", POLICY, "POST", f"{stranger}/eviction", evict),
        Act("change a pod of another namespace", RBAC, "PATCH", system,
            {"metadata": {"labels": {"mine": "x"}}}),
        Act("create a pod", RBAC, "POST", PODS, waiting_pod("mine")),
        Act("run a command in a pod", RBAC, "POST", f"{pod}/exec?command=id&stdout=true"),
        Act("read Secrets", RBAC, "GET", "/api/v1/namespaces/inference/secrets"),
        Act("read its own namespace's Secrets", RBAC, "GET", f"/api/v1/namespaces/{OWN}/secrets"),
        Act("get another account's token", RBAC, "POST",
            "/api/v1/namespaces/inference/serviceaccounts/default/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}),
        Act("scale the model server", RBAC, "PATCH",
            f"/apis/apps/v1/namespaces/inference/deployments/{config.deployment}",
            {"spec": {"replicas": 0}}),
        Act("create another Lease", POLICY, "POST", LEASES.format("inference"), lease),
        Act("write the scheduler's Lease", RBAC, "PATCH",
            f"{LEASES.format('kube-system')}/kube-scheduler", {"metadata": {"labels": {"mine": "x"}}}),
        Act("change its own role", RBAC, "PATCH", f"{RIGHTS}/clusterroles/{role}", {"rules": []}),
        Act("make itself an administrator", RBAC, "POST", f"{RIGHTS}/clusterrolebindings", binding),
        Act("lift its limits", RBAC, "DELETE",
            f"{ADMISSION}/validatingadmissionpolicybindings/{limits}"),
        Act("speak in another's name", POLICY, "POST", EVENTS.format("default"),
            event(rights.node, "rights.x", "kubelet")),
        Act("report in another namespace", RBAC, "POST", EVENTS.format("kube-system"),
            event(rights.node, "rights.x", CONTROLLER, "kube-system")),
        Act("count another's Event", POLICY, "PATCH", rights.events["of another"], SERIES),
        Act("delete an Event", RBAC, "DELETE", rights.events["own"]),
        Act("run another handler", RBAC, "PATCH",
            f"/apis/apps/v1/namespaces/{OWN}/deployments/{config.name}", {"spec": {"replicas": 9}}),
    ]  # fmt: skip


def name(one: Object) -> str:
    return one["metadata"]["name"]


def strategic(pod: Object, change: Object) -> Object:
    """A merge patch replaces lists whole: the container as it is, with the change."""
    (changed,) = change["spec"]["containers"]
    first, *rest = pod["spec"]["containers"]
    return {"spec": {"containers": [{**first, **changed}, *rest]}}


def admin_pod(rights: Rights) -> str:
    """Path of a pod of another namespace."""
    made = rights.make("/api/v1/namespaces/kube-public/pods", waiting_pod("rights-elsewhere"))
    return f"/api/v1/namespaces/kube-public/pods/{name(made)}"


def test_the_handlers_token_is_refused_what_the_handler_never_does(rights: Rights) -> None:
    acts = forbidden(rights)
    told = {act.what: rights.refusal(rights.handler, act) for act in acts}
    assert [what for what, message in told.items() if not message] == []
    assert [act.what for act in acts if act.refuses not in told[act.what]] == [], told
    allowed_to_nobody = [act.what for act in acts if rights.refusal(rights.admin, act)]
    assert allowed_to_nobody == []
    by_policy = sum(act.refuses == POLICY for act in acts)
    assert len(acts) >= 12 and by_policy >= 12
    figure(
        f"the handler's token: {len(acts)} forbidden acts, all refused, {by_policy} of them by the admission policy alone"
    )


def needed(rights: Rights, node: Node, pod: Pod, detached: Pod) -> list[actions.Action]:
    """Each act of the handler once."""
    return [
        actions.Cordon(node, "notice"),
        actions.Uncordon(node, "test"),
        actions.Detach(pod, "notice"),
        actions.Reattach(detached, "test"),
        actions.Evict(detached, "test"),
        actions.Delete(pod, "test", grace=0),
        actions.ForceDelete(replace(pod, node="no-such-node")),
        actions.SetDeletionCost(pod, -3),
        actions.SaveNote("elastic-inference/mix", "{}"),
    ]


def lasting(api: Api, config: Config) -> Any:
    """Writes a note as `Lease` does."""
    path = f"{LEASES.format(config.namespace)}/{config.name}"
    return lambda key, value: api.patch(path, {"metadata": {"annotations": {key: value}}})


def test_the_handlers_token_may_do_all_that_the_handler_does(
    rights: Rights, capfd: pytest.CaptureFixture[str]
) -> None:
    api, config = rights.api, rights.config
    executor = actions.Executor(api, config, lasting(api, config))
    pod, detached = (pod_of(one, config.selector) for one in (rights.pod, rights.detached))
    assert pod and detached
    # The objects may change meanwhile, which is refused for another reason.
    acts = needed(
        rights,
        replace(node_of(rights.node), version=""),
        replace(pod, version=""),
        replace(detached, version=""),
    )
    done = {type(act).__name__: executor.perform(act) is not None for act in acts}
    assert all(done.values()), (done, capfd.readouterr().out)
    api.patch(rights.events["own"], SERIES)
    recorder, sent = Recorder(api, "test"), metrics.EVENTS.value()
    for about in (OBJECTS.node(node_of(rights.node)), OBJECTS.pod(pod), OBJECTS.deployment):
        recorder.record(Event(about, "Reason", "Action", "a test"))
    while not recorder._waiting.empty():
        recorder._deliver(recorder._waiting.get())
    assert metrics.EVENTS.value() - sent == 3, capfd.readouterr().out
    rest = {"SetMinReplicas"}
    """Not where the minimum stays: see the next test."""
    assert set(done) == {kind.__name__ for kind in get_args(actions.Action)} - rest
    reads = (
        "/api/v1/nodes?labelSelector=inference-stack%3Dlocal",
        "/api/v1/nodes?watch=true&timeoutSeconds=1&labelSelector=inference-stack%3Dnone",
        PODS,
        f"/apis/apps/v1/namespaces/inference/deployments?fieldSelector=metadata.name%3D{config.deployment}",
        f"/apis/apps/v1/namespaces/{OWN}/deployments/{config.name}",
        f"{LEASES.format('inference')}/{config.name}",
    )
    assert [
        path for path in reads if rights.refusal(rights.handler, Act("", "", "GET", path))
    ] == []


def test_of_the_horizontal_pod_autoscaler_only_the_minimum_moves(
    rights: Rights, tmp_path: Path
) -> None:
    """The stack has no floors: an account of the test's gets what the program gives where there
    are some.
    """
    floors = [{"schedule": "0 8 * * *", "minReplicas": 3}]
    program = run(changes={"autoscaler": {"floors": floors}})
    limits = program.named("interruption-limits").inputs["spec"]
    (condition,) = limits["matchConditions"]
    told = condition["expression"]
    subject = {"kind": "ServiceAccount", "name": "rights-floors", "namespace": OWN}
    ours = told[: told.index("system:")] + f'system:serviceaccount:{OWN}:rights-floors"'
    condition["expression"] = ours
    rights.make(
        f"/api/v1/namespaces/{OWN}/serviceaccounts", {"metadata": {"name": "rights-floors"}}
    )
    rights.make(
        f"{RIGHTS}/namespaces/inference/roles",
        {
            "metadata": {"name": "rights-floors"},
            "rules": program.named("interruption-pods").inputs["rules"],
        },
    )
    rights.make(
        f"{RIGHTS}/namespaces/inference/rolebindings",
        {
            "metadata": {"name": "rights-floors"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": "rights-floors",
            },
            "subjects": [subject],
        },
    )
    rights.make(
        f"{ADMISSION}/validatingadmissionpolicies",
        {"metadata": {"name": "rights-floors"}, "spec": limits},
    )
    rights.make(
        f"{ADMISSION}/validatingadmissionpolicybindings",
        {
            "metadata": {"name": "rights-floors"},
            "spec": {"policyName": "rights-floors", "validationActions": ["Deny"]},
        },
    )
    path = kubeconfig(rights.lab, token_of(rights.admin, "rights-floors"), tmp_path)
    handler = BlockingKube(path, timeout=HANG)
    hpa = f"/apis/autoscaling/v2/namespaces/inference/horizontalpodautoscalers/{rights.config.hpa}"
    refused = [
        Act("the maximum", POLICY, "PATCH", hpa, {"spec": {"maxReplicas": 99}}),
        Act("the target", POLICY, "PATCH", hpa, {"spec": {"scaleTargetRef": {"name": "x"}}}),
        Act("a label", POLICY, "PATCH", hpa, {"metadata": {"labels": {"mine": "x"}}}),
    ]
    # A new policy holds after a moment.
    wait_for(lambda: POLICY in rights.refusal(handler, refused[0]))
    assert [act.what for act in refused if POLICY not in rights.refusal(handler, act)] == []
    assert [act.what for act in refused if rights.refusal(rights.admin, act)] == []
    moved = handler.request("PATCH", dry("PATCH", hpa), {"spec": {"minReplicas": 2}}, MERGE)
    assert moved["spec"]["minReplicas"] == 2
    handler.close()


def test_on_the_only_eligible_node_both_of_its_pods_start(rights: Rights) -> None:
    """The lab has one system node. `make doctor` says what that means."""
    admin, config = rights.admin, rights.config
    path = f"/apis/apps/v1/namespaces/{OWN}/deployments/{config.name}"
    before = admin.get(path)["spec"]["replicas"]
    try:
        admin.request("PATCH", path, {"spec": {"replicas": 2}}, MERGE)
        wait_for(lambda: admin.get(path)["status"].get("readyReplicas") == 2)
        pods = admin.get(f"/api/v1/namespaces/{OWN}/pods")["items"]
        assert {pod["spec"]["nodeName"] for pod in pods} == {name(rights.other_node)}
        settings = SimpleNamespace(interruption=SimpleNamespace(enabled=True, replicas=2))
        reader = SimpleNamespace(items=lambda path: admin.get(path)["items"])
        told = system_nodes(settings, reader)
        assert (
            told.good and f"start on {name(rights.other_node)} and are lost with it" in told.found
        )
    finally:
        admin.request("PATCH", path, {"spec": {"replicas": before}}, MERGE)
        wait_for(lambda: admin.get(path)["status"].get("replicas") == before)


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + HANG
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_the_running_handler_works_within_its_limits(rights: Rights) -> None:
    """A cordon for a notice that has been withdrawn: it takes it back. One of somebody else's it
    may not.
    """
    admin, path = rights.admin, f"/api/v1/nodes/{name(rights.node)}"
    back = {"metadata": {"annotations": {"elastic-inference/cordoned": None}}}
    open_again = {**back, "spec": {"unschedulable": None}}
    admin.request("PATCH", path, {"spec": {"unschedulable": True}}, MERGE)
    try:
        uncordon = Act("uncordon another's node", POLICY, "PATCH", path, open_again)
        assert POLICY in rights.refusal(rights.handler, uncordon)
        mark = {"metadata": {"annotations": {"elastic-inference/cordoned": "notice"}}}
        admin.request("PATCH", path, mark, MERGE)
        wait_for(lambda: not admin.get(path)["spec"].get("unschedulable"))
        assert "elastic-inference/cordoned" not in admin.get(path)["metadata"]["annotations"]
    finally:
        admin.request("PATCH", path, open_again, MERGE)
