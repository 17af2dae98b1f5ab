"""Every way a setting can be wrong: the change to a good stack, and what the message has to name."""

from typing import Any, NamedTuple

A_TYPE = "ecs.gn6i-c4g1.xlarge"
LONG = "a" * 64


class Bad(NamedTuple):
    """One bad input. `field` is the setting the message names, `found` how it shows the value, `expected` and `remedy` parts of its text."""

    changes: dict[str, Any]
    field: str
    found: str
    expected: str
    remedy: str


def _pool(field: str, value: Any, found: str, expected: str, remedy: str = "") -> Bad:
    return Bad({"nodePool": {field: value}}, f"nodePool.{field}", found, expected, remedy or f"nodePool.{field}")


def _of(group: str, field: str, value: Any, found: str, expected: str, remedy: str = "") -> Bad:
    return Bad({group: {field: value}}, f"{group}.{field}", found, expected, remedy or f"{group}.{field}")


POOL = [
    _pool("vswitchIds", None, "not set", "1 to 8 ids", "nodePool.vswitchIds[0]' vsw-"),
    _pool("vswitchIds", [], "[]", "1 to 8 ids", "nodePool.vswitchIds[0]' vsw-"),
    _pool("vswitchIds", "vsw-labe", '"vsw-labe"', "1 to 8 ids"),
    Bad({"nodePool": {"vswitchIds": ["subnet-1"]}}, "nodePool.vswitchIds[0]", '"subnet-1"', "vsw-uf6abc", "nodePool.vswitchIds[0]"),
    Bad({"nodePool": {"vswitchIds": ["vsw-a", "vsw-a"]}}, "nodePool.vswitchIds", '"vsw-a"', "each value once", "config rm --path"),
    _pool("instanceTypes", [], "[]", "1 to 10 types"),
    Bad({"nodePool": {"instanceTypes": ["gn6i.large"]}}, "nodePool.instanceTypes[0]", '"gn6i.large"', "types such as", "instanceTypes[0]"),
    Bad({"nodePool": {"instanceTypes": ["ecs.g7.xlarge"], "spotInstancePools": 1}}, "nodePool.instanceTypes[0]", '"ecs.g7.xlarge"', "a GPU type",
        "ecs.gn6i-c4g1.xlarge"),
    _pool("minSize", -1, "-1", "0 to 999"),
    _pool("minSize", "3", '"3"', "0 to 999", "minSize' 1"),
    _pool("minSize", 1.5, "1.5", "0 to 999"),
    _pool("minSize", True, "true", "0 to 999"),
    _pool("maxSize", 1001, "1001", "1 to 1000"),
    Bad({"nodePool": {"minSize": 5, "maxSize": 5}}, "nodePool.maxSize", "5", "more than nodePool.minSize, which is 5", "nodePool.maxSize' 6"),
    _pool("spotStrategy", "Bad", '"Bad"', "SpotAsPriceGo, SpotWithPriceLimit or NoSpot"),
    _pool("onDemandPercent", 300, "300", "0 to 100"),
    _pool("onDemandPercent", "30", '"30"', "without quotes", "onDemandPercent' 30"),
    _pool("onDemandPercent", -1, "-1", "0 to 100"),
    _pool("onDemandBase", 1001, "1001", "0 to 1000"),
    Bad({"nodePool": {"onDemandBase": 11}}, "nodePool.onDemandBase", "11", "at most nodePool.maxSize, which is 10", "onDemandBase' 0"),
    _pool("compensateWithOnDemand", "yes", '"yes"', "true or false"),
    _pool("spotInstancePools", 0, "0", "1 to 10"),
    Bad({"nodePool": {"instanceTypes": [A_TYPE], "spotInstancePools": 2}}, "nodePool.spotInstancePools", "2", "number of instanceTypes, 1", "' 1"),
    _pool("multiAzPolicy", "CHEAPEST", '"CHEAPEST"', "COST_OPTIMIZED, BALANCE or PRIORITY"),
    Bad({"nodePool": {"multiAzPolicy": "BALANCE"}}, "nodePool.multiAzPolicy", '"BALANCE"', "COST_OPTIMIZED, or compensateWithOnDemand false",
        "COST_OPTIMIZED"),
    Bad({"nodePool": {"spotStrategy": "NoSpot"}}, "nodePool.spotInstanceRemedy", "true", "false with spotStrategy NoSpot", "' false"),
    Bad({"nodePool": {"spotStrategy": "SpotWithPriceLimit"}}, "nodePool.spotPriceLimits", "{}", "a price for every instance type", A_TYPE),
    Bad({"nodePool": {"spotPriceLimits": {A_TYPE: 1.0}}}, "nodePool.spotPriceLimits", A_TYPE, "nothing with spotStrategy", "SpotWithPriceLimit"),
    Bad({"nodePool": {"spotPriceLimits": {A_TYPE: 0}}}, f'nodePool.spotPriceLimits["{A_TYPE}"]', "0", "price above 0", A_TYPE),
    Bad({"nodePool": {"labels": {}}}, "nodePool.labels", "{}", "label key: value", "nodePool.labels"),
    Bad({"nodePool": {"labels": {"in valid": "x"}}}, 'nodePool.labels["in valid"]', '"x"', "label key: value", "config rm"),
    Bad({"nodePool": {"labels": {"a": "-x-"}}}, "nodePool.labels.a", '"-x-"', "label key: value", "nodePool.labels.a"),
    Bad({"nodePool": {"labels": {"a": LONG}}}, "nodePool.labels.a", LONG[:20], "label key: value", "nodePool.labels.a"),
    Bad({"nodePool": {"labels": {f"k{n}": "v" for n in range(9)}}}, "nodePool.labels", "10 labels + 1 taint + 3 tags = 14", "at most 12 together",
        "remove 2 of them"),
    Bad({"nodePool": {"labels": {"inference-pool": "x"}}}, 'nodePool.labels', '"x"', "does not set by itself", "config rm"),
    Bad({"nodePool": {"taint": {"effect": "Nope"}}}, "nodePool.taint.effect", '"Nope"', "NoSchedule, NoExecute or PreferNoSchedule", "taint.effect"),
    Bad({"nodePool": {"taint": {"key": "bad key"}}}, "nodePool.taint.key", '"bad key"', "a label key", "nodePool.taint.key"),
    _pool("taint", "none", '"none"', "key, value and effect", "indented lines below"),
    _pool("gpuSchedule", "cgpu2", '"cgpu2"', "none, default, share or topology"),
    _pool("driverVersion", "latest", '"latest"', "a version such as 550.144.03"),
    _pool("systemDiskSize", 1, "1", "40 to 2048 GiB"),
    _pool("systemDiskCategory", "ssd", '"ssd"', "cloud_essd"),
    _pool("imageType", "CentOS", '"CentOS"', "AliyunLinux3"),
    Bad({"nodePool": {"securityGroupIds": ["default"]}}, "nodePool.securityGroupIds[0]", '"default"', "ids such as sg-", "securityGroupIds[0]"),
    _pool("name", "Inference Pool", '"Inference Pool"', "lower-case letters"),
    _pool("generation", 0, "0", "1 to 9999"),
    _pool("maxSise", 3, "3", "did you mean maxSize?", "config rm --path 'elastic-inference:nodePool.maxSise'"),
    Bad({"nodePool": {"taint": {"efect": "NoSchedule"}}}, "nodePool.taint.efect", '"NoSchedule"', "did you mean effect?", "nodePool.taint.effect"),
    Bad({"nodePool": "10"}, "nodePool", "10", "an object with at least vswitchIds", "indented lines below 'elastic-inference:nodePool:'"),
]

CLOUD = [
    Bad({"cluster": {"id": None}}, "cluster.id", "not set", "the 33 characters", "cluster.id' <cluster id>"),
    _of("cluster", "id", "my-cluster", '"my-cluster"', "the 33 characters"),
    _of("cluster", "accountId", "42", '"42"', "a 16-digit account id"),
    _of("cluster", "credentialMinutes", 5, "5", "15 to 4320 minutes"),
    Bad({"lookups": {"accountId": "6543210987654321"}}, "lookups.accountId", '"6543210987654321"', "cluster.accountId, which is", "config rm"),
    Bad({"lookups": {"oidcIssuer": "https://a"}}, "lookups.oidcProviderArn", "not set", "together, or neither", "lookups.oidcProviderArn"),
    _of("lookups", "oidcIssuer", "http://a", '"http://a"', "an https URL"),
    _of("lookups", "oidcProviderArn", "arn:aws:iam", '"arn:aws:iam"', "acs:ram::"),
    _of("lookups", "clusterVersion", "new", '"new"', "a version as ACK prints it"),
    _of("nodeScaler", "mode", "goatscaler", '"goatscaler"', "cluster-autoscaler or unmanaged"),
    _of("nodeScaler", "scanInterval", "30", '"30"', "a duration such as 30s"),
    _of("nodeScaler", "utilizationThreshold", 1.5, "1.5", "at most 1"),
    _of("modelStore", "bucket", "My_Models", '"My_Models"', "3 to 63 lower-case letters"),
    _of("modelStore", "storageClass", "Archive", '"Archive"', "Standard or IA"),
    _of("modelStore", "redundancy", "RAID", '"RAID"', "LRS or ZRS"),
    _of("modelStore", "oldVersionDays", 0, "0", "1 to 3650 days"),
    Bad({"modelStore": {"protect": True}}, "modelStore.forceDestroy", "true", "false with modelStore.protect true", "forceDestroy' false"),
    Bad({"modelStore": {"retain": True}}, "modelStore.forceDestroy", "true", "false with modelStore.retain true", "forceDestroy' false"),
    Bad({"modelStore": {"encryption": "KMS"}}, "modelStore.kmsKeyId", "not set", "a key id with encryption KMS", "kmsKeyId"),
    Bad({"modelStore": {"kmsKeyId": "k"}}, "modelStore.kmsKeyId", '"k"', "nothing with encryption AES256", "encryption' KMS"),
    Bad({"alicloud:region": None}, "alicloud:region", "not set", "cn-shanghai", "pulumi config set 'alicloud:region' cn-shanghai"),
    Bad({"alicloud:region": "Shanghai"}, "alicloud:region", '"Shanghai"', "a region id", "alicloud:region"),
    Bad({"ossmodel:region": "cn-beijing"}, "ossmodel:region", '"cn-beijing"', "alicloud:region, which is cn-shanghai", "ossmodel:region' cn-shanghai"),
    Bad({"owner": "two words"}, "owner", '"two words"', "without blanks", "elastic-inference:owner"),
    Bad({"tags": {"stack": "x"}}, "tags.stack", '"x"', "other than project, stack and owner", "config rm"),
    Bad({"tags": {"aliyun-x": "x"}}, "tags.aliyun-x", '"x"', "doesn't start with aliyun", "config rm"),
    Bad({"tags": "team=ml"}, "tags", '"team=ml"', "key: value without blanks", "elastic-inference:tags"),
    Bad({"namespace": "Inference"}, "namespace", '"Inference"', "a DNS label", "elastic-inference:namespace"),
    Bad({"modelstore": {}}, "modelstore", "{}", "did you mean modelStore?", "config rm 'elastic-inference:modelstore'"),
    Bad({"region": "cn-beijing"}, "region", '"cn-beijing"', "alicloud:region", "config rm 'elastic-inference:region'"),
    Bad({"zzz": "1"}, "zzz", '"1"', "a setting of this project: autoscaler", "config rm 'elastic-inference:zzz'"),
]

SERVING = [
    _of("model", "name", "a b", '"a b"', "1 to 63 letters"),
    _of("model", "source", "models/nothing/17", '"models/nothing/17"', "an existing directory below the project; it is not there"),
    _of("model", "source", "models/chnsenticorp", '"models/chnsenticorp"', "digits only"),
    _of("model", "source", "models/chnsenticorp/1623831335/variables", "variables", "digits only"),
    _of("model", "path", "models", '"models"', "an absolute path"),
    Bad({"model": {"path": "/data/tensorflow"}}, "model.path", '"/data/tensorflow"', "below model.mountPath, which is /models", "/models/tensorflow"),
    _of("model", "volumeSize", "5", '"5"', "a size such as 5Gi"),
    _of("model", "volumeOptions", "close_to_open", '"close_to_open"', "-o a -o b=c"),
    Bad({"model": {"volumeOptions": "-o max_stat_cache_size=0 -o allow_other"}}, "model.volumeOptions", "max_stat_cache_size=0",
        "no max_stat_cache_size=0", "-o close_to_open=false"),
    _of("server", "name", "BERT", '"BERT"', "a DNS label that starts with a letter"),
    Bad({"server": {"name": "bert-tfserving-for-customer-service"}}, "server.name", "bert-tfserving-for", "a route of at most 63 characters", "shorten"),
    Bad({"server": {"image": "tensorflow/serving:latest-gpu"}}, "server.image", "latest-gpu", "a fixed tag or a digest", "1.15.0-gpu"),
    _of("server", "image", "tensorflow/serving", '"tensorflow/serving"', "an image with a fixed tag"),
    _of("server", "gpus", 0, "0", "1 to 8"),
    _of("server", "cpu", "two", '"two"', "a quantity"),
    _of("server", "memory", "8 GB", '"8 GB"', "a quantity such as 8Gi"),
    _of("server", "rollout", "recreate", '"recreate"', "surge or in-place"),
    Bad({"server": {"graceSeconds": 5}}, "server.graceSeconds", "5", "more than server.preStopSeconds, which is 5", "graceSeconds' 15"),
    _of("server", "preStopSeconds", 0, "0", "1 to 300 seconds"),
    _of("server", "startupSeconds", 1, "1", "10 to 7200"),
    _of("server", "replicas", 3, "3", "a key of server"),
    _of("autoscaler", "minReplicas", 0, "0", "1 to 1000"),
    Bad({"autoscaler": {"minReplicas": 11}}, "autoscaler.maxReplicas", "10", "at least autoscaler.minReplicas, which is 11", "maxReplicas' 11"),
    _of("autoscaler", "targetQps", 1, "1", "2 to 100000"),
    _of("autoscaler", "targetQps", 10.5, "10.5", "2 to 100000"),
    _of("autoscaler", "logStore", "Log Store", '"Log Store"', "the name of a logstore"),
    Bad({"autoscaler": {"logStore": "nginx-ingress"}, "entry": {"kind": "alb"}}, "autoscaler.logStore", '"nginx-ingress"', "starts with alb_",
        "alb_ingress"),
    _of("entry", "kind", "apisix", '"apisix"', "nginx or alb"),
    _of("entry", "host", "Bert.example.com", '"Bert.example.com"', "a lower-case DNS name"),
    _of("entry", "publicPort", 70000, "70000", "1 to 65535"),
    Bad({"entry": {"host": None}}, "entry.publicPort", "18080", "nothing without entry.host", "config rm"),
    Bad({"entry": {"tls": None}}, "entry.tls", "not set", "none, existing or provided; it must be said", "entry.tls"),
    Bad({"entry": {"auth": None}}, "entry.auth", "not set", "none or basic; it must be said", "entry.auth"),
    _of("entry", "tls", "letsencrypt", '"letsencrypt"', "none, existing or provided"),
    Bad({"entry": {"tls": "existing"}}, "entry.tlsSecret", "not set", "the name of a Secret with entry.tls existing", "entry.tlsSecret"),
    Bad({"entry": {"tlsSecret": "bert-tls"}}, "entry.tlsSecret", '"bert-tls"', "nothing with entry.tls none", "entry.tls' existing"),
    Bad({"entry": {"tls": "provided"}}, "tlsCertificate", "not set", "a PEM text with entry.tls provided", "--secret tlsCertificate"),
    Bad({"entry": {"tls": "existing", "tlsSecret": "t", "host": None, "publicPort": None}}, "entry.host", "not set", "a host name with entry.tls existing",
        "entry.host"),
    Bad({"entry": {"auth": "basic"}}, "htpasswd", "not set", "users and password hashes", "htpasswd -nB"),
    Bad({"entry": {"auth": "basic", "kind": "alb"}}, "entry.auth", '"basic"', "none with entry.kind alb", "entry.kind' nginx"),
    Bad({"entry": {"sourceCidrs": ["everywhere"]}}, "entry.sourceCidrs[0]", '"everywhere"', "addresses such as", "sourceCidrs[0]"),
    _of("entry", "bodyMib", 0, "0", "1 to 512"),
    Bad({"htpasswd": "user:$2y$05$x"}, "htpasswd", "<in plain text>", "an encrypted value", "--secret"),
]

ALL = POOL + CLOUD + SERVING
