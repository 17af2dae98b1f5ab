"""Rules on the model, its server, the autoscaler and the entry that look at more than one setting,
or at the model's directory.
"""

from collections.abc import Iterator
from pathlib import Path

from providers.ossmodel.tensorflow import check
from settings import model_request
from settings.core.problem import Problem, remove_command, set_command
from settings.core.rule import rule
from settings.root import Settings

TRAIN = "python -m models.train_chnsenticorp, or copy a SavedModel there, or: "


@rule("model.source")
def _model_directory(settings: Settings) -> Iterator[Problem]:
    source = Path(settings.model.source)
    point = set_command("model.source", "models/chnsenticorp/1623831335")
    if (
        not source.name.isdecimal()
        or int(source.name or 0) < 1
        or str(int(source.name)) != source.name
    ):
        yield Problem(
            "model.source",
            settings.model.source,
            "a directory whose name is the version: digits only, no leading zero",
            "TensorFlow Serving ignores directories that aren't numbers",
            point,
        )
    elif not source.is_dir():
        what = "a file" if source.exists() else "not there"
        yield Problem(
            "model.source",
            settings.model.source,
            f"an existing directory below the project; it is {what}",
            "there is nothing to upload",
            TRAIN + point,
        )
    elif not any(
        (source / name).is_file()
        for name in ("saved_model.pb", "saved_model.pbtxt", "saved_model.cpb")
    ):
        yield Problem(
            "model.source",
            settings.model.source,
            "a SavedModel: a directory with saved_model.pb and variables/",
            "TensorFlow Serving finds no servable and the pod never becomes ready",
            TRAIN + point,
        )


@rule("model.request")
def _request_can_be_sent(settings: Settings) -> Iterator[Problem]:
    path = settings.model.request
    if path is None:
        return
    try:
        model_request.read(Path(path))
    except model_request.NotARequest as wrong:
        yield Problem(
            "model.request",
            path,
            f"{model_request.EXPECTED}; {wrong}",
            "nothing that the model understands is sent, and whether it answers stays unknown",
            remove_command("model.request") + ", or correct the file",
        )


@rule("model.source", "server.image", "server.tensorflow", "server.gpus")
def _image_loads_the_model(settings: Settings) -> Iterator[Problem]:
    """What TensorFlow's loader would refuse. The variables' checksums are compared later, when the
    model is read for the upload.
    """
    source, server = Path(settings.model.source), settings.server
    if not any(
        (source / name).is_file()
        for name in ("saved_model.pb", "saved_model.pbtxt", "saved_model.cpb")
    ):
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
            found = Problem(
                "model.source",
                f"{source}: {finding.where}",
                finding.expected,
                finding.consequence,
                finding.remedy,
            )
        else:
            remedy = check.remedies(source, version).replace(
                "serve with an image", "set server.image to one"
            )
            expected = f"an image that loads {source}. {finding.where}: {finding.expected}"
            found = Problem(
                "server.tensorflow" if server.tensorflow else "server.image",
                server.tensorflow or server.image,
                expected,
                finding.consequence,
                remedy,
            )
        yield found


@rule("model.path", "model.mountPath")
def _path_lies_in_the_volume(settings: Settings) -> Iterator[Problem]:
    model = settings.model
    if not model.path.startswith(f"{model.mount_path}/"):
        yield Problem(
            "model.path",
            model.path,
            f"a path below model.mountPath, which is {model.mount_path}",
            "the server looks for the model where the volume isn't mounted",
            set_command("model.path", f"{model.mount_path}/tensorflow"),
        )


@rule("model.volumeOptions")
def _cache_is_on(settings: Settings) -> Iterator[Problem]:
    options = settings.model.volume_options
    if "max_stat_cache_size=0" in options:
        yield Problem(
            "model.volumeOptions",
            options,
            "no max_stat_cache_size=0",
            "every look at a file goes to OSS and the model loads many times slower",
            set_command("model.volumeOptions", "'-o close_to_open=false'"),
        )
    if "-o rw" in options or "allow_write" in options:
        yield Problem(
            "model.volumeOptions",
            options,
            "a read-only mount",
            "a pod can overwrite the model of all others",
            set_command("model.volumeOptions", "'-o close_to_open=false'"),
        )


@rule("server.image")
def _image_is_pinned(settings: Settings) -> Iterator[Problem]:
    image = settings.server.image
    if image.endswith((":latest", ":latest-gpu")):
        yield Problem(
            "server.image",
            image,
            "a fixed tag or a digest",
            "two nodes may run two different servers",
            set_command("server.image", "tensorflow/serving:1.15.0-gpu"),
        )


@rule("server.graceSeconds", "server.preStopSeconds")
def _grace_outlasts_the_sleep(settings: Settings) -> Iterator[Problem]:
    server = settings.server
    if server.grace_seconds <= server.pre_stop_seconds:
        yield Problem(
            "server.graceSeconds",
            server.grace_seconds,
            f"more than server.preStopSeconds, which is {server.pre_stop_seconds}",
            "the pod is killed while the ingress still sends it requests",
            set_command("server.graceSeconds", str(server.pre_stop_seconds + 10)),
        )


@rule("autoscaler.minReplicas", "autoscaler.maxReplicas")
def _hpa_bounds(settings: Settings) -> Iterator[Problem]:
    scaler = settings.autoscaler
    if scaler.min_replicas > scaler.max_replicas:
        yield Problem(
            "autoscaler.maxReplicas",
            scaler.max_replicas,
            f"at least autoscaler.minReplicas, which is {scaler.min_replicas}",
            "Kubernetes refuses the HPA in the middle of the run",
            set_command("autoscaler.maxReplicas", str(scaler.min_replicas)),
        )


@rule("autoscaler.logStore", "entry.kind")
def _logstore_fits_the_entry(settings: Settings) -> Iterator[Problem]:
    store = settings.autoscaler.log_store
    if store and settings.entry.kind == "alb" and not store.startswith("alb_"):
        yield Problem(
            "autoscaler.logStore",
            store,
            "a name that starts with alb_ with entry.kind alb",
            "the load balancer can't write its log there",
            set_command("autoscaler.logStore", "alb_ingress"),
        )


@rule("entry.tls", "entry.host", "entry.tlsSecret")
def _tls_is_complete(settings: Settings) -> Iterator[Problem]:
    entry = settings.entry
    if entry.tls != "none" and entry.host is None:
        yield Problem(
            "entry.host",
            None,
            f"a host name with entry.tls {entry.tls}",
            "no certificate can match",
            set_command("entry.host", "bert.example.com"),
        )
    if entry.tls == "existing" and entry.tls_secret is None:
        yield Problem(
            "entry.tlsSecret",
            None,
            "the name of a Secret with entry.tls existing",
            "the controller serves its own fake certificate",
            set_command("entry.tlsSecret", "<name>"),
        )
    if entry.tls != "existing" and entry.tls_secret is not None:
        yield Problem(
            "entry.tlsSecret",
            entry.tls_secret,
            f"nothing with entry.tls {entry.tls}",
            "the certificate is not used",
            set_command("entry.tls", "existing"),
        )


@rule("entry.tls", "tlsCertificate", "tlsPrivateKey")
def _certificate_is_complete(settings: Settings) -> Iterator[Problem]:
    for key, value, mark in (
        ("tlsCertificate", settings.tls_certificate, "CERTIFICATE"),
        ("tlsPrivateKey", settings.tls_private_key, "PRIVATE KEY"),
    ):
        if settings.entry.tls == "provided" and value is None:
            yield Problem(
                key,
                None,
                "a PEM text with entry.tls provided",
                "Kubernetes refuses the Secret",
                f"pulumi config set --secret {key} < file.pem",
            )
        elif settings.entry.tls != "provided" and value is not None:
            yield Problem(
                key,
                "<secret>",
                f"nothing with entry.tls {settings.entry.tls}",
                "the certificate is not used",
                set_command("entry.tls", "provided"),
            )
        elif value is not None and mark not in value.get_secret_value():
            yield Problem(
                key,
                "<secret>",
                f"PEM text with a {mark} block",
                "Kubernetes refuses the Secret",
                f"pulumi config set --secret {key} < file.pem",
            )


@rule("entry.auth", "entry.kind", "htpasswd")
def _auth_is_complete(settings: Settings) -> Iterator[Problem]:
    entry, users = settings.entry, settings.htpasswd
    make = 'pulumi config set --secret htpasswd "$(htpasswd -nB user)"'
    if entry.auth == "basic" and entry.kind == "alb":
        yield Problem(
            "entry.auth",
            "basic",
            "none with entry.kind alb",
            "ALB knows no basic auth: the entry would stand open",
            set_command("entry.kind", "nginx"),
        )
    if entry.auth == "basic" and users is None:
        yield Problem(
            "htpasswd",
            None,
            "users and password hashes with entry.auth basic",
            "nobody can log in",
            make,
        )
    if entry.auth != "basic" and users is not None:
        yield Problem(
            "htpasswd",
            "<secret>",
            "nothing with entry.auth none",
            "the entry stands open although it has users",
            set_command("entry.auth", "basic"),
        )
    if users is not None and not all(
        _is_htpasswd(line) for line in users.get_secret_value().split("\n") if line
    ):
        yield Problem(
            "htpasswd",
            "<secret>",
            "lines of user:hash, the hash starting with $2, $apr1$ or {SHA}",
            "a password in the clear is taken for a hash and nobody can log in",
            make,
        )


def _is_htpasswd(line: str) -> bool:
    user, _, secret = line.partition(":")
    return bool(user) and secret.startswith(("$2", "$apr1$", "{SHA}", "$5$", "$6$"))


@rule("entry.publicPort", "entry.host")
def _port_needs_host(settings: Settings) -> Iterator[Problem]:
    if settings.entry.public_port is not None and settings.entry.host is None:
        yield Problem(
            "entry.publicPort",
            settings.entry.public_port,
            "nothing without entry.host",
            "the endpoint shown doesn't answer",
            remove_command("entry.publicPort"),
        )
