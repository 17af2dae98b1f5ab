"""Why a pod does not become ready, and the remedy: rules over statuses, events and logs of the
cluster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Object = Mapping[str, Any]
AGAIN = "then run the same command again"
TAIL = 8
"""Lines of a container's log that are shown."""
LONGEST = 1200
"""Characters of one message; what is longer repeats itself."""


@dataclass(frozen=True)
class Evidence:
    """What the cluster said, as its API answers it."""

    deployments: list[Object] = field(default_factory=list)
    replica_sets: list[Object] = field(default_factory=list)
    pods: list[Object] = field(default_factory=list)
    events: list[Object] = field(default_factory=list)
    claims: list[Object] = field(default_factory=list)
    ingresses: list[Object] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    """Last lines by `pod/container`: of the run before, when the container has ended since."""
    orders: list[Object] = field(default_factory=list)
    """Newest scaling activities of the node pool's scaling group (ESS
    DescribeScalingActivities).
    """


@dataclass(frozen=True)
class Finding:
    """One thing that keeps the stack from being ready."""

    subject: str
    cause: str
    message: str
    """The cluster's own words."""
    remedy: str
    log: tuple[str, ...] = ()
    """The container's last lines."""

    def lines(self) -> list[str]:
        """The finding as lines for the terminal."""
        found = [f"  {self.subject}", f"    cause: {self.cause}"]
        found += [f"    said:  {self.message}"] if self.message else []
        found += [f"    do:    {self.remedy}"]
        return found + (
            ["    its last lines:", *(f"      {line}" for line in self.log)] if self.log else []
        )


@dataclass(frozen=True)
class Rule:
    """A cause, recognised by a pattern in the cluster's messages. `sources` are the kinds of
    evidence that the pattern is looked for in.
    """

    sources: str
    pattern: str
    cause: str
    remedy: str

    def match(self, lines: list[tuple[str, str]]) -> str | None:
        """The first message that shows this cause, None when there is none."""
        wanted = self.sources.split()
        return next(
            (text for source, text in lines if source in wanted and re.search(self.pattern, text)),
            None,
        )


_SERVER = "the model server's image has another TensorFlow than the model was made for"
RULES = (
    # the image
    Rule(
        "image",
        r"InvalidImageName|invalid reference format|couldn't parse image name",
        "the image's name is not valid",
        f"correct server.image (registry/name:tag), {AGAIN}",
    ),
    Rule(
        "image",
        r"FailedToRetrieveImagePullSecret|[Uu]nable to retrieve some image pull secrets",
        "the pull secret is not in the namespace, so the registry gives nothing",
        "make it: kubectl create secret docker-registry NAME "
        f"--docker-server=… --docker-username=… -n NAMESPACE, with the name that server.imagePullSecret says; {AGAIN}",
    ),
    Rule(
        "image",
        r"toomanyrequests|429 Too Many|rate limit",
        "the registry answers no more pulls for a while (rate limit)",
        f"pull from a registry of your own (server.image; ACR in the cluster's region), or log in (server.imagePullSecret); {AGAIN}",
    ),
    Rule(
        "image",
        r"pull access denied|insufficient_scope|repository does not exist",
        "the registry has no such image, or shows it only to those who log in",
        f"compare server.image with the registry; if it is private, set server.imagePullSecret; {AGAIN}",
    ),
    Rule(
        "image",
        r"\b401\b|\b403\b|[Uu]nauthorized|authentication required|no basic auth|[Dd]enied",
        "the registry does not let the nodes in",
        f"set server.imagePullSecret to a Secret with a valid login, {AGAIN}",
    ),
    Rule(
        "image",
        r"no match for platform|exec format error",
        "the image is not made for the nodes' processors",
        f"give server.image for linux/amd64 (or the nodes' architecture), {AGAIN}",
    ),
    Rule(
        "image",
        r"unexpected commit digest",
        "what arrived of the image is not what it names: damaged or replaced on the way, by a mirror or a proxy",
        f"pull it on another machine to compare; name it by digest (server.image …@sha256:…) in a registry of your own, {AGAIN}",
    ),
    Rule(
        "image",
        r"no space left on device|disk quota exceeded",
        "the nodes' disks are too small for the image",
        f"raise nodePool.systemDiskSize, {AGAIN}",
    ),
    Rule(
        "image",
        r"i/o timeout|no such host|connection refused|connection reset|network is unreachable|deadline exceeded|TLS handshake|"
        r"x509|[^a-z]EOF|unexpected EOF",
        "the nodes do not reach the registry",
        "use an image that the nodes reach (ACR's VPC address in "
        f"server.image), or give the nodes' network a way out (NAT gateway); {AGAIN}",
    ),
    Rule(
        "image",
        r"not found|manifest unknown|NAME_UNKNOWN|name unknown",
        "the registry has no such image: its name or its tag is wrong",
        f"compare server.image with the registry's tags, correct it, {AGAIN}",
    ),
    Rule(
        "image",
        r".",
        "the image can't be pulled",
        f"see the message above, correct server.image or the registry, {AGAIN}",
    ),
    # the volume
    Rule(
        "mount",
        r"not found in the list of registered CSI drivers",
        "the node has no OSS driver (yet)",
        f"install or upgrade the add-on csi-plugin (1.33.1 or newer); a new node needs a minute; {AGAIN}",
    ),
    Rule(
        "mount config",
        r"(configmap|ConfigMap|secret|Secret)s? \\?\"[^\"]+\" not found|references non-existent|couldn't find key",
        "a ConfigMap or Secret that the pod needs is not there",
        f"run with REFRESH=1, which makes it again if it is the stack's; {AGAIN}",
    ),
    Rule(
        "mount",
        r"EntityNotExist\.?Role|[Rr]ole (does )?not exist|role.*EntityNotExist",
        "the RAM role that the volume reads with does not exist",
        f"make up REFRESH=1 makes it again; with adopt.roleName, compare the name; {AGAIN}",
    ),
    Rule(
        "mount",
        r"OIDCProvider.*(NotExist|not exist)|AuthenticationFail\.(NoOidc|OIDC)|OIDCToken",
        "RAM does not know the cluster's identity provider: RRSA is off, or of another cluster",
        f"turn RRSA on (ack-ram-tool rrsa enable -c CLUSTER), {AGAIN}",
    ),
    Rule(
        "mount",
        r"(AssumeRole|assume role|sts).*(NoPermission|AccessDenied|Forbidden|not authorized|ImplicitDeny)",
        "the RAM role's trust policy does not let the cluster's OSS driver in",
        "make up REFRESH=1 puts the stack's own role right; with adopt.roleName, its trust policy must name this cluster's OIDC provider "
        "and the service account ack-csi-fuse:csi-fuse-ossfs (components/storage/model_access.py)",
    ),
    Rule(
        "mount",
        r"NoSuchBucket|bucket does not exist",
        "the model's bucket does not exist",
        f"make up REFRESH=1 makes it again; {AGAIN}",
    ),
    Rule(
        "mount",
        r"AccessDenied|NoPermission|Forbidden|[Hh][Tt][Tt][Pp] ?(status)?:? ?403|status: 403",
        "the RAM role may not read the model: its policy does not name this bucket or path",
        "make up REFRESH=1 puts the stack's own policy right; compare the message with components/storage/model_access.py",
    ),
    Rule(
        "mount",
        r"path does not exist in the bucket|NoSuchKey|No such file or directory",
        "nothing lies in the bucket where the volume looks",
        f"make up REFRESH=1 uploads the model again; compare model.path and model.mountPath; {AGAIN}",
    ),
    Rule(
        "mount",
        r"invalid otherOpts|[Oo]ss parameters error|unknown option|[Oo]ss path error|unknown command line flag|illegal value|"
        r"failed validation of new value|boolean value \(|option dbglevel has unknown",
        "the OSS driver does not take the volume's options",
        f"correct model.volumeOptions, {AGAIN}",
    ),
    Rule(
        "mount",
        r"does not answer|i/o timeout|no such host|dial tcp|connection refused|Unavailable",
        "the node does not reach STS or OSS",
        f"see the nodes' network (vSwitch, security group, DNS); a pod is tried again every two minutes; {AGAIN}",
    ),
    Rule(
        "mount",
        r".",
        "the volume can't be mounted",
        f"see the message above; kubectl describe pod shows all of it; {AGAIN}",
    ),
    Rule(
        "sandbox",
        r".",
        "the node can't set up the pod's network",
        "see the message above: mostly addresses of the pod vSwitches that have run out",
    ),
    # the container's start
    Rule(
        "config ended",
        r"nvidia-container-cli|libnvidia|unsatisfied condition: (cuda|driver)|driver/library version mismatch",
        "the node's GPU driver does not fit the image",
        f"give a newer nodePool.driverVersion, or an older server.image; {AGAIN}",
    ),
    Rule(
        "config ended",
        r"(?i)executable file not found|no such file or directory",
        "the image holds no /usr/bin/tensorflow_model_server: it is not one of TensorFlow Serving",
        f"correct server.image, {AGAIN}",
    ),
    Rule("config", r".", "the container can't be made", f"see the message above, {AGAIN}"),
    # its end
    Rule(
        "ended",
        r"OOMKilled|exit code 137\b.*OOM",
        "the container takes more memory than server.memory allows (OOMKilled)",
        f"raise server.memory, {AGAIN}",
    ),
    Rule(
        "ended",
        r"exit code 132\b|SIGILL",
        "the nodes' processors lack instructions that the image was built for (AVX)",
        f"choose other nodePool.instanceTypes or another server.image, {AGAIN}",
    ),
    # what the server says
    Rule(
        "log",
        r"NodeDef mentions attr|Op type not registered|Unknown attr|not in the list of allowed values|unknown (op|attribute)",
        f"{_SERVER}: it does not know something in it",
        "give a server.image of the model's TensorFlow or newer, or export the model for the "
        f"image's (models/portable.py drops what newer ones add); {AGAIN}",
    ),
    Rule(
        "log",
        r"out of memory|OOM when allocating|CUDA_ERROR_OUT_OF_MEMORY|RESOURCE_EXHAUSTED",
        "the GPU has too little memory for the model",
        f"choose larger GPUs (nodePool.instanceTypes) or a smaller model, {AGAIN}",
    ),
    Rule(
        "log",
        r"CUDA driver version is insufficient|no kernel image is available|CUDA_ERROR_(NO_DEVICE|INVALID)",
        "the server can't use the node's GPU: driver or processor is too old or too new for the image",
        f"change nodePool.driverVersion or server.image (docs/settings.md says which fit), {AGAIN}",
    ),
    Rule(
        "log",
        r"No versions of servable|Could not find base path|was not found in the file system|Could not find SavedModel",
        "the server finds no model where it looks",
        f"make up REFRESH=1 uploads it again; compare model.path with what lies in the bucket; {AGAIN}",
    ),
    Rule(
        "log",
        r"[Dd]ata ?[Ll]oss|DATA_LOSS|Can't parse|[Cc]hecksum|truncated|too short|matching files for|matching supplied tags|corrupt",
        "the model's files are damaged or not complete",
        f"compare model.source with where it came from and load it once yourself (saved_model_cli run); {AGAIN}",
    ),
    Rule(
        "log",
        r"Could not find variable|Error while reading resource variable",
        "the model's variables are not with it",
        f"export it with variables/, {AGAIN}",
    ),
    Rule(
        "log",
        r"[Uu]nknown (command line )?(argument|flag)|[Ff]ailed to parse (command|flag)|^usage:|unrecognized (option|argument)",
        "the image's server does not know one of the program's options: it is too old",
        f"give a newer server.image, {AGAIN}",
    ),
    Rule(
        "log",
        r"[Aa]ddress already in use|[Ff]ailed to (bind|start server)",
        "the server can't open its ports",
        f"see the message above, {AGAIN}",
    ),
    Rule(
        "log",
        r"Loading servable: .* failed|servable\(s\) did not become available|Error while loading",
        "the server can't load the model",
        f"see the message above: load it once yourself with the image's TensorFlow; correct model.source or server.image, {AGAIN}",
    ),
    # it runs and is not ready
    Rule(
        "probe",
        r"statuscode: 404",
        "the server runs and does not serve this model under this name and version",
        f"compare model.name and model.source with the server's log, {AGAIN}",
    ),
    Rule(
        "probe",
        r"connection refused|deadline exceeded|timeout|statuscode: 503",
        "the server has not loaded the model in time",
        f"see its last lines; a slow loader needs more server.startupSeconds and server.readySeconds; {AGAIN}",
    ),
    Rule("ended", r".", "the container ends again and again", f"see its last lines, {AGAIN}"),
    Rule(
        "probe",
        r".",
        "the server does not answer its probe as it should",
        f"see its last lines, {AGAIN}",
    ),
    Rule(
        "evicted",
        r".",
        "the node has thrown the pod out",
        f"see the message above: mostly memory or disk of the node; {AGAIN}",
    ),
    # no node
    Rule(
        "order",
        r"NoStock|SoldOut|[Ii]nventory|sold out|out of stock|NotAvailable.*[Ii]nstance",
        "the zones have none of the pool's instance types left",
        "add instance types or vSwitches of other zones (nodePool.instanceTypes, nodePool.vswitchIds); keep "
        f"compensateWithOnDemand on; {AGAIN}",
    ),
    Rule(
        "order",
        r"[Qq]uota|LimitExceed|exceeds? the (maximum|limit)",
        "the account may have no more instances of these types (quota)",
        f"ask for more in the Quota Center (ECS, vCPUs of the type's family, preemptible apart), {AGAIN}",
    ),
    Rule(
        "order",
        r"Balance|Arrear|AccountStatus|[Oo]verdue|[Pp]ayment",
        "the account can't pay for an instance",
        f"top up the account, {AGAIN}",
    ),
    Rule(
        "order",
        r"[Pp]rice",
        "the price limit is below the market",
        f"raise nodePool.spotPriceLimits or leave it out, {AGAIN}",
    ),
    Rule(
        "order",
        r".",
        "the node pool's order of an instance failed",
        f"see the message above, {AGAIN}",
    ),
    Rule(
        "schedule",
        r"persistentvolumeclaim .*not found|unbound immediate PersistentVolumeClaims",
        "the model's volume claim is not bound",
        f"make up REFRESH=1 makes volume and claim again; {AGAIN}",
    ),
    Rule(
        "scale",
        r"max (node group size|limit) reached|max cluster .* limit",
        "the node pool is at its largest and all its nodes are taken",
        f"raise nodePool.maxSize (or lower autoscaler.maxReplicas), {AGAIN}",
    ),
    Rule(
        "scale",
        r"Insufficient nvidia|Insufficient aliyun\.com/gpu",
        "no instance type of the pool has as many GPUs as a pod asks for",
        f"lower server.gpus or choose other nodePool.instanceTypes, {AGAIN}",
    ),
    Rule(
        "scale",
        r"Insufficient (cpu|memory|ephemeral-storage)",
        "a pod asks for more than any instance type of the pool has",
        f"lower server.cpu or server.memory, or choose larger nodePool.instanceTypes, {AGAIN}",
    ),
    Rule(
        "scale",
        r"untolerated taint|had taint",
        "the pool's nodes have a taint that the pods do not tolerate",
        f"take it away, or name it in nodePool.taint, {AGAIN}",
    ),
    Rule(
        "scale",
        r"didn't match Pod's node (affinity|selector)",
        "no node that the scaler would add has the labels the pods ask for",
        f"compare nodePool.labels with the pool's own (an adopted pool must have them), {AGAIN}",
    ),
    Rule(
        "scale",
        r"NotTriggerScaleUp",
        "no node fits, and the node scaler adds none: the pool is at its largest, or a pod asks for more than its instance types have",
        f"raise nodePool.maxSize, or lower server.cpu and server.memory, {AGAIN}",
    ),
    Rule(
        "scale",
        r"FailedScaleUp|[Ff]ailed to (increase|scale)",
        "the node scaler could not add a node",
        f"see the message above, {AGAIN}",
    ),
    Rule(
        "scale",
        r"TriggeredScaleUp",
        "a node was ordered and has not come in time",
        f"see the node pool in the console; if it only takes long, raise server.readySeconds; {AGAIN}",
    ),
    Rule(
        "schedule",
        r"Insufficient nvidia|Insufficient aliyun\.com/gpu",
        "no node has a free GPU, and the node scaler says nothing",
        f"see that the pool's nodes show GPUs (driver, device plugin) and that nodeScaler.mode is not off, {AGAIN}",
    ),
    Rule(
        "schedule",
        r"Insufficient (cpu|memory)",
        "the nodes have too little left for a pod, and the node scaler says nothing",
        f"lower server.cpu or server.memory, or raise nodePool.maxSize, {AGAIN}",
    ),
    Rule(
        "schedule",
        r"untolerated taint",
        "the nodes have a taint that the pods do not tolerate",
        f"take it away or name it in nodePool.taint, {AGAIN}",
    ),
    Rule(
        "schedule",
        r".",
        "no node takes the pod, and the node scaler adds none",
        f"see nodePool and nodeScaler.mode, {AGAIN}",
    ),
    # no pod
    Rule(
        "create",
        r"exceeded quota",
        "the namespace's quota allows no more pods",
        f"raise the ResourceQuota, {AGAIN}",
    ),
    Rule(
        "create",
        r"PodSecurity",
        "the namespace's pod security refuses the pod",
        f"take the label that is stricter than `restricted` away, {AGAIN}",
    ),
    Rule(
        "create",
        r"webhook",
        "an admission webhook of the cluster refuses the pod or does not answer",
        f"see the message above, {AGAIN}",
    ),
    Rule("create", r".", "the cluster refuses to make the pod", f"see the message above, {AGAIN}"),
)
_IMAGE_WAITS = (
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "RegistryUnavailable",
    "ImageInspectError",
)
_START_WAITS = (
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "StartError",
)
_SCALER = (
    "NotTriggerScaleUp",
    "FailedScaleUp",
    "TriggeredScaleUp",
    "ProvisionNodeFailed",
    "ProvisionNode",
)
_OF_IMAGES = re.compile(r"image|pull", re.IGNORECASE)


def findings(evidence: Evidence) -> list[Finding]:
    """What keeps the stack's pods, claims and entry from being ready. Nothing about what is
    healthy, whatever it once went through.
    """
    found = [
        finding
        for deployment in evidence.deployments
        if not _skips(deployment)
        for finding in _of_deployment(evidence, deployment)
    ]
    found += [
        _of_claim(evidence, claim)
        for claim in evidence.claims
        if (claim.get("status") or {}).get("phase") != "Bound"
    ]
    found += [
        _of_ingress(evidence, ingress) for ingress in evidence.ingresses if not _addresses(ingress)
    ]
    return _merged(found)


def unready_pods(evidence: Evidence) -> list[Object]:
    """The pods of each Deployment's newest template that are not ready."""
    newest = {
        uid
        for deployment in evidence.deployments
        if not _skips(deployment)
        for uid in [_newest(evidence, deployment)]
        if uid
    }
    return [
        pod
        for pod in evidence.pods
        if _owner(pod) in newest
        and not _ready(pod)
        and not pod["metadata"].get("deletionTimestamp")
    ]


def waits_for_a_node(pod: Object) -> bool:
    """Whether no node has been found for it."""
    return not (pod.get("spec") or {}).get("nodeName")


_LOADING, _LOADED = (
    "Reading SavedModel from",
    ("failed:", "Failed to start", "Successfully loaded", "error", "ERROR"),
)


def is_loading(log: str) -> bool:
    """Whether a model server's log ends while a model is being loaded, before the line that says
    how the load ended.
    """
    _head, begun, tail = log.rpartition(_LOADING)
    return bool(begun) and not any(word in tail for word in _LOADED)


def containers(pod: Object) -> list[tuple[str, bool]]:
    """(name, whether there is a run before this one to read) of every container that has run and is
    not ready.
    """
    return [
        (status["name"], bool(status.get("restartCount")))
        for status in _statuses(pod)
        if not status.get("ready") and _has_run(status)
    ]


def _of_deployment(evidence: Evidence, deployment: Object) -> Iterator[Finding]:
    newest = _newest(evidence, deployment)
    pods = [pod for pod in unready_pods(evidence) if _owner(pod) == newest]
    for pod in pods:
        yield _of_pod(evidence, pod)
    if not pods and newest and not any(_owner(pod) == newest for pod in evidence.pods):
        refused = [("create", text) for text in _events(evidence, newest, ("FailedCreate",))]
        if refused:
            yield _explained(f"Deployment {deployment['metadata']['name']} has no pod", refused)


def _of_pod(evidence: Evidence, pod: Object) -> Finding:
    where = (pod.get("spec") or {}).get("nodeName")
    name = pod["metadata"]["name"]
    logs = [text for key, text in evidence.logs.items() if key.startswith(f"{name}/")]
    subject = f"Pod {name}{f' on {where}' if where else ', on no node'}{_state(pod)}"
    tail = tuple(line for text in logs for line in text.splitlines()[-TAIL:])
    return _explained(subject, list(_lines(evidence, pod, logs)), tail)


def _lines(evidence: Evidence, pod: Object, logs: list[str]) -> Iterator[tuple[str, str]]:
    """(source, text) of what is said about a pod where it stands now; what it has behind it is left
    out.
    """
    uid, status = pod["metadata"].get("uid", ""), pod.get("status") or {}
    if status.get("reason") in (
        "Evicted",
        "NodeLost",
        "NodeShutdown",
        "UnexpectedAdmissionError",
        "OutOfcpu",
        "OutOfmemory",
    ):
        yield "evicted", f"{status['reason']}: {status.get('message', '')}"
    if waits_for_a_node(pod):
        conditions = [
            one
            for one in status.get("conditions") or []
            if one.get("type") == "PodScheduled" and one.get("message")
        ]
        for order in evidence.orders:
            if order.get("StatusCode") in ("Failed", "Rejected", "Warning"):
                yield (
                    "order",
                    " ".join(filter(None, (order.get("StatusMessage"), order.get("Detail")))),
                )
        yield from (("scale", text) for text in _events(evidence, uid, _SCALER, "any"))
        yield from (("schedule", one["message"]) for one in conditions)
        yield from (("schedule", text) for text in _events(evidence, uid, ("FailedScheduling",)))
        return
    waiting = [one for one in (_waiting(found) for found in _statuses(pod)) if one]
    if any(reason in _IMAGE_WAITS for reason, _ in waiting):
        yield from (
            ("image", text) for text in _events(evidence, uid, ("FailedToRetrieveImagePullSecret",))
        )
        said = [f"{reason}: {message}" for reason, message in waiting]
        said += [text for text in _events(evidence, uid, ("Failed",)) if _OF_IMAGES.search(text)]
        yield from (("image", text) for text in sorted(said, key=_says_little))
        return
    yield from (
        ("config", f"{reason}: {message}") for reason, message in waiting if reason in _START_WAITS
    )
    ran = [found for found in _statuses(pod) if _has_run(found)]
    if not ran:
        yield from (
            ("mount", text)
            for text in _events(
                evidence, uid, ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
            )
        )
        yield from (
            ("sandbox", text)
            for text in _events(evidence, uid, ("FailedCreatePodSandBox", "NetworkNotReady"))
        )
        return
    yield from (("ended", text) for text in (_ended(found) for found in ran) if text)
    yield from (("log", line) for text in logs for line in reversed(text.splitlines()))
    yield from (("probe", text) for text in _events(evidence, uid, ("Unhealthy",)))


def _explained(subject: str, lines: list[tuple[str, str]], log: tuple[str, ...] = ()) -> Finding:
    for rule in RULES:
        if (said := rule.match(lines)) is not None:
            return Finding(subject, rule.cause, _short(said), rule.remedy, log)
    remedy = f"look once more in a minute (kubectl describe pod); if it only takes long, raise server.readySeconds, {AGAIN}"
    return Finding(
        subject,
        "it is on its way, and nothing in the cluster says what it waits for",
        "",
        remedy,
        log,
    )


def _of_claim(evidence: Evidence, claim: Object) -> Finding:
    said = _events(
        evidence,
        claim["metadata"].get("uid", ""),
        ("ProvisioningFailed", "FailedBinding", "VolumeMismatch"),
    )
    return Finding(f"PersistentVolumeClaim {claim['metadata']['name']} is not bound", "no volume fits it", _short(next(iter(said), "")),
                   f"make up REFRESH=1 makes volume and claim again; {AGAIN}")  # fmt: skip


def _of_ingress(evidence: Evidence, ingress: Object) -> Finding:
    kind = (ingress.get("spec") or {}).get("ingressClassName", "")
    said = _events(evidence, ingress["metadata"].get("uid", ""), ())
    return Finding(f"Ingress {ingress['metadata']['name']} has no address", f"no controller of the class {kind} has taken it",
                   _short(next(iter(said), "")), "install the ingress controller that entry.kind names (kubectl get ingressclass "
                   f"shows those there are), or set entry.kind to the one that is there; {AGAIN}")  # fmt: skip


def _events(
    evidence: Evidence, uid: str, reasons: tuple[str, ...], kind: str = "Warning"
) -> list[str]:
    """What events of an object say, newest first, each text once. No `reasons`: all."""
    found = [
        event
        for event in evidence.events
        if (event.get("involvedObject") or event.get("regarding") or {}).get("uid") == uid
        and (not reasons or event.get("reason") in reasons)
        and (kind == "any" or event.get("type") == kind)
    ]
    found.sort(
        key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "", reverse=True
    )
    return list(
        dict.fromkeys(
            f"{event.get('reason')}: {(event.get('message') or event.get('note') or '').strip()}"
            for event in found
        )
    )


def _statuses(pod: Object) -> list[Object]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _waiting(status: Object) -> tuple[str, str] | None:
    found = (status.get("state") or {}).get("waiting")
    return (found.get("reason", ""), found.get("message", "")) if found else None


def _has_run(status: Object) -> bool:
    """Whether the container's process was once started, or tried."""
    states = [status.get("state") or {}, status.get("lastState") or {}]
    return bool(status.get("restartCount")) or any(
        "running" in state or "terminated" in state for state in states
    )


def _ended(status: Object) -> str:
    ended = (status.get("state") or {}).get("terminated") or (status.get("lastState") or {}).get(
        "terminated"
    )
    if not ended or status.get("ready"):
        return ""
    return f"{ended.get('reason', '')}: exit code {ended.get('exitCode')} {ended.get('message', '')}".strip()


def _state(pod: Object) -> str:
    """Status as `kubectl get pods` shows it, and how often it was started."""
    for status in _statuses(pod):
        if not status.get("ready"):
            state = status.get("state") or {}
            reason = next((one["reason"] for one in state.values() if one.get("reason")), "")
            reason = reason or ("running, not ready" if "running" in state else "")
            times = (
                f", started {status['restartCount'] + 1} times"
                if status.get("restartCount")
                else ""
            )
            return f": {reason}{times}" if reason or times else ""
    return ": " + str((pod.get("status") or {}).get("phase", "Pending"))


def _newest(evidence: Evidence, deployment: Object) -> str:
    """The uid of the ReplicaSet of a Deployment's newest template."""
    own = [one for one in evidence.replica_sets if _owner(one) == deployment["metadata"].get("uid")]
    return max(own, key=_revision)["metadata"]["uid"] if own else ""


def _revision(replica_set: Object) -> int:
    return int(
        (replica_set["metadata"].get("annotations") or {}).get(
            "deployment.kubernetes.io/revision", 0
        )
    )


def _owner(thing: Object) -> str:
    return next(
        (
            owner["uid"]
            for owner in thing["metadata"].get("ownerReferences") or []
            if owner.get("controller", True)
        ),
        "",
    )


def _ready(pod: Object) -> bool:
    return any(
        one["type"] == "Ready" and one["status"] == "True"
        for one in (pod.get("status") or {}).get("conditions") or []
    )


def _skips(deployment: Object) -> bool:
    """Whether nobody waits for its pods (placeholders, which wait for a node on purpose)."""
    return (deployment["metadata"].get("annotations") or {}).get("pulumi.com/skipAwait") == "true"


def _addresses(ingress: Object) -> list[Any]:
    return ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []


def _says_little(text: str) -> bool:
    """Whether it only says that pulling has failed; the reason is in another one, older kubelets
    repeat it nowhere else.
    """
    return bool(
        re.fullmatch(
            r"(Failed: Error: )?(ErrImagePull|ImagePullBackOff)(: (Back-off pulling image \"[^\"]*\")?)?",
            text.strip(),
        )
    )


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"


def _merged(found: list[Finding]) -> list[Finding]:
    """Each cause once: the first pod that shows it, and how many more do."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in found:
        groups.setdefault((finding.cause, finding.remedy), []).append(finding)
    return [
        Finding(
            f"{same[0].subject}{f' (and {len(same) - 1} more)' if len(same) > 1 else ''}",
            *_rest(same[0]),
        )
        for same in groups.values()
    ]


def _rest(finding: Finding) -> tuple[str, str, str, tuple[str, ...]]:
    return finding.cause, finding.message, finding.remedy, finding.log
