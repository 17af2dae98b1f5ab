"""Every client family: the right signature works, a wrong one is 403 with the service's own code,
an unknown call is 501.
"""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

import oss2
import pytest
from alibabacloud_cs20151215 import models as cs_models
from alibabacloud_cs20151215.client import Client as CsClient
from alibabacloud_ram20150501 import models as ram_models
from alibabacloud_ram20150501.client import Client as RamClient
from alibabacloud_sls20201230 import models as sls_models
from alibabacloud_sls20201230.client import Client as SlsClient
from alibabacloud_sts20150401.client import Client as StsClient
from aliyunsdkcore.acs_exception.exceptions import ServerException

from lab.testing import clients
from lab.testing.cloud import CLUSTER, CloudDouble

CS = "cs.cn-shanghai.aliyuncs.com"


def _cs(lab: CloudDouble, pair: tuple[str, str] | None = None) -> Any:

    return CsClient(clients.tea_config(lab, CS, pair))


def _failure(lab: CloudDouble, call: Any) -> tuple[int, str]:
    with pytest.raises(Exception) as caught:
        call()
    error: Any = caught.value
    status = (
        getattr(error, "statusCode", None)
        or getattr(error, "status_code", None)
        or error.data.get("statusCode")
    )
    return int(status), error.code


def test_container_service_sdk_reads_the_cluster_of_the_fresh_lab(lab: CloudDouble) -> None:
    answer = _cs(lab).describe_cluster_detail_with_options(CLUSTER, {}, clients.runtime(lab))
    assert (
        answer.status_code,
        answer.body.name,
        answer.body.state,
        answer.body.current_version,
    ) == (
        200,
        "lab",
        "running",
        "1.36.3-aliyun.1",
    )
    rrsa = json.loads(answer.body.meta_data)["RRSAConfig"]
    assert rrsa["enabled"] is True and rrsa["oidc_arn"].endswith(
        f":oidc-provider/ack-rrsa-{CLUSTER}"
    )


def test_acs3_with_a_wrong_secret_is_refused_with_403(lab: CloudDouble) -> None:
    client = _cs(lab, clients.keys(lab, "wrong"))
    failure = _failure(
        lab, lambda: client.describe_cluster_detail_with_options(CLUSTER, {}, clients.runtime(lab))
    )
    assert failure == (403, "SignatureDoesNotMatch")


def test_unknown_container_service_call_is_501_and_named(lab: CloudDouble) -> None:

    request = cs_models.DescribeEventsForRegionRequest()
    with pytest.raises(Exception, match="DescribeEventsForRegion GET") as caught:
        _cs(lab).describe_events_for_region_with_options(
            "cn-shanghai", request, {}, clients.runtime(lab)
        )
    error: Any = caught.value
    assert (error.data["statusCode"], error.code) == (501, "NotImplemented")


def test_ram_sdk_creates_reads_and_deletes_a_role(lab: CloudDouble) -> None:

    client, trust = (
        RamClient(clients.tea_config(lab, "ram.aliyuncs.com")),
        json.dumps(
            {
                "Version": "1",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": "sts:AssumeRole",
                        "Principal": {"RAM": ["acs:ram::1234567890123456:root"]},
                    }
                ],
            }
        ),
    )
    made = client.create_role_with_options(
        ram_models.CreateRoleRequest(role_name="sdk-role", assume_role_policy_document=trust),
        clients.runtime(lab),
    )
    assert made.body.role.arn == "acs:ram::1234567890123456:role/sdk-role"
    read = client.get_role_with_options(
        ram_models.GetRoleRequest(role_name="sdk-role"), clients.runtime(lab)
    )
    assert json.loads(str(read.body.role.assume_role_policy_document)) == json.loads(trust)
    client.delete_role_with_options(
        ram_models.DeleteRoleRequest(role_name="sdk-role"), clients.runtime(lab)
    )
    failure = _failure(
        lab,
        lambda: client.get_role_with_options(
            ram_models.GetRoleRequest(role_name="sdk-role"), clients.runtime(lab)
        ),
    )
    assert failure == (404, "EntityNotExist.Role")


def test_sts_sdk_says_who_calls(lab: CloudDouble) -> None:

    body = (
        StsClient(clients.tea_config(lab, "sts.cn-shanghai.aliyuncs.com"))
        .get_caller_identity_with_options(clients.runtime(lab))
        .body
    )
    assert (body.account_id, body.identity_type) == ("1234567890123456", "RAMUser")


def test_sts_sdk_with_a_wrong_secret_is_refused_with_403(lab: CloudDouble) -> None:

    client = StsClient(
        clients.tea_config(lab, "sts.cn-shanghai.aliyuncs.com", clients.keys(lab, "wrong"))
    )
    assert _failure(lab, lambda: client.get_caller_identity_with_options(clients.runtime(lab))) == (
        403,
        "SignatureDoesNotMatch",
    )


def test_rpc_signed_in_the_query_works(lab: CloudDouble) -> None:
    answer = clients.rpc(
        lab,
        "location.aliyuncs.com",
        "2015-06-12",
        "DescribeEndpoints",
        ServiceCode="cs",
        Id="cn-shanghai",
    )
    assert answer["Endpoints"] == {"Endpoint": []} and answer["Success"] is True


def test_rpc_signed_with_a_wrong_secret_is_refused_with_403(lab: CloudDouble) -> None:
    with pytest.raises(ServerException) as caught:
        clients.rpc(lab, "ram.aliyuncs.com", "2015-05-01", "ListRoles", clients.keys(lab, "wrong"))
    assert caught.value.http_status == 403 and caught.value.error_code == "SignatureDoesNotMatch"


def test_rpc_with_an_unknown_key_is_told_so_as_the_cloud_does(lab: CloudDouble) -> None:
    with pytest.raises(ServerException) as caught:
        clients.rpc(lab, "ram.aliyuncs.com", "2015-05-01", "ListRoles", ("LTAI5tNobody", "x"))
    assert (caught.value.http_status, caught.value.error_code) == (
        404,
        "InvalidAccessKeyId.NotFound",
    )


def test_unknown_rpc_action_is_501_and_named(lab: CloudDouble) -> None:
    with pytest.raises(ServerException, match="ram:CreateGroup") as caught:
        clients.ram(lab, "CreateGroup", GroupName="x")
    assert caught.value.http_status == 501


def test_roa_signed_with_acs_works_with_query_and_body(lab: CloudDouble) -> None:
    page = clients.roa(
        lab,
        "GET",
        "/regions/cn-shanghai/clusters",
        cluster_id=CLUSTER,
        page_size="50",
        page_number="1",
    )
    assert [c["cluster_id"] for c in page["clusters"]] == [CLUSTER]
    assert (
        clients.roa(
            lab,
            "POST",
            f"/cluster/{CLUSTER}/autoscale/config/",
            {"scaler_type": "cluster-autoscaler", "expander": "least-waste"},
        )
        == {}
    )


def test_roa_with_a_wrong_secret_is_refused_with_403(lab: CloudDouble) -> None:
    with pytest.raises(ServerException) as caught:
        clients.roa(lab, "GET", "/clusters", pair=clients.keys(lab, "wrong"))
    assert (caught.value.http_status, caught.value.error_code) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("auth", [oss2.Auth, oss2.AuthV4], ids=["V1", "V4"])
def test_oss_signature_is_verified(lab: CloudDouble, auth: Any) -> None:
    own = clients.bucket(lab, f"signed-{auth.__name__.lower()}", auth(*clients.keys(lab)))
    own.create_bucket()
    own.put_object("a b/ü+c&d=e.txt", b"text", headers={"x-oss-meta-note": "n"})
    assert own.get_object("a b/ü+c&d=e.txt").read() == b"text"
    assert [o.key for o in oss2.ObjectIterator(own, prefix="a b/")] == ["a b/ü+c&d=e.txt"]
    url = own.sign_url("GET", "a b/ü+c&d=e.txt", 60)
    assert clients.https(lab, "GET", url.split("/")[2], "/" + url.split("/", 3)[3])[2] == b"text"
    wrong = clients.bucket(lab, own.bucket_name, auth(*clients.keys(lab, "wrong")))
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        wrong.get_object("a b/ü+c&d=e.txt")
    assert (caught.value.status, caught.value.code) == (403, "SignatureDoesNotMatch")


def test_oss_with_an_unknown_key_is_403(lab: CloudDouble) -> None:
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        clients.bucket(lab, "whatever", oss2.AuthV4("LTAInobody", "x")).get_bucket_info()
    assert (caught.value.status, caught.value.code) == (403, "InvalidAccessKeyId")


def test_unknown_oss_call_is_501_and_named(lab: CloudDouble) -> None:
    own = clients.bucket(lab, "unknown-call")
    own.create_bucket()
    with pytest.raises(oss2.exceptions.ServerError) as caught:
        own.list_bucket_inventory_configurations()
    assert caught.value.status == 501 and "GET bucket?inventory" in caught.value.message


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_log_sdk_lists_projects_and_is_refused_with_a_wrong_secret(
    lab: CloudDouble, version: str
) -> None:

    def client(secret: str | None = None) -> Any:
        config = clients.tea_config(lab, "cn-shanghai.log.aliyuncs.com", clients.keys(lab, secret))
        config.signature_version = version
        return SlsClient(config)

    request = sls_models.ListProjectRequest(project_name=f"k8s-log-{CLUSTER}")
    found = client().list_project_with_options(request, {}, clients.runtime(lab)).body.projects
    assert [p.project_name for p in found] == [f"k8s-log-{CLUSTER}"]
    failure = _failure(
        lab, lambda: client("wrong").list_project_with_options(request, {}, clients.runtime(lab))
    )
    assert failure == (403, "SignatureNotMatch")


def test_log_service_takes_hmac_sha1_too(lab: CloudDouble) -> None:
    host = f"k8s-log-{CLUSTER}.cn-shanghai.log.aliyuncs.com"
    status, body = clients.log_sha1(lab, "GET", host, "/logstores")
    assert (status, body["count"], sorted(body["logstores"])) == (
        200,
        2,
        ["alb_ingress", "nginx-ingress"],
    )
    status, body = clients.log_sha1(lab, "GET", host, "/logstores", secret="wrong")
    assert (status, body["errorCode"]) == (403, "SignatureNotMatch")


def test_unknown_log_call_is_501_and_named(lab: CloudDouble) -> None:
    status, body = clients.log_sha1(
        lab, "GET", f"k8s-log-{CLUSTER}.cn-shanghai.log.aliyuncs.com", "/dashboards"
    )
    assert status == 501 and "/dashboards" in body["errorMessage"]


def test_names_are_certified_one_by_one_by_the_labs_ca_only(lab: CloudDouble) -> None:
    assert clients.https(lab, "GET", "anything-at-all.oss-cn-shanghai.aliyuncs.com", "/")[0] == 404
    distrusting = http.client.HTTPSConnection(
        "cs.cn-shanghai.aliyuncs.com",
        443,
        context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        timeout=1500,
    )
    with pytest.raises(ssl.SSLCertVerificationError):
        distrusting.request("GET", "/")
