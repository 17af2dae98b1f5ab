"""One attempt of each probe kind against real listeners, with the kubelet's texts; thresholds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import grpc
import pytest
from aiohttp import web

from lab.kubelet.probes import Probe, Tracker, check, port_number

CONTAINER: dict[str, Any] = {"ports": [{"name": "rest", "containerPort": 8501}]}


async def execute(command: list[str], seconds: float) -> tuple[int, str]:
    """Stands for the container: `ok` passes, `slow` takes too long, `gone` does not exist, all else
    fails.
    """
    if command == ["slow"]:
        raise TimeoutError
    if command == ["gone"]:
        raise FileNotFoundError(2, "no such file or directory")
    return (0, "") if command == ["ok"] else (1, "bad news")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server: /ok, /bad (503), /moved (to /ok), /slow, /agent (needs the header), everything else
    404.
    """

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/slow":
            await asyncio.sleep(1.5)
        if request.path == "/moved":
            raise web.HTTPFound("/ok")
        if request.path == "/agent":
            good = (
                request.headers["User-Agent"].startswith("kube-probe/")
                and request.headers.get("X-Mine") == "1"
            )
            return web.Response(status=200 if good else 400)
        return web.Response(status={"/ok": 200, "/bad": 503}.get(request.path, 404))

    application = web.Application()
    application.router.add_get("/{tail:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def attempt(session: aiohttp.ClientSession, **spec: Any) -> tuple[bool, str]:
    probe = Probe.of("readiness", {"timeoutSeconds": 1, **spec})
    assert probe is not None
    return await check(probe, CONTAINER, "127.0.0.1", execute, session)


async def test_http_passes_from_200_to_399_and_names_the_status_otherwise(
    session: aiohttp.ClientSession, port: int
) -> None:
    headers = [{"name": "X-Mine", "value": "1"}]
    assert await attempt(session, httpGet={"path": "/ok", "port": port}) == (True, "")
    assert await attempt(session, httpGet={"path": "moved", "port": port}) == (True, "")
    assert await attempt(
        session, httpGet={"path": "/agent", "port": port, "httpHeaders": headers}
    ) == (True, "")
    assert await attempt(session, httpGet={"path": "/bad", "port": port}) == (
        False,
        "HTTP probe failed with statuscode: 503",
    )
    assert await attempt(session, httpGet={"port": port}) == (
        False,
        "HTTP probe failed with statuscode: 404",
    )


async def test_http_to_a_shut_port_and_to_a_slow_server(
    session: aiohttp.ClientSession, port: int
) -> None:
    assert await attempt(session, httpGet={"path": "/v1", "port": 1}) == (
        False, 'Get "http://127.0.0.1:1/v1": dial tcp 127.0.0.1:1: connect: connection refused',
    )  # fmt: skip
    passed, text = await attempt(session, httpGet={"path": "/slow", "port": port})
    assert not passed
    assert "context deadline exceeded" in text


async def test_tcp(session: aiohttp.ClientSession, port: int) -> None:
    assert await attempt(session, tcpSocket={"port": port}) == (True, "")
    assert await attempt(session, tcpSocket={"port": 1}) == (
        False,
        "dial tcp 127.0.0.1:1: connect: connection refused",
    )


async def test_exec(session: aiohttp.ClientSession) -> None:
    assert await attempt(session, exec={"command": ["ok"]}) == (True, "")
    assert await attempt(session, exec={"command": ["no"]}) == (False, "bad news")
    assert (await attempt(session, exec={"command": ["slow"]}))[
        1
    ] == 'command timed out: "slow" timed out after 1s'
    assert "no such file or directory" in (await attempt(session, exec={"command": ["gone"]}))[1]


async def test_grpc_without_a_server_and_without_the_health_service(
    session: aiohttp.ClientSession,
) -> None:

    assert "failed to connect service" in (await attempt(session, grpc={"port": 1}))[1]
    server = grpc.aio.server()
    number = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    passed, text = await attempt(session, grpc={"port": number})
    await server.stop(None)
    assert (passed, text) == (
        False,
        "this server does not implement the grpc health protocol (grpc.health.v1.Health)",
    )


async def test_a_named_port_is_looked_up(session: aiohttp.ClientSession) -> None:
    assert port_number("rest", CONTAINER) == 8501
    assert await attempt(session, httpGet={"port": "nope"}) == (False, "couldn't find port: nope")


def test_thresholds_count_results_in_a_row() -> None:
    probe = Probe("readiness", {}, success=2, failure=3)
    tracker = Tracker(probe, False)
    changes = [
        tracker.add(passed)
        for passed in (True, False, True, True, True, False, False, True, False, False, False)
    ]
    assert changes == [False, False, False, True, False, False, False, False, False, False, True]
    assert tracker.result is False


def test_only_readiness_may_need_more_than_one_success() -> None:
    spec = {"successThreshold": 3, "failureThreshold": 0, "terminationGracePeriodSeconds": 4}
    probes = [Probe.of(kind, spec) for kind in ("readiness", "liveness", "startup")]
    assert [probe and probe.success for probe in probes] == [3, 1, 1]
    liveness = Probe.of("liveness", spec)
    assert liveness is not None
    assert (liveness.failure, liveness.period, liveness.timeout, liveness.grace) == (3, 10, 1, 4)
    assert Probe.of("liveness", None) is None


def test_the_pauses_of_a_probe_pass_in_the_labs_time_and_its_patience_for_one_answer_does_not() -> (
    None
):
    probe = Probe.of(
        "readiness",
        {
            "httpGet": {"port": 1},
            "periodSeconds": 5,
            "initialDelaySeconds": 20,
            "timeoutSeconds": 3,
        },
        clock=10,
    )
    assert probe is not None and (probe.period, probe.initial_delay, probe.timeout) == (0.5, 2.0, 3)
