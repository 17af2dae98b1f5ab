"""The plugin as a process: how soon it is there, and what ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest

from tests.plugins.kubernetes.control_plane import ControlPlane
from tests.plugins.kubernetes.process import EXECUTABLE, running, urn
from tests.plugins.toolchain.engine import wait_until


def test_the_port_is_there_within_a_second(tmp_path: Path) -> None:
    starts = []
    for _ in range(3):
        with running(str(tmp_path)) as plugin:
            starts.append(plugin.started_in)
    assert min(starts) < 1.0  # the machine has other things to do: the best of three


def test_a_signal_ends_the_plugin_at_once_even_while_it_waits(control_plane: ControlPlane, tmp_path: Path) -> None:
    about = urn("kubernetes:core/v1:Service", "s")
    inputs = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "signalled", "namespace": "default"},
              "spec": {"ports": [{"port": 1}], "selector": {"a": "b"}}}  # fmt: skip
    with running(str(tmp_path)) as plugin:
        plugin.configure(str(control_plane.kubeconfig))
        threading.Thread(target=lambda: pytest.raises(grpc.RpcError, plugin.create, about, inputs), daemon=True).start()
        plugin.engine.wait_for(about, "[1/3]")
        plugin.process.send_signal(signal.SIGTERM)
        assert plugin.process.wait(timeout=15) == 0


def test_the_plugin_does_not_outlive_a_killed_engine(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PULUMI_PYTHON_CMD": sys.executable, "LAB_HOME": str(tmp_path)}
    script = f"import subprocess; p = subprocess.Popen(['{EXECUTABLE}']); print(p.pid, flush=True); p.wait()"
    engine = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)
    assert engine.stdout is not None
    pid = int(engine.stdout.readline())
    assert int(engine.stdout.readline()) > 1023  # the port: it serves
    engine.kill()
    engine.wait(timeout=5)
    command = Path(f"/proc/{pid}/cmdline")
    wait_until(lambda: not (command.exists() and b"kubernetes_plugin" in command.read_bytes()), "the plugin outlived its engine")
