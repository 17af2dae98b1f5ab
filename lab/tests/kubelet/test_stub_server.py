"""Stub pods: a server's answers, pace and end without its process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from lab.kubelet.images import located
from lab.kubelet.stub_server import LONGEST_QUEUE, Model, StubServer, model_of
from lab.testing.ports import free_port
from lab.tests.kubelet.conftest import Around, until

CONFIG = 'model_config_list { config { name: "chn" base_path: "/models/tf" model_version_policy { specific { versions: 7 } } } }'
ARGS = ["--model_config_file=/config/models.config"]


@pytest.fixture
async def server() -> AsyncIterator[StubServer]:
    """One light server, 20 requests a second."""
    made = StubServer(Model("chn", ("7",)), "127.0.0.1", 0.05, 20.0, free_port())
    yield made
    made.kill()


async def ask(server: StubServer, path: str, body: object = None) -> tuple[int, dict]:
    """One request, once the server listens."""
    await until(lambda: server._server is not None)
    url = f"http://127.0.0.1:{server.port}{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.request("POST" if body else "GET", url, json=body) as answer,
    ):
        return answer.status, await answer.json()


def container(root: Path, version: str = "7") -> Path:
    """A file tree with the configuration and one version of the model."""
    (root / "config").mkdir()
    (root / "config/models.config").write_text(CONFIG)
    (root / "models/tf" / version).mkdir(parents=True)
    (root / "models/tf" / version / "saved_model.pb").write_bytes(b"x")
    return root


async def test_it_answers_for_the_model_and_version_that_are_there(server: StubServer) -> None:
    status, body = await ask(server, "/v1/models/chn")
    assert status == 200 and body["model_version_status"][0] == {
        "version": "7",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    assert (await ask(server, "/v1/models/chn/versions/7/metadata"))[1]["model_spec"] == {
        "name": "chn",
        "version": "7",
    }
    assert (await ask(server, "/v1/models/chn:predict", {"instances": [1]}))[1] == {
        "predictions": [[0.5, 0.5]]
    }
    for path in ("/v1/models/other", "/v1/models/chn/versions/8", "/"):
        assert (await ask(server, path))[0] == 404


@pytest.mark.parametrize("monitored", [True, False])
async def test_its_metrics_page_counts_predictions_where_the_server_has_one(
    monitored: bool,
) -> None:
    server = StubServer(Model("chn", ("7",), monitored), "127.0.0.1", 0.05, 20.0, free_port())
    await ask(server, "/v1/models/chn")
    for _ in range(2):
        await ask(server, "/v1/models/chn:predict", {"instances": [1]})
    url = f"http://127.0.0.1:{server.port}/monitoring/prometheus/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        status, text = answer.status, await answer.text()
    server.kill()
    counted = ":tensorflow:core:direct_session_runs{} 2\n"
    assert (status, text) == (200, counted) if monitored else status == 404


async def test_requests_wait_for_each_other_at_the_pace_of_one_gpu(server: StubServer) -> None:
    await ask(server, "/v1/models/chn")
    started = time.monotonic()
    answers = await asyncio.gather(
        *(ask(server, "/v1/models/chn:predict", {"instances": [1]}) for _ in range(10))
    )
    assert [status for status, _ in answers] == [200] * 10
    assert time.monotonic() - started >= 0.45


async def test_a_server_with_too_much_work_says_so(server: StubServer) -> None:
    await ask(server, "/v1/models/chn")
    server.busy_until = asyncio.get_running_loop().time() + LONGEST_QUEUE + 1
    assert (await ask(server, "/v1/models/chn:predict", {"instances": [1]}))[0] == 503
    assert (await ask(server, "/v1/models/chn"))[0] == 200


async def test_it_is_deaf_to_sigterm_and_sigkill_cuts_open_requests(server: StubServer) -> None:
    await ask(server, "/v1/models/chn")
    server.busy_until = asyncio.get_running_loop().time() + 5
    open_request = asyncio.ensure_future(ask(server, "/v1/models/chn:predict", {"instances": [1]}))
    await until(lambda: bool(server.connections))
    server.terminate()
    await asyncio.sleep(0.05)
    assert not open_request.done()
    server.kill()
    with pytest.raises(aiohttp.ClientError):
        await open_request
    assert await server.wait() == -9


async def test_before_the_model_is_loaded_nobody_listens() -> None:
    server = StubServer(Model("chn", ("7",)), "127.0.0.1", 30, 20, free_port())
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", server.port)
    server.kill()
    assert await server.wait() == -9


def test_the_model_and_its_versions_come_from_the_mounted_files(tmp_path: Path) -> None:
    assert model_of(ARGS, container(tmp_path)) == Model("chn", ("7",))


def test_the_metrics_page_is_there_when_the_command_line_asks_for_it(tmp_path: Path) -> None:
    asked = [*ARGS, "--monitoring_config_file=/config/monitoring.config"]
    assert model_of(asked, container(tmp_path)) == Model("chn", ("7",), monitored=True)


def test_a_version_that_is_not_there_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="/models/tf: no servable version found"):
        model_of(ARGS, container(tmp_path, "8"))


async def test_a_serving_container_runs_light_when_asked_and_restarts_while_its_model_is_missing(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_STUB_PODS", "1")
    made = around.make(
        image="tensorflow/serving:2.20.0", command=["/usr/bin/tensorflow_model_server"], args=ARGS
    )
    work = asyncio.ensure_future(made.run())
    await until(lambda: bool(around.shown))
    work.cancel()
    assert around.shown[0] == "terminated"
    failure = next(text for _, reason, text in around.events.seen if reason == "Failed")
    assert failure.startswith("Error: failed to create containerd task")


def test_mount_paths_in_a_command_are_found_on_this_machine() -> None:
    spec = {"volumeMounts": [{"mountPath": "/app"}, {"mountPath": "/var/run/secrets/account"}]}
    words = [
        "python3",
        "-I",
        "/app/start.py",
        "--account=/var/run/secrets/account",
        "/apple",
        "--port=1",
    ]
    assert located(words, spec, Path("/r")) == [
        "python3",
        "-I",
        "/r/app/start.py",
        "--account=/r/var/run/secrets/account",
        "/apple",
        "--port=1",
    ]
