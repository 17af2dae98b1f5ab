"""For every policy what it lets through and what it refuses: lists of resources, and with the bad
ones a piece of the message.
"""

from policy.resources import UNKNOWN, Resource
from tests.ops.policy_resources import (
    BUCKET,
    K8S,
    OSS,
    RAM,
    TAGS,
    bucket,
    config,
    guards,
    hpa,
    ingress,
    one,
    pool,
    role,
    service,
    statement,
    volume,
    workload,
)

KEY = "LTAI5tFakeFakeFakeFake00"
OPEN = statement(Principal=["*"])
Cases = dict[str, tuple[list[list[Resource]], list[tuple[list[Resource], str]]]]
CASES: Cases = {
    "bucket-is-private": (
        [
            [bucket(acl="private")],
            [
                one(
                    f"{OSS}bucketPolicy:BucketPolicy",
                    {"policy": statement(Effect="Deny", Principal=["*"])},
                )
            ],
            [one(f"{OSS}bucketPolicy:BucketPolicy", {"policy": UNKNOWN})],
            [bucket(policy="no json")],
        ],
        [
            ([bucket(acl="public-read")], "acl is public-read"),
            ([one(f"{OSS}bucketAcl:BucketAcl", {"acl": "public-read-write"})], "public-read-write"),
            (
                [
                    one(
                        f"{OSS}bucketPublicAccessBlock:BucketPublicAccessBlock",
                        {"blockPublicAccess": False},
                    )
                ],
                "blockPublicAccess is false",
            ),
            ([one(f"{OSS}bucketPolicy:BucketPolicy", {"policy": OPEN})], 'allows Principal "*"'),
            ([bucket(policy=OPEN)], 'allows Principal "*"'),
        ],
    ),
    "bucket-is-guarded": (
        [guards(), guards(of=UNKNOWN), guards(policy=UNKNOWN)],
        [
            (guards(acl="public-read"), "BucketAcl"),
            (guards(of="another"), "BucketAcl"),
            (guards(block=False), "PublicAccessBlock"),
            (guards(sse=None), "Encryption"),
            (guards(policy=OPEN), "denies plain HTTP"),
            ([bucket()], "BucketPolicy"),
        ],
    ),
    "stateful-is-protected": (
        [[bucket()], [one(f"{K8S}core/v1:ConfigMap", {})]],
        [
            ([one(BUCKET, {})], "set protect"),
            ([one("alicloud:cs/managedKubernetes:ManagedKubernetes", {})], "not protected"),
        ],
    ),
    "bucket-is-not-emptied": (
        [[bucket(forceDestroy=False)]],
        [([bucket(forceDestroy=True)], "forceDestroy is on")],
    ),
    "volume-is-safe": (
        [[volume()], [one(f"{K8S}core/v1:PersistentVolume", {"spec": {"hostPath": {}}})]],
        [
            ([volume(persistentVolumeReclaimPolicy="Delete")], "not Retain"),
            ([volume(csi={"readOnly": False})], "readOnly"),
            ([volume(csi={"volumeHandle": "x"})], "volumeHandle"),
        ],
    ),
    "no-access-key": (
        [
            [config("LTAI"), volume(), one("pulumi:providers:alicloud", {"accessKey": KEY})],
            [config(UNKNOWN)],
        ],
        [
            ([config(KEY)], "data.x"),
            ([config({"deep": [f"id={KEY}"]})], "data.x.deep[0]"),
            ([config({KEY: 1})], "looks like"),
            (
                [one(f"{K8S}core/v1:Secret", {"data": {"k": "TFRBSTV0RmFrZUZha2VGYWtlRmFrZTAw"}})],
                "data.k",
            ),
            ([volume(csi={"volumeAttributes": {"akId": "x"}})], "akId"),
            ([workload(env=[{"name": "A", "value": f"STS.{'x' * 20}"}])], "env[0].value"),
        ],
    ),
    "no-secret-in-env": (
        [
            [
                workload(
                    env=[
                        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {}}},
                        {"name": "PORT", "value": "1"},
                    ]
                )
            ]
        ],
        [
            ([workload(env=[{"name": "API_TOKEN", "value": "x"}])], "API_TOKEN"),
            (
                [
                    workload(
                        env=[{"name": "A", "value": "1"}, {"name": "DB_PASSWORD", "value": "x"}]
                    )
                ],
                "env[1]",
            ),
        ],
    ),
    "least-privilege": (
        [
            [one(f"{RAM}policy:Policy", {"policyDocument": statement()})],
            [role({"Federated": ["arn"]}, {"StringEquals": {"oidc:sub": "system:x"}})],
        ],
        [
            (
                [one(f"{RAM}policy:Policy", {"policyDocument": statement(Action="*")})],
                "every action",
            ),
            (
                [
                    one(
                        f"{RAM}policy:Policy",
                        {"policyDocument": statement(Resource=["acs:oss:*:*:*"])},
                    )
                ],
                "every resource",
            ),
            ([role({"RAM": ["*"]})], "anyone"),
            ([role({"Federated": ["arn"]})], "oidc:sub"),
        ],
    ),
    "no-desired-size": (
        [[pool()], [pool(desiredSize="3", scalingConfig={"enable": False})]],
        [([pool(desiredSize="3")], "desiredSize")],
    ),
    "spot-mix": (
        [
            [pool()],
            [pool(spotStrategy="NoSpot", onDemandBaseCapacity=None)],
            [
                pool(
                    spotStrategy="SpotWithPriceLimit",
                    spotPriceLimits=[{"instanceType": "a", "priceLimit": "1"}],
                )
            ],
        ],
        [
            ([pool(onDemandBaseCapacity="0")], "set at least 1"),
            ([pool(onDemandPercentageAboveBaseCapacity="0")], "10 % of the largest"),
            ([pool(onDemandBaseCapacity="11")], "above maxSize"),
            ([pool(onDemandPercentageAboveBaseCapacity=None)], "have to be said"),
            ([pool(compensateWithOnDemand=False)], "compensate"),
            ([pool(spotStrategy="SpotWithPriceLimit")], "no bound"),
        ],
    ),
    "tags-are-there": (
        [[bucket()], [bucket(tags=UNKNOWN)], [config("x")]],
        [
            ([bucket(tags=None)], "project, stack, owner"),
            ([pool(tags={**TAGS, "owner": ""})], "no tag owner"),
            ([bucket(tags={**TAGS, "stack": "dev"})], "expected prod"),
        ],
    ),
    "pool-has-few-marks": (
        [[pool(labels=[{}] * 9)]],
        [([pool(labels=[{}] * 9, taints=[{}])], "13 labels")],
    ),
    "no-latest-image": (
        [
            [workload()],
            [workload(image=UNKNOWN)],
            [workload(image="host:5000/a@sha256:" + "0" * 64)],
        ],
        [
            ([workload(image="tensorflow/serving:latest")], "tag latest"),
            ([workload(image="host:5000/serving")], "no tag"),
            (
                [workload(spec={"initContainers": [{"name": "init", "image": "busybox"}]})],
                "container init",
            ),
            (
                [
                    one(
                        f"{K8S}batch/v1:CronJob",
                        {
                            "spec": {
                                "jobTemplate": {
                                    "spec": {"template": {"spec": {"containers": [{"image": "a"}]}}}
                                }
                            }
                        },
                    )
                ],
                "no tag",
            ),
        ],
    ),
    "containers-are-bounded": (
        [[workload()]],
        [
            ([workload(resources=None)], "requests.cpu, requests.memory, limits.memory"),
            ([workload(resources={"requests": {"cpu": 1, "memory": 1}})], "no limits.memory"),
        ],
    ),
    "containers-are-hardened": (
        [
            [workload()],
            [
                workload(
                    securityContext={"allowPrivilegeEscalation": False},
                    spec={"securityContext": {"runAsNonRoot": True}},
                )
            ],
        ],
        [([workload(securityContext=None)], "runAsNonRoot")],
    ),
    "no-replicas-under-hpa": (
        [[workload(), hpa()], [workload(replicas=2)], [workload(replicas=2), hpa(target="other")]],
        [([workload(replicas=2), hpa()], "spec.replicas")],
    ),
    "route-label-is-valid": (
        [[hpa(), service()], [hpa()], [hpa(route=UNKNOWN), service()]],
        [
            ([hpa(route="inference-server-8500"), service()], "no Service and port"),
            ([hpa(route="x" * 64)], "no label value"),
            ([hpa(route="-x")], "no label value"),
        ],
    ),
    "tls-at-the-entry": (
        [
            [ingress()],
            [ingress(False, **{"elastic-inference/waive-tls": "the lab"})],
            [service(type="ClusterIP")],
            [
                service(
                    type="LoadBalancer",
                    annotations={
                        "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type": "intranet"
                    },
                )
            ],
        ],
        [
            ([ingress(False)], "no TLS"),
            ([ingress(False, **{"elastic-inference/waive-tls": " "})], "no TLS"),
            ([service(type="LoadBalancer")], "LoadBalancer"),
            (
                [
                    ingress(
                        True,
                        **{"alb.ingress.kubernetes.io/listen-ports": '[{"HTTP":80},{"HTTPS":443}]'},
                    )
                ],
                "plain HTTP",
            ),
        ],
    ),
    "tls-covers-the-host": (
        [[ingress()], [ingress(False)]],
        [([ingress(hosts=["other.example.com"])], "browsers refuse")],
    ),
}
