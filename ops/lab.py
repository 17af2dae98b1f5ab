"""Starts the lab for a stack: tools built or found, lab running, plugins installed."""

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
from settings.server import ServerSettings

TOOLS = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "traefik", "kubectl",
    "pulumi", "pulumi-language-python", "pulumi-resource-alicloud", "pulumi-resource-kubernetes",
)  # fmt: skip


def home() -> pathlib.Path:
    """Directory of the lab's files (`LAB_HOME`)."""
    return lab_home()


def tensorflow_library(stack: str) -> str:
    """Tool name of the TensorFlow with which the lab serves a stack's image."""
    try:
        server = read(ROOT, stack).settings(os.environ).server
    except (StackFileError, SettingsError):  # who deploys it is told by the program
        server = ServerSettings()
    tag = server.image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    return tensorflow.PREFIX + tensorflow.choose(server.tensorflow or tag).version


def start(*, quiet: bool = False, stack: str = "local") -> None:
    """Makes sure that the tools are there and the lab runs. Unless `quiet`, prints each tool's
    version and where it comes from.

    Raises SystemExit for variables that the lab refuses, before a tool is built.
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
    """Runs a lab command on this terminal. Raises SystemExit with its status when it fails; the
    command has printed the reason.
    """
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
