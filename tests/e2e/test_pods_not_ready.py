"""Pods that do not get ready, for real: the last screen of `make up` names the cause, shows the
cluster's own words and says what to do.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.harness import STACK, Lab

CPUS = (f"{1500 + number}m" for number in itertools.count())
"""Each makes a pod template that no test had before."""
PUT = (
    "import oss2,os,sys;a=oss2.AuthV4(os.environ['ALICLOUD_ACCESS_KEY'],os.environ['ALICLOUD_SECRET_KEY']);"
    "b=oss2.Bucket(a,'https://oss-cn-shanghai.aliyuncs.com',sys.argv[1],region='cn-shanghai');"
)


@pytest.fixture
def broken(deployed: Lab) -> Iterator[Lab]:
    """A stack that waits half a minute for its pods; what a test has broken is right again
    afterwards.
    """
    kept = (deployed.program / f"Pulumi.{STACK}.yaml").read_text()
    deployed.config("server.readySeconds", "30")
    deployed.config("server.cpu", next(CPUS))
    yield deployed
    (deployed.program / f"Pulumi.{STACK}.yaml").write_text(kept)
    deployed.up("--refresh")


def last_screen(lab: Lab) -> str:
    """What a failed `make up` ends with."""
    done = lab.python("ops.up", timeout=1500)
    shown = done.stdout + done.stderr
    assert done.returncode != 0, shown
    assert (
        "Traceback (most recent call last)" not in done.stderr and "check the network" not in shown
    ), shown
    assert "What the cluster says:" in shown, shown
    return shown.split("What the cluster says:")[1]


def wrong_image(lab: Lab) -> None:
    """A tag that no registry has."""
    lab.config("server.image", "tensorflow/serving:2.15.0")  # 2.15.1 was the first of its line


def another_image(lab: Lab) -> None:
    """An image with something else in it, which the settings take for a server of that version."""
    lab.config("server.tensorflow", "1.15.0")
    lab.config("server.image", "python:3.12-slim")


CASES: list[tuple[Callable[[Lab], None], str, str, str]] = [
    (
        wrong_image,
        "its name or its tag is wrong",
        "docker.io/tensorflow/serving:2.15.0: not found",
        "server.image",
    ),
    (another_image, "holds no /usr/bin/tensorflow_model_server", "StartError", "server.image"),
]


@pytest.mark.parametrize(
    ("wrong", "cause", "said", "remedy"), CASES, ids=[case[0].__name__ for case in CASES]
)
def test_a_wrong_setting_is_named(
    broken: Lab, wrong: Callable[[Lab], None], cause: str, said: str, remedy: str
) -> None:
    wrong(broken)
    shown = last_screen(broken)
    assert cause in shown and said in shown and remedy in shown, shown
    assert shown.count("    cause: ") == 1, "one cause, and nothing of pods that are fine"


def test_a_pod_larger_than_any_node_is_refused_before_anything_starts(broken: Lab) -> None:
    broken.config("server.cpu", "64")
    done = broken.python("ops.up", timeout=1500)
    shown = done.stdout + done.stderr
    assert done.returncode != 0 and "What the cluster says:" not in shown, shown
    assert (
        "server.cpu is" in shown
        and "at most 3920m, what ACK leaves for pods on ecs.gn6i-c4g1.xlarge" in shown
    ), shown


@contextmanager
def stored(lab: Lab, name: str, code: str) -> Iterator[None]:
    """Changes one object of the stored model while the block runs; the program does not look at it
    without --refresh.
    """
    outputs = lab.outputs()
    key = f"{outputs['modelPath']}/{name}"
    source = lab.program / "models" / "chnsenticorp" / "1623831335" / name
    lab.run("python", "-c", PUT + code, outputs["bucket"], key)
    try:
        yield
    finally:
        lab.run(
            "python",
            "-c",
            PUT + "b.put_object_from_file(sys.argv[2],sys.argv[3])",
            outputs["bucket"],
            key,
            str(source),
        )


def test_a_model_that_the_server_can_not_load_is_shown_with_the_servers_own_last_lines(
    broken: Lab,
) -> None:
    with stored(broken, "saved_model.pb", "b.put_object(sys.argv[2], b'\\xff' * 1000)"):
        shown = last_screen(broken)
    assert "its last lines:" in shown and "Loading servable" in shown and "failed: " in shown, shown
    assert "model's files are damaged" in shown or "can't load the model" in shown, shown


def test_a_model_that_is_not_there_is_named(broken: Lab) -> None:
    with stored(broken, "saved_model.pb", "b.delete_object(sys.argv[2])"):
        shown = last_screen(broken)
    assert "finds no model where it looks" in shown and "model.path" in shown, shown


def test_no_stock_is_named_with_the_clouds_own_words(broken: Lab) -> None:
    nodes = broken.kubectl("get", "nodes", "-l", "inference-stack")["items"]
    names = [node["metadata"]["name"] for node in nodes]
    nothing = [{"market": market, "count": 0} for market in ("spot", "on_demand")]
    broken.control("market", "POST", {"stock": nothing})
    broken.run("kubectl", "cordon", *names)
    try:
        shown = last_screen(broken)
    finally:
        broken.control("market", "POST", {"stock": []})
        broken.run("kubectl", "uncordon", *names)
    assert (
        "none of the pool's instance types left" in shown and "nodePool.instanceTypes" in shown
    ), shown
