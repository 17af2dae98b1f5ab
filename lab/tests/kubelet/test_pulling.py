"""Pulling images on a node: policies, what is there, the scenario's registries, failures and times,
logins.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from lab.alicloud.scenario import IMAGE_FAILURES, Scenario, ScenarioError, load
from lab.kubelet import container as module
from lab.kubelet import pulling, registry
from lab.kubelet.images import UnknownImageError
from lab.kubelet.pulling import Puller
from lab.kubelet.registry import logins_of
from lab.tests.kubelet.conftest import Around, World, until

OWN = "registry.mine.example"
IMAGE = f"{OWN}/team/busybox:1"


async def pull(
    puller: Puller, image: str = IMAGE, policy: str = "", logins: registry.Logins | None = None
) -> tuple[str, list[str]]:
    """(the event's text, reasons of the events before it)."""
    told: list[str] = []

    async def given() -> registry.Logins:
        return logins or {}

    spec = {"image": image, **({"imagePullPolicy": policy} if policy else {})}
    return (
        await puller.pull(spec, given, lambda kind, reason, text: told.append(reason))
    ).text, told


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def puller(tmp_path: Path, world: World) -> Puller:
    return Puller("n1", tmp_path / "n1", world)


async def test_an_image_is_pulled_once_per_node_and_outlives_the_agent(
    puller: Puller, tmp_path: Path, world: World
) -> None:
    first, told = await pull(puller)
    assert first.startswith(f'Successfully pulled image "{IMAGE}" in ') and told == ["Pulling"]
    assert await pull(puller) == (f'Container image "{IMAGE}" already present on machine', [])
    assert (await pull(Puller("n1", tmp_path / "n1", world)))[1] == []
    assert (await pull(Puller("n2", tmp_path / "n2", world)))[1] == ["Pulling"]


@pytest.mark.parametrize(
    ("policy", "asks"), [("IfNotPresent", False), ("Never", False), ("Always", True)]
)
async def test_what_is_there_is_used_without_the_registry_unless_always_is_wanted(
    puller: Puller, world: World, policy: str, asks: bool
) -> None:
    await pull(puller)
    world.scenario = Scenario(images=[{"match": f"{OWN}/*", "fails": "timeout"}])
    if asks:
        with pytest.raises(UnknownImageError, match="i/o timeout"):
            await pull(puller, policy=policy)
    else:
        assert (await pull(puller, policy=policy))[1] == []


async def test_never_means_never(puller: Puller) -> None:
    with pytest.raises(UnknownImageError) as caught:
        await pull(puller, policy="Never")
    assert (caught.value.reason, str(caught.value)) == (
        "ErrImageNeverPull",
        f'Container image "{IMAGE}" is not present with pull policy of Never',
    )


async def test_latest_is_asked_for_each_time_where_no_policy_is_given(puller: Puller) -> None:
    for _ in range(2):
        assert (await pull(puller, f"{OWN}/busybox"))[1] == ["Pulling"]


@pytest.mark.parametrize("kind", [kind for kind in IMAGE_FAILURES if kind != "wrong_login"])
async def test_each_failure_of_a_scenario_ends_the_pull_in_the_runtime_s_words(
    puller: Puller, world: World, kind: str
) -> None:
    world.scenario = Scenario(images=[{"match": "docker.io/tensorflow/*", "fails": kind}])
    with pytest.raises(UnknownImageError) as caught:
        await pull(puller, "tensorflow/serving:1.15.0-gpu")
    assert str(caught.value) == registry.words(
        kind, "tensorflow/serving:1.15.0-gpu", "docker.io/tensorflow/serving", "1.15.0-gpu"
    )


def test_every_failure_of_a_scenario_has_words() -> None:
    for kind in (*IMAGE_FAILURES, "wrong_login"):
        assert registry.words(kind, "a/b:1", "docker.io/a/b", "1").startswith(
            'failed to pull and unpack image "docker.io/a/b:1": '
        )


async def test_a_failure_may_pass_after_some_times_in_the_whole_lab(
    puller: Puller, tmp_path: Path, world: World
) -> None:
    world.scenario = Scenario(images=[{"match": "*", "fails": "reset", "times": 2}])
    for one in (puller, Puller("n2", tmp_path / "n2", world)):
        with pytest.raises(UnknownImageError):
            await pull(one)
    await pull(puller)


def secret(server: str, user: str, password: str) -> dict[str, Any]:
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    body = json.dumps({"auths": {server: {"auth": auth}}})
    return {
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(body.encode()).decode()},
    }


@pytest.mark.parametrize(
    ("logins", "said"),
    [
        (
            {},
            "failed to fetch anonymous token: unexpected status from GET request to https://registry.mine.example/token",
        ),
        (
            logins_of([secret("registry.other.example", "a", "b")]),
            "failed to fetch anonymous token",
        ),
        (logins_of([secret(OWN, "a", "wrong")]), "failed to fetch oauth token"),
        (logins_of([secret(f"https://{OWN}/v2/", "a", "b")]), ""),
    ],
)
async def test_a_private_registry_wants_its_own_login(
    puller: Puller, world: World, logins: registry.Logins, said: str
) -> None:
    world.scenario = Scenario(
        images=[{"match": f"{OWN}/*", "login": {"username": "a", "password": "b"}}]
    )
    if not said:
        await pull(puller, logins=logins)
        return
    with pytest.raises(UnknownImageError) as caught:
        await pull(puller, logins=logins)
    assert said in str(caught.value) and str(caught.value).endswith(": 401 Unauthorized")


def test_logins_are_read_from_both_kinds_of_secret_and_docker_hub_has_one_name() -> None:
    old = {
        "data": {
            ".dockercfg": base64.b64encode(
                json.dumps({"b.example": {"username": "u", "password": "p"}}).encode()
            ).decode()
        }
    }
    broken = {"data": {".dockerconfigjson": "!"}}
    found = logins_of(
        [secret("https://index.docker.io/v1/", "me", "x:y"), old, broken, {"data": {"token": "x"}}]
    )
    assert found == {"docker.io": ("me", "x:y"), "b.example": ("u", "p")}


async def test_a_slow_pull_takes_its_time_once_and_its_progress_is_in_the_log(
    puller: Puller, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pulling, "PROGRESS_SECONDS", 0.05)
    monkeypatch.setenv("LAB_CLOCK", "10")
    world.scenario = Scenario(images=[{"match": "*", "seconds": 2}])
    with caplog.at_level(logging.INFO, "lab.kubelet"):
        first, _ = await pull(puller)
        again, _ = await pull(puller, policy="Always")
    assert float(first.partition(" in ")[2].partition("s ")[0]) >= 0.2
    assert float(again.partition(" in ")[2].partition("s ")[0]) < float(
        first.partition(" in ")[2].partition("s ")[0]
    )
    assert [record.getMessage() for record in caplog.records] == [
        f"node n1 pulls {IMAGE}: {share} %" for share in (25, 50, 75, 100)
    ]


async def test_a_container_shows_the_failure_until_the_registry_answers(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PULL_RETRY", 0.02)
    around.world.scenario = Scenario(
        images=[{"match": "docker.io/*", "fails": "timeout", "times": 1}]
    )
    made = around.make("Never", command=["true"])
    await made.run()
    assert around.shown[:2] == ["ErrImagePull", "ImagePullBackOff"] and made.state.exit_code == 0
    assert [reason for reason in around.events.reasons() if reason != "Failed"] == [
        "Pulling", "BackOff", "Pulling", "Pulled", "Created", "Started",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "state"),
    [({"imagePullPolicy": "Never"}, "ErrImageNeverPull"), ({"image": "No:1"}, "InvalidImageName")],
)
async def test_what_is_never_pulled_or_no_name_waits_in_a_state_of_its_own(
    around: Around, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], state: str
) -> None:

    monkeypatch.setattr(module, "PULL_RETRY", 0.02)
    work = asyncio.ensure_future(around.make(**changes).run())
    await until(lambda: around.events.reasons().count("Failed") >= 2)
    work.cancel()
    assert set(around.shown) == {state} and "Pulling" not in around.events.reasons()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("images: [{fails: timeout}]", "images[0]: expected a mapping with match"),
        (
            "images: [{match: x, fail: timeout}]",
            "fail: unknown; known are match, fails, times, seconds, login",
        ),
        ("images: [{match: x, fails: slow}]", "fails: slow: expected one of not_found, denied"),
        ("images: [{match: x, times: 2}]", "times: 2: expected with fails"),
        ("images: [{match: x, fails: reset, times: 0}]", "times: 0: expected"),
        ("images: [{match: x, seconds: -1}]", "seconds: "),
        ("images: [{match: x, login: me}]", "login: me: expected true"),
        ("without_addons: [npd]", "without_addons: npd: expected of csi-plugin"),
    ],
)
def test_a_wrong_line_of_the_scenario_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "scenario.yaml").write_text(text)
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path / "scenario.yaml")
    assert said in str(caught.value) and str(tmp_path) in str(caught.value)
