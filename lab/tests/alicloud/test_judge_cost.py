"""What the judge of the cloud double costs where it matters: lists of many instances, asked for
again and again.
"""

from __future__ import annotations

from pathlib import Path

from lab.alicloud import families, judge
from lab.alicloud.app import App, Exchange, call_service
from lab.alicloud.protocol import Request
from lab.alicloud.registry import RPC
from lab.alicloud.seed import CLUSTER, seed
from lab.alicloud.state import Region
from lab.testing.figures import figure

INSTANCES, CALLS = 500, 100


def test_judging_takes_at_most_a_twentieth_of_what_answering_takes(tmp_path: Path) -> None:
    """Both ways in one run, in CPU time of the thread: another process that takes the machine
    changes neither.
    """
    region = Region(tmp_path)
    try:
        with region.store.transaction():
            seed(region)
            one = region.store.all("instance")[0]
            assert one["cluster_id"] == CLUSTER
            for number in range(INSTANCES):
                name = f"i-judged{number:06}"
                region.store.put(
                    "instance", name, {**one, "instance_id": name, "status": "Running"}
                )
        app = App(region)
        shares = {}
        for everything in (True, False):
            app.departures = judge.Departures(everything=everything)
            for _ in range(CALLS):
                request = Request(
                    "POST",
                    "https",
                    "ecs.aliyuncs.com",
                    "/",
                    "/",
                    "RegionId=cn-shanghai&PageSize=500",
                    {},
                )
                request.service, request.call = "ecs", "DescribeInstances"
                exchange = Exchange(request, region, families.RPC, RPC["ecs", "DescribeInstances"])
                call_service(app, exchange)
                assert len(exchange.result["Instances"]["Instance"]) >= INSTANCES
            shares[everything] = app.departures.shown()["share"]
            assert app.departures.shown()["departures"] == []
            assert app.departures.judged["ecs:DescribeInstances"] >= judge.ALWAYS
    finally:
        region.store.close()
    figure(
        f"judge's share of DescribeInstances at {INSTANCES} nodes: {100 * shares[False]:.1f} % (all judged: {100 * shares[True]:.0f} %)"
    )
    assert shares[False] <= 0.05 < shares[True]
