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
    admission_policy,
    as_list,
    attachment,
    bucket,
    config,
    denied,
    guards,
    hpa,
    ingress,
    namespace,
    network_policy,
    node_role,
    one,
    other_version,
    pool,
    rbac,
    role,
    service,
    statement,
    volume,
    workload,
)

KEY = "LTAI5tFakeFakeFakeFake00"
OPEN = statement(Principal=["*"])
NGINX, ALB = "nginx.ingress.kubernetes.io", "alb.ingress.kubernetes.io"
NOBODY = {f"{NGINX}/auth-type": "", f"{NGINX}/auth-secret": ""}
AUDIENCE = {"StringEquals": {"oidc:aud": "sts.aliyuncs.com"}}
SUBJECT = {"StringEquals": {"oidc:aud": "sts.aliyuncs.com", "oidc:sub": "system:x"}}
LOGGING = f"{OSS}bucketLogging:BucketLogging"
ACK = "alicloud:cs/managedKubernetes:ManagedKubernetes"
CLOSED = {
    "slbInternetEnabled": False,
    "auditLogConfig": {"enabled": True},
    "encryptionProviderKey": "key-hzz62f1cb66fa42qo1111",
    "disableEncryption": False,
}
SYSTEM = {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}
PSS = "pod-security.kubernetes.io/enforce"
ALWAYS_TRUE = (
    {"IpAddress": {"acs:SourceIp": ["0.0.0.0/0"]}},
    {"IpAddress": {"acs:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}},
    {"IpAddress": {"acs:SourceIp": ["10.0.0.0/8", "::/0"]}},
    {"NotIpAddress": {"acs:SourceIp": ["192.0.2.1"]}},
    {"Bool": {"acs:SecureTransport": ["true"]}},
    {"StringLike": {"acs:SourceVpc": ["*"]}},
    {"StringNotEquals": {"acs:SourceVpc": ["vpc-none"]}},
    {"StringEquals": {"acs:UserAgent": ["x"]}},
    {"DateGreaterThan": {"acs:CurrentTime": ["2020-01-01T00:00:00Z"]}},
    {"StringEquals": {"acs:SourceVpc": []}},
    {},
)
"""Conditions that hold for everybody, or for whoever wants them to."""
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
            [
                bucket(
                    policy=statement(
                        Principal=["*"], Condition={"StringEquals": {"acs:SourceVpc": ["vpc-1"]}}
                    )
                )
            ],
            [
                bucket(
                    policy=statement(
                        Principal=["*"],
                        Condition={"IpAddress": {"acs:SourceIp": ["203.0.113.0/24", "10.0.0.0/8"]}},
                    )
                )
            ],
            [bucket(policy=statement(Principal=["arn:sts::1:assumed-role/reader/*"]))],
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
            ([bucket(policy=statement(Principal={"RAM": ["*"]}))], 'allows Principal "*"'),
            ([bucket(policy=statement(NotPrincipal=["1234"]))], 'allows Principal "*"'),
            (
                [bucket(policy=statement(effect="allow", Effect="Allow", Principal=["*"]))],
                "every key stands once",
            ),
            ([bucket(policy=statement(Principal=["acs:ram::1:root"]))], "root of an account"),
            ([bucket(policy="no json")], "not JSON"),
            *(
                (
                    [bucket(policy=statement(Principal=["*"], Condition=condition))],
                    'allows Principal "*"',
                )
                for condition in ALWAYS_TRUE
            ),
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
            (guards(policy=denied(Action=["oss:ListObjects"])), "denies plain HTTP"),
            (guards(policy=denied(Resource=["acs:oss:*:*:models"])), "denies plain HTTP"),
            (guards(policy=denied(Principal=["1234"])), "denies plain HTTP"),
            (
                guards(
                    policy=denied(
                        Condition={
                            "Bool": {"acs:SecureTransport": ["false"]},
                            "StringEquals": {"acs:SourceVpc": ["vpc-1"]},
                        }
                    )
                ),
                "denies plain HTTP",
            ),
            ([bucket()], "BucketPolicy"),
        ],
    ),
    "bucket-is-logged": (
        [
            [bucket(logging={"targetBucket": "logs"}), bucket(bucket="logs")],
            [bucket(logging={"targetBucket": UNKNOWN}), bucket(bucket="logs")],
            [
                bucket(),
                bucket(bucket="logs"),
                one(LOGGING, {"bucket": "models", "targetBucket": "logs"}),
            ],
        ],
        [
            ([bucket()], "no access log"),
            ([bucket(logging={})], "no access log"),
            ([bucket(), one(LOGGING, {"bucket": "x", "targetBucket": "logs"})], "no access log"),
            (
                [bucket(logging={"targetBucket": "logs"}), bucket(bucket="other")],
                "no access log",
            ),
        ],
    ),
    "made-cluster-is-closed": (
        [
            [one(ACK, CLOSED)],
            [one(ACK, {**CLOSED, "encryptionProviderKey": UNKNOWN})],
            [one(f"{K8S}core/v1:ConfigMap", {})],
        ],
        [
            ([one(ACK, {**CLOSED, "slbInternetEnabled": True})], "answers the Internet"),
            ([one(ACK, {**CLOSED, "slbInternetEnabled": None})], "answers the Internet"),
            ([one(ACK, {**CLOSED, "auditLogConfig": {"enabled": False}})], "no audit log"),
            ([one(ACK, {**CLOSED, "auditLogConfig": None})], "no audit log"),
            ([one(ACK, {**CLOSED, "encryptionProviderKey": None})], "not encrypted by a key"),
            ([one(ACK, {**CLOSED, "disableEncryption": True})], "not encrypted by a key"),
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
        [[volume()], [one(f"{K8S}core/v1:PersistentVolume", {"spec": {"nfs": {}}})]],
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
            ([one(f"{RAM}accessKey:AccessKey", {"userName": "robot"})], "never ends"),
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
            [role({"Federated": ["arn"]}, SUBJECT)],
            [
                role(
                    {"Federated": ["arn"]},
                    {"StringLike": {"oidc:sub": "a"}, "StringEquals": {"oidc:aud": "b"}},
                )
            ],
            [
                one(
                    f"{RAM}policy:Policy",
                    {
                        "policyDocument": statement(
                            Action=["log:GetLogStore"],
                            Resource=["acs:log:*:*:project/k8s-log-c1/logstore/*"],
                        )
                    },
                )
            ],
            [
                attachment("Custom", "AliyunOSSFullAccess"),
                attachment("System", "AliyunOSSReadOnlyAccess"),
            ],
            [one(f"{RAM}policy:Policy", {"policyDocument": UNKNOWN}), role(UNKNOWN, SUBJECT)],
        ],
        [
            (
                [one(f"{RAM}policy:Policy", {"policyDocument": statement(Action="*")})],
                "every action",
            ),
            *(
                ([one(f"{RAM}policy:Policy", {"policyDocument": statement(**more)})], said)
                for more, said in (
                    ({"Action": ["oss:Get*"]}, "oss:Get*"),
                    ({"Action": "oss:*"}, "oss:*"),
                    ({"Action": ["*:GetObject"]}, "every action of that pattern"),
                    ({"Action": ["oss:GetObjec?"]}, "every action of that pattern"),
                    ({"Action": None, "NotAction": ["oss:DeleteBucket"]}, "NotAction"),
                    ({"Resource": None, "NotResource": ["acs:oss:*:*:b"]}, "NotResource"),
                    ({"Resource": "*"}, "every resource"),
                    ({"Resource": ["acs:oss:*:*:models*/x"]}, "every resource"),
                    ({"Resource": ["acs:*:*:*:models"]}, "every resource"),
                    ({"Resource": ["acs:ram:*:*:role/*"]}, "every resource"),
                )
            ),
            (
                [
                    one(
                        f"{RAM}policy:Policy",
                        {"statements": [{"effect": "Allow", "actions": ["*"], "resources": ["*"]}]},
                    )
                ],
                "every action",
            ),
            ([bucket(policy=statement(Action=["oss:*"], Principal=["1234"]))], "oss:*"),
            ([one(f"{RAM}policy:Policy", {"policyDocument": "{"})], "not JSON"),
            ([attachment("System", "AdministratorAccess")], "AdministratorAccess"),
            ([attachment("System", "AliyunOSSFullAccess")], "AliyunOSSFullAccess"),
            ([role({"RAM": ["acs:ram::1234567890123456:root"]})], "every identity of an account"),
            ([role({"RAM": ["acs:ram::*:role/x"]})], "anyone"),
            ([role({"RAM": ["acs:ram::1:user/*"]})], "anyone"),
            *(
                (
                    [role({"Federated": ["arn"]}, {**AUDIENCE, operator: {"oidc:sub": value}})],
                    "oidc:sub",
                )
                for operator, value in (
                    ("StringLike", "system:serviceaccount:*"),
                    ("StringLike", ["system:serviceaccount:a:b", "*"]),
                    ("StringNotEquals", "system:serviceaccount:a:b"),
                    ("StringNotLike", "oidc:sub"),
                    ("StringEqualsIgnoreCase", []),
                )
            ),
            (
                [role({"Federated": ["arn"]}, {"StringEquals": {"oidc:aud": "oidc:sub"}})],
                "oidc:sub",
            ),
            ([role({"Federated": ["arn"]}, {"StringEquals": {"oidc:sub": "a"}})], "oidc:aud"),
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
    "images-have-a-digest": (
        [
            [workload(image="host:5000/a:1@sha256:" + "0" * 64)],
            [workload(image="a@sha256:" + "0" * 64)],
            [workload(image=UNKNOWN)],
        ],
        [
            ([workload(image="tensorflow/serving:1.15.0-gpu")], "make images STACK=prod"),
            ([workload(image="a:1@sha256:00")], "is a tag"),
            (
                [workload(spec={"initContainers": [{"name": "init", "image": "busybox:1"}]})],
                "container init",
            ),
        ],
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
            ([as_list(workload(image="serving"))], "no tag"),
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
            ([as_list(hpa(route="x" * 64))], "no label value"),
        ],
    ),
    "tls-at-the-entry": (
        [
            [ingress()],
            [ingress(True, **{f"{NGINX}/ssl-redirect": "true"})],
            [ingress(True, **{f"{ALB}/listen-ports": ' [ {"HTTPS" : 443} ] '})],
            [ingress(True, **{f"{ALB}/listen-ports": UNKNOWN})],
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
            ([ingress(False, **{"elastic-inference/waive-tls": "the lab"})], "no TLS"),
            ([ingress(True, **{f"{NGINX}/ssl-redirect": "false"})], "ssl-redirect is off"),
            ([ingress(True, **{f"{NGINX}/ssl-redirect": "F"})], "ssl-redirect is off"),
            ([ingress(True, **{f"{ALB}/listen-ports": '[{"HTTP" :80}]'})], "plain HTTP"),
            ([ingress(True, **{f"{ALB}/listen-ports": '[{"\\u0048TTP":80}]'})], "plain HTTP"),
            (
                [ingress(True, **{f"{ALB}/listen-ports": '[{"http": 80}, {"HTTPS": 443}]'})],
                "plain HTTP",
            ),
            ([ingress(True, **{f"{ALB}/listen-ports": "HTTP:80"})], "no JSON list"),
            ([as_list(ingress(False))], "no TLS"),
            ([other_version(ingress(False), "extensions/v1beta1:Ingress")], "no TLS"),
            ([service(type="NodePort")], "NodePort"),
            ([service(externalIPs=["192.0.2.1"])], "externalIPs"),
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
        [[ingress()], [ingress(False)], [ingress(hosts=["*.example.com"])]],
        [
            ([ingress(hosts=["other.example.com"])], "browsers refuse"),
            ([ingress(hosts=["*.bert.example.com"])], "browsers refuse"),
            ([ingress(hosts=[])], "no host"),
        ],
    ),
    "entry-asks-who-calls": (
        [
            [ingress()],
            [ingress(True, **{f"{NGINX}/auth-secret": UNKNOWN})],
            [ingress(True, **{**NOBODY, f"{NGINX}/auth-url": "https://login.example.com"})],
            [ingress(True, **{**NOBODY, f"{NGINX}/auth-tls-secret": "inference/ca"})],
        ],
        [
            ([ingress(True, **NOBODY)], "answers whoever calls"),
            (
                [ingress(True, **{f"{NGINX}/auth-type": "basic", f"{NGINX}/auth-secret": ""})],
                "answers whoever calls",
            ),
            ([ingress(True, **{f"{NGINX}/auth-type": "none"})], "answers whoever calls"),
            (
                [
                    ingress(
                        True,
                        **{
                            **NOBODY,
                            f"{NGINX}/auth-tls-secret": "a/b",
                            f"{NGINX}/auth-tls-verify-client": "optional",
                        },
                    )
                ],
                "answers whoever calls",
            ),
            ([ingress(True, **{f"{NGINX}/satisfy": "Any "})], "satisfy is any"),
            ([as_list(ingress(True, **NOBODY))], "answers whoever calls"),
        ],
    ),
    "entry-has-no-snippet": (
        [[ingress()]],
        [
            (
                [ingress(True, **{f"{NGINX}/configuration-snippet": "auth_basic off;"})],
                "configuration-snippet",
            ),
            ([ingress(True, **{f"{NGINX}/server-snippet": "x"})], "server-snippet"),
        ],
    ),
    "pods-are-confined": (
        [
            [workload()],
            [
                workload(
                    securityContext={"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}
                )
            ],
            [volume()],
            [one(f"{K8S}core/v1:ConfigMap", {"data": {"containers": "hostNetwork: true"}})],
        ],
        [
            ([workload(securityContext={"privileged": True})], "privileged is on"),
            ([workload(spec={"hostNetwork": True})], "hostNetwork is on"),
            ([workload(spec={"hostPID": True})], "hostPID is on"),
            (
                [workload(spec={"volumes": [{"name": "host", "hostPath": {"path": "/"}}]})],
                "hostPath",
            ),
            ([workload(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}})], "SYS_ADMIN"),
            ([workload(securityContext={"runAsUser": 0})], "runs as root"),
            ([workload(spec={"securityContext": {"runAsNonRoot": False}})], "runs as root"),
            (
                [workload(securityContext={"allowPrivilegeEscalation": True})],
                "allowPrivilegeEscalation is on",
            ),
            ([workload(securityContext={"seccompProfile": {"type": "Unconfined"}})], "Unconfined"),
            ([workload(ports=[{"containerPort": 80, "hostPort": 80}])], "hostPort"),
            (
                [
                    workload(
                        spec={
                            "initContainers": [
                                {"name": "i", "securityContext": {"privileged": True}}
                            ]
                        }
                    )
                ],
                "container i",
            ),
            ([as_list(workload(spec={"hostNetwork": True}))], "hostNetwork is on"),
            (
                [other_version(workload(spec={"hostNetwork": True}), "apps/v1:DeploymentPatch")],
                "hostNetwork is on",
            ),
            (
                [
                    other_version(
                        workload(spec={"hostNetwork": True}), "argoproj.io/v1alpha1:Rollout"
                    )
                ],
                "hostNetwork is on",
            ),
            (
                [one(f"{K8S}core/v1:PersistentVolume", {"spec": {"hostPath": {"path": "/"}}})],
                "directory of a node",
            ),
        ],
    ),
    "everything-can-be-read": (
        [
            [workload(), bucket()],
            [one("inference:serving:ModelServer", {}), one("pulumi:providers:kubernetes", {})],
            [one("ossmodel:index:Model", {}), one(f"{K8S}helm.sh/v4:Chart", {})],
        ],
        [
            ([one(f"{K8S}apps/v1:DeploymentPatch", {})], "a Patch changes"),
            ([one(f"{K8S}networking.k8s.io/v1:IngressPatch", {})], "a Patch changes"),
            ([one(f"{K8S}helm.sh/v3:Release", {"chart": "x"})], "in no preview"),
            ([one("command:local:Command", {"create": "kubectl apply"})], "package command"),
            ([one("pulumi-python:dynamic:Resource", {})], "package pulumi-python"),
        ],
    ),
    "rights-are-narrow": (
        [
            [
                rbac(
                    "ClusterRoleBinding", roleRef={"name": "reader"}, subjects=[{"name": "handler"}]
                )
            ],
            [rbac("ClusterRoleBinding", roleRef={"name": UNKNOWN}, subjects=[{"name": UNKNOWN}])],
            [
                rbac(
                    "ClusterRole",
                    rules=[{"apiGroups": [""], "resources": ["nodes"], "verbs": ["patch"]}],
                )
            ],
            [rbac("Role", rules=[{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}])],
        ],
        [
            (
                [rbac("ClusterRoleBinding", roleRef={"name": "cluster-admin"})],
                "binds cluster-admin",
            ),
            ([rbac("RoleBinding", roleRef={"name": "admin"})], "binds admin"),
            (
                [as_list(rbac("ClusterRoleBinding", roleRef={"name": "cluster-admin"}))],
                "binds cluster-admin",
            ),
            (
                [
                    other_version(
                        rbac("x", roleRef={"name": "cluster-admin"}),
                        "rbac.authorization.k8s.io/v1beta1:ClusterRoleBinding",
                    )
                ],
                "binds cluster-admin",
            ),
            (
                [rbac("RoleBinding", subjects=[{"kind": "Group", "name": "system:authenticated"}])],
                "everybody",
            ),
            (
                [
                    rbac(
                        "RoleBinding",
                        subjects=[{"kind": "Group", "name": "system:serviceaccounts:inference"}],
                    )
                ],
                "everybody",
            ),
            (
                [
                    rbac(
                        "ClusterRole",
                        rules=[{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
                    )
                ],
                "verbs *",
            ),
            (
                [rbac("Role", rules=[{"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}])],
                "every resource",
            ),
            ([rbac("Role", rules=[{"resources": ["roles"], "verbs": ["escalate"]}])], "escalate"),
            (
                [rbac("ClusterRole", rules=[{"resources": ["secrets"], "verbs": ["list"]}])],
                "every Secret",
            ),
            (
                [rbac("Role", rules=[{"resources": ["pods/exec"], "verbs": ["create"]}])],
                "commands in other pods",
            ),
            ([rbac("ClusterRole", aggregationRule={}, rules=[])], "aggregationRule"),
        ],
    ),
    "node-writes-are-limited": (
        [
            [node_role(["get", "list", "watch"])],
            [node_role(["patch"]), *admission_policy()],
            [node_role(["patch"]), *admission_policy(resources=["nodes"], operations=["UPDATE"])],
            [node_role(["patch"]), *admission_policy(bound=UNKNOWN)],
            [rbac("Role", rules=[{"resources": ["pods"], "verbs": ["patch"]}])],
        ],
        [
            ([node_role(["patch"])], "every node"),
            ([as_list(node_role(["get", "update"]))], "every node"),
            ([node_role(["delete"], "nodes/status")], "every node"),
            ([node_role(["patch"]), admission_policy()[0]], "every node"),
            ([node_role(["patch"]), *admission_policy(bound="another")], "every node"),
            ([node_role(["patch"]), *admission_policy(actions=["Warn", "Audit"])], "every node"),
            ([node_role(["patch"]), *admission_policy(failure="Ignore")], "every node"),
            ([node_role(["patch"]), *admission_policy(resources=["pods"])], "every node"),
            ([node_role(["patch"]), *admission_policy(operations=["CREATE"])], "every node"),
            ([node_role(["patch"]), *admission_policy(validations=[])], "every node"),
        ],
    ),
    "namespace-is-restricted": (
        [[namespace({PSS: "restricted"})], [namespace(UNKNOWN)]],
        [
            ([namespace(None)], "missing"),
            ([namespace({"team": "ml"})], "missing"),
            ([namespace({PSS: "privileged"})], "is privileged"),
            ([as_list(namespace({PSS: "baseline"}))], "is baseline"),
        ],
    ),
    "workloads-have-a-network-policy": (
        [
            [workload(), network_policy()],
            [workload(), network_policy({})],
            [
                workload(),
                network_policy(
                    podSelector={
                        "matchExpressions": [{"key": "app", "operator": "In", "values": ["server"]}]
                    }
                ),
            ],
            [workload(), as_list(network_policy(ingress=[]))],
            [workload(), network_policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}])],
            [
                workload(),
                network_policy(
                    ingress=[
                        {
                            "from": [
                                {
                                    "namespaceSelector": SYSTEM,
                                    "podSelector": {"matchLabels": {"app": "ingress-nginx"}},
                                },
                                {"podSelector": UNKNOWN},
                            ]
                        }
                    ]
                ),
            ],
            [service(), network_policy()],
        ],
        [
            ([workload()], "no NetworkPolicy"),
            ([workload(), network_policy({"app": "other"})], "no NetworkPolicy"),
            ([workload(), network_policy(policyTypes=["Egress"])], "no NetworkPolicy"),
            (
                [
                    workload(),
                    network_policy(
                        podSelector={
                            "matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]
                        }
                    ),
                ],
                "no NetworkPolicy",
            ),
            ([workload(), network_policy(ingress=[{}])], "without `from`"),
            ([workload(), network_policy(ingress=[{"from": []}])], "without `from`"),
            (
                [
                    workload(),
                    network_policy(ingress=[{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]),
                ],
                "admits 0.0.0.0/0",
            ),
            (
                [workload(), network_policy(ingress=[{"from": [{"namespaceSelector": {}}]}])],
                "every namespace",
            ),
            *(
                ([workload(), network_policy(ingress=[{"from": [peer]}])], said)
                for peer, said in (
                    ({"podSelector": {}}, "every pod of a namespace"),
                    ({"podSelector": {"matchLabels": {}}}, "every pod of a namespace"),
                    ({"namespaceSelector": SYSTEM}, "every pod of a namespace"),
                    ({"namespaceSelector": SYSTEM, "podSelector": {}}, "every pod of a namespace"),
                    (
                        {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "a"}}},
                        "every namespace",
                    ),
                )
            ),
        ],
    ),
}
