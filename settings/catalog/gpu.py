"""Which serving images run on which GPU instance types."""

import re
from collections.abc import Sequence

# Instance family -> (GPU, CUDA compute capability times ten, first CUDA version times ten with
# native kernels for it).
GPU_FAMILIES = {
    "gn5": ("P100", 60, 80),
    "gn5i": ("P4", 61, 80),
    "gn6v": ("V100", 70, 90),
    "gn6e": ("V100", 70, 90),
    "gn6i": ("T4", 75, 100),
    "gn7": ("A100", 80, 110),
    "gn7e": ("A100", 80, 110),
    "gn7s": ("A30", 80, 110),
    "gn7i": ("A10", 86, 111),
    "gn7r": ("A16", 86, 111),
    "gn8is": ("L20", 89, 118),
    "gn8ia": ("L20", 89, 118),
    "gn8v": ("H20", 90, 118),
    "gn8te": ("H20", 90, 118),
    "gn9g": ("Blackwell", 120, 128),
    "gn9gc": ("Blackwell", 120, 128),
    "gn9ge": ("Blackwell", 120, 128),
}
# First TensorFlow Serving version -> CUDA version times ten its GPU image is built on.
_CUDA_OF_SERVING = [
    ((1, 13), 100),
    ((2, 1), 101),
    ((2, 4), 110),
    ((2, 5), 112),
    ((2, 12), 118),
    ((2, 15), 122),
    ((2, 18), 125),
]
_SERVING_TAG = re.compile(r"(?:^|/)tensorflow/serving:(\d+)\.(\d+)[.\d]*(-gpu)?")


def family(instance_type: str) -> str:
    """`gn6i` of `ecs.gn6i-c4g1.xlarge` and of `ecs.ebmgn6i.24xlarge`."""
    middle = (
        instance_type.split(".")[1].split("-", maxsplit=1)[0]
        if "." in instance_type
        else instance_type
    )
    return (
        middle.removeprefix("ebm").removeprefix("scc").removesuffix("x")
        if middle.startswith(("ebm", "scc"))
        else middle
    )


def has_gpu(instance_type: str) -> bool:
    """Whether the type is of a GPU family (gn, vgn, sgn, bare-metal ones too)."""
    return family(instance_type).startswith(("gn", "vgn", "sgn"))


def image_warning(image: str, instance_types: Sequence[str]) -> str | None:
    """Warning about serving `image` on these instance types, or None.

    A CUDA 10 image on Ampere or newer compiles every kernel at start: tens of minutes to the first
    answer.
    """
    found = _SERVING_TAG.search(image)
    if found is None:
        return None
    if found[3] is None:
        return f"image {image} has no GPU support: the GPU is billed and not used. Use the same tag with -gpu."
    version = (int(found[1]), int(found[2]))
    cuda = next((cuda for first, cuda in reversed(_CUDA_OF_SERVING) if version >= first), 90)
    slow = {
        name: GPU_FAMILIES[family(name)]
        for name in instance_types
        if family(name) in GPU_FAMILIES and GPU_FAMILIES[family(name)][2] > cuda
    }
    if not slow:
        return None
    types = ", ".join(
        f"{name} ({gpu}, compute capability {capability / 10:.1f})"
        for name, (gpu, capability, _) in slow.items()
    )
    needed = max(first for _, _, first in slow.values())
    return (
        f"image {image} is built on CUDA {cuda / 10:.1f} and has no kernels for {types}: they are compiled at each "
        f"start, tens of minutes to the "
        f"first answer. Use an image on CUDA {needed / 10:.1f} or newer (TensorFlow 1.15 models load in 2.x servers), or T4/V100 types "
        "(ecs.gn6i-…, ecs.gn6v-…)."
    )
