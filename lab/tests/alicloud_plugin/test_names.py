"""Every property of every mapped resource and function is called, and nested, as in the published
Python SDK.
"""

import importlib
import inspect
import json
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pulumi._types as types
import pytest


@pytest.fixture(scope="module")
def names(executable: Path) -> dict[str, Any]:
    done = subprocess.run(
        [executable, "-property-names"], capture_output=True, text=True, timeout=1500, check=True
    )
    return json.loads(done.stdout)


def _class(token: str) -> type:
    """The SDK's resource class, or the result class of a function."""
    _, path, name = token.split(":")
    module = path.split("/")[0]
    package = importlib.import_module(
        "pulumi_alicloud" if module == "index" else f"pulumi_alicloud.{module}"
    )
    if name[0].isupper():
        return getattr(package, name)
    function = getattr(package, re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower())
    members = vars(sys.modules[function.__module__]).items()
    return next(
        item
        for key, item in members
        if key.startswith("Get") and key.endswith("Result") and inspect.isclass(item)
    )


def _properties(cls: type) -> dict[str, Any]:
    """Property names of an SDK class as in the plugin's list: with "[]" for lists, with what is
    inside.
    """
    result = {}
    for _, name, prop in types._py_properties(cls):
        assert prop.fget is not None
        hint = typing.get_type_hints(prop.fget, vars(sys.modules[cls.__module__])).get("return")
        result[name + ("[]" if "Sequence" in str(hint) else "")] = _inside(hint)
    return result


def _inside(hint: Any) -> dict[str, Any]:
    for argument in typing.get_args(hint):
        if nested := _inside(argument):
            return nested
    return _properties(hint) if inspect.isclass(hint) and types.is_output_type(hint) else {}


def test_property_names_equal_the_published_sdks(names: dict[str, Any]) -> None:
    different = {}
    for token, ours in names.items():
        theirs = _properties(_class(token))
        if token.split(":")[2].startswith("get"):
            theirs.pop("id", None)
            ours.pop("id", None)
        if ours != theirs:
            different[token] = {
                "only ours": sorted(set(ours) - set(theirs)),
                "only theirs": sorted(set(theirs) - set(ours)),
            }
    assert len(names) > 70
    assert different == {}


@pytest.mark.parametrize(
    "token",
    [
        "alicloud:cs/nodePool:NodePool",
        "alicloud:cs/managedKubernetes:ManagedKubernetes",
        "alicloud:cs/kubernetesAddon:KubernetesAddon",
        "alicloud:cs/autoscalingConfig:AutoscalingConfig",
        "alicloud:oss/bucketServerSideEncryption:BucketServerSideEncryption",
        "alicloud:ims/oidcProvider:OidcProvider",
        "alicloud:cs/getClusterCredential:getClusterCredential",
        "alicloud:index/getAccount:getAccount",
        "alicloud:ecs/getInstanceTypes:getInstanceTypes",
    ],
)
def test_the_program_s_types_are_mapped(names: dict[str, Any], token: str) -> None:
    assert token in names
