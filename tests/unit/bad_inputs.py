"""Every way a setting (other than the node pool's) can be wrong: the change to a good stack, and
what the message has to name.
"""

from typing import Any, NamedTuple

from tests.unit.program import USERS


class Bad(NamedTuple):
    """One bad input: the setting the message names, how it shows the value, and parts of what it
    says of expectation and remedy.
    """

    changes: dict[str, Any]
    field: str
    found: str
    expected: str
    remedy: str


def of(group: str, field: str, value: Any, found: str, expected: str, remedy: str = "") -> Bad:
    """One wrong value of one key of a group."""
    return Bad(
        {group: {field: value}}, f"{group}.{field}", found, expected, remedy or f"{group}.{field}"
    )


CLOUD = [
    Bad(
        {"cluster": {"id": None}},
        "cluster.id",
        "not set",
        "the 33 characters",
        "cluster.id' <cluster id>",
    ),
    of("cluster", "id", "my-cluster", '"my-cluster"', "the 33 characters"),
    of("cluster", "accountId", "42", '"42"', "a 16-digit account id"),
    of("cluster", "credentialMinutes", 5, "5", "15 to 4320 minutes"),
    Bad(
        {"lookups": {"accountId": "6543210987654321"}},
        "lookups.accountId",
        '"6543210987654321"',
        "cluster.accountId, which is",
        "config rm",
    ),
    Bad(
        {"lookups": {"oidcIssuer": "https://a"}},
        "lookups.oidcProviderArn",
        "not set",
        "together, or neither",
        "lookups.oidcProviderArn",
    ),
    of("lookups", "oidcIssuer", "http://a", '"http://a"', "an https URL"),
    of("lookups", "oidcProviderArn", "arn:aws:iam", '"arn:aws:iam"', "acs:ram::"),
    of("lookups", "clusterVersion", "new", '"new"', "a version as ACK prints it"),
    of(
        "nodeScaler",
        "mode",
        "goatscaler",
        '"goatscaler"',
        "cluster-autoscaler, shared or unmanaged",
    ),
    of("nodeScaler", "scanInterval", "30", '"30"', "a duration such as 30s"),
    of("nodeScaler", "utilizationThreshold", 1.5, "1.5", "at most 1"),
    of("modelStore", "bucket", "My_Models", '"My_Models"', "3 to 63 lower-case letters"),
    of("modelStore", "storageClass", "Archive", '"Archive"', "Standard or IA"),
    of("modelStore", "redundancy", "RAID", '"RAID"', "LRS or ZRS"),
    of("modelStore", "oldVersionDays", 0, "0", "1 to 3650 days"),
    Bad(
        {"modelStore": {"protect": True}},
        "modelStore.forceDestroy",
        "true",
        "false with modelStore.protect true",
        "forceDestroy' false",
    ),
    Bad(
        {"modelStore": {"retain": True}},
        "modelStore.forceDestroy",
        "true",
        "false with modelStore.retain true",
        "forceDestroy' false",
    ),
    of("modelStore", "accessLogDays", 0, "0", "1 to 3650 days"),
    Bad(
        {"modelStore": {"encryption": "KMS"}},
        "modelStore.kmsKeyId",
        "not set",
        "a key id with encryption KMS",
        "kmsKeyId",
    ),
    Bad(
        {"modelStore": {"kmsKeyId": "k"}},
        "modelStore.kmsKeyId",
        '"k"',
        "nothing with encryption AES256",
        "encryption' KMS",
    ),
    Bad(
        {"alicloud:region": None},
        "alicloud:region",
        "not set",
        "cn-shanghai",
        "pulumi config set 'alicloud:region' cn-shanghai",
    ),
    Bad(
        {"alicloud:region": "Shanghai"},
        "alicloud:region",
        '"Shanghai"',
        "a region id",
        "alicloud:region",
    ),
    Bad(
        {"ossmodel:region": "cn-beijing"},
        "ossmodel:region",
        '"cn-beijing"',
        "alicloud:region, which is cn-shanghai",
        "ossmodel:region' cn-shanghai",
    ),
    Bad(
        {"alicloud:profile": "ci"},
        "ossmodel:profile",
        "not set",
        "the same as alicloud:profile",
        "pulumi config set ossmodel:profile ci",
    ),
    Bad(
        {
            "alicloud:assumeRole": {"roleArn": "acs:ram::1:role/a"},
            "ossmodel:assumeRole": {"roleArn": "acs:ram::1:role/b"},
        },
        "ossmodel:assumeRole",
        "<another>",
        "the same as alicloud:assumeRole",
        "write the same below 'ossmodel:assumeRole:'",
    ),
    Bad(
        {"resourceGroupId": "default"},
        "resourceGroupId",
        '"default"',
        "an id as Resource Management shows it",
        "elastic-inference:resourceGroupId",
    ),
    Bad(
        {"owner": "two words"}, "owner", '"two words"', "without blanks", "elastic-inference:owner"
    ),
    Bad(
        {"tags": {"stack": "x"}},
        "tags.stack",
        '"x"',
        "other than project, stack, owner and elastic-inference/cluster",
        "config rm",
    ),
    Bad(
        {"tags": {"elastic-inference/cluster": "x"}},
        'tags["elastic-inference/cluster"]',
        '"x"',
        "other than project, stack, owner and elastic-inference/cluster",
        "config rm",
    ),
    Bad(
        {"tags": {"aliyun-x": "x"}},
        "tags.aliyun-x",
        '"x"',
        "doesn't start with aliyun",
        "config rm",
    ),
    *(
        Bad(
            {"tags": {key: value}},
            "tags",
            f'"{value}"',
            expected,
            "config rm",
        )
        for key, value, expected in (
            ("Aliyun-x", "x", "in whatever case"),
            ("ACS:x", "x", "in whatever case"),
            ("k" * 65, "x", "a key of at most 64 bytes; this one has 65"),
            ("键" * 22, "x", "a key of at most 64 bytes; this one has 66"),
            ("docs", "HTTPS://x", "doesn't start with"),
            ("docs", "值" * 43, "a value of at most 128 bytes; this one has 129"),
        )
    ),
    Bad(
        {"owner": "组" * 43},
        "owner",
        "组组",
        "a value of at most 128 bytes; this one has 129",
        "elastic-inference:owner",
    ),
    Bad(
        {"tags": "team=ml"},
        "tags",
        '"team=ml"',
        "key: value without blanks",
        "elastic-inference:tags",
    ),
    Bad(
        {"namespace": "Inference"},
        "namespace",
        '"Inference"',
        "a DNS label",
        "elastic-inference:namespace",
    ),
    *(
        Bad(
            {"namespace": name},
            "namespace",
            f'"{name}"',
            "of the stack's own",
            "namespace' inference",
        )
        for name in ("default", "kube-system", "kube-public", "kube-anything")
    ),
    Bad(
        {"namespace": "ingress-nginx", "entry": {"controllerNamespace": "ingress-nginx"}},
        "namespace",
        '"ingress-nginx"',
        "other than entry.controllerNamespace",
        "namespace' inference",
    ),
    *(
        Bad(
            {"alicloud:region": name, "ossmodel:region": None},
            "alicloud:region",
            f'"{name}"',
            "a region of Alibaba Cloud",
            "'alicloud:region' ",
        )
        for name in ("cn-shangai", "eu-west-9", "cn-north-2-gov-2", "ap-southeast-2")
    ),
    *(
        Bad(
            {key: value},
            key,
            "<not read>",
            f"a key of this project: elastic-inference:{right}",
            f"config rm '{key}'",
        )
        for key, value, right in (
            ("elastic_inference:server", '{"gpus": 2}', "server"),
            ("elastic-inferense:owner", "me", "owner"),
            ("server:image", "x", "server.image"),
            ("nodepool:maxSize", "3", "nodePool.maxSize"),
            ("inference:nodePool", "{}", "nodePool"),
            ("tensorflow:autoscaler.minReplicas", "3", "autoscaler.minReplicas"),
        )
    ),
    Bad(
        {"modelstore": {}},
        "modelstore",
        "{}",
        "did you mean modelStore?",
        "config rm 'elastic-inference:modelstore'",
    ),
    Bad(
        {"region": "cn-beijing"},
        "region",
        '"cn-beijing"',
        "alicloud:region",
        "config rm 'elastic-inference:region'",
    ),
    Bad(
        {"zzz": "1"},
        "zzz",
        '"1"',
        "a setting of this project: adopt",
        "config rm 'elastic-inference:zzz'",
    ),
]

SERVING = [
    of("model", "name", "a b", '"a b"', "1 to 63 letters"),
    *(
        of("model", "name", name, f'"{name}"', "a letter or digit at either end")
        for name in ("bert-", "bert_", "bert.", "-bert")
    ),
    of(
        "model",
        "source",
        "models/nothing/17",
        '"models/nothing/17"',
        "an existing directory below the project; it is not there",
    ),
    of("model", "source", "models/chnsenticorp", '"models/chnsenticorp"', "digits only"),
    of("model", "source", "models/chnsenticorp/1623831335/variables", "variables", "digits only"),
    of("model", "request", "nothing.json", '"nothing.json"', "it can't be read"),
    of("model", "request", "pyproject.toml", '"pyproject.toml"', "it is not JSON"),
    of("model", "path", "models", '"models"', "an absolute path"),
    Bad(
        {"model": {"path": "/data/tensorflow"}},
        "model.path",
        '"/data/tensorflow"',
        "below model.mountPath, which is /models",
        "/models/tensorflow",
    ),
    of("model", "volumeSize", "5", '"5"', "a size such as 5Gi"),
    of("model", "volumeOptions", "close_to_open", '"close_to_open"', "-o a -o b=c"),
    Bad(
        {"model": {"volumeOptions": "-o max_stat_cache_size=0 -o allow_other"}},
        "model.volumeOptions",
        "max_stat_cache_size=0",
        "no max_stat_cache_size=0",
        "-o close_to_open=false",
    ),
    of("server", "name", "BERT", '"BERT"', "a DNS label that starts with a letter"),
    Bad(
        {"server": {"name": "bert-tfserving-for-customer-service"}},
        "server.name",
        "bert-tfserving-for",
        "a route of at most 63 characters",
        "shorten",
    ),
    Bad(
        {"server": {"image": "tensorflow/serving:latest-gpu"}},
        "server.image",
        "latest-gpu",
        "a fixed tag or a digest",
        "1.15.0-gpu",
    ),
    of(
        "server", "image", "tensorflow/serving", '"tensorflow/serving"', "an image with a fixed tag"
    ),
    of("server", "tensorflow", "latest", '"latest"', "a version such as 2.15.1"),
    of("server", "tensorflow", 2.2, "2.2", "in quotes"),
    *(
        of("server", "image", image, image, "an image of TensorFlow Serving", "server.tensorflow'")
        for image in (
            "nvcr.io/nvidia/tritonserver:23.10-py3",
            "pytorch/torchserve:0.12.0-gpu",
            "vllm/vllm-openai:v0.6.3",
            "nginx:1.27",
            "tensorflow/tensorflow:2.15.0-gpu",
            "registry.example.com/bert:3.1.0",
        )
    ),
    of(
        "server",
        "image",
        "tensorflow/serving:2.15.1-devel-gpu",
        "-devel-",
        "not one that builds it",
        "tensorflow/serving:2.15.1-gpu",
    ),
    of("server", "gpus", 0, "0", "1 to 8"),
    of("server", "cpu", "two", '"two"', "a quantity"),
    of("server", "memory", "8 GB", '"8 GB"', "a quantity such as 8Gi"),
    of("server", "rollout", "recreate", '"recreate"', "surge or in-place"),
    Bad(
        {"server": {"graceSeconds": 5}},
        "server.graceSeconds",
        "5",
        "more than server.preStopSeconds, which is 5",
        "graceSeconds' 15",
    ),
    of("server", "preStopSeconds", 0, "0", "1 to 300 seconds"),
    of("server", "startupSeconds", 1, "1", "10 to 7200"),
    of("server", "replicas", 3, "3", "a key of server"),
    of("autoscaler", "minReplicas", 0, "0", "1 to 1000"),
    Bad(
        {"autoscaler": {"minReplicas": 11}},
        "autoscaler.maxReplicas",
        "10",
        "at least autoscaler.minReplicas, which is 11",
        "maxReplicas' 11",
    ),
    Bad(
        {"autoscaler": {"maxReplicas": 30}},
        "autoscaler.maxReplicas",
        "30",
        "at most 10, what nodePool.maxSize nodes can hold",
        "nodePool.maxSize' 30",
    ),
    of("server", "gpus", 2, "2", "at most 1, the GPUs of the poorest"),
    of("autoscaler", "targetQps", 1, "1", "2 to 100000"),
    of("autoscaler", "targetQps", 10.5, "10.5", "2 to 100000"),
    of("autoscaler", "logStore", "Log Store", '"Log Store"', "the name of a logstore"),
    Bad(
        {"autoscaler": {"logStore": "nginx-ingress"}, "entry": {"kind": "alb"}},
        "autoscaler.logStore",
        '"nginx-ingress"',
        "starts with alb_",
        "alb_ingress",
    ),
    of("entry", "kind", "apisix", '"apisix"', "nginx or alb"),
    of("entry", "host", "Bert.example.com", '"Bert.example.com"', "a lower-case DNS name"),
    of("entry", "publicPort", 70000, "70000", "1 to 65535"),
    Bad(
        {"entry": {"host": None}},
        "entry.publicPort",
        "18080",
        "nothing without entry.host",
        "config rm",
    ),
    Bad(
        {"entry": {"tls": None}},
        "entry.tls",
        "not set",
        "none, existing or provided; it must be set explicitly",
        "entry.tls",
    ),
    Bad(
        {"entry": {"auth": None}},
        "entry.auth",
        "not set",
        "none or basic; it must be set explicitly",
        "entry.auth",
    ),
    of("entry", "tls", "letsencrypt", '"letsencrypt"', "none, existing or provided"),
    Bad(
        {"entry": {"tls": "existing"}},
        "entry.tlsSecret",
        "not set",
        "the name of a Secret with entry.tls existing",
        "entry.tlsSecret",
    ),
    Bad(
        {"entry": {"tlsSecret": "bert-tls"}},
        "entry.tlsSecret",
        '"bert-tls"',
        "nothing with entry.tls none",
        "entry.tls' existing",
    ),
    Bad(
        {"entry": {"tls": "provided"}},
        "tlsCertificate",
        "not set",
        "a PEM text with entry.tls provided",
        "--secret tlsCertificate",
    ),
    Bad(
        {"entry": {"tls": "existing", "tlsSecret": "t", "host": None, "publicPort": None}},
        "entry.host",
        "not set",
        "a host name with entry.tls existing",
        "entry.host",
    ),
    Bad(
        {"entry": {"auth": "basic"}},
        "htpasswd",
        "not set",
        "users and password hashes",
        "make user NAME=ann STACK=local",
    ),
    Bad(
        {"entry": {"auth": "basic", "kind": "alb"}},
        "entry.auth",
        '"basic"',
        "none with entry.kind alb",
        "entry.kind' nginx",
    ),
    Bad(
        {"entry": {"sourceCidrs": ["everywhere"]}},
        "entry.sourceCidrs[0]",
        '"everywhere"',
        "addresses such as",
        "sourceCidrs[0]",
    ),
    *(
        Bad(
            {"entry": {"kind": "alb", "sourceCidrs": ["10.0.0.0/8", cidr]}},
            "entry.sourceCidrs[1]",
            f'"{cidr}"',
            expected,
            "sourceCidrs[1]' 10.0.0.0/8",
        )
        for cidr, expected in (
            ("999.0.0.0/8", "the first address of a block"),
            ("10.0.0.0/40", "the first address of a block"),
            ("10.0.0.1/8", "the first address of a block"),
            ("0.0.0.0/0", "the addresses of the load balancer"),
        )
    ),
    of(
        "entry",
        "sourceCidrs",
        ["10.0.0.0/8"],
        "10.0.0.0/8",
        "the setting belongs to kind alb",
        "config rm",
    ),
    *(
        Bad(
            {"entry": {"kind": "alb", key: value}},
            f"entry.{key}",
            "traefik" if key == "controllerLabels" else str(value),
            "the setting belongs to kind nginx",
            "config rm",
        )
        for key, value in (
            ("bodyMib", 16),
            ("controllerNamespace", "ingress-nginx"),
            ("controllerLabels", {"app": "traefik"}),
        )
    ),
    of("entry", "bodyMib", 0, "0", "1 to 512"),
    of("entry", "controllerLabels", {}, "{}", "label: value of the controller's pods"),
    Bad(
        {"server": {"clients": [{"labels": {}}]}},
        "server.clients[0].labels",
        "{}",
        "at least one label",
        "server.clients[0].labels",
    ),
    Bad(
        {"server": {"clients": [{"namespace": "callers"}]}},
        "server.clients[0].labels",
        "not set",
        "at least one label",
        "server.clients[0].labels",
    ),
    Bad(
        {"server": {"clients": [{"namespace": "No Namespace", "labels": {"app": "a"}}]}},
        "server.clients[0].namespace",
        '"No Namespace"',
        "the name of a namespace",
        "server.clients[0].namespace",
    ),
    Bad(
        {"htpasswd": USERS},
        "htpasswd",
        "<in plain text>",
        "an encrypted value",
        "--secret",
    ),
]
