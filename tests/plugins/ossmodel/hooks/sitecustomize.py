"""Loaded by Python in the plugin's process: names of the cloud lead to the cloud double
(`TEST_CLOUD` = address:port).

The plugin itself runs unchanged, with its own host names, TLS checks and signatures.
"""

import os
import socket

_real = socket.getaddrinfo


def _redirected(host, port, *args, **kwargs):
    if str(host) == "127.0.0.1":
        return _real(host, port, *args, **kwargs)
    name = host.decode() if isinstance(host, bytes) else host
    target = os.environ.get("TEST_CLOUD", "")
    if os.environ.get("TEST_NO_NAMES"):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    if target and isinstance(name, str) and name.endswith("aliyuncs.com"):
        address, _, number = target.rpartition(":")
        return _real(address, int(number), *args, **kwargs)
    return _real(host, port, *args, **kwargs)


socket.getaddrinfo = _redirected
