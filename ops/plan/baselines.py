"""Baselines: the policies of peers, simulated beside the candidates."""

from __future__ import annotations

import math
from dataclasses import replace

from ops.plan.candidate import Candidate
from ops.plan.trace import Trace


def baselines(like: Candidate, trace: Trace) -> list[Candidate]:
    """The peers' policies as candidates, with the sizes and types of `like`, so that none of them
    lacks room.
    """
    pods = max(1, math.ceil(trace.peak / like.target_qps - 1e-9))
    most = max(like.max_replicas, pods)
    size = max(like.max_size, pods + like.headroom, most)
    plain = replace(
        like, headroom=0, floors=(), handler=False, quick=False, mix=False, settings={}, max_replicas=most, max_size=size, policy="hpa",
    )  # fmt: skip
    stock = replace(
        plain, name="stock HPA, no handler", scale_up_pods=4, scale_up_percent=100, scale_up_period=15, stable_down=300,
        scale_down_percent=100, scale_down_period=15, tolerance_up=0.1, tolerance_down=0.1,
    )  # fmt: skip
    fixed = {
        "policy": "static",
        "min_replicas": pods,
        "max_replicas": pods,
        "min_size": pods,
        "max_size": max(size, pods + 1),
    }
    return [
        replace(stock, name="static peak, on demand", spot=False, remedy=False, **fixed),
        replace(stock, name="static peak, pool's mix, no handler", **fixed),
        replace(stock, name="on demand only, stock HPA", spot=False, remedy=False),
        stock,
        replace(stock, name="KPA-like (2 s tick, 6/60 s windows)", policy="kpa"),
        replace(
            plain, name="SkyServe-like (300/1200 s, fallback)", policy="skyserve", on_demand_percent=0, on_demand_base=0, remedy=False,
            unneeded_seconds=20.0,
        ),
    ]  # fmt: skip
