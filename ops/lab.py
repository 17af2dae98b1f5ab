"""Brings the lab to the state in which a stack can be deployed: tools built or found, lab running,
plugins in place.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

from lab import toolchain
from lab.environment import lab_home
from lab.errors import LabError
from lab.status import in_use
from lab.toolchain import tensorflow
from lab.up import check, joined
from ops.engine.cli import ROOT, environment
from settings.core.problem import SettingsError
from settings.core.stack_file import StackFileError, read
from settings.serving import Server

TOOLS = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "traefik", "kubectl",
    "pulumi", "pulumi-language-python", "pulumi-resource-alicloud", "pulumi-resource-kubernetes",
)  # fmt: skip


def home() -> pathlib.Path:
    """The lab's directory (`LAB_HOME`)."""
    return lab_home()


def tensorflow_library(stack: str) -> str:
    """The name, as a tool, of the TensorFlow that the lab computes with for the serving image of a
    stack.
    """
    try:
        server = read(ROOT, stack).settings(os.environ).server
    except (StackFileError, SettingsError):  # who deploys it is told by the program
        server = Server()
    tag = server.image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return tensorflow.PREFIX + tensorflow.choose(server.tensorflow or tag).version


def start(*, quiet: bool = False, stack: str = "local") -> None:
    """Makes sure that the tools are there and the lab runs; says what it waits for, and what is
    used from where.

    Variables that the lab would refuse end it before a tool is built.
    """
    try:
        check()
    except LabError as error:
        raise SystemExit(f"error: {error}") from None
    toolchain.ensure([*TOOLS, tensorflow_library(stack)])
    try:
        ready = joined(home(), lambda line: print(line, flush=True))
    except LabError:
        ready = False  # told by the command
    if not ready:
        lab("up")
    if not quiet:
        for name, (version, origin) in in_use(home()).items():
            print(f"  {name:<28} {version:<12} {origin}")


def lab(*arguments: str) -> None:
    """Runs a lab command on this terminal; its own message explains a failure."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", *arguments], cwd=ROOT, env=environment()
    )
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:  # reaches the lab's command, too, which ends what it has begun
            continue
    if code != 0:
        raise SystemExit(code)
