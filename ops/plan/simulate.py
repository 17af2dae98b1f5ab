"""The simulation: the whole batch, step by step through the trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from ops.plan import fluid, transitions
from ops.plan.batch import Array, Batch, build
from ops.plan.candidate import Candidate
from ops.plan.deciders import deciders
from ops.plan.fleet import Fleet
from ops.plan.market import Disturbances, draw_market
from ops.plan.model_parameters import ModelParameters
from ops.plan.trace import Trace

STEP = 5.0
Progress = Callable[[float], None]


@dataclass
class Totals:
    """Results, one per simulation: requests, money (CNY) and node-seconds."""

    batch: Batch
    seconds: float
    requests: Array
    in_time: Array
    late: Array
    refused: Array
    lost_requests: Array
    """Requests that broke off because their node was lost; part of `requests`, taken from
    `in_time`.
    """
    queued: Array
    """Requests that still waited at the end; already counted as in time or late."""
    cost: Array
    cost_spot: Array
    node_seconds: Array
    on_demand_seconds: Array
    ready_seconds: Array
    pod_seconds: Array
    need_seconds: Array
    """Pods the load needed at the target, times seconds."""
    history: dict[str, Array] = field(default_factory=dict)
    bills: list[tuple[int, int, float, float, float]] = field(default_factory=list)

    @property
    def slo(self) -> Array:
        """Share of requests answered in time."""
        return self.in_time / np.maximum(self.requests, 1e-9)


class Run:
    """All simulations of one batch."""

    def __init__(
        self, candidates: Sequence[Candidate], trace: Trace, parameters: ModelParameters, *, scenario: str = "always", seeds: int = 1, first_seed: int = 0,
        step: float = STEP, disturbances: Disturbances | None = None, record: bool = False, start: Array | None = None,
        start_on_demand: Array | None = None, start_spot: Array | None = None,
    ) -> None:  # fmt: skip
        self.parameters, self.step, self.record = parameters, step, record
        stated = disturbances or Disturbances()
        self.batch = build(candidates, seeds, parameters, first_seed)
        types = self.batch.spot_price.shape[1]
        self.markets = [
            draw_market(
                scenario,
                trace.seconds,
                first_seed + s,
                types,
                parameters.zones,
                parameters.protected,
                stated.events,
            )
            for s in range(seeds)
        ]
        self.fleet = Fleet(self.batch, parameters, self.markets, step, record)
        self.deciders = deciders(self.batch, parameters, stated.outages)
        self.steps = round(trace.seconds / step)
        self.arrivals = _arrivals(trace, step, self.steps, seeds, first_seed, parameters)
        self.so_far = np.concatenate([np.zeros((1, seeds)), np.cumsum(self.arrivals, axis=0)])
        self.table = (
            fluid.late_table(parameters.deadline, parameters.pod_qps) if parameters.bursty else None
        )
        begin = (
            self._first_pods()
            if start is None
            else np.broadcast_to(start, (self.batch.count,)).astype(np.int64)
        )
        self.fleet.start(
            begin,
            *(
                None if v is None else np.broadcast_to(v, begin.shape)
                for v in (start_on_demand, start_spot)
            ),
        )

    def _first_pods(self) -> Array:
        rate = (
            self.arrivals[: max(1, int(60 / self.step))].mean(axis=0)
            / self.step
            * self.parameters.clock
        )
        wanted = []
        for simulation, index in enumerate(self.batch.candidate):
            candidate = self.batch.candidates[index]
            need = np.ceil(rate[self.batch.seed[simulation]] / candidate.target_qps)
            minimum = candidate.minimum(0.0)
            wanted.append(int(min(max(need, minimum), candidate.max_replicas)))
        return np.array(wanted, np.int64)

    def counts(self, seed: Array, begin: Array, end: Array) -> Array:
        """Requests that arrived between two moments; before the start the first minute's mean is
        assumed.
        """
        return self._until(seed, end) - self._until(seed, begin)

    def _until(self, seed: Array, time: Array) -> Array:
        place = np.asarray(time, float) / self.step
        before = (
            np.minimum(place, 0.0)
            * self.so_far[min(self.steps, max(1, int(60 / self.step)))][seed]
            / max(1, int(60 / self.step))
        )
        inside = np.clip(place, 0, self.steps)
        low = np.minimum(inside.astype(np.int64), self.steps - 1)
        part = inside - low
        return before + self.so_far[low, seed] * (1 - part) + self.so_far[low + 1, seed] * part

    def go(self, progress: Progress | None = None) -> Totals:
        """Simulate to the end; `progress` is told the share that is done, 0 to 1."""
        made = _nothing(self.batch, self.steps * self.step)
        queue, series = (
            np.zeros(self.batch.count),
            _series(self.steps, self.batch.count) if self.record else {},
        )
        target = np.array([c.target_qps for c in self.batch.candidates], float)[
            self.batch.candidate
        ]
        for index in range(self.steps):
            now = index * self.step
            self._decide(now)
            transitions.tick(self.fleet, now)
            rate = self.arrivals[index][self.batch.seed] / self.step
            before = (
                (
                    made.requests.copy(),
                    made.late.copy(),
                    made.refused.copy(),
                    made.lost_requests.copy(),
                )
                if self.record
                else ()
            )
            queue = self._serve(made, rate, queue)
            self._account(made, rate, target)
            if self.record:
                self._note(series, index, rate, queue)
                for name, was in zip(
                    ("requests", "late", "refused", "lost_requests"), before, strict=True
                ):
                    series[name][index] = getattr(made, name) - was
            if progress and index % 2000 == 0:
                progress(index / self.steps)
        made.queued, made.history = queue, series
        made.bills = self.fleet.bills or []
        return made

    def _decide(self, now: float) -> None:
        wanted = self.fleet.desired.copy()
        for decider in self.deciders:
            if now % max(decider.every, self.step) < self.step / 2:
                rows = decider.rows
                wanted[rows] = decider.decide(
                    now, self.fleet.desired[rows], self.fleet.ready[rows], self.counts
                )
        self.fleet.want(wanted, now)

    def _serve(self, made: Totals, rate: Array, queue: Array) -> Array:
        """Requests of this step. Deadlines are of the wall: k times as long in modelled seconds,
        and rates a k-th.
        """
        parameters, fleet = self.parameters, self.fleet
        capacity = fleet.ready * (parameters.pod_qps / parameters.clock)
        served = fluid.serve(
            queue,
            rate,
            capacity,
            self.step,
            parameters.deadline * parameters.clock,
            parameters.patience * parameters.clock,
        )
        broken = np.minimum(
            fleet.lost_serving_pods * np.minimum(rate / np.maximum(capacity, 1e-9), 1.0),
            served.in_time,
        )
        served.in_time -= broken
        if self.table is not None:
            slow = served.in_time * fluid.late_share(self.table, rate, capacity, fleet.ready)
            served.in_time -= slow
            served.late += slow
        made.requests += rate * self.step
        made.in_time += served.in_time
        made.late += served.late
        made.refused += served.refused
        made.lost_requests += broken
        fleet.lost_serving_pods[:] = 0.0
        return served.queue

    def _account(self, made: Totals, rate: Array, target: Array) -> None:
        fleet, step = self.fleet, self.step
        made.cost += fleet.rate * (step / 3600)
        made.cost_spot += fleet.rate_spot * (step / 3600)
        made.ready_seconds += fleet.ready * step
        made.pod_seconds += fleet.desired * step
        made.node_seconds += fleet.nodes * step
        made.on_demand_seconds += fleet.nodes_on_demand * step
        made.need_seconds += np.ceil(rate * self.parameters.clock / target) * step

    def _note(self, series: dict[str, Array], index: int, rate: Array, queue: Array) -> None:
        fleet = self.fleet
        for name, value in (
            ("rate", rate * self.parameters.clock), ("queue", queue), ("desired", fleet.desired), ("ready", fleet.ready),
            ("ready_spot", fleet.ready_spot), ("nodes", fleet.nodes), ("on_demand", fleet.nodes_on_demand),
            ("expiring", fleet.under_notice), ("booting", fleet.booting), ("cost", fleet.rate), ("waiting", fleet.waiting),
            ("up_spot", fleet.up_spot), ("detached", fleet.detached), ("list", fleet.rate_list),
            ("wait", queue / np.maximum(fleet.ready * self.parameters.pod_qps, 1e-9)),
        ):  # fmt: skip
            series[name][index] = value
        for decider in self.deciders:
            series["metric"][index, decider.rows] = decider.metric


def _series(steps: int, batch: int) -> dict[str, Array]:
    names = (
        "rate", "queue", "desired", "ready", "ready_spot", "nodes", "on_demand", "expiring", "booting", "cost", "waiting", "wait", "metric",
        "up_spot", "detached", "list",
        "requests", "late", "refused", "lost_requests",
    )  # fmt: skip
    return {name: np.zeros((steps, batch)) for name in names}


def _nothing(batch: Batch, seconds: float) -> Totals:
    names = [
        f.name for f in fields(Totals) if f.name not in ("batch", "seconds", "history", "bills")
    ]
    return Totals(batch, seconds, **{name: np.zeros(batch.count) for name in names})  # type: ignore[arg-type]


def _arrivals(
    trace: Trace, step: float, steps: int, seeds: int, first_seed: int, parameters: ModelParameters
) -> Array:
    """Requests in each step, by seed: at random around the trace's rate, or exactly it where the
    parameters isn't bursty.
    """
    expected = trace.per_step(step, steps) / parameters.clock
    if not parameters.bursty or trace.exact:
        return np.repeat(expected[:, None], seeds, axis=1)
    return np.stack(
        [np.random.default_rng([13, first_seed + s]).poisson(expected) for s in range(seeds)],
        axis=1,
    ).astype(float)
