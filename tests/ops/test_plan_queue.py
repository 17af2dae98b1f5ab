"""The planner's fluid queue: every request is booked once, and small cases come out as by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ops.plan import fluid


def step(
    queue: float, rate: float, capacity: float, seconds: float = 5.0
) -> tuple[float, float, float, float]:
    """One step of one simulation: in time, late, refused, queue."""
    served = fluid.serve(
        np.array([queue]),
        np.array([rate]),
        np.array([capacity]),
        seconds,
        deadline=1.0,
        patience=10.0,
    )
    in_time, late, refused, left = served.in_time, served.late, served.refused, served.queue
    return float(in_time[0]), float(late[0]), float(refused[0]), float(left[0])


def test_below_capacity_everything_is_in_time() -> None:
    assert step(0, 8, 10) == (40, 0, 0, 0)


def test_above_capacity_requests_are_late_once_a_second_of_work_waits() -> None:
    # 20/s into 10/s: after 1 s ten requests wait, which is one second of work; the other 4 s come
    # too late.
    assert step(0, 20, 10) == pytest.approx((20, 80, 0, 50))


def test_a_queue_of_ten_seconds_is_full() -> None:
    # 95 wait, room for 5 more: full after half a second, then 10/s of the 20/s are refused for 4.5
    # s.
    assert step(95, 20, 10) == pytest.approx((0, 55, 45, 100))


def test_a_queue_that_shrinks_lets_requests_be_in_time_again() -> None:
    # 30 wait at 5/s into 10/s: below one second of work (10) after 4 s; the last second's 5 are in
    # time.
    assert step(30, 5, 10) == pytest.approx((5, 20, 0, 5))


def test_when_capacity_falls_the_end_of_the_queue_is_refused() -> None:
    in_time, late, refused, queue = step(80, 4, 4)
    assert (in_time, refused, queue) == pytest.approx((0, 40, 40))
    assert late == pytest.approx(
        20 - 40
    )  # 20 new ones, and 40 booked late before are refused after all


def test_without_capacity_everything_is_refused() -> None:
    assert step(7, 10, 0) == (0, -7, 57, 0)  # the 7 that waited were booked late before


def test_long_steps_and_short_ones_give_the_same() -> None:
    for queue, rate, capacity in (
        (0, 20, 10),
        (95, 20, 10),
        (30, 5, 10),
        (0, 3, 10),
        (99, 9.5, 10),
    ):
        whole = np.array(step(queue, rate, capacity, 5.0))
        parts, waiting = np.zeros(3), float(queue)
        for _ in range(50):
            *counts, waiting = step(waiting, rate, capacity, 0.1)
            parts += counts
        assert [*parts, waiting] == pytest.approx(list(whole), abs=1e-6)


def test_requests_are_conserved_for_random_lanes() -> None:
    rng = np.random.default_rng(1)
    queue, booked = np.zeros(200), np.zeros(200)
    arrived, left = np.zeros(200), np.zeros(200)
    for _ in range(300):
        rate, capacity = rng.uniform(0, 30, 200), rng.integers(0, 4, 200) * 10.0
        made = fluid.serve(queue, rate, capacity, 5.0, 1.0, 10.0)
        assert (made.queue >= -1e-9).all() and (made.queue <= capacity * 10 + 1e-9).all()
        left += queue + rate * 5 - made.refused - made.queue
        arrived += rate * 5
        booked += made.in_time + made.late + made.refused
        queue = made.queue
    assert booked == pytest.approx(arrived)
    assert (left >= -1e-6).all()  # what the pods answered: never negative


def test_the_tail_of_waiting_times_grows_with_the_load_and_shrinks_with_the_number_of_pods() -> (
    None
):
    table = fluid.late_table(1.0, 14.3)
    assert (np.diff(table, axis=1) >= 0).all() and (np.diff(table, axis=0)[:, :-1] <= 1e-12).all()
    load = int(0.7 * (fluid.GRID - 1))
    assert 1e-5 < table[0, load] < 1e-3  # one pod, Poisson arrivals, 0.7: exp(-0.676 * 13.3)
    assert table[0, load] == pytest.approx(np.exp(-0.676 * 13.3), rel=0.1)


def test_late_share_of_an_overloaded_or_idle_lane_is_left_to_the_fluid_queue() -> None:
    table = fluid.late_table(1.0, 14.3)
    share = fluid.late_share(
        table, np.array([20.0, 0.0, 5.0]), np.array([14.3, 14.3, 0.0]), np.array([1, 1, 0])
    )
    assert share.tolist() == [0.0, 0.0, 0.0]
