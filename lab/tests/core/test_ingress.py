"""What ingress-nginx's annotations do, asked through the lab's real ingress; and what its webhook
refuses, asked of the API server.

Judge: https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/ (each
test names its rule) and its own parser's verdicts (data/ingress-nginx-verdicts.json). `SHOWN` is
held against the table that lab/docs/ingress.md is made from.
"""

from __future__ import annotations

import base64
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import pki
from lab.controlplane.ingress_annotations import PREFIX, table
from lab.kube import BlockingKube, KubeError
from lab.testing.figures import figure
from lab.testing.lab import ROOT, Lab
from lab.tests.core.test_ingress_annotations import VERDICTS, nginx

SPACE, BACKEND, DEAD = "ingress", "10.244.250.1", "10.244.250.2"
MIB = 1 << 20
SNIPPETS = (
    "configuration-snippet",
    "server-snippet",
    "stream-snippet",
    "auth-snippet",
    "modsecurity-snippet",
)
SHOWN = {
    *SNIPPETS, "allowlist-source-range", "whitelist-source-range", "denylist-source-range", "auth-type", "auth-secret", "auth-realm",
    "enable-cors", "proxy-body-size", "proxy-next-upstream", "proxy-next-upstream-tries", "proxy-read-timeout", "limit-connections",
    "limit-rps", "limit-rpm", "limit-burst-multiplier", "permanent-redirect", "rewrite-target", "use-regex", "ssl-redirect",
    "force-ssl-redirect", "upstream-vhost",
}  # fmt: skip
HTTPS_ONLY = {"alb.ingress.kubernetes.io/listen-ports": '[{"HTTPS":443}]'}
# host: (annotations, class, TLS Secret, Service)
INGRESSES: dict[str, tuple[dict[str, str], str, str, str]] = {
    "plain": ({}, "nginx", "", "back"),
    "body": (nginx(proxy_body_size="2m"), "nginx", "", "back"),
    "nolimit": (nginx(proxy_body_size="0"), "nginx", "", "back"),
    "read": (nginx(proxy_read_timeout="1"), "nginx", "", "back"),
    "next": (
        nginx(proxy_next_upstream="error timeout non_idempotent", proxy_next_upstream_tries="2"),
        "nginx",
        "",
        "half",
    ),
    "nonext": (nginx(proxy_next_upstream="off"), "nginx", "", "half"),
    "auth": (
        nginx(auth_type="basic", auth_secret="users", auth_realm="Predictions"),
        "nginx",
        "",
        "back",
    ),
    "gone": (nginx(auth_type="basic", auth_secret="nosuch"), "nginx", "", "back"),
    "rps": (nginx(limit_rps="1", limit_burst_multiplier="1"), "nginx", "", "back"),
    "rpm": (nginx(limit_rpm="1", limit_burst_multiplier="2"), "nginx", "", "back"),
    "connections": (nginx(limit_connections="1"), "nginx", "", "back"),
    "white": (nginx(whitelist_source_range="192.0.2.0/24"), "nginx", "", "back"),
    "allow": (nginx(allowlist_source_range="192.0.2.0/24,10.0.0.0/8"), "nginx", "", "back"),
    "deny": (nginx(denylist_source_range="192.0.2.0/24,10.0.0.0/8"), "nginx", "", "back"),
    "denyother": (nginx(denylist_source_range="192.0.2.0/24"), "nginx", "", "back"),
    "tls": ({}, "nginx", "certificate", "back"),
    "notls": ({}, "nginx", "nosuch", "back"),
    "noredirect": (nginx(ssl_redirect="false"), "nginx", "certificate", "back"),
    "force": (nginx(force_ssl_redirect="true"), "nginx", "", "back"),
    "moved": (nginx(permanent_redirect="https://example.com/new"), "nginx", "", "back"),
    "rewrite": (nginx(rewrite_target="/other", use_regex="true"), "nginx", "", "back"),
    "vhost": (nginx(upstream_vhost="inner.test"), "nginx", "", "back"),
    "cors": (nginx(enable_cors="true"), "nginx", "", "back"),
    "alb": (nginx(proxy_body_size="1k"), "alb", "", "back"),
    "albsecure": (HTTPS_ONLY, "alb", "certificate", "back"),
    "loud": (nginx(limit_rate="5", limit_rsp="5", proxy_body_size="8x"), "nginx", "", "back"),
    "nopods": ({}, "nginx", "", "nobody"),
}


class Asked:
    """The lab with the Ingresses, as a client outside and as the API server's administrator."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.port = lab, lab.ports["LAB_INGRESS_PORT"]
        self.kube = BlockingKube(lab.home / "kubeconfig-host")

    def ask(
        self, host: str, path: str = "/x", method: str = "GET", body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """(status, headers, what the backend says it got, or the text)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(
                method,
                path,
                body,
                {"Host": f"{host}.test", **named},
                encode_chunked="Transfer-Encoding" in named,
            )
            answer = connection.getresponse()
            raw = answer.read()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return (
            answer.status,
            found,
            json.loads(raw) if found.get("content-type") == "application/json" else raw.decode(),
        )

    def count(self, key: str) -> int:
        """Requests with this X-Key that the backend got."""
        return self.ask("plain", f"/count/{key}")[2]["count"]

    def until(self, host: str, status: int, **asked: Any) -> tuple[int, dict[str, str], Any]:
        """The first answer with this status: the controller takes what is written a moment
        later.
        """
        return wait(lambda: self.ask(host, **asked), lambda answer: answer[0] == status)

    def apply(self, kind: str, document: dict[str, Any], dry: bool = False) -> None:
        """Create or change an object of the test's namespace."""
        name = document["metadata"]["name"]
        path = f"{PLACES[kind]}/{name}?fieldManager=test&force=true{'&dryRun=All' if dry else ''}"
        self.kube.request("PATCH", path, {"kind": kind, **document}, "application/apply-patch+yaml")


PLACES = {
    "Namespace": "/api/v1/namespaces",
    "Service": f"/api/v1/namespaces/{SPACE}/services",
    "Secret": f"/api/v1/namespaces/{SPACE}/secrets",
    "EndpointSlice": f"/apis/discovery.k8s.io/v1/namespaces/{SPACE}/endpointslices",
    "Ingress": f"/apis/networking.k8s.io/v1/namespaces/{SPACE}/ingresses",
}


def wait(look: Callable[[], Any], good: Callable[[Any], bool], seconds: float = 60) -> Any:
    """What `look` sees once that is good."""
    end = time.monotonic() + seconds
    while not good(seen := look()):
        assert time.monotonic() < end, f"still {seen} after {seconds:.0f} s"
        time.sleep(0.1)
    return seen


def document(
    name: str,
    annotations: dict[str, str],
    kind: str = "nginx",
    tls: str = "",
    service: str = "back",
    path: str = "/",
) -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": 8501}}}
    host = f"{name}.test"
    spec: dict[str, Any] = {
        "ingressClassName": kind,
        "rules": [
            {
                "host": host,
                "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]},
            }
        ],
    }
    if tls:
        spec["tls"] = [{"hosts": [host], "secretName": tls}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "metadata": {"name": name, "annotations": annotations},
        "spec": spec,
    }


def secret(name: str, kind: str, **data: bytes) -> dict[str, Any]:
    encoded = {
        key.replace("_", "."): base64.b64encode(value).decode() for key, value in data.items()
    }
    return {"apiVersion": "v1", "metadata": {"name": name}, "type": kind, "data": encoded}


def slice_of(service: str, *addresses: str) -> dict[str, Any]:
    meta = {"name": f"{service}-1", "labels": {"kubernetes.io/service-name": service}}
    endpoints = [{"addresses": [address], "conditions": {"ready": True}} for address in addresses]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": meta,
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "rest", "port": 8501}],
    }


@pytest.fixture(scope="module")
def asked(started: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    started.up()
    ca = pki.ensure_ca(
        (folder := tmp_path_factory.mktemp("pki")) / "ca.crt", folder / "ca.key", "test"
    )
    pki.ensure_leaf(ca, folder / "tls", ("tls.test", "noredirect.test", "albsecure.test"))
    asked = Asked(started)
    asked.apply("Namespace", {"apiVersion": "v1", "metadata": {"name": SPACE}})
    for service, addresses in (("back", (BACKEND,)), ("half", (BACKEND, DEAD)), ("nobody", ())):
        asked.apply(
            "Service",
            {
                "apiVersion": "v1",
                "metadata": {"name": service},
                "spec": {"ports": [{"name": "rest", "port": 8501}]},
            },
        )
        asked.apply("EndpointSlice", slice_of(service, *addresses))
    asked.apply(
        "Secret",
        secret(
            "users",
            "Opaque",
            auth=b"user:$2y$10$sX5yVQzrWz.8RmivWx9P1.4xID4W8eQ5VVM6enA9YoFXS4o33xjIW",
        ),
    )
    asked.apply(
        "Secret",
        secret(
            "certificate",
            "kubernetes.io/tls",
            tls_crt=(folder / "tls.crt").read_bytes(),
            tls_key=(folder / "tls.key").read_bytes(),
        ),
    )
    for name, (given, kind, tls, service) in INGRESSES.items():
        asked.apply("Ingress", document(name, given, kind, tls, service))
    backend = subprocess.Popen(
        started.command("exec", "--", sys.executable, "-m", "lab.tests.core.ingress_backend", BACKEND, "8501"),
        cwd=ROOT, env=started.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert backend.stdout is not None and backend.stdout.readline() == b"listening\n"
        asked.until("plain", 200)
        yield asked
    finally:
        backend.terminate()
        backend.wait(120)
        asked.kube.request("DELETE", f"/api/v1/namespaces/{SPACE}")
        asked.kube.close()


def test_what_is_asked_here_is_what_the_table_calls_shown() -> None:
    assert {row.name for row in table().values() if row.shown == "live"} == SHOWN


@pytest.mark.parametrize(
    ("host", "size", "status"),
    [
        ("body", 2 * MIB, 200),
        ("body", 2 * MIB + 1, 413),
        ("plain", MIB, 200),
        ("plain", MIB + 1, 413),
        ("nolimit", 5 * MIB, 200),
        ("loud", MIB + 1, 413),
    ],
)
def test_a_body_above_proxy_body_size_is_413_and_the_default_is_1m(
    asked: Asked, host: str, size: int, status: int
) -> None:
    """ "413 error will be returned … when the size in a request exceeds the maximum allowed size"
     (#custom-max-body-size); ConfigMap
    proxy-body-size: "1m". A value that is none leaves the default.
    """
    answer = asked.until(host, status, method="POST", body=b"x" * size)
    assert status == 413 or answer[2]["length"] == size


def test_a_body_of_unknown_length_is_413_too(asked: Asked) -> None:
    asked.until(
        "body", 413, method="POST", body=iter([b"x" * MIB] * 3), Transfer_Encoding="chunked"
    )


def test_a_pod_that_says_nothing_for_proxy_read_timeout_is_504_and_is_asked_once(
    asked: Asked,
) -> None:
    """#custom-timeouts; 504 is nginx's answer to proxy_read_timeout. Asking once (POST) is the
    difference that the table states.
    """
    asked.until("read", 200)
    assert asked.ask("read", "/slow/5", "POST", b"{}", X_Key="read")[0] == 504
    assert asked.count("read") == 1


def test_another_pod_is_asked_when_one_does_not_answer_unless_proxy_next_upstream_is_off(
    asked: Asked,
) -> None:
    asked.until("next", 200)
    assert [asked.ask("next", method="POST", body=b"{}")[0] for _ in range(8)] == [200] * 8
    asked.until("nonext", 502)
    asked.until("nonext", 200)


def test_auth_asks_for_user_and_password_with_the_realm(asked: Asked) -> None:
    """#authentication"""
    _, headers, _ = asked.until("auth", 401)
    assert headers["www-authenticate"] == 'Basic realm="Predictions"'
    good, bad = (
        base64.b64encode(f"user:{word}".encode()).decode() for word in ("password", "wrong")
    )
    assert asked.ask("auth", Authorization=f"Basic {good}")[0] == 200
    assert asked.ask("auth", Authorization=f"Basic {bad}")[0] == 401


def test_an_auth_secret_that_is_missing_is_503_until_it_is_there(asked: Asked) -> None:
    """Location denied: ingress-nginx answers 503, never the pod's answer."""
    asked.until("gone", 503)
    asked.apply("Secret", secret("nosuch", "Opaque", auth=b"user:$2y$10$x"))
    asked.until("gone", 401)


def test_requests_above_a_rate_are_503(asked: Asked) -> None:
    """ "When clients exceed this limit, limit-req-status-code default: 503 is returned"
    (#rate-limiting).
    """
    asked.until("rpm", 503)
    asked.until("rps", 200)
    assert 503 in {asked.ask("rps")[0] for _ in range(100)}


def test_a_second_connection_of_an_address_is_503_when_one_is_allowed(asked: Asked) -> None:
    """limit-connections: "A 503 error is returned when exceeding this limit"."""
    asked.until("connections", 200)
    first = threading.Thread(
        target=asked.ask, args=("connections", "/slow/4"), kwargs={"X_Key": "held"}
    )
    first.start()
    wait(lambda: asked.count("held"), lambda count: count > 0)
    assert asked.ask("connections")[0] == 503
    first.join()


@pytest.mark.parametrize(
    ("host", "status"), [("white", 403), ("allow", 200), ("deny", 403), ("denyother", 200)]
)
def test_addresses_are_let_in_or_kept_out(asked: Asked, host: str, status: int) -> None:
    """#allowlist-source-range, #denylist-source-range; nginx's allow and deny answer 403."""
    asked.until(host, status)


@pytest.mark.parametrize(
    ("host", "status", "location"),
    [("tls", 308, "https://tls.test/x"), ("notls", 308, "https://notls.test/x"), ("force", 308, "https://force.test/x"),
     ("moved", 301, "https://example.com/new")],
)  # fmt: skip
def test_redirects(asked: Asked, host: str, status: int, location: str) -> None:
    """ "By default the controller redirects (308) to HTTPS if TLS is enabled for that ingress";
    permanent-redirect 301.
    """
    assert asked.until(host, status)[1]["location"] == location


def test_ssl_redirect_false_serves_plain_http_beside_tls(asked: Asked) -> None:
    asked.until("noredirect", 200)


def test_paths_and_host_names_that_the_pod_sees(asked: Asked) -> None:
    assert asked.until("rewrite", 200)[2]["path"].startswith("/other")
    assert asked.until("vhost", 200)[2]["headers"]["host"] == "inner.test"


def test_cors_answers_a_preflight_itself(asked: Asked) -> None:
    """#enable-cors; the status is 204 there, as the table states."""
    asked.until("cors", 200)
    status, headers, _ = asked.ask(
        "cors",
        method="OPTIONS",
        Origin="http://a.com",
        Access_Control_Request_Method="POST",
        X_Key="preflight",
    )
    assert (
        status == 200
        and headers["access-control-allow-origin"] == "http://a.com"
        and asked.count("preflight") == 0
    )


def test_a_service_without_pods_is_503(asked: Asked) -> None:
    asked.until("nopods", 503)


def test_tls_shows_the_hosts_certificate_or_the_controllers_own_and_refuses_1_1(
    asked: Asked,
) -> None:
    """ssl-protocols: "TLSv1.2 TLSv1.3" (ConfigMap); without the Secret the controller shows its
    own, fake certificate.
    """
    code = (
        "import json, socket, ssl, sys\nfrom cryptography import x509\n"
        "def shown(name, highest):\n"
        " context = ssl._create_unverified_context(); context.set_ciphers('ALL:@SECLEVEL=0'); context.minimum_version = 770\n"
        " context.maximum_version = highest\n"
        " try:\n  with context.wrap_socket(socket.create_connection(('10.0.0.80', 443), 20), server_hostname=name) as s:\n"
        "   der = s.getpeercert(True)\n"
        " except (ssl.SSLError, ConnectionError): return 'refused'\n"
        " found = x509.load_der_x509_certificate(der)\n"
        " return found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)\n"
        "print(json.dumps([shown('tls.test', 772), shown('notls.test', 772), shown('tls.test', 771), shown('tls.test', 770)]))"
    )

    def look() -> list[Any]:
        done = asked.lab.inside(sys.executable, "-W", "ignore", "-c", code)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    ours, missing, older, too_old = wait(look, lambda seen: "tls.test" in seen[0])
    assert (
        "tls.test" in older
        and "notls.test" not in missing
        and "tls.test" not in missing
        and too_old == "refused"
    ), ours


def test_an_alb_has_no_limit_of_ingress_nginx_and_does_not_listen_where_it_is_not_told(
    asked: Asked,
) -> None:
    asked.until("alb", 200, method="POST", body=b"x" * 3 * MIB)
    asked.until("albsecure", 503)


def test_what_is_not_enforced_is_an_event_at_the_ingress_and_a_line_of_status(asked: Asked) -> None:
    def events() -> dict[str, str]:
        path = f"/api/v1/namespaces/{SPACE}/events?fieldSelector=involvedObject.name%3Dloud"
        return {event["reason"]: event["message"] for event in asked.kube.get(path)["items"]}

    found = wait(events, lambda seen: {"NotEnforced", "Unknown", "InvalidValue"} <= set(seen))
    assert (
        f"{PREFIX}limit-rate" in found["NotEnforced"]
        and f"{PREFIX}limit-rsp" in found["Unknown"]
        and "'8x'" in found["InvalidValue"]
    )
    status = asked.lab.run("status").stdout
    assert f"ingress {SPACE}/loud: {PREFIX}limit-rate: not enforced in the lab" in status
    written = asked.lab.inside(
        "kubectl",
        "annotate",
        "ingress",
        "-n",
        SPACE,
        "plain",
        "--dry-run=server",
        f"{PREFIX}limit-rate=5",
    )
    assert "Warning" in written.stderr and "the lab does not enforce" in written.stderr, written


def test_the_api_server_refuses_what_ingress_nginxs_webhook_refuses_and_nothing_else(
    asked: Asked,
) -> None:
    """Values by its parser's verdicts: of each annotation that it refuses values of, up to four
    that it refuses and four that it takes.
    """
    values, counted = VERDICTS["values"], [0, 0]
    for name, row in VERDICTS["annotations"].items():
        if not row["refused"] or table()[name].critical:
            continue
        bad = [values[number] for number in row["bad"]]
        for taken, some in ((False, bad), (True, [value for value in values if value not in bad])):
            for value in some[:: max(1, len(some) // 4)][:4]:
                expected = "" if taken else f"annotation {PREFIX}{name} contains invalid value"
                assert refused(asked, document("dry", {PREFIX + name: value})) == expected, (
                    name,
                    value,
                )
                counted[taken] += 1
    figure(
        f"admission: {counted[0]} values refused and {counted[1]} taken, as ingress-nginx's parser did"
    )


@pytest.mark.parametrize("name", SNIPPETS)
def test_snippets_are_refused(asked: Asked, name: str) -> None:
    """allow-snippet-annotations is false, annotations-risk-level High; the words are the
    webhook's.
    """
    said = refused(asked, document("dry", {PREFIX + name: "return 200;"}))
    assert (
        said
        == f"{PREFIX}{name} annotation cannot be used. Snippet directives are disabled by the Ingress administrator"
    )


def test_a_path_that_strict_validation_does_not_allow_is_refused(asked: Asked) -> None:
    """strict-validate-path-type, true since 1.12."""
    assert "invalid paths" in refused(asked, document("dry", {}, path="/v1/models/(a|b)"))
    assert refused(asked, document("dry", {}, path="/v1/models/a.b-c_d")) == ""
    assert refused(asked, document("dry", nginx(configuration_snippet="x"), kind="alb")) == "", (
        "another controller's"
    )


def refused(asked: Asked, one: dict[str, Any]) -> str:
    """What the policy says against it, "" when the API server takes it."""
    try:
        asked.apply("Ingress", one, dry=True)
    except KubeError as error:
        assert "ingress-nginx-webhook" in str(error), error
        return str(error).partition("denied request: ")[2]
    return ""
