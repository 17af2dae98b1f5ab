"""The tools this project runs, each in its pinned version.

Every tool comes from `PATH` if the right version is there, else ready-made (a Python wheel, or a plugin installed by the
Pulumi CLI itself), else it is built by Go from its published module. Built tools are kept in a cache outside the
checkout and shared by all checkouts with the same pins.

    tools = toolchain.ensure(["pulumi", "etcd"])     # may build; shows progress on stderr
    toolchain.find("pulumi").path                    # never builds
"""

from toolchain.errors import ToolchainError
from toolchain.resolve import ensure, find
from toolchain.specs import TOOL_NAMES
from toolchain.tool import Tool

__all__ = ["TOOL_NAMES", "Tool", "ToolchainError", "ensure", "find"]
