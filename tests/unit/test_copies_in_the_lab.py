"""Rules that stand twice on purpose: the program has its copy, and the lab, which plays the cloud
and imports nothing of the program, has its own. One table of examples holds both.
"""

from __future__ import annotations

from types import ModuleType

import pytest

import lab.kubelet.node_room
import lab.kubelet.ossfs2
import lab.quantities
import settings.catalog.instance_types
import settings.catalog.node_allocatable
import settings.catalog.ossfs2
from lab.alicloud import regions
from lab.alicloud.catalog import TYPES
from lab.kubelet import images
from lab.tests.kubelet.test_node_room import CPU, MEMORY, SHOWN_MIB
from lab.tests.kubelet.test_volume_options import REFUSED, TAKEN
from settings import names
from settings.catalog import regions as known

node_rooms = pytest.mark.parametrize(
    "copy", [settings.catalog.node_allocatable, lab.kubelet.node_room], ids=["program", "lab"]
)
clients = pytest.mark.parametrize(
    "copy", [settings.catalog.ossfs2, lab.kubelet.ossfs2], ids=["program", "lab"]
)


@node_rooms
def test_both_reserve_what_ack_publishes(copy: ModuleType) -> None:
    assert [(cpus, copy.reserved_millicores(cpus)) for cpus, _ in CPU] == CPU
    assert [(mib, pods, copy.reserved_mib(mib, pods)) for mib, pods, _ in MEMORY] == MEMORY
    assert abs(copy.capacity_mib(8 * 1024) - SHOWN_MIB) < 1


def test_both_leave_the_same_room_on_every_type_that_the_lab_sells() -> None:
    sizes = {(kind.cpu, kind.memory_mib) for kind in TYPES.values()}
    ours, labs = settings.catalog.node_allocatable, lab.kubelet.node_room
    assert len(sizes) > 5 and {size: ours.allocatable(*size) for size in sizes} == {
        size: labs.allocatable(*size) for size in sizes
    }
    assert ours.MAX_PODS == labs.MAX_PODS


def test_the_lab_sells_the_types_in_the_sizes_that_the_settings_reckon_with() -> None:
    gpu = {
        name: (kind.cpu, kind.memory_mib, kind.gpu_count)
        for name, kind in TYPES.items()
        if kind.gpu_count
    }
    sizes = settings.catalog.instance_types.SIZES
    assert gpu and gpu == {
        name: (size.cpus, int(size.memory_gib * 1024), size.gpus)
        for name, size in sizes.items()
        if name in gpu
    }


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2", 2),
        ("500m", 0.5),
        ("8Gi", 8 * 2**30),
        ("8G", 8e9),
        ("1.5", 1.5),
        ("128974848", 128974848),
        ("129M", 129e6),
    ],
)
def test_quantities_are_read_as_kubernetes_does(text: str, number: float) -> None:
    assert settings.catalog.node_allocatable.quantity(text) == pytest.approx(number)
    assert float(lab.quantities.quantity(text)) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "8 Gi", "Gi", "1mi", "1ki"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        settings.catalog.node_allocatable.quantity(text)
    with pytest.raises(ValueError, match="quantity"):
        lab.quantities.quantity(text)


@clients
@pytest.mark.parametrize(("options", "said"), REFUSED)
def test_both_refuse_a_mount_option_in_the_words_of_ossfs2(
    copy: ModuleType, options: str, said: str
) -> None:
    refusals = copy.refusals(copy.options_of(options))
    assert "\n".join(dict(sorted(refusals.items())).values()) == said


@clients
@pytest.mark.parametrize("options", TAKEN)
def test_both_take_what_ossfs2_takes(copy: ModuleType, options: str) -> None:
    assert copy.refusals(copy.options_of(options)) == {}


def test_both_know_the_same_options_with_the_same_types_and_limits() -> None:
    assert settings.catalog.ossfs2.DATA == lab.kubelet.ossfs2.DATA


def test_program_and_lab_name_the_annotation_alike() -> None:
    assert images.TENSORFLOW_ANNOTATION == names.TENSORFLOW_ANNOTATION


def test_program_and_double_know_the_same_regions_of_zone_redundant_storage() -> None:
    assert (set(known.ZRS), set(known.ZRS_STANDARD)) == (regions.ZRS, regions.ZRS_STANDARD)
    assert set(known.ZRS) <= set(regions.REGIONS) == known.REGIONS and len(known.ZRS) == 11
