"""What to do about a resource that failed: the cause by its message, one line of advice each, by
what was being done to it.
"""

from __future__ import annotations

import re

from ops.engine.cluster_objects import FIELD_MANAGER
from ops.engine.events import Failure, Report

UNANSWERED, REFUSED_FOR_NOW, SERVICE, EXISTS, FORBIDDEN, OTHER = (
    "unanswered",
    "throttled",
    "service",
    "exists",
    "forbidden",
    "other",
)
NOT_READY, CONFLICT, HELM_PENDING, CHANGED = (
    "not ready",
    "conflict",
    "helm pending",
    "changed meanwhile",
)
NOT_GONE, OWN_CONFLICT, PLUGIN_ENDED = "not gone", "conflict among ours", "plugin ended"

_CAUSES = (
    (
        HELM_PENDING,
        r"cannot re-use a name that is still in use|another operation \(install/upgrade/rollback\) is in progress",
    ),
    # The plugin calls every 409 a field conflict.
    (CHANGED, r"field conflict detected[\s\S]*the object has been modified"),
    (CONFLICT, r"field conflict detected|Apply failed with \d+ conflict"),
    # Made, and waited for in vain: what its pods say has words of every other cause in it.
    (
        NOT_READY,
        r"failed to fully initialize or become live|timed out waiting (to be Ready|for the condition)|"
        r"Minimum number of (live )?Pods|Resource operation was cancelled|field was not updated with a hostname/IP",
    ),
    (CHANGED, r"the object has been modified"),
    # What the engine says of a plugin that is gone, and gRPC of the way to it.
    (
        PLUGIN_ENDED,
        r"exited prematurely|error reading from server: |transport: Error while dialing: dial tcp (127\.0\.0\.1|\[::1\])",
    ),
    (
        REFUSED_FOR_NOW,
        r"Throttling|TooManyRequests|[Tt]oo many requests|QpsLimitExceeded|FlowControl|StatusCode[:=] ?429|\b429\b",
    ),
    # The cluster's API server says it with a blank; a plugin from 4.29.0 on hands that on where
    # older ones took the object over.
    (
        EXISTS,
        r"EntityAlreadyExists|AlreadyExist|\balready exists\b|is not available\. The bucket namespace is shared",
    ),
    (
        FORBIDDEN,
        r"Forbidden|is forbidden: User |NoPermission|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|StatusCode[:=] ?403",
    ),
    (
        UNANSWERED,
        r"\bEOF\b|connection reset|connection refused|broken pipe|[Tt]imeout|timed out|deadline exceeded|no such host|"
        r"[Rr]emote end closed|cannot be reached|no answer in time|in the time allotted|server closed",
    ),
    (
        SERVICE,
        r"StatusCode[:=] ?5\d\d|\bcode: 5\d\d|InternalError|Internal error occurred|ServiceUnavailable|currently unable to handle|"
        r"HTTP 5\d\d|InternalServerError",
    ),
)
_NEVER_LIVE = re.compile(r"failed to fully initialize or become live: ")
"""The plugin's word for all that fails after it knows the object: for pods in vain waited for, and
for a change that was refused or not answered.
"""
_CALL_FAILED = re.compile(
    r'(Get|Post|Put|Patch|Delete) \\?"https?://|Server-Side Apply field conflict|Operation cannot be fulfilled|'
    r"Timeout: request did not|Internal error occurred|[Tt]oo many requests|"
    r"the server (was unable|is currently unable|has received too many|rejected|could not find)|error reading from server|"
    r"etcdserver: |unexpected EOF|EOF\b|\S+ \"[^\"]*\" is (forbidden|invalid)|Unauthorized|"
    r"(unable|failed) to .{0,40}(https?://|connect)|net/http: |dial tcp |(read|write) tcp |http2: |context deadline exceeded|"
    r"client rate limiter"
)
"""How the plugin's message goes on where it was a call to the API server that failed."""
_MANAGER = re.compile(r'conflicts? with \\?"([^"\\]+)')
_NOISE = (
    r"the Kubernetes API server reported that \"\S+\" failed to fully initialize or become live: ",
    r"resource \"?urn:pulumi:\S+ was successfully created, but the Kubernetes API server reported that it failed to fully initialize or "
    r"become live: ",
    r"resource \"?urn:pulumi:\S+ was not successfully created by the Kubernetes API server: ",
    r"\d+ errors? occurred: \* ",
    r"\w+ing urn:pulumi:\S+?: (?=\[|\w)",
    r"\[(SDK [\w-]+ )?ERROR\]:? ?",
    r"terraform-provider-alicloud\S+\.go:\d+: ",
    r"SDKError: ",
    r" Data: \{.*\}",
)
AGAIN = "run the same command again"
_ADVICE = {
    CONFLICT: "somebody changed this with another tool, which owns the fields named since: `make drift` shows what differs; `make up "
    "REFRESH=1` sets them back to what the program says",
    OWN_CONFLICT: "these fields were written by another Pulumi program, or by this one under a state that is lost: each draws a name of "
    "its own to write under. If it is another program's, one of the two has to let go of them; `make up REFRESH=1` sets them to what this "
    "one says",
    NOT_READY: f"it is there and does not get ready: the cluster's own reason is below; once that is gone, {AGAIN}",
    NOT_GONE: "its deletion is ordered, and something holds it: a finalizer whose controller is gone, or who uses it still (`kubectl "
    f"describe` shows them); once that is gone, {AGAIN}",
    HELM_PENDING: "Helm has a record of a release of this name that is not in this stack's state, or was killed in one: `kubectl get "
    "secret -A -l owner=helm` shows it. If nobody else installs it just now, delete the Secret of its last revision (what runs stays, and "
    f"is taken over), then {AGAIN}",
    PLUGIN_ENDED: f"the plugin ended in the middle of it, killed (for want of memory: `dmesg`) or by a fault of its own: {AGAIN}, which "
    "finds out what was done; if it ends there again, its own last words are above",
    CHANGED: f"something else changed it at the same moment, and the cluster kept that: {AGAIN}",
    UNANSWERED: f"the service did not answer: check the network from here to it, then {AGAIN}",
    REFUSED_FOR_NOW: f"the service asks for fewer calls: wait a minute, then {AGAIN}",
    SERVICE: f"the service failed, not the settings: wait a minute, then {AGAIN}; if it stays, see the service's status page",
    EXISTS: "something with this name exists and is not in this stack's state: if it is yours, take it over (docs/settings.md, adopt); "
    f"otherwise give another name in the settings; then {AGAIN}",
    FORBIDDEN: f"the credentials may not do this: let their RAM user or role do it, then {AGAIN}",
    OTHER: f"fix what the message names, then {AGAIN}",
}
_NOT_KNOWN_BY_STEP = {
    "update": f"the service did not answer: whether it was changed is not known. Check the network from here to it, then {AGAIN}: it sets "
    "what is not yet as it should be",
    "delete": f"the service did not answer: whether it was deleted is not known. Check the network from here to it, then {AGAIN}: it "
    "deletes what is still there",
}
"""The advice for no answer, by how the step's name begins. What a creation without an answer has
left is looked for (ops/engine/orphaned_creates.py).
"""
ADOPTED = f"its answer was lost, but it was created and is in the state now: {AGAIN}"
NOT_KNOWN = f"whether it was made is not known, and could not be looked up: look for it by its name, delete it if it is there, then {AGAIN}"
PRIVATE_API = (
    "the API server's address is a private one and is not reached from here: the cluster has no public endpoint, or cluster.apiEndpoint is "
    f"private. Run inside the VPC or over a VPN, or bind an EIP to the cluster; then {AGAIN}"
)
_PRIVATE_API = re.compile(
    r"dial tcp (10\.|172\.(1[6-9]|2\d|3[01])\.|192\.168\.)[\d.]+:6443: "
    r"(i/o timeout|connect: (no route to host|network is unreachable|connection timed out))"
)
"""How a client says that an address of a VPC does not answer: no such machine, not a refusal."""
IN_DOUBT = (UNANSWERED, SERVICE, EXISTS, PLUGIN_ENDED)
"""Causes after which a creation may have happened."""


def cause(message: str) -> str:
    """Which of the causes above a message speaks of."""
    reason = _NEVER_LIVE.split(message, maxsplit=1)[-1]
    if _CALL_FAILED.match(reason.lstrip()):
        message = reason
    found = next((name for name, pattern in _CAUSES if re.search(pattern, message)), OTHER)
    if (
        found == CONFLICT
        and (managers := _MANAGER.findall(message))
        and all(manager.startswith(FIELD_MANAGER) for manager in managers)
    ):
        return OWN_CONFLICT
    return found


def what_to_do(failure: Failure) -> str:
    """The advice by the cause and by what was being done."""
    if "remedy:" in failure.message:  # the program's own messages say what to do
        return AGAIN + " afterwards"
    found, step = cause(failure.message), failure.step.partition("-")[0]
    if _PRIVATE_API.search(failure.message):
        return PRIVATE_API
    if found == NOT_READY and step == "delete":
        return _ADVICE[NOT_GONE]
    return _NOT_KNOWN_BY_STEP.get(step, _ADVICE[found]) if found == UNANSWERED else _ADVICE[found]


def explanation(report: Report, known_better: dict[str, str] | None = None) -> list[str]:
    """Lines for a person: every resource that failed, why, and what to do. `known_better`: advice
    by URN in place of the message's.
    """
    lines = []
    for failure in _ultimate(report.failures):
        where = (
            f"{failure.name} ({failure.type})"
            if failure.type and failure.type != "pulumi:pulumi:Stack"
            else "the program"
        )
        lines.append(
            f"  {where}{f', {failure.step}' if failure.step else ''}: {short(failure.message)}"
        )
        lines.append(f"    do: {(known_better or {}).get(failure.urn) or what_to_do(failure)}")
    return ["\nWhat did not finish:", *lines] if lines else []


def short(message: str, longest: int = 2000) -> str:
    """A message in one line, without where in the plugin's code it comes from: the part that says
    what happened first.
    """
    words = " ".join(message.split())
    for noise in _NOISE:
        words = re.sub(noise, "", words)
    words = words.strip()
    return words if len(words) <= longest else words[: longest - 1] + "…"


def _ultimate(failures: list[Failure]) -> list[Failure]:
    """Without what only says that something else failed."""
    steps = [
        failure for failure in failures if failure.step or "update failed" not in failure.message
    ]
    return [failure for failure in steps if failure.message or failure.step]
