"""Taking over a pool, a bucket with its guards and a role: the real CLI and plugin, against the
cloud double.
"""

from __future__ import annotations

import re

import pytest

from lab.alicloud.seed import CLUSTER
from tests.plugins.engine.region import Region

BUCKET, ROLE = "engine-models", "engine-reader"
WRITES = ("Create", "Modify", "Delete", "Update", "Put", "Attach", "Tag", "UnTag")
PROGRAM = f'''
import pulumi
from components.compute.node_pool import NodePool, NodePoolArgs
from components.storage import model_store
from components.storage.model_access import ModelAccess, ModelAccessArgs
from components.storage.model_store import ModelStore, ModelStoreArgs
from settings.adopt import Adoption
from settings.model import ModelSettings
from settings.model_store import ModelStoreSettings
from settings.node_pool import NodePoolSettings

config = pulumi.Config()
pool_id = config.get("pool")
labels = {{"inference": "tensorflow"}}
if pool_id:  # what the pool's nodes have by now: the settings describe it
    labels |= {{"inference-pool": config.require("label"), "inference-stack": "first"}}
change = config.get_bool("change") or False

class NoModel:
    path = digest = "none"
    def __init__(self, *positional, **named): pass

model_store.Model = NoModel

def adopt(resource_id):
    return Adoption(resource_id, change) if pool_id else None

tags = {{"stack": pulumi.get_stack()}}
pool = NodePool("pool", NodePoolArgs(
    settings=NodePoolSettings.model_validate({{"minSize": 0, "maxSize": config.get_int("max") or 5, "labels": labels}}),
    cluster_id="{CLUSTER}", vswitch_ids=["vsw-labe", "vsw-labg"], stack="first", tags=tags, adopt=adopt(f"{CLUSTER}:{{pool_id}}")))
store = ModelStore("models", ModelStoreArgs(
    settings=ModelStoreSettings.model_validate({{"oldVersionDays": config.get_int("days") or 30}}), model=ModelSettings(), tensorflow=None,
    bucket="{BUCKET}", region="cn-shanghai", tags=tags, adopt=adopt("{BUCKET}")))
access = ModelAccess("access", ModelAccessArgs(
    role_name="{ROLE}", policy_name="engine-" + pulumi.get_stack(), oidc_issuer="https://oidc.test/{CLUSTER}",
    oidc_provider_arn="acs:ram::1234567890123456:oidc-provider/x", bucket=store.bucket, prefix="models", tags=tags,
    adopt=adopt("{ROLE}")))
pulumi.export("pool", pool.node_pool_id)
pulumi.export("name", pool.name)
pulumi.export("selector", pool.selector)
'''


@pytest.fixture(scope="module")
def adopting(region: Region) -> Region:
    """A stack whose settings adopt what another stack has made and then forgotten."""
    region.program(PROGRAM)
    region.pulumi("stack", "init", "first")
    region.up()
    made = region.outputs()
    region.pulumi("stack", "rm", "--force", "--yes", "first")
    region.pulumi("stack", "init", "second")
    region.configure(pool=made["pool"], label=made["name"])
    return region


def writes(region: Region, since: int) -> set[str]:
    """Calls since then that change something of pool, bucket or role; the policy is the stack's
    own.
    """
    found = {
        call["call"]
        for call in region.calls(since)
        if call["call"].startswith(WRITES) or call["method"] in ("PUT", "DELETE")
    }
    return found - {
        "CreatePolicy",
        "AttachPolicyToRole",
        "DetachPolicyFromRole",
        "DeletePolicy",
        "TagResources",
    }


def test_adoption_of_what_is_as_the_settings_say_changes_nothing(adopting: Region) -> None:
    before = adopting.last_call()
    printed = adopting.up()
    assert "= 8 imported" in printed and "updated" not in printed
    assert writes(adopting, before) == set()
    adopting.up("--expect-no-changes")
    adopting.up("--expect-no-changes", "--refresh")
    outputs = adopting.outputs()
    assert outputs["selector"]["alibabacloud.com/nodepool-id"] == outputs["pool"]


def test_a_differing_property_is_shown_by_the_preview_and_refused_by_the_run(
    adopting: Region,
) -> None:
    adopting.configure(max=7, days=60)
    before = adopting.last_call()
    shown = adopting.pulumi("preview", "--diff")
    assert "maxSize: 5 => 7" in shown and "days: 30 => 60" in shown
    assert "is adopted and is not as nodePool asks for" in shown
    assert re.search(
        r'scalingConfig is {.*"maxSize": 5.*}, nodePool asks for {.*"maxSize": 7', shown
    )
    assert "lifecycleRules is" in shown and "modelStore asks for" in shown
    printed = adopting.up(expect=1)  # the first refusal ends the run, whichever it is
    assert "is adopted and is not as" in printed and re.search(
        r"(scalingConfig|lifecycleRules) is .* asks for", printed
    )
    assert "pulumi config set --path 'elastic-inference:adopt.change' true" in printed
    assert writes(adopting, before) == set()


def test_the_settings_can_allow_the_change(adopting: Region) -> None:
    adopting.configure(max=7, days=60, change="true")
    before = adopting.last_call()
    assert "~ 2 updated" in adopting.up()
    assert {"ModifyClusterNodePool", "PutBucketLifecycle"} <= writes(adopting, before)
    adopting.configure(change="false")
    adopting.up("--expect-no-changes")


def test_a_destroy_refuses_and_what_was_adopted_outlives_the_stack(adopting: Region) -> None:
    assert "protected" in adopting.pulumi("destroy", "--yes", "--skip-preview", expect=1)
    adopting.pulumi("state", "unprotect", "--all", "--yes")
    adopting.pulumi("destroy", "--yes", "--skip-preview")
    left = adopting.lab.control("resources")["extra"]
    assert left["bucket"] == [BUCKET] and left["ram_role"] == [ROLE] and len(left["node_pool"]) == 1
    assert left["ram_policy"] == ["engine-first"], "the second stack's own policy is gone"


def test_a_guard_that_is_missing_is_named(region: Region) -> None:
    region.program("import pulumi_alicloud as a\na.oss.Bucket('b', bucket='bare-bucket')\n")
    region.pulumi("stack", "init", "bare")
    region.up()
    region.pulumi("stack", "init", "third")
    region.program(
        "import pulumi\nfrom components.storage import model_store\nfrom components.storage.model_store import ModelStore, ModelStoreArgs\n"
        "from settings.adopt import Adoption\nfrom settings.model import ModelSettings\n"
        "from settings.model_store import ModelStoreSettings\n"
        "model_store.Model = lambda *positional, **named: type('M', (), {'path': 'p', 'digest': 'd'})\n"
        "ModelStore('models', ModelStoreArgs(settings=ModelStoreSettings(redundancy='LRS'), model=ModelSettings(), tensorflow=None,\n"
        "    bucket='bare-bucket', region='cn-shanghai', tags={}, adopt=Adoption('bare-bucket', change=True)))\n"
    )
    printed = region.up(expect=1)
    assert (
        "models-encryption" in printed
        and "models-tls-only" in printed
        and "does not exist" in printed
    )
