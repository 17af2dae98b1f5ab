"""The regions there are: their zones, and which of an account's things belong to one of them. What
a stack may be told to live in.

Zones as ECS's page "Regions and zones" lists them. A zone's name is the region's and a letter, with
a hyphen between unless the region's name ends in a digit.
"""

from __future__ import annotations

HOME = "cn-shanghai"
"""Where the lab's own cluster is."""
_ZONES = {
    "cn-qingdao": ("Qingdao", "bc"),
    "cn-beijing": ("Beijing", "acdefghijkl"),
    "cn-zhangjiakou": ("Zhangjiakou", "abc"),
    "cn-huhehaote": ("Hohhot", "ab"),
    "cn-wulanchabu": ("Ulanqab", "abc"),
    "cn-hangzhou": ("Hangzhou", "bfghijk"),
    "cn-shanghai": ("Shanghai", "abcdefgklmn"),
    "cn-nanjing": ("Nanjing", "a"),
    "cn-fuzhou": ("Fuzhou", "a"),
    "cn-wuhan-lr": ("Wuhan", "a"),
    "cn-shenzhen": ("Shenzhen", "acdef"),
    "cn-heyuan": ("Heyuan", "ab"),
    "cn-guangzhou": ("Guangzhou", "ab"),
    "cn-chengdu": ("Chengdu", "ab"),
    "cn-zhengzhou-jva": ("Zhengzhou", "a"),
    "cn-hongkong": ("Hong Kong", "bcd"),
    "ap-southeast-1": ("Singapore", "abc"),
    "ap-southeast-3": ("Kuala Lumpur", "ab"),
    "ap-southeast-5": ("Jakarta", "abc"),
    "ap-southeast-6": ("Manila", "a"),
    "ap-southeast-7": ("Bangkok", "a"),
    "ap-northeast-1": ("Tokyo", "abc"),
    "ap-northeast-2": ("Seoul", "a"),
    "us-east-1": ("Virginia", "ab"),
    "us-west-1": ("Silicon Valley", "ab"),
    "na-south-1": ("Mexico", "a"),
    "eu-west-1": ("London", "ab"),
    "eu-central-1": ("Frankfurt", "abc"),
    "me-east-1": ("Dubai", "a"),
    "me-central-1": ("Riyadh", "ab"),
    "cn-beijing-finance-1": ("Beijing Finance", "kl"),
    "cn-hangzhou-finance": ("Hangzhou Finance", "jk"),
    "cn-shanghai-finance-1": ("Shanghai Finance", "fgk"),
    "cn-shenzhen-finance-1": ("Shenzhen Finance", "de"),
    "cn-north-2-gov-1": ("Beijing Government", "bl"),
}
REGIONS = {name: local for name, (local, _) in _ZONES.items()}
"""Region ids with their local names."""
ZRS = frozenset(
    {
        "cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-zhangjiakou", "cn-wulanchabu", "cn-shenzhen", "cn-hongkong", "ap-northeast-1",
        "ap-southeast-1", "ap-southeast-5", "eu-central-1",
    }
)  # fmt: skip
"""Regions whose OSS stores in several zones (its page "Zone-redundant storage")."""
ZRS_STANDARD = frozenset({"ap-southeast-3"})
"""Regions with two zones, where only class Standard is so stored (the same page)."""
REGIONAL = frozenset(
    {
        "vpc", "vswitch", "security_group", "cluster", "nodepool", "instance", "bucket", "log_project", "logstore", "load_balancer", "eip",
        "disk", "nat_gateway", "scaling_group",
    }
)  # fmt: skip
"""Kinds of documents that belong to a region. RAM, keys and tags are the account's; what hangs on
one of these is where that is.
"""


def zones(region: str) -> tuple[str, ...]:
    """The zones of a region, none of one that there is not."""
    _, letters = _ZONES.get(region, ("", ""))
    return tuple(f"{region}{'' if region[-1:].isdigit() else '-'}{letter}" for letter in letters)


def region_of(zone: str) -> str:
    """The region a zone lies in: `cn-shanghai` of `cn-shanghai-g`, `ap-southeast-1` of
    `ap-southeast-1a`.
    """
    return zone[:-1].removesuffix("-")
