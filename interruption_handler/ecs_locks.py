"""The second source of the reclaim notice: ECS' own operation locks.

A preemptible instance that is about to be reclaimed carries the lock `Recycling` in the answer of
DescribeInstances. The node condition InstanceExpired says the same only where
ack-node-problem-detector runs on the node. The instance's metadata says it as well, but can be read
on the node alone.

Only preemptible nodes are asked about, and no other lock counts (`financial`, `security`): an
instance that is paid for and ends with its subscription is not reclaimed.

The leader asks every `EVERY` seconds with temporary credentials of a RAM role, which the pod gets
for its service account token (RRSA). ECS does not say since when an instance is locked. The leader
notes when it first saw that, as an annotation of the Lease, so that the next leader does not take
an old notice for a new one.

Signature: https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import re
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from . import backoff, metrics
from .actions import Action, SaveNote
from .config import Config
from .log import log_event
from .snapshot import ClusterSnapshot, Node, timestamp

EVERY = 15.0
"""Seconds between two looks."""
LONGEST_PAUSE = 120.0
"""Longest pause after looks that failed."""
CHUNK = 100
"""Instances in one request: the most that DescribeInstances takes."""
TIMEOUT = 10.0
"""Seconds for one answer."""
RENEW_BEFORE = 600.0
"""Seconds before their end at which credentials are replaced."""
SESSION_SECONDS = 3600
NOTE = "elastic-inference/ecs-locks"
"""Annotation of the Lease: JSON of instance id to when its lock was first seen, seconds since
1970.
"""
RECYCLING = "recycling"
ALGORITHM = "ACS3-HMAC-SHA256"
LARGEST_ANSWER = 8 << 20
"""Bytes of an answer that are read."""

Locks = Mapping[str, float]
"""Instance id to when its lock was first seen, in seconds since 1970."""


class CloudError(Exception):
    """ECS or STS refused, could not be reached, or answered something else than its API."""


@dataclass(frozen=True)
class Role:
    """The RAM role that the pod takes, and what it takes it with. The environment names them as for
    Alibaba Cloud's SDKs: ALIBABA_CLOUD_ROLE_ARN, ALIBABA_CLOUD_OIDC_PROVIDER_ARN,
    ALIBABA_CLOUD_OIDC_TOKEN_FILE.
    """

    arn: str
    provider_arn: str
    token_file: Path

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Role:
        """Raises KeyError, naming the variable that is missing."""
        return cls(
            environment["ALIBABA_CLOUD_ROLE_ARN"],
            environment["ALIBABA_CLOUD_OIDC_PROVIDER_ARN"],
            Path(environment["ALIBABA_CLOUD_OIDC_TOKEN_FILE"]),
        )


@dataclass(frozen=True)
class Credentials:
    """Temporary credentials of the role."""

    key_id: str
    secret: str
    token: str
    ends: float
    """Seconds since 1970."""


class EcsLocks:
    """Knows which instances are locked for recycling, by a thread of its own."""

    def __init__(self, region: str, role: Role, session: str) -> None:
        """`session` is the name under which the cloud's audit log shows the requests."""
        self._region, self._role = region, role
        self._session = (re.sub(r"[^A-Za-z0-9.@_-]", "-", session) + "--")[:60]
        self._credentials: Credentials | None = None
        self._hosts: dict[str, str] = {}
        self._seen: dict[str, float] | None = None
        self._looked = time.monotonic()

    def start(self, instances: Callable[[], Iterable[str] | None]) -> None:
        """Look for the instances that `instances` returns, again and again; None: this replica does
        not lead, and what it saw is forgotten.
        """
        threading.Thread(target=self._follow, args=(instances,), name="ecs", daemon=True).start()

    @property
    def seen(self) -> Locks | None:
        """Locks as of the last look; None before the first one."""
        return self._seen

    @property
    def age(self) -> float:
        """Seconds since the last look that succeeded, or since the thread began to lead."""
        return time.monotonic() - self._looked

    def _follow(self, instances: Callable[[], Iterable[str] | None]) -> None:
        failures = 0
        while True:
            try:
                asked = instances()
                if asked is None:
                    self._seen, self._looked = None, time.monotonic()
                else:
                    self.look(asked)
                    metrics.ECS_LOOKS.add(outcome="done")
                failures = 0
            except Exception as error:
                failures += 1
                metrics.ECS_LOOKS.add(outcome="failed")
                level = "warning" if isinstance(error, CloudError) else "error"
                log_event("ecs not asked for locks", level=level, error=str(error) or repr(error))
            first = EVERY if not failures else EVERY * 2 ** min(failures - 1, 4)
            time.sleep(backoff.pause(1, min(first, LONGEST_PAUSE), LONGEST_PAUSE))

    def look(self, instances: Iterable[str]) -> None:
        """Ask for the locks of these instances. What was seen stays if that fails. Raises
        CloudError, OSError (the token can't be read).
        """
        wanted, now = sorted(set(instances)), time.time()
        locked = {
            name
            for first in range(0, len(wanted), CHUNK)
            for name in self._locked(wanted[first : first + CHUNK])
        }
        before = self._seen or {}
        self._seen = {name: before.get(name, now) for name in sorted(locked)}
        self._looked = time.monotonic()

    def _locked(self, instances: list[str]) -> Iterator[str]:
        answer = self._call(
            "ecs",
            "DescribeInstances",
            "2014-05-26",
            {
                "RegionId": self._region,
                "InstanceIds": json.dumps(instances),
                "PageSize": str(CHUNK),
            },
            self._current_credentials(),
        )
        try:
            for instance in answer["Instances"]["Instance"]:
                locks = instance["OperationLocks"]["LockReason"]
                reasons = {str(lock["LockReason"]).lower() for lock in locks}
                spot = instance.get("SpotStrategy", "NoSpot") != "NoSpot"
                if spot and RECYCLING in reasons:
                    yield str(instance["InstanceId"])
        except (KeyError, TypeError) as error:
            raise CloudError(f"DescribeInstances: an answer without {error}") from error

    def _current_credentials(self) -> Credentials:
        kept = self._credentials
        if kept is None or time.time() > kept.ends - RENEW_BEFORE:
            kept = self._credentials = self._take_role()
        return kept

    def _take_role(self) -> Credentials:
        """Unsigned: the token says who asks. It is read each time, because the kubelet replaces
        it.
        """
        parameters = {
            "RoleArn": self._role.arn,
            "OIDCProviderArn": self._role.provider_arn,
            "OIDCToken": self._role.token_file.read_text().strip(),
            "RoleSessionName": self._session,
            "DurationSeconds": str(SESSION_SECONDS),
        }
        answer = self._call("sts", "AssumeRoleWithOIDC", "2015-04-01", parameters, None)
        try:
            given = answer["Credentials"]
            return Credentials(
                given["AccessKeyId"],
                given["AccessKeySecret"],
                given["SecurityToken"],
                timestamp(given["Expiration"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CloudError(f"AssumeRoleWithOIDC: an answer without {error}") from error

    def _call(
        self,
        service: str,
        action: str,
        version: str,
        parameters: Mapping[str, str],
        credentials: Credentials | None,
    ) -> dict[str, Any]:
        """One call, at the service's host inside the VPC first: it needs no way to the Internet.
        Raises CloudError.
        """
        usual = (f"{service}-vpc.{self._region}.aliyuncs.com", f"{service}.{self._region}.aliyuncs.com")  # fmt: skip
        hosts = (self._hosts[service],) if service in self._hosts else usual
        failure: Exception | None = None
        for host in hosts:
            try:
                answer = _send(host, action, version, parameters, credentials)
            except (OSError, http.client.HTTPException) as error:
                failure = error
                self._hosts.pop(service, None)
                continue
            self._hosts[service] = host
            return answer
        raise CloudError(f"{action}: {' and '.join(hosts)}: {type(failure).__name__}: {failure}")


def _send(
    host: str,
    action: str,
    version: str,
    parameters: Mapping[str, str],
    credentials: Credentials | None,
) -> dict[str, Any]:
    """Parameters go into the body: a token in a URL ends up in logs. Raises OSError,
    HTTPException, CloudError.
    """
    body = urlencode(sorted(parameters.items())).encode()
    headers = {
        "host": host,
        "content-type": "application/x-www-form-urlencoded",
        "x-acs-action": action,
        "x-acs-version": version,
        "x-acs-date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": secrets.token_hex(16),
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
    }
    if credentials is not None:
        headers["x-acs-security-token"] = credentials.token
        headers["Authorization"] = authorization(headers, credentials.key_id, credentials.secret)
    context = ssl.create_default_context()
    connection = http.client.HTTPSConnection(host, timeout=TIMEOUT, context=context)
    try:
        connection.request("POST", "/", body, {**headers, "accept": "application/json"})
        answer = connection.getresponse()
        raw = answer.read(LARGEST_ANSWER)
    finally:
        connection.close()
    try:
        parsed = json.loads(raw)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise CloudError(f"{action}: {answer.status}, no JSON object")
    if answer.status >= 400:
        code, message = parsed.get("Code"), parsed.get("Message")
        raise CloudError(f"{action}: {answer.status} {code}: {message} ({parsed.get('RequestId')})")
    return parsed


def authorization(headers: Mapping[str, str], key_id: str, secret: str) -> str:
    """The header Authorization of a POST to `/` without a query, with these headers: names in lower
    case, `x-acs-content-sha256` among them.
    """
    signed = sorted(headers)
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in signed)
    names = ";".join(signed)
    canonical = "\n".join(("POST", "/", "", lines, names, headers["x-acs-content-sha256"]))
    text = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Credential={key_id},SignedHeaders={names},Signature={signature}"


def noted(notes: Mapping[str, str]) -> dict[str, float]:
    """The locks that a leader noted; empty if there are none or if they can't be read."""
    try:
        read = json.loads(notes.get(NOTE) or "{}")
        return {str(name): float(since) for name, since in read.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def known(seen: Locks | None, notes: Mapping[str, str]) -> Locks:
    """Locks of the last look, each since it was noted first; before the first look, the noted
    ones.
    """
    before = noted(notes)
    if seen is None:
        return before
    return {name: min(since, before.get(name, since)) for name, since in seen.items()}


def with_notices(nodes: Mapping[str, Node], locks: Locks) -> dict[str, Node]:
    """The nodes; a preemptible one whose instance is locked has its notice since the lock was seen,
    unless it has an earlier one.
    """
    return {name: _with_notice(node, locks.get(node.instance)) for name, node in nodes.items()}


def _with_notice(node: Node, since: float | None) -> Node:
    if since is None or not node.spot or not node.instance:
        return node
    since = max(since, node.created)
    if node.notice_at is not None and node.notice_at <= since:
        return node
    return replace(node, notice_at=since)


def decide(snapshot: ClusterSnapshot, _config: Config, _now: float) -> Iterator[Action]:
    """Note when each lock was first seen, for the next leader."""
    if snapshot.locks is None:
        return
    whole = {name: int(since) for name, since in sorted(snapshot.locks.items())}
    before = {name: int(since) for name, since in noted(snapshot.notes).items()}
    if whole != before:
        text = json.dumps(whole) if whole else None
        yield SaveNote(NOTE, text, "instances that ECS is about to reclaim")
