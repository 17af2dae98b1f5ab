"""One request of every action that the double serves, in an order in which each finds what it
needs, and everything is gone at the end.

`run` sends each as it is, and before that once without each of its required parameters and fields:
those must be refused.
"""

from __future__ import annotations

import copy
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import oss2
from aliyunsdkcore.acs_exception.exceptions import ServerException

from lab.alicloud import api_models, sdk_models
from lab.alicloud.registry import OSS, REST, RPC_SERVICES, OssRoute, Route
from lab.alicloud.services import load_services
from lab.testing import clients
from lab.testing.cloud import CLUSTER, CloudDouble, wait_for

load_services()


@dataclass
class Exchange:
    """A request; `{name}` in any text is what an earlier answer said."""

    action: str
    """`service:Action`."""
    params: dict[str, str] = field(default_factory=dict)
    """RPC parameters, or the query."""
    body: Any = None
    """JSON (container service, log service), bytes, or XML (OSS)."""
    path: dict[str, str] = field(default_factory=dict)
    """What stands in the path's places; `bucket` and `key` of OSS, `project` of the log service's
    host.
    """
    keep: dict[str, str] = field(default_factory=dict)
    """What is to be remembered of the answer: name by place (`nodes.0.instance_id`), or by the
    element's name.
    """
    headers: dict[str, str] = field(default_factory=dict)
    until: str = ""
    """The request is sent again until this is in the answer, or, when it is "accepted", until it is
    accepted.
    """
    way: int = 0
    """Which of an action's routes, if it has several."""


@dataclass
class Outcome:
    """What became of an exchange."""

    exchange: Exchange
    route: str
    status: int = 0
    error: str = ""
    refused: dict[str, int] = field(default_factory=dict)
    """Status of the request without a required parameter or field, by its name."""


def routes() -> set[str]:
    """Every route of the double, as the outcomes name them."""
    rpc = {f"{service}:{call}" for service, call in sdk_models.actions() if service in RPC_SERVICES}
    return rpc | {_rest(route) for _, route in REST} | {_oss(entry) for entry in OSS.values()}


def _rest(route: Route) -> str:
    return f"{route.service}:{route.call} {route.method} {route.pattern}"


def _oss(entry: OssRoute) -> str:
    return f"oss:{entry.call} {entry.method} {entry.scope}?{entry.sub}"


def run(lab: CloudDouble) -> list[Outcome]:
    """All of them, one after the other."""
    names = ("certificate-authority-data", "client-certificate-data", "client-key-data")
    (lab.home / "kubeconfig").write_text("\n".join(f"{name}: eA==" for name in names))
    known = {
        "cluster": CLUSTER,
        "now": str(int(time.time())),
        "token": clients.token(lab),
        "issuer": _issuer(),
    }
    return [_exchanged(lab, one, known) for one in EXCHANGES]


def _issuer() -> str:
    return f"https://oidc-ack-{clients.REGION}.oss-{clients.REGION}.aliyuncs.com/{CLUSTER}"


def _exchanged(lab: CloudDouble, planned: Exchange, known: dict[str, str]) -> Outcome:
    missing = [
        name for name in re.findall(r"\{(\w+)\}", json.dumps(_texts(planned))) if name not in known
    ]
    if missing:
        return Outcome(planned, _route_of(planned), error=f"no earlier answer said {missing}")
    ready = _filled(planned, known)
    outcome = Outcome(ready, _route_of(ready))
    for name, without in _without(ready):
        outcome.refused[name] = _send(lab, without)[0]

    def accepted() -> bool:
        outcome.status, answer = _send(lab, ready)
        outcome.error = "" if outcome.status < 300 else str(answer)
        if ready.until == "accepted":
            return outcome.status < 300
        if outcome.status < 300:
            known.update(
                {
                    name: found
                    for name, place in ready.keep.items()
                    if (found := _found(answer, place))
                }
            )
        return not ready.until or (
            ready.until in json.dumps(answer, default=str)
            and all(name in known for name in ready.keep)
        )

    try:
        wait_for(accepted, 60)
    except AssertionError:
        outcome.error = outcome.error or f"the answer never said {ready.until}"
    return outcome


def _texts(one: Exchange) -> list[Any]:
    return [one.params, one.body if not isinstance(one.body, bytes) else "", one.path, one.headers]


def _filled(one: Exchange, known: dict[str, str]) -> Exchange:
    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda found: known[found[1]], value)
        if isinstance(value, dict):
            return {name: fill(inner) for name, inner in value.items()}
        return [fill(inner) for inner in value] if isinstance(value, list) else value

    made = copy.copy(one)
    made.params, made.body, made.path, made.headers = (
        fill(one.params),
        fill(one.body),
        fill(one.path),
        fill(one.headers),
    )
    return made


def _without(one: Exchange) -> Iterator[tuple[str, Exchange]]:
    """The request without each of what the models call required; RegionId is put in by the client,
    and judged in test_models.py.
    """
    service, model = (
        one.action.partition(":")[0],
        (api_models.models().get(one.action) or {"request": {}})["request"],
    )
    excused = api_models.LEFT_OUT.get(one.action, {})
    if service in RPC_SERVICES:
        for name in _required_rpc(one.params, model, ""):
            kept = {
                key: value
                for key, value in one.params.items()
                if key != name and not key.startswith(f"{name}.")
            }
            yield name, _changed(one, params=kept)
    elif service == "oss":
        for name in api_models.required(model):
            if name in one.params and name != _entry(one).sub:
                yield (
                    name,
                    _changed(
                        one, params={key: value for key, value in one.params.items() if key != name}
                    ),
                )
            elif name in one.headers:
                yield (
                    name,
                    _changed(
                        one,
                        headers={key: value for key, value in one.headers.items() if key != name},
                    ),
                )
        if isinstance(one.body, str):
            yield "the body", _changed(one, body="")
    else:
        whole = model.get("body", model.get("body!"))
        for place in _required_in(one.body, whole or model):
            name = ".".join(str(part) for part in place if not isinstance(part, int))
            if name not in excused:
                yield name, _changed(one, body=_less(one.body, place))
        for name in api_models.required(model):
            if name in one.params:
                yield (
                    name,
                    _changed(
                        one, params={key: value for key, value in one.params.items() if key != name}
                    ),
                )


def _required_rpc(params: dict[str, str], model: dict[str, Any], above: str) -> Iterator[str]:
    for marked, kind in model.items():
        name = above + marked.removesuffix("!")
        there = name in params or any(key.startswith(f"{name}.") for key in params)
        if marked.endswith("!") and there and name != "RegionId":
            yield name
        if there and isinstance(kind, dict):
            yield from _required_rpc(params, kind, f"{name}.")
        elif there and isinstance(kind, list) and isinstance(kind[0], dict):
            yield from _required_rpc(params, kind[0], f"{name}.1.")


def _required_in(value: Any, model: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, list) and isinstance(model, list):
        yield from (
            found
            for number, one in enumerate(value)
            for found in _required_in(one, model[0], (*place, number))
        )
    elif isinstance(value, dict) and isinstance(model, dict):
        for name, one in value.items():
            if f"{name}!" in model:
                yield (*place, name)
            yield from _required_in(
                one, model.get("*", model.get(name, model.get(f"{name}!"))), (*place, name)
            )


def _less(body: Any, place: tuple[Any, ...]) -> Any:
    made = copy.deepcopy(body)
    inner = made
    for part in place[:-1]:
        inner = inner[part]
    del inner[place[-1]]
    return made


def _changed(one: Exchange, **changes: Any) -> Exchange:
    made = copy.copy(one)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def _ways(one: Exchange) -> list[Route]:
    service, call = one.action.split(":")
    call = (
        {"GetLogs": "GetLogStore", "ListProject": "GetProject"}.get(call, call)
        if service == "sls"
        else call
    )
    return [route for _, route in REST if (route.service, route.call) == (service, call)]


def _entry(one: Exchange) -> OssRoute:
    return [entry for entry in OSS.values() if entry.call == one.action.split(":")[1]][one.way]


def _route_of(one: Exchange) -> str:
    service = one.action.partition(":")[0]
    if service in RPC_SERVICES:
        return one.action
    return _oss(_entry(one)) if service == "oss" else _rest(_ways(one)[one.way])


def _send(lab: CloudDouble, one: Exchange) -> tuple[int, Any]:
    """(status, answer: JSON, or XML as an element, or the error's text)."""
    service, call = one.action.split(":")
    if service == "oss":
        return _send_oss(lab, one)
    if service in RPC_SERVICES:
        try:
            return 200, clients.rpc(
                lab,
                f"{service}.aliyuncs.com",
                RPC_SERVICES[service].version,
                call,
                None,
                **one.params,
            )
        except ServerException as error:
            return int(error.http_status or 0), str(error)
    route = _ways(one)[one.way]
    path = re.sub(r"\{(\w+)\}", lambda found: one.path[found[1]], route.pattern)
    if service == "cs":
        try:
            return 200, clients.roa(lab, route.method, path, one.body, None, **one.params)
        except ServerException as error:
            return int(error.http_status or 0), str(error)
    host = f"{clients.REGION}.log.aliyuncs.com"
    host = f"{one.path['project']}.{host}" if one.path.get("project") else host
    body = (
        one.body
        if isinstance(one.body, bytes)
        else json.dumps(one.body).encode()
        if one.body is not None
        else b""
    )
    return clients.log_sha1(lab, route.method, host, path, one.params, body=body)


def _send_oss(lab: CloudDouble, one: Exchange) -> tuple[int, Any]:
    entry, body = _entry(one), one.body.encode() if isinstance(one.body, str) else one.body
    params = {**({entry.sub: ""} if entry.sub else {}), **one.params}
    bucket = clients.bucket(lab, one.path.get("bucket", "none"))
    try:
        answer = bucket._do(
            entry.method,
            one.path.get("bucket", ""),
            one.path.get("key", ""),
            params=params,
            headers=dict(one.headers),
            data=body,
        )
        text = answer.read()
        return answer.status, ElementTree.fromstring(text) if text[:1] == b"<" else text
    except oss2.exceptions.ServerError as error:
        return error.status, str(error)


def _found(answer: Any, place: str) -> str:
    if isinstance(answer, ElementTree.Element):
        return answer.findtext(f".//{place}") or ""
    for part in place.split("."):
        if isinstance(answer, list):
            answer = answer[int(part)] if int(part) < len(answer) else None
        elif isinstance(answer, dict):
            answer = answer.get(part)
        if answer is None:
            return ""
    return str(answer)


def _trust() -> str:
    provider = f"acs:ram::{{account}}:oidc-provider/ack-rrsa-{CLUSTER}"
    claims = {
        "oidc:aud": ["sts.aliyuncs.com"],
        "oidc:iss": ["{issuer}"],
        "oidc:sub": [clients.SUBJECT],
    }
    statements = [
        {
            "Action": "sts:AssumeRole",
            "Effect": "Allow",
            "Principal": {"RAM": ["acs:ram::{account}:root"]},
        },
        {
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": claims},
            "Effect": "Allow",
            "Principal": {"Federated": [provider]},
        },
    ]
    return json.dumps({"Version": "1", "Statement": statements})


_POLICY = json.dumps(
    {"Version": "1", "Statement": [{"Action": "oss:Get*", "Effect": "Allow", "Resource": "*"}]}
)
_ROLE, _USER, _RULE = (
    {"RoleName": "judged-role"},
    {"UserName": "judged-user"},
    {"PolicyName": "judged-policy"},
)
_CUSTOM = {**_RULE, "PolicyType": "Custom"}
_PROVIDER = {"OIDCProviderName": "judged-provider"}
_TAG = {"Tag.1.Key": "judged", "Tag.1.Value": "yes"}
_OWN = {"c": "{own}"}
_POOL = {"c": "{own}", "n": "{pool}"}
_ZONES = {
    "ZoneMappings.1.ZoneId": "cn-shanghai-e", "ZoneMappings.1.VSwitchId": "{vswitch}",
    "ZoneMappings.2.ZoneId": "cn-shanghai-g", "ZoneMappings.2.VSwitchId": "vsw-labg",
}  # fmt: skip
_STORE = {"project": "judged-project", "store": "judged-store"}
_PROJECT = {"project": "judged-project"}
_INDEX = {"line": {"token": [",", " "]}, "keys": {"status": {"type": "long"}}}
_ADDON = "ack-node-problem-detector"


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _log_group() -> bytes:
    """A LogGroup of one log with one field, as protobuf: no model of the SDK is in the way of its
    route.
    """
    content = b"\x0a\x06status\x12\x03200"
    log = b"\x08" + _varint(int(time.time())) + b"\x12" + bytes([len(content)]) + content
    return b"\x0a" + bytes([len(log)]) + log


def _network() -> list[Exchange]:
    vpc, group = {"VpcId": "{vpc}"}, {"SecurityGroupId": "{group}"}
    return [
        Exchange(
            "location:DescribeEndpoints",
            {"Id": "cn-shanghai", "ServiceCode": "ecs", "Type": "openAPI"},
        ),
        Exchange("business:QueryAvailableInstances", {"ProductCode": "vipcloudfw", "PageNum": "1"}),
        Exchange(
            "vpc:CreateVpc",
            {"VpcName": "judged", "CidrBlock": "10.9.0.0/16", **_TAG},
            keep={"vpc": "VpcId"},
        ),
        Exchange("vpc:DescribeVpcAttribute", vpc, until="Available"),
        Exchange("vpc:DescribeVpcs", vpc),
        Exchange("vpc:ModifyVpcAttribute", {**vpc, "Description": "d"}),
        Exchange("vpc:DescribeRouteTableList", vpc),
        Exchange("vpc:TagResources", {"ResourceType": "VPC", "ResourceId.1": "{vpc}", **_TAG}),
        Exchange("vpc:ListTagResources", {"ResourceType": "VPC", "ResourceId.1": "{vpc}"}),
        Exchange(
            "vpc:UnTagResources",
            {"ResourceType": "VPC", "ResourceId.1": "{vpc}", "TagKey.1": "judged"},
        ),
        Exchange(
            "vpc:CreateVSwitch",
            {**vpc, "ZoneId": "cn-shanghai-e", "CidrBlock": "10.9.1.0/24", **_TAG},
            keep={"vswitch": "VSwitchId"},
        ),
        Exchange("vpc:DescribeVSwitchAttributes", {"VSwitchId": "{vswitch}"}),
        Exchange("vpc:DescribeVSwitches", vpc),
        Exchange("vpc:ModifyVSwitchAttribute", {"VSwitchId": "{vswitch}", "VSwitchName": "judged"}),
        Exchange(
            "vpc:CreateNatGateway", {**vpc, "Name": "judged", **_TAG}, keep={"nat": "NatGatewayId"}
        ),
        Exchange("vpc:DescribeNatGateways", vpc),
        Exchange("vpc:DeleteNatGateway", {"NatGatewayId": "{nat}"}),
        Exchange(
            "vpc:AllocateEipAddress", {"Name": "judged", **_TAG}, keep={"eip": "AllocationId"}
        ),
        Exchange("vpc:DescribeEipAddresses", {"AllocationId": "{eip}"}),
        Exchange("vpc:ReleaseEipAddress", {"AllocationId": "{eip}"}),
        Exchange(
            "ecs:CreateSecurityGroup",
            {**vpc, "SecurityGroupName": "judged", **_TAG},
            keep={"group": "SecurityGroupId"},
        ),
        Exchange("ecs:DescribeSecurityGroups", vpc),
        Exchange("ecs:DescribeSecurityGroupAttribute", group),
        Exchange("ecs:ModifySecurityGroupPolicy", {**group, "InnerAccessPolicy": "Drop"}),
        Exchange("ecs:DeleteSecurityGroup", group),
        Exchange("ecs:DescribeRegions"),
        Exchange("ecs:DescribeZones"),
        Exchange("ecs:DescribeAvailableResource", {"DestinationResource": "InstanceType"}),
        Exchange("ecs:DescribeInstanceTypes", {"InstanceTypes.1": "ecs.g6.large"}),
        Exchange(
            "ecs:CreateDisk",
            {"ZoneId": "cn-shanghai-e", "Size": "20", **_TAG},
            keep={"disk": "DiskId"},
        ),
        Exchange("ecs:DescribeDisks"),
        Exchange("ecs:DeleteDisk", {"DiskId": "{disk}"}),
        *(
            Exchange(
                "ecs:RunInstances",
                {
                    "InstanceType": "ecs.g6.large",
                    "VSwitchId": "{vswitch}",
                    "InstanceName": "judged",
                    **_TAG,
                },
                keep={name: "InstanceIdSets.InstanceIdSet.0"},
            )
            for name in ("first", "second")
        ),
        Exchange("ecs:DescribeInstances", {"VSwitchId": "{vswitch}"}),
        Exchange("ecs:DeleteInstance", {"InstanceId": "{first}", "Force": "true"}),
        Exchange("ecs:DeleteInstances", {"InstanceId.1": "{second}", "Force": "true"}),
        Exchange(
            "slb:CreateLoadBalancer",
            {"LoadBalancerName": "judged", **vpc, **_TAG},
            keep={"slb": "LoadBalancerId"},
        ),
        Exchange("slb:DescribeLoadBalancers", {"LoadBalancerId": "{slb}"}),
        Exchange(
            "slb:SetLoadBalancerDeleteProtection",
            {"LoadBalancerId": "{slb}", "DeleteProtection": "off"},
        ),
        Exchange("slb:DeleteLoadBalancer", {"LoadBalancerId": "{slb}"}),
        Exchange(
            "alb:CreateLoadBalancer",
            {
                "AddressType": "Internet",
                "LoadBalancerBillingConfig.PayType": "PostPay",
                "LoadBalancerEdition": "Basic",
                **vpc,
                **_ZONES,
            },
            keep={"alb": "LoadBalancerId"},
        ),
        Exchange("alb:ListLoadBalancers", {"LoadBalancerIds.1": "{alb}"}),
        Exchange("alb:DeleteLoadBalancer", {"LoadBalancerId": "{alb}"}),
        Exchange(
            "nlb:CreateLoadBalancer",
            {"AddressType": "Internet", **vpc, **_ZONES},
            keep={"nlb": "LoadbalancerId"},
        ),
        Exchange("nlb:ListLoadBalancers", {"LoadBalancerIds.1": "{nlb}"}),
        Exchange("nlb:DeleteLoadBalancer", {"LoadBalancerId": "{nlb}"}),
        Exchange(
            "ess:CreateScalingGroup",
            {"MinSize": "0", "MaxSize": "1", "ScalingGroupName": "judged", **_TAG},
            keep={"asg": "ScalingGroupId"},
        ),
        Exchange("ess:DescribeScalingGroups", {"ScalingGroupId.1": "{asg}"}),
        Exchange("ess:DeleteScalingGroup", {"ScalingGroupId": "{asg}"}),
    ]


def _identity() -> list[Exchange]:
    key = {**_USER, "UserAccessKeyId": "{key}"}
    tags = {"ResourceType": "role", "ResourceNames": '["judged-role"]'}
    return [
        Exchange("sts:GetCallerIdentity", keep={"account": "AccountId"}),
        Exchange("ram:CreateRole", {**_ROLE, "AssumeRolePolicyDocument": _trust()}),
        Exchange("ram:GetRole", _ROLE, keep={"arn": "Role.Arn"}),
        Exchange("ram:ListRoles"),
        Exchange("ram:UpdateRole", {**_ROLE, "NewDescription": "d"}),
        Exchange("sts:AssumeRole", {"RoleArn": "{arn}", "RoleSessionName": "judged"}),
        Exchange(
            "sts:AssumeRoleWithOIDC",
            {
                "RoleArn": "{arn}",
                "RoleSessionName": "judged",
                "OIDCToken": "{token}",
                "OIDCProviderArn": f"acs:ram::{{account}}:oidc-provider/ack-rrsa-{CLUSTER}",
            },
        ),
        Exchange("ram:CreatePolicy", {**_RULE, "PolicyDocument": _POLICY}),
        Exchange("ram:GetPolicy", _CUSTOM),
        Exchange("ram:ListPolicies", {"PolicyType": "Custom"}),
        Exchange("ram:CreatePolicyVersion", {**_RULE, "PolicyDocument": _POLICY}),
        Exchange("ram:ListPolicyVersions", _CUSTOM),
        Exchange("ram:GetPolicyVersion", {**_CUSTOM, "VersionId": "v2"}),
        Exchange("ram:SetDefaultPolicyVersion", {**_RULE, "VersionId": "v2"}),
        Exchange("ram:DeletePolicyVersion", {**_RULE, "VersionId": "v1"}),
        Exchange("ram:UpdatePolicyDescription", {**_RULE, "NewDescription": "d"}),
        Exchange("ram:AttachPolicyToRole", {**_CUSTOM, **_ROLE}),
        Exchange("ram:ListPoliciesForRole", _ROLE),
        Exchange("ram:ListEntitiesForPolicy", _CUSTOM),
        Exchange("ram:DetachPolicyFromRole", {**_CUSTOM, **_ROLE}),
        Exchange("ram:CreateUser", {**_USER, "DisplayName": "judged"}),
        Exchange("ram:GetUser", _USER),
        Exchange("ram:ListUsers"),
        Exchange("ram:UpdateUser", {**_USER, "NewDisplayName": "d"}),
        Exchange("ram:AttachPolicyToUser", {**_CUSTOM, **_USER}),
        Exchange("ram:ListPoliciesForUser", _USER),
        Exchange("ram:DetachPolicyFromUser", {**_CUSTOM, **_USER}),
        Exchange("ram:CreateAccessKey", _USER, keep={"key": "AccessKey.AccessKeyId"}),
        Exchange("ram:ListAccessKeys", _USER),
        Exchange("ram:UpdateAccessKey", {**key, "Status": "Inactive"}),
        Exchange("ram:DeleteAccessKey", key),
        Exchange("ram:TagResources", {**tags, "Tag": '[{"Key": "judged", "Value": "yes"}]'}),
        Exchange("ram:ListTagResources", tags),
        Exchange("ram:UntagResources", {**tags, "TagKeys": '["judged"]'}),
        Exchange("ram:DeleteUser", _USER),
        Exchange("ram:DeletePolicy", {**_RULE, "CascadingDelete": "true"}),
        Exchange("ram:DeleteRole", _ROLE),
        Exchange(
            "ims:CreateOIDCProvider",
            {
                **_PROVIDER,
                "IssuerUrl": "https://judged.example.com",
                "ClientIds": "a",
                "Fingerprints": "b" * 40,
            },
        ),
        Exchange("ims:GetOIDCProvider", _PROVIDER),
        Exchange("ims:ListOIDCProviders"),
        Exchange("ims:UpdateOIDCProvider", {**_PROVIDER, "NewDescription": "d"}),
        Exchange("ims:AddClientIdToOIDCProvider", {**_PROVIDER, "ClientId": "c"}),
        Exchange("ims:RemoveClientIdFromOIDCProvider", {**_PROVIDER, "ClientId": "c"}),
        Exchange("ims:AddFingerprintToOIDCProvider", {**_PROVIDER, "Fingerprint": "d" * 40}),
        Exchange("ims:RemoveFingerprintFromOIDCProvider", {**_PROVIDER, "Fingerprint": "d" * 40}),
        Exchange("ims:DeleteOIDCProvider", _PROVIDER),
    ]


def _clusters() -> list[Exchange]:
    pool = {
        "nodepool_info": {"name": "judged"},
        "scaling_group": {
            "vswitch_ids": ["{vswitch}"],
            "instance_types": ["ecs.g6.large"],
            "instance_charge_type": "PostPaid",
            "desired_size": 2,
            "tags": [{"Key": "judged", "Value": "yes"}],
            "disk_init": [{"disk_name": "/dev/vdb", "local_disk": False, "mkfs_type": "ext4"}],
        },
        "kubernetes_config": {
            "labels": [{"key": "a", "value": "b"}],
            "taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}],
        },
        "management": {"enable": True},
        "count": 2,
    }
    group = {"ScalingGroupId": "{behind}"}
    change = {"scaling_group": {"system_disk_size": 200, "disk_init": [{"disk_name": "/dev/vdc"}]}}
    return [
        Exchange(
            "cs:CreateCluster",
            body={
                "name": "judged",
                "region_id": "cn-shanghai",
                "cluster_type": "ManagedKubernetes",
                "vpcid": "{vpc}",
                "vswitch_ids": ["{vswitch}"],
                "addons": [{"name": "loongcollector", "config": "{}"}],
                "maintenance_window": {"enable": False},
            },
            keep={"own": "cluster_id", "making": "task_id"},
        ),
        Exchange("cs:DescribeTaskInfo", path={"task_id": "{making}"}, until="success"),
        Exchange("cs:DescribeClusterDetail", path=_OWN, until="running"),
        Exchange("cs:DescribeClusters"),
        Exchange("cs:DescribeClustersForRegion", path={"region": "cn-shanghai"}),
        Exchange("cs:DescribeClustersV1", {"name": "judged"}),
        Exchange(
            "cs:ModifyCluster",
            body={"deletion_protection": False},
            path=_OWN,
            keep={"changing": "task_id"},
        ),
        Exchange("cs:DescribeTaskInfo", path={"task_id": "{changing}"}, until="success"),
        Exchange("cs:DescribeClusterResources", path=_OWN),
        Exchange("cs:DescribeClusterEndpoints", path=_OWN),
        Exchange("cs:DescribeClusterUserKubeconfig", path=_OWN),
        Exchange(
            "cs:UpdateControlPlaneLog",
            body={"log_project": "p", "log_ttl": "30", "components": ["apiserver"]},
            path=_OWN,
        ),
        Exchange("cs:CheckControlPlaneLogEnable", path=_OWN),
        Exchange(
            "cs:UpdateClusterAuditLogConfig",
            body={"disable": False, "sls_project_name": "p"},
            path=_OWN,
        ),
        Exchange("cs:GetClusterAuditProject", path=_OWN),
        Exchange(
            "cs:UpdateKMSEncryption",
            body={"disable_encryption": False, "kms_key_id": "key-judged"},
            path=_OWN,
        ),
        Exchange("cs:ModifyClusterTags", body=[{"key": "a", "value": "b"}], path=_OWN),
        Exchange(
            "cs:DescribeKubernetesVersionMetadata",
            {"Region": "cn-shanghai", "ClusterType": "ManagedKubernetes"},
        ),
        Exchange(
            "cs:CreateAutoscalingConfig",
            body={"cool_down_duration": "10m", "expander": "least-waste"},
            path=_OWN,
        ),
        Exchange("cs:ListAddons"),
        Exchange("cs:DescribeAddon", path={"name": _ADDON}),
        Exchange(
            "cs:InstallClusterAddons", body=[{"name": _ADDON, "version": "1.2.22"}], path=_OWN
        ),
        Exchange("cs:ListClusterAddonInstances", path=_OWN),
        Exchange("cs:GetClusterAddonInstance", path={**_OWN, "name": _ADDON}),
        Exchange(
            "cs:UpgradeClusterAddons",
            body=[{"component_name": _ADDON, "next_version": "1.2.23"}],
            path=_OWN,
        ),
        Exchange(
            "cs:DescribeClusterAddonsUpgradeStatus",
            {"componentIds": json.dumps([_ADDON])},
            path=_OWN,
        ),
        Exchange("cs:ModifyClusterAddon", body={"config": "{}"}, path={**_OWN, "name": _ADDON}),
        Exchange("cs:UnInstallClusterAddons", body=[{"name": _ADDON}], path=_OWN),
        Exchange("cs:CreateClusterNodePool", body=pool, path=_OWN, keep={"pool": "nodepool_id"}),
        Exchange("cs:DescribeClusterNodePools", path=_OWN),
        Exchange(
            "cs:DescribeClusterNodePoolDetail",
            path=_POOL,
            keep={"behind": "scaling_group.scaling_group_id"},
        ),
        Exchange("cs:ModifyClusterNodePool", body=change, path=_POOL),
        Exchange(
            "cs:ModifyNodePoolNodeConfig", body={"kubelet_config": {"maxPods": 64}}, path=_POOL
        ),
        Exchange("cs:ScaleClusterNodePool", body={"count": 3}, path=_POOL),
        Exchange(
            "cs:DescribeClusterNodes",
            {"nodepool_id": "{pool}"},
            path=_OWN,
            keep={
                "one": "nodes.0.instance_id",
                "two": "nodes.1.instance_id",
                "three": "nodes.2.instance_id",
            },
            until="Ready",
        ),
        Exchange("ess:DescribeScalingInstances", group),
        Exchange("ess:DescribeScalingActivities", group),
        Exchange(
            "ess:ScaleWithAdjustment",
            {**group, "AdjustmentType": "QuantityChangeInCapacity", "AdjustmentValue": "1"},
        ),
        Exchange("ess:ModifyScalingGroup", {**group, "MinSize": "0", "MaxSize": "9"}),
        Exchange("ess:RemoveInstances", {**group, "InstanceId.1": "{three}"}),
        Exchange(
            "cs:RemoveNodePoolNodes",
            {"nodes": '["{one}"]', "release_node": "true"},
            path=_POOL,
            keep={"removing": "task_id"},
        ),
        Exchange(
            "cs:RemoveClusterNodes", body={"nodes": ["{two}"], "release_node": True}, path=_OWN
        ),
        Exchange("cs:CancelTask", path={"task_id": "{removing}"}),
        Exchange("cs:DeleteClusterNodepool", {"force": "true"}, path=_POOL),
        Exchange("cs:DescribeClusterNodePools", path=_OWN, until='"nodepools": []'),
        Exchange("cs:DeleteCluster", path=_OWN, keep={"ending": "task_id"}),
        Exchange("cs:DescribeTaskInfo", path={"task_id": "{ending}"}, until="success"),
        Exchange("vpc:DeleteVSwitch", {"VSwitchId": "{vswitch}"}, until="accepted"),
        Exchange("vpc:DeleteVpc", {"VpcId": "{vpc}"}, until="accepted"),
    ]


def _logs() -> list[Exchange]:
    query = {
        "type": "log",
        "from": "1",
        "to": "{now}",
        "query": "*",
        "line": "1",
        "offset": "0",
        "reverse": "false",
        "topic": "",
    }
    tags = {"resourceType": "PROJECT", "resourceId": ["judged-project"]}
    settings = {"logstoreName": "judged-store", "ttl": 7}
    return [
        Exchange("sls:CreateProject", body={"projectName": "judged-project", "description": "d"}),
        Exchange("sls:ListProject", {"projectName": "judged"}),
        Exchange("sls:GetProject", path=_PROJECT),
        Exchange("sls:UpdateProject", body={"description": "e"}, path=_PROJECT),
        Exchange("sls:CreateProjectPolicy", body={"Version": "1", "Statement": []}, path=_PROJECT),
        Exchange("sls:GetProjectPolicy", path=_PROJECT),
        Exchange("sls:DeleteProjectPolicy", path=_PROJECT),
        Exchange("sls:TagResources", body={**tags, "tags": [{"key": "a", "value": "b"}]}),
        Exchange(
            "sls:ListTagResources", {"resourceType": "PROJECT", "resourceId": '["judged-project"]'}
        ),
        Exchange("sls:UntagResources", body={**tags, "tags": ["a"]}),
        Exchange("sls:CreateLogStore", body={**settings, "shardCount": 2}, path=_PROJECT),
        Exchange("sls:ListLogStores", {"logstoreName": "judged"}, path=_PROJECT),
        Exchange("sls:GetLogStore", path=_STORE),
        Exchange("sls:UpdateLogStore", body=settings, path=_STORE),
        Exchange(
            "sls:UpdateLogStoreMeteringMode",
            body={"meteringMode": "ChargeByDataIngest"},
            path=_STORE,
        ),
        Exchange("sls:GetLogStoreMeteringMode", path=_STORE),
        Exchange("sls:ListShards", path=_STORE),
        Exchange("sls:CreateIndex", body=_INDEX, path=_STORE),
        Exchange("sls:GetIndex", path=_STORE),
        Exchange("sls:UpdateIndex", body=_INDEX, path=_STORE),
        Exchange("sls:PutLogs", body=_log_group(), path=_STORE),
        Exchange("sls:PutLogs", body=_log_group(), path=_STORE, way=1),
        Exchange(
            "sls:GetLogsV2",
            body={"from": 1, "to": 4102444800, "query": "*", "line": 1},
            path=_STORE,
        ),
        Exchange("sls:GetLogs", query, path=_STORE),
        Exchange("sls:DeleteIndex", path=_STORE),
        Exchange("sls:DeleteLogStore", path=_STORE),
        Exchange("sls:DeleteProject", path=_PROJECT),
    ]


def _setting(name: str, xml: str, *, deletable: bool = True) -> list[Exchange]:
    bucket = {"bucket": "judged-bucket"}
    calls = [
        Exchange(f"oss:PutBucket{name}", body=xml, path=bucket),
        Exchange(f"oss:GetBucket{name}", path=bucket),
    ]
    return [*calls, *([Exchange(f"oss:DeleteBucket{name}", path=bucket)] if deletable else [])]


def _objects() -> list[Exchange]:
    bucket, key = {"bucket": "judged-bucket"}, {"bucket": "judged-bucket", "key": "a/b"}
    parts = {"bucket": "judged-bucket", "key": "parts"}
    policy = {
        "Version": "1",
        "Statement": [
            {"Effect": "Deny", "Action": ["oss:PutBucket*"], "Principal": ["1"], "Resource": ["*"]}
        ],
    }
    encryption = "<ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>"
    cors = "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>"
    rule = "<Rule><ID>r</ID><Prefix>x/</Prefix><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>"
    tls = "<TLS><Enable>true</Enable><TLSVersion>TLSv1.2</TLSVersion><TLSVersion>TLSv1.3</TLSVersion></TLS>"
    logging = "<LoggingEnabled><TargetBucket>judged-bucket</TargetBucket><TargetPrefix>l/</TargetPrefix></LoggingEnabled>"
    referer = "<AllowEmptyReferer>true</AllowEmptyReferer><RefererList><Referer>https://a</Referer></RefererList>"
    tags = "<TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet>"
    payer = "<Payer>BucketOwner</Payer>"
    website = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>"
    gone = "<Delete><Quiet>false</Quiet><Object><Key>parts</Key></Object></Delete>"
    complete = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    upload = {"uploadId": "{upload}"}
    return [
        Exchange("oss:PutBucket", path=bucket),
        Exchange("oss:ListBuckets", {"prefix": "judged"}),
        Exchange("oss:GetBucketInfo", path=bucket),
        Exchange("oss:GetBucketLocation", path=bucket),
        Exchange("oss:PutBucketAcl", path=bucket, headers={"x-oss-acl": "private"}),
        Exchange("oss:GetBucketAcl", path=bucket),
        Exchange("oss:PutBucketPolicy", body=json.dumps(policy), path=bucket),
        Exchange("oss:GetBucketPolicy", path=bucket),
        Exchange("oss:DeleteBucketPolicy", path=bucket),
        *_setting("Cors", f"<CORSConfiguration>{cors}</CORSConfiguration>"),
        *_setting("Website", f"<WebsiteConfiguration>{website}</WebsiteConfiguration>"),
        *_setting("Lifecycle", f"<LifecycleConfiguration>{rule}</LifecycleConfiguration>"),
        *_setting(
            "Encryption", f"<ServerSideEncryptionRule>{encryption}</ServerSideEncryptionRule>"
        ),
        *_setting(
            "HttpsConfig", f"<HttpsConfiguration>{tls}</HttpsConfiguration>", deletable=False
        ),
        *_setting(
            "TransferAcceleration",
            "<TransferAccelerationConfiguration><Enabled>true</Enabled></TransferAccelerationConfiguration>",
            deletable=False,
        ),
        *_setting("Logging", f"<BucketLoggingStatus>{logging}</BucketLoggingStatus>"),
        *_setting(
            "Referer", f"<RefererConfiguration>{referer}</RefererConfiguration>", deletable=False
        ),
        *_setting("Tagging", f"<Tagging>{tags}</Tagging>"),
        *_setting(
            "AccessMonitor",
            "<AccessMonitorConfiguration><Status>Enabled</Status></AccessMonitorConfiguration>",
            deletable=False,
        ),
        *_setting(
            "RequestPayment",
            f"<RequestPaymentConfiguration>{payer}</RequestPaymentConfiguration>",
            deletable=False,
        ),
        *_setting(
            "PublicAccessBlock",
            "<PublicAccessBlockConfiguration><BlockPublicAccess>true</BlockPublicAccess></PublicAccessBlockConfiguration>",
        ),
        *_setting(
            "ResourceGroup",
            "<BucketResourceGroupConfiguration><ResourceGroupId>rg-1</ResourceGroupId></BucketResourceGroupConfiguration>",
            deletable=False,
        ),
        Exchange(
            "oss:PutObject",
            body=b"content",
            path=key,
            headers={"x-oss-meta-a": "b", "x-oss-tagging": "a=b"},
        ),
        Exchange("oss:GetObject", path=key),
        Exchange("oss:HeadObject", path=key),
        Exchange("oss:GetObjectMeta", path=key),
        Exchange("oss:PutObjectAcl", path=key, headers={"x-oss-object-acl": "private"}),
        Exchange("oss:GetObjectAcl", path=key),
        Exchange("oss:GetObjectTagging", path=key),
        Exchange("oss:ListObjects", {"delimiter": "/"}, path=bucket),
        Exchange("oss:ListObjects", {"list-type": "2", "fetch-owner": "true"}, path=bucket),
        Exchange("oss:ListObjectVersions", path=bucket),
        Exchange("oss:GetBucketStat", path=bucket),
        Exchange("oss:InitiateMultipartUpload", path=parts, keep={"upload": "UploadId"}),
        Exchange("oss:UploadPart", {**upload, "partNumber": "1"}, body=b"part", path=parts),
        Exchange("oss:ListParts", upload, path=parts, keep={"etag": "ETag"}),
        Exchange("oss:ListMultipartUploads", path=bucket),
        Exchange("oss:CompleteMultipartUpload", upload, body=complete, path=parts),
        Exchange("oss:InitiateMultipartUpload", path=parts, keep={"upload": "UploadId"}),
        Exchange("oss:AbortMultipartUpload", upload, path=parts),
        Exchange("oss:DeleteMultipleObjects", body=gone, path=bucket),
        Exchange("oss:DeleteObject", path=key),
        *_setting(
            "Versioning",
            "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>",
            deletable=False,
        ),
        Exchange("oss:DeleteBucket", path=bucket),
    ]


EXCHANGES = [*_network(), *_identity(), *_clusters(), *_logs(), *_objects()]
