"""Requests of strangers: `python -m tests.elastic.strangers URL HOST RATE [USER:PASSWORD]` sends so
many a second until it is ended, and then prints how many got which status, as JSON.
"""

from __future__ import annotations

import asyncio
import base64
import collections
import json
import signal
import sys

import aiohttp

TICK = 0.05
MOST = 400
"""Requests under way at a time: where the machine is busy, the rate falls instead."""


async def send(url: str, headers: dict[str, str], rate: float) -> dict[str, int]:
    """Send until SIGTERM; how many got which status ("none" without an answer)."""
    seen: collections.Counter[str] = collections.Counter()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    under_way: set[asyncio.Task[None]] = set()

    async def ask(session: aiohttp.ClientSession) -> None:
        try:
            async with session.post(url, data=b"{}", headers=headers) as answer:
                await answer.read()
                seen[str(answer.status)] += 1
        except (aiohttp.ClientError, TimeoutError):
            seen["none"] += 1

    connector = aiohttp.TCPConnector(limit=50)
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        owed = 0.0
        while not ended.is_set():
            owed = min(owed + rate * TICK, rate)
            while owed >= 1 and len(under_way) < MOST:
                owed -= 1
                task = asyncio.ensure_future(ask(session))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await asyncio.sleep(TICK)
        await asyncio.gather(*under_way, return_exceptions=True)
    return dict(seen)


def main(arguments: list[str]) -> None:
    """See the module's own words."""
    url, host, rate, *user = arguments
    headers = {"Host": host, "Content-Type": "application/json"}
    if user:
        headers["Authorization"] = "Basic " + base64.b64encode(user[0].encode()).decode()
    print(json.dumps(asyncio.run(send(url, headers, float(rate)))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
