"""The table of ingress-nginx's annotations against its own parser's verdicts; what the lab makes of
Ingresses, without a lab.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from lab.controlplane import ingress_annotations, ingress_routes, ingress_watch
from lab.controlplane.ingress_annotations import PREFIX, table
from lab.controlplane.log_lines import ingress_key
from lab.kube import KubeError
from lab.testing.figures import figure

VERDICTS = json.loads(
    (pathlib.Path(__file__).parent / "data" / "ingress-nginx-verdicts.json").read_text()
)


def ingress(
    name: str = "bert",
    kind: str = "nginx",
    host: str = "bert.test",
    path: str = "/v1/models",
    tls: str = "",
    **more: str,
) -> dict[str, Any]:
    backend = {"service": {"name": "bert", "port": {"number": 8501}}}
    rules = [
        {
            "host": host,
            "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]},
        }
    ]
    meta = {
        "name": name,
        "namespace": "inf",
        "creationTimestamp": f"2026-11-30T00:00:0{len(name)}Z",
        "annotations": {**more},
    }
    return {
        "metadata": meta,
        "spec": {
            "ingressClassName": kind,
            "rules": rules,
            **({"tls": [{"secretName": tls}]} if tls else {}),
        },
    }


def nginx(**more: str) -> dict[str, str]:
    return {PREFIX + name.replace("_", "-"): value for name, value in more.items()}


def no_secret(namespace: str, name: str) -> None:
    return None


def users(namespace: str, name: str) -> dict[str, Any]:
    return {"data": {"auth": "dTp4"}}


def said(
    one: dict[str, Any], *others: dict[str, Any], secrets: Any = no_secret
) -> list[tuple[str, str]]:
    return [
        (remark.reason, remark.message)
        for remark in ingress_routes.remarks(one, [one, *others], secrets)
    ]


def test_the_table_has_every_annotation_its_risk_and_whether_a_wrong_value_is_refused() -> None:
    theirs = {name: (row["risk"], row["refused"]) for name, row in VERDICTS["annotations"].items()}
    assert {name: (row.risk, row.refused) for name, row in table().items()} == theirs
    assert VERDICTS["version"] == ingress_annotations.VERSION


def test_the_table_takes_the_values_that_ingress_nginxs_parser_takes_and_no_others() -> None:
    asked, wrong = 0, []
    for name, row in VERDICTS["annotations"].items():
        for number, value in enumerate(VERDICTS["values"]):
            if table()[name].critical:
                continue
            asked += 1
            if table()[name].takes(value) != (number not in row["bad"]):
                wrong.append((name, value))
    assert wrong == []
    figure(
        f"{asked} verdicts of ingress-nginx's parser on {len(VERDICTS['annotations'])} annotations: 0 differ"
    )


def test_every_row_says_what_the_lab_does() -> None:
    for row in table().values():
        assert row.lab in ("enforced", "differs", "ignored") and row.nginx, row.name
        assert row.note or row.lab != "differs", f"{row.name}: what differs?"
        assert row.pattern() is not None or row.valid in ingress_annotations.KINDS, row.name


def test_the_page_is_up_to_date() -> None:
    assert ingress_annotations.PAGE.read_text() == ingress_annotations.page(), (
        "python -m lab.controlplane.ingress_annotations"
    )


@pytest.mark.parametrize(
    ("annotations", "reason", "words"),
    [
        (nginx(limit_rate="5"), "NotEnforced", "KiB a second"),
        (nginx(limit_rsp="5"), "Unknown", "no such annotation"),
        (nginx(proxy_body_size="8x"), "InvalidValue", "takes its default"),
        (nginx(limit_rps="many"), "InvalidValue", "refuses the Ingress"),
        (nginx(satisfy="any"), "NotEnforced", "asks for both"),
        (
            nginx(auth_type="basic", auth_secret="users"),
            "Denied",
            "503, as ingress-nginx does: there is no Secret inf/users",
        ),
        (nginx(auth_type="basic"), "Denied", "without auth-secret"),
        (nginx(auth_type="basic", auth_secret="other/users"), "Denied", "another namespace"),
        (nginx(auth_tls_secret="inf/ca"), "Denied", "403"),
        (
            {"alb.ingress.kubernetes.io/listen-ports": "[]"},
            "NotRead",
            "ingress-nginx does not read it",
        ),
    ],
)
def test_what_a_cluster_would_do_otherwise_is_said_with_the_annotations_name(
    annotations: dict[str, str], reason: str, words: str
) -> None:
    found = said(ingress(**annotations))
    assert [one for one in found if one[0] == reason and words in one[1]], found


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        nginx(proxy_body_size="8m", proxy_read_timeout="60"),
        nginx(satisfy="all"),
        nginx(limit_connections="4"),
        nginx(proxy_next_upstream="error timeout", proxy_next_upstream_timeout="60"),
    ],
)
def test_nothing_is_said_of_what_is_enforced(annotations: dict[str, str]) -> None:
    assert said(ingress(**annotations)) == []


def test_a_missing_certificate_and_a_host_and_path_of_another_are_said() -> None:
    assert [reason for reason, _ in said(ingress(tls="bert-tls"))] == ["NoCertificate"]
    elder, younger = ingress("a"), ingress("other")
    assert said(elder, younger) == []
    ((reason, message),) = said(younger, elder)
    assert reason == "Overlap" and "already defined in ingress inf/a" in message
    assert said(ingress("other", **nginx(canary="true")), elder) == []


def test_an_alb_reads_no_annotation_of_ingress_nginx_and_listens_where_it_is_told() -> None:
    one = ingress(
        kind="alb",
        **nginx(proxy_body_size="1k"),
        **{"alb.ingress.kubernetes.io/listen-ports": '[{"HTTPS":443},{"HTTP":8080}]'},
    )
    assert {reason for reason, _ in said(one)} == {"NotRead", "NotEnforced"}
    routers = ingress_routes.dynamic([one], no_secret)["http"]["routers"]
    served = {name: router["service"] for name, router in routers.items()}
    assert served == {
        "inf/bert/alb/0/0/web": "nobody",
        "inf/bert/alb/0/0/websecure": "inf-bert-bert-8501@kubernetesingressnginx",
    }
    assert not any("middlewares" in router for router in routers.values())


def test_a_router_that_the_lab_adds_counts_for_its_ingress_in_the_access_log() -> None:
    routers = ingress_routes.dynamic(
        [ingress(**nginx(auth_type="basic", auth_secret="gone"))], no_secret
    )["http"]["routers"]
    assert {ingress_key({"RouterName": f"{name}@file"}) for name in routers} == {("inf", "bert")}
    assert ingress_key({"RouterName": "limits@file"}) is None
    assert (
        "routers"
        not in ingress_routes.dynamic(
            [ingress(**nginx(auth_type="basic", auth_secret="users"))], users
        )["http"]
    )


@pytest.mark.parametrize(("value", "rewrites"), [("5", True), ("0", False), ("", False)])
def test_answers_are_rewritten_only_while_an_ingress_has_a_limit(
    value: str, rewrites: bool
) -> None:
    limits = ingress_routes.dynamic([ingress(**nginx(limit_rps=value))], no_secret)["http"][
        "middlewares"
    ]["limits"]["errors"]
    assert (limits.get("statusRewrites") == {"429": 503}) is rewrites


@pytest.mark.parametrize(("status", "written"), [(404, True), (403, False), (500, False)])
def test_only_a_secret_that_is_not_there_denies_its_ingress(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, status: int, written: bool
) -> None:
    """An API server that can't answer now must not turn every request into 503."""
    one = ingress(**nginx(auth_type="basic", auth_secret="users"))
    one["metadata"] |= {"uid": "u", "resourceVersion": "1"}

    class Api:
        def __init__(self, *_: Any, **__: Any) -> None: ...

        def get(self, path: str) -> Any:
            if "/secrets/" in path:
                raise KubeError(status, "", "no")
            return {"items": [one]}

        def request(self, method: str, path: str, body: Any = None) -> Any:
            """The events at the Ingress are taken."""

    monkeypatch.setattr(ingress_watch, "BlockingKube", Api)
    ingress_watch.prepare(tmp_path)
    try:
        ingress_watch.Watch(tmp_path).reconcile()
    except KubeError as error:
        assert error.status == status and not written
    assert (
        "inf/bert/denied/0/0/web" in ingress_watch.configuration(tmp_path).read_text()
    ) is written
