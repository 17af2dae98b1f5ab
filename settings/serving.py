"""Settings of the model and its server (tutorial steps 2 to 4)."""

import re
from pathlib import PurePath
from typing import Literal

from settings.core.field import Group, Text, setting
from settings.model_request import EXPECTED

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_SERVING = re.compile(
    r"(?=.*(tensorflow|tf))[^@]*serving[^/:@]*:v?(?P<version>[0-9]+\.[0-9]+(\.[0-9]+)?)(?P<rest>[-_.][A-Za-z0-9_.-]*)?(@.*)?"
)
"""An image of TensorFlow Serving by its name, as tensorflow/serving:1.15.0-gpu: its version is
TensorFlow's.
"""
QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|[KMGT]i?)?$"


class Model(Group):
    """The model to serve."""

    name: str = setting(
        "chnsenticorp",
        "Name in the URL: /v1/models/<name>.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$",
        expected="1 to 63 letters, digits, dots, hyphens and underscores",
        otherwise="no URL matches the model",
        example="chnsenticorp",
    )
    source: str = setting(
        "models/chnsenticorp/1623831335",
        "Directory of one SavedModel version; its name is the version.",
        expected="a readable directory below the project with a numeric name and a saved_model.pb",
        otherwise="there is nothing to upload, or TensorFlow Serving ignores what is uploaded",
        example="models/chnsenticorp/1623831335",
    )
    request: str | None = setting(
        None,
        "File with the request that `make up`, `make smoke` and `make load` send (JSON); unset: the sample sentence, or zeros in the shape "
        "that the model's signature asks for.",
        min_length=1,
        expected=EXPECTED,
        otherwise="nothing that the model understands is sent, and whether it answers stays unknown",
        example="models/mine/request.json",
    )
    path: str = setting(
        "/models/tensorflow",
        "Base path in the container, and (without the first slash) in the bucket.",
        pattern=r"^(/[A-Za-z0-9_.-]+)+$",
        expected="an absolute path below mountPath",
        otherwise="the server looks for the model where the volume isn't",
        example="/models/tensorflow",
    )
    mount_path: str = setting(
        "/models",
        "Where the volume is mounted.",
        pattern=r"^(/[A-Za-z0-9_.-]+)+$",
        expected="an absolute path",
        otherwise="the server looks for the model where the volume isn't",
        example="/models",
    )
    volume_size: str = setting(
        "5Gi",
        "Size written on the volume; OSS doesn't enforce it.",
        pattern=r"^[1-9][0-9]*(Mi|Gi|Ti)$",
        expected="a size such as 5Gi",
        otherwise="Kubernetes refuses the volume",
        example="5Gi",
    )
    volume_options: str = setting(
        "-o close_to_open=false",
        "Options of the OSS client.",
        pattern=r"^-o [^\s=]+(=\S+)?( -o [^\s=]+(=\S+)?)*$",
        expected="-o a -o b=c, nothing else",
        otherwise="the CSI driver refuses to mount the volume",
        example="'-o close_to_open=false'",
    )

    @property
    def version(self) -> str:
        """The version: name of the source directory."""
        return PurePath(self.source).name

    @property
    def key_prefix(self) -> str:
        """Start of the model's keys in the bucket: keys mirror the paths in the container."""
        return self.path.strip("/")

    @property
    def volume_prefix(self) -> str:
        """Start of all keys the volume shows."""
        return self.mount_path.strip("/")


class Server(Group):
    """TensorFlow Serving."""

    name: str = setting(
        "bert-tfserving",
        "Arena's --name.",
        pattern=r"^[a-z]([-a-z0-9]{0,40}[a-z0-9])?$",
        expected="a DNS label that starts with a letter",
        otherwise="Kubernetes refuses the Service",
        example="bert-tfserving",
    )
    version: str = setting(
        "v1",
        "Arena's --version. Part of the Deployment's and the Service's name, hence of the route: leave it when the model changes.",
        pattern=r"^[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?$",
        expected="lower-case letters, digits and hyphens",
        otherwise="Kubernetes refuses the Deployment",
        example="v1",
    )
    image: str = setting(
        "tensorflow/serving:1.15.0-gpu",
        "Serving image with tag or digest.",
        pattern=r"^[a-z0-9][a-z0-9._/:-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})$",
        expected="an image with a fixed tag (not latest) or digest",
        otherwise="two nodes may run two different servers",
        example="tensorflow/serving:1.15.0-gpu",
    )
    tensorflow: str | None = setting(
        None,
        "TensorFlow in the image, if its tag doesn't say it: compared with the model before anything is bought, and noted on the pods.",
        pattern=r"^[0-9]+\.[0-9]+(\.[0-9]+)?(-gpu)?$",
        expected="a version such as 2.15.1, with -gpu for an image that computes on GPUs",
        otherwise="a model that the image refuses is noticed when its pods don't become ready",
        example="2.15.1-gpu",
    )
    image_pull_secret: str | None = setting(
        None,
        "Pull secret in the namespace.",
        pattern=DNS_LABEL,
        expected="the name of a Secret",
        otherwise="the image can't be pulled",
        example="registry",
    )
    gpus: int = setting(
        1,
        "GPUs per pod.",
        ge=1,
        le=8,
        expected="1 to 8",
        otherwise="the pod lands on a node without GPU",
        example="1",
    )
    cpu: Text = setting(
        "2",
        "CPU request per pod.",
        pattern=QUANTITY,
        expected='a quantity such as "2" or 500m, in quotes',
        otherwise="Kubernetes refuses the pod",
        example="'\"2\"'",
    )
    memory: Text = setting(
        "8Gi",
        "Memory request and limit per pod.",
        pattern=QUANTITY,
        expected="a quantity such as 8Gi",
        otherwise="Kubernetes refuses the pod",
        example="8Gi",
    )
    rollout: Literal["surge", "in-place"] = setting(
        "surge",
        "surge: the new pod comes before the old one goes, one GPU node more for a while. in-place: the old one goes first.",
        expected="surge or in-place",
        otherwise="a roll drops requests or needs a node too many",
        example="surge",
    )
    pre_stop_seconds: int = setting(
        15,
        "Sleep before the server is killed, while the ingress takes the pod out of its list.",
        ge=1,
        le=300,
        expected="1 to 300 seconds",
        otherwise="requests in flight are cut at each roll",
        example="15",
    )
    grace_seconds: int = setting(
        30,
        "Time until SIGKILL. TensorFlow Serving ignores SIGTERM, so a long time has no use.",
        ge=2,
        le=600,
        expected="more than preStopSeconds",
        otherwise="the pod is killed while requests are still sent to it",
        example="30",
    )
    startup_seconds: int = setting(
        1200,
        "Time for the model to load before the pod is restarted.",
        ge=10,
        le=7200,
        expected="10 to 7200 seconds",
        otherwise="a slow loader is killed again and again",
        example="1200",
    )
    unreachable_seconds: int = setting(
        30,
        "Time a node may be out of touch before its pods are replaced. Kubernetes' own is 300.",
        ge=0,
        le=3600,
        expected="0 to 3600 seconds",
        otherwise="a dead node's capacity is missing for minutes",
        example="30",
    )
    ready_seconds: int = setting(
        1800,
        "Time `pulumi up` waits for the pods: node, image and model.",
        ge=30,
        le=7200,
        expected="30 to 7200 seconds",
        otherwise="the run gives up before a GPU node can be there",
        example="1800",
    )

    @property
    def tensorflow_version(self) -> str | None:
        """TensorFlow of the image, with -gpu if it computes on GPUs: as set, or as a TensorFlow
        Serving image's tag says; else None.
        """
        found = _SERVING.fullmatch(self.image)
        if self.tensorflow or not found:
            return self.tensorflow
        return found["version"] + ("-gpu" if "gpu" in (found["rest"] or "") else "")
