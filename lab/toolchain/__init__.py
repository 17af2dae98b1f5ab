"""The tools this project runs, each in its pinned version.

Every tool comes from `PATH` if the right version is there, else ready-made (a Python wheel, or a
plugin installed by the Pulumi CLI itself), else it is built by Go from its published module. Built
tools are kept in a cache outside the checkout and shared by all checkouts with the same pins.

    tools = toolchain.ensure(["pulumi", "etcd"])     # may build; shows progress on stderr
    toolchain.find("pulumi").path                    # never builds
"""

import signal
import sys

if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # Ctrl-C while the rest loads ends without a traceback; main() takes it over

from lab.toolchain.errors import ToolchainError
from lab.toolchain.resolve import ensure, find
from lab.toolchain.specs import TOOL_NAMES
from lab.toolchain.tool import Tool

__all__ = ["TOOL_NAMES", "Tool", "ToolchainError", "ensure", "find"]
