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

    def requests_by_result(self) -> dict[str, Array]:
        """All requests so far, and those of them that were not answered in time, by what became of
        them.
        """
        return {
            "requests": self.requests,
            "late": self.late,
            "refused": self.refused,
            "lost_requests": self.lost_requests,
        }


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
        first_pods = (
            self._first_pods()
            if start is None
            else np.broadcast_to(start, (self.batch.count,)).astype(np.int64)
        )
        self.fleet.start(
            first_pods,
            *(
                None if v is None else np.broadcast_to(v, first_pods.shape)
                for v in (start_on_demand, start_spot)
            ),
        )

    def _first_pods(self) -> Array:
        rate = (
            self.arrivals[: max(1, int(60 / self.step))].mean(axis=0)
            / self.step
            * self.parameters.clock
        )
        pods = []
        for simulation, index in enumerate(self.batch.candidate):
            candidate = self.batch.candidates[index]
            need = np.ceil(rate[self.batch.seed[simulation]] / candidate.target_qps)
            minimum = candidate.minimum(0.0)
            pods.append(int(min(max(need, minimum), candidate.max_replicas)))
        return np.array(pods, np.int64)

    def counts(self, seed: Array, begin: Array, end: Array) -> Array:
        """Requests that arrived between two moments; before the start the first minute's mean is
        assumed.
        """
        return self._until(seed, end) - self._until(seed, begin)

    def _until(self, seed: Array, time: Array) -> Array:
        position = np.asarray(time, float) / self.step
        before = (
            np.minimum(position, 0.0)
            * self.so_far[min(self.steps, max(1, int(60 / self.step)))][seed]
            / max(1, int(60 / self.step))
        )
        inside = np.clip(position, 0, self.steps)
        low = np.minimum(inside.astype(np.int64), self.steps - 1)
        part = inside - low
        return before + self.so_far[low, seed] * (1 - part) + self.so_far[low + 1, seed] * part

    def go(self, progress: Progress | None = None) -> Totals:
        """Simulate to the end; `progress` is told the share that is done, 0 to 1."""
        totals = _nothing(self.batch, self.steps * self.step)
        queue = np.zeros(self.batch.count)
        series = _series(self.steps, self.batch.count) if self.record else {}
        target = np.array([c.target_qps for c in self.batch.candidates], float)[
            self.batch.candidate
        ]
        for index in range(self.steps):
            now = index * self.step
            self._decide(now)
            transitions.tick(self.fleet, now)
            rate = self.arrivals[index][self.batch.seed] / self.step
            if self.record:  # this step's requests: the totals after it less those before it
                for name, count in totals.requests_by_result().items():
                    series[name][index] = -count
            queue = self._serve(totals, rate, queue)
            self._account(totals, rate, target)
            if self.record:
                for name, count in totals.requests_by_result().items():
                    series[name][index] += count
                self._note(series, index, rate, queue)
            if progress and index % 2000 == 0:
                progress(index / self.steps)
        totals.queued, totals.history = queue, series
        totals.bills = self.fleet.bills or []
        return totals

    def _decide(self, now: float) -> None:
        desired = self.fleet.desired.copy()
        for decider in self.deciders:
            if now % max(decider.every, self.step) < self.step / 2:
                rows = decider.rows
                desired[rows] = decider.decide(
                    now, self.fleet.desired[rows], self.fleet.ready[rows], self.counts
                )
        self.fleet.want(desired, now)

    def _serve(self, totals: Totals, rate: Array, queue: Array) -> Array:
        """Answer the requests of this step. Deadlines are wall seconds: at clock k they are k times
        as long in modelled seconds, and rates are 1/k.
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
        totals.requests += rate * self.step
        totals.in_time += served.in_time
        totals.late += served.late
        totals.refused += served.refused
        totals.lost_requests += broken
        fleet.lost_serving_pods[:] = 0.0
        return served.queue

    def _account(self, totals: Totals, rate: Array, target: Array) -> None:
        fleet, step = self.fleet, self.step
        totals.cost += fleet.rate * (step / 3600)
        totals.cost_spot += fleet.rate_spot * (step / 3600)
        totals.ready_seconds += fleet.ready * step
        totals.pod_seconds += fleet.desired * step
        totals.node_seconds += fleet.nodes * step
        totals.on_demand_seconds += fleet.nodes_on_demand * step
        totals.need_seconds += np.ceil(rate * self.parameters.clock / target) * step

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


def _series(steps: int, simulations: int) -> dict[str, Array]:
    names = (
        "rate", "queue", "desired", "ready", "ready_spot", "nodes", "on_demand", "expiring", "booting", "cost", "waiting", "wait", "metric",
        "up_spot", "detached", "list",
        "requests", "late", "refused", "lost_requests",
    )  # fmt: skip
    return {name: np.zeros((steps, simulations)) for name in names}


def _nothing(batch: Batch, seconds: float) -> Totals:
    names = [
        f.name for f in fields(Totals) if f.name not in ("batch", "seconds", "history", "bills")
    ]
    return Totals(batch, seconds, **{name: np.zeros(batch.count) for name in names})  # type: ignore[arg-type]


def _arrivals(
    trace: Trace, step: float, steps: int, seeds: int, first_seed: int, parameters: ModelParameters
) -> Array:
    """Requests in each step, by seed: at random around the trace's rate, or exactly that rate
    where requests come evenly.
    """
    expected = trace.per_step(step, steps) / parameters.clock
    if not parameters.bursty or trace.exact:
        return np.repeat(expected[:, None], seeds, axis=1)
    return np.stack(
        [np.random.default_rng([13, first_seed + s]).poisson(expected) for s in range(seeds)],
        axis=1,
    ).astype(float)
