"""An adapter that fails or lies when it is told to, and windows in the lab's time."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.controlplane import metric_fault, sls_query
from lab.controlplane.sls_query import Params


@pytest.mark.parametrize(
    ("mode", "value"), [("normal", 12), ("zero", 0), ("negative", -12), ("x100", 1200)]
)
def test_values_are_distorted_as_told(tmp_path: Path, mode: str, value: int) -> None:
    (tmp_path / "data").mkdir()
    metric_fault.put(tmp_path, mode)
    assert metric_fault.MetricFault(tmp_path).distort(12) == value


def test_an_outage_fails_every_question_until_it_is_over(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    fault = metric_fault.MetricFault(tmp_path)
    metric_fault.put(tmp_path, "outage")
    with pytest.raises(TimeoutError, match="Query sls timeout"):
        fault.distort(12)
    metric_fault.put(tmp_path, "normal")
    assert fault.distort(12) == 12 and fault.distort(None) is None


def test_an_unknown_mode_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError,
        match="metrics off: there is no such mode; expected one of normal, outage, zero, negative, x100",
    ):
        metric_fault.put(tmp_path, "off")


@pytest.mark.parametrize(
    ("clock", "interval", "delay"), [(1, 15, 10), (5, 3, 2), (10, 2, 1), (100, 1, 1)]
)
def test_window_and_delay_pass_in_the_labs_time_in_whole_seconds(
    clock: float, interval: int, delay: int
) -> None:
    scaled = sls_query.scaled(Params("p", "l"), clock)
    assert (scaled.interval, scaled.delay) == (interval, delay)
