"""What it is like inside: names, no way out, commands passing through; and the ways in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request

import jwt
import pytest

from lab.testing.lab import ROOT, Lab


@pytest.mark.parametrize(
    "name", ["ecs.cn-shanghai.aliyuncs.com", "bucket.oss-cn-shanghai-internal.aliyuncs.com"]
)
def test_every_name_of_alibaba_cloud_is_the_region_double(lab: Lab, name: str) -> None:
    assert lab.inside("getent", "ahostsv4", name).stdout.split()[0] == "10.0.0.2"


def test_other_names_do_not_exist(lab: Lab) -> None:
    assert lab.inside("getent", "hosts", "example.com").returncode == 2
    assert lab.inside("getent", "hosts", "aliyuncs.com.example.org").returncode == 2


def test_no_packet_finds_a_way_out(lab: Lab) -> None:
    addresses = ("1.1.1.1", "192.168.0.1", "172.16.0.1")
    code = f"import socket\nfor a in {addresses}:\n try: socket.create_connection((a, 80), 2)\n except OSError as e: print(e.errno)"
    assert lab.inside("python3", "-c", code).stdout.split() == ["101", "101", "101"]  # ENETUNREACH


def test_kubectl_works_from_outside_through_the_relay(lab: Lab) -> None:
    env = {**lab.env, "KUBECONFIG": str(lab.home / "kubeconfig-host")}
    kubectl = lab.inside("which", "kubectl").stdout.strip()
    done = subprocess.run(
        [kubectl, "get", "namespaces", "-o", "name"],
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "namespace/ack-csi-fuse" in done.stdout.split(), done.stderr


def test_the_ingress_answers_outside_and_inside_on_the_same_port(lab: Lab) -> None:
    url = f"http://127.0.0.1:{lab.ports['LAB_INGRESS_PORT']}/"
    with pytest.raises(urllib.error.HTTPError) as outside:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=120)
    assert outside.value.code == 404
    assert lab.inside("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url).stdout == "404"


def test_what_an_ack_cluster_brings_along_is_there(lab: Lab) -> None:
    service = lab.kubectl("get", "service", "-n", "kube-system", "nginx-ingress-lb")
    assert service["status"]["loadBalancer"]["ingress"][0]["ip"] == "10.0.0.80"
    assert (
        lab.kubectl("get", "ingressclass", "nginx")["spec"]["controller"] == "k8s.io/ingress-nginx"
    )
    assert (
        lab.kubectl("get", "csidriver", "ossplugin.csi.alibabacloud.com")["spec"]["attachRequired"]
        is False
    )
    assert lab.kubectl("get", "serviceaccount", "-n", "ack-csi-fuse", "csi-fuse-ossfs")
    served = json.loads(
        lab.inside("kubectl", "get", "--raw", "/apis/external.metrics.k8s.io/v1beta1").stdout
    )
    assert "sls_ingress_qps" in {resource["name"] for resource in served["resources"]}


def test_service_account_tokens_carry_the_clusters_rrsa_issuer(lab: Lab) -> None:
    done = lab.inside(
        "kubectl",
        "create",
        "token",
        "csi-fuse-ossfs",
        "-n",
        "ack-csi-fuse",
        "--audience",
        "sts.aliyuncs.com",
    )

    claims = jwt.decode(
        done.stdout.strip(),
        (lab.home / "pki" / "sa.pub").read_text(),
        ["RS256"],
        audience="sts.aliyuncs.com",
    )
    cluster = "c210fbedb96674b9eaf15f2dc47d169a8"
    assert claims["iss"] == f"https://oidc-ack-cn-shanghai.oss-cn-shanghai.aliyuncs.com/{cluster}"
    assert claims["sub"] == "system:serviceaccount:ack-csi-fuse:csi-fuse-ossfs"


def test_requests_reach_the_log_service_and_come_back_as_a_metric(lab: Lab) -> None:
    _send(lab, "/unknown", 30)
    assert (
        _metric(lab, "sls_ingress_qps", "nginx-ingress", "upstream-default-backend", least=2) == "2"
    )  # 30 in 15 seconds; 29 would be 1


def test_requests_of_class_alb_come_back_as_the_metric_of_class_alb(lab: Lab) -> None:
    backend = {"service": {"name": "nobody", "port": {"number": 8501}}}
    rules = [
        {
            "host": "alb.localhost",
            "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
        }
    ]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "nobody"},
        "spec": {"ports": [{"port": 8501}]},
    }
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "alb"},
        "spec": {"ingressClassName": "alb", "rules": rules},
    }
    for document in (service, ingress):
        made = lab.inside(
            "kubectl", "apply", "-n", "default", "-f", "-", input=json.dumps(document)
        )
        assert made.returncode == 0, made.stderr
    end, route = time.monotonic() + 10, "default-nobody-8501"
    while (
        _send(lab, "/", 1, "alb.localhost") == 404 and time.monotonic() < end
    ):  # the controller has not seen the Ingress yet
        time.sleep(0.2)
    _send(lab, "/", 45, "alb.localhost")
    assert int(_metric(lab, "sls_alb_ingress_qps", "alb_ingress", route, least=3)) >= 3
    assert _metric(lab, "sls_ingress_qps", "nginx-ingress", route, least=1, seconds=0) == "0", (
        "nginx did not log it"
    )


def _send(lab: Lab, path: str, count: int, host: str = "nobody.localhost") -> int:
    """So many requests through the ingress, which all fail; the last one's status."""
    status = 0
    for _ in range(count):
        request = urllib.request.Request(
            f"http://127.0.0.1:{lab.ports['LAB_INGRESS_PORT']}{path}", headers={"Host": host}
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120)
        status = refused.value.code
    return status


def _metric(lab: Lab, name: str, logstore: str, route: str, least: int, seconds: float = 14) -> str:
    """The metric's value as the HPA reads it; waits so long for one that is at least so much: the
    log comes in pieces.
    """
    project = "k8s-log-c210fbedb96674b9eaf15f2dc47d169a8"
    selector = {
        "sls.project": project,
        "sls.logstore": logstore,
        "sls.ingress.route": route,
        "sls.query.delay": "0",
    }
    labels = ",".join(f"{key}={value}" for key, value in selector.items())
    path = f"/apis/external.metrics.k8s.io/v1beta1/namespaces/default/{name}?labelSelector={labels}"
    end = time.monotonic() + seconds
    while True:
        answer = lab.inside("kubectl", "get", "--raw", path)
        assert answer.returncode == 0, answer.stderr
        value = json.loads(answer.stdout)["items"][0]["value"]
        if int(value) >= least or time.monotonic() >= end:
            return value


def test_exec_passes_input_output_arguments_directory_and_exit_status(lab: Lab) -> None:
    done = lab.inside("sh", "-c", 'cat; pwd; echo "$1" >&2; exit 7', "sh", "a b", input="hello\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, f"hello\n{ROOT}\n", "a b\n")


def test_exec_of_a_missing_command_is_127(lab: Lab) -> None:
    done = lab.inside("no-such-command")
    assert done.returncode == 127 and "no-such-command" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_exec_passes_a_signal_on_once(lab: Lab, number: signal.Signals) -> None:
    code = (
        "import signal,sys,time\ngot=[]\nfor n in (2,15): signal.signal(n, lambda s,f: got.append(s))\nprint('go', flush=True)\n"
        "time.sleep(0.7)\nwhile not got: time.sleep(0.01)\ntime.sleep(0.3)\nsys.exit(10*len(got)+got[0]%10)"
    )
    process = subprocess.Popen(
        lab.command("exec", "--", "python3", "-c", code),
        cwd=ROOT,
        env=lab.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None and process.stdout.readline() == b"go\n"
    os.killpg(process.pid, number)
    assert process.wait(20) == 10 + number % 10


def test_a_command_dies_with_the_exec_that_was_killed(lab: Lab) -> None:
    process = subprocess.Popen(
        lab.command("exec", "--", "sh", "-c", "echo $$; exec sleep 300"),
        cwd=ROOT,
        env=lab.env,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    inner = process.stdout.readline().strip()
    process.kill()
    process.wait(10)
    end = time.monotonic() + 5
    while (
        gone := lab.inside("test", "-e", f"/proc/{inner}").returncode
    ) == 0 and time.monotonic() < end:
        time.sleep(0.1)
    assert gone == 1


def test_commands_inside_see_the_labs_keys_and_none_of_the_users(lab: Lab) -> None:
    foreign = {
        "ALICLOUD_SECRET_KEY": "users-own",
        "ALIBABA_CLOUD_SECURITY_TOKEN": "users-own",
        "HTTPS_PROXY": "http://proxy:1",
        "PULUMI_ACCESS_TOKEN": "users-own",
    }
    command = lab.command("exec", "--", "env")
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**lab.env, **foreign, "KEPT": "yes"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert "users-own" not in done.stdout and "HTTPS_PROXY" not in seen and seen["KEPT"] == "yes"
    assert (
        seen["ALICLOUD_SECRET_KEY"]
        == json.loads((lab.home / "credentials.json").read_text())["secret_key"]
    )
    assert seen["SSL_CERT_FILE"] == str(lab.home / "pki" / "ca.pem")


def test_a_passphrase_of_the_callers_own_stacks_does_not_reach_the_labs(lab: Lab) -> None:
    """The CLI would take it before the lab's, and could read no secret of stack `local` then."""
    done = subprocess.run(
        lab.command("exec", "--", "env"),
        cwd=ROOT,
        env={**lab.env, "PULUMI_CONFIG_PASSPHRASE": "mine"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (
        "PULUMI_CONFIG_PASSPHRASE=" not in done.stdout
        and "PULUMI_CONFIG_PASSPHRASE_FILE=" in done.stdout
    )
    assert f"LAB_PUBLIC_PORT={lab.ports['LAB_INGRESS_PORT']}" in done.stdout
    exported = lab.run("env").stdout.splitlines()
    assert exported[0].startswith("unset ") and "PULUMI_CONFIG_PASSPHRASE" in exported[0].split()
