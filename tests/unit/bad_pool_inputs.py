"""Every way a setting of the node pool can be wrong."""

from typing import Any

from tests.unit.bad_inputs import Bad

A_TYPE = "ecs.gn6i-c4g1.xlarge"
LONG = "a" * 64


def _pool(field: str, value: Any, found: str, expected: str, remedy: str = "") -> Bad:
    return Bad(
        {"nodePool": {field: value}},
        f"nodePool.{field}",
        found,
        expected,
        remedy or f"nodePool.{field}",
    )


POOL = [
    _pool("vswitchIds", None, "not set", "1 to 8 ids", "nodePool.vswitchIds[0]' vsw-"),
    _pool("vswitchIds", [], "not set", "1 to 8 ids", "nodePool.vswitchIds[0]' vsw-"),
    _pool("vswitchIds", "vsw-labe", '"vsw-labe"', "1 to 8 ids"),
    Bad(
        {"nodePool": {"vswitchIds": ["subnet-1"]}},
        "nodePool.vswitchIds[0]",
        '"subnet-1"',
        "vsw-uf6abc",
        "nodePool.vswitchIds[0]",
    ),
    Bad(
        {"nodePool": {"vswitchIds": ["vsw-a", "vsw-a"]}},
        "nodePool.vswitchIds",
        '"vsw-a"',
        "each value once",
        "config rm --path",
    ),
    _pool("instanceTypes", [], "[]", "1 to 10 types"),
    Bad(
        {"nodePool": {"instanceTypes": ["gn6i.large"]}},
        "nodePool.instanceTypes[0]",
        '"gn6i.large"',
        "types such as",
        "instanceTypes[0]",
    ),
    Bad(
        {"nodePool": {"instanceTypes": ["ecs.g7.xlarge"], "spotInstancePools": 1}},
        "nodePool.instanceTypes[0]",
        '"ecs.g7.xlarge"',
        "a GPU type",
        "ecs.gn6i-c4g1.xlarge",
    ),
    _pool("minSize", -1, "-1", "0 to 999"),
    _pool("minSize", "3", '"3"', "0 to 999", "minSize' 1"),
    _pool("minSize", 1.5, "1.5", "0 to 999"),
    _pool("minSize", True, "true", "0 to 999"),
    _pool("maxSize", 1001, "1001", "1 to 1000"),
    Bad(
        {"nodePool": {"minSize": 5, "maxSize": 5}},
        "nodePool.maxSize",
        "5",
        "more than nodePool.minSize, which is 5",
        "nodePool.maxSize' 6",
    ),
    _pool("spotStrategy", "Bad", '"Bad"', "SpotAsPriceGo, SpotWithPriceLimit or NoSpot"),
    _pool("onDemandPercent", 300, "300", "0 to 100"),
    _pool("onDemandPercent", "30", '"30"', "without quotes", "onDemandPercent' 30"),
    _pool("onDemandPercent", -1, "-1", "0 to 100"),
    _pool("onDemandBase", 1001, "1001", "0 to 1000"),
    Bad(
        {"nodePool": {"onDemandBase": 11}},
        "nodePool.onDemandBase",
        "11",
        "at most nodePool.maxSize, which is 10",
        "onDemandBase' 0",
    ),
    _pool("compensateWithOnDemand", "yes", '"yes"', "true or false"),
    _pool("spotInstancePools", 0, "0", "1 to 10"),
    Bad(
        {"nodePool": {"instanceTypes": [A_TYPE], "spotInstancePools": 2}},
        "nodePool.spotInstancePools",
        "2",
        "number of instanceTypes, 1",
        "config rm --path",
    ),
    _pool("multiAzPolicy", "CHEAPEST", '"CHEAPEST"', "COST_OPTIMIZED, BALANCE or PRIORITY"),
    Bad(
        {"nodePool": {"multiAzPolicy": "BALANCE"}},
        "nodePool.multiAzPolicy",
        '"BALANCE"',
        "COST_OPTIMIZED, or compensateWithOnDemand false",
        "COST_OPTIMIZED",
    ),
    Bad(
        {"nodePool": {"spotStrategy": "NoSpot"}},
        "nodePool.spotInstanceRemedy",
        "true",
        "false with spotStrategy NoSpot",
        "' false",
    ),
    Bad(
        {"nodePool": {"spotStrategy": "SpotWithPriceLimit"}},
        "nodePool.spotPriceLimits",
        "{}",
        "a price for every instance type",
        A_TYPE,
    ),
    Bad(
        {"nodePool": {"spotPriceLimits": {A_TYPE: 1.0}}},
        "nodePool.spotPriceLimits",
        A_TYPE,
        "nothing with spotStrategy",
        "SpotWithPriceLimit",
    ),
    Bad(
        {"nodePool": {"spotPriceLimits": {A_TYPE: 0}}},
        f'nodePool.spotPriceLimits["{A_TYPE}"]',
        "0",
        "price above 0",
        A_TYPE,
    ),
    Bad(
        {"nodePool": {"labels": {}}}, "nodePool.labels", "{}", "label key: value", "nodePool.labels"
    ),
    Bad(
        {"nodePool": {"labels": {"in valid": "x"}}},
        'nodePool.labels["in valid"]',
        '"x"',
        "label key: value",
        "config rm",
    ),
    Bad(
        {"nodePool": {"labels": {"a": "-x-"}}},
        "nodePool.labels.a",
        '"-x-"',
        "label key: value",
        "nodePool.labels.a",
    ),
    Bad(
        {"nodePool": {"labels": {"a": LONG}}},
        "nodePool.labels.a",
        LONG[:20],
        "label key: value",
        "nodePool.labels.a",
    ),
    Bad(
        {"nodePool": {"labels": {f"k{n}": "v" for n in range(9)}}},
        "nodePool.labels",
        "11 labels + 1 taint + 3 tags = 15",
        "at most 12 together",
        "remove 3 of them",
    ),
    Bad(
        {"nodePool": {"labels": {"inference-pool": "x"}}},
        "nodePool.labels",
        '"x"',
        "does not set itself",
        "config rm",
    ),
    Bad(
        {"nodePool": {"taint": {"effect": "Nope"}}},
        "nodePool.taint.effect",
        '"Nope"',
        "NoSchedule, NoExecute or PreferNoSchedule",
        "taint.effect",
    ),
    Bad(
        {"nodePool": {"taint": {"key": "bad key"}}},
        "nodePool.taint.key",
        '"bad key"',
        "a label key",
        "nodePool.taint.key",
    ),
    _pool("taint", "none", '"none"', "key, value and effect", "indented lines below"),
    _pool(
        "gpuSchedule", "cgpu2", '"cgpu2"', "none or default: the serving pods request whole GPUs"
    ),
    _pool("driverVersion", "latest", '"latest"', "a version such as 550.144.03"),
    _pool("systemDiskSize", 1, "1", "40 to 2048 GiB"),
    _pool("systemDiskCategory", "ssd", '"ssd"', "cloud_essd"),
    _pool("imageType", "CentOS", '"CentOS"', "AliyunLinux3"),
    Bad(
        {"nodePool": {"securityGroupIds": ["default"]}},
        "nodePool.securityGroupIds[0]",
        '"default"',
        "ids such as sg-",
        "securityGroupIds[0]",
    ),
    _pool("name", "Inference Pool", '"Inference Pool"', "lower-case letters"),
    _pool("generation", 0, "0", "1 to 9999"),
    _pool(
        "maxSise",
        3,
        "3",
        "did you mean maxSize?",
        "config rm --path 'elastic-inference:nodePool.maxSise'",
    ),
    Bad(
        {"nodePool": {"taint": {"efect": "NoSchedule"}}},
        "nodePool.taint.efect",
        '"NoSchedule"',
        "did you mean effect?",
        "nodePool.taint.effect",
    ),
    Bad(
        {"nodePool": "10"},
        "nodePool",
        "10",
        "an object with at least vswitchIds",
        "indented lines below 'elastic-inference:nodePool:'",
    ),
    Bad(
        {"server": {"cpu": "4"}},
        "server.cpu",
        '"4"',
        "at most 3920m, what ACK leaves for pods on ecs.gn6i-c4g1.xlarge",
        "server.cpu' 3",
    ),
    Bad(
        {
            "server": {"cpu": "16", "gpus": 1},
            "nodePool": {"instanceTypes": ["ecs.gn8is.4xlarge", "ecs.gn7e-c16g1.8xlarge"]},
        },
        "server.cpu",
        '"16"',
        "at most 15890m, what ACK leaves for pods on ecs.gn8is.4xlarge",
        "server.cpu' 15",
    ),
    Bad(
        {"server": {"memory": "64Gi"}},
        "server.memory",
        '"64Gi"',
        "at most 13031Mi, what ACK leaves for pods on ecs.gn6i-c4g1.xlarge",
        "server.memory' 12Gi",
    ),
    Bad(
        {
            "server": {"cpu": "40", "memory": "100Gi"},
            "nodePool": {"instanceTypes": ["ecs.gn6i-c24g1.24xlarge"], "maxSize": 4},
        },
        "autoscaler.maxReplicas",
        "10",
        "at most 8, what nodePool.maxSize nodes can hold",
        "nodePool.maxSize' 5",
    ),
    Bad(
        {"nodePool": {"instanceTypes": ["ecs.gn6i-c4g9.xlarge"]}},
        "nodePool.instanceTypes[0]",
        '"ecs.gn6i-c4g9.xlarge"',
        "such as ecs.gn6i-c4g1.xlarge; or a newer one, whose size nodePool.instanceSizes tells",
        "instanceTypes[0]' ecs.gn6i-c4g1.xlarge",
    ),
    Bad(
        {"nodePool": {"instanceTypes": ["ecs.gn6i-c4g1.4xlarg"]}},
        "nodePool.instanceTypes[0]",
        "4xlarg",
        "types such as",
        "instanceTypes[0]",
    ),
    Bad(
        {"nodePool": {"instanceSizes": {A_TYPE: {"cpus": 4, "memoryGib": 0, "gpus": 1}}}},
        f'nodePool.instanceSizes["{A_TYPE}"].memoryGib',
        "0",
        "a number above 0, in GiB",
        "memoryGib' 31",
    ),
    Bad(
        {"nodePool": {"instanceSizes": {A_TYPE: {"cpus": 4, "memoryGib": 15}}}},
        f'nodePool.instanceSizes["{A_TYPE}"].gpus',
        "not set",
        "1 to 64",
        "gpus' 1",
    ),
    Bad(
        {"nodePool": {"instanceSizes": {A_TYPE: "large"}}},
        f'nodePool.instanceSizes["{A_TYPE}"]',
        '"large"',
        "cpus, memoryGib and gpus",
        "indented lines",
    ),
    Bad(
        {
            "nodePool": {
                "instanceSizes": {"ecs.gn10.xlarge": {"cpus": 4, "memoryGib": 15, "gpus": 1}}
            }
        },
        'nodePool.instanceSizes["ecs.gn10.xlarge"]',
        '"ecs.gn10.xlarge"',
        "one of nodePool.instanceTypes",
        "config rm",
    ),
    _pool("gpuSchedule", "share", '"share"', "the serving pods request whole GPUs"),
    _pool("gpuSchedule", "topology", '"topology"', "the serving pods request whole GPUs"),
    Bad(
        {"server": {"memory": "14Gi"}},
        "server.memory",
        '"14Gi"',
        "at most 13031Mi",
        "server.memory' 12Gi",
    ),
]
