"""What is right is taken: values as the CLI writes them, types and regions that exist, and whatever
a printed remedy leads to.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from settings import Settings, SettingsError, load
from settings.catalog.instance_types import SIZES
from settings.core.field import field_docs
from settings.core.problem import set_command
from settings.core.translate import dotted
from settings.root import GROUPS, SECRETS
from tests.unit.cli_config import commands, follow
from tests.unit.program import PROJECT, stack_values
from tests.unit.test_bad_settings import check

pytestmark = pytest.mark.usefixtures("model_is_read_once")
SECRET = [f"{PROJECT}:{key}" for key in SECRETS]


def problems(values: dict[str, str], stack: str = "local") -> list[Any]:
    """What is wrong with the values; secrets count as encrypted."""
    try:
        load(values, SECRET, project=PROJECT, stack=stack, environment={})
    except SettingsError as error:
        return list(error.problems)
    return []


def examples() -> list[Any]:
    """Every setting with an example that is a value: its key, and the example."""
    found = []
    for key in GROUPS:
        group = next(
            field.annotation for field in Settings.model_fields.values() if field.alias == key
        )
        for name, field in getattr(group, "model_fields", {}).items():
            example = field_docs(group, name)["example"]  # type: ignore[arg-type]  # a group
            plain = not str(field.annotation).startswith(("list", "dict"))
            if plain and example not in ("…", "x"):
                found.append(pytest.param(dotted([key, field.alias or name]), example))
    return found


@pytest.mark.parametrize(("field", "example"), examples())
def test_the_example_of_a_setting_is_a_value_that_it_takes(field: str, example: str) -> None:
    """What goes with it may be missing; the setting itself is in the right form."""
    values = stack_values("local", {})
    follow(set_command(field, example), values)
    stored = json.loads(values[f"{PROJECT}:{field.split('.', maxsplit=1)[0]}"])[field.split(".")[1]]
    for one in problems(values):
        assert one.field != field or "with" in one.expected, (stored, one)
    assert not str(stored).startswith(('"', "'")), "the CLI stores quotes as part of the text"


def test_decimals_that_the_cli_has_stored_as_text_are_numbers() -> None:
    kind = "ecs.gn6i-c4g1.xlarge"
    found = check(
        {
            "nodeScaler": {"utilizationThreshold": "0.4", "gpuUtilizationThreshold": ".3"},
            "autoscaler": {"scaleUpTolerance": "0.05", "scaleDownTolerance": "0"},
            "nodePool": {
                "instanceTypes": [kind],
                "spotStrategy": "SpotWithPriceLimit",
                "spotPriceLimits": {kind: "1.25"},
            },
        }
    )
    assert (
        found.node_scaler.utilization_threshold,
        found.node_scaler.gpu_utilization_threshold,
    ) == (
        0.4,
        0.3,
    )
    assert (found.autoscaler.scale_up_tolerance, found.autoscaler.scale_down_tolerance) == (0.05, 0)
    assert found.node_pool.spot_price_limits == {kind: 1.25}


@pytest.mark.parametrize("text", ["half", "", "1e400", "nan", "inf", "0,5", "5 %"])
def test_a_text_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"nodeScaler\.utilizationThreshold"):
        check({"nodeScaler": {"utilizationThreshold": text}})


def test_whole_numbers_are_taken_for_texts_and_decimals_for_quantities() -> None:
    found = check(
        {
            "model": {"name": 17},
            "server": {"version": 1, "cpu": 1.5, "memory": 8589934592},
            "autoscaler": {"logProject": 123},
        }
    )
    assert (found.model.name, found.server.version, found.server.cpu) == ("17", "1", "1.5")
    assert (found.server.memory, found.autoscaler.log_project) == ("8589934592", "123")


def test_a_single_instance_type_needs_nothing_else() -> None:
    found = check({"nodePool": {"instanceTypes": ["ecs.gn6i-c4g1.xlarge"]}})
    assert found.node_pool.spot_pools == 1
    assert check({}).node_pool.spot_pools == 2


@pytest.mark.parametrize("instance_type", sorted(SIZES))
def test_every_listed_type_serves_as_many_gpus_as_it_has(instance_type: str) -> None:
    gpus = SIZES[instance_type].gpus
    server = {"gpus": gpus, "cpu": 1, "memory": "4Gi"}
    one = check({"nodePool": {"instanceTypes": [instance_type]}, "server": server})
    assert one.pods_per_node == 1


def test_pods_on_a_node_are_as_many_as_its_scarcest_resource_holds() -> None:
    def pods(**server: Any) -> int:
        pool = {"instanceTypes": ["ecs.gn6i-c24g1.24xlarge"], "maxSize": 20}
        return check({"nodePool": pool, "server": server}).pods_per_node

    assert pods() == 4
    assert pods(cpu="40") == 2
    assert pods(memory="110Gi") == 3
    assert pods(gpus=3) == 1


def test_a_type_newer_than_the_program_is_taken_with_its_size() -> None:
    size = {"cpus": 32, "memoryGib": "255.5", "gpus": 2}
    pool = {"instanceTypes": ["ecs.gn10x.8xlarge"], "instanceSizes": {"ecs.gn10x.8xlarge": size}}
    assert check({"nodePool": pool, "server": {"gpus": 2}}).nodes_for(3) == 3
    with pytest.raises(SettingsError, match=r"server\.gpus is 3"):
        check({"nodePool": pool, "server": {"gpus": 3}})


@pytest.mark.parametrize(
    "image",
    [
        "registry-vpc.cn-shanghai.aliyuncs.com/ml/tf-serving:2.8.0",
        "registry:5000/ml/serving-tensorflow:2.19.1-gpu",
        "tensorflow/serving@sha256:" + "a" * 64,
    ],
)
def test_images_of_tensorflow_serving_are_known_by_their_name(image: str) -> None:
    assert check({"server": {"image": image}}).server.image == image


def test_an_image_by_another_name_is_taken_with_the_tensorflow_that_it_holds() -> None:
    server = {"image": "registry.example.com/bert:3.1.0", "tensorflow": "1.15.0"}
    assert check({"server": server}).server.tensorflow_version == "1.15.0"


@pytest.mark.parametrize("stack", ["a" * 46, "a", "a_b.c-d", "9"])
def test_a_stack_may_have_a_name_that_its_nodes_can_carry(stack: str) -> None:
    assert problems(stack_values("local", {}), stack) == []


@pytest.mark.parametrize(
    ("stack", "said"),
    [
        ("a" * 47, "at most 46 characters"),
        ("a" * 100, "at most 46 characters"),
        ("_a", "a letter or digit at either end"),
        ("a_", "a letter or digit at either end"),
        (".a", "a letter or digit at either end"),
        ("a.", "a letter or digit at either end"),
        ("-a", "a letter or digit at either end"),
    ],
)
def test_a_stack_whose_name_its_nodes_cannot_carry_is_refused_with_another_name(
    stack: str, said: str
) -> None:
    (problem,) = problems(stack_values("local", {}), stack)
    assert problem.field == "stack" and problem.value == stack and said in problem.expected
    other = problem.remedy.rsplit(" ", 1)[1]
    assert f"'Pulumi.{stack}.yaml'" in problem.remedy
    assert problems(stack_values("local", {}), other) == []


def test_a_long_name_of_the_pool_leaves_less_for_the_stacks() -> None:
    values = stack_values("local", {"nodePool": {"name": "n" * 30}})
    assert problems(values, "a" * 25) == []
    (problem,) = problems(values, "a" * 26)
    assert problem.field == "nodePool.name" and "at most 29 characters" in problem.expected
    for command in commands(problem.remedy):
        follow(command, values)
    assert problems(values, "a" * 26) == []


def test_an_adopted_pool_has_its_own_name_and_any_stack_may_take_it_over() -> None:
    adopt = {"adopt": {"nodePoolId": "np4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f"}}
    assert problems(stack_values("local", adopt), "a" * 60) == []


def test_a_key_of_other_tools_is_left_alone() -> None:
    others = {
        "kubernetes:namespace": "x",
        "pulumi:tags": "{}",
        "aws:region": "x",
        "team:owner2": "x",
    }
    assert problems({**stack_values("local", {}), **others}) == []


def test_a_secret_under_a_wrong_prefix_does_not_show() -> None:
    (problem,) = problems({**stack_values("local", {}), "entry:htpasswd": "u:hunter2"})
    assert problem.field == "entry:htpasswd" and "hunter2" not in str(problem)
