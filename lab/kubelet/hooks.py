"""Lifecycle hooks (postStart, preStop): exec, sleep, httpGet, tcpSocket."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from lab.kubelet.contexts import RunningContainer
from lab.kubelet.probes import port_number

Object = dict[str, Any]


async def run_hook(container: RunningContainer, hook: Object, seconds: float) -> str:
    """Runs one hook for at most `seconds`; returns what went wrong ("" if nothing)."""
    try:
        return await asyncio.wait_for(_run(container, hook), seconds)
    except TimeoutError:
        return f"hook did not end within {seconds:g}s"
    except (OSError, ValueError, aiohttp.ClientError) as reason:
        return str(reason)


async def _run(container: RunningContainer, hook: Object) -> str:
    if "sleep" in hook:
        await asyncio.sleep(hook["sleep"].get("seconds") or 0)
    elif "exec" in hook:
        command = hook["exec"].get("command") or []
        code, output = await container.execute(command, 3600)
        if code:
            return f"command '{' '.join(command)}' exited with {code}: {output.strip()[:200]}"
    elif "httpGet" in hook:
        spec = hook["httpGet"]
        host = spec.get("host") or container.context.pod_ip
        scheme, port = (
            (spec.get("scheme") or "HTTP").lower(),
            port_number(spec["port"], container.spec),
        )
        url = f"{scheme}://{host}:{port}/{(spec.get('path') or '/').lstrip('/')}"
        headers = {entry["name"]: entry.get("value", "") for entry in spec.get("httpHeaders") or []}
        async with container.context.session.get(url, headers=headers, ssl=False) as response:
            await response.read()
            if response.status >= 400:
                return f"HTTP lifecycle hook failed with statuscode: {response.status}"
    return ""
