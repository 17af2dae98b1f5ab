"""What an ingress controller says of its Ingresses: events, lines for `lab status`, and traefik's
additional configuration.

A companion of traefik under the same identity. It asks the API server every second and writes only
what has changed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.controlplane.certificates import cluster_pki
from lab.controlplane.ingress_routes import Remark, dynamic, remarks
from lab.kube import BlockingKube, KubeError
from lab.state import ingress_notes

EVERY = 1.0  # seconds between two looks
SECRETS_STAY = 2.0  # seconds for which a Secret is remembered
COMPONENT = "nginx-ingress-controller"
log = logging.getLogger("ingress-watch")


def configuration(home: Path) -> Path:
    """Traefik's additional configuration (JSON is YAML)."""
    return home / "data" / "traefik" / "dynamic" / "lab.yaml"


def prepare(home: Path) -> None:
    """What traefik needs before it starts: a configuration as for no Ingress at all."""
    _replace(configuration(home), json.dumps(dynamic([], lambda *_: None), indent=1))
    ingress_notes(home).unlink(missing_ok=True)


class Watch:
    """One look at a time."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.kube = BlockingKube(cluster_pki(home).kubeconfig("ingress-controller"), timeout=5)
        self._secrets: dict[tuple[str, str], tuple[float, Mapping[str, Any] | None]] = {}
        self._written: dict[Path, str] = {}
        self._told: set[str] = set()

    def reconcile(self) -> None:
        """Read, decide, write. Raises what the API server's answers raise."""
        ingresses = self.kube.get("/apis/networking.k8s.io/v1/ingresses?resourceVersion=0")["items"]
        self._write(
            configuration(self.home), json.dumps(dynamic(ingresses, self._secret), indent=1)
        )
        said = [
            (ingress, remark)
            for ingress in ingresses
            for remark in remarks(ingress, ingresses, self._secret)
        ]
        warnings = [
            [_name(ingress), remark.message] for ingress, remark in said if remark.kind == "Warning"
        ]
        self._write(ingress_notes(self.home), json.dumps(warnings, indent=1))
        for ingress, remark in said:
            self._tell(ingress, remark)

    def _secret(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        known = self._secrets.get((namespace, name))
        if known and time.monotonic() - known[0] < SECRETS_STAY:
            return known[1]
        try:
            found = self.kube.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        except KubeError as error:
            if (
                error.status != 404
            ):  # not known is not the same as not there, which would be answered with 503
                raise
            found = None
        self._secrets[namespace, name] = (time.monotonic(), found)
        return found

    def _write(self, path: Path, text: str) -> None:
        if self._written.get(path) != text:
            _replace(path, text)
            self._written[path] = text

    def _tell(self, ingress: Mapping[str, Any], remark: Remark) -> None:
        """An event at the Ingress, once for each of its remarks."""
        meta = ingress["metadata"]
        name = f"{meta['name'][:200]}.{hashlib.sha256((meta['uid'] + remark.message).encode()).hexdigest()[:16]}"
        if name in self._told:
            return
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        involved = {key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion")}
        event = {
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": meta["namespace"]}, "type": remark.kind,
            "involvedObject": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", **involved}, "reason": remark.reason,
            "message": remark.message[:1000], "source": {"component": COMPONENT}, "firstTimestamp": now, "lastTimestamp": now, "count": 1,
        }  # fmt: skip
        try:
            self.kube.request("POST", f"/api/v1/namespaces/{meta['namespace']}/events", event)
        except KubeError as error:
            if error.status not in (
                403,
                404,
                409,
            ):  # the namespace is on its way out, or an earlier process has told it
                raise
        self._told.add(name)


def follow(home: Path) -> None:
    """Look until killed; whatever goes wrong is logged and looked at again."""
    watch, failing = Watch(home), ""
    while True:
        try:
            watch.reconcile()
            failing = ""
        # the API server is away, or an object has an unknown form: the log shipper continues
        except Exception as error:
            if repr(error) != failing:
                log.warning("not looked at: %r", error)
            failing = repr(error)
        time.sleep(EVERY)


def _name(ingress: Mapping[str, Any]) -> str:
    return f"{ingress['metadata']['namespace']}/{ingress['metadata']['name']}"


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    os.replace(temporary, path)
