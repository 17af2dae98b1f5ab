"""What a report asks of the cloud, asked of the double by the official clients: the pool's
instances, the route's answers.
"""

from __future__ import annotations

import time

from lab.testing import clients
from lab.testing.cloud import CLUSTER, CloudDouble
from lab.testing.logs import PROJECT, STORE, write
from lab.testing.node_pools import create, delete, running, wanted
from ops.cloud.client import Cloud
from ops.cloud.credentials import Credentials
from ops.record.cloud import answers, instances, scaling_group
from ops.record.log import Route


def _cloud(lab: CloudDouble) -> Cloud:
    return Cloud(clients.REGION, Credentials(*clients.keys(lab)))


def test_a_pools_instances_are_found_with_how_they_are_paid(lab: CloudDouble) -> None:
    pool = create(lab, wanted("report", 0, 150))
    lab.ask(f"nodepools/{pool}/scale", {"delta": 110})
    running(lab, pool, 110)
    cloud = _cloud(lab)
    found = instances(cloud, scaling_group(cloud, CLUSTER, pool))
    assert len(found) == 110 and {row["status"] for row in found} == {"Running"}, (
        "more than one page"
    )
    assert sum(row["spot_strategy"] == "NoSpot" for row in found) == 33
    delete(lab, pool)


def test_a_routes_answers_are_counted_second_by_second(lab: CloudDouble) -> None:
    now = int(time.time())
    answered = [(now - 30, "200", "0.1"), (now - 30, "503", "0.2"), (now - 29, "200", "1.5")]
    write(
        lab,
        [
            (t, {"proxy_upstream_name": "report-route", "status": status, "request_time": took})
            for t, status, took in answered
        ],
    )
    found = answers(
        _cloud(lab),
        Route(PROJECT, STORE, "proxy_upstream_name", "report-route"),
        now - 60,
        now,
        deadline=1.0,
    )
    assert [(t, row["count"], row["failed"], row["late"]) for t, row in found] == [
        (now - 30, 2, 1, 0),
        (now - 29, 1, 0, 1),
    ]
