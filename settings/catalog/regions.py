"""The regions of Alibaba Cloud, and in which of them OSS stores in several zones."""

REGIONS = frozenset(
    {
        "cn-qingdao",
        "cn-beijing",
        "cn-zhangjiakou",
        "cn-huhehaote",
        "cn-wulanchabu",
        "cn-hangzhou",
        "cn-shanghai",
        "cn-nanjing",
        "cn-fuzhou",
        "cn-wuhan-lr",
        "cn-shenzhen",
        "cn-heyuan",
        "cn-guangzhou",
        "cn-chengdu",
        "cn-zhengzhou-jva",
        "cn-hongkong",
        "ap-southeast-1",
        "ap-southeast-3",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ap-northeast-1",
        "ap-northeast-2",
        "us-east-1",
        "us-west-1",
        "na-south-1",
        "eu-west-1",
        "eu-central-1",
        "me-east-1",
        "me-central-1",
        "cn-beijing-finance-1",
        "cn-hangzhou-finance",
        "cn-shanghai-finance-1",
        "cn-shenzhen-finance-1",
        "cn-north-2-gov-1",
    }
)
"""Region ids on ECS' page "Regions and zones"
(https://www.alibabacloud.com/help/en/ecs/product-overview/regions-and-zones, seen 2026-11-30).
"""
NEWER = frozenset({"ap-southeast-8", "cn-zhongwei", "rus-west-1", "us-southeast-1"})
"""Regions that the provider's own list has (terraform-provider-alicloud 1.285.0,
connectivity/regions.go) and that page has not.
"""
ZRS = (
    "cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-zhangjiakou", "cn-wulanchabu", "cn-shenzhen", "cn-hongkong", "ap-northeast-1",
    "ap-southeast-1", "ap-southeast-5", "eu-central-1",
)  # fmt: skip
"""Regions in which OSS stores in several zones (OSS documentation, "Zone-redundant storage", as of
2026-11).
"""
ZRS_STANDARD = ("ap-southeast-3",)
"""Regions in which OSS does so for class Standard only, because they have two zones (same page)."""


def exists(region: str) -> bool:
    """Whether Alibaba Cloud has a region of that id."""
    return region in REGIONS or region in NEWER
