"""The GPU instance types of ECS: vCPUs, memory and GPUs of each.

The name of a type does not tell its GPUs: `gn8is-2x.8xlarge` has 2, `gn5-c8g1.14xlarge` has 8 and
not 56/8, and a bare-metal type names none at all. The figures are those of ECS' pages
"GPU-accelerated compute-optimized instance families" and "vGPU-accelerated instance families"
(https://www.alibabacloud.com/help/en/ecs/user-guide/gpu-accelerated-compute-optimized-and-vgpu-accelerated-instance-families,
seen 2026-11-30). A type with a share of a GPU counts as one GPU: that is what its node offers.

For a type that these pages don't have, the setting `nodePool.instanceSizes` says the same.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """What one instance has."""

    cpus: int
    """vCPUs."""
    memory_gib: float
    """Memory, in GiB."""
    gpus: int
    """GPUs that pods can request."""


SIZES: dict[str, Size] = {
    "ecs.gn8v.4xlarge": Size(16, 96, 1),
    "ecs.gn8v.6xlarge": Size(24, 128, 1),
    "ecs.gn8v-2x.8xlarge": Size(32, 192, 2),
    "ecs.gn8v-4x.8xlarge": Size(32, 384, 4),
    "ecs.gn8v-2x.12xlarge": Size(48, 256, 2),
    "ecs.gn8v-8x.16xlarge": Size(64, 768, 8),
    "ecs.gn8v-4x.24xlarge": Size(96, 512, 4),
    "ecs.gn8v-8x.48xlarge": Size(192, 1024, 8),
    "ecs.gn8v-tee.4xlarge": Size(16, 96, 1),
    "ecs.gn8v-tee.6xlarge": Size(24, 128, 1),
    "ecs.gn8v-tee-8x.16xlarge": Size(64, 768, 8),
    "ecs.gn8v-tee-8x.48xlarge": Size(192, 1024, 8),
    "ecs.gn8is.2xlarge": Size(8, 64, 1),
    "ecs.gn8is.4xlarge": Size(16, 128, 1),
    "ecs.gn8is-2x.8xlarge": Size(32, 256, 2),
    "ecs.gn8is-4x.16xlarge": Size(64, 512, 4),
    "ecs.gn8is-8x.32xlarge": Size(128, 1024, 8),
    "ecs.gn7e-c16g1.4xlarge": Size(16, 125, 1),
    "ecs.gn7e-c16g1.8xlarge": Size(32, 250, 2),
    "ecs.gn7e-c16g1.16xlarge": Size(64, 500, 4),
    "ecs.gn7e-c16g1.32xlarge": Size(128, 1000, 8),
    "ecs.gn7i-c8g1.2xlarge": Size(8, 30, 1),
    "ecs.gn7i-c16g1.4xlarge": Size(16, 60, 1),
    "ecs.gn7i-c32g1.8xlarge": Size(32, 188, 1),
    "ecs.gn7i-c32g1.16xlarge": Size(64, 376, 2),
    "ecs.gn7i-c32g1.32xlarge": Size(128, 752, 4),
    "ecs.gn7i-c48g1.12xlarge": Size(48, 310, 1),
    "ecs.gn7i-c56g1.14xlarge": Size(56, 346, 1),
    "ecs.gn7i-2x.8xlarge": Size(32, 128, 2),
    "ecs.gn7i-4x.8xlarge": Size(32, 128, 4),
    "ecs.gn7i-4x.16xlarge": Size(64, 256, 4),
    "ecs.gn7i-8x.32xlarge": Size(128, 512, 8),
    "ecs.gn7i-8x.16xlarge": Size(64, 256, 8),
    "ecs.gn7s-c8g1.2xlarge": Size(8, 60, 1),
    "ecs.gn7s-c16g1.4xlarge": Size(16, 120, 1),
    "ecs.gn7s-c32g1.8xlarge": Size(32, 250, 1),
    "ecs.gn7s-c32g1.16xlarge": Size(64, 500, 2),
    "ecs.gn7s-c32g1.32xlarge": Size(128, 1000, 4),
    "ecs.gn7s-c48g1.12xlarge": Size(48, 380, 1),
    "ecs.gn7s-c56g1.14xlarge": Size(56, 440, 1),
    "ecs.gn7-c12g1.3xlarge": Size(12, 94, 1),
    "ecs.gn7-c13g1.13xlarge": Size(52, 378, 4),
    "ecs.gn7-c13g1.26xlarge": Size(104, 756, 8),
    "ecs.gn6i-c4g1.xlarge": Size(4, 15, 1),
    "ecs.gn6i-c8g1.2xlarge": Size(8, 31, 1),
    "ecs.gn6i-c16g1.4xlarge": Size(16, 62, 1),
    "ecs.gn6i-c24g1.6xlarge": Size(24, 93, 1),
    "ecs.gn6i-c40g1.10xlarge": Size(40, 155, 1),
    "ecs.gn6i-c24g1.12xlarge": Size(48, 186, 2),
    "ecs.gn6i-c24g1.24xlarge": Size(96, 372, 4),
    "ecs.gn6e-c12g1.3xlarge": Size(12, 92, 1),
    "ecs.gn6e-c12g1.6xlarge": Size(24, 184, 2),
    "ecs.gn6e-c12g1.12xlarge": Size(48, 368, 4),
    "ecs.gn6e-c12g1.24xlarge": Size(96, 736, 8),
    "ecs.gn6v-c8g1.2xlarge": Size(8, 32, 1),
    "ecs.gn6v-c8g1.4xlarge": Size(16, 64, 2),
    "ecs.gn6v-c8g1.8xlarge": Size(32, 128, 4),
    "ecs.gn6v-c8g1.16xlarge": Size(64, 256, 8),
    "ecs.gn6v-c10g1.20xlarge": Size(82, 336, 8),
    "ecs.gn5i-c2g1.large": Size(2, 8, 1),
    "ecs.gn5i-c4g1.xlarge": Size(4, 16, 1),
    "ecs.gn5i-c8g1.2xlarge": Size(8, 32, 1),
    "ecs.gn5i-c16g1.4xlarge": Size(16, 64, 1),
    "ecs.gn5i-c16g1.8xlarge": Size(32, 128, 2),
    "ecs.gn5i-c28g1.14xlarge": Size(56, 224, 2),
    "ecs.gn5-c4g1.xlarge": Size(4, 30, 1),
    "ecs.gn5-c8g1.2xlarge": Size(8, 60, 1),
    "ecs.gn5-c4g1.2xlarge": Size(8, 60, 2),
    "ecs.gn5-c8g1.4xlarge": Size(16, 120, 2),
    "ecs.gn5-c28g1.7xlarge": Size(28, 112, 1),
    "ecs.gn5-c8g1.8xlarge": Size(32, 240, 4),
    "ecs.gn5-c28g1.14xlarge": Size(56, 224, 2),
    "ecs.gn5-c8g1.14xlarge": Size(54, 480, 8),
    "ecs.ebmgn9g.64xlarge": Size(256, 2304, 8),
    "ecs.ebmgn9ge.64xlarge": Size(256, 2304, 8),
    "ecs.ebmgn9gc.64xlarge": Size(256, 1536, 8),
    "ecs.ebmgn8v.48xlarge": Size(192, 1024, 8),
    "ecs.ebmgn8ia.64xlarge": Size(256, 1536, 4),
    "ecs.ebmgn8is.32xlarge": Size(128, 1024, 8),
    "ecs.ebmgn7e.32xlarge": Size(128, 1024, 8),
    "ecs.ebmgn7i.32xlarge": Size(128, 768, 4),
    "ecs.ebmgn7.26xlarge": Size(104, 768, 8),
    "ecs.ebmgn6e.24xlarge": Size(96, 768, 8),
    "ecs.ebmgn6v.24xlarge": Size(96, 384, 8),
    "ecs.ebmgn6i.24xlarge": Size(96, 384, 4),
    "ecs.vgn6i-m4.xlarge": Size(4, 23, 1),
    "ecs.vgn6i-m8.2xlarge": Size(10, 46, 1),
}
