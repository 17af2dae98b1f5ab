"""The loop of `make test`: load moves replicas, replicas move instances; losing every preemptible
node with ACK's notice costs nobody a request, nor does the way back.

Eight pods in place of B1's twenty, boots and loads of average length, half B1's clock: between the
last replacement and the end of the notice lie 90 modelled seconds, nine of the wall. B1, where
that is one and a half, measures seconds of the machine; it has its own item (`make prove ITEM=B1`).
"""

from __future__ import annotations

import pathlib

import pytest

from interruption_handler.pool_sizing import on_demand_nodes, tolerated_on_demand_nodes
from lab.testing.figures import figure
from ops.report import figures
from tests import turn
from tests.elastic.live import CLOCK, HANGS, LONG, MIX, QUIET
from tests.elastic.rig import deployed

LEAST, PODS, TARGET = 3, 8, 5
LOAD = (TARGET + 0.25) * PODS
"""Requests per second for 8 pods of 5 each: almost half a pod more, so that chance does not let 7
be. Half of B1's target: the load waits beside other tests for its turn, and takes its processor
time from them.
"""
AVERAGE = {"instance_starting": 146.0, "model_load": 40.0}
NOTICE = 300


@pytest.mark.timeout(3600)
def test_load_moves_the_pool_and_the_loss_of_all_preemptible_nodes_goes_unnoticed(
    tmp_path: pathlib.Path,
) -> None:
    # Nothing is measured of the way back: shorter waits than prod's, which B1 has. The
    # stabilization window stays: without it chance moves the pods at rest.
    changes = {
        "nodeScaler": {"scaleDownDelay": "2m"},
        "autoscaler": {
            "minReplicas": LEAST,
            "targetQps": TARGET,
            "scaleDownPeriodSeconds": max(1, 100 // CLOCK),
        },
    }
    rise = ((0, QUIET), (60, QUIET), (360, LOAD), (LONG, LOAD))
    with deployed(tmp_path, changes, AVERAGE) as rig, rig.load("loop", *rise) as live:
        live.until(lambda row: row["pods"]["ready"] >= PODS, HANGS)
        live.settle(PODS, LOAD)
        turn.wait()  # nothing was measured of the way up: other tests may slow it
        live.settle(PODS, LOAD)
        most = live.row()

        told = live.now
        lost = live.reclaim(notice=NOTICE)
        live.pause(NOTICE + 60)
        recovered = live.run().between(told)
        live.settle(PODS, LOAD)
        again = live.row()

        live.fall(within=0)
        live.until(
            lambda row: (
                row["pods"]["ready"] == LEAST and row["nodes"]["ready"] < most["nodes"]["ready"]
            ),
            HANGS,
        )
        whole = live.run()

    begin, end = whole.samples[0], whole.samples[-1]
    loss, fall = figures.requests(recovered), figures.requests(whole.between(told + NOTICE + 60))
    figure(
        f"clock x{CLOCK}: {begin['pods']['ready']} to {most['pods']['ready']} pods on {most['nodes']['ready']} nodes, {lost} of them lost with {NOTICE} s notice; {loss['failed']} of {loss['count']} requests failed after that, {fall['failed']} of {fall['count']} on the way back to {end['pods']['ready']} pods"
    )
    assert begin["pods"]["desired"] == LEAST == end["pods"]["desired"]
    for billed in (most["billed"], again["billed"]):
        total = billed["on_demand"] + billed["spot"]
        least = on_demand_nodes(total, MIX["base"], MIX["percent"])
        assert least <= billed["on_demand"] <= tolerated_on_demand_nodes(total, **MIX)
    assert lost == most["billed"]["spot"] >= PODS // 2
    assert loss["count"] > 0 and loss["failed"] == 0, figures.failure_reasons(recovered)
    assert figures.shortfall(recovered, LOAD) <= 0
    assert fall["count"] > 0 and fall["failed"] == 0, figures.failure_reasons(whole)
