"""What the lab adds to traefik's reading of the Ingresses, as traefik's own dynamic configuration,
and what it says about each Ingress.

Pure: from Ingress objects and Secrets to a document and to remarks. `ingress_watch` reads the ones
and writes the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.controlplane.ingress_annotations import IGNORED, PREFIX, VERSION, table

ALB = "alb.ingress.kubernetes.io/"
LISTEN = f"{ALB}listen-ports"
ENTRY_POINTS = {("HTTP", 80): "web", ("HTTPS", 443): "websecure"}
AHEAD = 1_000_000
"""Priority above every route of traefik's own, whose priority is its rule's length."""
LIMITS = ("limit-rps", "limit-rpm", "limit-connections")
LIMITED = 503
"""limit-req-status-code and limit-conn-status-code of ingress-nginx unless its administrator says
otherwise.
"""

Ingress = Mapping[str, Any]
Secrets = Callable[[str, str], Mapping[str, Any] | None]
"""(namespace, name) -> the Secret, None when there is none."""


@dataclass(frozen=True)
class Remark:
    """Something to say about one Ingress."""

    kind: str
    """Normal or Warning, as events have it; a Warning is also shown by `lab status`."""
    reason: str
    message: str


def annotations_of(ingress: Ingress, prefix: str) -> dict[str, str]:
    """Its annotations with this prefix, by the rest of their names."""
    found = ingress["metadata"].get("annotations") or {}
    return {
        name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)
    }


def class_of(ingress: Ingress) -> str:
    """nginx, alb or another's."""
    old = (ingress["metadata"].get("annotations") or {}).get("kubernetes.io/ingress.class", "")
    return (ingress.get("spec") or {}).get("ingressClassName") or old


def refusal(ingress: Ingress, secrets: Secrets) -> tuple[int, str] | None:
    """(status, why) when ingress-nginx refuses every request of this Ingress, since it can't do
    what an annotation asks.

    "auth-secret: The name of the Secret that contains the usernames and passwords"; one that can't
    be read denies the location (503), a CA that can't be read is answered 403.
    """
    found, namespace = annotations_of(ingress, PREFIX), ingress["metadata"]["namespace"]
    if found.get("auth-type"):
        name = found.get("auth-secret", "")
        space, _, key = name.rpartition("/")
        if not name:
            return 503, "auth-type without auth-secret"
        if space not in ("", namespace):
            return 503, f"auth-secret {name} is in another namespace"
        secret = secrets(namespace, key)
        if secret is None:
            return 503, f"there is no Secret {namespace}/{key} (auth-secret)"
        if found.get("auth-secret-type", "auth-file") == "auth-file" and "auth" not in (
            secret.get("data") or {}
        ):
            return 503, f"Secret {namespace}/{key} has no key auth (auth-secret)"
    if found.get("auth-tls-secret"):
        space, _, key = found["auth-tls-secret"].partition("/")
        secret = secrets(space, key) if space == namespace else None
        if "ca.crt" not in ((secret or {}).get("data") or {}):
            return (
                403,
                f"there is no Secret {found['auth-tls-secret']} with a key ca.crt in this namespace (auth-tls-secret)",
            )
    return None


def dynamic(ingresses: Iterable[Ingress], secrets: Secrets) -> dict[str, Any]:
    """Traefik's file configuration: routers ahead of its own, for what its reading of the
    annotations leaves out.
    """
    routers: dict[str, Any] = {}
    limited = False
    for ingress in ingresses:
        kind, denied = class_of(ingress), None
        if kind == "nginx":
            found = annotations_of(ingress, PREFIX)
            limited = limited or any(
                found.get(name, "0").lstrip("+-").strip("0") for name in LIMITS
            )
            denied = refusal(ingress, secrets)
            if denied:
                routers.update(_routers(ingress, "denied", refused=denied[0]))
            if found.get("denylist-source-range"):
                who = " || ".join(
                    f"ClientIP(`{part.strip()}`)"
                    for part in found["denylist-source-range"].split(",")
                )
                routers.update(
                    _routers(ingress, "denylist", refused=403, only=who, ahead=2 * AHEAD)
                )
        elif kind == "alb":
            routers.update(_routers(ingress, "alb", listens=_listens(ingress)[0]))
    page = {"service": "nobody", "query": "/"}
    limits = (
        {"status": ["429"], "statusRewrites": {"429": LIMITED}} if limited else {"status": ["599"]}
    )
    middlewares = {
        "limits": {"errors": {**page, **limits}},
        "forbidden": {"ipAllowList": {"sourceRange": ["255.255.255.255/32"]}},
    }
    http: dict[str, Any] = {
        "middlewares": middlewares,
        "services": {"nobody": {"loadBalancer": {"servers": []}}},
    }
    if routers:
        http["routers"] = routers
    return {"http": http}


def _routers(
    ingress: Ingress,
    what: str,
    refused: int = 0,
    only: str = "",
    ahead: int = AHEAD,
    listens: Iterable[str] = ("web", "websecure"),
) -> Iterator[tuple[str, dict[str, Any]]]:
    """A router for each path and entry point: refused, or straight to the Service. Its name says
    whose it is, for the access log.
    """
    meta = ingress["metadata"]
    for i, rule in enumerate((ingress.get("spec") or {}).get("rules") or []):
        for j, entry in enumerate((rule.get("http") or {}).get("paths") or []):
            text = _rule(rule.get("host") or "", entry, annotations_of(ingress, PREFIX))
            text = f"({text}) && ({only})" if only else text
            for point in ("web", "websecure"):
                router: dict[str, Any] = {
                    "rule": text,
                    "entryPoints": [point],
                    "priority": ahead + len(text),
                    "service": "nobody",
                }
                if refused == 403:
                    router["middlewares"] = ["forbidden"]
                elif not refused and point in listens and entry["backend"].get("service"):
                    router["service"] = _service(meta, entry["backend"]["service"])
                if point == "websecure":
                    router["tls"] = {}
                yield f"{meta['namespace']}/{meta['name']}/{what}/{i}/{j}/{point}", router


def _rule(host: str, entry: Mapping[str, Any], found: Mapping[str, str]) -> str:
    path = entry.get("path") or "/"
    if entry.get("pathType") == "Exact":
        rule = f"Path(`{path}`)"
    elif found.get("use-regex", "").lower() == "true" or found.get("rewrite-target"):
        rule = f"PathRegexp(`(?i)^{path}`)"
    else:
        rule = (
            "PathPrefix(`/`)"
            if path == "/"
            else f"(Path(`{path.rstrip('/')}`) || PathPrefix(`{path.rstrip('/')}/`))"
        )
    return f"Host(`{host}`) && {rule}" if host else rule


def _service(meta: Mapping[str, Any], service: Mapping[str, Any]) -> str:
    """The name that traefik's provider gives the Service: letters and digits, everything between
    them one dash.
    """
    port = service.get("port") or {}
    name = f"{meta['namespace']}-{meta['name']}-{service['name']}-{port.get('name') or port.get('number')}"
    return (
        "-".join(part for part in re.split(r"[^A-Za-z0-9]+", name) if part)
        + "@kubernetesingressnginx"
    )


def _listens(ingress: Ingress) -> tuple[list[str], list[str]]:
    """(entry points that an ALB would listen on, what the lab can't): of listen-ports, else 80, or
    443 when there is TLS.

    Source: ACK's guide of ALB Ingress, "Configure custom listening ports".
    """
    text = (ingress["metadata"].get("annotations") or {}).get(LISTEN)
    if not text:
        return (["websecure"] if (ingress.get("spec") or {}).get("tls") else ["web"]), []
    try:
        pairs = [
            (str(kind).upper(), int(port))
            for entry in json.loads(text)
            for kind, port in entry.items()
        ]
    except (ValueError, TypeError, AttributeError):
        return ["web"], [text]
    return [ENTRY_POINTS[pair] for pair in pairs if pair in ENTRY_POINTS], [
        f"{k} {p}" for k, p in pairs if (k, p) not in ENTRY_POINTS
    ]


def remarks(ingress: Ingress, ingresses: Iterable[Ingress], secrets: Secrets) -> list[Remark]:
    """What a user has to know of this Ingress: what the lab does otherwise, and what ingress-nginx
    or an ALB would refuse or ignore.
    """
    kind = class_of(ingress)
    if kind == "alb":
        return list(_of_alb(ingress))
    if kind != "nginx":
        return []
    return [*_of_values(ingress), *_of_objects(ingress, ingresses, secrets)]


def _of_alb(ingress: Ingress) -> Iterator[Remark]:
    for name in annotations_of(ingress, PREFIX):
        yield Remark(
            "Warning",
            "NotRead",
            f"{PREFIX}{name}: an ALB does not read it, and neither does the lab for class alb",
        )
    for name in annotations_of(ingress, ALB):
        if f"{ALB}{name}" != LISTEN:
            yield Remark("Warning", "NotEnforced", f"{ALB}{name}: not enforced in the lab")
    for what in _listens(ingress)[1]:
        yield Remark(
            "Warning",
            "NotEnforced",
            f"{LISTEN}: {what}: the lab listens on HTTP 80 and HTTPS 443 only",
        )


def _of_values(ingress: Ingress) -> Iterator[Remark]:
    for name in annotations_of(ingress, ALB):
        yield Remark("Warning", "NotRead", f"{ALB}{name}: ingress-nginx does not read it")
    found = annotations_of(ingress, PREFIX)
    for name, value in found.items():
        row = table().get(name)
        if row is None:
            yield Remark(
                "Warning",
                "Unknown",
                f"{PREFIX}{name}: ingress-nginx {VERSION} has no such annotation and ignores it",
            )
        elif not row.takes(value):
            yield Remark(
                "Warning",
                "InvalidValue",
                f"{PREFIX}{name}: {value!r} is not valid: ingress-nginx {_instead(row.refused)}",
            )
        elif value and row.concerns(value) and row.unless not in found:
            rest = f" ({row.note})" if row.note else ""
            if row.lab == IGNORED:
                yield Remark(
                    "Warning",
                    "NotEnforced",
                    f"{PREFIX}{name}: not enforced in the lab{rest}; ingress-nginx: {row.nginx}",
                )
            else:
                yield Remark(
                    "Normal", "Differs", f"{PREFIX}{name}: {row.note}; ingress-nginx: {row.nginx}"
                )


def _instead(refused: bool) -> str:
    return "refuses the Ingress" if refused else "takes its default"


def _of_objects(
    ingress: Ingress, ingresses: Iterable[Ingress], secrets: Secrets
) -> Iterator[Remark]:
    meta, spec = ingress["metadata"], ingress.get("spec") or {}
    denied = refusal(ingress, secrets)
    if denied:
        yield Remark(
            "Warning",
            "Denied",
            f"every request is answered {denied[0]}, as ingress-nginx does: {denied[1]}",
        )
    for entry in spec.get("tls") or []:
        name = entry.get("secretName")
        if name and secrets(meta["namespace"], name) is None:
            text = f"there is no Secret {meta['namespace']}/{name}: as ingress-nginx the lab shows a certificate of its own"
            yield Remark("Warning", "NoCertificate", text)
    mine = _places(ingress)
    for other in ingresses:
        theirs = other["metadata"]
        elder = (theirs.get("creationTimestamp") or "", theirs["namespace"], theirs["name"]) < (
            meta.get("creationTimestamp") or "", meta["namespace"], meta["name"],
        )  # fmt: skip
        if class_of(other) == "nginx" and elder:
            for host, path in sorted(mine & _places(other)):
                text = f"host {host!r} and path {path!r} is already defined in ingress {theirs['namespace']}/{theirs['name']}"
                yield Remark(
                    "Warning",
                    "Overlap",
                    f"ingress-nginx's admission webhook refuses this Ingress: {text}",
                )


def _places(ingress: Ingress) -> set[tuple[str, str]]:
    """(host, path) of each of its rules; none of a canary, which shares them on purpose."""
    if annotations_of(ingress, PREFIX).get("canary") == "true":
        return set()
    rules = (ingress.get("spec") or {}).get("rules") or []
    return {
        (rule.get("host") or "", entry.get("path") or "/")
        for rule in rules
        for entry in (rule.get("http") or {}).get("paths") or []
    }
