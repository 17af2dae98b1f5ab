"""Deciders of the number of pods: the HPA with its behavior, and the peers' policies it is compared
with.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ops.plan.batch import Array, Batch
from ops.plan.model_parameters import ModelParameters

Counts = Callable[[Array, Array, Array], Array]
"""(seed indices, from, to) -> requests that arrived between two moments (modelled seconds since the
start).
"""


class Hpa:
    """Kubernetes' horizontal pod autoscaler on an external metric of type AverageValue: readiness
    plays no part.

    Rules: desired = ceil(metric / target) outside the tolerance of metric / (target × replicas);
    the stabilization windows take the smallest (up) and largest (down) recommendation they hold;
    then the policies bound the change within their periods.
    """

    def __init__(
        self,
        batch: Batch,
        rows: Array,
        parameters: ModelParameters,
        outages: list[tuple[float, float]],
    ) -> None:
        self.rows, self.parameters, self.outages = rows, parameters, outages
        self.every = parameters.sync
        mine = [batch.candidates[index] for index in batch.candidate[rows]]
        self.target = np.array([c.target_qps for c in mine], float)
        self.low = np.array([c.min_replicas for c in mine], np.int64)
        self.high = np.array([c.max_replicas for c in mine], np.int64)
        self.seed = batch.seed[rows]
        self.windows = np.array([c.metric(parameters.clock) for c in mine]) * parameters.clock
        self.mine, self.scheduled = mine, any(c.floors for c in mine)
        self.outage = np.array(
            [[c.outage_replicas * c.handler, c.outage_seconds * parameters.clock] for c in mine],
            float,
        ).T
        self.tolerance = np.array([[c.tolerance_up, c.tolerance_down] for c in mine]).T
        self.policies = np.array([c.policies() for c in mine], float) * [
            1,
            1,
            parameters.clock,
            1,
            parameters.clock,
        ]
        self.stabilization = np.array([[c.stable_down] for c in mine]) * parameters.clock
        ticks = int(max(self.stabilization.max(), self.policies[:, [2, 4]].max()) // self.every) + 2
        self.recommended = np.zeros((rows.size, ticks), np.int64)
        self.recorded = np.full((rows.size, ticks), False)
        self.changes = np.zeros((rows.size, ticks), np.int64)
        self.age = np.arange(ticks) * self.every
        self.metric = np.zeros(rows.size)

    def decide(self, now: float, current: Array, _ready: Array, counts: Counts) -> Array:
        """The number of pods from now on. `current` pods are asked for and `_ready` are ready in
        each of this decider's simulations.
        """
        for history, empty in ((self.recommended, 0), (self.recorded, False), (self.changes, 0)):
            history[:, 1:] = history[:, :-1].copy()
            history[:, 0] = empty
        low = np.array([c.minimum(now) for c in self.mine]) if self.scheduled else self.low
        begun = next((begin for begin, end in self.outages if begin <= now < end), None)
        if begun is not None:
            low = np.where(
                now - begun >= self.outage[1],
                np.maximum(low, np.minimum(self.outage[0], self.high)),
                low,
            ).astype(np.int64)
            desired = np.clip(current, low, np.maximum(self.high, low))
        else:
            desired = np.where(
                current < low,
                low,
                np.where(current > self.high, self.high, self._move(now, current, low, counts)),
            )
        self.changes[:, 0] = desired - current
        return desired

    def _move(self, now: float, current: Array, low: Array, counts: Counts) -> Array:
        window, delay = self.windows.T
        end = now - delay
        requests = counts(self.seed, end - window, end)
        self.metric = np.floor(requests / (window / self.parameters.clock) + 1e-9)
        ratio = self.metric / (self.target * np.maximum(current, 1))
        recommended = np.where(
            (ratio >= 1 - self.tolerance[1]) & (ratio <= 1 + self.tolerance[0]),
            current,
            np.ceil(self.metric / self.target - 1e-9),
        ).astype(np.int64)
        self.recommended[:, 0], self.recorded[:, 0] = recommended, True
        down = np.where(self.recorded & (self.age <= self.stabilization), self.recommended, -1).max(
            axis=1
        )
        stable = np.maximum(recommended, np.minimum(down, current))
        return self._bound(current, stable, low)

    def _bound(self, current: Array, desired: Array, low: Array) -> Array:
        """Bound the change by the policies: up by pods or percent, whichever is more; down by
        percent.
        """
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
            desired > current, np.minimum(desired, most), np.maximum(desired, least)
        ).astype(np.int64)

    def _begin(self, current: Array, period: Array) -> Array:
        """Replicas at the beginning of the period, that is without the changes made in it."""
        return current - np.where(self.age < period[:, None], self.changes, 0).sum(axis=1)


class Kpa:
    """Knative's pod autoscaler as published: mean of 60 s, panic on the mean of 6 s at 200 %,
    with the utilization target already in targetQps.
    """

    every = 2.0

    def __init__(self, batch: Batch, rows: Array, parameters: ModelParameters) -> None:
        mine = [batch.candidates[index] for index in batch.candidate[rows]]
        self.rows, self.parameters, self.seed = rows, parameters, batch.seed[rows]
        self.target = np.array([c.target_qps for c in mine], float)
        self.low = np.array([c.min_replicas for c in mine], np.int64)
        self.high = np.array([c.max_replicas for c in mine], np.int64)
        self.panic_until = np.full(rows.size, -np.inf)
        self.metric = np.zeros(rows.size)

    def decide(self, now: float, current: Array, ready: Array, counts: Counts) -> Array:
        """The number of pods from now on, as `Hpa.decide`."""
        k = self.parameters.clock
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
        desired = np.where(panicking, np.maximum(np.maximum(stable, panic), current), stable)
        return np.clip(desired, self.low, self.high).astype(np.int64)


class SkyServe:
    """SkyServe's autoscaler: 60 s window, a decision each 20 s, up after 300 s and down after 1200
    s of the same answer.
    """

    every = 20.0

    def __init__(self, batch: Batch, rows: Array, parameters: ModelParameters) -> None:
        mine = [batch.candidates[index] for index in batch.candidate[rows]]
        self.rows, self.parameters, self.seed = rows, parameters, batch.seed[rows]
        self.target = np.array([c.target_qps for c in mine], float)
        self.low = np.array([c.min_replicas for c in mine], np.int64)
        self.high = np.array([c.max_replicas for c in mine], np.int64)
        self.up, self.down = np.zeros(rows.size), np.zeros(rows.size)
        self.metric = np.zeros(rows.size)

    def decide(self, now: float, current: Array, _ready: Array, counts: Counts) -> Array:
        """The number of pods from now on, as `Hpa.decide`."""
        k = self.parameters.clock
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
    batch: Batch, parameters: ModelParameters, outages: list[tuple[float, float]]
) -> list[Hpa | Kpa | SkyServe]:
    """One decider for each policy in the batch; a static fleet needs none."""
    policy = np.array([c.policy for c in batch.candidates])[batch.candidate]
    chosen: list[Hpa | Kpa | SkyServe] = []
    for name in ("hpa", "kpa", "skyserve"):
        rows = np.flatnonzero(policy == name)
        if rows.size:
            if name == "hpa":
                chosen.append(Hpa(batch, rows, parameters, outages))
            elif name == "kpa":
                chosen.append(Kpa(batch, rows, parameters))
            else:
                chosen.append(SkyServe(batch, rows, parameters))
    return chosen
