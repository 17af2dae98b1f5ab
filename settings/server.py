"""Group `server`: TensorFlow Serving (tutorial step 4)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from providers.ossmodel.tensorflow import check, portable
from settings import names
from settings.core.field import REQUIRED, Group, Quantity, Text, setting
from settings.core.problem import PROJECT, Problem, set_command
from settings.core.rule import rule
from settings.core.types import DNS_LABEL, IMAGE, QUANTITY, LabelKey, LabelValue
from settings.model import ModelSettings, is_saved_model

_SERVING_IMAGE = re.compile(
    r"(?=.*(tensorflow|tf))[^@]*serving[^/:@]*:v?(?P<version>[0-9]+\.[0-9]+(\.[0-9]+)?)(?P<rest>[-_.][A-Za-z0-9_.-]*)?(@.*)?"
)
"""An image of TensorFlow Serving by its name, such as tensorflow/serving:1.15.0-gpu: the tag's
version is that of TensorFlow.
"""


_NAMES_SERVING = re.compile(r"(tensorflow|tf).*serving|serving.*(tensorflow|tf)")


class ClientSettings(Group):
    """Pods of the cluster that may call the server's ports themselves."""

    namespace: Text | None = setting(
        None,
        "Namespace of the pods. Unset: the stack's own.",
        pattern=DNS_LABEL,
        expected="the name of a namespace",
        consequence="the network policy keeps the pods out",
        example="callers",
    )
    labels: dict[LabelKey, LabelValue] = setting(
        REQUIRED,
        "Labels of the pods.",
        min_length=1,
        expected="at least one label: value of the pods",
        consequence="every pod of the namespace may use the GPUs past the entry",
        example="caller",
    )


class ServerSettings(Group):
    """TensorFlow Serving."""

    name: Text = setting(
        "bert-tfserving",
        "Name of the service (Arena's --name). Part of the Deployment's and the Service's name.",
        pattern=r"^[a-z]([-a-z0-9]{0,40}[a-z0-9])?$",
        expected="a DNS label that starts with a letter",
        consequence="Kubernetes refuses the Service",
        example="bert-tfserving",
    )
    version: Text = setting(
        "v1",
        "Version of the service (Arena's --version), not of the model. Part of the Deployment's and the Service's name and therefore of the ingress route: keep it when the model changes.",
        pattern=r"^[a-z0-9]([-a-z0-9]{0,18}[a-z0-9])?$",
        expected="lower-case letters, digits and hyphens",
        consequence="Kubernetes refuses the Deployment",
        example="v1",
    )
    image: Text = setting(
        "tensorflow/serving:1.15.0-gpu",
        "Image of TensorFlow Serving, with a tag or digest.",
        pattern=IMAGE,
        expected="an image with a fixed tag (not latest) or digest",
        consequence="two nodes may run different servers",
        example="tensorflow/serving:1.15.0-gpu",
    )
    tensorflow: Text | None = setting(
        None,
        "TensorFlow version in the image, if the image's tag doesn't tell it. The program compares it with the model before anything is ordered, and notes it on the pods.",
        pattern=r"^[0-9]+\.[0-9]+(\.[0-9]+)?(-gpu)?$",
        expected="a version such as 2.15.1, in quotes, with -gpu for an image that computes on GPUs",
        consequence="a model that the image can't load is noticed only when its pods don't become ready",
        example="2.15.1-gpu",
    )
    image_pull_secret: Text | None = setting(
        None,
        "Name of the image pull Secret in the namespace.",
        pattern=DNS_LABEL,
        expected="the name of a Secret",
        consequence="the image can't be pulled",
        example="registry",
    )
    gpus: int = setting(
        1,
        "Number of GPUs per serving pod.",
        ge=1,
        le=8,
        expected="1 to 8",
        consequence="the pod may run on a node without a GPU",
        example="1",
    )
    cpu: Quantity = setting(
        "2",
        "CPU request of a serving pod.",
        pattern=QUANTITY,
        expected='a quantity such as "2" or 500m, in quotes',
        consequence="Kubernetes refuses the pod",
        example="2",
    )
    memory: Quantity = setting(
        "8Gi",
        "Memory request and limit of a serving pod.",
        pattern=QUANTITY,
        expected="a quantity such as 8Gi",
        consequence="Kubernetes refuses the pod",
        example="8Gi",
    )
    rollout: Literal["surge", "in-place"] = setting(
        "surge",
        "surge: a rollout starts the new pod before it stops the old one, and needs room for one more pod. in-place: it stops the old pod first.",
        expected="surge or in-place",
        consequence="a rollout drops requests, or waits for a node that the pool can't add",
        example="surge",
    )
    pre_stop_seconds: int = setting(
        15,
        "Seconds between the end of a pod's membership in the Service and the kill of its server (preStop sleep).",
        ge=1,
        le=300,
        expected="1 to 300 seconds",
        consequence="requests in flight are cut at each rollout",
        example="15",
    )
    grace_seconds: int = setting(
        30,
        "Termination grace period of a serving pod, in seconds. TensorFlow Serving ignores SIGTERM, so a long period has no use.",
        ge=2,
        le=600,
        expected="more than preStopSeconds",
        consequence="the pod is killed while requests are still sent to it",
        example="30",
    )
    clients: list[ClientSettings] = setting(
        [],
        "Pods of the cluster that may call gRPC and REST directly, past the entry, each {namespace: …, labels: {…}}. Their requests are "
        "not in the access log, so the HPA does not count them. Without them nobody reaches gRPC.",
        max_length=20,
        expected="entries {namespace: …, labels: {…}}",
        consequence="the network policy keeps these pods out, or lets others in",
        example="caller",
    )
    startup_seconds: int = setting(
        1200,
        "Seconds a pod may take to load the model before it is restarted.",
        ge=10,
        le=7200,
        expected="10 to 7200 seconds",
        consequence="a model that loads slowly is killed again and again",
        example="1200",
    )
    unreachable_seconds: int = setting(
        30,
        "Seconds a node may be unreachable before its serving pods are replaced. Kubernetes' default is 300.",
        ge=0,
        le=3600,
        expected="0 to 3600 seconds",
        consequence="a dead node's capacity is missing for minutes",
        example="30",
    )
    ready_seconds: int = setting(
        1800,
        "Seconds `pulumi up` waits for the pods to become ready: node, image and model.",
        ge=30,
        le=7200,
        expected="30 to 7200 seconds",
        consequence="the run gives up before a GPU node can be there",
        example="1800",
    )

    @property
    def tensorflow_version(self) -> str | None:
        """TensorFlow version in the image, with -gpu if it computes on GPUs: as set, or as the tag
        of a TensorFlow Serving image tells; else None.
        """
        tag = _SERVING_IMAGE.fullmatch(self.image)
        if self.tensorflow or not tag:
            return self.tensorflow
        return tag["version"] + ("-gpu" if "gpu" in (tag["rest"] or "") else "")


@rule("model.source", "server.image", "server.tensorflow", "server.gpus")
def _image_loads_the_model(model: ModelSettings, server: ServerSettings) -> Iterator[Problem]:
    """What TensorFlow's loader would refuse. The checksums of the variables are compared later,
    when the model is read for the upload.
    """
    source = Path(model.source)
    if not is_saved_model(source):
        return
    version, _, gpu = (server.tensorflow_version or "").partition("-")
    try:
        report = check.check(
            source, version or None, checksums=False, gpus=server.gpus if gpu else 0
        )
    except OSError as error:
        yield Problem(
            "model.source",
            str(source),
            f"files that can be read ({error})",
            "the model can't be uploaded",
            f"run: chmod -R u+rX {source}",
        )
        return
    for finding in check.condensed(report.refusals):
        if finding.remedy:
            yield Problem(
                "model.source",
                f"{source}: {finding.where}",
                finding.expected,
                finding.consequence,
                finding.remedy,
            )
        else:
            remedy = portable.remedies(source, version).replace(
                "serve with an image", "set server.image to one"
            )
            yield Problem(
                "server.tensorflow" if server.tensorflow else "server.image",
                server.tensorflow or server.image,
                f"an image that loads {source}. {finding.where}: {finding.expected}",
                finding.consequence,
                remedy,
            )


@rule("server.image")
def _image_is_pinned(server: ServerSettings) -> Iterator[Problem]:
    if server.image.endswith((":latest", ":latest-gpu")):
        yield Problem(
            "server.image",
            server.image,
            "a fixed tag or a digest",
            "two nodes may run different servers",
            set_command("server.image", "tensorflow/serving:1.15.0-gpu"),
        )


@rule("server.image", "server.tensorflow")
def _image_is_tensorflow_serving(server: ServerSettings) -> Iterator[Problem]:
    """The pods run /usr/bin/tensorflow_model_server, which images of other servers don't have; the
    -devel images of TensorFlow Serving have it elsewhere.
    """
    name = re.sub(r":[^/:]*$", "", server.image.partition("@")[0])
    tag = server.image.partition("@")[0][len(name) :]
    if server.tensorflow is None and not _NAMES_SERVING.search(name):
        expected = "an image of TensorFlow Serving: a name with tensorflow (or tf) and serving, or any name together with server.tensorflow"
    elif "devel" in tag:
        expected = "an image that runs TensorFlow Serving, not one that builds it (-devel)"
    else:
        return
    yield Problem(
        "server.image",
        server.image,
        expected,
        "the container has no /usr/bin/tensorflow_model_server: its pods never become ready, on GPU nodes that are billed",
        f"{set_command('server.image', 'tensorflow/serving:1.15.0-gpu')}  (or, where the image holds TensorFlow Serving, say its version: "
        f"{set_command('server.tensorflow', '2.15.1-gpu')})"
        if "devel" not in tag
        else set_command("server.image", re.sub("-?devel", "", server.image)),
    )


@rule("server.graceSeconds", "server.preStopSeconds")
def _grace_outlasts_the_sleep(server: ServerSettings) -> Iterator[Problem]:
    if server.grace_seconds <= server.pre_stop_seconds:
        yield Problem(
            "server.graceSeconds",
            server.grace_seconds,
            f"more than server.preStopSeconds, which is {server.pre_stop_seconds}",
            "the pod is killed while the ingress still sends it requests",
            set_command("server.graceSeconds", str(server.pre_stop_seconds + 10)),
        )


@rule("namespace", "server.name", "server.version")
def _route_is_a_label_value(namespace: str, server: ServerSettings) -> Iterator[Problem]:
    service = f"{server.name}-{server.version}-tensorflow-serving"
    route = names.route(namespace, service)
    if len(service) > 63 or not names.is_label_value(route):
        yield Problem(
            "server.name",
            server.name,
            f"a route of at most 63 characters; {route} has {len(route)}",
            "the HPA can't use the route as a selector: it shows <unknown> and never scales",
            f"shorten it: {set_command('server.name', server.name[:12].rstrip('-'))}, or shorten namespace or server.version "
            f"(now '{namespace}' and '{server.version}' in {PROJECT})",
        )
