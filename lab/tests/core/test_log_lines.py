"""From traefik's lines, as recorded, to the logs that ACK's collector would ship."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from lab.controlplane.log_lines import ingress_key, log_of
from lab.controlplane.log_shipper import Follower, parse

LINES = [
    json.loads(line)
    for line in (pathlib.Path(__file__).parent / "data" / "traefik-access.log")
    .read_text()
    .splitlines()
]


def ingress(*paths: tuple[str, str, Any], host: str = "") -> dict[str, Any]:
    entries = []
    for path, service, port in paths:
        number = {"number": port} if isinstance(port, int) else {"name": port}
        entries.append(
            {
                "path": path,
                "pathType": "Prefix",
                "backend": {"service": {"name": service, "port": number}},
            }
        )
    return {"spec": {"rules": [{"host": host, "http": {"paths": entries}}]}}


def line(status: int, **changes: Any) -> dict[str, Any]:
    (found,) = [
        entry
        for entry in LINES
        if entry["DownstreamStatus"] == status
        and entry.get("KubernetesServiceName") in (None, "bert")
    ]
    return {**found, **changes}


def test_a_request_gets_ingress_nginx_names_and_units() -> None:
    moment, fields = log_of(line(200), ingress(("/", "bert", 8501), host="bert.example.com"))
    assert moment == 1795381302  # 2026-11-22T21:01:42Z
    assert fields["proxy_upstream_name"] == "inf-bert-8501"
    assert fields["proxy_alternative_upstream_name"] == ""
    assert (fields["method"], fields["url"], fields["status"], fields["host"]) == (
        "GET",
        "/v1/models/bert",
        "200",
        "bert.example.com",
    )
    assert fields["request_time"] == "0.002" and fields["upstream_response_time"] == "0.001"
    assert fields["upstream_addr"] == "10.244.1.3:8501"
    assert all(isinstance(value, str) for value in fields.values())


def test_a_canary_request_counts_for_the_primary() -> None:
    (canary,) = [entry for entry in LINES if entry.get("KubernetesServiceName") == "bert-canary"]
    _, fields = log_of(canary, ingress(("/", "bert", 8501), host="lim.example.com"))
    assert fields["proxy_upstream_name"] == "inf-bert-8501"
    assert (
        fields["proxy_alternative_upstream_name"] == "inf-bert-canary-http"
    )  # as its Ingress writes the port


@pytest.mark.parametrize("status", [429, 401])
def test_a_request_that_a_middleware_answered_counts_for_its_rules_backend(status: int) -> None:
    entry = line(status)
    assert ingress_key(entry) is not None
    _, fields = log_of(entry, ingress(("/", "bert", 8501)))
    assert fields["proxy_upstream_name"] == "inf-bert-8501"
    assert fields["upstream_addr"] == "-" and fields["status"] == str(status)


def test_an_unknown_host_is_the_default_backends() -> None:
    assert ingress_key(line(404)) is None
    assert log_of(line(404), None)[1]["proxy_upstream_name"] == "upstream-default-backend"


def test_a_port_given_by_name_stays_a_name() -> None:
    _, fields = log_of(
        line(200, KubernetesServicePort="http-serving"), ingress(("/", "bert", "http-serving"))
    )
    assert fields["proxy_upstream_name"] == "inf-bert-http-serving"


def test_the_longest_path_of_the_most_exact_host_wins() -> None:
    rules = ingress(
        ("/", "other", 80),
        ("/v1/models", "models", 80),
        ("/v1/mod", "no", 80),
        host="bert.example.com",
    )
    rules["spec"]["rules"].append(ingress(("/v1/models/bert", "any-host", 80))["spec"]["rules"][0])
    assert (
        log_of(line(503, RequestPath="/v1/models/bert?x=1"), rules)[1]["proxy_upstream_name"]
        == "inf-models-80"
    )


def test_without_the_ingress_object_the_lines_own_service_counts() -> None:
    assert log_of(line(200), None)[1]["proxy_upstream_name"] == "inf-bert-8501"


class NoIngress:
    """An API server without Ingresses."""

    def get(self, key: Any) -> None:
        return None


def test_a_line_that_is_no_request_is_dropped_and_the_others_stay() -> None:
    raw = [b"{\n", b"[]\n", json.dumps(line(200)).encode() + b"\n"]
    assert {
        store: [fields["status"] for _, fields in logs]
        for store, logs in parse(raw, NoIngress()).items()
    } == {"nginx-ingress": ["200"]}


def test_requests_of_class_alb_go_to_its_own_logstore_by_the_name_its_metric_counts() -> None:
    class Known:
        def get(self, key: Any) -> Any:
            return {
                "spec": {**ingress(("/v1/models", "bert", 8501))["spec"], "ingressClassName": "alb"}
            }

    raw = [
        json.dumps(
            line(200, RequestPath="/v1/models/m:predict", KubernetesIngressNamespace="inference")
        ).encode()
        + b"\n"
    ]
    ((store, ((_, fields),)),) = parse(raw, Known()).items()
    assert (store, fields["slb_pool_name"], fields["status"]) == (
        "alb_ingress",
        "inference-bert-8501",
        "200",
    )
    assert "proxy_upstream_name" not in fields


def test_the_follower_gives_whole_lines_only_and_goes_on_where_it_was_acknowledged(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"one\ntwo\nthr")
    first = Follower(path)
    assert first.lines(10) == [b"one\n", b"two\n"]
    first.acknowledge()
    with path.open("ab") as stream:
        stream.write(b"ee\nfour\n")
    assert first.lines(10) == [b"three\n", b"four\n"]
    again = Follower(path)  # as after a restart: what was not acknowledged comes again
    assert again.lines(1) == [b"three\n"]
    again.back([b"three\n"])
    assert again.lines(10) == [b"three\n", b"four\n"]


def test_the_follower_changes_to_a_new_file_without_losing_the_old_ones_last_lines(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(b"old 1\n")
    follower = Follower(path)
    with path.open("ab") as writer:
        assert follower.lines(10) == [b"old 1\n"]
        path.rename(tmp_path / "access.log.1")
        assert follower.lines(10) == []
        path.write_bytes(b"new 1\n")
        assert follower.lines(10) == []  # sees the new file; looks once more at the old one
        writer.write(b"old 2\n")
        writer.flush()
        assert follower.lines(10) == [b"old 2\n"]
    got = [follower.lines(10) for _ in range(3)]
    assert [b"new 1\n"] in got
