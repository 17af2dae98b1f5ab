"""Load profiles, answers counted by the second, and whom load may be sent to."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ops.endpoint import authorization
from ops.engine.cli import Stack
from ops.load import __main__ as command
from ops.load.__main__ import main
from ops.load.latency_by_second import LatencyBySecond, percentile
from ops.load.load_spec import LoadSpec
from ops.load.profile import FOLDER, MOST_QPS, Profile, ProfileError, check, load, steady
from ops.load.session import Session, SessionError
from ops.load.target import base, options, public

RAMP = Profile("ramp", ((0.0, 10.0), (100.0, 30.0), (200.0, 30.0)))


@pytest.mark.parametrize(
    ("second", "rate"), [(0, 10), (50, 20), (100, 30), (150, 30), (200, 0), (1000, 0)]
)
def test_a_curve_changes_evenly_between_its_points_and_ends(second: float, rate: float) -> None:
    assert RAMP.rate(second) == pytest.approx(rate)


def test_steps_hold_until_the_next_point() -> None:
    steps = Profile("steps", ((0.0, 10.0), (100.0, 30.0), (200.0, 30.0)), steps=True)
    assert [steps.rate(second) for second in (0, 99.9, 100, 199)] == [10, 10, 30, 30]


@pytest.mark.parametrize("name", [path.stem for path in sorted(FOLDER.glob("*.yaml"))])
def test_every_profile_of_the_folder_can_be_run_and_says_what_it_is(name: str) -> None:
    profile = load(name)
    assert check(profile) == [] and profile.description and profile.peak > 0


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (((5.0, 1.0), (10.0, 1.0)), "expected 0 first and then each later than the one before"),
        (
            ((0.0, 1.0), (10.0, 1.0), (5.0, 2.0)),
            "expected 0 first and then each later than the one before",
        ),
        (((0.0, -1.0), (10.0, 1.0)), "a rate of -1: expected requests per second, 0 or more"),
        (((0.0, MOST_QPS + 1), (10.0, 1.0)), "expected at most 500"),
        (((0.0, 1.0), (1e6, 1.0)), "expected at least two points and at most 86400 seconds"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(
    points: tuple[tuple[float, float], ...], message: str
) -> None:
    assert any(message in problem for problem in check(Profile("x", points)))


def test_all_that_is_wrong_with_a_profile_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("points: [[5, -1], [6, 900]]\n")
    with pytest.raises(ProfileError) as told:
        load(str(tmp_path / "x.yaml"))
    assert len(str(told.value).splitlines()) == 3


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ProfileError, match=r"did you mean tutorial?"):
        load("tutorail")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "seconds,qps\n0,5\n60,7\n"),
        ("t.json", '[{"seconds": 0, "qps": 5}, {"seconds": 60, "qps": 7}]'),
    ],
)
def test_a_recorded_trace_is_replayed_and_its_last_row_lasts_as_long_as_the_one_before(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    trace = load(str(tmp_path / name))
    assert (trace.seconds, trace.rate(59), trace.rate(119)) == (120, 5, 7)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.json", '{"a": 1}'),
        ("t.yaml", "points: [[a, b]]"),
        ("t.yaml", "point: []"),
        ("t.csv", "a,b\n"),
    ],
)
def test_a_file_that_is_no_profile_is_refused_with_what_was_expected(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ProfileError, match=r"expected|no points"):
        load(str(tmp_path / name))


def test_answers_are_counted_by_the_second_in_which_they_came(tmp_path: Path) -> None:
    counts = LatencyBySecond(tmp_path / "r.jsonl", started=1000.0, clock=10, deadline=1.0)
    for moment, seconds, failure in (
        (1000.2, 0.1, None),
        (1000.9, 1.5, None),
        (1001.1, 9.0, "502 Bad Gateway"),
        (1003.0, 0.2, None),
    ):
        counts.add(moment, seconds, failure)
    counts.close()
    rows = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [(row["t"], row["count"], row["failed"], row["late"]) for row in rows] == [
        (0, 2, 0, 1),
        (10, 1, 1, 0),
        (30, 1, 0, 0),
    ]
    assert rows[0]["p50"] == 1.5 and rows[1]["p99"] == 0.0
    assert [row.get("reasons") for row in rows] == [None, {"502 Bad Gateway": 1}, None]


def test_a_percentile_is_a_value_that_occurred() -> None:
    assert (
        percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 3.0
        and percentile([5.0], 0.99) == 5.0
        and percentile([], 0.5) == 0.0
    )


@pytest.mark.parametrize(
    ("host", "answer"),
    [("127.0.0.1", False), ("bert.localhost", False), ("10.1.2.3", False), ("8.8.8.8", True)],
)
def test_only_loopback_and_private_addresses_are_not_public(host: str, answer: bool) -> None:
    assert public(host) is answer


def test_the_same_rate_all_the_time_is_a_profile_too() -> None:
    assert steady(40, 600).rate(599) == 40 and steady(40, 600).seconds == 600


def test_a_changed_order_is_another_curve_for_the_load_under_way(tmp_path: Path) -> None:
    place = tmp_path / "load_spec.json"
    session = Session(Stack("local"), tmp_path, "x")
    session.change(RAMP)
    order = LoadSpec(place)
    assert order.profile().rate(50) == pytest.approx(20)
    session.change(steady(7, 600))
    assert order.profile().rate(50) == 7 and order.profile().steps
    assert place.stat().st_mode & 0o077 == 0, "it holds what the endpoint asks for"


class Elsewhere(Stack):
    """A real stack whose endpoint is where the test says."""

    def __init__(self, url: str) -> None:
        super().__init__("prod")
        self.url = url

    def outputs(self) -> dict[str, str]:
        return {"predictUrl": self.url}


def _chosen(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    options(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    "said", [(), ("--public",), ("--yes-i-own", "8.8.8.8"), ("--public", "--yes-i-own", "8.8.4.4")]
)
def test_load_on_a_public_address_is_refused_unless_it_is_named_twice(
    said: tuple[str, ...],
) -> None:
    with pytest.raises(SessionError, match=r"say so twice: --public --yes-i-own 8.8.8.8"):
        base(Elsewhere("https://8.8.8.8/v1/models/m:predict"), _chosen(*said))


def test_a_target_of_ones_own_is_reached_where_the_stack_says() -> None:
    assert (
        base(Elsewhere("https://8.8.8.8/v1"), _chosen("--public", "--yes-i-own", "8.8.8.8"))
        == "https://8.8.8.8"
    )
    assert base(Elsewhere("http://10.1.2.3:8080/v1"), _chosen()) == "http://10.1.2.3:8080"
    assert base(Stack("local"), _chosen()) is None


def test_who_asks_is_in_a_header_and_in_no_file() -> None:
    assert (
        authorization("ann:secret") == {"Authorization": "Basic YW5uOnNlY3JldA=="}
        and authorization("") == {}
    )


def test_the_profiles_there_are_can_be_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["load", "--list"])
    assert main() == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == {
        "day",
        "ramp",
        "spike",
        "step",
        "tutorial",
    }


SAMPLE = {
    "t": 5.0, "pods": {"ready": 1, "desired": 2}, "nodes": {"spot": 1, "on_demand": 1, "booting": 0}, "billed": {"cny_per_hour": 14.0},
}  # fmt: skip


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("", "waiting for the first sample"),
        (json.dumps(SAMPLE) + '\n{"t": 6.0, "po', "5 s     0 req/s"),
    ],
    ids=["nothing yet", "the recorder in the middle of a line"],
)
def test_progress_is_shown_while_the_recorder_writes(
    written: str,
    shown: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "meta.json").write_text("{}")
    (tmp_path / "samples.jsonl").write_text(written)
    monkeypatch.setattr(command, "PROGRESS", 0.0)
    command._follow(
        mock.Mock(returncode=0, **{"poll.side_effect": [None, 0]}),
        Session(Stack("local"), tmp_path, "x"),
    )
    assert shown in capsys.readouterr().out


class Interrupted(subprocess.Popen):
    """A recorder that is still getting ready when Ctrl-C comes."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__([sys.executable, "-c", "import time; time.sleep(60)"])
        self.stdout: Any = self

    def readline(self) -> str:
        """What `Session` waits for."""
        raise KeyboardInterrupt


def test_ctrl_c_before_the_load_begins_ends_the_recorder_and_shows_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun: list[Session] = []
    monkeypatch.setattr(Session, "_meta", lambda self: begun.append(self) or {"clock": 1})
    monkeypatch.setattr("ops.load.session.subprocess.Popen", Interrupted)
    monkeypatch.setattr("sys.argv", ["load", "--qps", "5", "--run", str(tmp_path)])
    assert main() == 130
    assert "interrupted before the load began" in capsys.readouterr().err
    assert begun[0].recorder is not None and begun[0].recorder.poll() is not None
