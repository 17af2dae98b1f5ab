"""The small parts: names, port forwards, certificates, the watch over a process, settings from the
environment.
"""

from __future__ import annotations

import asyncio
import gc
import os
import pathlib
import socket
import ssl
import sys

import pytest
import uvloop
from cryptography import x509
from dnslib import QTYPE, RCODE, DNSRecord

from lab import dns, environment, pki, port_forward, state
from lab.controlplane import sls
from lab.controlplane.certificates import ensure_cluster_pki
from lab.environment import LabError
from lab.parts import Spec
from lab.state import ask, log_tail
from lab.supervisor import Control, Part


def question(name: str, kind: str = "A") -> bytes:
    return bytes(DNSRecord.question(name, kind).pack())


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("cs.cn-shanghai.aliyuncs.com", "10.0.0.2"),
        ("Bucket.OSS-cn-shanghai.aliyuncs.com.", "10.0.0.2"),
        ("bert.lab.test", "10.0.0.80"),
        ("bert-tfserving.localhost", "127.0.0.1"),
    ],
)
def test_names_of_the_lab_have_addresses(name: str, address: str) -> None:
    reply = DNSRecord.parse(dns.answer(question(name)) or b"")
    assert [str(record.rdata) for record in reply.rr] == [address]


@pytest.mark.parametrize(
    "name", ["example.com", "notaliyuncs.com", "aliyuncs.com.evil.org", "aliyuncs.com", "test"]
)
def test_every_other_name_does_not_exist(name: str) -> None:
    reply = DNSRecord.parse(dns.answer(question(name)) or b"")
    assert reply.header.rcode == RCODE.NXDOMAIN and not reply.rr


def test_a_name_without_ipv6_address_exists_all_the_same() -> None:
    reply = DNSRecord.parse(dns.answer(question("ecs.aliyuncs.com", "AAAA")) or b"")
    assert reply.header.rcode == RCODE.NOERROR and not reply.rr and reply.q.qtype == QTYPE.AAAA


def test_what_is_no_query_gets_no_answer() -> None:
    assert dns.answer(b"garbage") is None
    assert dns.answer(bytes(DNSRecord.question("ecs.aliyuncs.com").reply().pack())) is None


async def test_a_port_forward_passes_large_data_both_ways_and_the_end_of_each() -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(-1)  # until the client has ended its side
        writer.write(data.upper())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(shout, "127.0.0.1", 0)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    forwarding = await port_forward.serve(listening, server.sockets[0].getsockname()[:2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"abc" * 2_000_000)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(-1), 20) == b"ABC" * 2_000_000
    writer.close()
    forwarding.close()


async def test_a_port_forward_to_where_nobody_listens_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        target = closed.getsockname()[:2]
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    forwarding = await port_forward.serve(listening, target)
    reader, _ = await asyncio.open_connection("127.0.0.1", port)
    assert await asyncio.wait_for(reader.read(-1), 10) == b""
    forwarding.close()


def test_the_control_socket_answers_after_a_garbage_collection(tmp_path: pathlib.Path) -> None:
    (tmp_path / "run").mkdir()

    async def collected() -> list[dict[str, str]]:
        control = Control(tmp_path, lambda: {"phase": "ready"}, lambda: True, lambda: None)
        await control.listen()
        gc.collect()
        return await asyncio.to_thread(lambda: list(ask(tmp_path, "state")))

    assert uvloop.run(collected()) == [{"phase": "ready"}]


def test_the_labs_ca_is_made_once_and_its_leaves_are_trusted(tmp_path: pathlib.Path) -> None:
    ca = pki.ensure_lab_ca(tmp_path)
    assert (
        pki.ensure_lab_ca(tmp_path).cert_pem
        == ca.cert_pem
        == (tmp_path / "pki" / "ca.pem").read_bytes()
    )
    assert (tmp_path / "pki" / "ca.key").stat().st_mode & 0o077 == 0
    cert, key = pki.ensure_leaf(ca, tmp_path / "leaf", ["*.aliyuncs.com", "10.0.0.2"])
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    x509.load_pem_x509_certificate(cert.read_bytes()).verify_directly_issued_by(ca.cert)


def test_a_leaf_is_kept_until_its_names_or_its_ca_change(tmp_path: pathlib.Path) -> None:
    ca = pki.ensure_lab_ca(tmp_path)
    first = pki.ensure_leaf(ca, tmp_path / "leaf", ["a"])[0].read_bytes()
    assert pki.ensure_leaf(ca, tmp_path / "leaf", ["a"])[0].read_bytes() == first
    second = pki.ensure_leaf(ca, tmp_path / "leaf", ["a", "b"])[0].read_bytes()
    assert second != first
    other = pki.ensure_ca(tmp_path / "other.pem", tmp_path / "other.key", "other")
    assert pki.ensure_leaf(other, tmp_path / "leaf", ["a", "b"])[0].read_bytes() != second


def test_the_api_servers_certificate_is_good_for_every_way_to_it(tmp_path: pathlib.Path) -> None:
    places = ensure_cluster_pki(tmp_path, 16443)
    cert = x509.load_pem_x509_certificate(places.cert("apiserver").read_bytes())
    names = {
        str(name.value)
        for name in cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    }
    assert {"127.0.0.1", "localhost", "10.0.0.10", "10.96.0.1", "kubernetes.default.svc"} <= names
    assert '"https://127.0.0.1:16443"' in (tmp_path / "kubeconfig-host").read_text()
    assert '"https://10.0.0.10:6443"' in (tmp_path / "kubeconfig").read_text()
    assert (tmp_path / "kubeconfig").stat().st_mode & 0o077 == 0


def spec(code: str, **options: object) -> Spec:
    return Spec("part", [sys.executable, "-c", code], **options)  # type: ignore[arg-type]  # options of several types


async def until(part: Part, state_: str) -> None:
    async def look() -> None:
        while part.state != state_:
            await asyncio.sleep(0.02)

    await asyncio.wait_for(look(), 20)


SAYS_READY = "import os, time; os.write(int(os.environ['LAB_READY_FD']), b'ready'); "


async def test_a_part_is_ready_when_it_says_so_and_ends_when_stopped(
    tmp_path: pathlib.Path,
) -> None:
    part = Part(spec(SAYS_READY + "time.sleep(60)"), tmp_path / "log", lambda: None)
    life = asyncio.create_task(part.live([]))
    await asyncio.wait_for(part.ready.wait(), 20)
    assert part.snapshot()["state"] == "ready" and part.pid
    await part.stop()
    assert part.state == "stopped" and part.pid is None
    await asyncio.wait_for(life, 10)


async def test_a_part_that_ignores_the_request_to_stop_is_killed(tmp_path: pathlib.Path) -> None:
    code = "import signal; signal.signal(15, signal.SIG_IGN); " + SAYS_READY + "time.sleep(60)"
    part = Part(spec(code, grace=0.2), tmp_path / "log", lambda: None)
    life = asyncio.create_task(part.live([]))
    await asyncio.wait_for(part.ready.wait(), 20)
    await part.stop()
    assert part.pid is None
    await asyncio.wait_for(life, 10)


async def test_a_part_that_never_gets_up_is_failed_with_its_last_words_and_still_tried(
    tmp_path: pathlib.Path,
) -> None:
    part = Part(spec("raise SystemExit('no such luck')"), tmp_path / "log", lambda: None)
    life = asyncio.create_task(part.live([]))
    await until(part, "failed")
    assert "ended with exit status 1" in part.error and "no such luck" in part.error
    assert part.restarts >= 3
    await part.stop()
    life.cancel()


async def test_a_part_waits_for_what_it_needs(tmp_path: pathlib.Path) -> None:
    first = Part(spec("import time; time.sleep(60)"), tmp_path / "first", lambda: None)
    second = Part(spec("import time; time.sleep(60)"), tmp_path / "second", lambda: None)
    life = asyncio.create_task(second.live([first]))
    await asyncio.sleep(0.1)
    assert second.state == "waiting" and second.pid is None
    life.cancel()


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: pathlib.Path) -> None:
    (tmp_path / "log").write_text("\n".join(str(number) for number in range(100)))
    assert log_tail(tmp_path / "log", lines=2) == "98\n99"
    assert log_tail(tmp_path / "none") == ""


def test_the_lock_goes_with_its_last_holder(tmp_path: pathlib.Path) -> None:

    held = state.take_lock(tmp_path)
    assert held is not None and state.take_lock(tmp_path) is None and state.is_running(tmp_path)
    os.close(held)
    assert not state.is_running(tmp_path)


@pytest.mark.parametrize("text", ["80a", "0", "65536", "-1"])
def test_a_port_that_is_none_is_refused_with_the_variables_name(text: str) -> None:
    with pytest.raises(LabError, match=f"^LAB_API_PORT={text}: expected a port number"):
        environment.ports({"LAB_API_PORT": text})


def test_two_port_forwards_cannot_have_one_port() -> None:
    with pytest.raises(LabError, match="three different ports"):
        environment.ports({"LAB_API_PORT": "7000", "LAB_REGION_PORT": "7000"})


@pytest.mark.parametrize("text", ["fast", "0", "-2", "inf", "nan"])
def test_a_clock_that_does_not_go_is_refused(text: str) -> None:
    with pytest.raises(LabError, match=f"^LAB_CLOCK={text}: "):
        environment.clock_factor({"LAB_CLOCK": text})


def test_a_home_that_cannot_be_written_is_said_with_the_remedy(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="set LAB_HOME"):
        state.take_lock(tmp_path / "file" / "lab")


def test_logs_are_packed_as_the_log_services_protobuf() -> None:
    packed = sls.log_group([(1, {"k": "v" * 200})], "10.0.0.80")
    content = b"\x0a\x01k\x12\xc8\x01" + b"v" * 200
    log = b"\x08\x01\x12" + bytes([len(content) & 0x7F | 0x80, len(content) >> 7]) + content
    assert (
        packed
        == b"\x0a" + bytes([len(log) & 0x7F | 0x80, len(log) >> 7]) + log + b"\x22\x0910.0.0.80"
    )
