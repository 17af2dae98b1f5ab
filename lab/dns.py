"""Names inside the lab: everything of Alibaba Cloud is the cloud double, nothing else exists."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

from dnslib import QTYPE, RCODE, RR, A, DNSRecord

from lab.environment import INGRESS_IP, REGION_IP

ZONES = {"aliyuncs.com": REGION_IP, "lab.test": INGRESS_IP}
TTL = 5  # seconds; names never change, but a client that caches needs no more


def address_of(name: str) -> str | None:
    """The address behind a name, None when it does not exist here."""
    wanted = name.rstrip(".").lower()
    for zone, address in ZONES.items():
        if wanted.endswith("." + zone):
            return address
    return "127.0.0.1" if wanted == "localhost" or wanted.endswith(".localhost") else None


def answer(query: bytes) -> bytes | None:
    """The reply to one DNS message; None for what is not a DNS query."""
    try:
        record = DNSRecord.parse(query)
    except Exception:  # dnslib raises several kinds for a broken message
        return None
    if record.header.qr or not record.questions:
        return None
    reply = record.reply()
    address = address_of(str(record.q.qname))
    if address is None:
        reply.header.rcode = RCODE.NXDOMAIN
    elif record.q.qtype in (QTYPE.A, QTYPE.ANY):
        reply.add_answer(RR(record.q.qname, QTYPE.A, rdata=A(address), ttl=TTL))
    return bytes(reply.pack())


class _Udp(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        reply = answer(data)
        if reply is not None:
            self.transport.sendto(reply, addr)


async def _tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            (length,) = struct.unpack("!H", await asyncio.wait_for(reader.readexactly(2), 30))
            reply = answer(await asyncio.wait_for(reader.readexactly(length), 30))
            if reply is None:
                return
            writer.write(struct.pack("!H", len(reply)) + reply)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
        return
    finally:
        writer.close()


async def serve(
    host: str = "127.0.0.1", port: int = 53
) -> tuple[asyncio.DatagramTransport, asyncio.Server]:
    """Answer on UDP and TCP for as long as the caller holds what this returns."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_Udp, local_addr=(host, port))
    return transport, await asyncio.start_server(_tcp, host, port)
