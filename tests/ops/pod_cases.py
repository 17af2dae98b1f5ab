"""Pods that do not get ready, as API servers show them: statuses, events, logs and orders with the
words that kubelet, containerd, the OSS driver, the schedulers, TensorFlow Serving and ESS use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ops.pod_causes import Evidence

IMAGE = "tensorflow/serving:1.15.0-gpu"
POD, NODE = "bert-tfserving-v1-tensorflow-serving-7c9d-x2x4k", "cn-shanghai.10.0.1.7"
RRSA = "AssumeRoleWithOIDC of acs:ram::123:role/reader with acs:ram::123:oidc-provider/ack-rrsa-c1"
Object = dict[str, Any]


def deployment(annotations: Object | None = None) -> Object:
    """The Deployment whose pods are looked at."""
    return {"metadata": {"name": "bert", "uid": "d1", "annotations": annotations or {}}}


def replica_set(uid: str = "r2", revision: int = 2, owner: str = "d1") -> Object:
    """A ReplicaSet of it."""
    annotations = {"deployment.kubernetes.io/revision": str(revision)}
    return {
        "metadata": {
            "name": f"bert-{uid}",
            "uid": uid,
            "annotations": annotations,
            "ownerReferences": [{"uid": owner}],
        }
    }


def pod(
    status: Object | None = None,
    node: str = NODE,
    owner: str = "r2",
    name: str = POD,
    ready: bool = False,
    **more: Any,
) -> Object:
    """A pod whose only container has this status."""
    containers = (
        [{"name": "serving", "ready": ready, "restartCount": 0, "image": IMAGE, **status}]
        if status
        else []
    )
    conditions = [
        {"type": "Ready", "status": "True" if ready else "False"},
        *more.pop("conditions", []),
    ]
    return {
        "metadata": {"name": name, "uid": f"p-{name}", "ownerReferences": [{"uid": owner}]},
        "spec": {"nodeName": node} if node else {},
        "status": {
            "phase": "Pending",
            "conditions": conditions,
            "containerStatuses": containers,
            **more,
        },
    }


def event(
    reason: str,
    message: str,
    uid: str = f"p-{POD}",
    kind: str = "Warning",
    at: str = "2026-11-30T05:00:00Z",
) -> Object:
    """An event about an object."""
    return {
        "type": kind,
        "reason": reason,
        "message": message,
        "lastTimestamp": at,
        "involvedObject": {"uid": uid},
    }


def waiting(reason: str, message: str = "") -> Object:
    """A container that waits."""
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def ended(code: int, reason: str = "Error", message: str = "", times: int = 4) -> Object:
    """A container that has ended and waits to be started again."""
    last = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    return {
        **waiting("CrashLoopBackOff", "back-off 40s restarting failed container"),
        "lastState": last,
        "restartCount": times,
    }


RUNS: Object = {"state": {"running": {"startedAt": "2026-11-30T05:00:00Z"}}}
CREATING = waiting("ContainerCreating")


@dataclass(frozen=True)
class Case:
    """One way not to get ready, and what the last screen has to say of it."""

    name: str
    cause: str
    remedy: str
    status: Object | None = None
    events: Sequence[Mapping[str, Any]] = ()
    log: str = ""
    orders: Sequence[Mapping[str, Any]] = ()
    node: str = NODE
    more: Object = field(default_factory=dict)
    said: str = ""
    """What must be shown of the cluster's own words; "": any."""

    @property
    def evidence(self) -> Evidence:
        """As it is collected."""
        logs = {f"{POD}/serving": self.log} if self.log else {}
        pods: list[Mapping[str, Any]] = [pod(self.status, self.node, **self.more)]
        return Evidence(
            [deployment()], [replica_set()], pods, [*self.events], logs=logs, orders=[*self.orders]
        )


def pull(reason: str, error: str = "ErrImagePull") -> dict[str, Any]:
    """A pull that failed with containerd's words, as an old kubelet (only in events) and a new one
    (in the status) tell it.
    """
    later = "2026-11-30T05:01:00Z"
    told = [("Failed", f'Failed to pull image "{IMAGE}": {reason}'), ("Failed", f"Error: {error}")]
    return {
        "status": waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"'),
        "events": [
            *(event(*one) for one in told),
            event("Failed", "Error: ImagePullBackOff", at=later),
        ],
    }


def mount(reason: str) -> dict[str, Any]:
    """A volume that can't be mounted."""
    text = f'MountVolume.SetUp failed for volume "inference-1a2b3c" : rpc error: code = PermissionDenied desc = {reason}'
    return {"status": CREATING, "events": [event("FailedMount", text)]}


def unscheduled(scheduler: str, scaler: str = "", failed: str = "") -> dict[str, Any]:
    """A pod without a node: what the scheduler, the node scaler and ESS say."""
    told = (
        [event("NotTriggerScaleUp", f"pod didn't trigger scale-up: {scaler}", kind="Normal")]
        if scaler
        else []
    )
    orders = (
        [{"StatusCode": "Failed", "StatusMessage": failed, "StartTime": "2026-11-30T05:00Z"}]
        if failed
        else []
    )
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": scheduler,
    }
    return {"node": "", "events": told, "orders": orders, "more": {"conditions": [condition]}}


NO_GPU = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available: 3 No preemption victims found."
TAG = "failed to pull and unpack image: failed to resolve reference: docker.io/tensorflow/serving:9: not found"
LOADING = "2026-11-30 05:00:01.000001: E tensorflow_serving/util/retrier.cc:37] Loading servable: {name: m version: 1} failed: "
CASES = (
    Case(
        "tag missing",
        "its name or its tag is wrong",
        "server.image",
        **pull(TAG),
        said="serving:9: not found",
    ),
    Case(
        "repository missing",
        "no such image, or shows it only to those who log in",
        "server.image",
        said="insufficient_scope",
        **pull(
            "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope"
        ),
    ),
    Case(
        "name is none",
        "the image's name is not valid",
        "server.image",
        waiting("InvalidImageName", 'couldn\'t parse image name "A:b"'),
    ),
    Case(
        "pull secret missing",
        "pull secret is not in the namespace",
        "kubectl create secret docker-registry",
        waiting("ImagePullBackOff", 'Back-off pulling image "x"'),
        [
            event(
                "FailedToRetrieveImagePullSecret",
                "Unable to retrieve some image pull secrets (registry); attempting to pull the image may not succeed.",
            ),
            event("Failed", 'Failed to pull image "x": failed to authorize: 401 Unauthorized'),
        ],
    ),
    Case(
        "login wrong",
        "does not let the nodes in",
        "server.imagePullSecret",
        **pull("failed to authorize: unexpected status: 401 Unauthorized"),
    ),
    Case(
        "registry out of reach",
        "do not reach the registry",
        "NAT gateway",
        **pull(
            'failed to do request: Head "https://registry-1.docker.io/v2/": dial tcp 1.2.3.4:443: i/o timeout'
        ),
    ),
    Case(
        "pulls limited",
        "rate limit",
        "registry of your own",
        **pull("toomanyrequests: You have reached your pull rate limit"),
    ),
    Case(
        "disk full",
        "disks are too small",
        "nodePool.systemDiskSize",
        **pull("write /var/lib/containerd/x: no space left on device"),
    ),
    Case(
        "image damaged",
        "damaged or replaced on the way",
        "by digest",
        **pull(
            'failed commit on ref "layer-sha256:1f": unexpected commit digest sha256:2e, expected sha256:1f: failed precondition'
        ),
    ),
    Case(
        "wrong processor",
        "processors",
        "amd64",
        **pull("no match for platform in manifest: not found"),
    ),
    Case(
        "no driver",
        "no OSS driver",
        "csi-plugin",
        **mount(
            "driver name ossplugin.csi.alibabacloud.com not found in the list of registered CSI drivers"
        ),
    ),
    Case(
        "role missing",
        "RAM role that the volume reads with does not exist",
        "REFRESH=1",
        **mount(
            f"mount failed: {RRSA}: Code: EntityNotExist.Role, Message: The role not exists: acs:ram::123:role/reader"
        ),
    ),
    Case(
        "trust wrong",
        "trust policy",
        "csi-fuse-ossfs",
        **mount(f"mount failed: {RRSA}: Code: NoPermission, Message: You are not authorized"),
        said="NoPermission",
    ),
    Case(
        "policy wrong",
        "may not read the model",
        "REFRESH=1",
        **mount(
            "mount failed: oss://b/models: Code: AccessDenied, Message: You have no right to access this object, HTTP status: 403"
        ),
    ),
    Case(
        "bucket missing",
        "bucket does not exist",
        "REFRESH=1",
        **mount("mount failed: oss://b/models: Code: NoSuchBucket, HTTP status: 404"),
    ),
    Case(
        "path missing",
        "nothing lies in the bucket",
        "model.path",
        **mount("mount failed: oss://b/m: the path does not exist in the bucket"),
    ),
    Case(
        "mount options",
        "does not take the volume's options",
        "model.volumeOptions",
        **mount("Oss OtherOpts error: invalid otherOpts: 'x'"),
    ),
    Case(
        "option of the other client",
        "does not take the volume's options",
        "model.volumeOptions",
        **mount(
            "failed to mount: ossfs2 exited: exit status 1, with stderr: ERROR: unknown command line flag 'max_stat_cache_size'"
        ),
    ),
    Case(
        "OSS out of reach",
        "does not reach STS or OSS",
        "vSwitch",
        **mount(f"mount failed: {RRSA}: https://sts does not answer: TimeoutError"),
    ),
    Case(
        "config map missing",
        "ConfigMap or Secret that the pod needs is not there",
        "REFRESH=1",
        CREATING,
        [
            event(
                "FailedMount",
                'MountVolume.SetUp failed for volume "config" : configmap "bert-5f" not found',
            )
        ],
    ),
    Case(
        "no addresses",
        "pod's network",
        "vSwitches",
        CREATING,
        [event("FailedCreatePodSandBox", "failed to allocate pod IP: no IP left")],
    ),
    Case(
        "another image",
        "holds no /usr/bin/tensorflow_model_server",
        "server.image",
        waiting(
            "RunContainerError",
            'exec: "/usr/bin/tensorflow_model_server": stat /usr/bin/tensorflow_model_server: no such file or directory',
        ),
    ),
    Case(
        "driver of the GPU",
        "GPU driver does not fit",
        "nodePool.driverVersion",
        waiting(
            "RunContainerError",
            "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.5",
        ),
    ),
    Case(
        "memory too small",
        "server.memory",
        "raise server.memory",
        ended(137, "OOMKilled"),
        log="loading\n",
        said="OOMKilled",
    ),
    Case("old processors", "AVX", "nodePool.instanceTypes", ended(132)),
    Case(
        "model too new",
        "another TensorFlow",
        "models/portable.py",
        RUNS,
        log=LOADING
        + "Invalid argument: NodeDef mentions attr 'debug_name' not in Op<name=VarHandleOp>\n",
        said="debug_name",
    ),
    Case(
        "model missing",
        "finds no model where it looks",
        "model.path",
        RUNS,
        log="W file_system_storage_path_source.cc:268] No versions of servable m found under base path /models/tensorflow\n",
    ),
    Case(
        "model damaged",
        "damaged or not complete",
        "model.source",
        RUNS,
        log=LOADING
        + "Data loss: Can't parse /models/tensorflow/1/saved_model.pb as binary proto\n",
        said="Can't parse",
    ),
    Case(
        "model refused",
        "can't load the model",
        "model.source",
        RUNS,
        log=LOADING + "Internal: something new\n",
        said="something new",
    ),
    Case(
        "GPU memory",
        "GPU has too little memory",
        "nodePool.instanceTypes",
        RUNS,
        log="E CUDA_ERROR_OUT_OF_MEMORY: out of memory\n",
    ),
    Case(
        "CUDA and driver",
        "can't use the node's GPU",
        "nodePool.driverVersion",
        ended(1),
        log="CUDA driver version is insufficient for CUDA runtime version\n",
    ),
    Case(
        "flag unknown",
        "does not know one of the program's options",
        "newer server.image",
        ended(1),
        log="unknown argument: --file_system_poll_wait_seconds=60\nusage: tensorflow_model_server\n",
    ),
    Case(
        "port taken",
        "can't open its ports",
        "see the message above",
        ended(1),
        log="Failed to start server. Error: Unknown: Address already in use\n",
    ),
    Case(
        "another name",
        "does not serve this model under this name",
        "model.name",
        RUNS,
        [event("Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 404")],
        log="[evhttp_server.cc : 245] Entering\n",
    ),
    Case(
        "slow loader",
        "not loaded the model in time",
        "server.startupSeconds",
        RUNS,
        [
            event(
                "Unhealthy",
                "Startup probe failed: Get http://10.0.0.1:8501/v1/models/m: dial tcp: connect: connection refused",
            )
        ],
        log="Loading\n",
    ),
    Case(
        "crash loop",
        "ends again and again",
        "last lines",
        ended(139, message="Segmentation fault"),
        log="fatal\n",
        said="exit code 139",
    ),
    Case(
        "evicted",
        "thrown the pod out",
        "see the message above",
        None,
        more={"reason": "Evicted", "message": "The node was low on resource: ephemeral-storage."},
    ),
    Case(
        "out of stock",
        "none of the pool's instance types left",
        "nodePool.vswitchIds",
        **unscheduled(
            NO_GPU,
            failed="Fail to scale out: OperationDenied.NoStock: The requested resource is sold out in the specified zone.",
        ),
    ),
    Case(
        "quota",
        "no more instances of these types",
        "Quota Center",
        **unscheduled(
            NO_GPU,
            failed="QuotaExceed.ElasticQuota: No additional quota is available for the specified ECS instance type.",
        ),
    ),
    Case(
        "no money",
        "can't pay",
        "top up",
        **unscheduled(
            NO_GPU,
            failed="InvalidAccountStatus.NotEnoughBalance: Your account does not have enough balance.",
        ),
    ),
    Case(
        "price limit",
        "below the market",
        "nodePool.spotPriceLimits",
        **unscheduled(NO_GPU, failed="OperationDenied.PriceNotFit: the spot price limit is lower"),
    ),
    Case(
        "pool at its largest",
        "at its largest",
        "nodePool.maxSize",
        **unscheduled(NO_GPU, "1 max node group size reached"),
    ),
    Case(
        "no type has so many GPUs",
        "as many GPUs",
        "server.gpus",
        **unscheduled(NO_GPU, "1 Insufficient nvidia.com/gpu"),
    ),
    Case(
        "CPU too big",
        "asks for more than any instance type",
        "server.cpu",
        **unscheduled("0/3 nodes are available: 3 Insufficient cpu.", "1 Insufficient cpu"),
    ),
    Case(
        "taint",
        "taint",
        "nodePool.taint",
        **unscheduled(NO_GPU, "1 node(s) had untolerated taint {team: x}"),
    ),
    Case(
        "labels",
        "labels the pods ask for",
        "nodePool.labels",
        **unscheduled(NO_GPU, "1 node(s) didn't match Pod's node affinity/selector"),
    ),
    Case("scaler silent", "no node has a free GPU", "nodeScaler.mode", **unscheduled(NO_GPU)),
)
