"""Probes as the kubelet does them: HTTP, TCP, gRPC and exec, with its result texts and its
thresholds.
"""

from __future__ import annotations

import asyncio
import errno
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

Object = dict[str, Any]
Exec = Callable[[list[str], float], Awaitable[tuple[int, str]]]


@dataclass(frozen=True)
class Probe:
    """A probe with the kubelet's defaults filled in (seconds, counts)."""

    kind: str
    spec: Object
    initial_delay: float = 0
    period: float = 10
    timeout: float = 1
    success: int = 1
    failure: int = 3
    grace: float | None = None

    @classmethod
    def of(cls, kind: str, spec: Object | None, clock: float = 1.0) -> Probe | None:
        """The probe `kind` (startup, readiness, liveness) of a container, if it has one. Its pauses
        pass in the lab's time.
        """
        if not spec:
            return None
        return cls(
            kind=kind,
            spec=spec,
            initial_delay=(spec.get("initialDelaySeconds") or 0) / clock,
            period=(spec.get("periodSeconds") or 10) / clock,
            timeout=spec.get("timeoutSeconds") or 1,
            success=(spec.get("successThreshold") or 1) if kind == "readiness" else 1,
            failure=spec.get("failureThreshold") or 3,
            grace=spec.get("terminationGracePeriodSeconds"),
        )


def port_number(port: int | str, container: Object) -> int:
    """A port given as number or as name of a container port; ValueError if there is none of that
    name.
    """
    if isinstance(port, int) or str(port).isdigit():
        return int(port)
    for entry in container.get("ports") or []:
        if entry.get("name") == port:
            return int(entry["containerPort"])
    raise ValueError(f"couldn't find port: {port}")


def _dial_error(reason: OSError, address: str) -> str:
    names = {
        errno.ECONNREFUSED: "connection refused",
        errno.EHOSTUNREACH: "no route to host",
        errno.ENETUNREACH: "network is unreachable",
    }
    return f"dial tcp {address}: connect: {names.get(reason.errno or 0, (reason.strerror or str(reason)).lower())}"


async def check(
    probe: Probe, container: Object, pod_ip: str, execute: Exec, session: aiohttp.ClientSession
) -> tuple[bool, str]:
    """One attempt: (passed, the kubelet's text)."""
    spec = probe.spec
    try:
        if "httpGet" in spec:
            return await _http(spec["httpGet"], container, pod_ip, probe.timeout, session)
        if "tcpSocket" in spec:
            return await _tcp(
                spec["tcpSocket"].get("host") or pod_ip,
                port_number(spec["tcpSocket"]["port"], container),
                probe.timeout,
            )
        if "grpc" in spec:
            return await _grpc(spec["grpc"], pod_ip, probe.timeout)
        if "exec" in spec:
            return await _exec(spec["exec"].get("command") or [], probe.timeout, execute)
    except ValueError as reason:
        return False, str(reason)
    return True, ""


async def _http(
    spec: Object, container: Object, pod_ip: str, timeout: float, session: aiohttp.ClientSession
) -> tuple[bool, str]:
    host, port = spec.get("host") or pod_ip, port_number(spec["port"], container)
    path = spec.get("path") or "/"
    url = f"{(spec.get('scheme') or 'HTTP').lower()}://{host}:{port}{path if path.startswith('/') else '/' + path}"
    headers = {"User-Agent": "kube-probe/1.36", "Accept": "*/*", "Connection": "close"}
    headers |= {entry["name"]: entry.get("value", "") for entry in spec.get("httpHeaders") or []}
    try:
        limits = aiohttp.ClientTimeout(total=timeout)
        async with session.get(
            url, headers=headers, timeout=limits, ssl=False, allow_redirects=True
        ) as response:
            await response.read()
            if 200 <= response.status < 400:
                return True, ""
            return False, f"HTTP probe failed with statuscode: {response.status}"
    except TimeoutError:
        return (
            False,
            f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
        )
    except aiohttp.ClientConnectorError as reason:
        return False, f'Get "{url}": {_dial_error(reason.os_error, f"{host}:{port}")}'
    except aiohttp.ClientError as reason:
        return (
            False,
            f'Get "{url}": {"EOF" if isinstance(reason, aiohttp.ServerDisconnectedError) else reason}',
        )


async def _tcp(host: str, port: int, timeout: float) -> tuple[bool, str]:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), timeout)
    except TimeoutError:
        return False, f"dial tcp {host}:{port}: i/o timeout"
    except OSError as reason:
        return False, _dial_error(reason, f"{host}:{port}")
    writer.close()
    return True, ""


async def _grpc(spec: Object, pod_ip: str, timeout: float) -> tuple[bool, str]:
    import grpc  # noqa: PLC0415 - takes 15 MB of the agent, and only pods with a gRPC probe need it

    target, service = f"{pod_ip}:{spec['port']}", (spec.get("service") or "").encode()
    body = b"\x0a" + bytes([len(service)]) + service if service else b""
    try:
        async with grpc.aio.insecure_channel(target) as channel:
            answer = await channel.unary_unary("/grpc.health.v1.Health/Check")(
                body, timeout=timeout
            )
    except grpc.aio.AioRpcError as reason:
        if reason.code() == grpc.StatusCode.UNIMPLEMENTED:
            return (
                False,
                "this server does not implement the grpc health protocol (grpc.health.v1.Health)",
            )
        if reason.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE):
            return (
                False,
                f'timeout: failed to connect service "{target}" within {timeout:g}s: context deadline exceeded',
            )
        return False, f"error: health rpc probe failed: {reason.details()}"
    if answer == b"\x08\x01":
        return True, ""
    return (
        False,
        f"service unhealthy (responded with {'NOT_SERVING' if answer == bytes([8, 2]) else 'UNKNOWN'})",
    )


async def _exec(command: list[str], timeout: float, execute: Exec) -> tuple[bool, str]:
    try:
        code, output = await execute(command, timeout)
    except TimeoutError:
        return False, f'command timed out: "{" ".join(command)}" timed out after {timeout:g}s'
    except OSError as reason:
        return (
            False,
            f'OCI runtime exec failed: exec failed: unable to start container process: exec: "{command[0]}": {reason.strerror}',
        )
    return code == 0, output


class Tracker:
    """Counts results in a row against the thresholds; `result` is None until one is reached."""

    def __init__(self, probe: Probe, initial: bool | None) -> None:
        self.probe, self.result, self.last, self.row = probe, initial, None, 0

    def add(self, passed: bool) -> bool:
        """Takes one result; True if `result` changed, or if a failed startup or liveness probe must
        now act.
        """
        self.row = self.row + 1 if passed == self.last else 1
        self.last = passed
        if self.row < (self.probe.success if passed else self.probe.failure):
            return False
        changed, self.result = self.result != passed, passed
        return changed


async def first_delay(probe: Probe, age: float) -> None:
    """Waits out the initial delay; a container just started is probed soon, many at once are
    spread.
    """
    await asyncio.sleep(
        max(0.0, probe.initial_delay - age) + random.uniform(0, min(1.0, probe.period) / 4)
    )
