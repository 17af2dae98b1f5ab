"""The gRPC stubs of the installed `pulumi` package, without importing the SDK around them.

The CLI starts the host several times per command and the SDK's own import takes longer than all the host does; so the
packages above the stubs are entered as bare namespaces. Programs run in a process of their own with the whole SDK.
"""

import importlib
import importlib.util
import sys
import types
from pathlib import Path


def _bare_packages() -> None:
    spec = importlib.util.find_spec("pulumi")
    if spec is None or spec.origin is None:
        sys.exit(f"pulumi-language-python: {sys.executable} has no package `pulumi`; set PULUMI_PYTHON_CMD to a Python that has it")
    site = Path(spec.origin).parent.parent
    for name in ("pulumi", "pulumi.runtime", "pulumi.runtime.proto"):
        module = types.ModuleType(name)
        module.__path__ = [str(site.joinpath(*name.split(".")))]
        sys.modules[name] = module


_bare_packages()

language = importlib.import_module("pulumi.runtime.proto.language_pb2")
services = importlib.import_module("pulumi.runtime.proto.language_pb2_grpc")
plugin = importlib.import_module("pulumi.runtime.proto.plugin_pb2")
