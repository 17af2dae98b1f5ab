"""Which versions are loaded and unloaded, and in which order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from lab.serving.config import ModelConfig
from lab.serving.errors import StatusError
from lab.serving.manager import Manager
from lab.serving.metrics import Metrics


class Fake:
    """A loader that records what it is asked to load; a version directory with a file `broken`
    cannot be loaded.
    """

    def __init__(self) -> None:
        self.loaded: list[int] = []

    def __call__(self, folder: Path) -> Any:
        if (folder / "unforeseen").exists():
            raise ValueError("nobody thought of this")
        if (folder / "broken").exists():
            raise StatusError("DATA_LOSS", "broken")
        self.loaded.append(int(folder.name))
        return object()


def nothing(_model: Any, _folder: Path) -> None:
    """No warm-up."""


def versions(base: Path, *numbers: int) -> None:
    for number in numbers:
        (base / str(number)).mkdir(parents=True, exist_ok=True)


def manager(base: Path, loader: Fake, **policy: Any) -> Manager:
    config = ModelConfig("m", str(base), **policy)
    return Manager(
        [config],
        poll_seconds=0,
        retries=0,
        retry_seconds=0,
        allow_labels=False,
        metrics=Metrics(),
        loader=loader,
        warmup=nothing,
    )


async def settle(work: Manager) -> None:
    """One poll, and every load that it started."""
    await work.poll()
    while work.tasks:
        await asyncio.gather(*work.tasks)


def states(work: Manager) -> dict[int, str]:
    return {version.number: version.state for version in work.status("m")}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, [10]),
        ({"latest": 2}, [9, 10]),
        ({"every": True}, [1, 9, 10]),
        ({"specific": (9,)}, [9]),
    ],
)
async def test_the_policy_decides_which_versions_are_loaded(
    tmp_path: Path, policy: dict[str, Any], expected: list[int]
) -> None:
    versions(tmp_path, 1, 9, 10)
    loader = Fake()
    await settle(manager(tmp_path, loader, **policy))
    assert sorted(loader.loaded) == expected


async def test_versions_compare_as_numbers_and_other_names_do_not_count(tmp_path: Path) -> None:
    versions(tmp_path, 9, 10)
    (tmp_path / "v11").mkdir()
    (tmp_path / "12").write_text("a file")
    work = manager(tmp_path, Fake())
    await settle(work)
    assert work.find("m").number == 10


async def test_a_new_version_is_up_before_the_old_one_goes_and_the_old_stays_listed(
    tmp_path: Path,
) -> None:
    versions(tmp_path, 1)
    work = manager(tmp_path, Fake())
    await settle(work)
    versions(tmp_path, 2)
    await work.poll()
    assert work.find("m").number == 1
    await settle(work)
    assert work.find("m").number == 2
    assert states(work) == {2: "AVAILABLE", 1: "END"}
    with pytest.raises(StatusError, match=r"Specific\(m, 1\)"):
        work.find("m", 1)


async def test_a_new_version_that_does_not_load_leaves_the_old_one_serving(tmp_path: Path) -> None:
    versions(tmp_path, 1)
    work = manager(tmp_path, Fake())
    await settle(work)
    versions(tmp_path, 2)
    (tmp_path / "2" / "broken").write_text("")
    await settle(work)
    assert work.find("m").number == 1
    assert [(v.number, v.state, v.error and v.error.code) for v in work.status("m")] == [
        (2, "END", "DATA_LOSS"),
        (1, "AVAILABLE", None),
    ]


async def test_a_vanished_base_path_unloads_nothing_but_a_vanished_version_does(
    tmp_path: Path,
) -> None:
    base = tmp_path / "base"
    versions(base, 1)
    work = manager(base, Fake())
    await settle(work)
    base.rename(tmp_path / "away")
    await settle(work)
    assert work.find("m").number == 1
    versions(base)
    base.mkdir()
    await settle(work)
    assert states(work) == {1: "END"}


async def test_a_missing_specific_version_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    versions(tmp_path, 1)
    await settle(manager(tmp_path, Fake(), specific=(1, 7)))
    assert (
        "Version 7 of servable m, which was requested to be served as a 'specific' version"
        in capsys.readouterr().err
    )


async def test_a_changed_configuration_drops_and_adds_models(tmp_path: Path) -> None:
    versions(tmp_path, 1)
    work = manager(tmp_path, Fake())
    await settle(work)
    await work.reconfigure([ModelConfig("other", str(tmp_path))])
    await settle(work)
    assert work.find("other").number == 1
    with pytest.raises(StatusError, match=r"Latest\(m\)"):
        work.find("m")


async def test_a_load_that_ends_in_whatever_way_says_so_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    versions(tmp_path, 1)
    (tmp_path / "1" / "unforeseen").touch()
    found = manager(tmp_path, Fake())
    with pytest.raises(StatusError, match="nobody thought of this"):
        await found.start()
    last = [
        line
        for line in capsys.readouterr().err.splitlines()
        if "Reading SavedModel" in line or "failed: " in line
    ]
    assert last[-1].endswith(
        "Loading servable: {name: m version: 1} failed: INTERNAL: ValueError: nobody thought of this"
    )
