"""Ships the ingress controller's access log to the cloud's log service, as ACK's log collector
does: to ACK's ingress logstores, and through the log pipelines of the cluster to theirs.

Follows ``data/traefik/access.log``, remembers in ``shipped.json`` how far the log service has
acknowledged, and turns the file over when it has grown large. Every line is shipped at least once.
In the same process `ingress_watch` looks after the Ingresses.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from lab import readiness
from lab.controlplane import ingress_watch, log_pipelines
from lab.controlplane.certificates import cluster_pki
from lab.controlplane.log_lines import alb_log_of, ingress_key, is_alb, log_of
from lab.controlplane.sls import Log, Places, Sls, SlsError
from lab.environment import CONTROL_URL, INGRESS_IP, LOG_PROJECT, LOG_STORE
from lab.kube import MERGE, UNREACHABLE, BlockingKube, KubeError
from lab.state import read_state

ALB_STORE = "alb_ingress"
BATCH = 2000  # lines in one PutLogs (the service takes 4096)
EVERY = 0.5  # seconds between two looks at the file
FRESH = 5.0  # seconds for which an Ingress object is remembered
TURN_OVER = 64 << 20  # bytes
log = logging.getLogger("log-shipper")


class Ingresses:
    """Ingress objects by (namespace, name), asked again when old."""

    def __init__(self, home: Path) -> None:
        self._kube = BlockingKube(cluster_pki(home).kubeconfig("log-shipper"), timeout=5)
        self._known: dict[tuple[str, str], tuple[float, Any]] = {}

    def get(self, key: tuple[str, str] | None) -> Any:
        """The object; None when there is none. Raises `KubeError` when the API server refuses, or
        can't be asked and nothing is remembered.
        """
        if key is None:
            return None
        known = self._known.get(key)
        if known and time.monotonic() - known[0] < FRESH:
            return known[1]
        path = f"/apis/networking.k8s.io/v1/namespaces/{key[0]}/ingresses/{key[1]}"
        try:
            found = self._kube.get(path)
        except KubeError as error:
            # 404: deleted since, and its last requests still were its own
            if error.status != 404 and not (known and error.reason == UNREACHABLE):
                raise
            found = known[1] if known else None
        self._known[key] = (time.monotonic(), found)
        return found


class Projects:
    """Log projects that want the ingress log: that of the lab's cluster, and those of clusters
    created since, which share its ingress.
    """

    def __init__(self) -> None:
        self._cloud = httpx.Client(base_url=CONTROL_URL, trust_env=False, timeout=5)
        self._asked, self._stores = (
            -FRESH,
            [f"{LOG_PROJECT}:{LOG_STORE}", f"{LOG_PROJECT}:{ALB_STORE}"],
        )

    def now(self, store: str) -> list[str]:
        """Those with this logstore. Asked again when old; what was known stays while the region
        does not answer.
        """
        if time.monotonic() - self._asked >= FRESH:
            with contextlib.suppress(httpx.HTTPError, ValueError, KeyError):
                found = self._cloud.get("/_lab/resources").json()["resources"]["logstore"]
                self._stores = [
                    name for name in found if name.startswith("k8s-log-")
                ] or self._stores
            self._asked = time.monotonic()
        return sorted(
            name.removesuffix(f":{store}") for name in self._stores if name.endswith(f":{store}")
        )


class Pipelines:
    """Log pipelines of the cluster, asked again when old. Each has in its status what the operator
    says of it.
    """

    def __init__(self, kube: Any, projects: Any) -> None:
        self._kube, self._projects = kube, projects
        self._asked, self._found = -FRESH, list[log_pipelines.Pipeline]()

    def now(self) -> list[log_pipelines.Pipeline]:
        """Those that collect. What was known stays while the API server does not answer."""
        if time.monotonic() - self._asked >= FRESH:
            with contextlib.suppress(KubeError):
                self._found = list(self._read())
            self._asked = time.monotonic()
        return self._found

    def _read(self) -> Iterator[log_pipelines.Pipeline]:
        try:
            documents = self._kube.get(log_pipelines.PATH)["items"]
        except KubeError as error:
            if error.status == 404:  # no such kind: nothing collects by it
                return
            raise
        for document in documents:
            wrong = log_pipelines.problem(document)
            if not wrong:
                pipeline = log_pipelines.compiled(document)
                wrong = self._missing(pipeline)
                if not wrong:
                    yield pipeline
            self._tell(document, wrong)

    def _missing(self, pipeline: log_pipelines.Pipeline) -> str | None:
        for store in pipeline.logstores:
            if pipeline.project not in self._projects.now(store):
                return f"logstore {store} does not exist in project {pipeline.project}"
        return None

    def _tell(self, document: Any, wrong: str | None) -> None:
        said = {"success": wrong is None, "message": wrong or "success"}
        status = document.get("status") or {}
        if {key: status.get(key) for key in said} != said:
            path = f"{log_pipelines.PATH}/{document['metadata']['name']}/status"
            with contextlib.suppress(KubeError):
                self._kube.request("PATCH", path, {"status": said}, MERGE)


class Follower:
    """Reads whole lines from a growing file, across a change of file."""

    def __init__(self, path: Path) -> None:
        self.path, self._position = path, path.with_name("shipped.json")
        self._stream: BinaryIO | None = None
        self._last_look = False

    def lines(self, limit: int) -> list[bytes]:
        """The next whole lines, at most `limit`."""
        if self._stream is None and not self._open():
            return []
        assert self._stream is not None
        found = []
        while len(found) < limit:
            before = self._stream.tell()
            line = self._stream.readline()
            if not line.endswith(b"\n"):
                self._stream.seek(before)
                if not line and not found:
                    self._leave_if_replaced()
                break
            self._last_look = False
            found.append(line)
        return found

    def acknowledge(self) -> None:
        """What was read so far has arrived."""
        if self._stream is not None:
            temporary = self._position.with_suffix(".new")
            temporary.write_text(
                json.dumps(
                    {"inode": os.fstat(self._stream.fileno()).st_ino, "offset": self._stream.tell()}
                )
            )
            temporary.replace(self._position)

    def back(self, lines: list[bytes]) -> None:
        """These lines did not arrive: read them again."""
        if self._stream is not None:
            self._stream.seek(-sum(map(len, lines)), os.SEEK_CUR)

    def size(self) -> int:
        """Bytes of the current file."""
        return os.fstat(self._stream.fileno()).st_size if self._stream else 0

    def _open(self) -> bool:
        try:
            self._stream = open(self.path, "rb")  # noqa: SIM115 - kept open
        except FileNotFoundError:
            return False
        with contextlib.suppress(OSError, ValueError, KeyError):
            known = json.loads(self._position.read_text())
            status = os.fstat(self._stream.fileno())
            if known["inode"] == status.st_ino and known["offset"] <= status.st_size:
                self._stream.seek(known["offset"])
        return True

    def _leave_if_replaced(self) -> None:
        """Change to the new file one look after it has appeared: the old one's last lines may be
        younger than our last read.
        """
        assert self._stream is not None
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self.path).st_ino == os.fstat(self._stream.fileno()).st_ino:
                return
            if self._last_look:
                self._stream.close()
                self._stream = None
            self._last_look = not self._last_look


def parse(raw: list[bytes], ingresses: Any) -> dict[str, list[Log]]:
    """Logs of the lines that are requests, by the logstore of their Ingress' class; a line that is
    none is dropped.
    """
    found: dict[str, list[Log]] = {}
    for line in raw:
        try:
            document = json.loads(line)
            ingress = ingresses.get(ingress_key(document))
            store, made = (ALB_STORE, alb_log_of) if is_alb(ingress) else (LOG_STORE, log_of)
            found.setdefault(store, []).append(made(document, ingress))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("not a request: %s (%s)", line[:200], error)
    return found


def piped(
    logs: Iterable[Log], pipelines: Iterable[log_pipelines.Pipeline]
) -> Iterator[tuple[str, str, list[Log]]]:
    """(project, logstore, logs) of what each pipeline keeps of the controller's requests."""
    lines = [(moment, log_pipelines.controller_line(fields)) for moment, fields in logs]
    for pipeline in pipelines:
        kept: list[Log] = [
            (moment, fields) for moment, line in lines if (fields := pipeline.run(line)) is not None
        ]
        for store in pipeline.logstores if kept else ():
            yield pipeline.project, store, kept


def turn_over(home: Path, path: Path) -> None:
    """Move the log aside and have the ingress controller open a new one."""
    parts = {part["name"]: part for part in read_state(home).get("components", [])}
    pid = (parts.get("traefik") or {}).get("pid")
    if pid:
        path.replace(path.with_suffix(".log.1"))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)


def put_if_there(sls: Sls, project: str, store: str, logs: list[Log]) -> None:
    """Store what a pipeline kept; without its logstore it is lost, as there, and what other
    logstores get is not held up.
    """
    try:
        sls.put_logs(project, store, INGRESS_IP, logs)
    except SlsError as error:
        if error.code not in ("LogStoreNotExist", "ProjectNotExist"):
            raise
        log.warning("%d lines of %s/%s are lost: %s", len(logs), project, store, error)


def ship(home: Path) -> None:
    """Follow and ship until killed."""
    follower, ingresses, sls = (
        Follower(home / "data" / "traefik" / "access.log"),
        Ingresses(home),
        Sls(home, region_of=Places().region_of),
    )
    projects = Projects()
    kube = BlockingKube(cluster_pki(home).kubeconfig("log-shipper"), timeout=5)
    pipelines = Pipelines(kube, projects)
    pause = EVERY
    readiness.ready()
    while True:
        lines = follower.lines(BATCH)
        if lines:
            try:
                requests = parse(lines, ingresses)
                for store, logs in requests.items():
                    for project in projects.now(store):
                        sls.put_logs(project, store, INGRESS_IP, logs)
                for project, store, logs in piped(requests.get(LOG_STORE, ()), pipelines.now()):
                    put_if_there(sls, project, store, logs)
                follower.acknowledge()
                pause = EVERY
            # the log service or the API server is away: nothing is lost, it is tried again
            except Exception as error:
                log.warning("%d lines wait: %s", len(lines), error)
                follower.back(lines)
                pause = min(pause * 2, 10.0)
        else:
            pipelines.now()  # a new one is told in its status what it lacks, load or not
            if follower.size() > TURN_OVER:
                turn_over(home, follower.path)
        if len(lines) < BATCH:
            time.sleep(pause)


def main() -> None:
    """``python -m lab.controlplane.log_shipper --home LAB_HOME``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    threading.Thread(target=ingress_watch.follow, args=(arguments.home,), daemon=True).start()
    ship(arguments.home)


if __name__ == "__main__":
    main()
