"""What the handler tells its operator, and how often; what it costs in a large cluster."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from interruption_handler import alarms, capacity_mix, loop
from interruption_handler.config import CapacityMix
from ops.engine.cli import ROOT
from tests.unit.cluster_objects import NOW, config, detached, node, pod, snapshot

BLIND = {"detector_reports": False}
MIX = CapacityMix(base=0, percent=30, points=4, after_seconds=300, max_nodes=2000)


def told(seen, now: float = NOW) -> list[tuple[str, str]]:  # type: ignore[no-untyped-def]
    """Key and level of the alarms that hold."""
    return [(alarm.key, alarm.level) for alarm in alarms.decide(seen, config(), now)]


def test_a_pool_whose_nodes_carry_no_condition_is_an_error_and_one_such_node_a_warning() -> None:
    none, some = [node("n1", **BLIND), node("n2", **BLIND)], [node("n1", **BLIND), node("n2")]
    assert told(snapshot(none, [], 1)) == [("no detector", "error")]
    assert told(snapshot(some, [], 1)) == [("no detector", "warning")]
    assert told(snapshot([node("n1"), node("n2")], [], 1)) == [] == told(snapshot([], [], 1))


@pytest.mark.parametrize(
    "other",
    [
        node("n1", created=NOW - 200, **BLIND),
        node("n1", ready=False, **BLIND),
        node("n1", labels={"inference": "tensorflow"}, **BLIND),
    ],
    ids=["new", "not ready", "of another pool"],
)
def test_a_node_that_can_not_carry_the_condition_yet_is_none(other) -> None:  # type: ignore[no-untyped-def]
    assert told(snapshot([other], [], 1)) == []


def test_notices_that_can_not_be_right_are_told() -> None:
    paid = snapshot([node("n1", spot=False, notice_at=NOW)], [], 1)
    assert told(paid) == [("pay-as-you-go notice", "warning")]
    late = snapshot([node("n1", notice_at=NOW)], [], 1)
    assert told(late, NOW + 419) == [] and told(late, NOW + 421) == [("overdue", "error")]


def test_pods_that_are_kept_are_told() -> None:
    nodes = [node("n1", notice_at=NOW, unschedulable=True)]
    seen = snapshot(nodes, [detached("a", "n1"), pod("b")], 1)
    assert told(seen, NOW + 200) == [] and told(seen, NOW + 270) == [("kept serving", "error")]


def test_an_alarm_is_logged_once_per_period_and_again_when_it_gets_worse(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = alarms.AlarmLog()
    some = snapshot([node("n1", **BLIND), node("n2")], [], 1)
    none = snapshot([node("n1", **BLIND)], [], 1)
    for second in range(0, 1800, 10):
        log.log(alarms.decide(some, config(), NOW), second)
    log.log(alarms.decide(none, config(), NOW), 1801)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["level"] for line in lines] == ["warning"] * 3 + ["error"]
    assert lines[-1]["nodes"] == ["n1"] and "ack-node-problem-detector" in lines[-1]["event"]


def test_at_a_thousand_pods_the_ranks_take_fifty_milliseconds_and_all_decisions_half_a_second() -> (
    None
):
    """CPU time of this thread: what else the machine does is not counted."""
    nodes = [node(f"s{n}", spot=n % 3 > 0, notice_at=NOW if n % 5 == 0 else None) for n in range(1000)]  # fmt: skip
    pods = [pod(f"p{n}", f"s{n}") for n in range(1000)]
    told_config = config(capacity_mix=MIX)

    def cost(what) -> float:  # type: ignore[no-untyped-def]
        def once() -> float:
            seen = snapshot(nodes, pods, 1000)
            began = time.thread_time()
            assert list(what(seen, told_config, NOW))
            return time.thread_time() - began

        return min(once() for _ in range(5))

    assert cost(capacity_mix.rank_pods) < 0.05
    assert cost(loop.decide) < 0.5


MEMORY = """
import json, re, threading
from interruption_handler.informer import Informer
from interruption_handler.snapshot import node_of
text = json.dumps({"metadata": {"name": "%d", "resourceVersion": "1", "labels": {f"l{n}": "v" * 40 for n in range(40)}},
    "spec": {}, "status": {"images": [{"names": [f"registry/{n}@sha256:" + "0" * 64, f"registry/{n}:v1"], "sizeBytes": n}
    for n in range(150)]}})
class Api:
    def get(self, path, limit, **query):
        start, size = int(query.get("continue", "0")), int(limit)
        answer = "[" + ",".join(text.replace("%d", str(n)) for n in range(start, min(1000, start + size))) + "]"
        meta = {"resourceVersion": "1"} | ({"continue": str(start + size)} if start + size < 1000 else {})
        return {"metadata": meta, "items": json.loads(answer)}
informer = Informer(Api(), "/nodes", {}, node_of, threading.Event())
for _ in range(3):
    informer._list()
# not ru_maxrss: it counts the process that started this one, too
print(len(informer.objects()), int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024)
"""


def test_a_thousand_nodes_are_held_in_less_than_128_mib() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], cwd=ROOT, capture_output=True, text=True, check=True, timeout=1500,
    )  # fmt: skip
    held, mebibytes = map(int, done.stdout.split())
    assert held == 1000 and mebibytes < 128, mebibytes


def test_a_node_of_the_pool_is_told_by_its_labels() -> None:
    renamed = replace(node("n1", **BLIND), labels={"inference-pool": "other"})
    assert told(snapshot([renamed], [], 1)) == []
