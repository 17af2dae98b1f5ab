"""Who decides how many pods there are: the HPA with its behaviours, and the peers' policies it is
compared with.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ops.plan.lanes import Array, Lanes
from ops.plan.world import World

Counts = Callable[[Array, Array, Array], Array]
"""(seed indices, from, to) -> requests that arrived between two moments (modelled seconds since the
start).
"""


class Hpa:
    """Kubernetes' horizontal pod autoscaler on an external metric of type AverageValue: readiness
    plays no part.

    Rules: desired = ceil(metric / target) outside the tolerance of metric / (target × replicas);
    the stabilisation windows take the smallest (up) and largest (down) recommendation they hold;
    then the policies bound the change within their periods.
    """

    def __init__(
        self, lanes: Lanes, rows: Array, world: World, outages: list[tuple[float, float]]
    ) -> None:
        self.rows, self.world, self.outages = rows, world, outages
        self.every = world.sync
        mine = [lanes.candidates[index] for index in lanes.candidate[rows]]
        self.target = np.array([c.target_qps for c in mine], float)
        self.low, self.high = (
            np.array([getattr(c, name) for c in mine], np.int64)
            for name in ("min_replicas", "max_replicas")
        )
        self.seed = lanes.seed[rows]
        self.windows = np.array([c.metric(world.clock) for c in mine]) * world.clock
        self.ahead = np.array([c.lookahead for c in mine], float)
        self.mine, self.moving = mine, any(c.floors for c in mine)
        self.blind = np.array(
            [[c.outage_replicas * c.handler, c.outage_seconds * world.clock] for c in mine], float
        ).T
        self.band = np.array([[c.tolerance_up, c.tolerance_down] for c in mine]).T
        self.policies = np.array([c.policies() for c in mine], float) * [
            1,
            1,
            world.clock,
            1,
            world.clock,
        ]
        self.settle = np.array([[c.stable_down] for c in mine]) * world.clock
        ticks = int(max(self.settle.max(), self.policies[:, [2, 4]].max()) // self.every) + 2
        self.said = np.zeros((rows.size, ticks), np.int64)
        self.heard = np.full((rows.size, ticks), False)
        self.moves = np.zeros((rows.size, ticks), np.int64)
        self.age = np.arange(ticks) * self.every
        self.metric = np.zeros(rows.size)

    def decide(self, now: float, current: Array, ready: Array, counts: Counts) -> Array:
        """The number of pods from now on; `current` and `ready` are those of this decider's
        lanes.
        """
        for ring, empty in ((self.said, 0), (self.heard, False), (self.moves, 0)):
            ring[:, 1:] = ring[:, :-1].copy()
            ring[:, 0] = empty
        low = np.array([c.low(now) for c in self.mine]) if self.moving else self.low
        begun = next((begin for begin, end in self.outages if begin <= now < end), None)
        if begun is not None:
            low = np.where(
                now - begun >= self.blind[1],
                np.maximum(low, np.minimum(self.blind[0], self.high)),
                low,
            ).astype(np.int64)
            wanted = np.clip(current, low, np.maximum(self.high, low))
        else:
            wanted = np.where(
                current < low,
                low,
                np.where(current > self.high, self.high, self._move(now, current, low, counts)),
            )
        self.moves[:, 0] = wanted - current
        return wanted

    def _move(self, now: float, current: Array, low: Array, counts: Counts) -> Array:
        window, delay = self.windows.T
        end = now - delay + self.ahead
        found = counts(self.seed, end - window, end)
        self.metric = np.floor(found / (window / self.world.clock) + 1e-9)
        if self.ahead.any():
            self.metric = np.maximum(self.metric, self._ahead(now, window, counts))
        ratio = self.metric / (self.target * np.maximum(current, 1))
        asked = np.where(
            (ratio >= 1 - self.band[1]) & (ratio <= 1 + self.band[0]),
            current,
            np.ceil(self.metric / self.target - 1e-9),
        ).astype(np.int64)
        self.said[:, 0], self.heard[:, 0] = asked, True
        down = np.where(self.heard & (self.age <= self.settle), self.said, -1).max(axis=1)
        stable = np.maximum(asked, np.minimum(down, current))
        return self._bound(current, stable, low)

    def _ahead(self, now: float, window: Array, counts: Counts) -> Array:
        """The highest rate between now and the look-ahead's end (a forecast that is always
        right).
        """
        best = np.zeros(self.rows.size)
        for share in np.linspace(0.0, 1.0, 17):
            end = now + self.ahead * share
            best = np.maximum(
                best,
                np.floor(counts(self.seed, end - window, end) / (window / self.world.clock) + 1e-9),
            )
        return np.where(self.ahead > 0, best, 0)

    def _bound(self, current: Array, wanted: Array, low: Array) -> Array:
        """Policies: up by pods or percent, the larger of the two; down by percent."""
        up_pods, up_share, up_for, down_share, down_for = self.policies.T
        begin = self._begin(current, up_for)
        most = np.maximum(
            begin + up_pods, np.where(up_share > 0, np.ceil(begin * (1 + up_share / 100)), 0)
        )
        least = np.floor(self._begin(current, down_for) * (1 - down_share / 100))
        most, least = (
            np.minimum(np.maximum(most, current), self.high),
            np.maximum(np.minimum(least, current), low),
        )
        return np.where(
            wanted > current, np.minimum(wanted, most), np.maximum(wanted, least)
        ).astype(np.int64)

    def _begin(self, current: Array, period: Array) -> Array:
        """Replicas at the beginning of the period: without the changes made in it."""
        return current - np.where(self.age < period[:, None], self.moves, 0).sum(axis=1)


class Kpa:
    """Knative's pod autoscaler as published: mean of 60 s, panic on the mean of 6 s at 200 %,
    utilisation target already in targetQps.
    """

    every = 2.0

    def __init__(self, lanes: Lanes, rows: Array, world: World) -> None:
        mine = [lanes.candidates[index] for index in lanes.candidate[rows]]
        self.rows, self.world, self.seed = rows, world, lanes.seed[rows]
        self.target = np.array([c.target_qps for c in mine], float)
        self.low, self.high = (
            np.array([getattr(c, name) for c in mine], np.int64)
            for name in ("min_replicas", "max_replicas")
        )
        self.panic_until = np.full(rows.size, -np.inf)
        self.metric = np.zeros(rows.size)

    def decide(self, now: float, current: Array, ready: Array, counts: Counts) -> Array:
        """The number of pods from now on."""
        k = self.world.clock
        stable, panic = (
            np.ceil(
                counts(
                    self.seed, np.full(self.rows.size, now - s * k), np.full(self.rows.size, now)
                )
                / s
                / self.target
            )
            for s in (60.0, 6.0)
        )
        self.metric = stable * self.target
        self.panic_until = np.where(
            panic >= 2 * np.maximum(ready, 1), now + 60.0 * k, self.panic_until
        )
        panicking = now < self.panic_until
        stable = np.maximum(stable, np.ceil(current / 2))  # maxScaleDownRate 2
        wanted = np.where(panicking, np.maximum(np.maximum(stable, panic), current), stable)
        return np.clip(wanted, self.low, self.high).astype(np.int64)


class SkyServe:
    """SkyServe's autoscaler: 60 s window, a decision each 20 s, up after 300 s and down after 1200
    s of the same answer.
    """

    every = 20.0

    def __init__(self, lanes: Lanes, rows: Array, world: World) -> None:
        mine = [lanes.candidates[index] for index in lanes.candidate[rows]]
        self.rows, self.world, self.seed = rows, world, lanes.seed[rows]
        self.target = np.array([c.target_qps for c in mine], float)
        self.low, self.high = (
            np.array([getattr(c, name) for c in mine], np.int64)
            for name in ("min_replicas", "max_replicas")
        )
        self.up, self.down = np.zeros(rows.size), np.zeros(rows.size)
        self.metric = np.zeros(rows.size)

    def decide(self, now: float, current: Array, ready: Array, counts: Counts) -> Array:
        """The number of pods from now on."""
        k = self.world.clock
        self.metric = (
            counts(self.seed, np.full(self.rows.size, now - 60.0 * k), np.full(self.rows.size, now))
            / 60.0
        )
        asked = np.clip(np.ceil(self.metric / self.target), self.low, self.high).astype(np.int64)
        self.up = np.where(asked > current, self.up + 1, 0)
        self.down = np.where(asked < current, self.down + 1, 0)
        act = (self.up >= 300 / self.every) | (self.down >= 1200 / self.every)
        self.up[act], self.down[act] = 0, 0
        return np.where(act, asked, current)


def deciders(
    lanes: Lanes, world: World, outages: list[tuple[float, float]]
) -> list[Hpa | Kpa | SkyServe]:
    """One decider for each policy that occurs; a static fleet has none."""
    policy = np.array([c.policy for c in lanes.candidates])[lanes.candidate]
    made: list[Hpa | Kpa | SkyServe] = []
    for name in ("hpa", "kpa", "skyserve"):
        rows = np.flatnonzero(policy == name)
        if rows.size:
            made.append(
                Hpa(lanes, rows, world, outages)
                if name == "hpa"
                else {"kpa": Kpa, "skyserve": SkyServe}[name](lanes, rows, world)
            )
    return made
