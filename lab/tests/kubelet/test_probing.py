"""What probe results do to a running container."""

from __future__ import annotations

import asyncio

from lab.tests.kubelet.conftest import Around, until

SLEEP = ["sleep", "60"]


async def test_a_failed_liveness_probe_restarts_the_container(around: Around) -> None:
    around.grace = 0
    probe = {
        "exec": {"command": ["test", "-e", "alive"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
    }
    container = around.make(command=["sh", "-c", "touch alive; sleep 60"], livenessProbe=probe)
    work = asyncio.ensure_future(container.run())
    await until(lambda: container.state.running)
    await asyncio.sleep(1.5)
    assert container.state.restarts == 0
    (around.folder / "containers/c/rootfs/alive").unlink()
    await until(lambda: container.state.restarts == 1)
    assert (
        "Normal",
        "Killing",
        "Container c failed liveness probe, will be restarted",
    ) in around.events.seen
    assert "Unhealthy" in around.events.reasons()
    work.cancel()


async def test_readiness_waits_for_the_startup_probe_and_follows_its_own(around: Around) -> None:
    ready = {
        "exec": {"command": ["test", "-e", "ready"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
    }
    started = {
        "exec": {"command": ["test", "-e", "started"]},
        "periodSeconds": 1,
        "failureThreshold": 60,
    }
    container = around.make(command=SLEEP, startupProbe=started, readinessProbe=ready)
    work = asyncio.ensure_future(container.run())
    await until(lambda: container.state.running)
    root = around.folder / "containers/c/rootfs"
    (root / "ready").touch()
    await asyncio.sleep(1.5)
    assert (container.state.started, container.state.ready) == (False, False)
    (root / "started").touch()
    await until(lambda: container.state.ready)
    assert container.state.started
    (root / "ready").unlink()
    await until(lambda: not container.state.ready)
    assert container.state.restarts == 0
    work.cancel()


async def test_a_startup_probe_that_never_passes_restarts_the_container(around: Around) -> None:
    around.grace = 0
    container = around.make(
        command=SLEEP,
        startupProbe={"tcpSocket": {"port": 1}, "periodSeconds": 1, "failureThreshold": 2},
    )
    work = asyncio.ensure_future(container.run())
    await until(lambda: container.state.restarts == 1)
    assert (
        "Normal",
        "Killing",
        "Container c failed startup probe, will be restarted",
    ) in around.events.seen
    work.cancel()
