"""Names that others have to agree on, and which image runs on which GPU."""

import pytest

from settings import names
from settings.catalog import gpu
from settings.catalog.instance_types import SIZES


def test_the_deployment_is_named_as_arena_would_name_it() -> None:
    assert names.deployment("bert-tfserving", "v1") == "bert-tfserving-v1-tensorflow-serving"
    long = names.deployment("a" * 50, "v1")
    assert len(long) <= 63 and not long.endswith("-")


def test_the_route_is_namespace_service_port() -> None:
    assert (
        names.route("default", "bert-tfserving-202107141745-tensorflow-serving")
        == "default-bert-tfserving-202107141745-tensorflow-serving-8501"
    )


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("a" * 63, True),
        ("a" * 64, False),
        ("", False),
        ("-a", False),
        ("a_b.c-d", True),
        ("a b", False),
    ],
)
def test_a_label_value_is_at_most_63_characters_with_alphanumeric_ends(
    text: str, good: bool
) -> None:
    assert names.is_label_value(text) is good


def test_bucket_names_are_valid_and_differ_by_stack_cluster_and_storage_class() -> None:
    made = {
        names.bucket("elastic-inference", stack, cluster, storage, "ZRS")
        for stack in ("dev", "prod")
        for cluster in ("c1", "c2")
        for storage in ("IA", "Standard")
    }
    assert len(made) == 8
    assert all(
        3 <= len(name) <= 63 and name == name.lower() and name[0].isalnum() and name[-1].isalnum()
        for name in made
    )
    assert len(names.bucket("P" * 80, "S" * 80, "c", "Standard", "LRS")) <= 63


def test_a_log_bucket_has_the_name_of_its_bucket_as_far_as_63_characters_go() -> None:
    assert names.log_bucket("models") == "models-log"
    assert names.log_bucket("m" * 59) == "m" * 59 + "-log"
    long = {names.log_bucket("m" * 60 + end) for end in ("a", "b", "abc")}
    assert len(long) == 3 and all(len(name) == 63 and name.endswith("-log") for name in long)


def test_ram_names_are_at_most_64_characters() -> None:
    assert len(names.ram("p" * 80, "s" * 80, "c", "reader")) <= 64
    assert names.ram("p", "s", "c1", "reader") != names.ram("p", "s", "c2", "reader")


@pytest.mark.parametrize(
    ("instance_type", "family"),
    [
        ("ecs.gn6i-c4g1.xlarge", "gn6i"),
        ("ecs.gn7e-c16g1.4xlarge", "gn7e"),
        ("ecs.ebmgn7.26xlarge", "gn7"),
        ("ecs.g7.large", "g7"),
    ],
)
def test_the_family_is_read_from_the_type(instance_type: str, family: str) -> None:
    assert gpu.family(instance_type) == family


@pytest.mark.parametrize(
    ("instance_type", "gpus"),
    [
        ("ecs.gn6i-c4g1.xlarge", 1),
        ("ecs.gn6i-c40g1.10xlarge", 1),
        ("ecs.gn6i-c24g1.12xlarge", 2),
        ("ecs.gn6i-c24g1.24xlarge", 4),
        ("ecs.gn6v-c10g1.20xlarge", 8),
        ("ecs.gn7-c13g1.13xlarge", 4),
        ("ecs.gn7i-c32g1.32xlarge", 4),
        ("ecs.gn8is-2x.8xlarge", 2),
        ("ecs.gn8is-4x.16xlarge", 4),
        ("ecs.gn8is-8x.32xlarge", 8),
        ("ecs.gn8v-2x.8xlarge", 2),
        ("ecs.gn8v-4x.8xlarge", 4),
        ("ecs.gn8v-8x.48xlarge", 8),
        ("ecs.ebmgn7e.32xlarge", 8),
        ("ecs.ebmgn7i.32xlarge", 4),
        ("ecs.ebmgn8is.32xlarge", 8),
        ("ecs.ebmgn8v.48xlarge", 8),
        ("ecs.ebmgn6i.24xlarge", 4),
        ("ecs.gn5-c8g1.14xlarge", 8),
        ("ecs.vgn6i-m4.xlarge", 1),
    ],
)
def test_the_gpus_of_a_type_are_those_that_ecs_publishes(instance_type: str, gpus: int) -> None:
    assert SIZES[instance_type].gpus == gpus


def test_the_sizes_are_in_proportion() -> None:
    """A slip in the table stands out: every type has at least 2 vCPUs and 8 GiB to a GPU, and 2 to
    12 GiB to a vCPU.
    """
    for name, size in SIZES.items():
        assert gpu.has_gpu(name), name
        assert size.cpus >= 2 * size.gpus and size.memory_gib >= 8 * size.gpus, name
        assert 2 <= size.memory_gib / size.cpus <= 12, name
        assert size.gpus in (1, 2, 4, 8), name


@pytest.mark.parametrize(
    ("image", "instance_type", "part"),
    [
        ("tensorflow/serving:1.15.0-gpu", "ecs.gn6i-c4g1.xlarge", None),
        ("tensorflow/serving:1.15.0-gpu", "ecs.gn6v-c8g1.2xlarge", None),
        ("tensorflow/serving:1.15.0-gpu", "ecs.gn7-c12g1.3xlarge", "CUDA 10.0"),
        ("tensorflow/serving:2.3.0-gpu", "ecs.gn7i-c8g1.2xlarge", "CUDA 10.1"),
        ("tensorflow/serving:2.4.0-gpu", "ecs.gn7-c12g1.3xlarge", None),
        ("tensorflow/serving:2.11.0-gpu", "ecs.gn8is.2xlarge", "newer"),
        ("tensorflow/serving:2.20.0-gpu", "ecs.gn8v.2xlarge", None),
        ("tensorflow/serving:2.20.0", "ecs.gn6i-c4g1.xlarge", "no GPU support"),
        ("registry.example.com/own/server:1", "ecs.gn7-c12g1.3xlarge", None),
        (
            "registry-vpc.cn-shanghai.aliyuncs.com/x/tensorflow/serving:1.15.0-gpu",
            "ecs.gn7-c12g1.3xlarge",
            "tens of minutes",
        ),
    ],
)
def test_an_image_is_warned_about_where_its_cuda_is_older_than_the_gpu(
    image: str, instance_type: str, part: str | None
) -> None:
    warning = gpu.image_warning(image, [instance_type])
    assert (warning is None) if part is None else (warning is not None and part in warning)
