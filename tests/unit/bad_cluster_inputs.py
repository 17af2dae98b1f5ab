"""Every way the settings of what is taken over, or of a cluster to make, can be wrong."""

from typing import Any

from tests.unit.bad_inputs import Bad, of

POOL_ID = "np4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f"

ADOPTED = [
    of("adopt", "nodePoolId", "inference", '"inference"', "starting with np"),
    of("adopt", "bucket", "My_Models", '"My_Models"', "3 to 63 lower-case letters"),
    of("adopt", "roleName", "role/reader", '"role/reader"', "1 to 64 letters"),
    of("adopt", "namespace", "inference", '"inference"', "true or false"),
    Bad(
        {"adopt": {"change": True}},
        "adopt.change",
        "true",
        "nothing without something adopted",
        "config rm",
    ),
    Bad(
        {
            "adopt": {"bucket": "team-models"},
            "modelStore": {"bucket": "others", "forceDestroy": False},
        },
        "modelStore.bucket",
        '"others"',
        "nothing with adopt.bucket, which is team-models",
        "config rm",
    ),
    Bad(
        {
            "adopt": {"bucket": "team-models"},
            "modelStore": {"accessLogDays": 30, "forceDestroy": False},
        },
        "modelStore.accessLogDays",
        "30",
        "nothing with adopt.bucket",
        "config rm",
    ),
    Bad(
        {"adopt": {"bucket": "team-models"}},
        "modelStore.forceDestroy",
        "true",
        "false with adopt.bucket",
        "forceDestroy' false",
    ),
    Bad(
        {"adopt": {"nodePoolId": POOL_ID}, "nodePool": {"generation": 2}},
        "nodePool.generation",
        "2",
        "nothing with adopt.nodePoolId",
        "config rm",
    ),
]

VSWITCHES = {"cn-shanghai-e": "10.0.128.0/20", "cn-shanghai-g": "10.0.144.0/20"}
CREATE = {"vpcCidr": "10.0.0.0/16", "vswitches": VSWITCHES}


def made(create: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The stack `local` with a cluster of its own, changed."""
    cluster = {"id": None, "create": {**CREATE, **create}}
    return {"cluster": cluster, "nodePool": {"vswitchIds": None}, **more}


def _create(
    field: str, value: Any, found: str, expected: str, remedy: str = "", place: str = ""
) -> Bad:
    place = f"cluster.create.{place or field}"
    return Bad(made({field: value}), place, found, expected, remedy or place)


CREATED = [
    _create("vswitches", {"cn-shanghai-e": "10.0.128.0/20"}, "cn-shanghai-e", "2 to 5 entries"),
    _create(
        "vswitches",
        {**VSWITCHES, "shanghai": "10.0.160.0/20"},
        "10.0.160.0/20",
        "2 to 5 entries",
        place="vswitches.shanghai",
    ),
    _create(
        "vswitches",
        {**VSWITCHES, "cn-beijing-a": "10.0.160.0/20"},
        "cn-beijing-a",
        "a zone of alicloud:region",
        place="vswitches.cn-b",
    ),
    _create(
        "vswitches",
        {**VSWITCHES, "cn-shanghai-l": "10.1.0.0/20"},
        "10.1.0.0/20",
        "inside vpcCidr",
        place="vswitches.cn-shanghai-l",
    ),
    _create(
        "vswitches",
        {**VSWITCHES, "cn-shanghai-l": "10.0.160.0/26"},
        "/26",
        "/24 or larger",
        place="vswitches.cn-shanghai-l",
    ),
    _create(
        "vswitches",
        {**VSWITCHES, "cn-shanghai-l": "10.0.128.0/24"},
        "10.0.128.0/24",
        "apart from",
        place="vswitches.cn-shanghai-l",
    ),
    _create(
        "vswitches",
        {**VSWITCHES, "cn-shanghai-l": "10.0.160.7/20"},
        "10.0.160.7/20",
        "first address",
        place="vswitches.cn-shanghai-l",
    ),
    _create("vpcCidr", "10.0.0.0", '"10.0.0.0"', "addresses such as"),
    _create("serviceCidr", "10.0.0.0/20", '"10.0.0.0/20"', "outside of vpcCidr"),
    _create("version", "1.28.3-aliyun.1", '"1.28.3-aliyun.1"', "1.30 or newer"),
    _create("spec", "ack.standard", '"ack.standard"', "ack.pro.small"),
    _create("secretsKeyId", "alias/mine", '"alias/mine"', "the id of a KMS key"),
    _create("publicApi", "vpc", '"vpc"', "true or false"),
    _create("systemSize", 1, "1", "2 to 20"),
    _create(
        "systemInstanceTypes",
        ["ecs.gn6i-c4g1.xlarge"],
        "ecs.gn6i",
        "without a GPU",
        place="systemInstanceTypes[0]",
    ),
    _create("systemInstanceTypes", [], "[]", "1 to 10 types"),
    _create("metricsAdapter", "helm", '"helm"', "chart, addon or none"),
    _create("metricsAdapterChart", "", '""', "an https:// address"),
    _create(
        "metricsAdapterChart", "charts/nowhere", '"charts/nowhere"', "it is not there", "config rm"
    ),
    _create("metricsAdapterChart", "components", '"components"', "no Chart.yaml", "config rm"),
    _create(
        "metricsAdapterChart", "README.md", '"README.md"', "a file of another kind", "config rm"
    ),
    _create(
        "metricsAdapterChart",
        "http://mirror.example/adapter.tgz",
        '"http://mirror',
        "another kind of address",
        "config rm",
    ),
    Bad(
        made(
            {"metricsAdapter": "addon", "metricsAdapterChart": "https://mirror.example/adapter.tgz"}
        ),
        "cluster.create.metricsAdapterChart",
        '"https://mirror',
        "nothing with cluster.create.metricsAdapter: addon",
        "config rm",
    ),
    _create("metricsAdapterChartSha256", "abc", '"abc"', "64 hexadecimal digits"),
    Bad(
        made({"metricsAdapter": "addon", "metricsAdapterChartSha256": "0" * 64}),
        "cluster.create.metricsAdapterChartSha256",
        "000",
        "nothing with cluster.create.metricsAdapter: addon",
        "config rm",
    ),
    Bad(
        made(
            {
                "metricsAdapterChart": "tests/data/metrics-adapter-chart",
                "metricsAdapterChartSha256": "0" * 64,
            }
        ),
        "cluster.create.metricsAdapterChartSha256",
        "000",
        "only an archive",
        "config rm",
    ),
    _create(
        "addonVersions",
        {"ack-arena": "1.0.0"},
        "ack-arena",
        "one of terway-eniip",
        place="addonVersions.ack-arena",
    ),
    _create(
        "addonVersions",
        {"csi-plugin": "newest"},
        '"newest"',
        "add-on: version",
        place="addonVersions.csi-plugin",
    ),
    _create("zones", 3, "3", "a key of cluster.create"),
    Bad(
        made({}) | {"cluster": {"create": CREATE}},
        "cluster.id",
        "c210",
        "nothing with cluster.create",
        "config rm",
    ),
    Bad(
        made({}) | {"nodePool": {}},
        "nodePool.vswitchIds",
        "vsw-labe",
        "nothing with cluster.create",
        "config rm",
    ),
    Bad(
        made({}) | {"cluster": {"id": None, "accountId": None, "create": CREATE}},
        "cluster.accountId",
        "not set",
        "the 16-digit account id",
        "cluster.accountId",
    ),
    Bad(
        made({}, adopt={"nodePoolId": POOL_ID}),
        "adopt.nodePoolId",
        POOL_ID,
        "nothing with cluster.create",
        "config rm",
    ),
    Bad(
        made({}, adopt={"namespace": True}),
        "adopt.namespace",
        "true",
        "nothing with cluster.create",
        "config rm",
    ),
]
