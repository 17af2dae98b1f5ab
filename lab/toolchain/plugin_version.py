"""Which version a resource plugin is: asked as the engine asks, since published plugins know no
`-version` and end with status 2.
"""

import os
import selectors
import subprocess
import time
from pathlib import Path

from lab.toolchain import versions

START_SECONDS = 60.0
"""For a start on a busy machine; the largest plugin takes under two on an idle one."""
_ENGINE = "127.0.0.1:1"
"""Where the plugin is told its engine is. Nothing listens there: a plugin calls its engine only
once it works.
"""


def ask(command: Path) -> str | None:
    """The version as `1.2.3`; "" if this is no plugin or tells none, None if it says nothing within
    `START_SECONDS`.
    """
    try:
        process = subprocess.Popen(
            [command, _ENGINE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
    except OSError:
        return ""
    try:
        port = _first_line(process)
        return (
            port if not port else versions.number(_get_plugin_info(port)) if port.isdigit() else ""
        )
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _first_line(process: subprocess.Popen[bytes]) -> str | None:
    """What a plugin prints first: its port. "" if it ends without one, None if it takes too
    long.
    """
    assert process.stdout is not None
    text, deadline = b"", time.monotonic() + START_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while b"\n" not in text:
            if not selector.select(deadline - time.monotonic()):
                return None
            chunk = os.read(process.stdout.fileno(), 4096)
            if not chunk:
                return ""
            text += chunk
    return text.split(b"\n")[0].decode(errors="replace").strip()


def _get_plugin_info(port: str) -> str:
    try:
        import grpc  # noqa: PLC0415 - not there before the environment is installed
        from google.protobuf import empty_pb2, wrappers_pb2  # noqa: PLC0415 - as grpc
    except ImportError:
        return ""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(
            "/pulumirpc.ResourceProvider/GetPluginInfo",
            request_serializer=empty_pb2.Empty.SerializeToString,
            # PluginInfo is `string version = 1`, on the wire the same as StringValue; the SDK's own
            # stubs take half a second to import.
            response_deserializer=wrappers_pb2.StringValue.FromString,
        )
        try:
            return call(empty_pb2.Empty(), timeout=START_SECONDS).value
        except grpc.RpcError:
            return ""
